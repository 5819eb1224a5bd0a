// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
public import Model

/// The public half of an identity: what a peer ID is the hash of, and what signatures are checked against.
public struct PeerKey: Hashable, Sendable {
    /// The 32 octets of an Ed25519 public key (RFC 8032).
    public let octets: [UInt8]

    /// Takes 32 octets; `nil` for another count, a non-canonical encoding or a point of small order. Two encodings of
    /// one key would be two peer IDs.
    public init?(octets: some Collection<UInt8>) {
        let octets = Array(octets)
        guard octets.count == 32, isCanonicalPoint(octets), !hasSmallOrder(octets) else { return nil }
        self.octets = octets
    }

    /// The peer ID of this key: the first 128 bits of SHA-256 over a domain, the algorithm and the key, with the
    /// version and variant of a UUIDv8 (RFC 9562, §5.8) written over them. 122 bits are the hash's.
    public var peer: PeerID {
        var hash = SHA256()
        hash.update(data: Array("parley/peer-id/1".utf8))
        hash.update(data: [PeerKey.algorithm])
        hash.update(data: octets)
        let digest = Array(hash.finalize())
        let (high, low) = (bigEndian(digest[0..<8]), bigEndian(digest[8..<16]))
        return PeerID(high: high, low: low).stamped(version: 8)
    }

    /// Thirty decimal digits for two people to compare, six groups of five: each group is five octets of a SHA-256 over
    /// a domain and the key, modulo 100,000.
    public var digits: String {
        var hash = SHA256()
        hash.update(data: Array("parley/digits/1".utf8))
        hash.update(data: octets)
        let digest = Array(hash.finalize())
        return (0..<6).map { group in
            let value = bigEndian(digest[(group * 5)..<(group * 5 + 5)]) % 100_000
            let text = String(value)
            return String(repeating: "0", count: 5 - text.count) + text
        }.joined(separator: " ")
    }

    /// The key in lower-case hex.
    public var hex: String { octets.hex }

    /// The key in base64url, 43 characters: how a server's key is told to its users.
    public var text: String { Base64URL.encode(octets) }

    /// Reads ``text`` or ``hex``, in either case; `nil` for anything else.
    public init?(text: some StringProtocol) {
        let decoded = text.utf8.count == 64 ? hexOctets(text) : Base64URL.decode(text)
        guard let decoded else { return nil }
        self.init(octets: decoded)
    }

    /// Whether `signature` over `message` was made by this key.
    public func verifies(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: octets) else { return false }
        return key.isValidSignature(signature, for: message)
    }

    /// Ed25519; room for others.
    static let algorithm: UInt8 = 1
}

/// Whether the y coordinate is below 2^255 - 19 (RFC 8032, §5.1.3).
private func isCanonicalPoint(_ octets: [UInt8]) -> Bool {
    guard let last = octets.last, let first = octets.first else { return false }
    let isAboveMiddle = last & 0x7F == 0x7F && octets[1..<31].allSatisfy { $0 == 0xFF }
    return !(isAboveMiddle && first >= 0xED)
}

/// The y coordinates of the eight points whose order divides the cofactor (Bernstein's list of "low order points"):
/// keys that verify signatures over anything.
private let smallOrderCoordinates: [[UInt8]] = {
    let zero = [UInt8](repeating: 0, count: 32)
    var one = zero
    one[0] = 1
    var minusOne = [UInt8](repeating: 0xFF, count: 32)
    minusOne[0] = 0xEC
    minusOne[31] = 0x7F
    let order8: [UInt8] = [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0,
        0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    ]
    let order8Negated: [UInt8] = [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F,
        0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
    ]
    return [zero, one, minusOne, order8, order8Negated]
}()

private func hasSmallOrder(_ octets: [UInt8]) -> Bool {
    var unsigned = octets
    unsigned[31] &= 0x7F
    return smallOrderCoordinates.contains(unsigned)
}
