// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// Lets so many messages a second through, in small bursts: the seed's wire has no acknowledgement, so a sender that
/// outruns its receiver would lose what it sends. A token bucket.
struct Pacer {
    /// The documented limit per peer on the seed's wire, a second.
    static let rate = 5000
    /// At most so many at once: a fraction of what a default socket buffer holds.
    static let burst = 32

    private static let interval = Span(nanoseconds: UInt64(1_000_000_000 / rate))
    /// When the bucket is full again, were nothing sent until then. The more of it lies ahead, the fewer tokens there are.
    private var fullAt = Instant(nanoseconds: 0)

    /// How many may go now, at most `wanted`.
    mutating func take(_ wanted: Int, now: Instant) -> Int {
        let missing = fullAt.since(now).nanoseconds / Pacer.interval.nanoseconds
        let available = Pacer.burst - Int(min(missing + (fullAt > now ? 1 : 0), UInt64(Pacer.burst)))
        let taken = max(0, min(wanted, available))
        fullAt = max(fullAt, now) + Span(nanoseconds: UInt64(taken) * Pacer.interval.nanoseconds)
        return taken
    }

    /// When a good part of the bucket is there again.
    var next: Instant {
        let worth = Span(nanoseconds: UInt64(Pacer.burst / 2) * Pacer.interval.nanoseconds)
        return Instant(nanoseconds: fullAt.nanoseconds - min(fullAt.nanoseconds, worth.nanoseconds))
    }
}
