// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Where datagrams go whose destination is a tunnel: an endpoint in 100::/64 (RFC 6666), which stands for one connection.
public protocol TunnelSink: Sendable {
    /// Takes a datagram, or drops it when the tunnel is gone or full. On any thread; must not wait.
    func deliver(_ bytes: [UInt8], to endpoint: Endpoint)
}

extension Endpoint {
    /// Whether it stands for a tunnel: the discard prefix of IPv6, in which no machine is.
    public var isTunnel: Bool {
        if case .v6(0x0100_0000_0000_0000, _) = address { true } else { false }
    }
}
