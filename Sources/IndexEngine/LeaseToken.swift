// SPDX-License-Identifier: GPL-3.0-or-later

/// 128 random bits that renew one lease: whoever has them was told by this server.
struct LeaseToken: Hashable, Sendable {
    var high: UInt64
    var low: UInt64

    init(using generator: inout some RandomNumberGenerator) {
        high = generator.next()
        low = generator.next()
    }
}
