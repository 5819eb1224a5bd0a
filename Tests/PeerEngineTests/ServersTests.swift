// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Relaying
import Support
import Testing
import Wire

@testable import PeerEngine

/// A server that a peer knows by two addresses.
@Suite struct ServersTests {
    private static let v4 = World.index
    private static let v6 = Endpoint(address: .v6(0x2001_0DB8_0000_0000, 1), port: 50_000)
    private static let other = Endpoint(address: .v4(0xC633_6401), port: 50_000)
    private let alice = World.place(1)

    /// One server, and what it said by which of its addresses.
    private final class Site {
        var program: IndexProgram
        private(set) var said: [(address: Endpoint, reply: IndexReply)] = []
        /// The last record that it took.
        private(set) var record: PeerRecord?
        var deaf: Set<Endpoint> = []
        /// Where only tunnels lead.
        var deafToUDP: Set<Endpoint> = []

        init(_ program: IndexProgram) { self.program = program }

        func answer(_ datagram: Datagram, at address: Endpoint, _ now: Instant, _ wall: WallTime) -> [UInt8]? {
            guard !deaf.contains(address), datagram.endpoint.isDiscard || !deafToUDP.contains(address) else {
                return nil
            }
            // Whoever comes by IPv6 comes from another address.
            let source =
                address.isV6
                ? Endpoint(address: .v6(0x2001_0DB8_0000_0001, 7), port: datagram.endpoint.port) : datagram.endpoint
            guard let answer = program.answer(Datagram(datagram.bytes, source), now, wall) else { return nil }
            if let reply = try? IndexReply.parse(answer).reply { said.append((address, reply)) }
            if case .registered? = said.last?.reply,
                case .registration(let registration)? = try? IndexRequest(parsing: datagram.bytes)
            {
                record = registration.signed.flatMap { try? PeerRecord(verifying: $0.record) }
            }
            return answer
        }

        /// The addresses by which it took a registration, in order.
        var registrations: [Endpoint] {
            said.compactMap { if case .registered = $0.reply { $0.address } else { nil } }
        }
        var moves: Int { said.count { if case .moved = $0.reply { true } else { false } } }
    }

    private func start(_ world: inout World, at addresses: [Endpoint]) -> Site {
        let site = Site(IndexProgram(now: world.now))
        for address in addresses { world.addServer(at: address) { site.answer($0, at: address, $1, $2) } }
        return site
    }

