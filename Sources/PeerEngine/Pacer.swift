// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// Lets so many a second through, in bursts: a token bucket.
struct Pacer {
    /// At most so many at once.
    let burst: Int
    private let interval: Span
    /// When the bucket is full again, were nothing sent until then. The more of it lies ahead, the fewer tokens there
    /// are.
    private var fullAt = Instant(nanoseconds: 0)

    /// - Parameters:
    ///   - rate: a second, 1 to 1,000,000,000.
    ///   - burst: at least 1.
    init(rate: Int, burst: Int) {
        self.burst = max(1, burst)
        interval = Span(nanoseconds: UInt64(1_000_000_000 / max(1, min(rate, 1_000_000_000))))
    }

    /// The documented limit per peer on the seed's wire: it has no acknowledgement, so a sender that outruns its
    /// receiver would lose what it sends. A burst is a fraction of what a default socket buffer holds.
    static let seedWire = Pacer(rate: 5000, burst: 32)
    /// Frames of a peer that the user does not know.
    static let stranger = Pacer(rate: 20, burst: 40)

    /// How many may go now, at most `wanted`.
    mutating func take(_ wanted: Int, now: Instant) -> Int {
        let missing = fullAt.since(now).nanoseconds / interval.nanoseconds
        let available = burst - Int(min(missing + (fullAt > now ? 1 : 0), UInt64(burst)))
        let taken = max(0, min(wanted, available))
        fullAt = max(fullAt, now) + Span(nanoseconds: UInt64(taken) * interval.nanoseconds)
        return taken
    }

    /// When a good part of the bucket is there again.
    var next: Instant {
        let worth = Span(nanoseconds: UInt64(burst / 2) * interval.nanoseconds)
        return Instant(nanoseconds: fullAt.nanoseconds - min(fullAt.nanoseconds, worth.nanoseconds))
    }
}
