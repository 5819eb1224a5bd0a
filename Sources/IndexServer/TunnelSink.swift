// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Where datagrams go whose destination is a tunnel: an endpoint in 100::/64 (`Endpoint.isTunnel`), which stands for
/// one connection.
public protocol TunnelSink: Sendable {
    /// Takes a datagram, or drops it when the tunnel is gone or full. On any thread; must not wait.
    func deliver(_ bytes: [UInt8], to endpoint: Endpoint)
}
