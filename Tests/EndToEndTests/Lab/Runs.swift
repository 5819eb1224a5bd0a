// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import Testing

/// The runs of one user's pipe, one after the other: killed and started again as often as a test likes. What each said
/// is kept.
final class Runs {
    let user: User
    private(set) var all: [ChildProcess] = []

    init(_ user: User) { self.user = user }

    /// Starts it, and does not wait.
    /// - Parameter launcher: what it is started by this time.
    func start(by launcher: [String]? = nil) throws {
        var user = user
        if let launcher { user.launcher = launcher + user.launcher }
        all.append(try ChildProcess(try user.parley(["pipe"])))
    }

    var current: ChildProcess? { all.last }
    var isRunning: Bool { current?.child.isRunning ?? false }

    func kill() {
        current?.child.send(SIGKILL)
        _ = current?.wait()
    }

    /// Ends it as a user does.
    func quit() throws {
        try? current?.send(#"{"command":"quit"}"#)
        guard current?.wait(.seconds(10)) != nil else {
            throw ChildProcess.Missing(description: "pipe does not quit; \(current?.transcript ?? "")")
        }
    }

    /// Hands it a message; one that just died does not get it.
    func send(_ text: String, to peer: String) {
        try? current?.send(#"{"command":"send","to":\#(JSON.quoted(peer)),"text":\#(JSON.quoted(text))}"#)
    }

    /// IDs that it saw in a state, in this run.
    func ids(_ state: String) -> Set<String> {
        var ledger = Ledger()
        if let current { ledger.add(sender: current) }
        return ledger.ids(state)
    }
}

extension ChildProcess {
    /// Expects a program to end in a way, and in time.
    func expectEnd(_ end: Termination, within limit: Span, at location: SourceLocation = #_sourceLocation) {
        let start = Instant.now
        #expect(wait() == end, "\(transcript)", sourceLocation: location)
        #expect(Instant.now.since(start).isWithin(limit), sourceLocation: location)
    }
}

/// Asks until something holds; false when it does not in time.
func holds(within limit: Span, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Instant.now + limit
    while try !condition() {
        guard .now < deadline else { return false }
        pause(until: .now + .milliseconds(10))
    }
    return true
}

/// Alice writes numbers to Bob, whatever happens to either, and an index server stands by.
final class Correspondence {
    let alice: Runs
    let bob: Runs
    private let site: IndexSite
    private let server: ChildProcess
    private let bobID: String
    private var written = 0

    /// - Parameter home: where Bob lives, if not in a directory of his own.
    init(bobsHome home: String? = nil) throws {
        site = try IndexSite()
        server = try site.startHeadless()
        var (one, other) = (try User("alice", index: site.address), try User("bob", index: site.address))
        if let home { other.homePath = home }
        (alice, bob) = (Runs(one), Runs(other))
        let (left, right) = (try Pipe(one), try Pipe(other))
        try introduced(left, right)
        bobID = right.uuid
        for pipe in [left, right] {
            try pipe.command("quit")
            guard pipe.process.wait(.seconds(10)) == .exited(0) else {
                throw ChildProcess.Missing(description: "pipe does not quit; \(pipe.process.transcript)")
            }
        }
        try alice.start()
        try bob.start()
    }

    /// Alice writes the next numbers.
    func write(_ count: Int, pause gap: () -> Span = { .zero }) {
        for _ in 0..<count {
            written += 1
            alice.send("\(written)", to: bobID)
            let span = gap()
            if span > .zero { pause(until: .now + span) }
        }
    }

    /// Waits until both run and everything that was queued has its receipt, then says what is wrong.
    func settle(within limit: Span = .seconds(60)) throws -> (faults: [String], delivered: Int) {
        for runs in [alice, bob] where !runs.isRunning { try runs.start() }
        write(1)
        let last = "\(written)"
        _ = try holds(within: limit) {
            let entries = try alice.user.log().filter { $0["direction"]?.string == "out" }.compactMap(Ledger.Entry.init)
            return entries.last?.text == last && entries.allSatisfy { $0.state == "delivered" }
        }
        var ledger = Ledger()
        for run in alice.all { ledger.add(sender: run) }
        for run in bob.all { ledger.add(receiver: run) }
        try ledger.close(sender: alice.user, receiver: bob.user)
        try alice.quit()
        try bob.quit()
        return (ledger.faults, ledger.received.count)
    }
}
