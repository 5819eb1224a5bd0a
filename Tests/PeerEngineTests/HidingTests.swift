// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Wire

@testable import PeerEngine

/// With `--relay-only` nobody learns our address but the servers that the user named.
@Suite struct HidingTests {
    private static let hers = Endpoint(address: .v4(0xC633_6401), port: 50_000)
    private let alice = World.place(1)
    private let hint = Invite.IndexHint(server: "198.51.100.1:50000")

    private var invite: Invite {
        Invite(key: World.identity(2).key, secret: Array(repeating: 7, count: 16), indexes: [hint])
    }

    private func toldOfServer(_ world: World) -> [String] {
        world.notices(at: alice).filter { $0.contains(hint.server) && $0.contains("--index") }
    }

    // MARK: Servers of invites

    @Test func `a server that an invite names is not asked, and the user hears what to do`() throws {
        var world = World()
        world.startRelay()
        world.addPeer(1, relayOnly: true)
        world.run(for: .seconds(1))
        try world.perform(.addInvite(invite, name: "bob"), at: alice)
        // Whoever runs the loop tries it all the same.
        world.addIndex(Self.hers, rank: nil, to: alice)
        world.run(for: .seconds(60))
        #expect(!world.traffic.contains { $0.datagram.endpoint == Self.hers })
        #expect(world.events[alice]?.contains(.indexNamed(hint)) == false)
        #expect(world.disks[alice]?.saved.indexes.isEmpty == true)
        #expect(toldOfServer(world).count == 1)
    }

    @Test func `nor are those of earlier invites, which are named at the start`() throws {
        var world = World()
        world.addPeer(1)
        try world.perform(.addInvite(invite, name: "bob"), at: alice)
        world.run(for: .seconds(1))
        #expect(world.events[alice]?.contains(.indexNamed(hint)) == true && toldOfServer(world).isEmpty)
        world.remove(alice)
        world.addPeer(1, relayOnly: true)
        world.run(for: .seconds(1))
        #expect(toldOfServer(world).count == 1)
        // It is still known, and asked again in a run that does not hide.
        try world.perform(.addInvite(invite, name: "bob"), at: alice)
        #expect(toldOfServer(world).count == 1 && world.disks[alice]?.saved.indexes == [hint.text])
    }

    @Test func `a server that the user named is asked, whatever invites say of it`() throws {
        var world = World()
        world.startRelay(at: Self.hers)
        world.addPeer(1, servers: [Self.hers], relayOnly: true)
        world.run(for: .seconds(2))
        #expect(world.isRegistered(alice) && world.notices(at: alice).isEmpty)
    }

    // MARK: Peers without a key

    private let seed = World.peer(9).stamped(version: 4)
    private var bob: Endpoint { World.place(2) }

    /// Texts that left as they are.
    private func inTheOpen(_ world: World) -> Int {
        world.traffic.count { $0.from == alice && World.kind(of: $0.datagram) == nil }
    }

    private func refusal(_ command: ClientCommand, in world: inout World) -> String {
        do throws(CommandError) {
            try world.perform(command, at: alice)
            return ""
        } catch { return error.description }
    }

    @Test func `nobody without a key is written to, whatever else allows it`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(
            1, plaintext: true, relayOnly: true, contacts: [Contact(peer: seed, accepted: true, allowsPlaintext: true)])
        let commands: [ClientCommand] = [
            .add(seed, name: nil), .send(to: seed, text: "x", tag: nil), .allowPlaintext(seed, true),
        ]
        for command in commands { #expect(refusal(command, in: &world).contains("--relay-only")) }
        try world.bring("x", from: seed, at: bob, for: World.peer(1), to: alice)
        #expect(world.shown(at: alice).isEmpty && world.notices(at: alice).contains { $0.contains("--relay-only") })
        try world.perform(.allowPlaintext(seed, false), at: alice)
        world.run(for: .seconds(30))
        #expect(inTheOpen(world) == 0)
    }

    @Test func `what the last run left for one is not sent`() throws {
        var world = World()
        let server = SeedProgram()
        world.addServer { server.answer($0, $1, $2) }
        world.addPeer(2, plaintext: true)
        world.run(for: .seconds(1))
        guard case .noIdentities(let name)? = world.statuses(at: bob).last else { return #expect(Bool(false)) }
        world.cutOff = [World.index]
        world.addPeer(1, plaintext: true)
        try world.perform(.send(to: name, text: "later", tag: "x"), at: alice)
        world.run(for: .seconds(1))
        world.remove(alice)
        world.cutOff = []
        world.addPeer(1, plaintext: true, relayOnly: true)
        world.run(for: .seconds(30))
        #expect(inTheOpen(world) == 0 && world.shown(at: bob).isEmpty)
        #expect(world.lastFailure(at: alice)?.text.contains("hides your address") == true)
    }
}
