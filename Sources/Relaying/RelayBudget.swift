// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Queues
internal import Synchronization

/// What all pairs of a relay may send together, on all its threads.
///
/// Half of its burst is for those who have not had their share, the total divided by the pairs that send: who sends as
/// much as goes can't crowd out who says a word now and then.
public final class RelayBudget: Sendable {
    private let perSecond: Atomic<Int>
    private let paid = Atomic<UInt64>(0)
    /// Pairs that sent in a second, of late.
    private let senders = Atomic(1)
    private let census = Lock(Census())

    private struct Census {
        var second: UInt64 = 0
        var (current, previous) = (0, 0)
    }

    /// How far a pair may run ahead of its share and still count as one that has not had it.
    private static let grace = Span.milliseconds(20)

    public init(_ limits: RelayLimits) { perSecond = Atomic(limits.totalBytesPerSecond) }

    /// Another rate from now on.
    public func setRate(_ limits: RelayLimits) { perSecond.store(limits.totalBytesPerSecond, ordering: .relaxed) }

    /// Counts a pair that sends for the first time in this second.
    func countSender(now: Instant) {
        let number = now.nanoseconds / 1_000_000_000
        let count = census.withLock { census in
            if number > census.second {
                census.previous = number == census.second + 1 ? census.current : 0
                (census.second, census.current) = (number, 0)
            }
            census.current += 1
            return max(census.current, census.previous)
        }
        senders.store(count, ordering: .relaxed)
    }

    /// Enters so many octets, unless they are too many.
    /// - Parameter share: the moment at which the pair has had what it sent as its share; moves on when they pass.
    func take(_ count: Int, share: inout Instant, now: Instant) -> Bool {
        let rate = perSecond.load(ordering: .relaxed)
        let quota = ByteQuota(perSecond: rate, burst: max(rate / 2, 64 * 1024))
        let isOver = share > now + Self.grace
        var old = paid.load(ordering: .relaxed)
        while let new = quota.pay(count, after: Instant(nanoseconds: old), keepingHalf: isOver, now: now) {
            let (isDone, current) = paid.weakCompareExchange(
                expected: old, desired: new.nanoseconds, ordering: .relaxed)
            if isDone {
                let own = max(1, rate / max(1, senders.load(ordering: .relaxed)))
                let cost = UInt64(max(0, min(count, 1 << 20))) * 1_000_000_000 / UInt64(own)
                share = max(share, now) + Span(nanoseconds: cost)
                return true
            }
            old = current
        }
        let settled = quota.settled(Instant(nanoseconds: old), now: now).nanoseconds
        if settled < old { _ = paid.compareExchange(expected: old, desired: settled, ordering: .relaxed) }
        return false
    }
}
