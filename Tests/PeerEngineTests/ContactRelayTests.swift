// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Traversal
import Wire

@testable import PeerEngine

/// Alice and Bob, whom no server passes on, and contacts of both who may.
@Suite struct ContactRelayTests {
    private static let carol = World.place(3)
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let carol = Self.carol
    private let dave = World.place(4)
    private let aliceID = World.peer(1)
    private let bobID = World.peer(2)
    private let carolID = World.peer(3)
    private static let outer = Endpoint(address: .v4(0xCB00_7103), port: 50_001)

    private static func friend(_ number: Int, relays: Bool = false) -> Contact {
        Contact(
            peer: World.peer(number), name: "p\(number)", key: World.identity(number).key.octets, accepted: true,
            relays: relays)
    }

    /// Everybody knows everybody, and nothing gets from Alice to Bob or back.
    private func world(relaying: [Int] = [3], hiding: Set<Int> = [], server: Bool = false) throws -> World {
        var world = World()
        world.startRelay(relays: server)
        let (alice, bob) = (alice, bob)
        world.reaches = { from, to in Set([from, to]) != [alice, bob] }
        let all = [1, 2] + relaying
        for number in all {
            world.addPeer(
                number, relayOnly: hiding.contains(number),
                contacts: all.filter { $0 != number }.map { Self.friend($0) })
        }
        for number in relaying {
            world.deliver(.mapped(Self.outer, by: "UPnP", failures: []), to: World.place(number))
            try world.perform(.set(.relay, true), at: World.place(number))
        }
        world.run(for: .seconds(3))
        for (place, number) in [alice, bob].flatMap({ place in relaying.map { (place, $0) } }) {
            try world.perform(.open(World.peer(number)), at: place)
            world.run(for: .seconds(1))
        }
        for place in [alice, bob] { try world.perform(.open(nil), at: place) }
        return world
    }

    private func say(_ text: String = "hello", in world: inout World) throws {
        try world.perform(.send(to: aliceID, text: text, tag: text), at: bob)
    }

    /// Alice and Bob talk through Carol, each with the conversation open.
    private func talking(relaying: [Int] = [3]) throws -> World {
        var world = try world(relaying: relaying)
        try world.perform(.open(aliceID), at: bob)
        try world.perform(.open(bobID), at: alice)
        try say(in: &world)
        world.run(for: .seconds(5))
        return world
    }

    private func passes(_ world: World, at place: Endpoint = Self.carol) -> Int {
        (world.commands[place] ?? []).count { if case .pass = $0 { true } else { false } }
    }

    private func offers(_ world: World, at place: Endpoint) -> [RemoteCandidate] {
        (world.commands[place] ?? []).flatMap { command -> [RemoteCandidate] in
            if case .offer(_, let candidates, _) = command { candidates } else { [] }
        }
    }

    private func refusals(_ world: World, to place: Endpoint) -> [String] {
        world.net.sent.filter { $0.from == carol && $0.to == place }.compactMap { sent in
            guard case .frame(.relay(.refused(_, let reason))) = SessionFrame.read(sent.frame) else { return nil }
            return reason
        }
    }

    // MARK: The way through a contact

    @Test(arguments: [false, true])
    func `the first message goes through a contact within five seconds, and the ladder names it`(isIdle: Bool) throws {
        var world = try world()
        #expect(world.disks[bob]?.contacts.filter(\.relays).map(\.peer) == [carolID])
        if isIdle {
            world.run(for: .seconds(100))
            #expect(world.net.ends.isEmpty)
        }
        try world.perform(.explain(aliceID), at: bob)
        try say(in: &world)
        world.run(for: .seconds(5))
        #expect(world.states(at: bob, tag: "hello") == [.queued, .sent, .delivered])
        #expect(world.shown(at: alice) == ["hello"])
        for (place, other) in [(bob, aliceID), (alice, bobID)] {
            #expect(world.peers[place]?.currentPath(of: other) == .relayed)
        }
        let relay = world.ladders(at: bob).last?.first { $0.rung == .relay }
        #expect(relay?.state == .worked && relay?.text.hasPrefix("relayed by p3") == true, "\(relay?.text ?? "")")
        #expect(passes(world) == 1 && world.reachability(at: carol)?.passing == .offered(pairs: 1))
        // Neither has the other's address, and the contact's is nobody else's.
        #expect(world.disks[bob]?.saved.addresses[aliceID]?.endpoint == nil)
        #expect(world.disks[alice]?.saved.addresses[bobID]?.endpoint == nil)
    }

    @Test func `it takes an index server that passes on first, and asks no contact`() throws {
        var world = try world(server: true)
        try say(in: &world)
        world.run(for: .seconds(20))
        #expect(world.states(at: bob, tag: "hello").last == .delivered)
        #expect(!world.frames(from: bob).contains("relay") && passes(world) == 0)
    }

