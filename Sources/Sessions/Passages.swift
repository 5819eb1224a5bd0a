// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import PeerEngine
internal import Relaying
internal import Traversal
internal import Wire

/// Channels between two sessions of ours each: two contacts that can't reach each other do so through us. What passes
/// is neither read nor changed.
///
/// It comes from an address that the other side of one session proved, and leaves for the proven address in use of the
/// other, so nobody is written to who did not ask for a session with us.
struct Passages {
    /// A session of ours, and whose it is.
    struct End {
        let session: SessionID
        let contact: PeerKey
    }

    private struct Passage {
        var ends: (End, End)
        /// When all is paid that the two have sent.
        var paid = Instant(nanoseconds: 0)
    }

    private let capacity: Int
    private let quota: ByteQuota
    private let total: ByteQuota
    private var paid = Instant(nanoseconds: 0)
    private var passages: [RelayChannel: Passage] = [:]
    /// When all is paid that each contact has sent, in all its channels: who has many sends no more than who has one. A
    /// moment that has passed is as good as none.
    private var senders: [PeerKey: Instant] = [:]

    init(_ limits: RelayLimits) {
        capacity = limits.channels
        quota = ByteQuota(perSecond: limits.bytesPerSecond, burst: limits.burst)
        total = ByteQuota(perSecond: limits.totalBytesPerSecond, burst: 2 * limits.burst)
    }

    /// Lets datagrams pass from now on, or between other sessions than so far; not if there are too many channels.
    mutating func open(_ channel: RelayChannel, between one: End, and other: End) {
        guard passages[channel] != nil || passages.count < capacity else { return }
        passages[channel, default: Passage(ends: (one, other))].ends = (one, other)
    }

    mutating func close(_ channel: RelayChannel) { passages[channel] = nil }

    /// A passage ends with either session.
    mutating func close(with session: SessionID) {
        passages = passages.filter { $0.value.ends.0.session != session && $0.value.ends.1.session != session }
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
        let (sender, next): (End, End)
        if finder(passage.ends.0.session)?.hasProven(datagram.endpoint) == true {
            (sender, next) = passage.ends
        } else if finder(passage.ends.1.session)?.hasProven(datagram.endpoint) == true {
            (next, sender) = passage.ends
        } else {
            return nil
        }
        let count = datagram.bytes.count
        let before = senders[sender.contact]
        guard let destination = finder(next.session)?.provenEndpoint,
            let theirs = quota.pay(count, after: passage.paid, now: now),
            let its = quota.pay(count, after: before ?? now, now: now),
            let all = total.pay(count, after: paid, now: now)
        else { return nil }
        if before == nil { senders = senders.filter { $0.value > now } }
        passages[channel]?.paid = theirs
        senders[sender.contact] = its
        paid = all
        return Datagram(datagram.bytes, destination)
    }
}
