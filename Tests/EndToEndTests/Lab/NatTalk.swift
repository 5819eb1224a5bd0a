// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing

/// Alice on side A and Bob on side B of a lab, who know each other, and number what they write.
final class NatTalk {
    let lab: NatLab
    let index: IndexRuns
    private(set) var alice: Voice
    private(set) var bob: Voice

    /// One of the two.
    struct Voice {
        var user: User
        var pipe: Pipe
        /// Programs of this user, the last one being the pipe's.
        var runs: [ChildProcess]
        var written = 0
        let name: String

        fileprivate init(_ user: User, flags: [String]) throws {
            (self.user, name) = (user, user.name)
            pipe = try Pipe(user, options: flags)
            runs = [pipe.process]
        }

        /// Writes the next number to the other; which it is.
        fileprivate mutating func write(to other: Voice) throws -> String {
            written += 1
            try pipe.command("send", ["to": other.name, "text": "\(written)"])
            return "\(written)"
        }

        /// When a message arrived here.
        fileprivate func arrival(of text: String, _ limit: Span) throws -> Instant {
            try pipe.moment(of: "message", limit) { $0["text"]?.string == text }
        }

        /// What was said last about the way to the other.
        func path(to other: Voice) throws -> String { try pipe.paths(to: other.pipe.uuid).last?.path ?? "" }
    }

    /// Who writes.
    enum Writers { case alice, bob, both }

    /// Both talk when this returns, and say so of one of these ways.
    init(
        _ a: NatLab.Kind, _ b: NatLab.Kind, _ options: Set<NatLab.Option> = [], by ways: Set<String>,
        prepare: (NatLab) throws -> Void = { _ in }
    ) throws {
        lab = try NatLab(a, b, options)
        try prepare(lab)
        index = try lab.indexServer()
        alice = try Voice(try lab.user("alice", .a), flags: [])
        bob = try Voice(try lab.user("bob", .b), flags: [])
        try introduced(alice.pipe, bob.pipe)
        try exchange(within: .seconds(10))
        try settles(on: ways, within: .seconds(10))
    }

    /// How much longer than allowed is waited, to say by how much something came late.
    private static let patience = Span.seconds(15)

    /// Waits until both say that they talk in one of these ways; for how long.
    @discardableResult
    func settles(on ways: Set<String>, within limit: Span) throws -> Span {
        let start = Instant.now
        let isSettled = try holds(within: limit + NatTalk.patience) {
            try ways.contains(alice.path(to: bob)) && ways.contains(bob.path(to: alice))
        }
        let took = Instant.now.since(start)
        guard isSettled else {
            throw ChildProcess.Missing(description: "no \(ways.sorted()) in \(took.seconds) s; \(transcript)")
        }
        #expect(took.isWithin(limit), "\(ways.sorted()) took \(took.seconds) s; \(transcript)")
        return took
    }

    /// Messages that are under way.
    struct Letters {
        fileprivate var toAlice: String?
        fileprivate var toBob: String?
    }

    func write(_ writers: Writers = .both) throws -> Letters {
        var letters = Letters()
        if writers != .bob { letters.toBob = try alice.write(to: bob) }
        if writers != .alice { letters.toAlice = try bob.write(to: alice) }
        return letters
    }

    /// Waits for messages; how long after a moment the last of them arrived.
    @discardableResult
    func arrive(_ letters: Letters, after start: Instant = .now, within limit: Span) throws -> Span {
        let patience = limit + NatTalk.patience
        do {
            let moments = [
                try letters.toBob.map { try bob.arrival(of: $0, patience) },
                try letters.toAlice.map { try alice.arrival(of: $0, patience) },
            ]
            let took = (moments.compactMap(\.self).max() ?? start).since(start)
            #expect(took.isWithin(limit), "took \(took.seconds) s; \(transcript)")
            return took
        } catch let missing as ChildProcess.Missing {
            throw ChildProcess.Missing(description: "\(missing.description)\n\(transcript)")
        }
    }

    /// Writes and waits; for how long.
    @discardableResult
    func exchange(_ writers: Writers = .both, within limit: Span) throws -> Span {
        let start = Instant.now
        return try arrive(try write(writers), after: start, within: limit)
    }

    /// Bob begins anew at another place.
    func bobReturns(at node: NatLab.Node) throws {
        _ = bob.pipe.process.wait()
        bob.user.launcher = lab.launcher(node)
        bob.pipe = try Pipe(bob.user)
        bob.runs.append(bob.pipe.process)
    }

    /// Everything that is not as it must be once all has arrived: what was lost, doubled, or out of order.
    func faults() throws -> [String] {
        try exchange(within: .seconds(5))
        var faults: [String] = []
        for (writer, reader) in [(alice, bob), (bob, alice)] {
            _ = try holds(within: .seconds(5)) {
                try writer.user.log().allSatisfy {
                    $0["direction"]?.string == "in" || ["delivered", "read"].contains($0["state"]?.string)
                }
            }
            var ledger = Ledger()
            for run in writer.runs { ledger.add(sender: run) }
            for run in reader.runs { ledger.add(receiver: run) }
            try ledger.close(sender: writer.user, receiver: reader.user)
            faults += ledger.faults
            if ledger.received.count < writer.written {
                faults.append("\(ledger.received.count) of \(writer.written) by \(writer.name)")
            }
        }
        return faults
    }

    /// Waits until Alice's gateway has seen an answer come in by IPv6: there is a way beside the one in use.
    func hasPassedByIPv6(within limit: Span) throws -> Bool {
        try holds(within: limit) {
            let flows = try lab.at(.ga, "conntrack", "-L", "-f", "ipv6", "-p", "udp")
            return flows.split(separator: "\n").contains { !$0.contains("UNREPLIED") }
        }
    }

    var transcript: String {
        "alice: \(alice.pipe.process.transcript)\nbob: \(bob.pipe.process.transcript)\nindex: \(index.current?.transcript ?? "")"
    }
}

private func + (left: Span, right: Span) -> Span { Span(nanoseconds: left.nanoseconds + right.nanoseconds) }
