// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Relaying
import Support
import Testing
import Traversal
import Wire

@testable import Sessions

/// Carol passes on between Alice and Bob, who have sessions with her and can't reach each other.
@Suite struct PassageTests {
    private struct Three {
        let net: Net
        let (alice, bob, carol): (Node, Node, Node)
        /// Carol's sessions with the two.
        let (withAlice, withBob): (SessionID, SessionID)
        let channel = RelayChannel(0x0102_0304_0506_0708)
        static let dialled = SessionID(2)

        /// - Parameter isAnswered: whether Carol's probes arrive.
        init?(limits: SessionLimits = SessionLimits(), isAnswered: Bool = true) {
            net = Net()
            (alice, bob, carol) = (net.node(1), net.node(2), net.node(3, limits: limits))
            let ends = Set([alice.endpoint, bob.endpoint])
            let asker = isAnswered ? nil : carol.endpoint
            net.tamper = { datagram, source in
                let isPing = datagram.bytes.starts(with: [DatagramTag.probe, 1])
                return Set([datagram.endpoint, source]) == ends || isPing && source == asker ? [] : [datagram]
            }
            var accepted: [SessionID] = []
            for node in [alice, bob] {
                net.perform(node, [.dial(Three.dialled, key: carol.key, at: [carol.endpoint])])
                let carol = carol, count = accepted.count
                net.run(for: .seconds(5)) { carol.ups.count == count + 1 && node.ups.count == 1 }
                guard let up = carol.ups.last, carol.ups.count == count + 1 else { return nil }
                accepted.append(up.id)
            }
            // Carol has asked both whether they are where they seem to be.
            net.run(for: .seconds(1))
            (withAlice, withBob) = (accepted[0], accepted[1])
        }

        func open() {
            for node in [alice, bob] { net.perform(node, [.relays([carol.endpoint])]) }
            net.perform(carol, [.pass(channel, between: withAlice, and: withBob)])
        }

        func datagram(_ count: Int) -> [UInt8] {
            RelayDatagram.wrap([UInt8](repeating: 0x5A, count: count - RelayDatagram.overhead), in: channel)
        }

        /// What Carol sends when this comes from there.
        func sent(_ bytes: [UInt8], from source: Endpoint) -> [Datagram] {
            carol.table.receive([Datagram(bytes, source)], now: net.now)
            return carol.table.takeOutput(now: net.now).datagrams.filter { $0.bytes.first == DatagramTag.relay }
        }
    }

    @Test func `two who can't reach each other have a session through a third, of which it learns nothing`() throws {
        let three = try #require(Three())
        three.open()
        let way = Route.relayed(by: three.carol.endpoint, three.channel)
        let id = SessionID(4)
        three.net.perform(
            three.bob,
            [.dial(id, key: three.alice.key, DialPlan([RemoteCandidate(way, .relayed)], reference: 7))])
        three.net.run(for: .seconds(5)) { three.alice.ups.count == 2 && three.bob.ups.count == 2 }
        let accepted = try #require(three.alice.ups.last)
        #expect(accepted.key == three.bob.key && three.bob.ups.last?.key == three.alice.key)
        #expect(accepted.at == three.carol.endpoint)
        let text = Array("nobody else's business".utf8)
        three.net.perform(three.bob, [.send(id, frames: [text])])
        three.net.perform(three.alice, [.send(accepted.id, frames: [text])])
        three.net.run(for: .seconds(2))
        #expect(three.alice.frames == [text] && three.bob.frames == [text])
        #expect(three.carol.ups.count == 2 && three.carol.frames.isEmpty && three.carol.ends.isEmpty)
        // It lasts for as long as the channel does.
        three.net.perform(three.carol, [.stopPassing(three.channel)])
        three.net.perform(three.bob, [.send(id, frames: [text])])
        three.net.run(for: .seconds(4))
        #expect(three.bob.paths.last == .some(nil), "and its end is noticed")
    }

