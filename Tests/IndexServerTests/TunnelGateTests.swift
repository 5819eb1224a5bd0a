// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
@testable import IndexServer
import Model
import Network
import Queues
import Reactor
import Relaying
import Support
import Testing
import Tunnels
import Wire

@Suite(.timeLimit(.minutes(1))) struct TunnelGateTests {
    private let request = IndexRequest.seen(nonce: "n").encoded()

    @Test func `a relaying server answers in a tunnel, counts it, and knows it by an address that nobody has`()
        async throws
    {
        let identity = Identity()
        let site = try await Site {
            $0.relay = RelayLimits()
            $0.identity = identity
        }
        let (events, received) = (BoundedQueue<TunnelEvent>(capacity: 64), BoundedQueue<Datagram>(capacity: 64))
        let loop = try PollExecutor(name: "client")
        let host = try TunnelHost(loop: loop, events: { events.offer([$0]) }, received: { received.offer($0) })
        host.open()
        loop.start()
        defer { loop.stop() }
        host.perform([.open(site.server.local, key: identity.key.octets)])
        #expect(await events.next() == [.opened(site.server.local)])
        try await site.snapshot { $0.relay.tunnels == 1 }
        let uplink = Uplink(NoPort(), tunnels: host)
        #expect(uplink.send([Datagram(request, site.server.local)]).taken == 1)
        let answer = try #require(await received.next()?.first)
        #expect(answer.endpoint == site.server.local)
        #expect(String(decoding: answer.bytes, as: UTF8.self).contains("[100::"))
        await site.server.stop()
        #expect(await events.next()?.count == 1)
    }

    @Test func `what waits while the loop is busy is bounded, and goes with the next turn`() throws {
        let (door, place) = try TCP.listen(at: .loopback(0))
        door.close()
        let gate = try TunnelGate(at: place, identity: nil) { _, _, _ in }
        let somebody = Endpoint(address: .v6(0x0100_0000_0000_0000, 5), port: 1)
        for _ in 0..<TunnelGate.waitingLimit + 100 { gate.deliver(request, to: somebody) }
        #expect(gate.backlog == 4096)
        gate.start()
        let end = Instant.now + .seconds(20)
        while gate.backlog > 0, Instant.now < end { pause(until: .now + .milliseconds(5)) }
        #expect(gate.backlog == 0)
        gate.deliver(request, to: somebody)
        gate.stop()
    }

    @Test func `a server that passes nothing on takes no TCP`() async throws {
        let site = try await Site()
        #expect(throws: (any Error).self) { try StreamSocket(port: site.port) }
        await site.server.stop()
    }

    @Test func `a server whose TCP port is taken serves by UDP, and says so`() async throws {
        let (door, place) = try TCP.listen(at: .loopback(0))
        defer { door.close() }
        let site = try await Site {
            $0.relay = RelayLimits()
            $0.listen = ListenAddress(address: place.address, port: place.port)
        }
        let snapshot = await site.server.snapshot(for: SnapshotRequest())
        let text =
            "TCP port \(place.port) is taken by another program, so peers whose network blocks UDP can't come in; "
            + "stop that program, or choose another port."
        #expect(snapshot.notices.map(\.text) == [text])
        let socket = try DatagramSocket()
        try socket.send(request, to: place.port)
        #expect(try socket.receive() != nil)
        await site.server.stop()
    }
}

private struct NoPort: DatagramTransport {
    func send(_ datagrams: [Datagram]) -> SendResult { SendResult(taken: 0) }
}
