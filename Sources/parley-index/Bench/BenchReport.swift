// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText
import Wire

/// What a bench found, as a table for people or as JSON.
struct BenchReport {
    struct Load {
        let load: BenchLoad
        /// The index server's first.
        let figures: [BenchFigures]
    }

    private let rounds: Int
    private let seconds: Int
    private let isPinned: Bool
    private var loads: [Load] = []
    private var notes: [String] = []

    init(rounds: Int, seconds: Int, isPinned: Bool) {
        self.rounds = rounds
        self.seconds = seconds
        self.isPinned = isPinned
    }

    mutating func add(_ load: Load) { loads.append(load) }

    /// A sentence about what is missing.
    mutating func note(_ sentence: String) { notes.append(sentence) }

    var hasWrongAnswers: Bool { loads.contains { $0.figures.first.map { $0.wrong > 0 } ?? false } }

    // MARK: For people

    var table: String {
        let header = ["answers/s", "p50 us", "p99 us", "CPU us", "lost", "wrong", "rate", "CPU", "load"]
        var lines = [line("load", "server", header)]
        for load in loads {
            for (index, figures) in load.figures.enumerated() {
                lines.append(line(index == 0 ? load.load.title : "", figures.server, cells(figures)))
            }
        }
        lines.append(
            "Medians of \(rounds) rounds of \(seconds) s by turns; CPU us: the server's own time an answer; rate, CPU: the "
                + "index's by this server's; load: of the generator's CPU"
                + (isPinned ? ", servers on CPU 0, generator on CPU 1." : "."))
        return (lines + notes).joined(separator: "\n")
    }

    private func cells(_ figures: BenchFigures) -> [String] {
        [
            decimal(figures.answersPerSecond, 0), decimal(figures.p50, 0), decimal(figures.p99, 0),
            figures.cpuPerAnswer.map { decimal($0, 2) } ?? "-", "\(figures.lost)", "\(figures.wrong)",
            figures.ratio.map { decimal($0, 2) } ?? "-", figures.cpuRatio.map { decimal($0, 2) } ?? "-",
            decimal(figures.generatorLoad, 2),
        ]
    }

    private func line(_ load: String, _ server: String, _ cells: [String]) -> String {
        let widths = [10, 8, 8, 8, 7, 7, 7, 7, 7]
        return DisplayText(load).fitted(to: 19).string + DisplayText(server).fitted(to: 12).string
            + zip(cells, widths).map { DisplayText($0).fitted(to: $1, alignRight: true).string }.joined()
    }

    // MARK: For programs

    var json: String {
        let object: JSONObject = [
            "rounds": .integer(Int64(rounds)), "seconds": .integer(Int64(seconds)), "pinned": .bool(isPinned),
            "loads": .array(
                loads.map { load in
                    var object: JSONObject = [
                        "load": .string(load.load.kind.rawValue), "outstanding": .integer(Int64(load.load.outstanding)),
                        "store": .string(load.load.store),
                    ]
                    for figures in load.figures { object[figures.server] = .object(figures.json) }
                    return .object(object)
                }),
            "notes": .array(notes.map { .string($0) }),
        ]
        return String(decoding: object.encoded(), as: UTF8.self)
    }
}

extension BenchFigures {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "answers_per_second": .number(answersPerSecond), "p50_microseconds": .number(p50),
            "p99_microseconds": .number(p99), "lost": .integer(Int64(lost)), "wrong": .integer(Int64(wrong)),
            "generator_load": .number(generatorLoad),
        ]
        object["cpu_microseconds_per_answer"] = cpuPerAnswer.map { .number($0) }
        object["index_rate_ratio"] = ratio.map { .number($0) }
        object["index_cpu_ratio"] = cpuRatio.map { .number($0) }
        return object
    }
}

/// A number with so many decimals, 0 to 2.
private func decimal(_ number: Double, _ places: Int) -> String {
    let scale = [1.0, 10, 100][min(2, max(0, places))]
    let whole = Int(min(1e15, max(0, (number * scale).rounded())))
    guard places > 0 else { return "\(whole)" }
    let rest = String(whole % Int(scale))
    return "\(whole / Int(scale))." + String(repeating: "0", count: max(0, places - rest.count)) + rest
}
