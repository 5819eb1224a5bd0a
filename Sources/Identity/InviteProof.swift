// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto

/// Proof that someone holds an invite's secret, without the secret: HMAC-SHA-256 (RFC 2104) under the secret over a
/// domain, what the session alone has, and the keys of both. A proof of one session, or for one verifier, is none in
/// another.
public enum InviteProof {
    private static let domain = Array("parley/invite-proof/1".utf8)

    /// 32 octets for the verifier, who gave the invite away.
    /// - Parameters:
    ///   - binding: octets that both ends of this session know and no other session has (RFC 9266's exporter).
    ///   - prover: who was invited.
    public static func make(
        secret: [UInt8], binding: [UInt8], prover: PeerKey, verifier: PeerKey
    ) -> [UInt8] {
        let message = message(binding, prover, verifier)
        return Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: secret)))
    }

    /// Whether `proof` is what ``make(secret:binding:prover:verifier:)`` makes; takes equally long wherever it differs.
    public static func verify(
        _ proof: [UInt8], secret: [UInt8], binding: [UInt8], prover: PeerKey, verifier: PeerKey
    ) -> Bool {
        let message = message(binding, prover, verifier)
        return HMAC<SHA256>.isValidAuthenticationCode(
            proof, authenticating: message, using: SymmetricKey(data: secret))
    }

    /// Unambiguous although the binding has any length: what follows it has one length.
    private static func message(_ binding: [UInt8], _ prover: PeerKey, _ verifier: PeerKey) -> [UInt8] {
        domain + binding + prover.octets + verifier.octets
    }
}