    /// A peer that was registered for a minute at a server of two addresses: the one that leads, and the one that
    /// stands by.
    /// - Parameter isPinned: whether it proves at both that it is one.
    private func settled(
        _ world: inout World, at addresses: [Endpoint], isPinned: Bool = false
    ) throws -> (site: Site, leader: Endpoint, standby: Endpoint) {
        let site = start(&world, at: addresses)
        let key = World.identity(9)
        if isPinned { site.program = IndexProgram(identity: key, now: world.now) }
        world.addPeer(1, servers: isPinned ? [] : addresses)
        for (rank, address) in addresses.enumerated() where isPinned {
            world.addIndex(address, key: key.key, rank: rank, to: alice)
        }
        world.run(for: .seconds(60))
        let leader = try #require(site.registrations.last)
        return (site, leader, try #require(addresses.first { $0 != leader }))
    }

    private func told(_ world: World, of server: Endpoint) -> [IndexStatus] {
        (world.events[alice] ?? []).compactMap { event in
            if case .index("\(server)", let status) = event { status } else { nil }
        }
    }

    private func isOK(_ status: IndexStatus?) -> Bool { if case .ok? = status { true } else { false } }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `it is registered by one of them, which stays, and the record tells of both`(seed: UInt64) throws {
        var world = World(seed: seed)
        world.weather = { _, _ in World.Weather(delay: 1...40, loss: 0.02) }
        let site = start(&world, at: [Self.v4, Self.v6])
        world.addPeer(1, servers: [Self.v4, Self.v6], seed: seed)
        world.run(for: .seconds(30))
        let first = site.registrations.count
        #expect(first <= 5, "\(site.registrations)")
        let leader = try #require(site.registrations.last)
        world.run(for: .seconds(3600))
        // A lost datagram or two may look like a server that is gone; nothing else is a reason.
        #expect(site.registrations.count - first <= 1 && site.moves <= 2, "\(site.registrations), \(site.moves) moved")
        #expect(site.registrations.last == leader)
        let seen = Set(try #require(site.record).candidates.map(\.endpoint))
        #expect(seen.contains(alice) && seen.contains { $0.isV6 })
        #expect(isOK(told(world, of: leader).last))
        let silent = leader == Self.v4 ? Self.v6 : Self.v4
        #expect(told(world, of: silent).last == .sameServer(as: "\(leader)"))
    }

    @Test func `on a line that loses nothing it registers twice in an hour, and nothing moves`() {
        var world = World()
        let site = start(&world, at: [Self.v4, Self.v6])
        world.addPeer(1, servers: [Self.v4, Self.v6])
        world.run(for: .seconds(3600))
        // Each address once, and once more to tell where the other one sees us.
        #expect(site.registrations.count <= 3, "\(site.registrations)")
        #expect(site.moves == 0)
    }

    @Test func `when the leading address dies the other one takes over, and keeps it when both are back`() throws {
        var world = World()
        let (site, first, second) = try settled(&world, at: [Self.v4, Self.v6], isPinned: true)
        site.deaf = [first]
        let count = site.registrations.count
        // A keepalive, its repetitions and a moment.
        world.run(for: .seconds(26))
        #expect(site.registrations.dropFirst(count).first == second)
        #expect(isOK(told(world, of: second).last))
        world.run(for: .seconds(600))
        #expect(told(world, of: first).last == .unreachable("no answer"))
        let taken = site.registrations.count
        #expect(taken <= count + 2)
        site.deaf = []
        world.run(for: .seconds(600))
        #expect(told(world, of: first).last == .sameServer(as: "\(second)"))
        #expect(isOK(told(world, of: second).last))
        #expect(
            site.registrations.dropFirst(taken).allSatisfy { $0 == second } && site.registrations.count <= taken + 1)
        // And back.
        site.deaf = [second]
        world.run(for: .seconds(30))
        #expect(site.registrations.last == first && isOK(told(world, of: first).last))
    }

    @Test func `a silent address that dies changes nothing but what is told of it and the record`() throws {
        var world = World()
        let (site, leader, silent) = try settled(&world, at: [Self.v6, Self.v4])
        site.deaf = [silent]
        let count = site.registrations.count
        world.run(for: .seconds(60))
        #expect(told(world, of: silent).last == .unreachable("no answer"))
        #expect(site.registrations.dropFirst(count).allSatisfy { $0 == leader })
        #expect(site.record?.candidates.contains { $0.endpoint.isV6 == silent.isV6 } == false)
        world.run(for: .seconds(1800))
        #expect(site.registrations.count <= count + 1)
    }

    @Test func `a server that was started anew is still one`() throws {
        var world = World()
        let site = start(&world, at: [Self.v4, Self.v6])
        world.addPeer(1, servers: [Self.v4, Self.v6])
        world.run(for: .seconds(60))
        let leader = try #require(site.registrations.last)
        let count = site.registrations.count
        site.program = IndexProgram(boot: "boot-2", now: world.now)
        world.run(for: .seconds(600))
        #expect(site.registrations.count == count + 1 && site.registrations.last == leader)
        #expect(site.moves == 1, "the silent address is asked once whether it is the same")
        // Gone for a while: whichever answers first.
        site.deaf = [Self.v4, Self.v6]
        world.run(for: .seconds(300))
        for address in [Self.v4, Self.v6] {
            guard case .unreachable? = told(world, of: address).last else { return #expect(Bool(false)) }
        }
        site.program = IndexProgram(boot: "boot-3", now: world.now)
        site.deaf = []
        let before = site.registrations.count
        world.run(for: .seconds(70))
        let back = site.registrations.count
        #expect((before + 1...before + 3).contains(back))
        world.run(for: .seconds(1800))
        #expect(site.registrations.count == back)
    }

    @Test func `two servers are two`() {
        var world = World()
        let one = start(&world, at: [Self.v4])
        let two = Site(IndexProgram(boot: "boot-2", now: world.now))
        world.addServer(at: Self.other) { two.answer($0, at: Self.other, $1, $2) }
        world.addPeer(1, servers: [Self.v4, Self.other])
        world.run(for: .seconds(600))
        for site in [one, two] {
            #expect(site.registrations.count == 1)
            #expect(site.said.count { if case .alive = $0.reply { true } else { false } } > 20)
        }
        for address in [Self.v4, Self.other] { #expect(isOK(told(world, of: address).last)) }
    }

    /// The same boot is not enough: only the server itself can give its token twice.
    @Test func `a server that names its run as another one does is not taken for it`() {
        var world = World()
        let one = start(&world, at: [Self.v4])
        let two = Site(IndexProgram(boot: "boot-1", secret: 9, now: world.now))
        world.addServer(at: Self.other) { two.answer($0, at: Self.other, $1, $2) }
        world.addPeer(1, servers: [Self.v4, Self.other])
        world.run(for: .seconds(60))
        #expect(one.registrations.count == 1 && two.registrations.count == 1)
        for address in [Self.v4, Self.other] { #expect(isOK(told(world, of: address).last)) }
    }

    @Test func `an address that becomes another server's gets a registration of its own`() throws {
        var world = World()
        let (site, leader, silent) = try settled(&world, at: [Self.v4, Self.other])
        let two = Site(IndexProgram(boot: "boot-2", now: world.now))
        world.addServer(at: silent) { two.answer($0, at: silent, $1, $2) }
        // It shows when the first one is started anew, too.
        site.program = IndexProgram(boot: "boot-3", now: world.now)
        world.run(for: .seconds(120))
        #expect(two.registrations == [silent] && site.registrations.last == leader)
        for address in [Self.v4, Self.other] { #expect(isOK(told(world, of: address).last)) }
    }

    @Test func `it is called once`() throws {
        var world = World()
        _ = start(&world, at: [Self.v4, Self.v6])
        world.reaches = { _, _ in false }
        let friend = Contact(peer: World.peer(2), key: World.identity(2).key.octets, accepted: true)
        world.addPeer(1, servers: [Self.v4, Self.v6], contacts: [friend])
        world.addPeer(2)
        world.run(for: .seconds(5))
        try world.perform(.open(World.peer(2)), at: alice)
        world.run(for: .milliseconds(900))
        let calls = world.traffic.filter { $0.from == alice && World.kind(of: $0.datagram) == "call" }
        #expect(calls.count == 1)
    }

    @Test func `what the server says by its other address is taken, and nobody else's word`() throws {
        var world = World()
        let site = start(&world, at: [Self.v4, Self.v6])
        world.addPeer(1, servers: [Self.v4, Self.v6])
        world.run(for: .seconds(60))
        let silent = try #require(site.registrations.last) == Self.v4 ? Self.v6 : Self.v4
        let (carol, place) = (World.identity(3), Endpoint(address: .v4(0xC633_6407), port: 7))
        let record = try PeerRecord(
            key: carol.key, sequence: UInt64(world.wall.milliseconds), candidates: [Candidate(.reflexive, place)]
        ).signed(by: carol)
        let notice = IndexNotice.call(.init(caller: carol.peer, address: place, record: record, reference: 5))
        for (source, count) in [(Self.other, 0), (silent, 1)] {
            world.deliver(.received(Datagram(notice.encoded(), source)), to: alice)
            #expect(world.welcomes[alice]?.count ?? 0 == count)
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `the address whose key is pinned leads, whichever was first`(seed: UInt64) {
        var world = World(seed: seed)
        world.weather = { _, _ in World.Weather(delay: 1...40) }
        let site = start(&world, at: [Self.v4, Self.v6])
        let key = World.identity(9)
        site.program = IndexProgram(identity: key, now: world.now)
        world.addPeer(1, servers: [], seed: seed)
        world.addIndex(Self.v4, key: key.key, to: alice)
        world.addIndex(Self.v6, to: alice)
        world.run(for: .seconds(60))
        let count = site.registrations.count
        #expect(site.registrations.last == Self.v4 && count <= 5, "\(site.registrations)")
        #expect(told(world, of: Self.v6).last == .sameServer(as: "\(Self.v4)"))
        // The other one leads while it has to.
        site.deaf = [Self.v4]
        world.run(for: .seconds(60))
        #expect(site.registrations.last == Self.v6)
        site.deaf = []
        world.run(for: .seconds(120))
        #expect(site.registrations.last == Self.v4 && isOK(told(world, of: Self.v4).last))
        #expect(site.registrations.count <= count + 5)
    }

    @Test func `the address that is reached by UDP leads, though the one with a tunnel came later`() {
        var world = World()
        let site = start(&world, at: [Self.v4, Self.other])
        site.deafToUDP = [Self.v4]
        world.tunnel = { $0 == Self.v4 ? .opened($0) : nil }
        world.addPeer(1, servers: [Self.other])
        world.run(for: .seconds(5))
        world.addIndex(Self.v4, named: "\(Self.other)", rank: 0, to: alice)
        world.run(for: .seconds(10))
        #expect(site.registrations.contains(Self.v4) && site.registrations.last == Self.other)
        #expect(!world.hasTunnel(alice, to: Self.v4))
        #expect(isOK(told(world, of: Self.other).last))
        #expect(site.record?.candidates.map(\.endpoint).contains(alice) == true)
    }

    @Test func `an address that only a tunnel leads to gives way to one that UDP comes back to`() throws {
        var world = World()
        world.tunnel = { .opened($0) }
        let (site, first, second) = try settled(&world, at: [Self.v4, Self.other], isPinned: true)
        site.deafToUDP = [first, second]
        world.run(for: .seconds(90))
        #expect(site.registrations.last == first && world.hasTunnel(alice, to: first))
        site.deafToUDP = [first]
        world.run(for: .seconds(400))
        #expect(site.registrations.last == second && !world.hasTunnel(alice, to: first))
        #expect(isOK(told(world, of: second).last))
    }

    @Test func `a relay of the other side's that turns out to be our own server leaves the registration where it was`()
        throws
    {
        var world = World()
        let site = start(&world, at: [Self.v4, Self.other])
        site.program = IndexProgram(relay: RelayLimits(), now: world.now)
        world.reaches = { _, _ in false }
        let friends = [1, 2].map { Contact(peer: World.peer($0), key: World.identity($0).key.octets, accepted: true) }
        world.addPeer(1, servers: [Self.v4], contacts: [friends[1]])
        world.addPeer(2, servers: [Self.other], contacts: [friends[0]])
        world.run(for: .seconds(5))
        #expect(Set(site.registrations) == [Self.v4, Self.other])
        let count = site.registrations.count
        try world.perform(.open(World.peer(2)), at: alice)
        world.run(for: .seconds(60))
        let others = site.registrations.dropFirst(count)
        #expect(others.first == Self.other && others.last == Self.v4 && others.count <= 3, "\(others)")
        #expect(world.statuses(at: alice).allSatisfy { isOK($0) || $0 == .connecting })
        // It is let go of without a trace.
        try world.perform(.open(nil), at: alice)
        world.run(for: .seconds(1200))
        #expect(site.registrations.count == count + others.count)
        #expect(isOK(world.statuses(at: alice).last))
    }

    @Test func `what comes from an address that stands by is not held against the server`() throws {
        var world = World()
        let (site, leader, silent) = try settled(&world, at: [Self.v4, Self.other])
        world.deliver(.received(Datagram(Array("nonsense".utf8), silent)), to: alice)
        site.deaf = [leader]
        var faults: [String] = []
        let end = world.now + .seconds(120)
        while site.registrations.last == leader, world.now < end {
            world.run(for: .milliseconds(1))
            faults += world.peers[alice]?.asked.compactMap(\.fault) ?? []
        }
        #expect(site.registrations.last == silent && faults.isEmpty, "\(faults.first ?? "")")
    }

    @Test func `a name that leads to both is one name`() {
        for isDead in [false, true] {
            var world = World()
            let site = start(&world, at: [Self.v4, Self.v6])
            if isDead { site.deaf = [Self.v6] }
            world.addPeer(1, servers: [])
            for address in [Self.v4, Self.v6] { world.addIndex(address, named: "index.example", to: alice) }
            world.run(for: .seconds(60))
            let statuses = world.statuses(at: alice)
            #expect(statuses.count == 1 && isOK(statuses.last), "\(statuses)")
            site.deaf = [Self.v4, Self.v6]
            world.run(for: .seconds(60))
            guard case .unreachable? = world.statuses(at: alice).last else { return #expect(Bool(false)) }
            // Whoever looks somebody up meanwhile reads of one server.
            site.deaf = isDead ? [Self.v6] : []
            world.run(for: .seconds(70))
            #expect(isOK(world.statuses(at: alice).last))
        }
    }

    @Test func `two names of one address are one server`() {
        var world = World()
        let site = start(&world, at: [Self.v4])
        world.addPeer(1)
        world.addIndex(Self.v4, named: "localhost", to: alice)
        world.run(for: .seconds(60))
        #expect(site.registrations.count == 1)
        #expect(world.events[alice]?.contains(.index(server: "localhost", .sameServer(as: "\(Self.v4)"))) == true)
    }
}
