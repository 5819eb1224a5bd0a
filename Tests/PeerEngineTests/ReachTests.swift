// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Traversal
import Wire

@testable import PeerEngine

/// Two peers between whom not everything gets through.
@Suite struct ReachTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let aliceID = World.peer(1)
    private let bobID = World.peer(2)
    private let public1 = Endpoint(address: .v4(0xCB00_7101), port: 50_001)

    private static func friend(_ number: Int) -> Contact {
        Contact(
            peer: World.peer(number), name: "p\(number)", key: World.identity(number).key.octets, accepted: true)
    }

    /// Both registered at a relay, and contacts; nothing gets from one to the other.
    private func apart(_ world: inout World, hides: Bool = false, servers: [Endpoint] = [World.index]) {
        world.reaches = { _, _ in false }
        world.addPeer(1, servers: servers, relayOnly: hides, contacts: [Self.friend(2)])
        world.addPeer(2, contacts: [Self.friend(1)])
        world.run(for: .seconds(1))
    }

    private func say(_ text: String = "hello", in world: inout World) throws {
        try world.perform(.send(to: bobID, text: text, tag: text), at: alice)
    }

    // MARK: Relays

    @Test func `the first message goes through the relay within a second, and the path says so`() throws {
        var world = World()
        let server = world.startRelay()
        apart(&world)
        try say(in: &world)
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "hello") == [.queued, .sent, .delivered])
        #expect(world.paths(at: alice).last == .relayed && world.paths(at: bob).last == .relayed)
        #expect(world.pathReasons(at: alice, .relayed).last?.isEmpty == false)
        #expect(server.calls.count == 1)
        for place in [alice, bob] {
            let addresses = world.disks[place]?.saved.addresses.values.compactMap(\.endpoint) ?? []
            #expect(!addresses.contains(World.index), "a relay is no peer's address")
        }
        // The other side opens its router meanwhile.
        #expect(world.welcomes[bob]?.map(\.peer) == [aliceID] && world.welcomes[bob]?.first?.at == [alice])
    }

    @Test func `without any relay it waits, and the reason names the servers`() throws {
        var world = World()
        world.startRelay(relays: false)
        apart(&world)
        try world.perform(.explain(bobID), at: alice)
        try say(in: &world)
        world.run(for: .seconds(10))
        #expect(world.paths(at: alice).last == PathKind.none)
        let relay = world.ladders(at: alice).last?.first { $0.rung == .relay }
        #expect(relay?.state == .off && relay?.text.contains("passes nothing on") == true)
    }

    @Test func `a relay that forgot both has a new channel for them within five seconds`() throws {
        var world = World()
        let server = world.startRelay()
        apart(&world)
        try world.perform(.open(bobID), at: alice)
        try world.perform(.open(aliceID), at: bob)
        try say("before", in: &world)
        world.run(for: .seconds(2))
        let calls = server.calls.count
        server.forget()
        world.rethinkRoutes()
        #expect(world.paths(at: alice).last == PathKind.none, "it is said at once")
        world.run(for: .seconds(5))
        #expect(server.calls.count > calls)
        #expect(world.paths(at: alice).last == .relayed && world.paths(at: bob).last == .relayed)
        let times = world.traffic.filter { $0.from == alice && World.kind(of: $0.datagram) == "call" }.map(\.at)
        #expect(times.count <= 6, "and nobody is asked without end")
    }

    @Test func `a relay that only the other side is at is registered at while it is needed`() throws {
        var world = World()
        let other = Endpoint(address: .v4(0xC633_6401), port: 50_000)
        world.startRelay(relays: false)
        let relay = world.startRelay(at: other)
        world.reaches = { _, _ in false }
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2, servers: [World.index, other], contacts: [Self.friend(1)])
        world.run(for: .seconds(4))
        #expect(relay.rows.count == 1)
        try say(in: &world)
        world.run(for: .seconds(2))
        #expect(world.states(at: alice, tag: "hello").last == .delivered)
        #expect(world.statuses(at: alice).count == 1, "the user does not hear of a guest")
        world.run(for: .seconds(500))
        let start = world.now
        world.run(for: .seconds(60))
        #expect(!world.traffic.contains { $0.at >= start && $0.from == alice && $0.datagram.endpoint == other })
    }

    /// Whoever names it may have meant to bother it.
    @Test func `a relay of the other side's that never answers is asked ever more seldom, whoever waits`() throws {
        var world = World()
        let other = Endpoint(address: .v4(0xC633_6401), port: 50_000)
        world.startRelay(relays: false)
        world.startRelay(at: other)
        world.reaches = { _, _ in false }
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2, servers: [World.index, other], contacts: [Self.friend(1)])
        world.run(for: .seconds(4))
        world.stopRelay(at: other)
        try world.perform(.open(bobID), at: alice)
        try say(in: &world)
        world.run(for: .seconds(600))
        let asked = world.traffic.count { $0.from == alice && $0.datagram.endpoint == other }
        #expect((20...60).contains(asked))
    }

    @Test(arguments: [false, true])
    func `a tunnel to a relay of the other side's ends with the need for it, or when the relay becomes ours`(
        becomesOurs: Bool
    ) throws {
        var world = World()
        let other = Endpoint(address: .v4(0xC633_6401), port: 50_000)
        world.startRelay(relays: false)
        let relay = world.startRelay(at: other)
        relay.shutOut = [alice]
        world.tunnel = { $0 == other ? .opened($0) : .closed($0, reason: "connection refused") }
        world.reaches = { _, _ in false }
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2, servers: [World.index, other], contacts: [Self.friend(1)])
        world.run(for: .seconds(4))
        try say(in: &world)
        world.run(for: .seconds(5))
        #expect(world.hasTunnel(alice, to: other) && relay.rows[aliceID]?.source == World.discard(1))
        if becomesOurs {
            // By now UDP comes through.
            relay.shutOut = []
            world.addIndex(other, to: alice)
            world.run(for: .seconds(5))
            #expect(relay.rows[aliceID]?.source == alice)
        } else {
            world.run(for: .seconds(500))
        }
        #expect(!world.hasTunnel(alice, to: other))
    }

    // MARK: Calls

    /// What is due again at once would be sent as fast as the answers come.
    @Test(arguments: [false, true])
    func `a server that does not know us, or not here, is called no more than each two seconds`(
        hasForgotten: Bool
    ) throws {
        var world = World()
        let server = world.startRelay()
        apart(&world)
        if hasForgotten { server.forget(aliceID) } else { server.rebound[alice] = public1 }
        server.isOverloaded = true
        let start = world.now
        func calls() -> Int {
            world.traffic.count { $0.at >= start && $0.from == alice && World.kind(of: $0.datagram) == "call" }
        }
        try say(in: &world)
        world.run(for: .seconds(10))
        #expect(calls() == 1, "it has us not registered")
        server.isOverloaded = false
        world.run(for: .seconds(20))
        #expect(server.rows[aliceID]?.source == (hasForgotten ? alice : public1))
        #expect((2...12).contains(calls()), "once it has, it is called anew")
        if hasForgotten { #expect(world.states(at: alice, tag: "hello").last == .delivered) }
    }

    // MARK: Hiding

    @Test func `who hides has neither an address in its record nor one to tell, and reaches nobody directly`() throws {
        var world = World()
        let server = world.startRelay()
        apart(&world, hides: true)
        world.reaches = { _, _ in true }
        world.deliver(.addresses([.v4(0x0A00_0001)]), to: alice)
        world.deliver(.mapped(public1, by: "UPnP", failures: []), to: alice)
        world.run(for: .seconds(3))
        let record = try PeerRecord(verifying: try #require(server.rows[aliceID]?.record))
        #expect(record.candidates == [Candidate(.relayed, World.index)] && server.refused == 0)
        try say(in: &world)
        world.run(for: .seconds(8))
        try world.perform(.send(to: aliceID, text: "back", tag: nil), at: bob)
        world.run(for: .seconds(2))
        #expect(world.shown(at: bob) == ["hello"] && world.shown(at: alice) == ["back"])
        #expect(world.paths(at: alice).allSatisfy { $0 == .relayed })
        #expect(world.pathReasons(at: alice, .relayed) == ["your address is hidden"])
        let commands = world.commands[alice] ?? []
        #expect(commands.first == .hide(true))
        for command in commands {
            switch command {
            case .dial(_, _, let plan): #expect(!plan.searchesLAN && plan.candidates.allSatisfy { $0.route.isRelayed })
            case .offer(_, let candidates, _): #expect(candidates.allSatisfy { $0.route.isRelayed })
            case .welcome, .punch: Issue.record("\(command)")
            default: break
            }
        }
        let frames = world.frames(from: alice)
        #expect(!frames.contains("candidates") && !frames.contains("punch"))
    }

    // MARK: Addresses inside sessions

    @Test func `addresses are told to contacts, and the session moves over`() throws {
        var world = World()
        world.startRelay()
        apart(&world)
        try say("relayed", in: &world)
        world.run(for: .seconds(1))
        #expect(world.paths(at: alice).last == .relayed)
        let home = Endpoint(address: .v4(0x0A00_0002), port: 50_001)
        #expect(home == bob)
        world.reaches = { _, _ in true }
        world.deliver(.addresses([.v4(0x0A00_0002), .v4(0x7F00_0001)]), to: bob)
        world.run(for: .seconds(1))
        #expect(world.frames(from: bob).contains("candidates"))
        try say("direct", in: &world)
        world.run(for: .seconds(1))
        #expect(world.paths(at: alice).last == .lan && world.paths(at: bob).last == .lan)
        #expect(world.shown(at: bob) == ["relayed", "direct"])
    }

    @Test func `three rounds of punching and no more, until something changes`() throws {
        var world = World()
        world.startRelay()
        apart(&world)
        for place in [alice, bob] { world.deliver(.addresses([place.address]), to: place) }
        try world.perform(.open(bobID), at: alice)
        try say(in: &world)
        let start = world.now
        world.run(for: .seconds(30))
        func rounds(_ place: Endpoint) -> Int { world.frames(from: place).count { $0 == "punch" } }
        #expect(rounds(alice) == 3 && rounds(bob) == 3)
        let punches = (world.commands[alice] ?? []).count { if case .punch = $0 { true } else { false } }
        #expect(punches == 3)
        #expect(world.now.since(start) >= .seconds(30))
        world.deliver(.slept, to: alice)
        world.run(for: .seconds(30))
        #expect(rounds(alice) == 6)
    }

    @Test func `at the first doubt servers learn our new outer port, and the other side from us`() throws {
        var world = World()
        let server = world.startRelay()
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2, contacts: [Self.friend(1)])
        world.run(for: .seconds(1))
        try say(in: &world)
        world.run(for: .seconds(1))
        let session = try #require(world.net.names(at: alice).last?.id)
        world.deliver(.observed(session, alice), to: alice)
        server.rebound[alice] = public1
        func keepalives() -> Int {
            world.traffic.count { $0.from == alice && World.kind(of: $0.datagram) == "keepalive" }
        }
        let before = keepalives()
        for _ in 0..<10 {
            world.deliver(.doubt(session), to: alice)
            world.run(for: .milliseconds(100))
        }
        #expect(server.rows[aliceID]?.source == public1)
        #expect(keepalives() == before + 1, "and nobody is asked without end")
        let told = world.net.sent.filter { $0.from == alice }.compactMap { sent -> SessionFrame.Candidates? in
            if case .frame(.candidates(let told)) = SessionFrame.read(sent.frame) { told } else { nil }
        }
        #expect(told.last?.reflexive == [public1], "the old one is no address of ours any more")
    }

    @Test func `where contacts saw us is forgotten with their last session, and makes room for others`() throws {
        var world = World()
        world.startRelay()
        let count = ClientMachine.observerLimit + 1
        world.addPeer(1, contacts: (2...count + 1).map { Self.friend($0) })
        world.run(for: .seconds(1))
        for number in 2...count + 1 {
            world.addPeer(number, contacts: [Self.friend(1)])
            world.run(for: .seconds(1))
            try world.perform(.send(to: World.peer(number), text: "x", tag: nil), at: alice)
            world.run(for: .seconds(1))
            let session = try #require(world.net.names(at: alice).last?.id)
            let port = 40_000 + UInt16(number)
            world.deliver(.observed(session, Endpoint(address: public1.address, port: port)), to: alice)
            #expect(world.peers[alice]?.observed[World.peer(number)]?.port == port, "\(number)")
            world.deliver(.closed(session, .closedByPeer(.done)), to: alice)
            #expect(world.peers[alice]?.observed.isEmpty == true)
        }
    }

    @Test func `a stranger is told no address, and its own are not looked at`() throws {
        var world = World()
        world.startRelay()
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2)
        world.run(for: .seconds(1))
        for place in [alice, bob] { world.deliver(.addresses([.v4(0xC0A8_0001)]), to: place) }
        try say(in: &world)
        world.run(for: .seconds(2))
        #expect(world.frames(from: alice).contains("candidates"))
        #expect(!world.frames(from: bob).contains("candidates"))
        let offers = (world.commands[bob] ?? []).filter { if case .offer = $0 { true } else { false } }
        #expect(offers.isEmpty)
        #expect(world.peers[bob]?.dropped[.unsolicited] ?? 0 >= 1)
    }

    @Test func `who is let in later tells its addresses again, and the session moves over`() throws {
        var world = World()
        world.startRelay()
        world.reaches = { _, _ in false }
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2)
        world.run(for: .seconds(1))
        for place in [alice, bob] { world.deliver(.addresses([place.address]), to: place) }
        try say(in: &world)
        world.run(for: .seconds(20))
        #expect(world.paths(at: alice).last == .relayed)
        // Only the side that was a stranger can open the way, once it knows where to.
        let bob = bob
        world.reaches = { from, _ in from == bob }
        func told() -> Int { world.frames(from: alice).count { $0 == "candidates" } }
        func rounds() -> Int { (world.commands[bob] ?? []).count { if case .punch = $0 { true } else { false } } }
        let (before, punched) = (told(), rounds())
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(1))
        #expect(told() == before + 1 && rounds() > punched)
        #expect(world.paths(at: alice).last == .lan && world.paths(at: bob).last == .lan)
        #expect(world.shown(at: bob) == ["hello"])
        world.run(for: .seconds(20))
        #expect(told() == before + 1, "and not without end")
    }

    @Test func `an address that a record names and nobody was met at never counts as the last good one`() throws {
        var world = World()
        world.startRelay(relays: false)
        apart(&world)
        let victim = Endpoint(address: .v4(0xC633_6442), port: 4444)
        world.deliver(.mapped(victim, by: "UPnP", failures: []), to: bob)
        world.run(for: .seconds(3))
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(40))
        func plans() -> [[RemoteCandidate]] {
            (world.commands[alice] ?? []).compactMap { command in
                switch command {
                case .dial(_, _, let plan): plan.candidates
                case .offer(_, let candidates, _): candidates
                default: nil
                }
            }
        }
        #expect(plans().count { $0.contains(RemoteCandidate(.direct(victim), .mapped)) } >= 2)
        #expect(!plans().joined().contains { $0.origin == .last })
        #expect(world.disks[alice]?.saved.addresses[bobID].map { $0.endpoint == nil && $0.sequence > 0 } == true)
        // Nor after a restart.
        world.remove(alice)
        world.addPeer(1)
        let before = plans().count
        world.run(for: .seconds(1))
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(10))
        #expect(plans().count > before && !plans().joined().contains { $0.origin == .last })
    }

    @Test func `of what a contact names, only what may be probed is`() throws {
        var world = World()
        world.startRelay()
        apart(&world)
        world.deliver(.addresses([.v4(0xC0A8_0009)]), to: bob)
        try say(in: &world)
        world.run(for: .seconds(1))
        let own = Endpoint(address: .v4(0xC0A8_0009), port: 50_001)
        let good = Endpoint(address: .v4(0xC633_6407), port: 7)
        let frame = SessionFrame.candidates(
            .init(host: [own, .loopback(22), World.discard(3), good], reflexive: [bob], mapped: []))
        let before = world.commands[bob]?.count ?? 0
        world.inject([frame.encoded()], to: bob)
        let offered = (world.commands[bob] ?? []).dropFirst(before).compactMap { command -> [RemoteCandidate]? in
            if case .offer(_, let candidates, _) = command { candidates } else { nil }
        }
        #expect(offered == [[RemoteCandidate(.direct(good), .host)]])
        // And not without end.
        for port in 1...200 {
            let next = SessionFrame.candidates(.init(host: [Endpoint(address: good.address, port: UInt16(port))]))
            world.inject([next.encoded()], to: bob)
        }
        let all = (world.commands[bob] ?? []).dropFirst(before).count { if case .offer = $0 { true } else { false } }
        #expect(all <= 8)
    }

    // MARK: Without an index

    @Test func `on one network two find each other with no index at all`() throws {
        var world = World()
        world.reaches = { _, _ in false }
        world.lan = [alice, bob]
        for (number, other) in [(1, 2), (2, 1)] {
            world.addPeer(number, servers: [], hasIndex: false, contacts: [Self.friend(other)])
        }
        try say(in: &world)
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "hello").last == .delivered)
        #expect(world.paths(at: alice) == [.lan])
    }

    @Test func `whom nobody on this network is, is missed without a word of servers that were not wanted`() throws {
        var world = World()
        world.addPeer(1, servers: [], hasIndex: false)
        try world.perform(.add(bobID, name: nil), at: alice)
        try say(in: &world)
        world.run(for: .seconds(20))
        let reason = "no index server is in use, so it is looked for on this network alone"
        #expect(world.pathReasons(at: alice, .none).last?.hasPrefix(reason) == true)
        #expect(world.lookups(at: alice, .index) == 0, "nobody was asked")
    }

    @Test func `two at once have no moment without a path when one of two sessions goes`() {
        let now = Instant(nanoseconds: 3_600_000_000_000)
        let wall = WallTime(milliseconds: 1_795_000_000_000)
        var saved = SavedState()
        saved.contacts = [Self.friend(2)]
        saved.addresses = [bobID: SavedAddress(endpoint: bob, sequence: 1)]
        var machine = ClientMachine(
            ClientConfiguration(identity: World.identity(1), address: alice, saved: saved, random: .seeded(1)))
        var paths: [PathKind] = []
        func take(_ actions: [ClientMachine.Action]) {
            for case .tell(.path(_, let kind, _, _)) in actions { paths.append(kind) }
        }
        let key = World.identity(2).key
        take((try? machine.perform(.open(bobID), now: now, wall: wall)) ?? [])
        take(machine.receive(.up(SessionID(3), key: key, at: bob, binding: [1]), now: now, wall: wall))
        let hello = SessionFrame.hello(.init(instance: 7, contact: true)).encoded()
        take(machine.receive(.frames(SessionID(3), [hello]), now: now, wall: wall))
        // The other side has the dialled one up already, and so ends this one.
        take(machine.receive(.closed(SessionID(3), .closedByPeer(.superseded)), now: now, wall: wall))
        take(machine.receive(.up(SessionID(2), key: key, at: bob, binding: [2]), now: now, wall: wall))
        take(machine.receive(.frames(SessionID(2), [hello]), now: now, wall: wall))
        #expect(paths == [.lan])
        take(machine.receive(.closed(SessionID(2), .pathDied), now: now, wall: wall))
        #expect(paths == [.lan, .none])
    }

    // MARK: Tunnels

    @Test func `where no UDP comes through a tunnel carries it, and is left when UDP is back`() throws {
        var world = World()
        let server = world.startRelay()
        world.tunnel = { .opened($0) }
        world.withoutUDP = [alice]
        world.addPeer(1, contacts: [Self.friend(2)])
        world.addPeer(2, contacts: [Self.friend(1)])
        world.run(for: .seconds(2))
        #expect(world.isRegistered(alice) && world.reachability(at: alice)?.udpBlocked == true)
        let hidden = try PeerRecord(verifying: try #require(server.rows[aliceID]?.record))
        #expect(!hidden.namesAddress && hidden.binding != nil && server.refused == 0)
        try world.perform(.open(bobID), at: alice)
        try say("tunnelled", in: &world)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == ["tunnelled"] && world.paths(at: alice).last == .relayed)
        #expect(world.pathReasons(at: alice, .relayed).last == "this network lets no UDP through")
        world.withoutUDP = []
        world.run(for: .seconds(6))
        #expect(world.reachability(at: alice)?.udpBlocked == false)
        #expect(server.rows[aliceID]?.source == alice)
        #expect(world.commands[alice]?.contains(.networkChanged(addresses: [])) == true)
    }

    @Test func `a tunnel that breaks is dug again`() throws {
        var world = World()
        world.startRelay()
        world.tunnel = { .opened($0) }
        world.withoutUDP = [alice]
        world.addPeer(1, contacts: [Self.friend(2)])
        world.run(for: .seconds(2))
        world.cutTunnel(of: alice)
        #expect(!world.isRegistered(alice))
        world.run(for: .seconds(10))
        #expect(world.isRegistered(alice))
    }

    // MARK: How we are seen

    @Test(arguments: [false, true])
    func `a second port tells what kind of router there is`(changes: Bool) {
        var world = World()
        let server = world.startRelay(second: 50_009)
        if changes { server.translation = { Endpoint(address: $0.address, port: $0.port ^ 1) } }
        world.addPeer(1)
        world.run(for: .seconds(2))
        let seen = world.reachability(at: alice)
        #expect(seen?.mapping == (changes ? .destinationDependent : .endpointIndependent))
        #expect(seen?.seen == [.init("\(World.index)", alice)] && seen?.relays == ["\(World.index)"])
        world.deliver(.addresses([alice.address]), to: alice)
        #expect(world.reachability(at: alice)?.mapping == Reachability.Mapping.none)
    }

    @Test func `another gateway that gives the same address is asked for at once`() throws {
        var world = World()
        world.startRelay()
        apart(&world)
        try say(in: &world)
        world.run(for: .seconds(1))
        world.deliver(.addresses([alice.address]), to: alice)
        world.run(for: .seconds(1))
        let start = world.now
        world.deliver(.addresses([alice.address]), to: alice)
        world.run(for: .milliseconds(100))
        #expect(!world.requestTimes("keepalive", from: alice, since: start).isEmpty)
        #expect(world.commands[alice]?.last { $0 == .networkChanged(addresses: [alice.address]) } != nil)
        #expect(world.commands[alice]?.count { $0 == .networkChanged(addresses: [alice.address]) } == 2)
    }

    @Test func `a port that the router opened is in the record within three seconds`() throws {
        var world = World()
        let server = world.startRelay()
        world.addPeer(1)
        world.run(for: .seconds(5))
        world.deliver(.mapped(public1, by: "NAT-PMP", failures: []), to: alice)
        world.run(for: .seconds(3))
        let record = try PeerRecord(verifying: try #require(server.rows[aliceID]?.record))
        #expect(record.candidates.first == Candidate(.mapped, public1))
        #expect(record.candidates.dropFirst().first == Candidate(.reflexive, alice))
    }

    @Test func `an index that was away for long is asked at once by whoever writes`() throws {
        var world = World()
        world.startRelay()
        apart(&world)
        world.stopRelay()
        world.run(for: .seconds(400))
        world.startRelay(boot: "boot-2")
        world.run(for: .milliseconds(100))
        try say(in: &world)
        world.run(for: .seconds(1))
        #expect(world.isRegistered(alice))
    }

    // MARK: The ladder

    @Test func `the ladder of the watched peer is told from index to relay, and not too often`() throws {
        var world = World()
        world.startRelay()
        apart(&world)
        try world.perform(.explain(bobID), at: alice)
        #expect(world.ladders(at: alice).count == 1)
        #expect(world.ladders(at: alice).last?.map(\.rung) == LadderStep.Rung.allCases)
        let start = world.now
        try say(in: &world)
        world.run(for: .seconds(3))
        let last = try #require(world.ladders(at: alice).last)
        #expect(last.first { $0.rung == .relay }?.state == .worked)
        #expect(last.first { $0.rung == .index }?.state == .worked)
        #expect(world.ladders(at: alice).count <= 2 + 4 * Int(world.now.since(start).seconds))
        try world.perform(.explain(nil), at: alice)
        let count = world.ladders(at: alice).count
        try say("more", in: &world)
        world.run(for: .seconds(3))
        #expect(world.ladders(at: alice).count == count)
    }
}

