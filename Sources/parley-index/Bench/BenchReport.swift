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
    var memory: [MemoryTrial.Figures] = []
    var flood: FloodTrial.Figures?

    init(rounds: Int, seconds: Int, isPinned: Bool) {
        self.rounds = rounds
        self.seconds = seconds
        self.isPinned = isPinned
    }

    mutating func add(_ load: Load) { loads.append(load) }

    /// A sentence about what is missing.
    mutating func note(_ sentence: String) { notes.append(sentence) }

    var hasWrongAnswers: Bool {
        let own = loads.compactMap(\.figures.first?.wrong) + memory.filter { $0.server != "redis" }.map(\.wrong)
        return (own + [flood?.flooded.wrong ?? 0]).contains { $0 > 0 }
    }

    // MARK: For people

    var table: String {
        let parts = [loads.isEmpty ? [] : loadLines, memory.isEmpty ? [] : memoryLines, floodLines, notes]
        return parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
    }

    private var loadLines: [String] {
        let header = ["answers/s", "p50 us", "p99 us", "CPU us", "lost", "wrong", "rate", "CPU", "load"]
        var lines = [line("load", "server", header)]
        for load in loads {
            for (index, figures) in load.figures.enumerated() {
                lines.append(line(index == 0 ? load.load.title : "", figures.server, cells(figures)))
            }
        }
        return lines + [
            "Medians of \(rounds) rounds of \(seconds) s by turns. CPU us: the server's own time an answer; rate, CPU: the "
                + "index's by this server's; load: of the generator's CPU."
                + (isPinned ? " Servers on CPU 0, generator on CPU 1." : "")
        ]
    }

    private var memoryLines: [String] {
        let header = ["entries", "KiB", "KiB then", "bytes", "record", "net", "worst ms"]
        return [line("memory", "server", header)]
            + memory.map { figures in
                line(
                    "", figures.server,
                    [
                        "\(figures.entries)", "\(figures.before / 1024)", "\(figures.after / 1024)",
                        decimal(figures.perEntry, 0), "\(figures.record)",
                        decimal(figures.perEntry - Double(figures.record), 0), decimal(Double(figures.worst) / 1000, 1),
                    ])
            }
    }

    private var floodLines: [String] {
        guard let flood else { return [] }
        let header = ["answers/s", "p50 us", "p99 us", "CPU us", "lost", "wrong"]
        return [
            line("flood", "queries", header), line("", "idle", Array(cells(flood.idle).prefix(6))),
            line("\(decimal(flood.rate, 0))/s", "flooded", Array(cells(flood.flooded).prefix(6))),
            "p50 by idle's: \(decimal(flood.flooded.p50 / max(1, flood.idle.p50), 2)); unanswered: "
                + "\(decimal(flood.unanswered * 100, 2)) %. CPU us: all of the server's time, junk included, a query.",
        ]
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
        let widths = [10, 9, 9, 8, 7, 7, 9, 7, 7]
        return DisplayText(load).fitted(to: 19).string + DisplayText(server).fitted(to: 14).string
            + zip(cells, widths).map { DisplayText($0).fitted(to: $1, alignRight: true).string }.joined()
    }

    // MARK: For programs

    var json: String {
        var object: JSONObject = [
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
        if !memory.isEmpty { object["memory"] = .array(memory.map { .object($0.json) }) }
        object["flood"] = flood.map { .object($0.json) }
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

extension MemoryTrial.Figures {
    fileprivate var json: JSONObject {
        [
            "server": .string(server), "entries": .integer(Int64(entries)), "bytes_before": .integer(Int64(before)),
            "bytes_after": .integer(Int64(after)), "bytes_per_entry": .number(perEntry),
            "record_bytes": .integer(Int64(record)), "worst_microseconds": .integer(Int64(worst)),
            "lost": .integer(Int64(lost)), "wrong": .integer(Int64(wrong)),
        ]
    }
}

extension FloodTrial.Figures {
    fileprivate var json: JSONObject {
        [
            "idle": .object(idle.json), "flooded": .object(flooded.json), "junk_per_second": .number(rate),
            "unanswered": .number(unanswered),
        ]
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
