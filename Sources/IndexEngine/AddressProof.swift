// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
import Model

/// Proofs that somebody reads what is sent to an address, without a byte of state per address.
///
/// A cookie is an HMAC-SHA256 over the source and the number of the current 60-second window, cut to 16 bytes. It is
/// accepted in its window and the next, so for 60 to 120 s. A lease token is the same over a peer ID, without a window:
/// told to whoever registered that peer, and good until the server ends.
struct AddressProof: Sendable {
    static let window: UInt64 = 60
    static let size = 16

    /// Keyed once: half of a short message's cost.
    private let keyed: HMAC<SHA256>

    /// - Parameter secret: 32 random bytes, made at each start.
    init(secret: [UInt8]) { keyed = HMAC(key: SymmetricKey(data: secret)) }

    /// 64 secret bits for what strangers must not foresee: where their rows and sources lie in tables.
    var scatter: UInt64 { mac([3]).prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    func cookie(for source: Endpoint, now: Instant) -> [UInt8] { cookie(source, window: number(now)) }

    func accepts(_ cookie: [UInt8], from source: Endpoint, now: Instant) -> Bool {
        let number = number(now)
        return equal(cookie, self.cookie(source, window: number))
            || number > 0 && equal(cookie, self.cookie(source, window: number - 1))
    }

    func token(for peer: PeerID) -> [UInt8] { mac([2] + peer.octets) }

    func accepts(token: [UInt8], of peer: PeerID) -> Bool { equal(token, self.token(for: peer)) }

    /// The same for a token in two words, the first octet highest.
    func accepts(token: (UInt64, UInt64), of peer: PeerID) -> Bool {
        let right = PeerID(octets: self.token(for: peer)) ?? PeerID(high: 0, low: 0)
        return (right.high ^ token.0) | (right.low ^ token.1) == 0
    }

    private func number(_ now: Instant) -> UInt64 { now.nanoseconds / 1_000_000_000 / Self.window }

    private func cookie(_ source: Endpoint, window: UInt64) -> [UInt8] {
        var message: [UInt8] = [1]
        append(window, to: &message)
        switch source.address {
        case .v4(let bits): append(UInt64(bits), to: &message)
        case .v6(let high, let low):
            append(high, to: &message)
            append(low, to: &message)
        }
        append(UInt64(source.port), to: &message)
        return mac(message)
    }

    private func append(_ word: UInt64, to message: inout [UInt8]) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            message.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    private func mac(_ message: [UInt8]) -> [UInt8] {
        var mac = keyed
        mac.update(data: message)
        return Array(mac.finalize().prefix(Self.size))
    }

    /// Takes as long for a near miss as for a far one.
    private func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
