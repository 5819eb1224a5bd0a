// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Network
import PeerEngine
import Queues
import Reactor
import Support
import Testing
import Traversal
import Wire

@testable import Sessions

/// A host on a real port of this machine.
actor LoopbackHost {
    nonisolated let identity = Identity()
    nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    nonisolated let port: DatagramPort
    nonisolated let host: SessionHost
    nonisolated let events = BoundedQueue<SessionEvent>(capacity: 1_000_000)
    /// What it wants to have sent to this network.
    nonisolated let searches = BoundedQueue<[UInt8]>(capacity: 16)

    init() throws {
        loop = try PollExecutor(name: "sessions")
        port = try DatagramPort(ListenAddress(address: .v4(0x7F00_0001), port: 0), reportsUnreachable: true)
        host = SessionHost(
            identity: identity, transport: port, loop: loop, clocks: .system, localPort: port.local.port,
            searchLAN: { [searches] in searches.offer([$0]) },
            events: { [events] in events.offer($0) })
        loop.start()
    }

    nonisolated var endpoint: Endpoint { .loopback(port.local.port) }

    func listen() {
        port.receive(on: loop) { [host] in
            host.receive(
                $0.compactMap {
                    guard case .received(let datagram) = $0, SessionHost.isSession(datagram.bytes) else { return nil }
                    return datagram
                })
        }
    }

    /// As if it had come in by the socket for this network.
    func find(_ search: [UInt8], from source: Endpoint) { host.receive([Datagram(search, source)]) }

    func stop() async {
        await host.close()
        port.stop(on: loop)
        loop.stop()
    }

    /// Waits for an event that `pick` takes.
    nonisolated func first<Value>(_ pick: (SessionEvent) -> Value?) async -> Value? {
        while let batch = await events.next() {
            for event in batch { if let value = pick(event) { return value } }
        }
        return nil
    }
}

@Suite(.timeLimit(.minutes(1))) struct HostTests {
    @Test func `two hosts on loopback exchange frames and part`() async throws {
        let (alice, bob) = (try LoopbackHost(), try LoopbackHost())
        await alice.listen()
        await bob.listen()
        alice.host.perform([.dial(SessionID(2), key: bob.identity.key, at: [bob.endpoint])])
        let isUp = await alice.first { event -> Bool? in
            guard case .up(SessionID(2), bob.identity.key, .direct(bob.endpoint), _) = event else { return nil }
            return true
        }
        #expect(isUp == true)
        let big = [UInt8](repeating: 7, count: WireLimits.frame)
        alice.host.perform([.send(SessionID(2), frames: [[1, 2, 3], big])])
        var came: [[UInt8]] = []
        let accepted = await bob.first { event -> SessionID? in
            guard case .frames(let id, let frames) = event else { return nil }
            came += frames
            return came.count == 2 ? id : nil
        }
        #expect(came == [[1, 2, 3], big])
        bob.host.perform([.close(try #require(accepted), .superseded)])
        let end = await alice.first { event -> SessionEnd? in
            guard case .closed(SessionID(2), let end) = event else { return nil }
            return end
        }
        #expect(end == .closedByPeer(.superseded))
        await alice.stop()
        await bob.stop()
    }

    @Test func `a host that finds another on this network dials it`() async throws {
        let (alice, bob) = (try LoopbackHost(), try LoopbackHost())
        await alice.listen()
        await bob.listen()
        let plan = DialPlan([], reference: 1, searchesLAN: true)
        alice.host.perform([.dial(SessionID(2), key: bob.identity.key, plan)])
        let search = try #require(await alice.searches.next()?.first)
        await bob.find(search, from: alice.endpoint)
        let at = await alice.first { event -> Route? in
            if case .up(_, _, let at, _) = event { at } else { nil }
        }
        #expect(at == .direct(bob.endpoint))
        await alice.stop()
        await bob.stop()
    }

    @Test func `what can't be sent does not hold up the rest of a turn`() async throws {
        let loop = try PollExecutor(name: "sessions")
        let (gone, there) = (Endpoint.loopback(1), Endpoint.loopback(2))
        let line = HalfLine(without: gone)
        let host = SessionHost(
            identity: Identity(), transport: line, loop: loop, clocks: .system, localPort: 3, events: { _ in })
        loop.start()
        host.perform([.welcome(Identity().key, at: [gone, there], reference: 2, sequence: 1)])
        #expect(await line.offered.next() == [gone, there])
        #expect(await line.offered.next() == [there])
        await host.close()
        loop.stop()
    }
}

/// A line by which one place can't be reached.
private struct HalfLine: DatagramTransport {
    private let gone: Endpoint
    /// What it was given to send, at each time.
    let offered = Inbox<[Endpoint]>()

    init(without gone: Endpoint) { self.gone = gone }

    func send(_ datagrams: [Datagram]) -> SendResult {
        offered.put([datagrams.map(\.endpoint)])
        guard let first = datagrams.firstIndex(where: { $0.endpoint == gone }) else {
            return SendResult(taken: datagrams.count)
        }
        return SendResult(taken: first, failure: "network is unreachable")
    }
}
