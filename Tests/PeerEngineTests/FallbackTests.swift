// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Traversal
import Wire

@testable import PeerEngine

/// UDP that vanishes while two talk, and comes again.
@Suite struct FallbackTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let aliceID = World.peer(1)
    private let bobID = World.peer(2)

    /// Two contacts who talk, directly.
    private func talking(_ world: inout World, seed: UInt64 = 1) throws -> RelayServer {
        let server = world.startRelay()
        world.tunnel = { .opened($0) }
        for (number, other) in [(1, 2), (2, 1)] {
            world.addPeer(
                number,
                contacts: [
                    Contact(
                        peer: World.peer(other), name: "p\(other)", key: World.identity(other).key.octets,
                        accepted: true)
                ], seed: seed &* 31 &+ UInt64(number))
        }
        world.run(for: .seconds(1))
        try world.perform(.open(bobID), at: alice)
        try world.perform(.open(aliceID), at: bob)
        try world.perform(.send(to: bobID, text: "before", tag: nil), at: alice)
        world.run(for: .milliseconds(Int(seed) * 777 + 2000))
        #expect(world.paths(at: alice).last == .lan && world.shown(at: bob) == ["before"])
        return server
    }

    /// Writes to and fro; after how long both were read.
    private func exchange(_ text: String, by writers: [Endpoint], in world: inout World) throws -> Span {
        let start = world.now
        for place in writers {
            try world.perform(.send(to: place == alice ? bobID : aliceID, text: text, tag: nil), at: place)
        }
        let readers = writers.map { $0 == alice ? bob : alice }
        while world.now.since(start) < .seconds(60), !readers.allSatisfy({ world.shown(at: $0).contains(text) }) {
            world.run(for: .milliseconds(10))
        }
        return world.now.since(start)
    }

    /// Who writes when whose UDP is gone.
    @Test(
        arguments: [([1], [1]), ([1], [1, 2]), ([1, 2], [1, 2])] as [([Int], [Int])], 1...8 as ClosedRange<UInt64>)
    func `a message that is written after UDP has gone arrives within five seconds`(
        sides: (blocked: [Int], writers: [Int]), seed: UInt64
    ) throws {
        var world = World(seed: seed)
        _ = try talking(&world, seed: seed)
        world.withoutUDP = Set(sides.blocked.map { World.place($0) })
        let took = try exchange("after", by: sides.writers.map { World.place($0) }, in: &world)
        #expect(took <= .seconds(5), "\(took.seconds) s")
        world.run(for: .seconds(5))
        #expect(world.paths(at: alice).last == .relayed && world.paths(at: bob).last == .relayed)
        #expect(try exchange("and on", by: [alice, bob], in: &world) <= .milliseconds(50))
        // And back.
        world.withoutUDP = []
        world.run(for: .seconds(10))
        for place in [alice, bob] {
            #expect(world.paths(at: place).last == .lan && world.reachability(at: place)?.udpBlocked == false)
        }
        let texts = ["before", "after", "and on"]
        #expect(world.shown(at: bob) == texts)
        #expect(world.shown(at: alice) == (sides.writers.contains(2) ? ["after", "and on"] : ["and on"]))
    }

    /// What one doubt asked says nothing of what comes after it.
    @Test(arguments: [0, 300, 900, 1500, 1950])
    func `UDP that goes shortly after servers were asked is noticed as soon`(milliseconds: Int) throws {
        var world = World()
        _ = try talking(&world)
        for place in [alice, bob] {
            world.deliver(.doubt(try #require(world.net.names(at: place).last?.id)), to: place)
        }
        world.run(for: .milliseconds(milliseconds))
        world.withoutUDP = [alice, bob]
        #expect(try exchange("after", by: [alice, bob], in: &world) <= .seconds(5))
    }

    @Test func `who only reads has a relay by one call when the other one's message needs it`() throws {
        var world = World()
        let server = try talking(&world)
        let before = server.calls.count
        world.withoutUDP = [alice]
        _ = try exchange("after", by: [alice], in: &world)
        world.run(for: .seconds(30))
        #expect(server.calls.count == before + 1, "and nobody is called without end")
    }

    // MARK: Doubt

    /// What a network and its tunnels saw.
    private final class Log {
        /// How many datagrams to and from the server are still lost.
        var losses = 0
        var tunnels = 0
    }

    /// One peer, registered; every tunnel is counted.
    private func alone(_ log: Log, roundTrip: UInt64 = 2) -> World {
        var world = World()
        world.startRelay()
        world.tunnel = {
            log.tunnels += 1
            return .opened($0)
        }
        world.weather = { _, _ in
            let isLost = log.losses > 0
            log.losses -= isLost ? 1 : 0
            return World.Weather(delay: roundTrip / 2...roundTrip / 2, loss: isLost ? 1 : 0)
        }
        world.addPeer(1)
        world.run(for: .seconds(10))
        return world
    }

    private func link(_ world: World) -> IndexLink? { world.peers[alice]?.servers.first?.link }

    @Test(arguments: [0, 1, 2, 3])
    func `no tunnel is dug unless both a question and its repetition were lost`(losses: Int) {
        let log = Log()
        var world = alone(log)
        for _ in 1...20 {
            log.losses = losses
            world.deliver(.slept, to: alice)
            world.run(for: .seconds(10))
        }
        // The third datagram is the second repetition's.
        #expect(log.tunnels == (losses < 2 ? 0 : 20))
        #expect(link(world)?.way == .udp && world.isRegistered(alice))
    }

    @Test func `a server that is far away is not silent`() {
        let log = Log()
        var world = alone(log, roundTrip: 700)
        for _ in 1...5 {
            world.deliver(.slept, to: alice)
            world.run(for: .seconds(10))
        }
        #expect(log.tunnels == 0)
    }

    @Test(arguments: [1, 2, 5, 20, 50])
    func `a tunnel that was dug for a pause of UDP is left soon after it`(seconds: Int) {
        let log = Log()
        var world = alone(log)
        world.withoutUDP = [alice]
        world.deliver(.slept, to: alice)
        world.run(for: .seconds(seconds))
        #expect(log.tunnels == 1 && link(world)?.way == .tunnel)
        world.withoutUDP = []
        world.run(for: .milliseconds(seconds * 1000 + 1500))
        #expect(link(world)?.way == .udp && world.isRegistered(alice))
        #expect(log.tunnels == 1)
    }

    @Test func `UDP that answers once and no more costs two seconds`() throws {
        let log = Log()
        var world = alone(log)
        world.withoutUDP = [alice]
        world.deliver(.slept, to: alice)
        world.run(for: .seconds(10))
        world.withoutUDP = []
        while link(world)?.way == .tunnel { world.run(for: .milliseconds(1)) }
        #expect(link(world)?.way == .returning)
        world.withoutUDP = [alice]
        world.run(for: .seconds(2))
        #expect(link(world)?.way == .tunnel)
        #expect(world.relays[World.index]?.rows[aliceID]?.source == World.discard(1))
        #expect(log.tunnels == 1)
    }

    // MARK: Traffic

    @Test func `a tunnel that nobody talks through costs a keepalive and a question a minute`() {
        let log = Log()
        var world = alone(log)
        world.withoutUDP = [alice]
        world.deliver(.slept, to: alice)
        world.run(for: .seconds(600))
        let start = world.now
        world.run(for: .seconds(3600))
        let sent = world.traffic.filter { $0.at >= start && $0.from == alice }.map(\.datagram)
        let kinds = Dictionary(grouping: sent) { World.kind(of: $0) ?? "?" }.mapValues(\.count)
        #expect(Set(kinds.keys) == ["keepalive", "seen"])
        #expect((48...60).contains(kinds["keepalive"] ?? 0) && (59...60).contains(kinds["seen"] ?? 0))
        #expect(sent.allSatisfy { $0.bytes.count <= 128 })
    }
}
