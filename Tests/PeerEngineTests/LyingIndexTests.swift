// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Support
import Testing
import Wire

@testable import PeerEngine

/// Index servers that lie: whatever one answers, no address of a wrong peer is found, and the user is told what was
/// wrong.
@Suite struct LyingIndexTests {
    private static let wall = WallTime(milliseconds: 1_795_000_000_000)
    private static let now = UInt64(wall.milliseconds)
    private static let home = Endpoint(address: .v4(0xC000_0201), port: 50_001)
    private static let own = Endpoint(address: .v4(0xC633_6401), port: 50_002)
    private static let alice = World.identity(1)
    private static let bob = World.identity(2)
    private static let mallory = World.identity(3)

    /// A way to lie: what the server sends for a query, and what the user reads about it.
    struct Lie: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var reason: String
        var answers: @Sendable (_ nonce: String) throws -> [[UInt8]]

        init(
            _ name: String, _ reason: String, _ answers: @escaping @Sendable (_ nonce: String) throws -> [[UInt8]]
        ) {
            testDescription = name
            self.reason = reason
            self.answers = answers
        }

        /// One answer about the peer with such a record.
        init(_ name: String, _ reason: String, record: @escaping @Sendable () throws -> [UInt8]?) {
            self.init(name, reason) { [LyingIndexTests.answer($0, record: try record())] }
        }
    }

    static let lies = [
        Lie("another's record", "gave another peer's record") { try signed(by: mallory) },
        Lie("a record of the peer under another key", "gave a record that is broken or forged") {
            try record().signed(by: mallory)
        },
        Lie("a changed address in a record", "gave a record that is broken or forged") {
            var octets = try signed()
            octets[50] ^= 1
            return octets
        },
        Lie("an answer about another peer", "answered about another peer") { nonce in
            [answer(nonce, about: mallory.peer, record: try signed(by: mallory))]
        },
        Lie("a record older than one that was seen", "gave an older record than we have seen") {
            try signed(sequence: now - 60_001)
        },
        Lie("a record of 385 octets", "gave a record that is too long") {
            try signed() + [UInt8](repeating: 0, count: 300)
        },
        Lie("a thousand candidates", "gave a record that is broken or forged") {
            // More than a count octet says; 200 are said, and as many as fit are there.
            var octets = Array(try signed().prefix(46)) + [200]
            while octets.count < 370 { octets += [1, 4, 192, 0, 2, 1, 1, 2] }
            return octets
        },
        Lie("a record of nothing", "gave a record that is broken or forged") { [] },
        Lie("a record whose time is over", "gave a record that is no longer valid") {
            try signed(sequence: now - 10_000, validity: 10)
        },
        Lie("a record from eleven minutes ahead", "gave a record that is from the future") {
            try signed(sequence: now + 660_000)
        },
        Lie("a record from the end of time", "gave a record that is from the future") {
            try signed(sequence: .max, validity: .max)
        },
        Lie("a multicast address", "gave a record without a usable address") {
            try signed(at: Endpoint(address: .v4(0xE000_0001), port: 1))
        },
        Lie("the broadcast address", "gave a record without a usable address") {
            try signed(at: Endpoint(address: .v4(0xFFFF_FFFF), port: 1))
        },
        Lie("an IPv6 multicast address", "gave a record without a usable address") {
            try signed(at: Endpoint(address: .v6(0xFF02 << 48, 1), port: 1))
        },
        Lie("our own address", "gave our own address") { try signed(at: own) },
        Lie("an address without a record", "gave an address without a signed record") { nil },
        Lie("that it does not know a registered peer", "does not know") { nonce in
            [IndexReply.answer(address: nil, text: "\(bob.peer)", record: nil).encoded(nonce: nonce)]
        },
        Lie("a right answer to another question", "answered a question that was not asked") { _ in
            [answer("AAAAAAAAAAA", record: try signed())]
        },
        Lie("a right answer to no question", "answered a question that was not asked") { _ in
            [answer(nil, record: try signed())]
        },
        Lie("rubbish", "sent something that is no answer") { _ in
            [[0xFF, 0x00, 0x7F], Array("{}".utf8), Array("[1,2".utf8), []]
        },
        Lie("an answer in pieces", "sent something that is no answer") { nonce in
            answer(nonce, record: try signed()).map { [$0] }
        },
        Lie("two answers that contradict each other and are both wrong", "gave another peer's record") { nonce in
            [answer(nonce, record: nil), answer(nonce, record: try signed(by: mallory))]
        },
        Lie("silence", "gave no answer") { _ in [] },
    ]

    @Test(arguments: lies)
    func `nothing is found, and what was wrong is told`(lie: Lie) throws {
        var asker = Asker(minimumSequence: Self.now - 60_000)
        var outcome: Lookup.Outcome?
        while outcome == nil {
            let (nonce, end) = try asker.ask()
            outcome = end
            guard let nonce else { continue }
            for bytes in try lie.answers(nonce) {
                let found = asker.receive(bytes)
                try #require(found == nil)
            }
        }
        guard case .failed(let reason)? = outcome else {
            Issue.record("found \(String(describing: outcome))")
            return
        }
        #expect(reason.text.contains("asked 5 times: index.example:50000 \(lie.reason)"), "\(reason.text)")
        #expect(!reason.text.contains("\(Asker.server)"), "the server is named as the user wrote it")
    }

    @Test(arguments: lies.filter { $0.testDescription != "silence" })
    func `a right answer after the lie is taken`(lie: Lie) throws {
        var asker = Asker(minimumSequence: Self.now - 60_000)
        let asked = try asker.ask()
        let nonce = try #require(asked.nonce)
        for bytes in try lie.answers(nonce) {
            let found = asker.receive(bytes)
            try #require(found == nil)
        }
        let right = Self.answer(nonce, record: try Self.signed())
        let found = asker.receive(right)
        #expect(found == .found(Self.home, sequence: Self.now))
    }

    @Test func `an answer that drips in after the end is no use to anybody`() throws {
        var asker = Asker()
        let asked = try asker.ask()
        let nonce = try #require(asked.nonce)
        while try asker.ask().end == nil {}
        let found = asker.receive(Self.answer(nonce, record: try Self.signed()))
        #expect(found == nil)
    }

    // MARK: A pinned server

    private static let key = World.identity(50).key

    /// A server of ours, under a key or none.
    private static func server(_ identity: Identity?) -> IndexMachine {
        IndexService(
            info: ServerInfo(version: "test", listen: "x", boot: "b"), secret: [UInt8](repeating: 1, count: 32),
            identity: identity, now: Asker.start
        ).makeMachine()
    }

    @Test func `that proves its key is registered at and believed`() throws {
        let index = Self.server(World.identity(50))
        var asker = Asker(pinned: Self.key)
        asker.register(at: index)
        guard case .ok = asker.link.status else {
            Issue.record("\(asker.link.status)")
            return
        }
        try Self.register(Self.bob, at: Self.home, index)
        let (_, outcome) = try asker.query(index)
        #expect(outcome == .found(Self.home, sequence: Self.now))
    }

    @Test(arguments: [
        (nil, "answered without proving the key that you pinned, for it proves no key"),
        (51, "answered without proving the key that you pinned, but another one"),
    ])
    func `that proves none or another is as good as silent`(number: Int?, reason: String) throws {
        let index = Self.server(number.map(World.identity))
        var asker = Asker(pinned: Self.key)
        asker.register(at: index)
        #expect(asker.link.status == .unreachable(reason))
        try Self.register(Self.bob, at: Self.home, index)
        let (told, outcome) = try asker.query(index)
        #expect(outcome == nil)
        #expect(told.contains("index.example:50000 \(reason)"), "\(told)")
    }

    @Test func `of the seed's kind proves no key, and is told so`() throws {
        var asker = Asker(pinned: Self.key)
        var sequence: UInt64 = 0
        _ = asker.link.advance(now: asker.now, wall: Self.wall, sequence: &sequence)
        let answer = Array(#"{"status":"OK","uuid":"6f1e2d3c-0000-4000-8000-000000000001"}"#.utf8)
        guard let (reply, nonce) = asker.link.read(answer) else { throw CommandError("unread") }
        _ = asker.link.receive(reply, nonce: nonce, now: asker.now, wall: Self.wall, sequence: &sequence)
        let text = "answered without proving the key that you pinned, for it proves no key"
        #expect(asker.link.status == .unreachable(text))
        #expect(asker.link.assigned.isEmpty)
    }

    /// The proof is of this question and of every word of the answer.
    @Test func `cannot be spoken for by who changes, repeats or moves its answers`() throws {
        let index = Self.server(World.identity(50))
        try Self.register(Self.bob, at: Self.home, index)
        var asker = Asker(pinned: Self.key)
        let asked = try asker.ask()
        let nonce = try #require(asked.nonce)
        let genuine = try #require(Self.reply(index, about: Self.bob.peer, nonce))
        let repeated = try #require(Self.reply(index, about: Self.bob.peer, "AAAAAAAAAAA"))
        let other = try #require(Self.reply(index, about: Self.mallory.peer, nonce))
        let proof = try #require(try IndexAnswer(parsing: genuine).proof)
        let record = try Self.signed()
        let forged = try [
            IndexReply.answer(address: Self.own, text: "\(Self.bob.peer)", record: record).encoded(
                nonce: nonce, proof: proof),
            IndexReply.answer(address: nil, text: "\(Self.bob.peer)", record: nil).encoded(nonce: nonce, proof: proof),
            IndexReply.answer(address: Self.home, text: "\(Self.mallory.peer)", record: record).encoded(
                nonce: nonce, proof: proof),
            IndexReply.answer(address: Self.home, text: "\(Self.bob.peer)", record: Self.signed(sequence: Self.now - 1))
                .encoded(nonce: nonce, proof: proof),
            IndexAnswer(parsing: repeated).reply.encoded(nonce: nonce, proof: IndexAnswer(parsing: repeated).proof),
            IndexAnswer(parsing: genuine).reply.encoded(nonce: nonce, proof: IndexAnswer(parsing: other).proof),
            IndexAnswer(parsing: genuine).reply.encoded(
                nonce: nonce, proof: IndexProof(signature: [], key: Self.key.octets)),
            IndexAnswer(parsing: genuine).reply.encoded(nonce: nonce),
        ]
        for bytes in forged {
            let found = asker.receive(bytes)
            #expect(found == nil)
            #expect(asker.link.asked.fault?.hasPrefix("answered without proving the key that you pinned") == true)
        }
        let found = asker.receive(genuine)
        #expect(found == .found(Self.home, sequence: Self.now))
        #expect(asker.link.asked.fault == nil)
    }

    /// The whole client hears of it.
    @Test func `is pinned through the client`() {
        let server = Endpoint.loopback(50_000)
        for (number, isRight) in [(50, true), (51, false)] {
            let index = Self.server(World.identity(number))
            var machine = ClientMachine(
                ClientConfiguration(identity: Self.alice, address: Self.own, random: .seeded(1)))
            machine.addIndex("index.example:50000", at: server, key: Self.key, place: 0, now: Asker.start)
            var actions = machine.advance(now: Asker.start, wall: Self.wall)
            var generator = SplitMix64(seed: 1)
            var states: [IndexStatus] = []
            for _ in 0..<4 {
                var next: [ClientMachine.Action] = []
                for action in actions {
                    if case .tell(.index("index.example:50000", let state)) = action { states.append(state) }
                    guard case .send(let datagram) = action,
                        let reply = index.answer(
                            datagram.bytes, from: Self.own, now: Asker.start, wall: Self.wall, using: &generator)
                    else { continue }
                    next += machine.receive(.received(Datagram(reply, server)), now: Asker.start, wall: Self.wall)
                }
                actions = next
            }
            #expect((states.last == .ok(.zero)) == isRight, "\(states)")
        }
    }

    // MARK: Records and answers

    private static func record(
        of identity: Identity = bob, sequence: UInt64 = now, validity: UInt32 = 86_400, at place: Endpoint = home
    ) -> PeerRecord {
        PeerRecord(
            key: identity.key, sequence: sequence, validity: validity, candidates: [Candidate(.reflexive, place)])
    }

    private static func signed(
        by identity: Identity = bob, sequence: UInt64 = now, validity: UInt32 = 86_400, at place: Endpoint = home
    ) throws -> [UInt8] {
        try record(of: identity, sequence: sequence, validity: validity, at: place).signed(by: identity)
    }

    private static func answer(_ nonce: String?, about peer: PeerID = bob.peer, record: [UInt8]?) -> [UInt8] {
        IndexReply.answer(address: .loopback(1), text: "\(peer)", record: record).encoded(nonce: nonce)
    }

    private static func reply(_ index: IndexMachine, about peer: PeerID, _ nonce: String) -> [UInt8]? {
        var generator = SplitMix64(seed: 2)
        let query = IndexRequest.query(.init(text: "\(peer)", nonce: nonce, wantsProof: true)).encoded()
        return index.answer(query, from: own, now: Asker.start, wall: wall, using: &generator)
    }

    private static func register(_ identity: Identity, at place: Endpoint, _ index: IndexMachine) throws {
        var generator = SplitMix64(seed: 2)
        var signed = IndexRequest.Signed(peer: identity.peer, record: try signed(by: identity, at: place))
        for _ in 0..<2 {
            let request = IndexRequest.registration(.init(address: place, signed: signed)).encoded()
            let reply = index.answer(request, from: place, now: Asker.start, wall: wall, using: &generator)
            if case .cookie(let cookie, _, _)? = try reply.map({ try IndexReply.parse($0).reply }) {
                signed.cookie = cookie
            }
        }
    }

    /// A client of one server, with one lookup under way.
    private struct Asker {
        static let start = Instant(nanoseconds: 1_000_000_000_000)
        static let server = Endpoint.loopback(50_000)

        private(set) var now = start
        var link: IndexLink
        private var lookup: Lookup

        init(minimumSequence: UInt64 = 0, pinned: PeerKey? = nil) {
            var random = RandomSource.seeded(1)
            link = IndexLink(
                server: Self.server, name: "index.example:50000", pinned: pinned, identity: alice, address: own,
                now: Self.start, random: random.split())
            lookup = Lookup(
                peer: bob.peer, minimumSequence: minimumSequence, own: own, now: Self.start, random: &random)
        }

        /// Waits until the next query is due, or the end.
        mutating func ask() throws -> (nonce: String?, end: Lookup.Outcome?) {
            now = max(now, lookup.deadline)
            let (send, end) = lookup.advance(now: now, servers: [link.asked])
            guard let datagram = send.first, case .query(let query) = try IndexRequest(parsing: datagram.bytes) else {
                return (nil, end)
            }
            return (query.nonce, end)
        }

        mutating func receive(_ bytes: [UInt8]) -> Lookup.Outcome? {
            guard let (reply, nonce) = link.read(bytes), case .answer(let address, let text, let record) = reply,
                now < lookup.started + Timing.lookup
            else { return nil }
            let answer = Lookup.Answer(
                address: address, text: text, record: record, nonce: nonce, server: Self.server, isSeed: link.isSeed)
            return lookup.receive(answer, wall: wall)
        }

        mutating func register(at index: IndexMachine) {
            var (generator, sequence) = (SplitMix64(seed: 1), UInt64(0))
            var actions = link.advance(now: now, wall: wall, sequence: &sequence)
            for _ in 0..<3 {
                var next: [IndexLink.Action] = []
                for case .send(let bytes) in actions {
                    let reply = index.answer(bytes, from: own, now: now, wall: wall, using: &generator)
                    guard let reply, let (said, nonce) = link.read(reply) else { continue }
                    next += link.receive(said, nonce: nonce, now: now, wall: wall, sequence: &sequence)
                }
                actions = next
            }
        }

        /// One query and its answer, and what the user would read then.
        mutating func query(_ index: IndexMachine) throws -> (told: String, outcome: Lookup.Outcome?) {
            var generator = SplitMix64(seed: 1)
            now = max(now, lookup.deadline)
            var outcome: Lookup.Outcome?
            for datagram in lookup.advance(now: now, servers: [link.asked]).send {
                let reply = index.answer(datagram.bytes, from: own, now: now, wall: wall, using: &generator)
                if let reply { outcome = receive(reply) }
            }
            _ = lookup.advance(now: lookup.deadline, servers: [link.asked])
            return (lookup.reason.text, outcome)
        }
    }
}
