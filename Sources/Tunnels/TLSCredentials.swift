// SPDX-License-Identifier: GPL-3.0-or-later
internal import CTls
internal import Identity

/// A certificate over an Ed25519 key, made in memory; or none, for clients.
final class TLSCredentials {
    let handle: OpaquePointer

    /// - Parameter identity: whose certificate to show; `nil` for none.
    init(_ identity: Identity?) {
        guard let handle = identity.map({ ct_credentials_new($0.seed, $0.key.octets) }) ?? ct_credentials_new(nil, nil)
        else { preconditionFailure("out of memory") }
        self.handle = handle
    }

    deinit { ct_credentials_free(handle) }
}
