// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import PeerEngine
import Traversal
import Queues
import Support
import Testing
import Wire

/// A network within the process, as fast as it goes: what is sent is in the other side's queue at once.
private final class Wires: Sendable {
    private let clients = Lock<[Endpoint: Client]>([:])
    private let index: IndexMachine

    init() {
        let info = ServerInfo(version: "test", listen: "\(World.index)", boot: "boot-1")
        index = IndexService(info: info, secret: [1, 2, 3], now: Clocks.test.monotonic()).makeMachine()
    }

    func connect(_ client: Client, at place: Endpoint) { clients.withLock { $0[place] = client } }

    func carry(_ datagram: Datagram, from source: Endpoint) {
        if datagram.endpoint == World.index {
            // Not the system's, which has no size: the thread sanitiser looks at the place of whatever is passed
            // inout, and that has none.
            var chance = SplitMix64(seed: Clocks.test.monotonic().nanoseconds)
            let reply = index.answer(
                datagram.bytes, from: source, now: Clocks.test.monotonic(), wall: Clocks.test.wall(), using: &chance)
            if let reply { deliver(Datagram(reply, World.index), to: source) }
        } else {
            deliver(Datagram(datagram.bytes, source), to: datagram.endpoint)
        }
    }

    private func deliver(_ datagram: Datagram, to place: Endpoint) {
        let client = clients.withLock { $0[place] }
        client?.take([.received(datagram)])
    }
}

/// One machine's end of the wires.
private struct Socket: DatagramTransport {
    let place: Endpoint
    let wires: Wires

    func send(_ datagrams: [Datagram]) -> SendResult {
        for datagram in datagrams { wires.carry(datagram, from: place) }
        return SendResult(taken: datagrams.count)
    }
}

/// Sessions that are up at once and carry everything at once, between the clients of these tests.
private final class Sessions: SessionTransport {
    private let place: Endpoint
    private let key: PeerKey
    private let hub: Hub

    /// Who is connected with whom.
    final class Hub: Sendable {
        struct End: Hashable {
            var place: Endpoint
            var id: SessionID
        }
        let others = Lock<[End: End]>([:])
        let clients = Lock<[Endpoint: Client]>([:])
    }

    init(at place: Endpoint, key: PeerKey, hub: Hub) {
        self.place = place
        self.key = key
        self.hub = hub
    }

    func perform(_ commands: [SessionCommand]) {
        for command in commands {
            switch command {
            case .offer, .punch, .welcome, .networkChanged, .hide, .relays, .pass, .stopPassing: break
            case .dial(let id, let peer, let plan): dial(id, peer, plan.candidates.map(\.route.endpoint))
            case .send(let id, let frames): pass(id) { .frames($0, frames) }
            case .close(let id, let code):
                pass(id) { .closed($0, .closedByPeer(code)) }
                let end = Hub.End(place: place, id: id)
                hub.others.withLock { others in
                    if let other = others.removeValue(forKey: end) { others[other] = nil }
                }
            case .consumed, .widen, .probe: break
            }
        }
    }

    private func dial(_ id: SessionID, _ peer: PeerKey, _ endpoints: [Endpoint]) {
        guard let other = endpoints.first, let client = hub.clients.withLock({ $0[other] }) else { return }
        let (mine, its) = (Hub.End(place: place, id: id), Hub.End(place: other, id: SessionID(id.number &* 2 &+ 1)))
        hub.others.withLock { others in
            others[mine] = its
            others[its] = mine
        }
        let binding = [UInt8](repeating: 1, count: 32)
        client.take([.up(its.id, key: key, at: place, binding: binding)])
        hub.clients.withLock { $0[place] }?.take([.up(id, key: peer, at: other, binding: binding)])
    }

    private func pass(_ id: SessionID, _ event: (SessionID) -> SessionEvent) {
        guard let other = hub.others.withLock({ $0[Hub.End(place: place, id: id)] }) else { return }
        hub.clients.withLock { $0[other.place] }?.take([event(other.id)])
    }
}

/// Keeps everything, and says what it had before.
private actor MemoryStore: ClientStore {
    private var disk = Disk()
    func commit(_ changes: [StoreChange]) async throws(StoreError) -> [Bool] { changes.map { disk.apply($0) } }
}

/// Holds its first commit up until it is let go, and then breaks.
private actor BrokenStore: ClientStore {
    private(set) var commits = 0
    private var held: CheckedContinuation<Void, Never>?
    var isHolding: Bool { held != nil }

    func commit(_ changes: [StoreChange]) async throws(StoreError) -> [Bool] {
        commits += 1
        guard commits == 1 else { return changes.map { _ in true } }
        await withCheckedContinuation { held = $0 }
        throw StoreError("The disk is broken.", mayPass: false)
    }

    func letGo() {
        held?.resume()
        held = nil
    }
}

extension Clocks {
    fileprivate static let test = Clocks(
        monotonic: { Instant.now }, wall: { WallTime(milliseconds: 1_795_000_000_000) })
}

