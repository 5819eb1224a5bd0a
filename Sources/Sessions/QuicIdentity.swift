// SPDX-License-Identifier: GPL-3.0-or-later
internal import CQuic
internal import Identity

/// The certificate over our key, made in memory at every start.
final class QuicIdentity {
    let handle: OpaquePointer

    init(_ identity: Identity) {
        guard let handle = cq_identity_new(identity.seed, identity.key.octets) else {
            preconditionFailure("out of memory")
        }
        self.handle = handle
    }

    deinit { cq_identity_free(handle) }
}
