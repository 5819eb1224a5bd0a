// SPDX-License-Identifier: GPL-3.0-or-later

/// The two clocks as a parameter: the system's in programs, a hand-turned one in tests.
public struct Clocks: Sendable {
    /// For every wait and timeout.
    public let monotonic: @Sendable () -> Instant
    /// For what people and other machines read.
    public let wall: @Sendable () -> WallTime

    public init(monotonic: @escaping @Sendable () -> Instant, wall: @escaping @Sendable () -> WallTime) {
        self.monotonic = monotonic
        self.wall = wall
    }
}
