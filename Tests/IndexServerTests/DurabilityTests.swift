// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Queues
import Reactor
import Support
import Testing
import Wire

private let seedRequest = #"{"req_type":"registration","addr":"127.0.0.1:50001"}"#
private let full = IndexStoreFault(.full, "The disk is full.")

/// A registration is acknowledged when it is durable, and not before.
@Suite(.timeLimit(.minutes(1))) struct DurabilityTests {
    private func peer(_ answer: [UInt8]?) throws -> PeerID? {
        guard let answer, case .registered(let uuid, _) = try IndexReply.parse(answer).reply else { return nil }
        return uuid
    }

    @Test func `the acknowledgement comes after the commit`() async throws {
        let store = try FakeStore()
        let site = try await Site { $0.store = store }
        await store.hold()
        let socket = try DatagramSocket()
        try socket.send(seedRequest, to: site.port)
        try await until { await store.attempts > 0 }
        #expect(try socket.receive(.milliseconds(200)) == nil)
        // A lookup of somebody else does not wait for it.
        #expect(try DatagramSocket().ask(#"{"req_type":"query"}"#, at: site.port) != nil)
        await store.release()
        let peer = try #require(try peer(socket.receive()))
        #expect(await store.durable == [peer])
        let snapshot = try await site.snapshot { $0.counters.seedRegistrations == 1 }
        #expect(snapshot.store.commits == 1 && snapshot.store.rowsWritten == 1 && snapshot.store.state == .ready)
        #expect(snapshot.latency.p99 >= .milliseconds(200), "the wait counts")
        await site.server.stop()
        #expect(await store.isClosed)
    }

    @Test func `what comes during a transaction goes into the next one, all of it`() async throws {
        let store = try FakeStore()
        let site = try await Site { $0.store = store }
        await store.hold()
        let sockets = try (0..<40).map { _ in try DatagramSocket() }
        try sockets[0].send(seedRequest, to: site.port)
        try await until { await store.attempts > 0 }
        for socket in sockets.dropFirst() { try socket.send(seedRequest, to: site.port) }
        try await site.snapshot { $0.store.waiting == 39 }
        await store.release()
        for socket in sockets { #expect(try socket.receive() != nil) }
        #expect(await store.commits.map(\.count) == [1, 39])
        await site.server.stop()
    }

    @Test func `a signed registration and a lookup go through a store as without one`() async throws {
        let store = try FakeStore()
        let site = try await Site { $0.store = store }
        let (socket, identity) = (try DatagramSocket(), Identity())
        let (lease, record) = try socket.register(identity, at: site)
        #expect(await store.durable == [identity.peer])
        let query = IndexRequest.query(.init(text: "\(identity.peer)", nonce: "n1"))
        #expect(
            try socket.ask(query, at: site).reply
                == .answer(address: socket.source(.v4), text: "\(identity.peer)", record: record))
        let alive = IndexRequest.keepalive(.init(peer: identity.peer, token: lease.token, nonce: "n2"))
        #expect(try socket.ask(alive, at: site).reply == .alive(boot: lease.boot, leaseSeconds: lease.seconds))
        await site.server.stop()
    }

    @Test func `while nothing can be written nothing is acknowledged, and it shows`() async throws {
        let store = try FakeStore()
        // The clock stands, so that how fast the test runs decides nothing.
        let now = Lock(Clocks.system.monotonic())
        let clocks = Clocks(monotonic: { now.withLock { $0 } }, wall: Clocks.system.wall)
        let site = try await Site(clocks: clocks) { $0.store = store }
        await store.fail(full)
        let (socket, identity) = (try DatagramSocket(), Identity())
        let refusal = try socket.ask(seedRequest, at: site.port, tries: 1, each: .milliseconds(200))
        #expect(refusal == nil, "the seed's clients know no error")
        let error = #expect(throws: Unexpected.self) { try socket.register(identity, at: site) }
        guard case .failed(let reason)? = error?.reply else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason == "store_failed")
        // One after the other, so that each is a group of its own.
        for count in 2...20 as ClosedRange<UInt64> {
            try socket.send(seedRequest, to: site.port)
            try await site.snapshot { $0.counters.unready == count }
        }
        var snapshot = await site.server.snapshot(for: SnapshotRequest())
        #expect(snapshot.counters[.storeFailed] == 1 && snapshot.counters.registrations == 0)
        guard case .failing("The disk is full.", _) = snapshot.store.state else {
            Issue.record("\(snapshot.store.state)")
            return
        }
        #expect(snapshot.notices.map(\.text) == ["The disk is full."])
        #expect(await store.attempts == 1, "a full disk is not probed with each datagram")
        // A lookup is answered as ever.
        #expect(try socket.ask(#"{"req_type":"query"}"#, at: site.port) != nil)

        await store.fail(nil)
        now.withLock { $0 = $0 + .milliseconds(250) }
        _ = try socket.register(identity, at: site)
        snapshot = try await site.snapshot { $0.store.state == .ready }
        #expect(snapshot.notices.map(\.text) == ["The registry is written to again.", "The disk is full."])
        #expect(await store.durable == [identity.peer])
        await site.server.stop()
    }

    @Test func `more than the queue holds is left unanswered, counted, and never acknowledged`() async throws {
        let store = try FakeStore()
        let site = try await Site { $0.store = store }
        await store.hold()
        let first = try DatagramSocket()
        try first.send(seedRequest, to: site.port)
        try await until { await store.attempts > 0 }
        let socket = try DatagramSocket()
        let limit: UInt64 = 16_384
        var sent: UInt64 = 0
        while sent < limit + 2000 {
            for _ in 0..<200 { try socket.send(seedRequest, to: site.port) }
            sent += 200
            let expected = sent
            // The kernel's buffer is not what is measured here.
            try await site.snapshot {
                UInt64($0.store.waiting) + $0.counters.unready + $0.counters.receiveDrops >= expected
            }
        }
        var snapshot = await site.server.snapshot(for: SnapshotRequest())
        #expect(snapshot.store.waiting == Int(limit))
        #expect(snapshot.counters.unready + snapshot.counters.receiveDrops == sent - limit)
        #expect(snapshot.counters.unready > 0)
        // Lookups go on meanwhile.
        #expect(try first.ask(#"{"req_type":"query"}"#, at: site.port) != nil)
        await store.release()
        snapshot = try await site.snapshot { $0.counters.seedRegistrations == limit + 1 }
        #expect(await store.durable.count == Int(limit) + 1)
        await site.server.stop()
    }

    @Test(arguments: ["127.0.0.2", "127.0.0.1", "127.9.8.7"])
    func `a late acknowledgement leaves from the address that was asked`(host: String) async throws {
        let store = try FakeStore()
        let site = try await Site {
            $0.listen = ListenAddress(port: 0)
            $0.store = store
        }
        await store.hold()
        let asker = try Asker()
        let server = try #require(Endpoint("\(host):\(site.port)"))
        await asker.listen()
        asker.send(seedRequest, to: server)
        try await until { await store.attempts > 0 }
        await store.release()
        #expect(await asker.next() == server)
        await site.server.stop()
    }

    @Test func `a stop acknowledges what it makes durable, and closes the store`() async throws {
        let store = try FakeStore()
        let site = try await Site { $0.store = store }
        await store.hold()
        let sockets = try (0..<20).map { _ in try DatagramSocket() }
        for socket in sockets { try socket.send(seedRequest, to: site.port) }
        try await until { await store.attempts > 0 }
        let flood = try DatagramSocket()
        let isDone = Lock(false)
        let flooding = Task.detached {
            while !isDone.withLock({ $0 }) {
                try? flood.send(seedRequest, to: site.port)
                // On a machine of one processor it would keep all others from running.
                await Task.yield()
            }
        }
        try await site.snapshot { $0.store.waiting > 100 }
        let began = Instant.now
        async let stopped: Void = site.server.stop()
        // Time enough to close the store, for a server that would not wait for it.
        pause(until: .now + .milliseconds(100))
        await store.release()
        await stopped
        #expect(Instant.now.since(began).isWithin(.seconds(2)))
        isDone.withLock { $0 = true }
        await flooding.value
        #expect(await store.isClosed)
        let durable = await store.durable
        for socket in sockets {
            let peer = try #require(try peer(socket.receive()))
            #expect(durable.contains(peer))
        }
    }
}

/// Somebody with a port of his own, who hears where answers come from.
private actor Asker {
    private nonisolated let thread = BoundedQueue<Endpoint>(capacity: 100)
    private nonisolated let port: DatagramPort
    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init() throws {
        loop = try PollExecutor(name: "asker")
        port = try DatagramPort(ListenAddress(address: .v4(0x7F00_0001), port: 0), reportsUnreachable: false)
        loop.start()
    }

    deinit { loop.stop() }

    func listen() {
        port.receive(on: loop) { [thread] events in
            for case .received(let datagram) in events { thread.offer([datagram.endpoint]) }
        }
    }

    nonisolated func send(_ text: String, to endpoint: Endpoint) {
        _ = port.send([Datagram(Array(text.utf8), endpoint)])
    }

    func next() async -> Endpoint? { await thread.next()?.first }
}
