// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import PeerEngine
internal import Relaying
internal import Traversal
internal import Wire

/// Channels between two sessions of ours each: two contacts that can't reach each other do so through us. What passes is
/// neither read nor changed.
///
/// It comes from an address that the other side of one session proved, and leaves for the proven address in use of the
/// other, so nobody is written to who did not ask for a session with us.
struct Passages {
    private struct Passage {
        var ends: (SessionID, SessionID)
        /// When all is paid that the two have sent.
        var paid = Instant(nanoseconds: 0)
    }

    private let capacity: Int
    private let quota: ByteQuota
    private let total: ByteQuota
    private var paid = Instant(nanoseconds: 0)
    private var passages: [RelayChannel: Passage] = [:]

    init(_ limits: RelayLimits) {
        capacity = limits.channels
        quota = ByteQuota(perSecond: limits.bytesPerSecond, burst: limits.burst)
        total = ByteQuota(perSecond: limits.totalBytesPerSecond, burst: 2 * limits.burst)
    }

    /// Lets datagrams pass from now on, or between other sessions than so far; not if there are too many channels.
    mutating func open(_ channel: RelayChannel, between one: SessionID, and other: SessionID) {
        guard passages[channel] != nil || passages.count < capacity else { return }
        passages[channel, default: Passage(ends: (one, other))].ends = (one, other)
    }

    mutating func close(_ channel: RelayChannel) { passages[channel] = nil }

    /// A passage ends with either session.
    mutating func close(with session: SessionID) {
        passages = passages.filter { $0.value.ends.0 != session && $0.value.ends.1 != session }
    }

    mutating func closeAll() { passages = [:] }

    func contains(_ channel: RelayChannel) -> Bool { passages[channel] != nil }

    /// Takes a datagram that came in one of these channels.
    /// - Parameter finder: what is known of the ways of a session.
    /// - Returns: it, as it goes on; `nil` when it does not.
    mutating func pass(
        _ datagram: Datagram, in channel: RelayChannel, now: Instant, finder: (SessionID) -> PathFinder?
    ) -> Datagram? {
        guard let passage = passages[channel], datagram.bytes.count <= RelayLimits.datagram else { return nil }
        let next: SessionID
        if finder(passage.ends.0)?.hasProven(datagram.endpoint) == true {
            next = passage.ends.1
        } else if finder(passage.ends.1)?.hasProven(datagram.endpoint) == true {
            next = passage.ends.0
        } else {
            return nil
        }
        let count = datagram.bytes.count
        guard let destination = finder(next)?.provenEndpoint, let its = quota.pay(count, after: passage.paid, now: now),
            let all = total.pay(count, after: paid, now: now)
        else { return nil }
        passages[channel]?.paid = its
        paid = all
        return Datagram(datagram.bytes, destination)
    }
}
