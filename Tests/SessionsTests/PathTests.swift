// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Testing
import Traversal
import Wire

@testable import Sessions

@Suite struct PathTests {
    @Test func `a dial that nobody answers ends after five seconds`() {
        let net = Net()
        let client = net.node(1)
        let nobody = Endpoint(address: .v4(0x0A00_0009), port: 4000)
        net.perform(client, [.dial(SessionID(2), key: Identity().key, at: [nobody])])
        #expect(!net.run(for: .milliseconds(4990)) { !client.ends.isEmpty })
        #expect(net.run(for: .milliseconds(20)) { !client.ends.isEmpty })
        #expect(client.ends == [.noAnswer])
        #expect(client.table.sessions.isEmpty && client.table.deadline == nil)
        // An address that never answered gets nothing but probes, ten of them.
        #expect(net.packets.isEmpty)
        #expect(net.captured.map(\.datagram.bytes.count) == Array(repeating: Probe.size, count: 10))
    }

    @Test(arguments: [[], [Endpoint(address: .v4(0xE000_0001), port: 1)], [Endpoint(address: .v4(0), port: 9)]])
    func `a dial without a usable address sends nothing, and takes one that is offered later`(
        endpoints: [Endpoint]
    ) {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        net.perform(client, [.dial(SessionID(2), key: Identity().key, at: endpoints)])
        net.perform(client, [.dial(SessionID(4), key: server.key, at: endpoints)])
        net.run(for: .seconds(1))
        #expect(net.captured.isEmpty && client.ends.isEmpty)
        net.perform(
            client, [.offer(SessionID(4), [RemoteCandidate(.direct(server.endpoint), .reflexive)], sequence: 1)])
        net.run(for: .milliseconds(100))
        #expect(client.ups.map(\.at) == [server.endpoint])
        net.run(for: .milliseconds(3910))
        #expect(client.ends == [.noAnswer])
    }

    @Test func `addresses are tried one after the other, eight at most`() {
        let net = Net()
        let client = net.node(1)
        let endpoints = (1...10).map { Endpoint(address: .v4(0x0A00_0100 | UInt32($0)), port: 4000) }
        var first: [(Endpoint, Instant)] = []
        net.tamper = { datagram, _ in
            if !first.contains(where: { $0.0 == datagram.endpoint }) { first.append((datagram.endpoint, net.now)) }
            return []
        }
        let start = net.now
        net.perform(client, [.dial(SessionID(2), key: Identity().key, at: [endpoints[0]] + endpoints)])
        net.run(for: .seconds(6))
        #expect(first.map(\.0) == Array(endpoints.prefix(8)))
        #expect(first.map { $0.1.since(start) } == (0..<8).map { .milliseconds(50 * $0) })
    }

