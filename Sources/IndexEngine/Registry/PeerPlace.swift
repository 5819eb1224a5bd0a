// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Where a keyed peer is, and which of this machine's addresses it last wrote to, in 20 bytes: as many as an `Endpoint`
/// takes alone.
struct PeerPlace: Sendable {
    private let high, low: UInt64
    private let port: UInt16
    private let isV6: Bool
    /// As `LocalAddresses` numbers it.
    var local: UInt8

    init(_ endpoint: Endpoint, local: UInt8) {
        switch endpoint.address {
        case .v4(let bits): (high, low, isV6) = (0, UInt64(bits), false)
        case .v6(let high, let low): (self.high, self.low, isV6) = (high, low, true)
        }
        port = endpoint.port
        self.local = local
    }

    var endpoint: Endpoint {
        Endpoint(address: isV6 ? .v6(high, low) : .v4(UInt32(truncatingIfNeeded: low)), port: port)
    }
}
