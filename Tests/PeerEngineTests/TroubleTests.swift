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

    @Test func `with a full disk no sender fills the memory, however often it comes anew`() throws {
        var world = World()
        try friends(&world)
        world.full = [bob]
        let text = String(repeating: "x", count: WireLimits.text)
        var counter: UInt64 = 0
        for number in 0..<50 {
            let session = SessionID(UInt64(2 * number + 1001))
            world.deliver(.up(session, key: World.identity(1).key, at: alice, binding: []), to: bob)
            var frames = [SessionFrame.hello(.init(instance: UInt64(number), contact: true))]
            for _ in 0..<16 {
                counter += 1
                frames.append(
                    .message(.init(id: MessageID(random: 3, counter), counter: counter, created: nil, text: text)))
            }
            world.deliver(.frames(session, frames.map { $0.encoded() }), to: bob)
        }
        let limit = ClientMachine.unsavedBytes / WireLimits.text
        #expect(try #require(world.peers[bob]?.unsaved) < limit + 500)
        world.full = []
        world.run(for: .seconds(2))
        #expect(world.peers[bob]?.unsaved == 0)
        try world.perform(.send(to: bobID, text: "after", tag: nil), at: alice)
        world.run(for: .seconds(20))
        #expect(world.shown(at: bob).last == "after")
    }

    @Test func `that something was read is said again when the session broke off`() throws {
        var world = World()
        try friends(&world)
        try world.perform(.send(to: bobID, text: "hello", tag: "x"), at: alice)
        world.run(for: .seconds(1))
        let id = try #require(world.disks[bob]?.incoming.first?.id)
        world.cutOff = [bob]
        try world.perform(.read(aliceID, id), at: bob)
        world.run(for: .seconds(10))
        #expect(world.states(at: alice, tag: "x").last == .delivered)
        world.cutOff = []
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(20))
        #expect(world.states(at: alice, tag: "x") == [.queued, .sent, .delivered, .read])
    }

    @Test func `who called before it was a contact is found again without an index`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(1)
        world.addPeer(2)
        world.run(for: .seconds(2))
        try world.perform(.add(aliceID, name: "alice"), at: bob)
        world.run(for: .seconds(1))
        try world.perform(.accept(bobID), at: alice)
        world.run(for: .seconds(1))
        let saved = try #require(world.disks[alice]?.saved)
        #expect(saved.addresses[bobID]?.endpoint == bob)
        #expect(saved.contacts.first { $0.peer == bobID }?.key == World.identity(2).key.octets)
    }

    @Test func `a contact request that a dying session took along is made again`() throws {
        var world = World()
        world.startIndex()
        world.weather = { _, _ in World.Weather(delay: 100...100) }
        world.addPeer(1)
        world.addPeer(2)
        world.run(for: .seconds(2))
        try world.perform(.add(bobID, name: nil), at: alice)
        while !world.frames(from: alice).contains("contact") { world.run(for: .milliseconds(10)) }
        world.remove(bob)
        world.run(for: .seconds(10))
        world.addPeer(2)
        world.run(for: .seconds(90))
        #expect(world.requests(at: bob).map(\.peer) == [aliceID])
        world.run(for: .seconds(300))
        #expect(world.frames(from: alice).count { $0 == "contact" } == 2)
        #expect(world.net.ends.isEmpty, "and then it is left alone")
    }

    @Test func `a counter that a damaged disk gave does not stop the program`() throws {
        var saved = SavedState()
        saved.counters = [bobID: .max]
        saved.sequence = .max
        var machine = ClientMachine(ClientConfiguration(identity: World.identity(1), address: alice, saved: saved))
        let (now, wall) = (Instant(nanoseconds: 1), WallTime(milliseconds: 1_795_000_000_000))
        machine.addIndex("index", at: World.index, place: 0, now: now)
        _ = machine.advance(now: now, wall: wall)
        let actions = try machine.perform(.send(to: bobID, text: "x", tag: nil), now: now, wall: wall)
        #expect(actions.contains { if case .commit(.queue) = $0 { true } else { false } })
    }

    @Test func `a clock that was ahead for a while does not keep us from registering for ever`() throws {
        let wall = WallTime(milliseconds: 1_795_000_000_000)
        var saved = SavedState()
        saved.sequence = UInt64(wall.milliseconds) + 10 * 365 * 86_400_000
        var machine = ClientMachine(ClientConfiguration(identity: World.identity(1), address: alice, saved: saved))
        var now = Instant(nanoseconds: 3_600_000_000_000)
        let index = IndexProgram(now: now)
        machine.addIndex("index", at: World.index, place: 0, now: now)
        while index.count(now: now, wall: wall) == 0, now < Instant(nanoseconds: 3_700_000_000_000) {
            var actions = machine.advance(now: now, wall: wall)
            while !actions.isEmpty {
                actions = actions.flatMap { action -> [ClientMachine.Action] in
                    guard case .send(let datagram) = action,
                        let answer = index.answer(Datagram(datagram.bytes, alice), now, wall)
                    else { return [] }
                    return machine.receive(.received(Datagram(answer, World.index)), now: now, wall: wall)
                }
            }
            now = max(now, try #require(machine.deadline(now: now)))
        }
        #expect(index.count(now: now, wall: wall) == 1)
        #expect(machine.sequence == UInt64(wall.milliseconds) || machine.sequence == UInt64(wall.milliseconds) + 1)
    }
}
