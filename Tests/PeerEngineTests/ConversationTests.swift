// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

/// Two peers with keys: dialled, talked to and receipted through sessions.
@Suite struct ConversationTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let aliceID = World.peer(1)
    private let bobID = World.peer(2)

    private func friends(_ world: inout World) throws {
        world.startIndex()
        world.addPeer(1)
        world.addPeer(2)
        world.run(for: .seconds(1))
        try world.perform(.add(bobID, name: "bob"), at: alice)
        try world.perform(.add(aliceID, name: "alice"), at: bob)
        world.run(for: .seconds(1))
    }

    private func say(_ text: String, tag: String? = nil, in world: inout World) throws {
        try world.perform(.send(to: bobID, text: text, tag: tag), at: alice)
    }

    // MARK: The main path

    @Test func `a message is queued, sent, shown and delivered, each once and only by a session`() throws {
        var world = World()
        try friends(&world)
        try say("hello", tag: "x", in: &world)
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "x") == [.queued, .sent, .delivered])
        #expect(world.shown(at: bob) == ["hello"])
        #expect(world.requests(at: alice).isEmpty && world.requests(at: bob).isEmpty)
        #expect(world.paths(at: alice) == [.lan])
        #expect(world.traffic.allSatisfy { World.kind(of: $0.datagram) != nil || $0.from == World.index })
        #expect(world.net.overdrafts == 0)
    }

    @Test func `a friend who is away gets it when both are up, after both restarted too`() throws {
        var world = World()
        try friends(&world)
        world.remove(bob)
        for text in ["1", "2", "3"] { try say(text, tag: text, in: &world) }
        world.run(for: .seconds(20))
        #expect(world.states(at: alice, tag: "1").contains(.failed) == false)
        #expect(world.paths(at: alice).last == PathKind.none)
        world.remove(alice)
        world.run(for: .seconds(5))
        world.addPeer(1)
        world.addPeer(2)
        world.run(for: .seconds(70))
        #expect(world.shown(at: bob) == ["1", "2", "3"])
        #expect(world.disks[alice]?.outgoing.map(\.state) == [.delivered, .delivered, .delivered])
    }

    @Test func `nothing is told, sent or receipted before it is on disk`() throws {
        var world = World()
        try friends(&world)
        try say("first", in: &world)
        world.run(for: .seconds(1))
        world.full = [alice]
        try say("second", tag: "s", in: &world)
        world.run(for: .seconds(5))
        #expect(world.states(at: alice, tag: "s").isEmpty && world.shown(at: bob) == ["first"])
        world.full = [bob]
        world.run(for: .seconds(5))
        #expect(world.states(at: alice, tag: "s") == [.queued, .sent] && world.shown(at: bob) == ["first"])
        #expect(world.notices(at: bob) == ["The disk is full."])
        world.full = []
        world.run(for: .seconds(5))
        #expect(world.states(at: alice, tag: "s") == [.queued, .sent, .delivered])
        #expect(world.shown(at: bob) == ["first", "second"])
        #expect(world.notices(at: bob) == ["The disk is full.", "Saving works again."])
    }

    @Test func `ten thousand messages keep their order, and the window its bound`() throws {
        var world = World()
        try friends(&world)
        world.diskDelay = { _ in 3 }
        for number in 0..<10_000 { try say("\(number)", in: &world) }
        world.run(for: .seconds(60))
        #expect(world.shown(at: bob) == (0..<10_000).map { "\($0)" })
        #expect(world.peers[alice]?.peers.first?.waiting == 0)
        #expect(world.net.overdrafts == 0)
    }

    @Test func `the longest text is one message, one byte more is refused`() throws {
        var world = World()
        try friends(&world)
        let longest = String(repeating: "\u{1}", count: WireLimits.text)
        try say(longest, in: &world)
        #expect(throws: CommandError.self) { try say(longest + "x", in: &world) }
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == [longest])
    }

    @Test func `too much that waits is refused`() throws {
        var world = World()
        world.addPeer(1)
        for number in 0..<Outbox.limit { try say("\(number)", in: &world) }
        #expect(throws: CommandError.self) { try say("one more", in: &world) }
        #expect(world.peers[alice]?.peers.first?.waiting == Outbox.limit)
        var other = World()
        other.addPeer(1)
        let long = String(repeating: "x", count: WireLimits.text)
        for _ in 0..<256 { try other.perform(.send(to: bobID, text: long, tag: nil), at: alice) }
        #expect(throws: CommandError.self) { try other.perform(.send(to: bobID, text: "x", tag: nil), at: alice) }
    }

    @Test func `a session that is lost is replaced, and what had no receipt goes again`() throws {
        var world = World()
        try friends(&world)
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(1))
        for round in 0..<20 {
            try say("\(round)", in: &world)
            world.cutSessions(of: alice)
            world.run(for: .seconds(10))
        }
        world.run(for: .seconds(20))
        #expect(world.shown(at: bob) == (0..<20).map { "\($0)" })
    }

    @Test func `a session without use is closed after a minute, an open conversation keeps its own`() throws {
        var world = World()
        try friends(&world)
        try say("hello", in: &world)
        world.run(for: .seconds(70))
        #expect(world.net.ends.isEmpty)
        let count = world.traffic.count { World.kind(of: $0.datagram) == "query" }
        world.run(for: .seconds(300))
        #expect(world.net.ends.isEmpty)
        #expect(world.traffic.count { World.kind(of: $0.datagram) == "query" } == count)
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(300))
        #expect(world.net.ends.count == 2)
    }

    // MARK: Taking back, trying again

    @Test func `a message that waits can be taken back and tried again`() throws {
        var world = World()
        try friends(&world)
        world.cutOff = [bob]
        world.cutSessions(of: bob)
        world.run(for: .seconds(10))
        try say("a", tag: "a", in: &world)
        try say("b", tag: "b", in: &world)
        let ids = world.outgoing(at: alice)
        try world.perform(.cancel(ids[0]), at: alice)
        #expect(world.states(at: alice, tag: "a") == [.queued, .failed])
        #expect(throws: CommandError.self) { try world.perform(.cancel(ids[0]), at: alice) }
        world.cutOff = []
        world.run(for: .seconds(30))
        #expect(world.shown(at: bob) == ["b"])
        try world.perform(.retry(ids[0]), at: alice)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == ["b", "a"])
        #expect(throws: CommandError.self) { try world.perform(.retry(ids[0]), at: alice) }
    }

    // MARK: Reading

    @Test func `read receipts come when they are on, and are remembered until there is a session`() throws {
        var world = World()
        try friends(&world)
        for tag in ["1", "2", "3"] { try say(tag, tag: tag, in: &world) }
        world.run(for: .seconds(1))
        func id(_ text: String) throws -> MessageID {
            try #require(world.disks[bob]?.incoming.first { $0.text == text }?.id)
        }
        try world.perform(.read(aliceID, try id("2")), at: bob)
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "1").last == .read && world.states(at: alice, tag: "2").last == .read)
        #expect(world.states(at: alice, tag: "3").last == .delivered)
        world.run(for: .seconds(70))
        try world.perform(.read(aliceID, try id("3")), at: bob)
        world.run(for: .seconds(5))
        #expect(world.states(at: alice, tag: "3").last == .delivered && world.net.ends.isEmpty)
        try world.perform(.set(.readReceipts, false), at: bob)
        try say("4", tag: "4", in: &world)
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "3").last == .delivered)
        try world.perform(.set(.readReceipts, true), at: bob)
        world.cutSessions(of: bob)
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(20))
        #expect(world.states(at: alice, tag: "3") == [.queued, .sent, .delivered, .read])
        #expect(world.states(at: alice, tag: "4") == [.queued, .sent, .delivered])
    }

    @Test func `writing and being there are told while they are switched on, and expire`() throws {
        var world = World()
        try friends(&world)
        func typing() -> [Bool] {
            (world.events[bob] ?? []).compactMap { if case .typing(aliceID, let on) = $0 { on } else { nil } }
        }
        func active() -> [Bool] {
            (world.events[bob] ?? []).compactMap { if case .active(aliceID, let on) = $0 { on } else { nil } }
        }
        try world.perform(.open(bobID), at: alice)
        world.run(for: .seconds(1))
        for _ in 0..<10 { try world.perform(.typing(bobID, true), at: alice) }
        try world.perform(.active(true), at: alice)
        world.run(for: .seconds(1))
        #expect(typing() == [true] && active() == [true])
        #expect(world.frames(from: alice).count { $0 == "typing" } == 1)
        world.run(for: .seconds(7))
        #expect(typing() == [true, false])
        try world.perform(.set(.typing, false), at: alice)
        try world.perform(.set(.presence, false), at: alice)
        try world.perform(.typing(bobID, true), at: alice)
        world.run(for: .seconds(1))
        #expect(typing() == [true, false] && active() == [true, false])
    }

    // MARK: Strangers

    @Test func `without an invite a request is silent, without receipts, and answered when accepted`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(1, name: "Alice")
        world.addPeer(2)
        world.run(for: .seconds(1))
        for text in ["a", "b", "c"] { try say(text, tag: text, in: &world) }
        world.run(for: .seconds(5))
        #expect(world.requests(at: bob).map(\.text) == [""] || world.requests(at: bob).map(\.text) == ["a"])
        #expect(world.requests(at: bob).map(\.name) == ["Alice"] && world.requests(at: bob).first?.invited == false)
        #expect(world.shown(at: bob).isEmpty)
        #expect(!world.frames(from: bob).contains("receipt"))
        #expect(world.states(at: alice, tag: "a") == [.queued, .sent])
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == ["a", "b", "c"])
        #expect(world.states(at: alice, tag: "c") == [.queued, .sent, .delivered])
        #expect(world.requests(at: bob).count == 1 && world.requests(at: alice).isEmpty)
    }

    @Test func `what a stranger wrote survives a restart, and beyond the bounds comes again in order`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(1)
        world.addPeer(2)
        world.run(for: .seconds(1))
        for number in 0..<50 { try say("\(number)", in: &world) }
        world.run(for: .seconds(5))
        world.remove(bob)
        world.addPeer(2)
        world.run(for: .seconds(30))
        #expect(world.disks[bob]?.incoming.count == ContactBook.heldLimit)
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(30))
        #expect(world.shown(at: bob) == (0..<50).map { "\($0)" })
    }

    @Test func `an invite opens the door at once, until it is renewed`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(1, name: "Alice")
        world.addPeer(2)
        world.addPeer(3)
        world.run(for: .seconds(1))
        let invite = try #require(world.peers[bob]?.invite)
        try world.perform(.addInvite(invite, name: "bob"), at: alice)
        world.run(for: .seconds(2))
        #expect(world.requests(at: bob).map(\.invited).last == true)
        #expect(world.requests(at: bob).last?.name == "Alice")
        try world.perform(.renewInvite, at: bob)
        #expect(world.peers[bob]?.invite != invite)
        try world.perform(.addInvite(invite, name: "bob"), at: World.place(3))
        world.run(for: .seconds(2))
        #expect(world.requests(at: bob).last?.peer == World.peer(3))
        #expect(world.requests(at: bob).last?.invited == false)
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(2))
        #expect(world.peers[alice]?.contacts[bobID]?.inviteSecret == nil, "it has served")
        #expect(world.requests(at: alice).isEmpty)
    }

    @Test func `a blocked peer is refused at once and hears nothing`() throws {
        var world = World()
        try friends(&world)
        try world.perform(.send(to: aliceID, text: "too late", tag: "x"), at: bob)
        try world.perform(.block(aliceID), at: bob)
        world.run(for: .seconds(1))
        #expect(world.states(at: bob, tag: "x").last == .failed)
        let before = world.frames(from: bob).count
        try say("hear me", tag: "y", in: &world)
        world.run(for: .seconds(30))
        #expect(world.states(at: alice, tag: "y") == [.queued] && world.shown(at: bob).isEmpty)
        #expect(world.frames(from: bob).count == before)
        #expect(throws: CommandError.self) {
            try world.perform(.send(to: aliceID, text: "x", tag: nil), at: bob)
        }
        try world.perform(.accept(aliceID), at: bob)
        world.run(for: .seconds(70))
        #expect(world.shown(at: bob) == ["hear me"])
    }

    // MARK: Alarms and lies

    @Test func `another key for a known peer stops everything until it is removed and added again`() throws {
        var world = World()
        world.startIndex()
        let pinned = Contact(peer: bobID, key: World.identity(9).key.octets, accepted: true)
        world.addPeer(1, contacts: [pinned])
        world.addPeer(2)
        world.run(for: .seconds(1))
        try say("secret", in: &world)
        world.run(for: .seconds(20))
        #expect(world.disks[alice]?.contacts.first?.alarm != nil)
        #expect(world.notices(at: alice).contains { $0.contains("Another key") })
        #expect(!world.frames(from: alice).contains("message"))
        #expect(throws: CommandError.self) { try say("x", in: &world) }
        func asked() -> Int { world.traffic.count { $0.from == alice && World.kind(of: $0.datagram) == "query" } }
        let before = asked()
        world.run(for: .seconds(100))
        #expect(asked() == before, "it is not even looked for")
        try world.perform(.send(to: aliceID, text: "let me in", tag: nil), at: bob)
        world.run(for: .seconds(20))
        #expect(world.shown(at: alice).isEmpty && !world.frames(from: alice).contains("message"))
        try world.perform(.remove(bobID), at: alice)
        try world.perform(.add(bobID, name: nil), at: alice)
        try say("hello again", in: &world)
        world.run(for: .seconds(70))
        #expect(world.shown(at: bob) == ["hello again"])
    }

    @Test func `receipts for what was never sent to that peer are nothing`() throws {
        var world = World()
        try friends(&world)
        world.addPeer(3, contacts: [Contact(peer: aliceID, accepted: true)])
        try world.perform(.add(World.peer(3), name: nil), at: alice)
        world.run(for: .seconds(2))
        world.cutOff = [bob]
        try say("for bob", tag: "b", in: &world)
        world.run(for: .seconds(1))
        let id = try #require(world.outgoing(at: alice).last)
        let lie = SessionFrame.receipt([id, MessageID(random: 1, 2)]).encoded()
        world.inject([lie, SessionFrame.read(upTo: 7).encoded(), lie], to: alice)
        let third = try #require(world.net.names(at: alice).last { world.net.ends[$0]?.other?.place == World.place(3) })
        world.deliver(.frames(third.id, [lie, SessionFrame.refused(id, reason: "no").encoded()]), to: alice)
        world.run(for: .seconds(1))
        #expect(!world.states(at: alice, tag: "b").contains(.delivered))
        #expect(!world.states(at: alice, tag: "b").contains(.failed))
    }

    @Test func `a datagram in the name of a peer with a key is dropped, and none is ever sent to one`() throws {
        var world = World()
        try friends(&world)
        for _ in 0..<3 { try world.bring("forged", from: bobID, at: bob, for: aliceID, to: alice) }
        #expect(world.shown(at: alice).isEmpty && world.notices(at: alice).count == 1)
    }
}