/// Servers, and those who pose as one, that tell of calls.
@Suite struct NoticeTests {
    private let alice = World.place(1)
    private let carol = World.identity(3)
    private let address = Endpoint(address: .v4(0xC633_6407), port: 7)

    private func world(contacts: [Contact] = []) -> World {
        var world = World()
        world.startRelay()
        world.addPeer(1, contacts: contacts)
        world.run(for: .seconds(1))
        return world
    }

    private func notice(
        _ world: World, caller: PeerID? = nil, at address: Endpoint? = nil, age: Int64 = 0,
        candidates: [Candidate]? = nil, damage: (inout [UInt8]) -> Void = { _ in }
    ) throws -> [UInt8] {
        let record = PeerRecord(
            key: carol.key, sequence: UInt64(world.wall.milliseconds - age),
            candidates: candidates ?? [Candidate(.reflexive, self.address)])
        var octets = try record.signed(by: carol)
        damage(&octets)
        return IndexNotice.call(
            .init(caller: caller ?? carol.peer, address: address ?? self.address, record: octets, reference: 5)
        ).encoded()
    }

    private func bring(_ bytes: [UInt8], from source: Endpoint = World.index, to world: inout World) -> Int {
        let before = world.welcomes[alice]?.count ?? 0
        world.deliver(.received(Datagram(bytes, source)), to: alice)
        return (world.welcomes[alice]?.count ?? 0) - before
    }

