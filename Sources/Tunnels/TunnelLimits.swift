// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How much tunnels may take, and for how long they may wait.
public struct TunnelLimits: Sendable {
    /// Connections that a server takes at a time.
    public var connections = 4096
    /// Of those from one IPv4 /24 or IPv6 /48.
    public var perNetwork = 64
    /// Whether this machine's own programs are held to that too.
    public var limitsLoopback = false
    /// Until the TLS handshake must be done.
    public var handshake = Span.seconds(10)
    /// How long nothing at all may come from a client that is connected: two of its keepalives.
    public var idle = Span.seconds(150)
    /// Octets that may wait to be sent to one side; datagrams beyond are dropped, as on a full line.
    public var buffered = 256 << 10

    public init() {}
}
