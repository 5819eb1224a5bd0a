// SPDX-License-Identifier: GPL-3.0-or-later
internal import Crypto
public import Model

/// What probes are authentic by: HMAC-SHA256 (RFC 2104), cut to 16 octets.
public struct ProbeKey: Equatable, Sendable {
    private let key: SymmetricKey

    /// Of pings to the holder of this ID before there is a session, and of its pongs: SHA-256("parley/probe/1" ‖ the
    /// ID's 16 octets). It proves no more than that one knows whom one calls.
    public static func dialled(_ id: PeerID) -> ProbeKey {
        ProbeKey(key: SymmetricKey(data: SHA256.hash(data: Array("parley/probe/1".utf8) + id.octets)))
    }

    /// The code of these octets: 16 octets.
    func code(over bytes: some Collection<UInt8>) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(bytes), using: key).prefix(ProbeKey.codeSize))
    }

    static let codeSize = 16

    fileprivate init(key: SymmetricKey) { self.key = key }
}

/// The keys of one session's probes, one for each direction so that no probe can be sent back to who sent it: each is
/// HMAC-SHA256 of a label under what both sides exported from the session.
public struct SessionProbeKeys: Equatable, Sendable {
    /// Of pings and pongs that this side sends.
    public let sending: ProbeKey
    /// Of those that it receives.
    public let receiving: ProbeKey
    /// By which the probes of both sides find their session.
    public let reference: UInt64

    /// - Parameters:
    ///   - binding: the octets that both sides exported from the session, and nobody else can know.
    ///   - isClient: whether this side dialled.
    public init(binding: [UInt8], isClient: Bool) {
        let secret = SymmetricKey(data: binding)
        func derived(_ label: String) -> [UInt8] {
            Array(HMAC<SHA256>.authenticationCode(for: Array(label.utf8), using: secret))
        }
        let client = ProbeKey(key: SymmetricKey(data: derived("parley/probe/client/1")))
        let server = ProbeKey(key: SymmetricKey(data: derived("parley/probe/server/1")))
        sending = isClient ? client : server
        receiving = isClient ? server : client
        reference = derived("parley/probe/reference/1").prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension ProbeKey {
    /// The keys of one session: see ``SessionProbeKeys``.
    public static func session(binding: [UInt8], isClient: Bool) -> SessionProbeKeys {
        SessionProbeKeys(binding: binding, isClient: isClient)
    }
}
