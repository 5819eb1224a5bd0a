// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Support
import Testing
import Wire

struct MutationTests {
    @Test func `fifty thousand damaged datagrams break nothing`() throws {
        var index = IndexHarness()
        var dice = SplitMix64(seed: 42)
        let identity = Identity()
        let source = Endpoint.loopback(5000)
        guard case .registered(_, let lease?)? = try index.register(identity, from: source) else {
            Issue.record("refused")
            return
        }
        let record = try index.record(identity, at: source)
        let cookie = [UInt8](repeating: 3, count: 16)
        let valid: [[UInt8]] = [
            IndexRequest.registration(.init(address: source)).encoded(),
            IndexRequest.registration(
                .init(address: source, signed: .init(peer: identity.peer, record: record, cookie: cookie), nonce: "n")
            ).encoded(),
            IndexRequest.query(.init(text: "\(identity.peer)")).encoded(),
            IndexRequest.query(.init(text: "\(identity.peer)", nonce: "n")).encoded(),
            IndexRequest.keepalive(.init(peer: identity.peer, token: lease.token, nonce: "n")).encoded(),
        ]
        for round in 0..<50_000 {
            let bytes = damaged(valid[round % valid.count], &dice)
            let outcome = index.send(bytes, from: source)
            // 33: the seed's answer with the longest address.
            #expect((outcome.reply?.count ?? 0) <= bytes.count + 33)
            if outcome.event.result == .ignored { #expect(outcome.reply == nil) }
        }
        let answer = try index.ask(.query(.init(text: "\(identity.peer)")), from: source)
        #expect(answer == .answer(address: source, text: "\(identity.peer)", record: nil))
        let counters = index.snapshot().counters
        #expect(counters.malformed > 0 && counters.ignored > 0 && counters.hits > 0)
    }

    private func damaged(_ bytes: [UInt8], _ dice: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0...Int.random(in: 0..<3, using: &dice) where !bytes.isEmpty {
            let place = Int.random(in: bytes.indices, using: &dice)
            switch Int.random(in: 0..<5, using: &dice) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            case 1: bytes[place] = .random(in: 0...255, using: &dice)
            case 2: bytes.remove(at: place)
            case 3: bytes.insert(bytes[place], at: place)
            default: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }
}
