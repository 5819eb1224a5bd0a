// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model

/// What one entry costs in memory: resident bytes of a server before and after so many of them.
struct MemoryTrial {
    /// What a server holds per entry.
    struct Figures {
        let server: String
        let entries: Int
        let before: UInt64
        let after: UInt64
        /// Bytes of an entry that are the user's own: a signed record.
        let record: Int
        /// The longest that anybody waited for an answer meanwhile, in microseconds.
        let worst: UInt32
        let lost: Int
        let wrong: Int

        var perEntry: Double { (Double(after) - Double(before)) / Double(max(1, entries)) }
    }

    let placement: Placement
    let sockets: Int

    private static let entries = 1_000_000
    /// Of these each costs a key and two signatures.
    private static let signedEntries = 100_000
    private static let chunk = 50_000

    /// Registrations of the seed's kind.
    func index() throws(ProgramFailure) -> Figures {
        let (child, generator) = try indexServer()
        let scripts = IndexScripts(generator: generator)
        let exchanges = (0..<1024).map(scripts.registration)
        return fill("index", child, Self.entries) { count in
            let perLane = BenchScript(exchanges, limit: count / generator.count)
            return generator.run(Array(repeating: perLane, count: generator.count), seconds: nil)
        }
    }

    /// Registrations with a signed record each.
    func signed() throws(ProgramFailure) -> Figures {
        let (child, generator) = try indexServer()
        let scripts = IndexScripts(generator: generator)
        return try fill("index, signed", child, Self.signedEntries, record: IndexScripts.recordSize) {
            count throws(ProgramFailure) in
            generator.run(try scripts.signed(count, keys: count), seconds: nil)
        }
    }

    /// redis with keys as long as a UUID and values as long as an address.
    func redis() throws(ProgramFailure) -> Figures {
        let yardstick = RedisYardstick(isPipelined: true)
        let child = try placement.onServersCPU { () throws(ProgramFailure) in try yardstick.startAndWait() }
        let generator = try LoadGenerator(child.endpoint, isStream: true, sockets: sockets, outstanding: sockets * 4)
        var first = 0
        return fill("redis", child, Self.entries) { count in
            let perLane = count / generator.count
            let scripts = (0..<generator.count).map { lane in
                let start = first + lane * perLane
                return BenchScript(yardstick.sets(start..<(start + perLane)), limit: perLane)
            }
            first += count
            return generator.run(scripts, seconds: nil)
        }
    }

    private func indexServer() throws(ProgramFailure) -> (BenchChild, LoadGenerator) {
        let child = try placement.onServersCPU { () throws(ProgramFailure) in try BenchChild.index(store: "memory") }
        return (child, try LoadGenerator(child.endpoint, sockets: sockets, outstanding: sockets * 4))
    }

    /// Adds entries chunk by chunk; those that were lost are not counted.
    private func fill<Failure: Error>(
        _ server: String, _ child: BenchChild, _ entries: Int, record: Int = 0,
        _ add: (Int) throws(Failure) -> BenchRound
    ) throws(Failure) -> Figures {
        let before = child.group.residentBytes
        var total = BenchRound()
        var worst: UInt32 = 0
        while total.answers + total.lost + total.wrong < entries, !Task.isCancelled {
            let round = try add(Self.chunk)
            total.answers += round.answers
            total.lost += round.lost
            total.wrong += round.wrong
            worst = max(worst, round.latencies.max() ?? 0)
            if round.answers == 0 { break }
        }
        return Figures(
            server: server, entries: total.answers, before: before, after: child.group.residentBytes, record: record,
            worst: worst, lost: total.lost, wrong: total.wrong)
    }
}
