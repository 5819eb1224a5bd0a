// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

/// Two clients at a server of the seed's kind, which gives them names without keys: they talk in the open.
@Suite struct PlaintextTests {
    private let alice = World.place(1)
    private let bob = World.place(2)
    /// The names that the server gives, in the order in which they register.
    private let aliceID: PeerID
    private let bobID: PeerID

    init() {
        var chance = SplitMix64(seed: 3)
        func name() -> PeerID { PeerID(high: chance.next(), low: chance.next()).stamped(version: 4) }
        (aliceID, bobID) = (name(), name())
    }

    private func startServer(_ world: inout World) {
        let server = SeedProgram()
        world.addServer { server.answer($0, $1, $2) }
    }

    /// Both are registered and allow it.
    private func friends(_ world: inout World) throws {
        startServer(&world)
        for number in 1...2 {
            world.addPeer(number, plaintext: true)
            world.run(for: .milliseconds(500))
        }
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
        #expect(world.requests(at: bob).isEmpty && world.net.sent.isEmpty)
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

    @Test func `without an answer it fails after 15 seconds and says who was asked`() throws {
        var world = World()
        world.addPeer(1, plaintext: true)
        try say("anybody?", tag: "x", in: &world)
        world.run(for: .milliseconds(14_999))
        #expect(world.states(at: alice, tag: "x") == [.queued])
        #expect(world.paths(at: alice) == [.none], "why it waits is told long before")
        world.run(for: .milliseconds(2))
        #expect(world.states(at: alice, tag: "x") == [.queued, .failed])
        let reason = try #require(world.lastFailure(at: alice))
        #expect(reason.cause == .noAnswer && reason.text.contains("127.0.0.1:50000 gave no answer"))
    }

    @Test func `a message that waits can be taken back, one that left can't`() throws {
        var world = World()
        try friends(&world)
        world.cutOff = [World.index]
        for tag in ["a", "b"] { try say(tag, tag: tag, in: &world) }
        let ids = world.outgoing(at: alice)
        try world.perform(.cancel(ids[0]), at: alice)
        #expect(world.states(at: alice, tag: "a") == [.queued, .failed])
        world.cutOff = []
        world.run(for: .seconds(5))
        #expect(world.shown(at: bob) == ["b"])
        #expect(throws: CommandError.self) { try world.perform(.cancel(ids[1]), at: alice) }
    }

    @Test func `without index servers a peer is given up at once`() throws {
        var world = World()
        world.addPeer(1, servers: [], plaintext: true, hasIndex: false)
        try say("x", tag: "x", in: &world)
        world.run(for: .milliseconds(1))
        #expect(world.states(at: alice, tag: "x") == [.queued, .failed])
    }

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

    // MARK: Who may

    @Test func `a peer without a key is dropped, counted and told once, unless the user lets such peers in`() throws {
        let seed = World.peer(9).stamped(version: 4)
        var world = World()
        world.addPeer(1)
        world.addPeer(2, plaintext: true)
        for text in ["a", "b"] {
            try world.bring(text, from: seed, at: .loopback(9), for: World.peer(1), to: alice)
            try world.bring(text, from: seed, at: .loopback(8), for: World.peer(2), to: bob)
        }
        #expect(world.shown(at: alice).isEmpty && world.notices(at: alice).count == 1)
        #expect(world.notices(at: alice)[0].contains("--plaintext-peers"))
        #expect(world.shown(at: bob) == ["a", "b"] && world.requests(at: bob).isEmpty)
        let refused: [ClientCommand] = [.add(seed, name: nil), .accept(seed), .send(to: seed, text: "x", tag: nil)]
        for command in refused { #expect(throws: CommandError.self) { try world.perform(command, at: alice) } }
        try world.perform(.allowPlaintext(seed, true), at: alice)
        try world.bring("c", from: seed, at: .loopback(9), for: World.peer(1), to: alice)
        try world.perform(.send(to: seed, text: "hello", tag: "x"), at: alice)
        #expect(world.shown(at: alice) == ["c"])
        try world.perform(.allowPlaintext(seed, false), at: alice)
        try world.bring("d", from: seed, at: .loopback(9), for: World.peer(1), to: alice)
        #expect(world.shown(at: alice) == ["c"] && world.states(at: alice, tag: "x") == [.queued, .failed])
        #expect(throws: CommandError.self) { try world.perform(.allowPlaintext(World.peer(2), true), at: alice) }
    }

    @Test func `without a name of a seed's server a seed's program is written to under our ID, and answers to it`()
        throws
    {
        var world = World()
        let index = world.startIndex()
        world.addPeer(1, plaintext: true)
        world.run(for: .seconds(1))
        let asks = IndexRequest.registration(.init(address: bob, signed: nil, nonce: nil, wantsProof: false)).encoded()
        let reply = try #require(index.answer(Datagram(asks, bob), world.now, world.wall))
        guard case .registered(let seed, nil) = try IndexReply.parse(reply).reply else { return #expect(Bool(false)) }
        try world.perform(.send(to: seed, text: "hi", tag: nil), at: alice)
        world.run(for: .seconds(1))
        let sent = try #require(world.traffic.last { $0.from == alice && $0.datagram.endpoint == bob }).datagram
        #expect(try PeerMessage(JSONObject(parsing: sent.bytes)).source == World.peer(1))
        #expect(index.knows(World.peer(1), now: world.now, wall: world.wall))
        try world.bring("hello", from: seed, at: bob, for: World.peer(1), to: alice)
        #expect(world.shown(at: alice, from: seed) == ["hello"])
        try world.bring("posing", from: World.peer(3), at: bob, for: World.peer(1), to: alice)
        #expect(world.shown(at: alice) == ["hello"], "of a peer with a key nothing is taken in the open")
    }

    @Test func `what waits for a peer without a key survives a restart`() throws {
        var world = World()
        try friends(&world)
        world.cutOff = [World.index]
        try say("later", tag: "x", in: &world)
        world.run(for: .seconds(1))
        world.remove(alice)
        world.run(for: .seconds(1))
        #expect(world.disks[alice]?.outgoing.map(\.state) == [.queued])
        world.cutOff = []
        world.addPeer(1, plaintext: true)
        world.run(for: .seconds(5))
        #expect(world.disks[alice]?.outgoing.map(\.state) == [.sent])
        #expect(world.shown(at: bob) == ["later"])
    }

    @Test func `what does not concern us is dropped, counted and told once a kind`() throws {
        var world = World()
        world.addPeer(1)
        for _ in 0..<3 {
            world.deliver(.received(Datagram(Array("no JSON".utf8), bob)), to: alice)
            world.deliver(.received(Datagram(Array("{}".utf8), bob)), to: alice)
            try world.bring("for another", from: bobID, at: bob, for: World.peer(5), to: alice)
            try world.bring("from ourselves", from: World.peer(1), at: bob, for: World.peer(1), to: alice)
        }
        // Of what is no message nothing is said.
        #expect(world.notices(at: alice).count == 2)
        #expect(world.shown(at: alice).isEmpty && world.requests(at: alice).isEmpty)
    }
}

/// Chance and a count that a closure of a world can use.
private final class Chance {
    var source: SplitMix64
    var count = 0
    init(_ seed: UInt64) { source = SplitMix64(seed: seed) }
}
