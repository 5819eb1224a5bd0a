// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing

@Suite struct `A peer record` {
    private let identity = Identity()

    @Test func `is refused after any flip of a bit`() throws {
        let octets = try signed(two: true)
        for bit in 0..<(octets.count * 8) {
            var flipped = octets
            flipped[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: PeerRecord.Fault.self) { try PeerRecord(verifying: flipped) }
        }
    }

    @Test(arguments: [[0], [1, 2, 3], Array(0..<16)] as [[UInt8]])
    func `is bound to one cookie`(cookie: [UInt8]) throws {
        let binding = PeerRecord.binding(to: cookie)
        #expect(binding.count == 16 && binding != PeerRecord.binding(to: cookie + [0]))
        let relay = Candidate(.relayed, .loopback(1))
        for candidates in [[], [relay]] {
            let record = PeerRecord(key: identity.key, sequence: 1, candidates: candidates, binding: binding)
            #expect(try PeerRecord(verifying: record.signed(by: identity)) == record)
        }
    }

    @Test(arguments: [
        ([], false), ([Candidate(.relayed, .loopback(1))], false), ([Candidate(.reflexive, .loopback(1))], true),
        ([Candidate(.relayed, .loopback(1)), Candidate(.mapped, .loopback(2))], true),
        ([Candidate(.relayed, .loopback(1)), Candidate(.relayed, .loopback(2))], false),
    ])
    func `names an address or hides it, and its octets say so, too`(candidates: [Candidate], names: Bool) throws {
        let record = PeerRecord(key: identity.key, sequence: 1, candidates: candidates)
        let octets = try record.signed(by: identity)
        #expect(record.namesAddress == names)
        #expect(PeerRecord.namesAddress(verified: octets) == names)
        #expect(try PeerRecord(verifying: octets).namesAddress == names)
    }

    @Test func `is refused at every shorter length`() throws {
        let octets = try signed(two: true)
        for count in octets.indices {
            #expect(throws: PeerRecord.Fault.truncated) { try PeerRecord(verifying: Array(octets[..<count])) }
        }
    }

    @Test func `is refused with octets behind it`() throws {
        #expect(throws: PeerRecord.Fault.trailingOctets) { try PeerRecord(verifying: signed() + [0]) }
    }

    @Test func `has at most 384 octets`() throws {
        let bare = try assembled(extensions: 0).count
        for size in [383, 384] {
            let octets = try assembled(extensions: size - bare)
            #expect(octets.count == size)
            #expect(try PeerRecord(verifying: octets).key == identity.key)
        }
        #expect(throws: PeerRecord.Fault.tooLong) { try PeerRecord(verifying: assembled(extensions: 385 - bare)) }
    }

