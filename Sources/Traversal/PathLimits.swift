// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How long path choice waits for what, and how much it sends.
public struct PathLimits: Sendable {
    /// Direct candidates of one peer at a time; those that it is seen at take the place of those that never answered.
    public var candidates = 8
    /// Probes to one address that never answered.
    public var tries = 10
    /// Between the first probes of two candidates (RFC 8445, §14: Ta).
    public var stagger = Span.milliseconds(50)
    /// Rounds of hole punching.
    public var rounds = 3
    /// By how much IPv6 may be slower and still be taken.
    public var v6Bonus = Span.milliseconds(3)
    /// By how much another route must be faster to be changed to.
    public var hysteresis = Span.milliseconds(5)
    /// How long an acknowledgement may be due, or this many round trips, before the route is in doubt.
    public var doubt = Span.milliseconds(800)
    /// How often a route in use that brings nothing else is probed.
    public var keepalive = Span.seconds(15)

    public init() {}
}

/// How many probes an address may get that never answered one: what an attacker who registers somebody else's address can
/// make all of us send there. Addresses that answered cost nothing. Bounded: the oldest entries go.
public struct ProbeBudget: Sendable {
    public init(limits: PathLimits = PathLimits()) {}

    /// Takes one probe for an address that a record of this sequence named.
    /// - Returns: whether there is one left.
    public mutating func take(_ endpoint: Endpoint, sequence: UInt64, now: Instant) -> Bool { true }

    /// It answered: it may be probed as often as need be.
    public mutating func answered(_ endpoint: Endpoint) {}
}
