// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Testing
import Wire

@testable import Sessions

@Suite struct LoadTests {
    @Test(arguments: [UInt64(1), 2, 3])
    func `10,000 frames come once each and in order through a third of the packets lost`(seed: UInt64) throws {
        let net = Net(seed: seed)
        net.captures = false
        let (client, server, dialled, _) = try #require(net.pair())
        net.weather = .init(delay: .milliseconds(10), lost: 300, doubled: 100, jitter: .milliseconds(15))
        let frames = (0..<10_000).map { number in
            let size = 1 + Int(net.chance.next() % 120)
            return (0..<max(4, size)).map { $0 < 4 ? UInt8(truncatingIfNeeded: number >> ($0 * 8)) : 0xA5 }
        }
        var next = 0
        while next < frames.count, client.ends.isEmpty {
            net.perform(client, [.send(dialled, frames: Array(frames[next..<min(next + 100, frames.count)]))])
            next += 100
            net.run(for: .milliseconds(20))
        }
        net.run(for: .seconds(300)) { server.frames.count >= frames.count || !client.ends.isEmpty }
        #expect(client.ends.isEmpty && server.ends.isEmpty)
        #expect(server.frames == frames)
    }

    @Test func `frames of every allowed size come as they were`() throws {
        let net = Net()
        net.captures = false
        let (client, server, dialled, accepted) = try #require(net.pair())
        let sizes = [1, 2, 3, 4, 5, 1199, 1200, 8187, 8188, 8189, 65_536, WireLimits.frame - 1, WireLimits.frame]
        let frames = sizes.map { size in net.chance.bytes(size) }
        net.perform(client, [.send(dialled, frames: frames)])
        net.perform(server, [.send(accepted, frames: frames)])
        #expect(net.run(for: .seconds(10)) { server.frames.count == 13 && client.frames.count == 13 })
        #expect(server.frames == frames && client.frames == frames)
    }

    @Test(arguments: [
        [UInt8](repeating: 0, count: 4), [0, 6, 64, 1], [255, 255, 255, 255], [0, 0, 0, 1, 7, 0, 0, 0, 0],
    ])
    func `a length that no frame has ends the session`(octets: [UInt8]) throws {
        let net = Net()
        let (client, server, dialled, _) = try #require(net.pair())
        let session = try #require(client.table.sessions[dialled])
        #expect(session.quic.send(octets, on: QuicConnection.chatStream))
        net.perform(client, [.probe(dialled)])
        #expect(net.run(for: .seconds(1)) { !server.ends.isEmpty && !client.ends.isEmpty })
        #expect(server.ends == [.protocolViolation("a frame of its has an impossible length")])
        #expect(client.ends == [.closedByPeer(.protocolViolation)])
    }

    @Test func `frames that can't be are not sent`() throws {
        for frame in [[], [UInt8](repeating: 0, count: WireLimits.frame + 1)] {
            let net = Net()
            let (client, server, dialled, _) = try #require(net.pair())
            net.perform(client, [.send(dialled, frames: [frame])])
            net.run(for: .seconds(1))
            #expect(client.ends == [.failed("a frame has an impossible length")])
            #expect(server.ends == [.closedByPeer(.done)])
        }
    }

    @Test func `a stream other than that of frames ends the session`() throws {
        let net = Net()
        var limits = SessionLimits()
        limits.streams = 2
        let (client, server, dialled, _) = try #require(net.pair(limits: limits))
        let session = try #require(client.table.sessions[dialled])
        let stream = try #require(session.quic.openStream())
        #expect(session.quic.send([1], on: stream))
        net.perform(client, [.probe(dialled)])
        #expect(net.run(for: .seconds(1)) { !server.ends.isEmpty })
        #expect(server.ends == [.protocolViolation("it wrote to a stream that is not in use")])
    }

