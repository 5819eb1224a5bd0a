// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Traversal
import Wire

@Suite struct `Two peers behind one gateway` {
    static let cone = Gateway.Behaviour(mapping: .independent, filtering: .port)

    @Test(arguments: [false, true]) func `find each other by multicast`(hairpins: Bool) {
        var behaviour = Self.cone
        behaviour.hairpins = hairpins
        let world = World(behind: behaviour)
        world.alice.searchesLAN = true
        world.dial()
        #expect(world.network.run(atMost: .milliseconds(300)) { !world.bob.messages.isEmpty } != nil)
        world.network.run(for: .seconds(10))
        #expect(world.kinds == [.lan, .lan])
    }

    @Test func `meet at the relay, and tell each other where they are`() {
        let world = World(behind: Self.cone)
        world.dial()
        #expect(world.network.run(atMost: .seconds(1)) { !world.bob.messages.isEmpty } != nil)
        #expect(world.network.run(atMost: .seconds(1)) { world.kinds == [.lan, .lan] } != nil)
    }

    @Test func `speak through it when it lets them`() {
        var behaviour = Self.cone
        behaviour.hairpins = true
        let world = World(behind: behaviour)
        world.alice.tellsCandidates = false
        world.bob.tellsCandidates = false
        world.dial()
        world.network.run(for: .seconds(5))
        #expect(world.kinds.allSatisfy { $0 == .punched || $0 == .direct })
    }
}

@Suite struct `A path that changes` {
    /// Whether a message that alice says now comes within so long.
    static func delivers(_ world: World, within limit: Span, from sender: VirtualPeer? = nil) -> Bool {
        let receiver = sender === world.bob ? world.alice : world.bob
        let count = receiver.messages.count
        (sender ?? world.alice).say(.message(count + 100))
        return world.network.run(atMost: limit) { receiver.messages.count > count } != nil
    }

    @Test(arguments: [1, 50, 150]) func `gives way to the relay when it dies, and comes back`(delay: Int) {
        let world = World(.portRestricted, .portRestricted, delay: .milliseconds(delay))
        world.settle()
        #expect(world.kinds == [.punched, .punched])
        world.cutDirect()
        #expect(Self.delivers(world, within: .seconds(2)))
        #expect(world.network.run(atMost: .seconds(3)) { world.kinds == [.relayed, .relayed] } != nil)
        #expect(Self.delivers(world, within: .seconds(1), from: world.bob))
        world.network.run(for: .seconds(5))
        world.network.drops = nil
        #expect(world.network.run(atMost: .seconds(2)) { world.kinds == [.punched, .punched] } != nil)
        #expect(world.alice.stray + world.bob.stray == 0)
    }

    @Test(arguments: [5, 60, 600], [50, 150])
    func `heals after an outage of everything`(outage: Int, delay: Int) {
        let world = World(.portRestricted, .open, delay: .milliseconds(delay))
        world.settle()
        world.network.drops = { _ in true }
        world.alice.say(.message(5))
        #expect(world.network.run(atMost: .seconds(5)) { world.kinds[0] == .some(nil) } != nil)
        world.network.run(for: .seconds(outage))
        #expect(world.alice.finder?.report == nil)
        let count = world.bob.messages.count
        world.network.drops = nil
        let limit = Span.milliseconds(outage > 60 ? 10_000 : outage > 5 ? 3000 : 2000)
        #expect(world.network.run(atMost: limit) { world.bob.messages.count > count } != nil)
        #expect(world.network.run(atMost: .seconds(3)) { world.kinds[0] == .direct } != nil)
        #expect(world.alice.spins + world.bob.spins == 0)
    }

    @Test(arguments: [Site.open, .fullCone, .addressRestricted], [50, 150])
    func `follows a router that was restarted`(other: Site, delay: Int) throws {
        let world = World(.symmetric, other, delay: .milliseconds(delay))
        world.settle()
        try #require(world.kinds[0] != .relayed && world.kinds[0] != nil)
        world.alice.segment.uplink?.restart()
        let restarted = world.network.now
        #expect(Self.delivers(world, within: .seconds(3)))
        #expect(Self.delivers(world, within: .seconds(1)))
        #expect(world.network.now.since(restarted) <= .seconds(3))
        world.network.run(for: .seconds(3))
        #expect(world.kinds.allSatisfy { $0 == .direct || $0 == .punched })
        // What bob says takes the new way at once, too.
        #expect(Self.delivers(world, within: .milliseconds(delay + 10), from: world.bob))
    }

