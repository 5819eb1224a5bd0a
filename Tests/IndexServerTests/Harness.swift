// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Reactor
import Support
import Testing
import Wire

/// A real server on a free port of loopback.
struct Site {
    let server: IndexServer
    let family: DatagramSocket.Family
    let data: TemporaryDirectory

    /// - Parameter change: makes the configuration another one.
    init(
        _ family: DatagramSocket.Family = .v4, clocks: Clocks = .system,
        change: (inout IndexServerConfiguration) -> Void = { _ in },
        report: (@Sendable (IndexEvent, Span) -> Void)? = nil
    ) async throws {
        self.family = family
        data = try TemporaryDirectory()
        let listen = try #require(ListenAddress(family == .v4 ? "127.0.0.1:0" : "[::1]:0"))
        var configuration = IndexServerConfiguration(
            listen: listen, control: data.file("control.sock"), version: "test", loops: 2)
        change(&configuration)
        server = try IndexServer(configuration, clocks: clocks, report: report)
        try await server.start()
    }

    /// Asks for snapshots until one is as wished; the suite's time limit ends a wait in vain.
    @discardableResult
    func snapshot(until fits: (IndexSnapshot) -> Bool) async throws -> IndexSnapshot {
        while true {
            let snapshot = await server.snapshot(for: SnapshotRequest())
            if fits(snapshot) { return snapshot }
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    var port: UInt16 { server.local.port }
    var control: String { data.file("control.sock") }
}

extension DatagramSocket {
    /// Where its datagrams come from.
    func source(_ family: Family) -> Endpoint {
        Endpoint(address: family == .v4 ? .v4(0x7F00_0001) : .v6(0, 1), port: port)
    }

    /// Asks, and reads the answer.
    func ask(_ request: IndexRequest, at site: Site) throws -> (reply: IndexReply, size: Int) {
        let answer = try #require(try ask(String(decoding: request.encoded(), as: UTF8.self), at: site.port))
        return (try IndexReply.parse(Array(answer.utf8)).reply, answer.utf8.count)
    }

    /// Registers an identity under its key, as a peer does: first the cookie, then the row.
    func register(_ identity: Identity, at site: Site) throws -> (lease: IndexReply.Lease, record: [UInt8]) {
        let here = source(site.family)
        let record = try PeerRecord(
            key: identity.key, sequence: UInt64(Clocks.system.wall().milliseconds),
            candidates: [Candidate(.reflexive, here)]
        ).signed(by: identity)
        var signed = IndexRequest.Signed(peer: identity.peer, record: record)
        let first = try ask(.registration(.init(address: here, signed: signed)), at: site).reply
        guard case .cookie(let cookie, let seen, _) = first else { throw Unexpected(reply: first) }
        #expect(seen == here)
        signed.cookie = cookie
        let second = try ask(.registration(.init(address: here, signed: signed)), at: site).reply
        guard case .registered(identity.peer, let lease?) = second else { throw Unexpected(reply: second) }
        return (lease, record)
    }
}

struct Unexpected: Error { let reply: IndexReply }

/// Waits until something is so; the suite's time limit ends a wait in vain.
func until(_ isSo: () async -> Bool) async throws {
    while !(await isSo()) {
        try Task.checkCancellation()
        await Task.yield()
    }
}

/// Somebody at the control socket, on a loop of its own.
actor Visitor {
    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var connection: LineConnection?
    private var waiting: CheckedContinuation<[UInt8]?, Never>?

    init() throws {
        loop = try PollExecutor(name: "visitor")
        loop.start()
    }

    deinit { loop.stop() }

    func enter(_ path: String) throws {
        let connection = try ControlSocket.connect(to: path, loop: loop)
        connection.onLine = { [weak self] line in self?.assumeIsolated { $0.answer(line) } }
        connection.onClose = { [weak self] in self?.assumeIsolated { $0.leave() } }
        self.connection = connection
    }

    func leave() {
        connection?.close()
        connection = nil
        answer(nil)
    }

    /// One line there, one line back; `nil` when the other side closed.
    func ask(_ line: [UInt8]) async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            guard let connection else { return continuation.resume(returning: nil) }
            waiting = continuation
            connection.send(line)
        }
    }

    func snapshot(_ request: SnapshotRequest = SnapshotRequest()) async throws -> IndexSnapshot {
        let question: JSONObject = ["snapshot": .object(request.json)]
        let line = try #require(await ask(question.encoded()))
        return try IndexSnapshot(json: JSONObject(parsing: line))
    }

    private func answer(_ line: [UInt8]?) {
        let continuation = waiting
        waiting = nil
        continuation?.resume(returning: line)
    }
}
