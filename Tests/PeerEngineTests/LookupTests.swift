// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
@testable import PeerEngine
import Testing
import Wire

@Suite struct LookupTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private let wall = WallTime(milliseconds: 1_795_000_000_000)
    private let server = Endpoint.loopback(50_000)
    private let bob = World.identity(2)
    private let home = Endpoint.loopback(50_002)

    private static func asked(_ server: Endpoint) -> Lookup.Server {
        Lookup.Server(endpoint: server, name: "\(server)")
    }

    private func lookup(_ peer: PeerID? = nil, minimum: UInt64 = 0) -> Lookup {
        var random = RandomSource.seeded(1)
        return Lookup(peer: peer ?? bob.peer, minimumSequence: minimum, now: start, random: &random)
    }

    /// A lookup that has asked, and its nonce.
    private func asked(_ peer: PeerID? = nil, minimum: UInt64 = 0) throws -> (Lookup, nonce: String) {
        var lookup = lookup(peer, minimum: minimum)
        let (send, _) = lookup.advance(now: start, servers: [Self.asked(server)])
        let request = try #require(send.first)
        guard case .query(let query) = try IndexRequest(parsing: request.bytes) else { throw CommandError("no query") }
        return (lookup, try #require(query.nonce))
    }

    private func record(
        _ identity: Identity? = nil, sequence: UInt64? = nil, validity: UInt32 = 86_400,
        at endpoints: [Endpoint]? = nil
    ) throws -> [UInt8] {
        let identity = identity ?? bob
        return try PeerRecord(
            key: identity.key, sequence: sequence ?? UInt64(wall.milliseconds), validity: validity,
            candidates: (endpoints ?? [home]).map { Candidate(.reflexive, $0) }
        ).signed(by: identity)
    }

    @Test func `it asks at 0, 0.5, 1.5, 3.5 and 7.5 seconds, and fails at 15`() {
        var lookup = lookup()
        var moments: [Double] = []
        while true {
            let now = lookup.deadline
            let (send, outcome) = lookup.advance(now: now, servers: [Self.asked(server)])
            if let outcome {
                #expect(now.since(start) == .seconds(15))
                let reason = Reason(.noAnswer, "asked 5 times: 127.0.0.1:50000 gave no answer")
                #expect(outcome == .failed(reason))
                break
            }
            #expect(lookup.advance(now: now, servers: [Self.asked(server)]) == ([], nil), "once per moment")
            #expect(send.map(\.endpoint) == [server])
            moments.append(now.since(start).seconds)
        }
        #expect(moments == [0, 0.5, 1.5, 3.5, 7.5])
    }

    @Test func `every query is the same datagram, padded for a record`() {
        var lookup = lookup()
        let first = lookup.advance(now: start, servers: [Self.asked(server)]).send
        let second = lookup.advance(now: lookup.deadline, servers: [Self.asked(server)]).send
        #expect(first == second && first.first?.bytes.count == WireLimits.paddedQuery)
    }

    @Test func `a server that becomes known meanwhile is asked`() {
        var lookup = lookup()
        #expect(lookup.advance(now: start, servers: []) == ([], nil))
        #expect(lookup.deadline == start + .milliseconds(500))
        #expect(lookup.advance(now: lookup.deadline, servers: [Self.asked(server)]).send.map(\.endpoint) == [server])
    }

    @Test func `without any server the reason says so after 15 seconds`() {
        var lookup = lookup()
        var outcome: Lookup.Outcome?
        while outcome == nil, lookup.deadline < start + .seconds(60) {
            outcome = lookup.advance(now: lookup.deadline, servers: []).outcome
        }
        #expect(lookup.deadline == start + .seconds(15))
        guard case .failed(let reason)? = outcome else { return #expect(Bool(false)) }
        #expect(reason.text.contains("no index server"))
    }

    @Test func `a record of the peer is found`() throws {
        var (lookup, nonce) = try asked()
        let answer = Lookup.Answer(address: .loopback(1), record: try record(), nonce: nonce, server: server)
        #expect(lookup.receive(answer, wall: wall) == .found(home, sequence: UInt64(wall.milliseconds)))
    }

    @Test func `"unknown" ends nothing, and is told in the end`() throws {
        var (lookup, nonce) = try asked()
        #expect(lookup.receive(.init(nonce: nonce, server: server), wall: wall) == nil)
        #expect(lookup.reason.cause == .unknownPeer)
        #expect(lookup.reason.text == "asked once: 127.0.0.1:50000 does not know \(bob.peer.shortDigits)")
        let answer = Lookup.Answer(record: try record(), nonce: nonce, server: server)
        #expect(lookup.receive(answer, wall: wall) != nil)
    }

    @Test(arguments: ["another nonce", "no nonce", "another server", "not asked yet"])
    func `an answer that may be a guess is no answer`(kind: String) throws {
        var (lookup, nonce) = try asked()
        var answer = Lookup.Answer(address: home, record: try record(), nonce: nonce, server: server)
        switch kind {
        case "another nonce": answer.nonce = "AAAA"
        case "no nonce": answer.nonce = nil
        case "another server": answer.server = .loopback(50_009)
        default: lookup = self.lookup()
        }
        #expect(lookup.receive(answer, wall: wall) == nil)
        answer.record = nil
        answer.address = nil
        #expect(lookup.receive(answer, wall: wall) == nil)
        #expect(lookup.reason.cause == .noAnswer, "it does not even count as unknown")
    }

    @Test func `records that prove nothing are refused, and the reason says why`() throws {
        let now = UInt64(wall.milliseconds)
        var forged = try record()
        forged[60] ^= 1
        let cases: [(record: [UInt8]?, minimum: UInt64, words: String)] = [
            (forged, 0, "broken or forged"),
            ([], 0, "broken or forged"),
            (try record(World.identity(3)), 0, "another peer's record"),
            (try record(sequence: now - 86_400_000), 0, "no longer valid"),
            (try record(sequence: now + 600_001), 0, "from the future"),
            (try record(sequence: now - 5), now - 4, "older record"),
            (try record(at: []), 0, "without a usable address"),
            (nil, 0, "without a signed record"),
        ]
        for (record, minimum, words) in cases {
            var (lookup, nonce) = try asked(minimum: minimum)
            let answer = Lookup.Answer(address: home, record: record, nonce: nonce, server: server)
            #expect(lookup.receive(answer, wall: wall) == nil, "\(words)")
            #expect(lookup.reason.text.contains(words))
        }
        var (lookup, nonce) = try asked(minimum: now)
        #expect(lookup.receive(.init(record: try record(), nonce: nonce, server: server), wall: wall) != nil)
    }

    @Test func `a plain address is believed of a peer without a key alone`() throws {
        let seed = bob.peer.stamped(version: 4)
        var (lookup, nonce) = try asked(seed)
        let answer = Lookup.Answer(address: home, nonce: nonce, server: server)
        #expect(lookup.receive(answer, wall: wall) == .found(home, sequence: 0))
        var (keyed, itsNonce) = try asked()
        #expect(keyed.receive(.init(address: home, nonce: itsNonce, server: server), wall: wall) == nil)
    }

    @Test func `without a nonce only a server of the seed's kind is believed`() throws {
        let seed = bob.peer.stamped(version: 4)
        var (lookup, _) = try asked(seed)
        #expect(lookup.receive(.init(address: home, server: server), wall: wall) == nil)
        #expect(lookup.receive(.init(address: home, server: server, isSeed: true), wall: wall) != nil)
        #expect(
            lookup.receive(.init(address: home, nonce: "AAAA", server: server, isSeed: true), wall: wall) == nil)
    }

    @Test(arguments: ["224.0.0.1:5", "0.0.0.0:5", "[ff02::1]:5"])
    func `an address that nothing may be sent to is refused`(address: String) throws {
        var (lookup, nonce) = try asked(bob.peer.stamped(version: 4))
        #expect(lookup.receive(.init(address: Endpoint(address), nonce: nonce, server: server), wall: wall) == nil)
        #expect(lookup.reason.text.contains("unusable"))
    }

    // MARK: More than one server

    private let second = Endpoint.loopback(50_009)

    /// A lookup of a peer whose record of `sequence` is known, and the answers of two servers that it has asked.
    private func askedTwo(minimum: UInt64) throws -> (
        Lookup, answer: (_ server: Endpoint, _ sequence: UInt64, _ place: Endpoint) throws -> Lookup.Answer
    ) {
        var (lookup, nonce) = try asked(minimum: minimum)
        _ = lookup.advance(now: lookup.deadline, servers: [Self.asked(server), Self.asked(second)])
        return (
            lookup,
            { Lookup.Answer(record: try record(sequence: $1, at: [$2]), nonce: nonce, server: $0) }
        )
    }

    @Test func `the first answer ends it when it is news, or when nothing was known`() throws {
        let now = UInt64(wall.milliseconds)
        for minimum in [0, now - 1] {
            var (lookup, answer) = try askedTwo(minimum: minimum)
            #expect(lookup.receive(try answer(server, now, home), wall: wall) == .found(home, sequence: now))
            #expect(lookup.record?.sequence == now)
        }
    }

    @Test func `a server that serves what is known already does not drown out one that knows better`() throws {
        let (now, moved) = (UInt64(wall.milliseconds), Endpoint.loopback(50_003))
        var (lookup, answer) = try askedTwo(minimum: now - 9)
        for _ in 0..<3 { #expect(lookup.receive(try answer(server, now - 9, home), wall: wall) == nil) }
        #expect(lookup.receive(try answer(second, now, moved), wall: wall) == .found(moved, sequence: now))
        #expect(lookup.record?.sequence == now)
    }

    @Test func `what is known already is taken when nobody knows better, or nobody says so soon`() throws {
        let now = UInt64(wall.milliseconds)
        let known = Lookup.Outcome.found(home, sequence: now)
        var (lookup, answer) = try askedTwo(minimum: now)
        #expect(lookup.receive(try answer(server, now, home), wall: wall) == nil)
        var other = lookup
        #expect(lookup.receive(try answer(second, now, home), wall: wall) == known)
        let servers = [Self.asked(server), Self.asked(second)]
        #expect(other.advance(now: other.deadline, servers: servers).outcome == known)
        #expect(other.record?.sequence == now)
    }
}
