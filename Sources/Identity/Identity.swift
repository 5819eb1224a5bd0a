// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
public import Model

/// A long-term key pair: who a user is. Made once, at first start.
public struct Identity: Sendable {
    private let privateKey: Curve25519.Signing.PrivateKey
    /// The public half.
    public let key: PeerKey
    /// The key's peer ID.
    public let peer: PeerID

    /// A new identity from the system's secure random source.
    public init() {
        self.init(privateKey: Curve25519.Signing.PrivateKey())
    }

    /// The identity of a 32-octet Ed25519 seed (RFC 8032, §5.1.5); `nil` for another count.
    public init?(seed: [UInt8]) {
        guard let privateKey = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else { return nil }
        self.init(privateKey: privateKey)
    }

    private init(privateKey: Curve25519.Signing.PrivateKey) {
        // A public key derived from a private one is a canonical point of full order.
        guard let key = PeerKey(octets: privateKey.publicKey.rawRepresentation) else {
            preconditionFailure("the cryptographic library made an invalid key")
        }
        self.privateKey = privateKey
        self.key = key
        peer = key.peer
    }

    /// The secret 32 octets: for the identity file alone.
    public var seed: [UInt8] { Array(privateKey.rawRepresentation) }

    /// 32 octets that are the same whenever they are asked for, and that nobody guesses who has not the key:
    /// HMAC-SHA-256 (RFC 2104) under the seed.
    /// - Parameters:
    ///   - domain: what they are for; has no zero octet.
    ///   - subject: which of these.
    public func secret(_ domain: String, _ subject: String) -> [UInt8] {
        let message = Array(domain.utf8) + [0] + Array(subject.utf8)
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: seed)))
    }

    /// A 64-octet Ed25519 signature.
    /// - Throws: never in practice; the library declares it.
    public func sign(_ message: [UInt8]) throws -> [UInt8] {
        Array(try privateKey.signature(for: message))
    }
}