    @Test func `what the one sends goes to the other unchanged, and from nobody else to anybody`() throws {
        let three = try #require(Three())
        let bytes = three.datagram(100)
        #expect(three.sent(bytes, from: three.alice.endpoint).isEmpty, "there is no such channel yet")
        three.open()
        #expect(three.sent(bytes, from: three.alice.endpoint) == [Datagram(bytes, three.bob.endpoint)])
        #expect(three.sent(bytes, from: three.bob.endpoint) == [Datagram(bytes, three.alice.endpoint)])
        let others = [Endpoint(address: .v4(0x0A00_0009), port: 4000), three.carol.endpoint]
        let ports = [three.alice, three.bob].map { Endpoint(address: $0.endpoint.address, port: 4001) }
        for source in others + ports { #expect(three.sent(bytes, from: source).isEmpty, "\(source)") }
        let other = RelayDatagram.wrap([1, 2, 3], in: RelayChannel(9))
        #expect(three.sent(other, from: three.alice.endpoint).isEmpty)
    }

    @Test func `an address that answered no probe neither sends nor is sent to`() throws {
        let three = try #require(Three())
        three.open()
        // Bob is somewhere else by now, and nothing has shown that yet.
        let elsewhere = Endpoint(address: .v4(0x0A00_0022), port: 4000)
        #expect(three.sent(three.datagram(60), from: elsewhere).isEmpty)
        three.net.run(for: .seconds(3))
        three.net.move(three.bob, to: [elsewhere], tells: true)
        three.net.run(for: .seconds(3))
        #expect(three.sent(three.datagram(60), from: elsewhere).map(\.endpoint) == [three.alice.endpoint])
        #expect(three.sent(three.datagram(60), from: three.alice.endpoint).map(\.endpoint) == [elsewhere])
        // A session alone proves no address: whoever dials may name somebody else's.
        let silent = try #require(Three(isAnswered: false))
        silent.open()
        #expect(silent.sent(silent.datagram(60), from: silent.alice.endpoint).isEmpty)
    }

    @Test func `nothing passes that is too long, or beyond what a pair or all may send`() throws {
        var limits = SessionLimits()
        limits.relay.bytesPerSecond = 1000
        limits.relay.burst = 4200
        limits.relay.totalBytesPerSecond = 1000
        let three = try #require(Three(limits: limits))
        three.open()
        let (alice, bob) = (three.alice.endpoint, three.bob.endpoint)
        #expect(three.sent(three.datagram(1401), from: alice).isEmpty)
        for source in [alice, bob, alice] { #expect(three.sent(three.datagram(1400), from: source).count == 1) }
        for source in [alice, bob] { #expect(three.sent(three.datagram(1400), from: source).isEmpty) }
        // Another channel has a quota of its own, within that of all.
        let more = RelayChannel(77)
        three.net.perform(three.carol, [.pass(more, between: three.withAlice, and: three.withBob)])
        let long = RelayDatagram.wrap([UInt8](repeating: 1, count: 1391), in: more)
        #expect((0..<9).reduce(0) { sum, _ in sum + three.sent(long, from: bob).count } == 3)
        let third = RelayChannel(78)
        three.net.perform(three.carol, [.pass(third, between: three.withAlice, and: three.withBob)])
        let last = RelayDatagram.wrap([UInt8](repeating: 1, count: 1391), in: third)
        #expect(three.sent(last, from: bob).isEmpty)
        three.net.run(for: .seconds(2))
        #expect(three.sent(three.datagram(1400), from: alice).count == 1)
    }

    @Test func `it ends with either session, and needs two of them`() throws {
        for ending in 0...1 {
            let three = try #require(Three())
            three.net.perform(three.carol, [.pass(three.channel, between: three.withAlice, and: SessionID(99))])
            #expect(three.sent(three.datagram(50), from: three.alice.endpoint).isEmpty)
            three.open()
            let node = [three.alice, three.bob][ending]
            three.net.perform(node, [.close(Three.dialled, .done)])
            three.net.run(for: .seconds(1))
            for source in [three.alice, three.bob] {
                #expect(three.sent(three.datagram(50), from: source.endpoint).isEmpty)
            }
            #expect(three.carol.ends.count == 1)
        }
    }

    @Test func `there are thirty-two channels, none for who hides, and a known one may change its sessions`() throws {
        let three = try #require(Three())
        for number in 100..<140 as Range<UInt64> {
            three.net.perform(
                three.carol, [.pass(RelayChannel(number), between: three.withAlice, and: three.withBob)])
        }
        func passing() -> Int {
            (100..<140 as Range<UInt64>).count { number in
                let bytes = RelayDatagram.wrap([1], in: RelayChannel(number))
                return !three.sent(bytes, from: three.alice.endpoint).isEmpty
            }
        }
        #expect(passing() == 32)
        three.net.perform(three.carol, [.pass(RelayChannel(100), between: three.withBob, and: three.withAlice)])
        #expect(passing() == 32)
        three.net.perform(three.carol, [.hide(true)])
        #expect(passing() == 0)
        three.net.perform(three.carol, [.pass(RelayChannel(100), between: three.withAlice, and: three.withBob)])
        #expect(passing() == 0)
    }
}
