// SPDX-License-Identifier: GPL-3.0-or-later

/// The sum behind a counter of the system's that has 32 bits and begins again at 0. It must be read once a round at
/// least.
struct WrappingCounter {
    private var last: UInt32 = 0
    private var total: UInt64 = 0

    /// - Parameter reading: what the counter shows now.
    /// - Returns: how much it has counted since it began.
    mutating func advance(to reading: UInt32) -> UInt64 {
        total &+= UInt64(reading &- last)
        last = reading
        return total
    }
}