    @Test func `a channel is kept for as long as it is used, and let go when there is a better way`() throws {
        var world = try talking()
        let (channel, asked) = (world.peers[carol]?.desk.pairs, world.frames(from: bob).count { $0 == "relay" })
        #expect(channel == 1)
        world.run(for: .seconds(300))
        #expect(world.peers[carol]?.desk.pairs == 1 && passes(world) == 1, "with the same sessions all the time")
        #expect(world.peers[bob]?.currentPath(of: aliceID) == .relayed)
        #expect((9...11).contains(world.frames(from: bob).count { $0 == "relay" } - asked), "every thirty seconds")
        #expect(world.shown(at: alice) == ["hello"])
        world.reaches = { _, _ in true }
        for place in [alice, bob] { world.deliver(.addresses([place.address]), to: place) }
        world.run(for: .seconds(2))
        #expect(world.peers[bob]?.currentPath(of: aliceID) == .lan)
        let after = world.frames(from: bob).count { $0 == "relay" }
        world.run(for: .seconds(170))
        #expect(world.frames(from: bob).count { $0 == "relay" } == after)
        #expect(
            world.peers[carol]?.desk.deadline == nil && world.reachability(at: carol)?.passing == .offered(pairs: 0))
        #expect(world.net.names(at: carol).isEmpty, "and sessions for its sake are closed")
        #expect(world.peers[bob]?.currentPath(of: aliceID) == .lan)
    }

    @Test func `when the contact is gone it is said within five seconds, and another one takes its place`() throws {
        for relaying in [[3], [3, 4]] {
            var world = try talking(relaying: relaying)
            try world.perform(.explain(aliceID), at: bob)
            let used = passes(world) > 0 ? carol : dave
            world.remove(used)
            world.rethinkRoutes()
            try say("after", in: &world)
            world.run(for: .seconds(5))
            let relay = world.ladders(at: bob).last?.first { $0.rung == .relay }
            if relaying.count > 1 {
                #expect(world.states(at: bob, tag: "after").last == .delivered)
                #expect(world.peers[bob]?.currentPath(of: aliceID) == .relayed)
            } else {
                #expect(world.peers[bob]?.currentPath(of: aliceID) == PathKind.none)
                #expect(world.pathReasons(at: bob, .none).last?.isEmpty == false)
                #expect(relay?.text.contains("asked p3 to relay: no answer") == true, "\(relay?.text ?? "")")
                // It comes back, and so does the conversation.
                world.addPeer(3)
                world.deliver(.mapped(Self.outer, by: "UPnP", failures: []), to: carol)
                world.run(for: .seconds(30))
                #expect(world.states(at: bob, tag: "after").last == .delivered)
            }
        }
    }

    @Test func `switching it off ends what passes, and contacts hear of it`() throws {
        var world = try talking()
        try world.perform(.set(.relay, false), at: carol)
        world.run(for: .seconds(1))
        #expect(world.commands[carol]?.contains { if case .stopPassing = $0 { true } else { false } } == true)
        #expect(world.peers[bob]?.currentPath(of: aliceID) == PathKind.none)
        #expect(world.disks[bob]?.contacts.contains(where: \.relays) == false)
        #expect(world.reachability(at: carol)?.passing == .off)
        #expect(world.disks[carol]?.saved.switchedOff == [.relay])
        let asked = world.frames(from: bob, to: carol).count { $0 == "relay" }
        world.run(for: .seconds(30))
        #expect(world.frames(from: bob, to: carol).count { $0 == "relay" } == asked)
        // And on again: those with whom there is a session hear of it there.
        try world.perform(.open(carolID), at: bob)
        world.run(for: .seconds(1))
        try world.perform(.set(.relay, true), at: carol)
        world.run(for: .seconds(20))
        #expect(world.frames(from: carol, to: bob).count { $0 == "relaying" } == 2)
        #expect(world.peers[bob]?.currentPath(of: aliceID) == .relayed)
    }

    @Test func `one who is away is looked for, and who asked hears that it can't be reached`() throws {
        var world = try world()
        world.remove(alice)
        world.run(for: .seconds(6))
        try world.perform(.explain(aliceID), at: bob)
        try world.perform(.open(aliceID), at: bob)
        world.run(for: .seconds(14))
        #expect(refusals(world, to: bob) == ["it can't reach the other side"])
        #expect(world.peers[carol]?.desk.waiting.isEmpty == true && passes(world) == 0)
        let relay = world.ladders(at: bob).last?.first { $0.rung == .relay }
        #expect(relay?.text.contains("asked p3 to relay: it can't reach the other side") == true)
        world.run(for: .seconds(300))
        #expect(world.frames(from: bob).count { $0 == "relay" } <= 40, "and is not asked without end")
        world.addPeer(1)
        world.run(for: .seconds(30))
        #expect(world.peers[bob]?.currentPath(of: aliceID) == .relayed)
    }

    // MARK: Whom it is offered to

    @Test func `it is off at first, and on it is offered only by who can be reached, to contacts alone`() throws {
        var world = World()
        world.startRelay()
        world.addPeer(3, contacts: [Self.friend(1)])
        world.addPeer(1, contacts: [Self.friend(3)])
        world.addPeer(2, contacts: [Self.friend(3)])
        world.run(for: .seconds(1))
        for place in [alice, bob] { try world.perform(.open(carolID), at: place) }
        world.run(for: .seconds(1))
        #expect(world.peers[carol]?.isRelaying == false && world.notices(at: carol).isEmpty)
        try world.perform(.set(.relay, true), at: carol)
        #expect(
            world.notices(at: carol).last?.hasPrefix("Not offered yet: it is not known yet") == true)
        #expect(world.frames(from: carol).contains("relaying") == false)
        world.deliver(.mapped(Self.outer, by: "UPnP", failures: []), to: carol)
        world.run(for: .seconds(1))
        #expect(world.frames(from: carol).filter { $0 == "relaying" }.count == 1)
        #expect(world.disks[alice]?.contacts.first?.relays == true)
        #expect(world.disks[bob]?.contacts.first?.relays == false, "a stranger to her")
        // Let in, he hears of it, too; and so does whoever comes later.
        try world.perform(.accept(bobID), at: carol)
        world.run(for: .seconds(1))
        #expect(world.disks[bob]?.contacts.first?.relays == true)
        world.deliver(.mapped(nil, by: nil, failures: ["UPnP: no answer"]), to: carol)
        world.run(for: .seconds(1))
        #expect(world.disks[bob]?.contacts.first?.relays == false)
        world.deliver(.mapped(Self.outer, by: "UPnP", failures: []), to: carol)
        try world.perform(.set(.relay, false), at: carol)
        try world.perform(.set(.relay, true), at: carol)
        #expect(world.notices(at: carol).last?.hasPrefix("Contacts may now reach each other through you") == true)
    }

    @Test(
        arguments: [
            (Reachability.Mapping.none, "203.0.113.9:50001", false, nil),
            (.none, "192.168.1.9:50001", false, "nobody outside this network is known to get through to you"),
            (.endpointIndependent, nil, false, "your router lets nobody in unasked, and opened no port"),
            (.destinationDependent, nil, false, "your router lets nobody in unasked, and opened no port"),
            (.none, "203.0.113.9:50001", true, "this network lets no UDP through"),
        ] as [(Reachability.Mapping, String?, Bool, String?)])
    func `whether everybody gets through is judged by what was seen`(
        mapping: Reachability.Mapping, seen: String?, isBlocked: Bool, clause: String?
    ) throws {
        var machine = ClientMachine(ClientConfiguration(identity: World.identity(3), address: carol))
        machine.switchedOff = []
        machine.reachability.mapping = mapping
        machine.reachability.seen = seen.flatMap { Endpoint($0) }.map { [.init("idx", $0)] } ?? []
        machine.reachability.udpBlocked = isBlocked
        #expect(machine.passing == clause.map { .withheld($0) } ?? .offered(pairs: 0))
        machine.reachability.mapped = Self.outer
        #expect(machine.isRelaying != isBlocked, "an opened port is enough where UDP passes")
    }

    @Test func `who hides neither asks nor passes on nor takes it`() throws {
        for hiding in [1, 2, 3] {
            var world = try world(hiding: [hiding])
            if hiding == 3 {
                #expect(world.reachability(at: carol)?.passing == .withheld("your address is hidden"))
            }
            try say(in: &world)
            world.run(for: .seconds(30))
            #expect(passes(world) == 0 && world.states(at: bob, tag: "hello").last == .queued)
            if hiding != 1 { #expect(!world.frames(from: World.place(hiding)).contains("relay")) }
        }
    }

    @Test func `who hides turns to no contact when nobody answers`() throws {
        for hides in [true, false] {
            var world = World()
            world.startRelay()
            world.addPeer(2, relayOnly: hides, contacts: [Self.friend(1), Self.friend(3, relays: true)])
            world.run(for: .seconds(1))
            try say(in: &world)
            world.run(for: .seconds(10))
            let keys = (world.commands[bob] ?? []).compactMap { if case .dial(_, let key, _) = $0 { key } else { nil } }
            #expect(keys.contains(World.identity(1).key) && keys.contains(World.identity(3).key) == !hides)
        }
    }

    // MARK: Those who may not

    @Test func `an ask of a stranger, and one for no contact, is refused and costs nothing`() throws {
        var world = try world()
        // Mallory knows all; Carol does not know Mallory.
        let mallory = World.place(9)
        world.addPeer(9, contacts: [Self.friend(3)])
        world.run(for: .seconds(1))
        try world.perform(.open(carolID), at: mallory)
        world.run(for: .seconds(1))
        let ask = SessionFrame.relay(.wanted(to: aliceID)).encoded()
        world.inject([ask], to: carol, from: mallory)
        world.run(for: .seconds(1))
        #expect(!world.frames(from: carol, to: mallory).contains("relay"), "a stranger gets no answer")
        #expect(world.peers[carol]?.dropped[.unsolicited] ?? 0 >= 1)
        try world.perform(.open(carolID), at: bob)
        world.run(for: .seconds(1))
        for target in [World.peer(7), carolID, bobID, World.peer(9)] {
            world.inject([SessionFrame.relay(.wanted(to: target)).encoded()], to: carol, from: bob)
            world.run(for: .seconds(1))
        }
        #expect(refusals(world, to: bob) == Array(repeating: "it has no such contact", count: 4))
        try world.perform(.block(aliceID), at: carol)
        world.inject([ask], to: carol, from: bob)
        world.run(for: .seconds(1))
        #expect(refusals(world, to: bob).count == 5)
        #expect(world.peers[carol]?.desk.waiting.isEmpty == true && world.peers[carol]?.desk.pairs == 0)
        #expect(passes(world) == 0 && !world.frames(from: carol, to: alice).contains("relay"))
    }

    @Test func `who is blocked by the one who passes on has its channel taken away`() throws {
        var world = try talking()
        try world.perform(.block(bobID), at: carol)
        world.rethinkRoutes()
        world.run(for: .seconds(10))
        #expect(world.reachability(at: carol)?.passing == .offered(pairs: 0))
        #expect(world.peers[bob]?.currentPath(of: aliceID) == PathKind.none)
        #expect(passes(world) == 1)
    }

    @Test func `asks beyond one a second are passed over, and those that wait are few`() throws {
        var world = try world()
        world.remove(alice)
        world.run(for: .seconds(6))
        try world.perform(.open(carolID), at: bob)
        world.run(for: .seconds(1))
        for _ in 0..<50 {
            world.inject([SessionFrame.relay(.wanted(to: World.peer(7))).encoded()], to: carol, from: bob)
        }
        #expect((3...4).contains(refusals(world, to: bob).count))
        world.run(for: .seconds(3))
        for _ in 0..<50 { world.inject([SessionFrame.relay(.wanted(to: aliceID)).encoded()], to: carol, from: bob) }
        #expect(world.peers[carol]?.desk.waiting.count == 1)
    }

    @Test func `words that nobody asked for change nothing`() throws {
        var world = try world()
        try world.perform(.open(carolID), at: bob)
        try world.perform(.open(aliceID), at: bob)
        world.run(for: .milliseconds(500))
        let before = offers(world, at: bob)
        func inject(_ frame: SessionFrame.Relay) {
            world.inject([SessionFrame.relay(frame).encoded()], to: bob, from: carol)
        }
        inject(.opened(to: aliceID, RelayChannel(1)))
        inject(.offered(from: World.peer(7), RelayChannel(2)))
        inject(.offered(from: carolID, RelayChannel(3)))
        #expect(offers(world, at: bob) == before)
        #expect(world.peers[bob]?.dropped[.unsolicited] == 3)
        // One whom Bob blocked, or whose key is in doubt.
        try world.perform(.block(aliceID), at: bob)
        inject(.offered(from: aliceID, RelayChannel(4)))
        #expect(offers(world, at: bob) == before && world.peers[bob]?.dropped[.unsolicited] == 4)
    }

    @Test func `a contact draws no conversation to itself by a word`() throws {
        var world = try world()
        world.reaches = { _, _ in true }
        try world.perform(.open(aliceID), at: bob)
        try say(in: &world)
        world.run(for: .seconds(1))
        #expect(world.peers[bob]?.link(with: aliceID)?.currentSession?.report?.route.isRelayed == false)
        let before = offers(world, at: bob).count
        for number in 1...9 as ClosedRange<UInt64> {
            world.inject(
                [SessionFrame.relay(.offered(from: aliceID, RelayChannel(number))).encoded()], to: bob, from: carol)
        }
        #expect(offers(world, at: bob).count == before)
        // It is used when nothing else works any more.
        world.reaches = { [alice, bob] from, to in Set([from, to]) != [alice, bob] }
        world.rethinkRoutes()
        world.run(for: .seconds(3))
        #expect(world.peers[bob]?.currentPath(of: aliceID) == .relayed)
    }
}

extension ClientMachine {
    fileprivate func link(with peer: PeerID) -> PeerLink? { conversations[peer]?.link }
}
