// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Testing
import Wire

/// What is handed to the store, and which answers wait for it.
struct DurabilityTests {
    private let home = Endpoint.loopback(50_001)
    private let identity = Identity()

    private func register(_ index: inout IndexHarness) throws -> IndexHarness.Outcome {
        var signed = IndexRequest.Signed(peer: identity.peer, record: try index.record(identity, at: home))
        if case .cookie(let cookie, _, _)? = try index.ask(
            .registration(.init(address: home, signed: signed)), from: home)
        {
            signed.cookie = cookie
        }
        return index.send(IndexRequest.registration(.init(address: home, signed: signed)).encoded(), from: home)
    }

    private func keepalive(_ index: inout IndexHarness, _ token: [UInt8]) -> IndexHarness.Outcome {
        index.send(IndexRequest.keepalive(.init(peer: identity.peer, token: token)).encoded(), from: home)
    }

    private func token(_ outcome: IndexHarness.Outcome) throws -> [UInt8] {
        guard case .registered(_, let lease?)? = try outcome.reply.map({ try IndexReply.parse($0).reply }) else {
            return []
        }
        return lease.token
    }

    @Test func `registrations wait until they are durable`() throws {
        var index = IndexHarness()
        let seed = index.send(IndexRequest.registration(.init(address: home)).encoded(), from: home)
        #expect(seed.verdict == .replyWhenDurable)
        guard case .put(let row)? = seed.change else {
            Issue.record("no change")
            return
        }
        #expect(row.address == home && row.expires == index.wall + .seconds(86_400) && row.record.isEmpty)
        // The seed's programs know no errors.
        #expect(seed.failure.isEmpty)
        let keyed = try register(&index)
        #expect(keyed.verdict == .replyWhenDurable)
        #expect(try IndexReply.parse(keyed.failure).reply == .failed(reason: "store_failed"))
        #expect(keyed.failure.count <= keyed.reply?.count ?? 0)
    }

    @Test func `a repeated registration waits again: the first may not be durable yet`() throws {
        var index = IndexHarness()
        for _ in 0..<3 { #expect(try register(&index).verdict == .replyWhenDurable) }
    }

    @Test func `a renewal is written at most once in half a lease, and nobody waits for it`() throws {
        var index = IndexHarness()
        let token = try token(register(&index))
        var written = 0
        for _ in 0..<(4 * 360) {
            index.advance(.seconds(20))
            let outcome = keepalive(&index, token)
            #expect(outcome.verdict == .reply)
            written += outcome.change == nil ? 0 : 1
        }
        // Eight hours are eight half leases.
        #expect(written == 8)
    }

    @Test func `a renewal that was not written is due again`() throws {
        var index = IndexHarness()
        let token = try token(register(&index))
        index.advance(.seconds(3600))
        let change = try #require(keepalive(&index, token).change)
        #expect(keepalive(&index, token).change == nil)
        index.service.writeFailed([change])
        #expect(keepalive(&index, token).change != nil)
    }

    @Test func `a removal that was not written is due again`() throws {
        var index = IndexHarness()
        _ = try register(&index)
        index.advance(.seconds(7200))
        let removals = index.sweep()
        #expect(removals == [.remove(identity.peer)])
        #expect(index.sweep().isEmpty)
        index.service.writeFailed(removals)
        #expect(index.sweep() == removals)
    }
}
