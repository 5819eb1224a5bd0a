// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Bounds, leases and what one group of sources may ask.
public struct IndexLimits: Equatable, Sendable {
    /// Keyed rows; when full, new ones are refused and known ones renewed.
    public var keyed = 1_000_000
    /// Seed rows; when full, the oldest goes.
    public var seeds = 1_000_000
    public var keyedLease = Span.seconds(2 * 3600)
    public var seedLease = Span.seconds(24 * 3600)
    /// Datagrams a second from one IPv4 /24 or IPv6 /48, and how many at once.
    public var requests = Rate(perSecond: 2000, burst: 8000)
    /// The same for what costs a signature or a row: registrations, and answers that shall prove the server's key.
    public var registrations = Rate(perSecond: 200, burst: 2000)
    /// Whether this machine's own programs are limited too.
    public var limitsLoopback = false

    public init() {}

    /// A rate and how far it may be run ahead of.
    public struct Rate: Equatable, Sendable {
        /// 1 to a million.
        public var perSecond: Int
        /// 1 to a million.
        public var burst: Int

        public init(perSecond: Int, burst: Int) {
            self.perSecond = min(max(1, perSecond), 1_000_000)
            self.burst = min(max(1, burst), 1_000_000)
        }
    }
}
