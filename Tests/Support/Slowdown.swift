// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Model

/// How many times longer than alone a thread takes for its work here and now: from 1, on a machine that has nothing
/// else to do, to 8. It works for 20 ms to find out.
public func slowdown() -> Double {
    let (start, began) = (Instant.now, processorTime())
    while processorTime().since(began) < .milliseconds(20) {}
    return min(max(1, Instant.now.since(start).seconds / 0.02), 8)
}

/// What the calling thread has used of the processors.
private func processorTime() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
}

extension Span {
    /// Whether it is below a limit that holds where nothing else runs: on a machine that is busy, that much later
    /// counts.
    public func isWithin(_ limit: Span) -> Bool {
        self < limit || Double(nanoseconds) < Double(limit.nanoseconds) * slowdown()
    }
}
