// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Support
import Testing
import Wire

/// Clocks that jump under a running server. Leases run by the monotonic clock, which nobody sets; the wall clock, which
/// anybody may, decides about records alone.
struct TimeJumpTests {
    private static let start = WallTime(milliseconds: 1_795_000_000_000)
    private static let hour = Span.seconds(3600)
    private static let days400 = Span.seconds(400 * 86_400)
    private static let jumps: [WallTime] = [
        start + hour, start - hour, start + days400, start - days400, WallTime(milliseconds: 0),
        WallTime(milliseconds: 4_294_967_296_000), .earliest, .latest,
    ]

    private let home = Endpoint.loopback(5000)
    private let elsewhere = Endpoint.loopback(5001)
    private let identity = Identity()

    private func token(_ index: inout IndexHarness) throws -> [UInt8] {
        guard case .registered(_, let lease?)? = try index.register(identity, from: home) else {
            Issue.record("refused")
            return []
        }
        return lease.token
    }

    private func seed(_ index: inout IndexHarness) throws -> PeerID {
        guard
            case .registered(let peer, nil)? = try index.ask(.registration(.init(address: elsewhere)), from: elsewhere)
        else {
            Issue.record("refused")
            return PeerID(high: 0, low: 0)
        }
        return peer
    }

    /// Where a peer is said to live.
    private func address(of peer: PeerID, _ index: inout IndexHarness) throws -> Endpoint? {
        guard case .answer(let address, _, _)? = try index.ask(.query(.init(text: "\(peer)")), from: .loopback(9))
        else {
            return nil
        }
        return address
    }

    /// A snapshot that survives its journey to a display.
    private func snapshot(_ index: inout IndexHarness) throws -> IndexSnapshot {
        let snapshot = index.snapshot()
        let read = try IndexSnapshot(json: JSONObject(parsing: Array(snapshot.jsonText.utf8)))
        #expect(read.time == snapshot.time && read.page.rows.map(\.peer) == snapshot.page.rows.map(\.peer))
        return snapshot
    }

    @Test(arguments: jumps)
    func `the wall clock takes nobody's lease and gives nobody one`(jump: WallTime) throws {
        var index = IndexHarness()
        let token = try token(&index)
        let seed = try seed(&index)
        let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: token))
        index.advance(.seconds(3600))
        index.wall = jump
        let row = try #require(try snapshot(&index).page.rows.first { $0.peer == identity.peer })
        #expect(row.expires == .seconds(3600) && row.age == .seconds(3600))
        #expect(index.sweep().isEmpty)
        #expect(try address(of: identity.peer, &index) == home)
        #expect(try address(of: seed, &index) == elsewhere)

        // What a store gets is dated by the clock that it will be read by.
        let renewed = index.send(keepalive.encoded(), from: home)
        guard case .put(let stored)? = renewed.change else { return #expect(Bool(false), "\(renewed)") }
        #expect(stored.expires == jump + .seconds(7200) && stored.registered == jump - .seconds(3600))

        index.advance(.seconds(7199))
        #expect(try address(of: identity.peer, &index) == home)
        index.advance(.seconds(1))
        #expect(try address(of: identity.peer, &index) == nil)
        #expect(try address(of: seed, &index) == elsewhere)
        #expect(index.sweep() == [.remove(identity.peer)])
        #expect(try snapshot(&index).use.keyed == 0)
    }

    /// What a server says whose clock is wrong to a client whose clock is right.
    @Test(arguments: [
        (start + hour, nil), (start - hour, "future_sequence"), (start + days400, "expired_record"),
        (start - days400, "future_sequence"), (WallTime(milliseconds: 0), "future_sequence"),
        (WallTime(milliseconds: 4_294_967_296_000), "expired_record"), (.earliest, "future_sequence"),
        (.latest, "expired_record"),
    ])
    func `records are judged by the wall clock, and again rightly when it is right again`(
        jump: WallTime, refusal: String?
    ) throws {
        var index = IndexHarness()
        let token = try token(&index)
        index.advance(.seconds(60))
        let right = index.wall
        let other = Identity()
        let record = try index.record(other, at: elsewhere)
        index.wall = jump
        let reply = try index.register(other.peer, record: record, from: elsewhere)
        if let refusal {
            #expect(reply == .failed(reason: refusal))
        } else {
            guard case .registered? = reply else { return #expect(Bool(false), "\(String(describing: reply))") }
        }
        // Who is there already needs no record to stay.
        let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: token))
        #expect(try index.ask(keepalive, from: home) == .alive(boot: "1a2b3c4d", leaseSeconds: 7200))

        index.wall = right
        for (owner, place) in [(other, elsewhere), (identity, home)] {
            guard case .registered? = try index.register(owner, from: place) else {
                return #expect(Bool(false), "a right clock did not help")
            }
        }
    }

    @Test(arguments: 1...4)
    func `a wall clock that never rests harms nobody`(seed number: UInt64) throws {
        var chance = SplitMix64(seed: number)
        var index = IndexHarness()
        let token = try token(&index)
        let seed = try seed(&index)
        let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: token))
        for _ in 0..<400 {
            index.advance(.seconds(20))
            index.wall = TimeJumpTests.jumps.randomElement(using: &chance) ?? index.wall
            #expect(try index.ask(keepalive, from: home) == .alive(boot: "1a2b3c4d", leaseSeconds: 7200))
            _ = try index.ask(.registration(.init(address: elsewhere)), from: elsewhere)
            #expect(try address(of: seed, &index) == elsewhere)
            #expect(index.sweep().isEmpty)
        }
        let snapshot = try snapshot(&index)
        #expect(
            snapshot.counters.keepalives == 400
                && snapshot.use == RegistryUse(keyed: 1, seeds: 401, recordBytes: snapshot.use.recordBytes))
    }

    /// As after a machine's long sleep, if its monotonic clock went on.
    @Test(arguments: [10, 4000])
    func `days that pass at once end every lease, and give the memory back`(days: Int) throws {
        var index = IndexHarness()
        let token = try token(&index)
        var keyed: Set<PeerID> = [identity.peer]
        for port in UInt16(6000)..<6050 {
            let other = Identity()
            keyed.insert(other.peer)
            _ = try index.register(other, from: .loopback(port))
            _ = try self.seed(&index)
        }
        let seed = try seed(&index)
        #expect(index.snapshot().use.keyed == 51 && index.snapshot().use.seeds == 51)

        index.now = index.now + .seconds(days * 86_400)
        #expect(try address(of: identity.peer, &index) == nil)
        #expect(try address(of: seed, &index) == nil)
        let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: token))
        #expect(try index.ask(keepalive, from: home) == .unknown(boot: "1a2b3c4d", spreadSeconds: 2))
        #expect(try snapshot(&index).page.rows.isEmpty)
        #expect(index.service.nextSweep(now: index.now) == index.now + .seconds(1))
        let removed = index.sweep().compactMap { change -> PeerID? in
            if case .remove(let peer) = change { peer } else { nil }
        }
        #expect(Set(removed) == keyed && removed.count == keyed.count)
        #expect(try snapshot(&index).use == RegistryUse())

        guard days < 365 * 6 else { return }
        _ = try self.token(&index)
        #expect(try address(of: identity.peer, &index) == home)
        #expect(try snapshot(&index).use.keyed == 1)
    }
}