    @Test func `follows one whose peer has but to listen`() {
        let world = World(.open, .portRestricted)
        world.settle()
        world.bob.segment.uplink?.restart()
        // Bob's next packets come from another port: alice, who says nothing, must answer there.
        #expect(Self.delivers(world, within: .seconds(3), from: world.bob))
        world.network.run(for: .seconds(3))
        #expect(Self.delivers(world, within: .milliseconds(60)))
    }

    @Test(arguments: [Site.open, .portRestricted, .symmetric], [Site.open, .portRestricted])
    func `follows a machine that moves`(to: Site, other: Site) {
        let world = World(.portRestricted, other)
        world.settle()
        let (place, segment) = World.build(to, 3, world.network)
        world.alice.move(to: place, in: segment)
        #expect(Self.delivers(world, within: .seconds(3)))
        let isDirect = other == .open || to != .symmetric
        #expect(
            world.network.run(atMost: .seconds(5)) {
                world.kinds.allSatisfy { $0 != nil && ($0 != .relayed) == isDirect }
            } != nil)
        world.network.run(for: .seconds(3))
        #expect(Self.delivers(world, within: .milliseconds(110), from: world.bob))
    }

    @Test func `is told to be none when all ways are dead`() {
        let world = World(.symmetric, .symmetric)
        world.settle()
        #expect(world.kinds == [.relayed, .relayed])
        world.server.relays = false
        world.alice.say(.message(2))
        #expect(world.network.run(atMost: .seconds(5)) { world.kinds[0] == .some(nil) } != nil)
        world.server.relays = true
        #expect(world.network.run(atMost: .seconds(3)) { world.kinds[0] == .relayed } != nil)
    }

    @Test func `does not need the relay once it is direct`() {
        let world = World(.portRestricted, .portRestricted)
        world.settle()
        let relayed = world.server.relayed
        world.server.relays = false
        for _ in 0..<20 {
            #expect(Self.delivers(world, within: .milliseconds(60)))
            world.network.run(for: .seconds(30))
        }
        #expect(world.server.relayed == relayed && world.kinds == [.punched, .punched])
    }

    @Test func `that carries probes but no packets delays a message, and loses none`() {
        let world = World(.open, .open)
        world.alice.loses = { !$0.isRelayed }
        world.dial()
        #expect(world.network.run(atMost: .milliseconds(3500)) { !world.bob.messages.isEmpty } != nil)
        for _ in 0..<5 { #expect(Self.delivers(world, within: .milliseconds(3500))) }
    }

    @Test func `does not flap when delays do`() {
        let world = World(.portRestricted, .open)
        world.network.jitter = .milliseconds(40)
        world.settle()
        let changes = world.alice.history.count + world.bob.history.count
        for _ in 0..<300 {
            world.alice.say(.message(1))
            world.network.run(for: .seconds(2))
        }
        #expect(world.alice.history.count + world.bob.history.count == changes)
    }
}

@Suite struct `An address that never answers` {
    static let victim = Endpoint(address: .v4(0xC000_0201), port: 4444)

    @Test func `gets ten probes for a record, however often it is dialled`() {
        let world = World(.open, .open)
        let candidates = [RemoteCandidate(.direct(Self.victim), .reflexive)]
        for _ in 0..<20 {
            world.alice.dial(world.bob, candidates, sequence: 9)
            world.network.run(for: .seconds(6))
            world.alice.hangUp()
        }
        #expect(world.network.octets[Self.victim.address] == 640)
        #expect(world.alice.stray == 0)
    }

    @Test func `gets none when eight others came first`() {
        let world = World(.open, .blocked)
        let candidates = (1...100).map {
            RemoteCandidate(.direct(Endpoint(address: .v4(0xC000_0200 + $0), port: 4444)), .reflexive)
        }
        world.alice.dial(world.bob, candidates)
        world.network.run(for: .seconds(6))
        let strangers = world.network.octets.count { (place, _) in
            if case .v4(let bits) = place { bits >> 8 == 0xC00002 } else { false }
        }
        #expect(strangers == 8)
    }

    @Test func `is not chosen for an answer that nobody can have written`() {
        let world = World(.open, .open)
        let victim = Self.victim
        world.network.internet.hosts[victim.address] = { [network = world.network] packet in
            guard packet.bytes.first == DatagramTag.probe else { return }
            var answer = packet.bytes
            answer[1] = Probe.Kind.pong.rawValue
            let packet = Packet(source: victim, destination: packet.source, bytes: answer)
            network.carry(packet, in: network.internet) { _ in }
        }
        world.alice.dial(world.bob, [RemoteCandidate(.direct(victim), .reflexive)])
        world.network.run(for: .seconds(6))
        #expect(world.network.octets[victim.address] == 640)
        #expect(world.alice.finder?.attempts.first?.state == .failed(10, reason: nil))
    }
}
