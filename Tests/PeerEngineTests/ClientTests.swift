// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import PeerEngine
import Queues
import Support
import Testing
import Wire

/// A network within the process, as fast as it goes: what is sent is in the other side's queue at once.
private final class Wires: Sendable {
    private let clients = Lock<[Endpoint: Client]>([:])
    private let index: Lock<IndexMachine>

    init() {
        let info = ServerInfo(version: "test", listen: "\(World.index)", boot: "boot-1")
        index = Lock(IndexMachine(info: info, secret: [1, 2, 3], now: Clocks.test.monotonic()))
    }

    func connect(_ client: Client, at place: Endpoint) { clients.withLock { $0[place] = client } }

    func carry(_ datagram: Datagram, from source: Endpoint) {
        if datagram.endpoint == World.index {
            var chance = SystemRandomNumberGenerator()
            let reply = index.withLock { machine in
                machine.handle(
                    datagram.bytes, from: source, now: Clocks.test.monotonic(), wall: Clocks.test.wall(), using: &chance
                ).reply
            }
            if let reply { deliver(Datagram(reply, World.index), to: source) }
        } else {
            deliver(Datagram(datagram.bytes, source), to: datagram.endpoint)
        }
    }

    private func deliver(_ datagram: Datagram, to place: Endpoint) {
        let client = clients.withLock { $0[place] }
        client?.received.offer([.received(datagram)])
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

private struct NoStore: ClientStore {
    func save(contacts: [Contact]) {}
    func save(sequence: UInt64) {}
}

extension Clocks {
    fileprivate static let test = Clocks(
        monotonic: { Instant.now }, wall: { WallTime(milliseconds: 1_795_000_000_000) })
}

@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    private let wires = Wires()

    private func client(_ number: Int) async -> Client {
        let place = World.place(number)
        let configuration = ClientConfiguration(
            identity: World.identity(number), address: place,
            contacts: [Contact(peer: World.peer(3 - number), accepted: true)])
        let client = Client(
            configuration, transport: Socket(place: place, wires: wires), store: NoStore(), clocks: .test)
        wires.connect(client, at: place)
        await client.addIndex("index", at: World.index)
        return client
    }

    @Test func `three loops a side carry ten thousand messages each way, all in order`() async throws {
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
        #expect(one.received.dropped == 0 && other.received.dropped == 0)
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
                    if state == .sent { sent += 1 }
                default: break
                }
            }
        }
        #expect(shown == Array(0..<count))
        #expect(states.count == count && states.values.allSatisfy { $0 == [.queued, .sent] })
    }

    @Test func `a display that doesn't read makes the tellers wait, and only what the queue has no room for is lost`()
        async throws
    {
        let client = await client(1)
        let running = Task { await client.run() }
        let message = try PeerMessage(
            source: World.peer(2), destination: World.peer(1), text: "x", created: nil
        ).encoded()
        let event = DatagramEvent.received(Datagram(message, World.place(2)))
        var offered = 0
        while client.received.dropped == 0 {
            client.received.offer(Array(repeating: event, count: 1000))
            offered += 1000
            await Task.yield()
        }
        // Full, both of them, with one turn of the receiving loop at most between.
        #expect(client.events.count <= client.events.capacity + 512)
        let expected = offered - client.received.dropped
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
                source: World.peer(2), destination: World.peer(1), text: "x", created: nil
            ).encoded()
            while !Task.isCancelled {
                client.received.offer([.received(Datagram(message, World.place(2)))])
                await Task.yield()
            }
        }
        while client.received.dropped == 0 { await Task.yield() }
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
                source: World.peer(2), destination: World.peer(1), text: "x", created: nil
            ).encoded()
            while !Task.isCancelled {
                client.received.offer([.received(Datagram(message, World.place(2)))])
                await Task.yield()
            }
        }
        for number in 10..<60 {
            try await client.perform(.add(World.peer(number), name: "peer"))
            #expect(await client.peers.count == number - 8)
        }
        #expect(await client.resolve("peer-50") == World.peer(59))
        await #expect(throws: CommandError.self) { try await client.perform(.add(client.me, name: nil)) }
        pour.cancel()
        running.cancel()
        try await pour.value
        await running.value
        await display.value
    }
}
