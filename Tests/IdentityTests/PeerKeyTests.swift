// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Testing

@Suite struct `A peer key` {
    /// The y coordinates of the eight points of order 1, 2, 4 and 8.
    private static let smallOrder = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]

    /// 2^255 - 19 to 2^255 - 1: second names of the coordinates 0 to 18.
    private static let nonCanonical = (0xED...0xFF).map { first in
        hex([UInt8(first)]) + String(repeating: "ff", count: 30) + "7f"
    }

    @Test(arguments: smallOrder + nonCanonical, [0x00, 0x80] as [UInt8])
    func `is refused when it is of small order or a second name of another`(y: String, sign: UInt8) {
        var encoding = octets(y)
        encoding[31] |= sign
        #expect(encoding.count == 32)
        #expect(PeerKey(octets: encoding) == nil)
    }

    @Test(arguments: [0, 1, 31, 33, 64])
    func `has 32 octets`(count: Int) {
        #expect(PeerKey(octets: [UInt8](repeating: 7, count: count)) == nil)
    }

    @Test func `may have any other coordinate`() throws {
        for vector in TestVector.all { #expect(PeerKey(octets: octets(vector.key))?.hex == vector.key) }
        for first: UInt8 in [0xEB, 0xED] {
            // Just below the prime, and a value that only begins like those above it.
            var encoding = [UInt8](repeating: 0xFF, count: 32)
            encoding[0] = first
            encoding[31] = first == 0xEB ? 0x7F : 0x7E
            #expect(PeerKey(octets: encoding) != nil)
        }
    }

    @Test func `that is no point of the curve verifies nothing`() throws {
        let key = try #require(PeerKey(octets: [2] + [UInt8](repeating: 0, count: 31)))
        #expect(!key.verifies([UInt8](repeating: 0, count: 64), over: []))
    }

    @Test(arguments: [0, 63, 65])
    func `refuses signatures of another size`(count: Int) throws {
        let key = Identity().key
        #expect(!key.verifies([UInt8](repeating: 1, count: count), over: []))
    }

    /// RFC 8032, §5.1.7: S + L would verify too if S were not compared with L.
    @Test func `refuses the second form of a signature`() throws {
        let order = octets("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        let identity = Identity()
        let signature = try identity.sign([1, 2, 3])
        var carry = 0
        let shifted = zip(signature[32...], order).map { s, l in
            let sum = Int(s) + Int(l) + carry
            carry = sum >> 8
            return UInt8(sum & 0xFF)
        }
        #expect(identity.key.verifies(signature, over: [1, 2, 3]))
        #expect(carry == 0)
        #expect(!identity.key.verifies(signature[..<32] + shifted, over: [1, 2, 3]))
    }

    @Test func `verifies its own signatures alone`() throws {
        let (one, other) = (Identity(), Identity())
        let signature = try one.sign([1])
        #expect(one.key.verifies(signature, over: [1]))
        #expect(!one.key.verifies(signature, over: [2]))
        #expect(!other.key.verifies(signature, over: [1]))
    }
}

@Suite struct `An identity` {
    @Test(arguments: [0, 31, 33])
    func `has a seed of 32 octets`(count: Int) {
        #expect(Identity(seed: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test func `comes back from its seed`() throws {
        let identity = Identity()
        let again = try #require(Identity(seed: identity.seed))
        #expect(again.key == identity.key)
        #expect(again.peer == identity.peer)
        #expect(Identity().peer != identity.peer)
    }

    /// As Python's `hmac` has it.
    @Test func `has secrets for what must be the same again, each for one thing`() throws {
        let identity = try #require(Identity(seed: Array(0..<32)))
        #expect(
            hex(identity.secret("parley/port-mapping/1", "PCP 192.168.1.1"))
                == "9094964076aee26f8d4f23c791389b3696c0ffbe8cbe3409e50d9d45c39b3ef1")
        let all = [
            identity.secret("a", "b"), identity.secret("a", "c"), identity.secret("b", "b"),
            Identity().secret("a", "b"),
        ]
        #expect(Set(all).count == all.count)
    }
}
