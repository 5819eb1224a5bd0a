// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Testing
import Wire

/// What a server does while the rows of its last run are still being read.
struct LoadingTests {
    private let home = Endpoint.loopback(50_001)
    private let identity = Identity()

    private func loaded(_ record: [UInt8], sequence: UInt64, remaining: Span = .seconds(7200)) -> LoadedRegistration {
        let wall = IndexHarness().wall
        return LoadedRegistration(
            StoredRegistration(
                peer: identity.peer, address: home, record: record, sequence: sequence, registered: wall - .seconds(60),
                expires: wall), remaining: remaining)
    }

    @Test func `a miss is no answer before everything is read`() throws {
        var index = IndexHarness(isLoading: true)
        let query = IndexRequest.query(.init(text: "\(identity.peer)")).encoded()
        #expect(index.send(query, from: home).verdict == .askStore(identity.peer))
        #expect(index.send(query, from: home).reply == nil)
        #expect(text(index.send(query, from: home, isFinal: true).reply)?.contains("nil") == true)
        index.service.finishLoading()
        #expect(text(index.send(query, from: home).reply)?.contains("nil") == true)
    }

    @Test func `a row that was read answers at once`() throws {
        var index = IndexHarness(isLoading: true)
        let record = try index.record(identity, at: home)
        index.service.restore([loaded(record, sequence: 1)], now: index.now, wall: index.wall)
        #expect(
            try index.ask(.query(.init(text: "\(identity.peer)")), from: home)
                == .answer(address: home, text: "\(identity.peer)", record: nil))
        #expect(index.snapshot().page.rows.first?.age == .seconds(60))
    }

    @Test func `an old record does not slip in before the newer one is read`() throws {
        var index = IndexHarness(isLoading: true)
        let sequence = UInt64(index.wall.milliseconds)
        let (old, new) = (
            try index.record(identity, at: home, sequence: sequence - 1),
            try index.record(identity, at: home, sequence: sequence)
        )
        var signed = IndexRequest.Signed(peer: identity.peer, record: old)
        guard
            case .cookie(let cookie, _, _)? = try index.ask(
                .registration(.init(address: home, signed: signed)), from: home)
        else {
            Issue.record("no cookie")
            return
        }
        signed.cookie = cookie
        let request = IndexRequest.registration(.init(address: home, signed: signed)).encoded()
        #expect(index.send(request, from: home).verdict == .askStore(identity.peer))
        index.service.restore([loaded(new, sequence: sequence)], now: index.now, wall: index.wall)
        #expect(index.send(request, from: home, isFinal: true).event.result == .denied(.staleSequence))
    }

    @Test func `what came since is newer than what is read`() throws {
        var index = IndexHarness(isLoading: true)
        let other = Endpoint.loopback(50_002)
        index.service.finishLoading()
        _ = try index.register(identity, from: other)
        index.service.restore([loaded([], sequence: 1)], now: index.now, wall: index.wall)
        #expect(index.snapshot().page.rows.map(\.address) == [other])
    }

    @Test(arguments: [Span.seconds(10), .seconds(7200), .seconds(1_000_000)])
    func `what is left of a lease is kept, but never more than one`(remaining: Span) throws {
        var index = IndexHarness()
        index.service.restore([loaded([1], sequence: 1, remaining: remaining)], now: index.now, wall: index.wall)
        #expect(index.snapshot().page.rows.map(\.expires) == [min(remaining, .seconds(7200))])
    }

    @Test func `seed rows come back the newest first, and the oldest goes first`() throws {
        var limits = IndexLimits()
        limits.seeds = 4
        var index = IndexHarness(limits: limits)
        let peers = (0..<4).map { PeerID(high: UInt64($0), low: 7).stamped(version: 4) }
        for number in (0..<4).reversed() {
            let row = StoredRegistration(
                peer: peers[number], address: home, registered: index.wall, expires: index.wall)
            let left = LoadedRegistration(row, remaining: .seconds(1000 + number))
            index.service.restore([left], now: index.now, wall: index.wall)
        }
        for peer in peers {
            #expect(
                try index.ask(.query(.init(text: "\(peer)")), from: home)
                    == .answer(address: home, text: "\(peer)", record: nil))
        }
        for gone in 0..<3 {
            _ = try index.ask(.registration(.init(address: home)), from: home)
            let found = index.snapshot(SnapshotRequest(rows: RowRequest(sort: .expires))).page.rows.map(\.peer)
            index.advance(.seconds(2))
            #expect(Set(found).isDisjoint(with: peers.prefix(gone)))
        }
        #expect(index.snapshot().use.seeds == 4)
    }
}
