// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Model
import Support
import Testing

extension EndToEnd {
    /// Whether any two peers reach each other, how, and how soon.
    @Suite(.timeLimit(.minutes(15)), .enabled(if: NatLab.isPossible, NatLab.needs)) struct NatTests {
        private static let environment = ProcessInfo.processInfo.environment
        private static let isWhole = environment["PARLEY_NAT"] == "all"

        /// Every cell when there is time; else a few, others on another day.
        private static let cells: [NatCell] = {
            if let wanted = environment["PARLEY_NAT"], !isWhole {
                return NatCell.all.filter { $0.name.contains(wanted) }
            }
            guard !isWhole else { return NatCell.all }
            let seed =
                environment["PARLEY_SEED"].flatMap { UInt64($0) } ?? UInt64(Date.now.timeIntervalSince1970 / 86_400)
            var chance = SplitMix64(seed: seed)
            print("NAT cells of PARLEY_SEED=\(seed)")
            return Array(
                NatCell.pairs.shuffled(using: &chance).prefix(7) + NatCell.others.shuffled(using: &chance).prefix(3))
        }()

        @Test func `any two peers talk within five seconds, directly within two where networks allow it`() throws {
            let meetings = concurrently(NatTests.cells) { cell in
                let meeting = cell.measured()
                print("\(cell.name): \(meeting.summary)")
                return meeting
            }
            for meeting in meetings {
                #expect(meeting.faults.isEmpty, "\(meeting.cell.name): \(meeting.faults)\n\(meeting.transcript)")
            }
            let table = try NatTable(meetings).text
            if NatTests.isWhole { print(table) }
            if let path = NatTests.environment["PARLEY_NAT_TABLE"] { try publish(table, in: path) }
        }

        /// Puts a table between the two marks of a document, or makes a file of it.
        private func publish(_ table: String, in path: String) throws {
            let (start, end) = ("<!-- measured -->\n", "<!-- end -->")
            var text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? start + end + "\n"
            if let from = text.range(of: start)?.upperBound, let to = text.range(of: end)?.lowerBound, from <= to {
                text.replaceSubrange(from..<to, with: table)
            }
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }

        /// Does something for each of many, two at a time: they mostly wait.
        private func concurrently<Item: Sendable, Result: Sendable>(
            _ items: [Item], _ body: @escaping @Sendable (Item) -> Result
        ) -> [Result] {
            let results = Guarded([Result?](repeating: nil, count: items.count))
            let next = Guarded(0)
            let ended = DispatchGroup()
            for _ in 0..<2 {
                ended.enter()
                Thread.detachNewThread {
                    defer { ended.leave() }
                    while true {
                        let index = next.withLock { next in
                            defer { next += 1 }
                            return next
                        }
                        guard index < items.count else { return }
                        let result = body(items[index])
                        results.withLock { $0[index] = result }
                    }
                }
            }
            ended.wait()
            return results.withLock { $0.compactMap(\.self) }
        }
    }
}

extension NatMeeting {
    /// The way and both times, as in the table.
    var summary: String {
        func seconds(_ span: Span?) -> String { span.map { String(format: "%.2f", $0.seconds) } ?? "–" }
        let way = paths.caller == paths.callee ? paths.caller : "\(paths.caller)/\(paths.callee)"
        return "\(faults.isEmpty ? "" : "FAILED ")\(way.isEmpty ? "none" : way) \(seconds(message))"
            + (direct.map { " (\(seconds($0)))" } ?? "")
    }
}

/// What was measured, in Markdown.
struct NatTable {
    private let meetings: [NatMeeting]

    init(_ meetings: [NatMeeting]) { self.meetings = meetings }

    var text: String {
        get throws { try head + tables }
    }

    /// Where and when.
    private var head: String {
        get throws {
            let kernel = try ChildProcess.run(["uname", "-r"]).out.trimmingCharacters(in: .whitespacesAndNewlines)
            let day = Date.now.formatted(.iso8601.year().month().day())
            return "\(day), Linux \(kernel), `make nat`. Seconds.\n\n"
        }
    }

    private var tables: String {
        let kinds = NatLab.Kind.allCases.filter { $0 != .upnp }
        var lines = [row([""] + kinds.map(\.rawValue)), row(Array(repeating: "---", count: kinds.count + 1))]
        for (index, kind) in kinds.enumerated() {
            let cells = kinds.enumerated().map { column, other in
                column < index ? "" : meetings.first { $0.pairs(kind, other) }?.summary ?? ""
            }
            lines.append(row([kind.rawValue] + cells))
        }
        lines += ["", row(["Case", "Way and times"]), row(["---", "---"])]
        lines += meetings.filter { !NatCell.pairs.map(\.name).contains($0.cell.name) }.map {
            row([$0.cell.name, $0.summary])
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
}

extension NatMeeting {
    fileprivate func pairs(_ one: NatLab.Kind, _ other: NatLab.Kind) -> Bool {
        guard NatCell.pairs.contains(where: { $0.name == cell.name }) else { return false }
        return [one, other] == [cell.kinds.caller, cell.kinds.callee]
            || [other, one] == [cell.kinds.caller, cell.kinds.callee]
    }
}
