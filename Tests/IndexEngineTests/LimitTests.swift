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
}
