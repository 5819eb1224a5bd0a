// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import Relaying
public import Traversal

/// How much sessions may take, and for how long they may wait.
public struct SessionLimits: Sendable {
    /// Sessions at a time, in both directions.
    public var sessions = 256
    /// Incoming sessions at a time whose handshake is not confirmed; what comes beyond is not answered.
    public var halfOpen = 128
    /// Of those, how many may come without having proved that they receive at their address (RFC 9000, §8.1.2).
    public var halfOpenWithoutRetry = 64
    /// How long an answer to a Retry is good.
    public var retryLifetime = Span.seconds(10)
    /// Until a handshake must be confirmed.
    public var handshake = Span.seconds(10)
    /// Until the first answer to a dial must come.
    public var firstAnswer = Span.seconds(5)
    /// How long an acknowledgement may be due: an outage of five seconds, and two to find out that it is over.
    public var silence = Span.seconds(7)
    /// How long nothing at all may come (RFC 9000, §10.1).
    public var idle = Span.seconds(25)
    /// The silence after which a sign of life is sent and asked for; zero: never.
    public var keepAlive = Span.seconds(10)
    /// How routes are chosen.
    public var path = PathLimits()
    /// Between two reports of what became of each candidate of a session.
    public var attempts = Span.milliseconds(250)
    /// How long a session that we close may still take to deliver what was sent before.
    public var flush = Span.milliseconds(200)
    /// How long packets of a closed session are answered with its last one (RFC 9000, §10.2.1).
    public var linger = Span.seconds(1)
    /// Bytes that may arrive and wait to be consumed, of all streams together.
    public var window = 1 << 20
    /// The same of a contact's: a line of 100 Mbit/s and 40 ms holds half a MiB each way, and BBR tries twice as much.
    public var contactWindow = 4 << 20
    /// Frames that may wait to be consumed: small ones cost more memory than they have bytes.
    public var frames = 4096
    /// Bytes that may wait to be acknowledged by the other side.
    public var buffered = 8 << 20
    /// What passes between contacts through us.
    public var relay = RelayLimits.peer
    /// Streams that who dials may have open; the other side opens none.
    public var streams = 1

    public init() {}
}
