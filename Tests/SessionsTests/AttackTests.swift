// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Testing
import Traversal
import Wire

@testable import Sessions

@Suite struct AttackTests {
    private let packet = 1 + SessionDatagram.macSize

    /// The packet of a dialler's datagram, marked for the holder of another key.
    private func remarked(_ datagram: Datagram, for key: PeerKey) -> [UInt8] {
        guard datagram.bytes.first == SessionDatagram.dialTag else { return datagram.bytes }
        return [SessionDatagram.dialTag] + MAC1(dialled: key).code(over: datagram.bytes[packet...])
            + datagram.bytes[packet...]
    }

    /// Answers a probe for somebody else, as anybody on the way can who knows the ID.
    private func answer(_ datagram: Datagram, from source: Endpoint, for key: PeerKey, _ net: Net) -> Bool {
        guard let ping = Probe(datagram.bytes, key: .dialled(key.peer)), ping.kind == .ping else {
            return false
        }
        let pong = Probe(
            .pong, reference: ping.reference, transaction: ping.transaction, observed: source)
        net.inject(pong.encoded(.dialled(key.peer)), from: datagram.endpoint, to: source)
        return true
    }

    @Test func `who answers with another key than the dialled one gets no session`() {
        let net = Net()
        let (client, server, mallory) = (net.node(1), net.node(2), net.node(3))
        net.tamper = { datagram, source in
            guard datagram.endpoint == server.endpoint else { return [datagram] }
            if answer(datagram, from: source, for: server.key, net) { return [] }
            return [Datagram(remarked(datagram, for: mallory.key), mallory.endpoint)]
        }
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .seconds(60)) { !client.ends.isEmpty }
        #expect(client.ends == [.handshakeFailed("the other side holds another key")])
        net.run(for: .seconds(60))
        #expect(client.ups.isEmpty && mallory.ups.isEmpty && server.ups.isEmpty)
    }

    @Test func `somebody between two peers can pose as neither to the other`() {
        let net = Net()
        let (client, server, mallory) = (net.node(1), net.node(2), net.node(3))
        net.tamper = { datagram, source in
            guard (source, datagram.endpoint) == (client.endpoint, server.endpoint) else { return [datagram] }
            if answer(datagram, from: source, for: server.key, net) { return [] }
            return [Datagram(remarked(datagram, for: mallory.key), mallory.endpoint)]
        }
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.perform(mallory, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .seconds(60))
        #expect(client.ups.isEmpty)
        #expect(server.ups.map(\.key) == [mallory.key])
    }

    @Test(arguments: [true, false])
    func `a server may pin the client's key as well`(isRight: Bool) throws {
        let (client, server) = (Identity(), Identity())
        let expected = isRight ? client.key : Identity().key
        let pair = try #require(QuicPair(client, server, pinnedByServer: expected))
        pair.run()
        #expect(pair.server?.isConfirmed == isRight)
        #expect(pair.client.isConfirmed == isRight)
        #expect(pair.server?.peerKey == (isRight ? client.key : nil))
        if !isRight { #expect(pair.serverEnd == .handshakeFailed("the other side holds another key")) }
    }

    @Test(arguments: [("parley/0", "parley/1"), ("parley/1", "parley/0"), ("h3", "parley/1"), ("p", "parley/1")])
    func `peers of different protocols get no session`(ofClient: String, ofServer: String) {
        let net = Net()
        let client = net.add(Node(1, Identity(), protocolName: ofClient))
        let server = net.add(Node(2, Identity(), protocolName: ofServer))
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .seconds(60))
        #expect(client.ups.isEmpty && server.ups.isEmpty)
        #expect(client.ends.count == 1)
        #expect(server.events.isEmpty)
    }

    /// What somebody may send who does not know the key of the one at an address.
    enum Stranger: CaseIterable { case noMAC, wrongMAC, otherKey, cutMAC, versionNegotiation, otherVersion }

    @Test(arguments: Stranger.allCases)
    func `a prober who does not know the key gets no octet`(probe: Stranger) throws {
        let net = Net()
        let (client, server, prober) = (net.node(1), net.node(2), net.node(3))
        net.tamper = { datagram, _ in datagram.bytes.first == DatagramTag.probe ? [datagram] : [] }
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .milliseconds(50)) { !net.packets.isEmpty }
        let first = try #require(net.packets.first).datagram
        #expect(first.bytes.count == 1217)
        net.run(for: .milliseconds(10))
        let before = net.captured.count
        net.tamper = { datagram, source in source == client.endpoint ? [] : [datagram] }
        func changed(_ places: Range<Int>, to octet: UInt8) -> [UInt8] {
            var copy = first
            for place in places { copy.bytes[packet + place] = octet }
            return remarked(copy, for: server.key)
        }
        let bytes: [UInt8] =
            switch probe {
            case .noMAC: [SessionDatagram.plainTag] + first.bytes[packet...]
            case .wrongMAC: first.bytes.enumerated().map { $0 == packet - 1 ? $1 ^ 1 : $1 }
            case .otherKey: remarked(first, for: prober.key)
            case .cutMAC: Array(first.bytes.prefix(packet))
            case .versionNegotiation: changed(1..<5, to: 0)
            case .otherVersion: changed(4..<5, to: 2)
            }
        net.inject(bytes, from: prober.endpoint, to: server.endpoint)
        net.run(for: .seconds(20))
        #expect(!net.captured[before...].contains { $0.source == server.endpoint })
        #expect(server.table.sessions.isEmpty)
        // The same packet as it was is answered: nothing else was in the way.
        net.inject(first.bytes, from: prober.endpoint, to: server.endpoint)
        net.run(for: .seconds(1))
        #expect(net.captured[before...].contains { $0.source == server.endpoint })
    }

    @Test func `an unanswered first packet draws at most three times its size`() throws {
        let net = Net()
        let (client, server, victim) = (net.node(1), net.node(2), net.node(3))
        net.tamper = { datagram, _ in datagram.bytes.first == DatagramTag.probe ? [datagram] : [] }
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.run(for: .milliseconds(50)) { !net.packets.isEmpty }
        let first = try #require(net.packets.first).datagram.bytes
        net.inject(first, from: victim.endpoint, to: server.endpoint)
        net.run(for: .seconds(60))
        let drawn = net.packets.filter { $0.source == server.endpoint }.reduce(0) { $0 + $1.datagram.bytes.count }
        #expect(drawn > 0)
        #expect(drawn <= 3 * first.count)
        #expect(server.table.sessions.isEmpty)
    }

    /// Flips a bit of the n-th datagram of one side, wherever it is, with a right `mac1` around it.
    @Test(arguments: [(true, 0), (false, 0), (true, 1), (false, 1)])
    func `a bit flipped anywhere in the first flights never makes a wrong session`(fromClient: Bool, number: Int) {
        let (alice, bob) = (Identity(), Identity())
        var position = 0
        var size = 1
        while position < size {
            let net = Net()
            net.captures = false
            let (client, server) = (net.add(Node(1, alice)), net.add(Node(2, bob)))
            var seen = 0
            net.tamper = { datagram, source in
                guard (source == client.endpoint) == fromClient, datagram.bytes.first != DatagramTag.probe else {
                    return [datagram]
                }
                defer { seen += 1 }
                guard seen == number else { return [datagram] }
                size = datagram.bytes.count
                var changed = datagram
                changed.bytes[position] ^= 1 << UInt8(position % 8)
                let isMarked = datagram.bytes.first == SessionDatagram.dialTag && position >= packet
                return [Datagram(isMarked ? remarked(changed, for: server.key) : changed.bytes, datagram.endpoint)]
            }
            net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
            net.run(for: .seconds(20)) { !client.ups.isEmpty && !server.ups.isEmpty }
            // The packet counts as lost, and is sent again.
            #expect(client.ups.map(\.key) == [bob.key] && server.ups.map(\.key) == [alice.key], "\(position)")
            position += 1
        }
    }

    @Test(arguments: [Span.zero, .seconds(1), .seconds(3600)])
    func `no packet has an effect a second time`(later: Span) throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        net.perform(client, [.send(dialled, frames: [[1], [2]])])
        net.perform(server, [.send(accepted, frames: [[3]])])
        net.run(for: .milliseconds(500))
        if later > .seconds(60) { net.perform(client, [.close(dialled, .done)]) }
        net.run(for: later)
        let before = (client.events.filter(isLasting), server.events.filter(isLasting))
        for (source, datagram) in net.captured {
            net.inject(datagram.bytes, from: source, to: datagram.endpoint)
            net.run(for: .milliseconds(20))
        }
        net.run(for: .seconds(15))
        #expect(client.events.filter(isLasting) == before.0)
        #expect(server.events.filter(isLasting) == before.1)
        #expect(server.table.sessions.count == (later > .seconds(60) ? 0 : 1))
    }

    private func isLasting(_ event: SessionEvent) -> Bool {
        switch event {
        case .roundTrip, .attempts, .observed: false
        default: true
        }
    }

    @Test func `what somebody on the way sees holds neither text nor IDs nor keys`() throws {
        let net = Net()
        let (client, server, dialled, accepted) = try #require(net.pair())
        let text = Array("the quick brown fox jumps over the lazy dog".utf8)
        net.perform(client, [.send(dialled, frames: [text])])
        net.perform(server, [.send(accepted, frames: [text])])
        net.run(for: .seconds(1)) { client.frames == [text] && server.frames == [text] }
        #expect(client.frames == [text] && server.frames == [text])
        net.perform(client, [.close(dialled, .done)])
        net.run(for: .seconds(1))
        let secrets = [
            Array(text.prefix(12)), Array("parley".utf8), client.key.octets, server.key.octets,
            Array(client.key.peer.description.utf8), Array(server.key.peer.description.utf8),
            client.key.peer.octets, server.key.peer.octets, Array(client.key.octets.prefix(8)),
        ]
        for (_, datagram) in net.captured {
            for secret in secrets { #expect(!contains(datagram.bytes, secret)) }
        }
    }

    private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        guard bytes.count >= part.count else { return false }
        return (0...(bytes.count - part.count)).contains { bytes[$0..<($0 + part.count)].elementsEqual(part) }
    }
}
