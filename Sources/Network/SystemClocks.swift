// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Model
internal import Reactor

extension Clocks {
    /// CLOCK_MONOTONIC and CLOCK_REALTIME.
    public static let system = Clocks(
        monotonic: { Instant(nanoseconds: PollExecutor.now()) },
        wall: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
        })
}

extension WallTime {
    /// Seconds east of UTC that the user's time zone is at this moment.
    public var localOffset: Int {
        var seconds = time_t(milliseconds / 1000)
        var fields = tm()
        return localtime_r(&seconds, &fields) == nil ? 0 : Int(fields.tm_gmtoff)
    }
}
