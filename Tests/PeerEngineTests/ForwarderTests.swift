// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Wire

@testable import PeerEngine

/// An index server that only passes on what it gets to an honest one, whose answers it gives for its own.
@Suite struct ForwarderTests {
    private static let honest = World.index
    private static let mallory = Endpoint(address: .v4(0xC633_6401), port: 50_000)
    /// From where Mallory's machine asks the honest server.
    private static let outer = Endpoint(address: .v4(0xC633_6401), port: 54_534)
    private static let key = World.identity(9)
    private let alice = World.place(1)

    /// The honest server, and from where it was asked.
    private final class Site {
        var program: IndexProgram
        var isReached = true
        /// Where it has the peer registered.
        private(set) var row: Endpoint?
        private(set) var registrations = 0

        init(_ program: IndexProgram) { self.program = program }

        func answer(_ bytes: [UInt8], _ source: Endpoint, _ now: Instant, _ wall: WallTime) -> [UInt8]? {
            guard isReached || source == outer, let answer = program.answer(Datagram(bytes, source), now, wall) else {
                return nil
            }
            if case .registered? = try? IndexReply.parse(answer).reply {
                row = source
                registrations += 1
            }
            return answer
        }
    }

    private func start(_ world: inout World, withKey: Bool) -> Site {
        let site = Site(IndexProgram(identity: withKey ? Self.key : nil, now: world.now))
        world.addServer(at: Self.honest) { site.answer($0.bytes, $0.endpoint, $1, $2) }
        world.addServer(at: Self.mallory) { site.answer($0.bytes, Self.outer, $1, $2) }
        world.addPeer(1, servers: [])
        return site
    }

    /// How the two were named.
    enum Naming: CaseIterable {
        /// The user's own, the honest one first; by an invite, without a key and with the honest one's; the user's own,
        /// and only the honest one's key is pinned.
        case later, invited, invitedWithKey, unpinned
    }

    private func name(_ naming: Naming, isMallory: Bool, in world: inout World) {
        let server = isMallory ? Self.mallory : Self.honest
        let key: PeerKey? =
            switch naming {
            case .later, .invited: nil
            case .invitedWithKey: Self.key.key
            case .unpinned: isMallory ? nil : Self.key.key
            }
        let rank: Int? =
            switch naming {
            case .later: isMallory ? 1 : 0
            case .unpinned: isMallory ? 0 : 1
            case .invited, .invitedWithKey: isMallory ? nil : 0
            }
        world.addIndex(server, key: key, rank: rank, to: alice)
    }

    private func status(_ world: World, of server: Endpoint) -> IndexStatus? {
        (world.events[alice] ?? []).reversed().lazy.compactMap { event in
            if case .index("\(server)", let status) = event { status } else { nil }
        }.first
    }

    private func isRegistered(_ world: World) -> Bool {
        if case .ok? = status(world, of: Self.honest) { true } else { false }
    }

    private func asked(_ world: World) -> [Endpoint] { world.peers[alice]?.asked.map(\.endpoint) ?? [] }

    @Test(arguments: Naming.allCases, [false, true])
    func `it does not get the registration at the honest one, whichever came first`(naming: Naming, isFirst: Bool) {
        var world = World()
        let site = start(&world, withKey: naming == .invitedWithKey || naming == .unpinned)
        name(naming, isMallory: isFirst, in: &world)
        world.run(for: .seconds(5))
        name(naming, isMallory: !isFirst, in: &world)
        world.run(for: .seconds(30))
        #expect(site.row == alice)
        let count = site.registrations
        #expect(count <= 4)
        world.run(for: .seconds(3000))
        #expect(site.row == alice && site.registrations == count)
        #expect(isRegistered(world) && status(world, of: Self.mallory) == .sameServer(as: "\(Self.honest)"))
        #expect(asked(world).contains(Self.honest))
    }

    @Test(arguments: Naming.allCases)
    func `what it took while the honest one was away goes back`(naming: Naming) {
        var world = World()
        let site = start(&world, withKey: naming == .invitedWithKey || naming == .unpinned)
        for isMallory in [false, true] { name(naming, isMallory: isMallory, in: &world) }
        world.run(for: .seconds(60))
        site.isReached = false
        world.run(for: .seconds(60))
        #expect(site.row == Self.outer, "better than none")
        site.isReached = true
        world.run(for: .seconds(60))
        #expect(site.row == alice && isRegistered(world))
    }

    @Test func `one that leads since it was named first does not keep lookups from the honest one`() {
        var world = World()
        let site = start(&world, withKey: false)
        world.addIndex(Self.mallory, rank: 0, to: alice)
        world.addIndex(Self.honest, rank: 1, to: alice)
        world.run(for: .seconds(60))
        #expect(site.row == Self.outer)
        #expect(Set(asked(world)) == [Self.mallory, Self.honest])
    }

    @Test(arguments: [0, nil])
    func `of two that prove different keys neither stands by, and the user hears why`(rank: Int?) {
        var world = World()
        world.addPeer(1, servers: [])
        let pair = [(Self.honest, Self.key), (Self.mallory, World.identity(8))]
        for (server, identity) in pair {
            let program = IndexProgram(identity: identity, now: world.now)
            world.addServer(at: server) { program.answer($0, $1, $2) }
            world.addIndex(server, key: identity.key, rank: rank, to: alice)
        }
        world.run(for: .seconds(600))
        for (server, _) in pair {
            guard case .ok? = status(world, of: server) else { return #expect(Bool(false)) }
        }
        let notices = world.notices(at: alice).filter { $0.contains("Name only the one that you trust") }
        #expect(notices.count == 1 && notices.allSatisfy { $0.contains("\(Self.mallory)") }, "\(notices)")
    }

    @Test func `an invite that names the user's own server by its address does not take its pinned key away`() {
        var world = World()
        let site = start(&world, withKey: true)
        world.addIndex(Self.honest, named: "invited", key: World.identity(8).key, rank: nil, to: alice)
        world.run(for: .seconds(5))
        #expect(site.row == nil || !isRegistered(world))
        world.addIndex(Self.honest, key: Self.key.key, rank: 0, to: alice)
        world.run(for: .seconds(5))
        #expect(isRegistered(world) && world.peers[alice]?.asked.map(\.isPinned) == [true])
        #expect(world.statuses(at: alice).contains(.sameServer(as: "\(Self.honest)")))
    }
}