    @Test func `a good one opens the door to that address alone`() throws {
        var world = world()
        #expect(try bring(notice(world), to: &world) == 1)
        #expect(world.welcomes[alice]?.last?.at == [address] && world.welcomes[alice]?.last?.peer == carol.peer)
    }

    @Test func `a forged, old or borrowed record, or one from elsewhere, does nothing`() throws {
        var world = world()
        #expect(try bring(notice(world) { $0[60] ^= 1 }, to: &world) == 0)
        #expect(try bring(notice(world, age: 90_000_000), to: &world) == 0)
        #expect(try bring(notice(world, caller: World.peer(4)), to: &world) == 0)
        #expect(try bring(notice(world), from: .loopback(50_001), to: &world) == 0)
        #expect(try bring(notice(world, at: World.discard(1)), to: &world) == 0)
        #expect(try bring(notice(world, at: alice), to: &world) == 0)
    }

    @Test func `of the record only what has the caller's address is probed, and two ports at most`() throws {
        var world = world()
        let places = (1...4).map { Endpoint(address: address.address, port: UInt16($0)) }
        let elsewhere = Endpoint(address: .v4(0xC633_6408), port: 7)
        let candidates =
            [Candidate(.relayed, Endpoint(address: address.address, port: 99)), Candidate(.mapped, elsewhere)]
            + places.map { Candidate(.reflexive, $0) }
        #expect(try bring(notice(world, candidates: candidates), to: &world) == 1)
        #expect(world.welcomes[alice]?.last?.at == [address, places[0]])
    }

