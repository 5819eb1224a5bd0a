// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// A moment in tenths of a second since the server's start, in four bytes: leases need no more, and a million rows hold
/// three of them each. Reaches 6.8 years either way and stays there.
struct Tick: Comparable, Sendable {
    private static let nanoseconds: Int64 = 100_000_000

    private let count: Int32

    private init(clamping count: Int64) { self.count = Int32(clamping: count) }

    /// The tick in which a moment lies.
    init(_ moment: Instant, start: Instant) {
        self.init(
            clamping: moment < start
                ? -Int64(clamping: start.since(moment).nanoseconds) / Self.nanoseconds
                : Int64(clamping: moment.since(start).nanoseconds) / Self.nanoseconds)
    }

    static func < (left: Tick, right: Tick) -> Bool { left.count < right.count }

    static func + (tick: Tick, span: Span) -> Tick {
        Tick(clamping: Int64(tick.count) + Int64(clamping: span.nanoseconds) / nanoseconds)
    }

    static func - (tick: Tick, span: Span) -> Tick {
        Tick(clamping: Int64(tick.count) - Int64(clamping: span.nanoseconds) / nanoseconds)
    }

    /// The time from `earlier` to this tick; zero if `earlier` is later.
    func since(_ earlier: Tick) -> Span {
        Span(nanoseconds: UInt64(max(0, Int64(count) - Int64(earlier.count)) * Self.nanoseconds))
    }

    /// The moment at which it begins; the server's start at the earliest.
    func moment(start: Instant) -> Instant {
        start + Span(nanoseconds: UInt64(max(0, Int64(count) * Self.nanoseconds)))
    }

    /// For sorting.
    var order: UInt64 { UInt64(Int64(count) + Int64(Int32.max) + 1) }

    static let never = Tick(clamping: .max)
    static let longAgo = Tick(clamping: .min)
}
