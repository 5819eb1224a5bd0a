// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// How values are written as numbers. Published numbers never change.
extension DeliveryState {
    var code: Int64 {
        switch self {
        case .queued: 0
        case .sent: 1
        case .delivered: 2
        case .read: 3
        case .failed: 4
        }
    }

    init?(code: Int64) {
        switch code {
        case 0: self = .queued
        case 1: self = .sent
        case 2: self = .delivered
        case 3: self = .read
        case 4: self = .failed
        default: return nil
        }
    }
}

extension Contact {
    /// Its switches in one number, the first the lowest bit; a later one is off in what was written before it.
    var flags: Int64 {
        [accepted, blocked, verified, invited, allowsPlaintext, relays].enumerated()
            .reduce(0) { $0 | ($1.element ? 1 << Int64($1.offset) : 0) }
    }

    /// Sets the switches.
    mutating func take(flags: Int64) {
        accepted = flags & 1 != 0
        blocked = flags & 2 != 0
        verified = flags & 4 != 0
        invited = flags & 8 != 0
        allowsPlaintext = flags & 16 != 0
        relays = flags & 32 != 0
    }
}
