// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText
import Wire

/// What a bench found, as a table for people or as JSON.
struct BenchReport {
    private struct Row {
        let load: BenchLoad
        let index: BenchFigures
        let echo: BenchFigures?

        var ratio: Double? {
            echo.flatMap { $0.answersPerSecond > 0 ? index.answersPerSecond / $0.answersPerSecond : nil }
        }
    }

    private let rounds: Int
    private let seconds: Int
    private var rows: [Row] = []

    init(rounds: Int, seconds: Int) {
        self.rounds = rounds
        self.seconds = seconds
    }

    mutating func add(_ load: BenchLoad, _ index: BenchFigures, echo: BenchFigures?) {
        rows.append(Row(load: load, index: index, echo: echo))
    }

    var hasWrongAnswers: Bool { rows.contains { $0.index.wrong > 0 } }

    var table: String {
        var lines = [line("load", "server", ["answers/s", "p50 us", "p99 us", "CPU us", "lost", "wrong", "of echo"])]
        for row in rows {
            lines.append(line(row.load.rawValue, "index", cells(row.index) + [row.ratio.map { decimal($0, 2) } ?? "-"]))
            if let echo = row.echo { lines.append(line("", "echo", cells(echo) + ["1.00"])) }
        }
        lines.append("Medians of \(rounds) rounds of \(seconds) s; CPU is the server's own time per answer.")
        return lines.joined(separator: "\n")
    }

    var json: String {
        let object: JSONObject = [
            "rounds": .integer(Int64(rounds)), "seconds": .integer(Int64(seconds)),
            "loads": .array(
                rows.map { row in
                    var object: JSONObject = ["load": .string(row.load.rawValue), "index": .object(row.index.json)]
                    object["echo"] = row.echo.map { .object($0.json) }
                    object["ratio"] = row.ratio.map { .number($0) }
                    return .object(object)
                }),
        ]
        return String(decoding: object.encoded(), as: UTF8.self)
    }

    private func cells(_ figures: BenchFigures) -> [String] {
        [
            decimal(figures.answersPerSecond, 0), decimal(figures.p50, 0), decimal(figures.p99, 0),
            figures.cpuPerAnswer.map { decimal($0, 1) } ?? "-", "\(figures.lost)", "\(figures.wrong)",
        ]
    }

    private func line(_ load: String, _ server: String, _ cells: [String]) -> String {
        DisplayText(load).fitted(to: 14).string + DisplayText(server).fitted(to: 7).string
            + cells.map { DisplayText($0).fitted(to: 10, alignRight: true).string }.joined()
    }
}

extension BenchFigures {
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "answers_per_second": .number(answersPerSecond), "p50_microseconds": .number(p50),
            "p99_microseconds": .number(p99), "lost": .integer(Int64(lost)), "wrong": .integer(Int64(wrong)),
        ]
        object["cpu_microseconds_per_answer"] = cpuPerAnswer.map { .number($0) }
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