@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    private let wires = Wires()
    private let hub = Sessions.Hub()

    private func client(_ number: Int, store: any ClientStore = MemoryStore()) async -> Client {
        let place = World.place(number)
        var saved = SavedState()
        saved.contacts = [Contact(peer: World.peer(3 - number), accepted: true)]
        let configuration = ClientConfiguration(
            identity: World.identity(number), address: place,
            allowsPlaintextPeers: true, saved: saved)
        let sessions = Sessions(at: place, key: World.identity(number).key, hub: hub)
        let client = Client(
            configuration, transport: Socket(place: place, wires: wires), sessions: sessions, store: store,
            clocks: .test)
        wires.connect(client, at: place)
        hub.clients.withLock { $0[place] = client }
        await client.addIndex("index", at: World.index, place: 0)
        return client
    }

    @Test func `the loops of two sides carry ten thousand messages each way to the other disk, all in order`()
        async throws
    {
        let count = 10_000
        let (one, other) = (await client(1), await client(2))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await one.run() }
            group.addTask { await other.run() }
            await withTaskGroup(of: Void.self) { users in
                for (client, friend) in [(one, World.peer(2)), (other, World.peer(1))] {
                    users.addTask {
                        for number in 0..<count {
                            try? await client.perform(.send(to: friend, text: "\(number)", tag: "\(number)"))
                        }
                    }
                    users.addTask { await expectAll(count, at: client) }
                }
            }
            group.cancelAll()
        }
        #expect(one.dropped == 0 && other.dropped == 0)
    }

    /// Reads as a display does until all came and all left.
    private func expectAll(_ count: Int, at client: Client) async {
        var shown: [Int] = []
        var states: [String: [DeliveryState]] = [:]
        var sent = 0
        while shown.count < count || sent < count, let batch = await client.events.next() {
            for event in batch {
                switch event {
                case .message(let message) where message.direction == .incoming:
                    shown.append(Int(message.text) ?? -1)
                case .state(_, let tag?, _, let state, _):
                    states[tag, default: []].append(state)
                    if state == .delivered { sent += 1 }
                default: break
                }
            }
        }
        #expect(shown == Array(0..<count))
        #expect(states.count == count && states.values.allSatisfy { $0 == [.queued, .sent, .delivered] })
    }

    @Test func `a display that doesn't read makes the tellers wait, and only what the queue has no room for is lost`()
        async throws
    {
        let client = await client(1)
        let running = Task { await client.run() }
        let message = try PeerMessage(
            source: World.peer(2).stamped(version: 4), destination: World.peer(1), text: "x", created: nil
        ).encoded()
        let event = DatagramEvent.received(Datagram(message, World.place(2)))
        var offered = 0
        while client.dropped == 0 {
            client.take(Array(repeating: event, count: 1000))
            offered += 1000
            await Task.yield()
        }
        // Full, both of them, with what one transaction brought at most on top: the slower the disk, the more that is.
        #expect(client.events.count < 2 * client.events.capacity)
        let expected = offered - client.dropped
        var shown = 0
        while shown < expected, let batch = await client.events.next() {
            shown += batch.count { if case .message = $0 { true } else { false } }
        }
        #expect(shown == expected)
        running.cancel()
        await running.value
    }

    @Test func `cancelled, it ends, though nobody reads and datagrams keep coming`() async throws {
        let client = await client(1)
        let running = Task { await client.run() }
        let flood = Task {
            let message = try PeerMessage(
                source: World.peer(2).stamped(version: 4), destination: World.peer(1), text: "x", created: nil
            ).encoded()
            while !Task.isCancelled {
                client.take([.received(Datagram(message, World.place(2)))])
                await Task.yield()
            }
        }
        while client.dropped == 0 { await Task.yield() }
        running.cancel()
        await running.value
        #expect(client.events.count <= client.events.capacity + 512, "what waited to be taken was left")
        flood.cancel()
        try await flood.value
        var last: [ClientEvent]? = []
        while last != nil { last = await client.events.next() }
    }

    @Test func `commands are obeyed while messages pour in`() async throws {
        let client = await client(1)
        let running = Task { await client.run() }
        let display = Task { while await client.events.next() != nil {} }
        let pour = Task {
            let message = try PeerMessage(
                source: World.peer(2).stamped(version: 4), destination: World.peer(1), text: "x", created: nil
            ).encoded()
            while !Task.isCancelled {
                client.take([.received(Datagram(message, World.place(2)))])
                await Task.yield()
            }
        }
        for number in 10..<60 {
            try await client.perform(.add(World.peer(number), name: "peer"))
            #expect(await client.peers.count >= number - 8)
        }
        #expect(try await client.resolve("peer-50") == World.peer(59))
        await #expect(throws: CommandError.self) { try await client.perform(.add(client.me, name: nil)) }
        pour.cancel()
        running.cancel()
        try await pour.value
        await running.value
        await display.value
    }

    @Test func `after a commit that will never work nothing later is saved either, for it may build on it`()
        async throws
    {
        let store = BrokenStore()
        let client = await client(1, store: store)
        let running = Task { await client.run() }
        try await client.perform(.draft(World.peer(2), "first"))
        while await !store.isHolding { await Task.yield() }
        try await client.perform(.draft(World.peer(2), "second"))
        await store.letGo()
        await client.flush(within: .seconds(60))
        for _ in 0..<1000 { await Task.yield() }
        #expect(await store.commits == 1)
        running.cancel()
        await running.value
    }

    @Test func `a disk that does not answer holds the end up for no longer than it may`() async throws {
        let store = BrokenStore()
        let client = await client(1, store: store)
        let running = Task { await client.run() }
        try await client.perform(.draft(World.peer(2), "first"))
        while await !store.isHolding { await Task.yield() }
        await client.flush(within: .milliseconds(20))
        await store.letGo()
        running.cancel()
        await running.value
    }
}
