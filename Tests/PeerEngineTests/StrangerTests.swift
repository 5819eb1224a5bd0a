// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

/// What strangers may cost, and what they may not stand in the way of.
@Suite struct StrangerTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let aliceID = World.peer(1)
    private let bobID = World.peer(2)

    /// Alice, who knows Bob, and Bob, who knows nobody.
    private func strangers(_ world: inout World, known: [Contact] = [], plaintext: Bool = false) {
        world.startIndex()
        world.addPeer(1)
        world.addPeer(2, plaintext: plaintext, contacts: known)
        world.run(for: .seconds(1))
    }

    private func say(_ texts: some Sequence<Int>, in world: inout World) throws {
        for text in texts { try world.perform(.send(to: bobID, text: "\(text)", tag: nil), at: alice) }
    }

    // MARK: The list

    @Test func `who proves the invite is heard although the list of strangers is full`() throws {
        var world = World()
        let crowd = (100..<100 + ContactBook.strangerLimit).map { Contact(peer: World.peer($0), accepted: false) }
        strangers(&world, known: crowd)
        let invite = try #require(world.peers[bob]?.invite)
        try world.perform(.send(to: bobID, text: "let me in", tag: nil), at: alice)
        world.run(for: .seconds(2))
        #expect(world.requests(at: bob).isEmpty, "without the proof there is no room")
        try world.perform(.remove(bobID), at: alice)
        try world.perform(.addInvite(invite, name: nil), at: alice)
        world.run(for: .seconds(2))
        #expect(world.requests(at: bob).map(\.invited) == [true])
        let listed = world.peers[bob]?.contacts.all ?? []
        #expect(listed.count == ContactBook.strangerLimit && listed.contains { $0.peer == aliceID })
        #expect(!listed.contains { $0.peer == World.peer(100) }, "the first of the others made room")
        #expect(world.disks[bob]?.contacts.count == listed.count)
    }

    @Test func `more of what it sends may wait once it is let in, and on each session after that`() throws {
        var world = World()
        strangers(&world)
        try say([1], in: &world)
        world.run(for: .seconds(2))
        #expect(world.net.widened == [alice], "who dials has chosen")
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(2))
        #expect(world.net.widened.filter { $0 == bob }.count == 1)
        // Nobody has a use for that session after a minute.
        world.run(for: .seconds(90))
        try say([2], in: &world)
        world.run(for: .seconds(2))
        #expect(world.net.widened.filter { $0 == bob }.count == 2)
    }

    @Test func `names that anybody can forge leave room for strangers with keys`() throws {
        var world = World()
        strangers(&world, plaintext: true)
        var chance = SplitMix64(seed: 4)
        for _ in 0..<2 * ContactBook.strangerLimit {
            let name = PeerID(high: chance.next(), low: chance.next()).stamped(version: 4)
            try world.bring("junk", from: name, at: .loopback(9), for: bobID, to: bob)
        }
        #expect(world.peers[bob]?.contacts.all.count == ContactBook.strangerLimit)
        try say([1], in: &world)
        world.run(for: .seconds(2))
        #expect(world.requests(at: bob).map(\.peer) == [aliceID])
    }

    @Test func `a stranger without a key is heard as before after a restart`() throws {
        var world = World()
        strangers(&world, plaintext: true)
        let name = PeerID(high: 5, low: 6).stamped(version: 4)
        try world.bring("before", from: name, at: .loopback(9), for: bobID, to: bob)
        world.remove(bob)
        world.addPeer(2, plaintext: true)
        try world.bring("after", from: name, at: .loopback(9), for: bobID, to: bob)
        #expect(world.shown(at: bob) == ["before", "after"])
    }

    @Test(arguments: [#"{"status":"ok","seen":"10.0.0.1:5"}"#, #"{"req_type":"seen"}"#, "{}", "no JSON", ""])
    func `what is no message is counted, and no news`(text: String) throws {
        var world = World()
        strangers(&world)
        world.deliver(.received(Datagram(Array(text.utf8), .loopback(60_902))), to: bob)
        #expect(world.peers[bob]?.dropped[.malformed] == 1)
        #expect(world.notices(at: bob) == [])
    }

    // MARK: Traces

    @Test func `strangers who only greet leave nothing behind, on no list and not in memory`() throws {
        var world = World()
        strangers(&world)
        for number in 0..<300 {
            let session = SessionID(UInt64(2 * number + 1001))
            let key = World.identity(1000 + number).key
            world.deliver(.up(session, key: key, at: .loopback(7), binding: []), to: bob)
            let hello = SessionFrame.hello(.init(instance: 1, contact: true, name: "Bob's friend")).encoded()
            world.deliver(.frames(session, [hello]), to: bob)
            world.deliver(.roundTrip(session, .milliseconds(3)), to: bob)
            world.deliver(.closed(session, .pathDied), to: bob)
        }
        let machine = try #require(world.peers[bob])
        #expect(machine.paths.isEmpty && machine.conversations.isEmpty && machine.owners.isEmpty)
        #expect(world.paths(at: bob).isEmpty, "nobody is told of them")
    }

    @Test func `the path of a stranger is told once it is a contact`() throws {
        var world = World()
        strangers(&world)
        try say([1], in: &world)
        world.run(for: .seconds(2))
        #expect(world.paths(at: bob).isEmpty)
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(1))
        #expect(world.paths(at: bob) == [.lan])
    }

    // MARK: Messages

    @Test func `a message behind a gap does not overtake it while the acceptance is on its way to disk`() throws {
        var world = World()
        strangers(&world)
        let session = SessionID(1001)
        func text(_ number: UInt64) -> [UInt8] {
            SessionFrame.message(
                .init(id: MessageID(random: 1, number), counter: number, created: nil, text: "\(number)")
            ).encoded()
        }
        world.deliver(.up(session, key: World.identity(7).key, at: .loopback(7), binding: []), to: bob)
        let hello = SessionFrame.hello(.init(instance: 1, contact: true)).encoded()
        let held = UInt64(ContactBook.heldLimit)
        world.deliver(.frames(session, [hello] + (1...held + 2).map(text)), to: bob)
        world.diskDelay = { _ in 200 }
        try world.perform(.accept(World.peer(7)), at: bob)
        world.deliver(.frames(session, [text(held + 3)]), to: bob)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == (1...held).map { "\($0)" }, "the last one comes again behind the others")
        #expect(world.peers[bob]?.owners[session] == nil, "on another session")
    }

    @Test func `whoever has not let us in is not flooded, and gets everything when it does`() throws {
        var world = World()
        strangers(&world)
        try say(0..<500, in: &world)
        world.run(for: .seconds(50))
        #expect(world.frames(from: alice).count { $0 == "message" } <= 2 * ContactBook.heldLimit)
        #expect(world.net.ends.count == 2, "the session is still the first")
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(10))
        #expect(world.shown(at: bob) == (0..<500).map { "\($0)" })
    }

    @Test func `what was forgotten of a stranger is not shown when it is accepted`() throws {
        var world = World()
        strangers(&world)
        try say([1, 2], in: &world)
        world.run(for: .seconds(2))
        try world.perform(.forget(aliceID), at: bob)
        try say([3], in: &world)
        world.run(for: .seconds(2))
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(40))
        #expect(world.shown(at: bob) == ["3"])
        #expect(world.disks[alice]?.outgoing.map(\.state) == [.delivered, .delivered, .delivered])
    }
}
