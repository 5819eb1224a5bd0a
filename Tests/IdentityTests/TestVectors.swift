// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Testing

/// The test vectors of docs/PROTOCOL.md, computed by another implementation (Python's `cryptography`).
struct TestVector: Sendable, CustomTestStringConvertible {
    var seed: String
    var key: String
    var peer: String
    var digits: String
    /// Sequence 1764000000000, validity 86400, reflexive 203.0.113.7:50001, relayed [2001:db8::7]:443.
    var record: String

    var testDescription: String { "seed \(seed.prefix(8))…" }

    static let all = [
        TestVector(
            seed: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            key: "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
            peer: "1d42741a-e9cf-8815-8140-d20c71a4a32b",
            digits: "41645 53723 44458 62724 42533 14127",
            record: """
                010103a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8\
                0000019ab697e80000015180020104cb007107c351030620010db800000000000000000000000701bb0000\
                3113cdf9a7f4836b7a347fe8640fe959c51e2f33935229ca3eda7d3575babc8d\
                1ee2b9098aeecceed36d1114c30e1cefd585538e216d6709fa9259c23e14270d
                """),
        TestVector(
            seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            peer: "80f8204b-1439-8062-948d-55faa5e9fef0",
            digits: "44312 00915 68562 39294 61257 42301",
            record: """
                0101d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\
                0000019ab697e80000015180020104cb007107c351030620010db800000000000000000000000701bb0000\
                cc6f6f1fce111e3da8df269f2c863ef88bbae3b6f0fffc4079c89845e7961ed0\
                1c55f1f67e66e11c7b58a4cd5e13d29a6bb39e408f97e7c3c6f8b8285060fd04
                """),
        TestVector(
            seed: String(repeating: "ff", count: 32),
            key: "76a1592044a6e4f511265bca73a604d90b0529d1df602be30a19a9257660d1f5",
            peer: "c7491671-4d94-8826-8318-9b495f2b8440",
            digits: "63126 51112 31329 35129 50314 92768",
            record: """
                010176a1592044a6e4f511265bca73a604d90b0529d1df602be30a19a9257660d1f5\
                0000019ab697e80000015180020104cb007107c351030620010db800000000000000000000000701bb0000\
                7b5039a366478ddc3526e3396392baac7d4af978e4d9902a6738d4730a1b51f2\
                757973997e5a5d333473937e8d59c6ba77d3cbe8b266e4e3ab76573785ab010b
                """),
    ]

    /// Of the first key: a candidate of the unknown kind 9, then a reflexive one, then five octets of extensions.
    static let recordOfTheFuture = """
        010103a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8\
        0000019ab697e80000015180020904c633640100090104cb007107c35100056c61746572\
        e4999603e322f772a5ab5db950134261922e3ec386263c795de7104d18bba809\
        e227d6c9dd378b0bb9831fd7b2968a480b2159ab7e357371abf66ce021be1900
        """
}

@Suite struct `The test vectors of the protocol` {
    @Test(arguments: TestVector.all)
    func `hold for key, peer ID and digits`(vector: TestVector) throws {
        let identity = try #require(Identity(seed: octets(vector.seed)))
        #expect(identity.key.hex == vector.key)
        #expect("\(identity.peer)" == vector.peer)
        #expect(identity.key.digits == vector.digits)
        #expect(identity.peer.isKeyed)
    }

    @Test(arguments: TestVector.all)
    func `hold for the record, written and read`(vector: TestVector) throws {
        let identity = try #require(Identity(seed: octets(vector.seed)))
        let record = try PeerRecord(
            key: identity.key, sequence: 1_764_000_000_000,
            candidates: [
                Candidate(.reflexive, #require(Endpoint("203.0.113.7:50001"))),
                Candidate(.relayed, #require(Endpoint("[2001:db8::7]:443"))),
            ])
        #expect(hex(try record.signed(by: identity)) == vector.record)
        #expect(try PeerRecord(verifying: octets(vector.record)) == record)
    }

    @Test func `hold for a record with a kind and extensions of the future`() throws {
        let record = try PeerRecord(verifying: octets(TestVector.recordOfTheFuture))
        #expect(record.candidates == [Candidate(.reflexive, try #require(Endpoint("203.0.113.7:50001")))])
    }
}

/// The octets of hex digits.
func octets(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

func hex(_ octets: [UInt8]) -> String {
    octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
