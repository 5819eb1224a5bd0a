// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Support
import Testing
import Wire

struct LimitTests {
    private func index(_ change: (inout IndexLimits) -> Void = { _ in }) -> IndexHarness {
        var limits = IndexLimits()
        limits.requests = .init(perSecond: 10, burst: 20)
        limits.registrations = .init(perSecond: 2, burst: 4)
        change(&limits)
        return IndexHarness(limits: limits)
    }

    private let query = #"{"req_type":"query","queried_uuid":"00000000-0000-4000-8000-000000000000"}"#
    private let registration = #"{"req_type":"registration","addr":"127.0.0.1:7"}"#

    private func source(_ number: UInt32, port: UInt16 = 7) -> Endpoint {
        Endpoint(address: .v4(0xC633_6400 &+ number), port: port)
    }

    @Test func `a source gets its burst, then its rate, and loses nothing by asking more`() {
        var index = index()
        var answered = (0..<100).count { _ in index.send(query, from: source(1)).reply != nil }
        #expect(answered == 20)
        for _ in 0..<50 {
            index.advance(.milliseconds(100))
            answered += (0..<10).count { _ in index.send(query, from: source(1)).reply != nil }
        }
        #expect(answered == 70)
        let snapshot = index.snapshot()
        #expect(snapshot.counters.limited == 530)
        #expect(snapshot.sources.first?.limited == 530)
        #expect(snapshot.feed.allSatisfy { $0.event.result != .limited })
    }

    @Test func `a whole IPv4 24 or IPv6 48 is one source, and another one is not touched`() {
        var index = index()
        for number in 0..<100 { _ = index.send(query, from: source(UInt32(number), port: UInt16(1000 + number))) }
        #expect(index.send(query, from: source(200)).reply == nil)
        #expect(index.send(query, from: source(300)).reply != nil)
        func v6(_ high: UInt64) -> Endpoint { Endpoint(address: .v6(high, 1), port: 7) }
        for number in 0..<100 { _ = index.send(query, from: v6(0x2001_0DB8_0001_0000 + UInt64(number))) }
        #expect(index.send(query, from: v6(0x2001_0DB8_0001_FFFF)).reply == nil)
        #expect(index.send(query, from: v6(0x2001_0DB8_0002_0000)).reply != nil)
    }

    @Test func `registrations have a limit of their own`() {
        var index = index()
        let answered = (0..<10).count { _ in index.send(registration, from: source(1)).reply != nil }
        #expect(answered == 4)
        #expect(index.send(query, from: source(1)).reply != nil)
    }

    @Test func `a proof costs as much as a registration`() throws {
        var limits = IndexLimits()
        limits.registrations = .init(perSecond: 2, burst: 4)
        var index = IndexHarness(identity: Identity(), limits: limits)
        let query = IndexRequest.query(
            .init(text: "00000000-0000-4000-8000-000000000000", nonce: "n", wantsProof: true)
        ).encoded()
        #expect((0..<10).count { _ in index.send(query, from: source(1)).reply != nil } == 4)
    }

    @Test func `this machine's own programs are exempt unless the operator says otherwise`() {
        var (free, strict) = (index(), index { $0.limitsLoopback = true })
        #expect((0..<100).count { _ in free.send(query).reply != nil } == 100)
        #expect((0..<100).count { _ in strict.send(query).reply != nil } == 20)
    }

    @Test func `new limits hold at once`() {
        var index = index()
        for _ in 0..<100 { _ = index.send(query, from: source(1)) }
        var limits = IndexLimits()
        limits.requests = .init(perSecond: 1000, burst: 10_000)
        index.service.setLimits(limits)
        #expect(index.send(query, from: source(1)).reply != nil)
    }

    @Test func `a flood from forged sources shuts nobody out`() {
        var index = index()
        var chance = SplitMix64(seed: 1)
        var refused = 0
        for round in 0..<20_000 {
            _ = index.send(query, from: Endpoint(address: .v4(UInt32(truncatingIfNeeded: chance.next())), port: 9))
            index.advance(.microseconds(10))
            if round % 1000 == 0 { refused += index.send(query, from: source(1)).reply == nil ? 1 : 0 }
        }
        #expect(refused == 0)
    }

    @Test func `looser limits forgive what was run up under stricter ones`() {
        var index = index { $0.requests = .init(perSecond: 10, burst: 8000) }
        while index.send(query, from: source(1)).reply != nil {}
        var limits = IndexLimits()
        limits.requests = .init(perSecond: 2000, burst: 100)
        index.service.setLimits(limits)
        _ = index.send(query, from: source(1))
        index.advance(.milliseconds(10))
        #expect(index.send(query, from: source(1)).reply != nil)
    }

    @Test func `who forges a neighbour's address does not use up what the neighbour proves`() throws {
        var index = index()
        let (identity, home) = (Identity(), source(1))
        guard case .registered(_, let lease?)? = try index.register(identity, from: home) else {
            Issue.record("refused")
            return
        }
        let second = Identity()
        let cookie = try index.ask(
            .registration(
                .init(address: home, signed: .init(peer: second.peer, record: index.record(second, at: home)))),
            from: home)
        guard case .cookie(let cookie, _, _)? = cookie else {
            Issue.record("no cookie")
            return
        }
        for _ in 0..<10 { _ = index.send(registration, from: source(9)) }
        #expect(index.send(registration, from: source(9)).reply == nil)
        let signed = IndexRequest.Signed(peer: second.peer, record: try index.record(second, at: home), cookie: cookie)
        guard case .registered? = try index.ask(.registration(.init(address: home, signed: signed)), from: home) else {
            Issue.record("a proven registration was shut out")
            return
        }
        for _ in 0..<100 { _ = index.send(query, from: source(9)) }
        #expect(index.send(query, from: home).reply == nil)
        let keepalive = IndexRequest.keepalive(.init(peer: identity.peer, token: lease.token))
        #expect(try index.ask(keepalive, from: home) == .alive(boot: "1a2b3c4d", leaseSeconds: 7200))
    }

    @Test func `one network fills no table`() throws {
        var limits = IndexLimits()
        limits.keyed = 32
        var index = IndexHarness(limits: limits)
        var taken = 0
        for _ in 0..<40 {
            if case .registered? = try index.register(Identity(), from: source(1)) { taken += 1 }
        }
        // Half of it, and then a sixteenth is more than its share.
        #expect(taken == 17)
        guard case .registered? = try index.register(Identity(), from: source(300)) else {
            Issue.record("another network was refused")
            return
        }
    }
}
