// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Support
import Testing
import Wire

/// The server answers while the store is still being read, and says nothing that it does not know.
@Suite(.timeLimit(.minutes(1))) struct LoadingTests {
    /// A row as the last run left it.
    private func row(_ identity: Identity, host: UInt32) throws -> LoadedRegistration {
        let wall = Clocks.system.wall()
        let address = Endpoint(address: .v4(host), port: 5000)
        let record = try PeerRecord(
            key: identity.key, sequence: UInt64(wall.milliseconds), candidates: [Candidate(.reflexive, address)]
        ).signed(by: identity)
        return LoadedRegistration(
            StoredRegistration(
                peer: identity.peer, address: address, record: record, sequence: UInt64(wall.milliseconds),
                registered: wall, expires: WallTime(milliseconds: wall.milliseconds + 7_200_000)),
            remaining: .seconds(7200))
    }

    private func query(_ peer: PeerID) -> String { #"{"req_type":"query","queried_uuid":"\#(peer)"}"# }

    private func answer(_ peer: PeerID, _ address: String) -> String { #"{"address":"\#(address)","uuid":"\#(peer)"}"# }

    @Test func `a known peer is found before it is loaded, an unknown one is never denied`() async throws {
        let (known, stranger) = (Identity(), Identity())
        let seed = PeerID(high: 0x0123_4567_89AB_4DEF, low: 0x8000_0000_0000_0001)
        let store = try FakeStore(pages: [[], [try row(known, host: 0x0A00_0001)]], holdsLoading: true)
        let site = try await Site { $0.store = store }
        let socket = try DatagramSocket()
        #expect(try socket.ask(query(known.peer), at: site.port) == answer(known.peer, "10.0.0.1:5000"))
        // The store can't tell quickly who a bare UUID is: silence, not "nil".
        #expect(try socket.ask(query(seed), at: site.port, tries: 1, each: .milliseconds(300)) == nil)
        var snapshot = await site.server.snapshot(for: SnapshotRequest())
        #expect(snapshot.counters.unready == 1 && snapshot.counters.misses == 0)
        #expect(snapshot.store.state == .loading(rows: 0))
        // It has been asked about a key that it does not hold: that is an answer.
        #expect(try socket.ask(query(stranger.peer), at: site.port) == answer(stranger.peer, "nil"))
        // Who comes meanwhile is registered, and found.
        _ = try socket.register(stranger, at: site)
        #expect(await store.durable == [stranger.peer])

        await store.finishLoading()
        snapshot = try await site.snapshot { $0.store.state == .ready }
        #expect(snapshot.use.keyed == 2)
        #expect(try socket.ask(query(seed), at: site.port) == answer(seed, "nil"))
        #expect(try socket.ask(query(known.peer), at: site.port) == answer(known.peer, "10.0.0.1:5000"))
        await site.server.stop()
    }

    @Test func `a damaged store is told, served without, and given back what was read of it`() async throws {
        let identities = (0..<3).map { _ in Identity() }
        let damage = IndexStoreFault(.damaged, "The registry was damaged; it lies in x, and a new one was started.")
        let pages = try identities.map { [try row($0, host: 0x0A00_0002)] }
        let store = try FakeStore(pages: pages, loadFault: damage)
        let site = try await Site { $0.store = store }
        try await until { await store.durable.count >= 3 }
        #expect(await store.durable == Set(identities.map(\.peer)))
        let snapshot = try await site.snapshot { $0.store.state == .ready }
        #expect(snapshot.notices.map(\.text) == [damage.description])
        let (socket, stranger) = (try DatagramSocket(), Identity())
        #expect(
            try socket.ask(query(identities[1].peer), at: site.port) == answer(identities[1].peer, "10.0.0.2:5000"))
        #expect(try socket.ask(query(stranger.peer), at: site.port) == answer(stranger.peer, "nil"))
        await site.server.stop()
    }

    @Test func `damage met while writing costs no acknowledged row`() async throws {
        let store = try FakeStore()
        let site = try await Site { $0.store = store }
        let (socket, first, second) = (try DatagramSocket(), Identity(), Identity())
        _ = try socket.register(first, at: site)
        let before = await store.commits.count
        await store.fail(IndexStoreFault(.damaged, "It was damaged."))
        _ = try socket.register(second, at: site)
        try await until { await store.commits.count >= before + 2 }
        var rewritten: Set<PeerID> = []
        for case .put(let row) in await store.commits.dropFirst(before).joined() { rewritten.insert(row.peer) }
        #expect(rewritten == [first.peer, second.peer])
        let snapshot = try await site.snapshot { $0.store.state == .ready }
        #expect(snapshot.notices.map(\.text) == ["It was damaged."])
        await site.server.stop()
    }

    @Test func `a store that can't be read is read again, and denies nobody meanwhile`() async throws {
        let identity = Identity()
        let seed = PeerID(high: 0x0123_4567_89AB_4DEF, low: 0x8000_0000_0000_0001)
        let fault = IndexStoreFault(.failed, "The disk does not answer.")
        let store = try FakeStore(pages: [[try row(identity, host: 0x0A00_0003)]], loadFault: fault)
        let site = try await Site { $0.store = store }
        let socket = try DatagramSocket()
        try socket.send(query(seed), to: site.port)
        let snapshot = try await site.snapshot { $0.counters.unready == 1 }
        #expect(snapshot.notices.map(\.text) == [fault.description])
        try await site.snapshot { $0.store.state == .ready && $0.use.keyed == 1 }
        #expect(try socket.ask(query(seed), at: site.port) == answer(seed, "nil"))
        await site.server.stop()
    }

    @Test func `a server that is stopped while it loads ends at once`() async throws {
        let store = try FakeStore(pages: [[], []], holdsLoading: true)
        let site = try await Site { $0.store = store }
        await site.server.stop()
        #expect(await store.isClosed)
    }
}