    @Test func `a session comes up at the address that answers`() {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        let nobody = Endpoint(address: .v4(0x0A00_0009), port: 4000)
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [nobody, server.endpoint, nobody])])
        #expect(net.run(for: .milliseconds(200)) { !client.ups.isEmpty && !server.ups.isEmpty })
        #expect(client.ups.map(\.at) == [server.endpoint])
        #expect(!net.packets.contains { $0.datagram.endpoint == nobody })
    }

    @Test func `packets from elsewhere are read, and draw no packet of the session there`() throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        net.run(for: .seconds(1))
        let elsewhere = Endpoint(address: .v4(0x0A00_0009), port: 4000)
        // Whoever is on the way may send what the client sent, from another address.
        net.tamper = { datagram, source in
            guard source == client.endpoint else { return [datagram] }
            net.inject(datagram.bytes, from: elsewhere, to: datagram.endpoint)
            return []
        }
        net.perform(client, [.send(dialled, frames: [[1]])])
        #expect(net.run(for: .seconds(1)) { server.frames == [[1]] })
        net.perform(server, [.send(accepted, frames: [[2]])])
        net.run(for: .seconds(6))
        let drawn = net.captured.filter { $0.datagram.endpoint == elsewhere }.map(\.datagram)
        #expect(!drawn.isEmpty && drawn.allSatisfy { $0.bytes.first == DatagramTag.probe })
    }

    @Test(arguments: [true, false])
    func `a path that dies while an answer is due is told within five seconds, and given up after seven`(
        byProbe: Bool
    ) throws {
        let net = Net()
        let (client, _, dialled, _) = try #require(net.pair())
        net.run(for: .seconds(60))
        net.tamper = { _, _ in [] }
        let start = net.now
        net.perform(client, [byProbe ? .probe(dialled) : .send(dialled, frames: [[1]])])
        #expect(net.run(for: .seconds(5)) { client.paths.last == .some(nil) })
        #expect(net.run(for: .seconds(7)) { !client.ends.isEmpty })
        #expect(client.ends == [.pathDied])
        let passed = net.now.since(start)
        #expect(passed >= .milliseconds(6900) && passed <= .milliseconds(7100))
    }

    @Test func `steady sending does not hide a dead path`() throws {
        let net = Net()
        let (client, _, dialled, _) = try #require(net.pair())
        net.tamper = { _, _ in [] }
        for _ in 0..<72 {
            net.perform(client, [.send(dialled, frames: [[1]])])
            net.run(for: .milliseconds(100))
        }
        #expect(client.ends == [.pathDied])
    }

    @Test func `replayed packets do not hide a dead path`() throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        net.perform(server, [.send(accepted, frames: [[1]])])
        net.run(for: .seconds(1))
        let old = net.captured.filter { $0.source == server.endpoint }
        net.tamper = { _, _ in [] }
        net.perform(client, [.send(dialled, frames: [[1]])])
        for _ in 0..<72 {
            for (source, datagram) in old { net.inject(datagram.bytes, from: source, to: client.endpoint) }
            net.run(for: .milliseconds(100))
        }
        #expect(client.ends == [.pathDied])
    }

    @Test func `an open session without words lives for hours`() throws {
        let net = Net()
        let (client, server, dialled, _) = try #require(net.pair())
        net.run(for: .seconds(7200))
        #expect(client.ends.isEmpty && server.ends.isEmpty)
        net.perform(client, [.send(dialled, frames: [[1]])])
        #expect(net.run(for: .seconds(1)) { server.frames == [[1]] })
    }

    @Test func `a path that dies in silence is noticed when a sign of life stays out`() throws {
        let net = Net()
        let (client, server, _, _) = try #require(net.pair())
        net.run(for: .seconds(60))
        net.tamper = { _, _ in [] }
        #expect(net.run(for: .milliseconds(17_200)) { !client.ends.isEmpty && !server.ends.isEmpty })
        #expect(client.ends == [.pathDied] && server.ends == [.pathDied])
    }

    @Test func `without signs of life a session ends after 25 seconds of silence`() throws {
        let net = Net()
        var limits = SessionLimits()
        limits.keepAlive = .zero
        let (client, server, _, _) = try #require(net.pair(limits: limits))
        net.run(for: .milliseconds(500))
        #expect(!net.run(for: .milliseconds(24_000)) { !client.ends.isEmpty || !server.ends.isEmpty })
        #expect(net.run(for: .milliseconds(1500)) { !client.ends.isEmpty && !server.ends.isEmpty })
        #expect(client.ends == [.pathDied] && server.ends == [.pathDied])
    }

    @Test func `a close reaches the other side with its code, after what was sent before it`() throws {
        let net = Net()
        net.weather.delay = .milliseconds(20)
        let (client, server, dialled, _) = try #require(net.pair())
        let frames = (0..<10).map { [UInt8](repeating: UInt8($0), count: 1000) }
        net.perform(client, [.send(dialled, frames: frames), .close(dialled, .refused)])
        #expect(net.run(for: .milliseconds(250)) { !client.ends.isEmpty && !server.ends.isEmpty })
        #expect(server.frames == frames)
        #expect(server.ends == [.closedByPeer(.refused)])
        #expect(client.ends == [.closedHere(.refused)])
        net.run(for: .seconds(5))
        #expect(client.table.deadline == nil && server.table.deadline == nil)
    }

    @Test func `a close that can't be delivered takes no longer than 200 milliseconds`() throws {
        let net = Net()
        let (client, _, dialled, _) = try #require(net.pair())
        net.tamper = { _, _ in [] }
        let start = net.now
        net.perform(client, [.send(dialled, frames: [[1]]), .close(dialled, .done)])
        #expect(net.run(for: .milliseconds(210)) { !client.ends.isEmpty })
        #expect(client.ends == [.closedHere(.done)])
        #expect(net.now.since(start) >= .milliseconds(190))
    }

    @Test func `a lost goodbye is said again to who goes on talking, ever more rarely`() throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        net.perform(client, [.send(dialled, frames: [[1]])])
        net.run(for: .milliseconds(100))
        net.tamper = { datagram, source in source == client.endpoint ? [] : [datagram] }
        net.perform(client, [.close(dialled, .superseded)])
        net.run(for: .milliseconds(210)) { !client.ends.isEmpty }
        net.tamper = { datagram, _ in [datagram] }
        let before = net.captured.count
        net.perform(server, [.send(accepted, frames: [[2]])])
        #expect(net.run(for: .milliseconds(500)) { !server.ends.isEmpty })
        #expect(server.ends == [.closedByPeer(.superseded)])
        let last = try #require(net.captured[before...].first { $0.source == server.endpoint })
        let repeated = net.captured.count
        for _ in 0..<100 { net.inject(last.datagram.bytes, from: server.endpoint, to: client.endpoint) }
        net.run(for: .milliseconds(100))
        #expect(net.captured.count - repeated <= 7)
    }
}