    @Test func `nobody may open a second stream`() throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        #expect(try #require(client.table.sessions[dialled]).quic.openStream() == nil)
        #expect(try #require(server.table.sessions[accepted]).quic.openStream() == nil)
    }

    /// What comes out of order on a stream is kept, and seen by nobody until the gap is filled.
    @Test func `all streams together have one window`() throws {
        var limits = SessionLimits()
        limits.streams = 4
        let pair = try #require(QuicPair(Identity(), Identity(), limits: limits))
        pair.run()
        let streams = (0..<4).compactMap { _ in pair.client.openStream() }
        try #require(streams.count == 4)
        let octets = [UInt8](repeating: 1, count: limits.window)
        for stream in streams { #expect(pair.client.send(octets, on: stream)) }
        for _ in 0..<5000 { pair.run() }
        #expect(pair.client.buffered == 3 * limits.window)
    }

    /// A session whose second end takes in what comes and deals with none of it.
    private func unheeded() throws -> (Net, client: Node, server: Node, dialled: SessionID, accepted: SessionID) {
        let net = Net()
        net.captures = false
        let (client, server, dialled, accepted) = try #require(net.pair())
        server.consumes = false
        return (net, client, server, dialled, accepted)
    }

    @Test func `who is not heeded has to stop at the window, and goes on later`() throws {
        let (net, client, server, dialled, accepted) = try unheeded()
        let frame = [UInt8](repeating: 1, count: 64 * 1024)
        net.perform(client, [.send(dialled, frames: Array(repeating: frame, count: 48))])
        net.run(for: .seconds(120))
        #expect(client.ends.isEmpty && server.ends.isEmpty)
        #expect(server.frames.count == 15)
        server.consumes = true
        net.perform(server, [.consumed(accepted, bytes: 15 * frame.count)])
        #expect(net.run(for: .seconds(10)) { server.frames.count == 48 })
    }

    @Test func `more of a contact's may wait, and no more than that however often it is said`() throws {
        let (net, client, server, dialled, accepted) = try unheeded()
        let frame = [UInt8](repeating: 1, count: 64 * 1024)
        net.perform(client, [.send(dialled, frames: Array(repeating: frame, count: 96))])
        net.run(for: .seconds(20))
        #expect(server.frames.count == 15)
        net.perform(server, [.widen(accepted), .widen(accepted)])
        net.run(for: .seconds(120))
        #expect(server.frames.count == 63 && client.ends.isEmpty && server.ends.isEmpty)
        server.consumes = true
        net.perform(server, [.consumed(accepted, bytes: 63 * frame.count)])
        #expect(net.run(for: .seconds(10)) { server.frames.count == 96 })
    }

    @Test func `small frames have to stop at their number`() throws {
        let (net, client, server, dialled, accepted) = try unheeded()
        net.perform(client, [.send(dialled, frames: Array(repeating: [1], count: 10_000))])
        net.run(for: .seconds(10))
        #expect(server.frames.count == 4096)
        // More than came may not be given back.
        net.perform(server, [.consumed(accepted, bytes: .max), .consumed(accepted, bytes: -1)])
        net.run(for: .seconds(10))
        #expect(server.frames.count == 8192)
    }

    @Test func `who sends more than can wait is told so`() throws {
        let (net, client, _, dialled, _) = try unheeded()
        let frame = [UInt8](repeating: 1, count: 256 * 1024)
        net.perform(client, [.send(dialled, frames: Array(repeating: frame, count: 33))])
        #expect(client.ends == [.failed("too much waits to be delivered")])
    }

    /// Nodes that begin handshakes and never go on.
    private func stall(_ count: Int, _ net: Net, _ server: Node, from first: Int = 100) -> [Node] {
        (0..<count).map { number in
            let node = net.node(UInt16(first + number))
            net.perform(node, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
            return node
        }
    }

    private func isRetry(_ datagram: Datagram) -> Bool {
        datagram.bytes.count > 2 && datagram.bytes[0] == SessionDatagram.plainTag && datagram.bytes[1] & 0xF0 == 0xF0
    }

    private func isProbe(_ datagram: Datagram) -> Bool { datagram.bytes.first == DatagramTag.probe }

    @Test func `beyond 64 open handshakes an address has to prove itself, and still comes in`() throws {
        let net = Net()
        let server = net.node(2)
        var retries: Set<Endpoint> = []
        var stalled: Set<Endpoint> = []
        net.tamper = { datagram, source in
            if self.isRetry(datagram) { retries.insert(datagram.endpoint) }
            return stalled.contains(datagram.endpoint) && !self.isProbe(datagram) ? [] : [datagram]
        }
        stalled = Set((100..<164).map { Endpoint(address: .v4(0x0A00_0000 | $0), port: 4000) })
        _ = stall(64, net, server)
        net.run(for: .milliseconds(50))
        #expect(server.table.sessions.count == 64 && retries.isEmpty)
        let late = net.node(3)
        net.perform(late, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        #expect(net.run(for: .seconds(2)) { !late.ups.isEmpty && server.ups.count == 1 })
        #expect(retries == [late.endpoint])
        #expect(server.ups.map(\.key) == [late.key])
        // A Retry is answered without keeping anything.
        #expect(server.table.sessions.count == 65)
    }

    @Test func `a Retry's token is good for one address alone`() throws {
        let net = Net()
        let server = net.node(2)
        let stalled = Set((100..<164).map { Endpoint(address: .v4(0x0A00_0000 | $0), port: 4000) })
        net.tamper = { datagram, _ in
            stalled.contains(datagram.endpoint) && !self.isProbe(datagram) ? [] : [datagram]
        }
        _ = stall(64, net, server)
        net.run(for: .milliseconds(50))
        let (late, other) = (net.node(3), Endpoint(address: .v4(0x0A00_0004), port: 4000))
        var hasToken = false
        net.tamper = { datagram, source in
            if datagram.endpoint == other {
                // The Retry for the other address goes to the one that dials.
                hasToken = true
                net.inject(datagram.bytes, from: source, to: late.endpoint)
                return []
            }
            if self.isProbe(datagram) { return [datagram] }
            if source == late.endpoint, !hasToken {
                net.inject(datagram.bytes, from: other, to: datagram.endpoint)
                return []
            }
            return stalled.contains(datagram.endpoint) ? [] : [datagram]
        }
        net.perform(late, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .seconds(6)) { !late.ends.isEmpty }
        #expect(hasToken)
        #expect(late.ends == [.noAnswer])
        #expect(server.table.sessions.count == 64)
    }

    @Test func `beyond 128 open handshakes nobody new is answered, and ten seconds later all are gone`() throws {
        let net = Net()
        let server = net.node(2)
        net.tamper = { datagram, source in
            source == server.endpoint && !self.isRetry(datagram) && !self.isProbe(datagram) ? [] : [datagram]
        }
        _ = stall(140, net, server)
        net.run(for: .seconds(1))
        #expect(server.table.sessions.count == 128)
        let late = net.node(3)
        net.perform(late, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .seconds(1))
        #expect(!net.packets.contains { $0.datagram.endpoint == late.endpoint })
        net.run(for: .seconds(15))
        #expect(server.table.sessions.isEmpty && server.events.isEmpty)
        net.tamper = { datagram, _ in [datagram] }
        net.perform(late, [.dial(SessionID(4), key: server.key, at: [server.endpoint])])
        #expect(net.run(for: .seconds(2)) { late.ups.count == 1 })
    }

    @Test func `beyond 256 sessions nobody new is answered, and nobody is dialled`() throws {
        let net = Net()
        net.captures = false
        var limits = SessionLimits()
        limits.sessions = 4
        let server = net.node(2, limits: limits)
        for number in UInt16(10)..<14 {
            let node = net.node(number)
            net.perform(node, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        }
        #expect(net.run(for: .seconds(2)) { server.ups.count == 4 })
        let late = net.node(3)
        net.perform(late, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .seconds(6))
        #expect(late.ends == [.noAnswer])
        net.perform(server, [.dial(SessionID(2), key: late.key, at: [late.endpoint])])
        #expect(server.ends == [.failed("too many sessions are open")])
        #expect(SessionLimits().sessions == 256)
    }
}
