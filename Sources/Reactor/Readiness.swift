// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// What poll(2) said of a descriptor.
public struct Readiness: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Reading won't block; it may yield end of file.
    public static let readable = Readiness(rawValue: 1)
    /// Writing won't block. Reported only when asked for with `watchWritable`.
    public static let writable = Readiness(rawValue: 2)
    /// An error waits, or the descriptor is not open.
    public static let error = Readiness(rawValue: 4)
    /// The other side is gone; there may still be something to read.
    public static let hangup = Readiness(rawValue: 8)

    init(events: Int32) {
        var readiness: Readiness = []
        if events & POLLIN != 0 { readiness.insert(.readable) }
        if events & POLLOUT != 0 { readiness.insert(.writable) }
        if events & (POLLERR | POLLNVAL) != 0 { readiness.insert(.error) }
        if events & POLLHUP != 0 { readiness.insert(.hangup) }
        self = readiness
    }
}