    @Test func `nothing of this machine or its loopback is probed at the word of a server elsewhere`() throws {
        var world = World()
        let server = Endpoint(address: .v4(0xC633_6401), port: 50_000)
        world.startRelay(at: server)
        world.addPeer(1, servers: [server])
        world.run(for: .seconds(1))
        let own: Endpoint.Address = .v4(0xC633_6455)
        world.deliver(.addresses([own]), to: alice)
        world.deliver(.mapped(Endpoint(address: own, port: 9), by: "UPnP", failures: []), to: alice)
        for place in [
            .loopback(22), Endpoint(address: .v6(0, 1), port: 22), Endpoint(address: own, port: alice.port),
            Endpoint(address: own, port: 9), World.discard(3), Endpoint(address: .v4(0xFFFF_FFFF), port: 7),
            Endpoint(address: .v4(0xE000_0001), port: 7),
        ] { #expect(try bring(notice(world, at: place), from: server, to: &world) == 0, "\(place)") }
        #expect(try bring(notice(world, at: address), from: server, to: &world) == 1)
    }

    @Test func `an older record than the one that is known is a replay`() throws {
        var world = world(contacts: [Contact(peer: carol.peer, key: carol.key.octets, accepted: true)])
        let before = try notice(world, age: 60_000)
        // She is looked up, and found with a newer one.
        let record = try PeerRecord(
            key: carol.key, sequence: UInt64(world.wall.milliseconds), candidates: [Candidate(.reflexive, address)]
        ).signed(by: carol)
        try world.perform(.open(carol.peer), at: alice)
        world.run(for: .milliseconds(10))
        let query = try #require(world.traffic.last { World.kind(of: $0.datagram) == "query" }).datagram
        let nonce = try #require(JSONObject(parsing: query.bytes).string("nonce"))
        let answer = IndexReply.answer(address: address, text: "\(carol.peer)", record: record).encoded(nonce: nonce)
        world.deliver(.received(Datagram(answer, World.index)), to: alice)
        #expect(bring(before, to: &world) == 0)
        #expect(try bring(notice(world, age: -1), to: &world) == 1)
    }

    @Test func `who holds another key than the contact, or was sent away, or calls who hides, is not let in`() throws {
        var world = world(contacts: [
            Contact(peer: carol.peer, key: World.identity(4).key.octets, accepted: true)
        ])
        #expect(try bring(notice(world), to: &world) == 0)
        world = self.world(contacts: [Contact(peer: carol.peer, key: carol.key.octets, accepted: false)])
        #expect(try bring(notice(world), to: &world) == 1)
        try world.perform(.ignore(carol.peer), at: alice)
        world.run(for: .seconds(2))
        #expect(try bring(notice(world), to: &world) == 0)
        var hidden = World()
        hidden.startRelay()
        hidden.addPeer(1, relayOnly: true)
        hidden.run(for: .seconds(1))
        #expect(try bring(notice(hidden), to: &hidden) == 0)
    }

    @Test func `whoever is blocked or in doubt is not let in`() throws {
        for change in [{ $0.blocked = true }, { $0.alarm = "in doubt" }] as [(inout Contact) -> Void] {
            var contact = Contact(peer: carol.peer, key: carol.key.octets, accepted: false)
            change(&contact)
            var world = world(contacts: [contact])
            #expect(try bring(notice(world), to: &world) == 0)
        }
    }

    @Test func `a flood opens twenty doors a second`() throws {
        var world = world()
        let bytes = try notice(world)
        let opened = (0..<1000).reduce(0) { sum, _ in sum + bring(bytes, to: &world) }
        #expect((15...20).contains(opened))
        world.run(for: .seconds(1))
        let later = (0..<1000).reduce(0) { sum, _ in sum + bring(bytes, to: &world) }
        #expect((15...20).contains(later))
    }

    @Test func `a server that has us not registered says nothing to us`() throws {
        var world = World()
        world.addPeer(1)
        world.run(for: .seconds(1))
        #expect(try bring(notice(world), to: &world) == 0)
    }

    // MARK: Whose relayed datagrams are taken

    private func relays(_ world: World, _ place: Endpoint) -> [Set<Endpoint>] {
        (world.commands[place] ?? []).compactMap { if case .relays(let relays) = $0 { relays } else { nil } }
    }

    @Test func `datagrams as of a relay are taken from servers that relay for us, and from guests meanwhile`() throws {
        let bob = World.place(2)
        let other = Endpoint(address: .v4(0xC633_6401), port: 50_000)
        let hers = Endpoint(address: .v4(0xC633_6403), port: 50_000)
        let silent = Endpoint(address: .v4(0xC633_6402), port: 50_000)
        var world = World()
        world.startRelay(at: hers)
        world.startRelay(at: other)
        world.startRelay(at: silent, relays: false)
        world.reaches = { _, _ in false }
        let friends = [1, 2].map { Contact(peer: World.peer($0), key: World.identity($0).key.octets, accepted: true) }
        world.addPeer(1, servers: [hers, silent], relayOnly: true, contacts: [friends[1]])
        world.addPeer(2, servers: [silent, other], contacts: [friends[0]])
        world.run(for: .seconds(2))
        #expect(relays(world, alice) == [[hers]] && relays(world, bob) == [[other]])
        // A restart of the server makes it no stranger.
        world.stopRelay(at: hers)
        world.run(for: .seconds(60))
        world.startRelay(at: hers, boot: "boot-2")
        world.run(for: .seconds(90))
        #expect(relays(world, alice) == [[hers]])
        try world.perform(.open(World.peer(1)), at: bob)
        world.run(for: .seconds(4))
        #expect(relays(world, bob).last == [hers, other])
        try world.perform(.open(nil), at: bob)
        world.run(for: .seconds(500))
        #expect(relays(world, bob).last == [other])
    }
}
