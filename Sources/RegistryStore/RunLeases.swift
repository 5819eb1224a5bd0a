// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// What is left, at the start of a run, of the leases of keyed peers: it depends on the run alone that last wrote the
/// row.
///
/// What the last run wrote gets a whole lease. What an older run wrote got its whole lease at the start of the run
/// after that one, and keeps what is left of it.
struct RunLeases: Equatable, Sendable {
    /// From one start of the server to its end.
    struct Run: Equatable, Sendable {
        let number: Int64
        let started: WallTime
    }

    /// The number of the run that starts; `nil` if the earlier ones leave none.
    let current: Int64?
    private let remaining: [Int64: Span]

    /// - Parameter earlier: by number. The wall clock may have jumped either way between them.
    init(earlier: [Run], now: WallTime, lease: Span) {
        let last = earlier.last?.number ?? 0
        current = last >= 0 && last < .max ? last + 1 : nil
        let starts = earlier.dropFirst().map(\.started) + [now]
        let left = zip(earlier, starts).compactMap { run, fresh in
            fresh.lease(lease, leftAt: now).map { (run.number, $0) }
        }
        remaining = Dictionary(left) { first, _ in first }
    }

    /// `nil` when it is over, and for a run that never was.
    func remaining(of run: Int64) -> Span? { remaining[run] }
}

extension WallTime {
    /// What is left of a lease that began at this moment: never more than all of it, `nil` when nothing is.
    func lease(_ lease: Span, leftAt now: WallTime) -> Span? {
        // Both moments lie between the years 1 and 9999, a `Span` is at most 585 years: no sum of these overflows.
        let whole = Int64(lease.nanoseconds / 1_000_000)
        let left = min(whole, milliseconds + whole - now.milliseconds)
        return left > 0 ? .milliseconds(Int(left)) : nil
    }

    /// The time until this moment: never more than `most`, `nil` when it is past.
    func left(at now: WallTime, atMost most: Span) -> Span? {
        let left = milliseconds - now.milliseconds
        return left > 0 ? min(most, .milliseconds(Int(left))) : nil
    }
}
