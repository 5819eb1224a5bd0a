// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Testing
import Wire

struct TheftTests {
    private let owner = Identity()
    private let thief = Identity()
    private let home = Endpoint.loopback(5000)
    private let den = Endpoint.loopback(6666)

    private func registered() throws -> IndexHarness {
        var index = IndexHarness()
        guard case .registered(owner.peer, .some)? = try index.register(owner, from: home) else {
            throw Refusal()
        }
        return index
    }

    private struct Refusal: Error {}

    private func address(_ index: inout IndexHarness) throws -> Endpoint? {
        guard case .answer(let address, _, _)? = try index.ask(.query(.init(text: "\(owner.peer)")), from: den) else {
            return nil
        }
        return address
    }

    private func isDenied(_ reply: IndexReply?, _ denial: Denial) -> Bool { reply == .failed(reason: denial.rawValue) }

    @Test func `the same UUID is returned, with a lease`() throws {
        var index = IndexHarness()
        guard case .registered(let uuid, let lease?)? = try index.register(owner, from: home) else {
            Issue.record("refused")
            return
        }
        #expect(uuid == owner.peer)
        #expect(lease.seconds == 7200 && lease.boot == IndexHarness.info.boot && lease.seen == home)
        #expect(try address(&index) == home)
    }

    @Test func `another key can't take the row`() throws {
        var index = try registered()
        let reply = try index.register(owner.peer, record: index.record(thief, at: den), from: den)
        #expect(isDenied(reply, .wrongKey))
        #expect(try address(&index) == home)
    }

    @Test func `a forged signature is refused`() throws {
        var index = try registered()
        index.advance(.seconds(1))
        var record = try index.record(owner, at: den)
        record[record.count - 1] ^= 1
        #expect(isDenied(try index.register(owner.peer, record: record, from: den), .badSignature))
        #expect(isDenied(try index.register(owner.peer, record: [1, 2, 3], from: den), .badRecord))
        #expect(try address(&index) == home)
    }

    @Test func `an older sequence is refused and a newer one moves`() throws {
        var index = try registered()
        let sequence = UInt64(index.wall.milliseconds)
        for old in [sequence - 1, sequence] {
            let record = try index.record(owner, at: den, sequence: old)
            #expect(isDenied(try index.register(owner.peer, record: record, from: den), .staleSequence))
        }
        #expect(try address(&index) == home)
        let record = try index.record(owner, at: den, sequence: sequence + 1)
        #expect(try index.register(owner.peer, record: record, from: den) != nil)
        #expect(try address(&index) == den)
        #expect(index.snapshot().counters.moves == 1)
    }

    @Test func `a record read in an answer can't be registered from elsewhere`() throws {
        var index = try registered()
        let record = try index.record(owner, at: home)
        #expect(isDenied(try index.register(owner.peer, record: record, from: den), .foreignAddress))
        #expect(try address(&index) == home)
        // Nor after the lease is over.
        index.advance(.seconds(7201))
        #expect(try address(&index) == nil)
        #expect(isDenied(try index.register(owner.peer, record: record, from: den), .foreignAddress))
    }

    @Test func `a record that does not list its source is refused`() throws {
        var index = IndexHarness()
        let record = try index.record(owner)
        #expect(isDenied(try index.register(owner.peer, record: record, from: home), .foreignAddress))
        #expect(try address(&index) == nil)
    }

    @Test func `nobody can claim a UUIDv4 with a record`() throws {
        var index = IndexHarness()
        guard case .registered(let uuid, _)? = try index.ask(.registration(.init(address: home)), from: home) else {
            Issue.record("refused")
            return
        }
        let reply = try index.register(uuid, record: index.record(thief, at: den), from: den)
        #expect(isDenied(reply, .wrongKey))
        #expect(
            try index.ask(.query(.init(text: "\(uuid)")), from: den)
                == .answer(address: home, text: "\(uuid)", record: nil))
    }

    @Test func `a cookie is good for its source and its time alone`() throws {
        var index = IndexHarness()
        var signed = IndexRequest.Signed(peer: owner.peer, record: try index.record(owner, at: home))
        func request() -> IndexRequest { .registration(.init(address: home, signed: signed)) }
        guard case .cookie(let cookie, home, _)? = try index.ask(request(), from: home) else {
            Issue.record("no cookie")
            return
        }
        #expect(cookie.count == 16)
        signed.cookie = cookie
        for stranger in [den, Endpoint(address: .v4(0x7F00_0002), port: home.port)] {
            guard case .cookie? = try index.ask(request(), from: stranger) else {
                Issue.record("taken")
                return
            }
        }
        #expect(try address(&index) == nil)
        index.advance(.seconds(121))
        guard case .cookie? = try index.ask(request(), from: home) else {
            Issue.record("taken")
            return
        }
        guard case .cookie(let fresh, _, _)? = try index.ask(request(), from: home) else {
            Issue.record("another answer")
            return
        }
        signed.cookie = fresh
        index.advance(.seconds(60))
        guard case .registered? = try index.ask(request(), from: home) else {
            Issue.record("refused")
            return
        }
    }

    @Test(arguments: [(600_000, true), (600_001, false)])
    func `a sequence may be ten minutes ahead, no more`(ahead: Int, accepted: Bool) throws {
        var index = IndexHarness()
        let sequence = UInt64(index.wall.milliseconds) + UInt64(ahead)
        let reply = try index.register(
            owner.peer, record: index.record(owner, at: home, sequence: sequence), from: home)
        #expect(isDenied(reply, .futureSequence) == !accepted)
    }

    @Test(arguments: [UInt64.max, UInt64(Int64.max), UInt64(Int64.max) + 1])
    func `absurd sequences are refused`(sequence: UInt64) throws {
        var index = IndexHarness()
        let record = try index.record(owner, at: home, sequence: sequence)
        #expect(isDenied(try index.register(owner.peer, record: record, from: home), .futureSequence))
    }

    @Test func `a record past its validity is refused`() throws {
        var index = IndexHarness()
        let record = try index.record(owner, at: home, validity: 10)
        index.advance(.seconds(10))
        #expect(isDenied(try index.register(owner.peer, record: record, from: home), .expiredRecord))
    }

    /// The backup remembers an old sequence, the server the newest one: the clock is ahead of both.
    @Test func `an identity from an old backup gets its row back`() throws {
        var index = IndexHarness()
        let identity = Identity()
        let (lost, found) = (Endpoint.loopback(41_001), Endpoint.loopback(41_002))
        let backup = PeerRecord.nextSequence(after: 0, now: index.wall)
        index.advance(.seconds(30 * 86_400))
        let last = PeerRecord.nextSequence(after: backup, now: index.wall)
        let record = try index.record(identity, at: lost, sequence: last)
        #expect(try index.register(identity.peer, record: record, from: lost) != nil)
        index.advance(.seconds(1))
        let next = PeerRecord.nextSequence(after: backup, now: index.wall)
        let again = try index.record(identity, at: found, sequence: next)
        guard case .registered? = try index.register(identity.peer, record: again, from: found) else {
            Issue.record("locked out")
            return
        }
        let answer = try index.ask(.query(.init(text: "\(identity.peer)")), from: .loopback(9))
        #expect(answer == .answer(address: found, text: "\(identity.peer)", record: nil))
    }
}
