// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

/// Two clients, an index server and whatever else may happen to them.
@Suite struct ClientMachineTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    private let aliceID = World.peer(1)
    private let bobID = World.peer(2)

    /// Both are registered; each has added the other.
    private func friends(_ world: inout World) throws {
        world.startIndex()
        world.addPeer(1)
        world.addPeer(2)
        world.run(for: .seconds(1))
        try world.perform(.add(bobID, name: "bob"), at: alice)
        try world.perform(.add(aliceID, name: "alice"), at: bob)
    }

    private func say(_ text: String, tag: String? = nil, in world: inout World) throws {
        try world.perform(.send(to: bobID, text: text, tag: tag), at: alice)
    }

    private func queries(_ world: World) -> Int { world.traffic.count { World.kind(of: $0.datagram) == "query" } }

    // MARK: Sending

    @Test func `a message is queued, looked up, sent and shown, each once`() throws {
        var world = World()
        try friends(&world)
        try say("hello", tag: "x", in: &world)
        #expect(world.states(at: alice) == [.queued])
        world.run(for: .seconds(2))
        try say("again", tag: "y", in: &world)
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "x") == [.queued, .sent])
        #expect(world.states(at: alice, tag: "y") == [.queued, .sent])
        #expect(world.shown(at: bob) == ["hello", "again"])
        #expect(queries(world) == 1)
        #expect(world.lookups(at: alice, .index) == 1 && world.lookups(at: alice, .cache) == 1)
        #expect(world.paths(at: alice) == [.plaintext])
        #expect(world.requests(at: bob).isEmpty)
    }

    @Test func `by the thousand they leave in order and at the documented rate`() throws {
        var world = World()
        try friends(&world)
        let start = world.now
        for number in 0..<2000 { try say("\(number)", in: &world) }
        world.run(for: .seconds(2))
        #expect(world.shown(at: bob) == (0..<2000).map { "\($0)" })
        let last = try #require(world.traffic.last { $0.from == alice && World.kind(of: $0.datagram) == nil })
        #expect((0.38...0.45).contains(last.at.since(start).seconds))
    }

    @Test(arguments: 1...10)
    func `a system that takes only some loses, doubles and reorders nothing`(seed: UInt64) throws {
        var world = World()
        try friends(&world)
        let chance = Chance(seed)
        world.system = { _, datagrams in SendResult(taken: Int.random(in: 0...datagrams.count, using: &chance.source)) }
        for number in 0..<200 { try say("\(number)", tag: "\(number)", in: &world) }
        world.run(for: .seconds(3))
        #expect(world.shown(at: bob) == (0..<200).map { "\($0)" })
        for number in 0..<200 { #expect(world.states(at: alice, tag: "\(number)") == [.queued, .sent]) }
    }

    @Test func `a system that takes nothing is not asked all the time`() throws {
        var world = World()
        try friends(&world)
        let calls = Chance(0)
        world.system = { _, _ in
            calls.count += 1
            return SendResult(taken: 0)
        }
        try say("patience", tag: "x", in: &world)
        world.run(for: .seconds(1))
        #expect((100...201).contains(calls.count))
        world.system = nil
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "x") == [.queued, .sent])
    }

    @Test func `what the system refuses for good fails with its reason, the rest goes on`() throws {
        var world = World()
        try friends(&world)
        let calls = Chance(0)
        world.system = { _, datagrams in
            calls.count += 1
            guard calls.count == 1 else { return SendResult(taken: datagrams.count) }
            return SendResult(taken: 1, failure: "not permitted")
        }
        for tag in ["a", "b", "c"] { try say(tag, tag: tag, in: &world) }
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "a") == [.queued, .sent])
        #expect(world.states(at: alice, tag: "b") == [.queued, .failed])
        #expect(world.states(at: alice, tag: "c") == [.queued, .sent])
        #expect(world.lastFailure(at: alice)?.cause == .network)
        #expect(world.lastFailure(at: alice)?.text.contains("not permitted") == true)
        #expect(world.shown(at: bob) == ["a", "c"])
    }

    // MARK: Refusals

    @Test func `refused commands are one sentence and change nothing`() throws {
        var world = World()
        try friends(&world)
        let stranger = World.peer(3)
        let seed = stranger.stamped(version: 4)
        let refused: [(ClientCommand, String)] = [
            (.add(aliceID, name: nil), "your own ID"),
            (.add(seed, name: nil), "--plaintext-peers"),
            (.accept(seed), "--plaintext-peers"),
            (.send(to: seed, text: "x", tag: nil), "--plaintext-peers"),
            (.send(to: aliceID, text: "x", tag: nil), "your own ID"),
            (.send(to: stranger, text: "", tag: nil), "empty"),
            (.send(to: stranger, text: String(repeating: "x", count: 1000), tag: nil), "too long"),
            (.rename(stranger, "eve"), "no contact"),
            (.remove(stranger), "no contact"),
            (.read(stranger, MessageID(random: 1, 2)), "no contact"),
            (.retry(MessageID(random: 1, 2)), "no failed message"),
            (.cancel(MessageID(random: 1, 2)), "waits"),
        ]
        let before = world.events[alice]
        for (command, words) in refused {
            do throws(CommandError) {
                try world.perform(command, at: alice)
                Issue.record("\(command) was not refused")
            } catch {
                #expect(error.description.contains(words))
            }
        }
        #expect(world.events[alice] == before)
        #expect(world.peers[alice]?.contacts[stranger] == nil)
    }

    @Test func `the longest text that fits is sent, one byte more is refused`() throws {
        var world = World()
        try friends(&world)
        let empty = PeerMessage(source: aliceID, destination: bobID, text: "", created: world.wall)
        let longest = String(repeating: "x", count: WireLimits.seedDatagram - (try empty.encoded().count))
        try say(longest, in: &world)
        #expect(throws: CommandError.self) { try say(longest + "x", in: &world) }
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == [longest])
    }

    @Test func `a text that is refused accepts nobody and loses nothing that waited`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(1)
        try world.bring("knock", from: bobID, at: bob, for: aliceID, to: alice)
        #expect(throws: CommandError.self) { try say(String(repeating: "x", count: 1000), in: &world) }
        #expect(world.peers[alice]?.contacts[bobID]?.accepted == false)
        try world.perform(.accept(bobID), at: alice)
        #expect(world.shown(at: alice) == ["knock"])
    }

    @Test func `past the lane's limit a message is not taken`() throws {
        var world = World()
        world.addPeer(1)
        for number in 0..<Lane.limit { try say("\(number)", in: &world) }
        #expect(throws: CommandError.self) { try say("one more", in: &world) }
        #expect(world.peers[alice]?.peers.first?.waiting == Lane.limit)
    }

    // MARK: Failing, trying again, taking back

    @Test func `without an answer it fails after 15 seconds and says who was asked`() throws {
        var world = World()
        world.addPeer(1)
        try say("anybody?", tag: "x", in: &world)
        world.run(for: .milliseconds(14_999))
        #expect(world.states(at: alice, tag: "x") == [.queued])
        #expect(world.paths(at: alice) == [.none], "why it waits is told long before")
        world.run(for: .milliseconds(2))
        #expect(world.states(at: alice, tag: "x") == [.queued, .failed])
        let reason = try #require(world.lastFailure(at: alice))
        #expect(reason.cause == .noAnswer && reason.text.contains("127.0.0.1:50000 gave no answer"))
    }

    @Test func `a peer that nobody knows fails as such, one that starts meanwhile is found`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(1)
        try say("anybody?", tag: "x", in: &world)
        world.run(for: .seconds(16))
        #expect(world.lastFailure(at: alice)?.cause == .unknownPeer)
        try say("now?", tag: "y", in: &world)
        world.run(for: .seconds(3))
        world.addPeer(2)
        world.run(for: .seconds(8))
        #expect(world.states(at: alice, tag: "y") == [.queued, .sent])
        #expect(world.requests(at: bob).map(\.text) == ["now?"])
    }

    @Test func `a failed message tried again keeps its name, its tag and its time`() throws {
        var world = World()
        world.addPeer(1)
        try say("once more", tag: "x", in: &world)
        let written = world.wall
        world.run(for: .seconds(16))
        world.startIndex()
        world.addPeer(2)
        world.run(for: .seconds(20))
        let id = try #require(world.outgoing(at: alice).first)
        try world.perform(.retry(id), at: alice)
        #expect(throws: CommandError.self) { try world.perform(.retry(id), at: alice) }
        world.run(for: .seconds(1))
        #expect(world.states(at: alice, tag: "x") == [.queued, .failed, .queued, .sent])
        #expect(world.outgoing(at: alice) == [id])
        #expect(world.peers[alice]?.log.messages().map(\.state) == [.sent])
        #expect(world.requests(at: bob).map(\.created) == [written])
    }

    @Test func `a message that waits can be taken back, one that left can't`() throws {
        var world = World()
        try friends(&world)
        world.removeServer()
        for tag in ["a", "b"] { try say(tag, tag: tag, in: &world) }
        let ids = world.outgoing(at: alice)
        try world.perform(.cancel(ids[0]), at: alice)
        #expect(world.states(at: alice, tag: "a") == [.queued, .failed])
        world.startIndex(boot: "boot-2")
        world.run(for: .seconds(30))
        try say("c", in: &world)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob).last == "c" && !world.shown(at: bob).contains("a"))
        #expect(throws: CommandError.self) { try world.perform(.cancel(world.outgoing(at: alice)[2]), at: alice) }
    }

    @Test func `without index servers a peer is given up at once`() throws {
        var world = World()
        world.addPeer(1, servers: [], hasIndex: false)
        try say("x", tag: "x", in: &world)
        world.run(for: .milliseconds(1))
        #expect(world.states(at: alice, tag: "x") == [.queued, .failed])
    }

    @Test func `a message written before the index server has an address waits for it`() throws {
        var world = World()
        world.startIndex()
        world.addPeer(2)
        world.addPeer(1, servers: [])
        try say("early", tag: "x", in: &world)
        world.run(for: .seconds(2))
        #expect(world.states(at: alice, tag: "x") == [.queued])
        world.addIndex(World.index, to: alice)
        world.run(for: .seconds(2))
        #expect(world.states(at: alice, tag: "x") == [.queued, .sent])
    }

    // MARK: Addresses

    @Test func `a chat under way needs no index server, not even after a long silence`() throws {
        var world = World()
        try friends(&world)
        try say("1", in: &world)
        world.run(for: .seconds(1))
        world.removeServer()
        try say("2", in: &world)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == ["1", "2"] && queries(world) == 1)
        world.run(for: .seconds(700))
        try say("3", tag: "x", in: &world)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == ["1", "2", "3"], "an old address is better than none")
        world.run(for: .seconds(20))
        #expect(world.states(at: alice, tag: "x") == [.queued, .sent])
    }

    @Test func `an address that stopped working is looked up again`() throws {
        var world = World()
        world.reportsUnreachable = true
        try friends(&world)
        try say("1", in: &world)
        world.run(for: .seconds(1))
        world.remove(bob)
        let moved = World.place(22)
        try say("lost", in: &world)
        world.run(for: .milliseconds(100))
        #expect(world.paths(at: alice).contains(.none))
        world.addPeer(2, at: moved, contacts: [Contact(peer: aliceID, accepted: true)])
        try say("2", in: &world)
        world.run(for: .seconds(5))
        #expect(world.shown(at: moved) == ["2"])
        #expect(world.paths(at: alice).last == .plaintext)
    }

    @Test func `to a peer that is gone messages fail after 15 seconds, whatever the index remembers`() throws {
        var world = World()
        world.reportsUnreachable = true
        try friends(&world)
        try say("1", in: &world)
        world.run(for: .seconds(1))
        world.remove(bob)
        try say("lost", tag: "lost", in: &world)
        world.run(for: .seconds(1))
        try say("waits", tag: "waits", in: &world)
        world.run(for: .seconds(15))
        #expect(world.states(at: alice, tag: "lost") == [.queued, .sent], "this wire has no receipts")
        #expect(world.states(at: alice, tag: "waits") == [.queued, .failed])
        #expect(world.lastFailure(at: alice)?.text.contains("nobody reads any more") == true)
        // A false report, which anybody can forge, costs no more than that.
        world.addPeer(2, contacts: [Contact(peer: aliceID, accepted: true)], seed: 5)
        try say("again", in: &world)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob) == ["again"])
    }

    @Test func `a peer that writes from another address is looked up, and answered there`() throws {
        var world = World()
        try friends(&world)
        try say("1", in: &world)
        world.run(for: .seconds(1))
        world.remove(bob)
        let moved = World.place(22)
        world.addPeer(2, at: moved, contacts: [Contact(peer: aliceID, accepted: true)])
        world.run(for: .seconds(1))
        try world.perform(.send(to: aliceID, text: "I moved", tag: nil), at: moved)
        world.run(for: .milliseconds(200))
        try say("2", in: &world)
        world.run(for: .seconds(1))
        #expect(world.shown(at: alice) == ["I moved"] && world.shown(at: moved) == ["2"])
    }

    @Test func `forged senders neither lead messages away nor cost more than a query now and then`() throws {
        var world = World()
        try friends(&world)
        try say("1", in: &world)
        world.run(for: .seconds(1))
        let before = queries(world)
        for number in 0..<1000 {
            let source = Endpoint(address: .v4(0xC000_0200), port: UInt16(1000 + number))
            try world.bring("forged", from: bobID, at: source, for: aliceID, to: alice)
            if number % 100 == 0 { try say("\(number)", tag: "\(number)", in: &world) }
            world.run(for: .milliseconds(20))
        }
        world.run(for: .seconds(1))
        #expect(queries(world) - before <= 5)
        #expect(world.shown(at: bob).count == 11)
    }

    // MARK: Strangers

    @Test func `a stranger is one request, and its messages follow when accepted`() throws {
        var world = World()
        world.addPeer(1)
        for text in ["a", "b", "c"] { try world.bring(text, from: bobID, at: bob, for: aliceID, to: alice) }
        #expect(world.requests(at: alice).map(\.text) == ["a"] && world.shown(at: alice).isEmpty)
        try world.perform(.accept(bobID), at: alice)
        try world.perform(.accept(bobID), at: alice)
        try world.bring("d", from: bobID, at: bob, for: aliceID, to: alice)
        #expect(world.shown(at: alice) == ["a", "b", "c", "d"])
        #expect(world.requests(at: alice).count == 1)
    }

    @Test func `two that add each other see no request`() throws {
        var world = World()
        try friends(&world)
        try say("hello", in: &world)
        world.run(for: .seconds(1))
        #expect(world.requests(at: bob).isEmpty && world.shown(at: bob) == ["hello"])
    }

    @Test func `a blocked peer is not heard, and not written to`() throws {
        var world = World()
        try friends(&world)
        world.removeServer()
        try say("too late", tag: "x", in: &world)
        try world.perform(.block(bobID), at: alice)
        #expect(world.states(at: alice, tag: "x") == [.queued, .failed])
        #expect(world.lastFailure(at: alice)?.cause == .user)
        try world.bring("hear me", from: bobID, at: bob, for: aliceID, to: alice)
        #expect(world.shown(at: alice).isEmpty && world.notices(at: alice).isEmpty)
        #expect(throws: CommandError.self) { try say("x", in: &world) }
        #expect(world.peers[alice]?.contacts[bobID]?.blocked == true)
        try world.perform(.accept(bobID), at: alice)
        try world.bring("hear me", from: bobID, at: bob, for: aliceID, to: alice)
        #expect(world.shown(at: alice) == ["hear me"])
    }

    @Test func `a removed contact's messages fail, and it is looked for no more`() throws {
        var world = World()
        try friends(&world)
        world.removeServer()
        try say("never", tag: "x", in: &world)
        try world.perform(.remove(bobID), at: alice)
        #expect(world.states(at: alice, tag: "x") == [.queued, .failed])
        let count = world.events[alice]?.count
        let asked = queries(world)
        world.run(for: .seconds(3))
        #expect(queries(world) == asked && world.events[alice]?.count == count)
        #expect(world.peers[alice]?.peers.isEmpty == true)
    }

    @Test func `names and what waits are in the peer list, and contacts are kept`() throws {
        var world = World()
        try friends(&world)
        try world.perform(.rename(bobID, "robert"), at: alice)
        world.removeServer()
        try say("wait", in: &world)
        let row = try #require(world.peers[alice]?.peers.first)
        #expect(row.contact.name == "robert" && row.waiting == 1 && row.path == .none)
        try world.bring("knock", from: World.peer(7), at: World.place(7), for: aliceID, to: alice)
        let kept = world.saved[alice, default: []].compactMap { action -> [Contact]? in
            if case .saveContacts(let contacts) = action { contacts } else { nil }
        }
        #expect(kept.last?.map(\.name) == ["robert"], "strangers are not kept")
        try world.perform(.read(bobID, MessageID(random: 1, 1)), at: alice)
    }

    // MARK: Peers without a key

    @Test func `a peer without a key is dropped, counted and told once, unless the user lets such peers in`() throws {
        let seed = World.peer(9).stamped(version: 4)
        var world = World()
        world.addPeer(1)
        world.addPeer(2, plaintext: true)
        for text in ["a", "b"] {
            try world.bring(text, from: seed, at: .loopback(9), for: aliceID, to: alice)
            try world.bring(text, from: seed, at: .loopback(8), for: bobID, to: bob)
        }
        #expect(world.shown(at: alice).isEmpty && world.notices(at: alice).count == 1)
        #expect(world.notices(at: alice)[0].contains("--plaintext-peers"))
        #expect(world.shown(at: bob) == ["a", "b"] && world.requests(at: bob).isEmpty)
        try world.perform(.add(seed, name: "old"), at: bob)
        #expect(world.shown(at: bob) == ["a", "b"], "adding shows nothing twice")
    }

    @Test func `with a seed's server two clients chat under its names, even while it is away`() throws {
        var world = World()
        let server = SeedProgram()
        world.addServer { server.answer($0, $1, $2) }
        world.addPeer(1, plaintext: true)
        world.addPeer(2, plaintext: true)
        world.run(for: .seconds(1))
        guard case .noIdentities(let first)? = world.statuses(at: alice).last,
            case .noIdentities(let second)? = world.statuses(at: bob).last
        else { return #expect(Bool(false)) }
        try world.perform(.send(to: second, text: "hello", tag: "x"), at: alice)
        world.run(for: .seconds(1))
        try world.perform(.send(to: first, text: "hi", tag: nil), at: bob)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob, from: second).isEmpty)
        #expect(world.shown(at: bob, from: first) == ["hello"] && world.shown(at: alice, from: second) == ["hi"])
        world.removeServer()
        world.run(for: .seconds(60))
        try world.perform(.send(to: second, text: "still there?", tag: nil), at: alice)
        world.run(for: .seconds(1))
        #expect(world.shown(at: bob, from: first) == ["hello", "still there?"])
        // Restarted, the server gives new names; the old ones still reach us.
        let restarted = SeedProgram(seed: 77)
        world.addServer { restarted.answer($0, $1, $2) }
        world.run(for: .seconds(30))
        try world.perform(.send(to: first, text: "yes", tag: nil), at: bob)
        world.run(for: .seconds(1))
        #expect(world.shown(at: alice).last == "yes")
    }

    // MARK: What is no message for us

    @Test func `what does not concern us is dropped, counted and told once a kind`() throws {
        var world = World()
        world.addPeer(1)
        for _ in 0..<3 {
            world.deliver(.received(Datagram(Array("no JSON".utf8), bob)), to: alice)
            world.deliver(.received(Datagram(Array("{}".utf8), bob)), to: alice)
            try world.bring("for another", from: bobID, at: bob, for: World.peer(5), to: alice)
            try world.bring("from ourselves", from: aliceID, at: bob, for: aliceID, to: alice)
        }
        #expect(world.notices(at: alice).count == 3)
        #expect(world.shown(at: alice).isEmpty && world.requests(at: alice).isEmpty)
    }

    @Test func `too many strangers are dropped and told once`() throws {
        var world = World()
        world.addPeer(1)
        for number in 100..<(110 + ContactBook.strangerLimit) {
            let stranger = PeerID(high: UInt64(number), low: 1 << 63).stamped(version: 8)
            try world.bring("knock", from: stranger, at: bob, for: aliceID, to: alice)
        }
        #expect(world.requests(at: alice).count == ContactBook.strangerLimit)
        #expect(world.notices(at: alice).count == 1)
    }
}

/// Chance and a count that a closure of a world can use.
private final class Chance {
    var source: SplitMix64
    var count = 0
    init(_ seed: UInt64) { source = SplitMix64(seed: seed) }
}
