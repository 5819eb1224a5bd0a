// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How long path choice waits for what, and how much it sends.
public struct PathLimits: Sendable {
    /// Direct candidates of one peer that it, or somebody else, told us; what comes beyond takes the place of those
    /// that were given up, or is passed over.
    public var candidates = 8
    /// Routes through relays.
    public var relays = 4
    /// Routes that packets came from unannounced: so many that have not answered, and so many that did.
    public var observed = 4
    /// Probes to one address that never answered.
    public var tries = 10
    /// Between the first probes of two candidates (RFC 8445, §14: Ta).
    public var stagger = Span.milliseconds(50)
    /// Rounds of hole punching.
    public var rounds = 3
    /// By how much IPv6 may be slower and still be taken.
    public var v6Bonus = Span.milliseconds(3)
    /// By how much another route must be faster to be changed to; besides, by a fifth.
    public var hysteresis = Span.milliseconds(5)
    /// How long an acknowledgement may be due, or three round trips, before the route is in doubt.
    public var doubt = Span.milliseconds(800)
    /// How long an acknowledgement may be due, or six round trips, before a route that answers probes is taken to lose
    /// packets: it may lead to somebody else, or carry small ones only.
    public var distrust = Span.seconds(2)
    /// For how long it then gives way to others.
    public var distrusted = Span.seconds(30)
    /// How long doubt may last until there is said to be no route.
    public var giveUp = Span.seconds(2)
    /// How often routes that answered before are probed while they are missed, for as long as ``eager`` says.
    public var search = Span.milliseconds(500)
    public var eager = Span.seconds(10)
    /// How often after that, for a minute or as long as there is no route.
    public var patientSearch = Span.seconds(2)
    /// How often after that, while packets go through a relay.
    public var lateSearch = Span.seconds(8)
    /// How often a route in use that brings nothing else is probed.
    public var keepalive = Span.seconds(15)

    public init() {}
}
