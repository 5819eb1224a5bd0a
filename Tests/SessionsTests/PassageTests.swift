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
        /// More contacts of hers, and her sessions with them.
        let others: [(node: Node, session: SessionID)]
        let channel = RelayChannel(0x0102_0304_0506_0708)
        static let dialled = SessionID(2)

        /// - Parameters:
        ///   - isAnswered: whether Carol's probes arrive.
        ///   - more: her contacts besides Alice and Bob.
        init?(limits: SessionLimits = SessionLimits(), isAnswered: Bool = true, more: Int = 0) {
            net = Net()
            (alice, bob, carol) = (net.node(1), net.node(2), net.node(3, limits: limits))
            let ends = Set([alice.endpoint, bob.endpoint])
            let asker = isAnswered ? nil : carol.endpoint
            net.tamper = { datagram, source in
                let isPing = datagram.bytes.starts(with: [DatagramTag.probe, 1])
                return Set([datagram.endpoint, source]) == ends || isPing && source == asker ? [] : [datagram]
            }
            let nodes = (0..<more).map { [net] in net.node(UInt16(10 + $0)) }
            var accepted: [SessionID] = []
            for node in [alice, bob] + nodes {
                net.perform(node, [.dial(Three.dialled, key: carol.key, at: [carol.endpoint])])
                let carol = carol, count = accepted.count
                net.run(for: .seconds(5)) { carol.ups.count == count + 1 && node.ups.count == 1 }
                guard let up = carol.ups.last, carol.ups.count == count + 1 else { return nil }
                accepted.append(up.id)
            }
            // Carol has asked both whether they are where they seem to be.
            net.run(for: .seconds(1))
            (withAlice, withBob) = (accepted[0], accepted[1])
            others = Array(zip(nodes, accepted.dropFirst(2)))
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

    @Test func `nothing passes that is too long, or beyond what a pair, one of them or all may send`() throws {
        var limits = SessionLimits()
        limits.relay.bytesPerSecond = 1000
        limits.relay.burst = 4200
        limits.relay.totalBytesPerSecond = 1000
        let three = try #require(Three(limits: limits, more: 1))
        three.open()
        let (alice, bob) = (three.alice.endpoint, three.bob.endpoint)
        #expect(three.sent(three.datagram(1401), from: alice).isEmpty)
        for source in [alice, bob, alice] { #expect(three.sent(three.datagram(1400), from: source).count == 1) }
        for source in [alice, bob] { #expect(three.sent(three.datagram(1400), from: source).isEmpty) }
        // Another channel has a quota of its own, within that of who sends.
        func passed(in channel: RelayChannel, from source: Endpoint) -> Int {
            let long = RelayDatagram.wrap([UInt8](repeating: 1, count: 1391), in: channel)
            return (0..<9).reduce(0) { sum, _ in sum + three.sent(long, from: source).count }
        }
        let (carol, carl) = (three.carol, three.others[0])
        three.net.perform(carol, [.pass(RelayChannel(77), between: three.withAlice, and: carl.session)])
        three.net.perform(carol, [.pass(RelayChannel(78), between: three.withBob, and: carl.session)])
        #expect(passed(in: RelayChannel(77), from: alice) == 1)
        #expect(passed(in: RelayChannel(78), from: bob) == 2)
        // Six passed, as many as all may send at once.
        #expect(passed(in: RelayChannel(77), from: carl.node.endpoint) == 0)
        three.net.run(for: .seconds(2))
        #expect(three.sent(three.datagram(1400), from: alice).count == 1)
    }

    @Test func `one contact's channels, however many, carry what one may, and others' words go on`() throws {
        let three = try #require(Three(more: 5))
        // Nor is it of use to have two sessions.
        three.net.perform(three.alice, [.dial(SessionID(6), key: three.carol.key, at: [three.carol.endpoint])])
        three.net.run(for: .seconds(5)) { three.carol.ups.count == 8 }
        let again = try #require(three.carol.ups.last)
        #expect(again.key == three.alice.key && again.id != three.withAlice)
        three.net.run(for: .seconds(1))
        let (alice, quiet) = (three.alice.endpoint, three.others[4].node.endpoint)
        let greedy = [three.withBob] + three.others[..<3].map(\.session)
        for (number, session) in greedy.enumerated() {
            let own = number < 2 ? three.withAlice : again.id
            three.net.perform(three.carol, [.pass(RelayChannel(UInt64(number)), between: own, and: session)])
        }
        let ends = three.others[3...].map(\.session)
        three.net.perform(three.carol, [.pass(three.channel, between: ends[0], and: ends[1])])
        let began = three.net.now
        var (passed, lost) = (0, 0)
        for _ in 0..<100 {
            for number in 0..<greedy.count {
                let bytes = RelayDatagram.wrap(
                    [UInt8](repeating: 1, count: 1391), in: RelayChannel(UInt64(number)))
                while !three.sent(bytes, from: alice).isEmpty { passed += bytes.count }
            }
            lost += three.sent(three.datagram(300), from: quiet).isEmpty ? 1 : 0
            three.net.run(for: .milliseconds(100))
        }
        #expect(lost == 0)
        let due = 131_072 + Int(8_000 * three.net.now.since(began).seconds)
        #expect((due - 2_800...due).contains(passed), "\(passed)")
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
