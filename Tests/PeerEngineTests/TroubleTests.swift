// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

/// Disks that refuse, sessions that break off, runs that are started otherwise than the last.
@Suite struct TroubleTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let aliceID = World.peer(1)
    private let bobID = World.peer(2)

    private func friends(_ world: inout World) throws {
        world.startIndex()
        world.addPeer(1, contacts: [Contact(peer: bobID, accepted: true)])
        world.addPeer(2, contacts: [Contact(peer: aliceID, accepted: true)])
        world.run(for: .seconds(2))
    }

    @Test func `what waits for a peer without a key stays here when this run does not allow it`() throws {
        var world = World()
        let seed = SeedProgram()
        world.addServer { seed.answer($0, $1, $2) }
        world.addPeer(2, plaintext: true)
        world.run(for: .seconds(1))
        let named = try #require(world.peers[bob]?.servers.first?.link.assigned.last)
        world.removeServer()
        world.addPeer(1, plaintext: true)
        try world.perform(.send(to: named, text: "in the open", tag: "x"), at: alice)
        world.remove(alice)
        world.addServer { seed.answer($0, $1, $2) }
        world.addPeer(1)
        world.run(for: .seconds(30))
        #expect(world.shown(at: bob).isEmpty)
        #expect(world.traffic.allSatisfy { $0.datagram.endpoint != bob || $0.from == World.index })
        #expect(world.states(at: alice).last == .failed && world.lastFailure(at: alice)?.cause == .user)
        #expect(world.disks[alice]?.outgoing.map(\.state) == [.failed])
    }
}
