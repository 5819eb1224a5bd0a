// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Model

extension Instant {
    /// Now, on CLOCK_MONOTONIC: the same clock in every process of the machine.
    public static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// What `poll(2)` wants to hear: milliseconds from now on, rounded up; 0 when the moment has passed.
    var pollTimeout: Int32 {
        let left = since(.now).nanoseconds
        return Int32(clamping: left / 1_000_000 + (left % 1_000_000 == 0 ? 0 : 1))
    }
}

/// Waits for a moment of the clock: for tests that send at a given rate, never for something to have happened.
public func pause(until moment: Instant) {
    var time = timespec(
        tv_sec: Int(moment.nanoseconds / 1_000_000_000), tv_nsec: Int(moment.nanoseconds % 1_000_000_000))
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
}

/// A clock that only the test moves.
public struct ManualClock: Sendable {
    /// The moment it shows.
    public private(set) var now: Instant

    /// Starts an hour after the origin, so that a machine that confuses zero with "never" is found out.
    public init(start: Instant = Instant(nanoseconds: 3_600_000_000_000)) { now = start }

    /// Moves on, and says to when.
    @discardableResult
    public mutating func advance(_ span: Span) -> Instant {
        now = now + span
        return now
    }
}
