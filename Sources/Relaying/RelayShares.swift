// SPDX-License-Identifier: GPL-3.0-or-later
internal import Queues

/// How many channels the peers of each network asked for, in all tables of a relay: one network must not take what is
/// there for all. The table of networks has a fixed size, and few share a place in it.
public final class RelayShares: Sendable {
    private struct Counts {
        var all = 0
        var each = Array(repeating: 0, count: RelayShares.places)
        /// Places with more than a share. As shares are a sixteenth, there are fewer than 16.
        var large: [Int] = []
    }

    static let places = 1024

    private let share: Int
    private let secret: UInt64
    private let counts = Lock(Counts())

    /// - Parameter secret: scatters networks over the table.
    public init(_ limits: RelayLimits, secret: UInt64) {
        share = max(1, limits.channels / 16)
        self.secret = secret
    }

    /// Where a network is counted.
    func place(of network: UInt64) -> Int {
        let product = (network ^ secret).multipliedFullWidth(by: ~network ^ secret.byteSwapped | 1)
        return Int(truncatingIfNeeded: product.high ^ product.low) & (Self.places - 1)
    }

    /// Channels of all.
    var count: Int { counts.withLock { $0.all } }

    /// The place that makes room for a channel of a network in `place`: the one with the most, if with the new one that
    /// is more than a sixteenth of all that there may be; `nil` for any.
    func debtor(for place: Int) -> Int? {
        counts.withLock { counts in
            counts.large.max { counts.each[$0] < counts.each[$1] } ?? (counts.each[place] >= share ? place : nil)
        }
    }

    func add(_ place: Int) {
        counts.withLock { counts in
            counts.all += 1
            counts.each[place] += 1
            if counts.each[place] == share + 1 { counts.large.append(place) }
        }
    }

    func remove(_ place: Int) {
        counts.withLock { counts in
            counts.all -= 1
            counts.each[place] -= 1
            if counts.each[place] == share { counts.large.removeAll { $0 == place } }
        }
    }
}
