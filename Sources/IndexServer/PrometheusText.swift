// SPDX-License-Identifier: GPL-3.0-or-later
internal import IndexEngine
internal import Model

/// Metrics in the text format 0.0.4 of Prometheus. No label names a peer or an address.
struct PrometheusText {
    enum Kind: String { case counter, gauge, histogram }

    private(set) var text = ""

    /// One metric: a value for each set of labels, `name="value"` joined by commas.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: String, value: String)]
    ) {
        guard !samples.isEmpty else { return }
        describe(name, kind, help)
        for sample in samples { line(name, sample.labels, sample.value) }
    }

    /// One metric without labels, or none at all when there is no value.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: (some Numeric)?) {
        if let value { add(name, kind, help, [("", "\(value)")]) }
    }

    /// How many were at most as long as each bound, in seconds; all; and their sum.
    mutating func addHistogram(
        _ name: String, _ help: String, bounds: [(seconds: Double, count: UInt64)], count: UInt64, sum: Span
    ) {
        describe(name, .histogram, help)
        for bound in bounds { line(name + "_bucket", "le=\"\(bound.seconds)\"", "\(bound.count)") }
        line(name + "_bucket", "le=\"+Inf\"", "\(count)")
        line(name + "_sum", "", "\(sum.seconds)")
        line(name + "_count", "", "\(count)")
    }

    /// A label's value, escaped.
    static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    private mutating func describe(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    private mutating func line(_ name: String, _ labels: String, _ value: String) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }
}