    @Test func `has at most eight candidates`() throws {
        let eight = try PeerRecord(verifying: assembled(candidates: Array(repeating: Self.v4, count: 8)))
        #expect(eight.candidates.count == 8)
        #expect(throws: PeerRecord.Fault.badCandidate) {
            try PeerRecord(verifying: assembled(candidates: Array(repeating: Self.v4, count: 9)))
        }
    }

    @Test func `leaves out what exceeds eight candidates when it is written`() throws {
        let candidates = (1...9).map { Candidate(.reflexive, .loopback(UInt16($0))) }
        let record = PeerRecord(key: identity.key, sequence: 1, candidates: candidates)
        let read = try PeerRecord(verifying: record.signed(by: identity))
        #expect(read.candidates == Array(candidates.prefix(8)))
    }

    @Test func `of eight IPv6 candidates has room for extensions`() throws {
        let candidates = (1...8).map { Candidate(.mapped, Endpoint(address: .v6(.max, .max), port: UInt16($0))) }
        let octets = try PeerRecord(key: identity.key, sequence: .max, candidates: candidates).signed(by: identity)
        #expect(octets.count == 273)
    }

    @Test func `skips candidates of kinds that are not known yet`() throws {
        let record = try PeerRecord(verifying: assembled(candidates: [[9] + Self.v4.dropFirst(), Self.v4]))
        #expect(record.candidates == [Candidate(.reflexive, .loopback(258))])
    }

    @Test func `is refused for an unknown address family, whose length nobody knows`() throws {
        #expect(throws: PeerRecord.Fault.badCandidate) {
            try PeerRecord(verifying: assembled(candidates: [[1, 5, 127, 0, 0, 1, 1, 2]]))
        }
    }

    @Test(
        arguments: [
            [1, 4, 127, 0, 0, 1, 0, 0],
            [1, 4, 0, 0, 0, 0, 1, 2],
            [1, 4, 224, 0, 0, 1, 1, 2],
            [1, 4, 255, 255, 255, 255, 1, 2],
            [1, 6] + [UInt8](repeating: 0, count: 16) + [1, 2],
            [1, 6, 0xFF, 0x02] + [UInt8](repeating: 1, count: 14) + [1, 2],
        ] as [[UInt8]])
    func `skips candidates that nothing may be sent to`(candidate: [UInt8]) throws {
        #expect(try PeerRecord(verifying: assembled(candidates: [candidate])).candidates.isEmpty)
    }

    @Test func `says the format and the algorithm first`() throws {
        for index in 0...1 {
            var octets = try signed()
            octets[index] = 2
            #expect(throws: PeerRecord.Fault.unknownFormat) { try PeerRecord(verifying: octets) }
        }
    }

    @Test func `is refused under a key of small order, which would sign anything`() throws {
        var octets = try signed()
        octets.replaceSubrange(2..<34, with: [1] + [UInt8](repeating: 0, count: 31))
        #expect(throws: PeerRecord.Fault.badKey) { try PeerRecord(verifying: octets) }
    }

    @Test func `is refused when another key signed it`() throws {
        let record = PeerRecord(key: identity.key, sequence: 1, candidates: [])
        #expect(throws: PeerRecord.Fault.badSignature) { try PeerRecord(verifying: record.signed(by: Identity())) }
    }

    @Test(
        arguments: [
            (0, 1000, 1000), (999, 1000, 1000), (1000, 1000, 1001), (5000, 1000, 5001), (.max, 1000, .max),
            (0, -5, 1),
        ] as [(UInt64, Int64, UInt64)])
    func `has a sequence that grows and follows the clock`(last: UInt64, now: Int64, next: UInt64) {
        #expect(PeerRecord.nextSequence(after: last, now: WallTime(milliseconds: now)) == next)
    }

    @Test(
        arguments: [
            (1_000_000, false), (1_000_000 + 9_999, true), (1_000_000 + 10_000, false),
            (400_000 - 1, false), (400_000, true),
        ] as [(Int64, Bool)])
    func `is current from ten minutes before its sequence to the end of its validity`(now: Int64, isCurrent: Bool) {
        let sequence: UInt64 = now == 1_000_000 ? 1_600_001 : 1_000_000
        let record = PeerRecord(key: identity.key, sequence: sequence, validity: 10, candidates: [])
        #expect(record.isCurrent(at: WallTime(milliseconds: now)) == isCurrent)
    }

    @Test func `is never current with a sequence beyond all clocks`() {
        for sequence in [UInt64.max, UInt64(Int64.max), UInt64(Int64.max) + 1] {
            let record = PeerRecord(key: identity.key, sequence: sequence, validity: .max, candidates: [])
            #expect(!record.isCurrent(at: .latest))
        }
    }

    @Test func `survives any mutation without a trap`() async throws {
        let valid = try [signed(two: true), assembled(extensions: 40)]
        var random = SplitMix64(seed: 1)
        for step in 0..<50_000 {
            // The tests that run beside this one want the processors too.
            if step % 64 == 0 { await Task.yield() }
            var octets = valid[Int.random(in: 0..<valid.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) where !octets.isEmpty {
                let index = Int.random(in: 0..<octets.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: octets[index] = .random(in: 0 ... .max, using: &random)
                case 1: octets.remove(at: index)
                case 2: octets.insert(.random(in: 0 ... .max, using: &random), at: index)
                default: octets.removeLast(octets.count - index)
                }
            }
            if !valid.contains(octets) { #expect(throws: PeerRecord.Fault.self) { try PeerRecord(verifying: octets) } }
        }
    }

    // MARK: Records in the making

    private static let v4: [UInt8] = [1, 4, 127, 0, 0, 1, 1, 2]

    private func signed(two: Bool = false) throws -> [UInt8] {
        let candidates = [
            Candidate(.reflexive, .loopback(50_001)),
            Candidate(.relayed, Endpoint(address: .v6(0x2001_0DB8_0000_0000, 7), port: 443)),
        ]
        let record = PeerRecord(key: identity.key, sequence: 7, candidates: two ? candidates : [])
        return try record.signed(by: identity)
    }

    /// A correctly signed record of octets that the writer would never put together.
    private func assembled(candidates: [[UInt8]] = [], extensions: Int = 0) throws -> [UInt8] {
        let head: [UInt8] = [1, 1] + identity.key.octets + [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 10]
        let body = [UInt8(candidates.count)] + candidates.flatMap(\.self)
        let tail = [UInt8(extensions >> 8), UInt8(extensions & 0xFF)] + [UInt8](repeating: 0xEE, count: extensions)
        let octets = head + body + tail
        return octets + (try identity.sign(Array("parley/record/1".utf8) + octets))
    }
}
