// SPDX-License-Identifier: GPL-3.0-or-later
public import Wire

/// Where a client's datagrams leave: through a tunnel those for a server that has one open, all others by UDP.
public struct Uplink: DatagramTransport {
    private let port: any DatagramTransport
    private let tunnels: TunnelHost

    public init(_ port: any DatagramTransport, tunnels: TunnelHost) {
        self.port = port
        self.tunnels = tunnels
    }

    public func send(_ datagrams: [Datagram]) -> SendResult {
        var rest = datagrams[...]
        while !rest.isEmpty {
            rest = rest.dropFirst(tunnels.take(rest))
            let others = rest.prefix { !tunnels.isOpen($0.endpoint) }
            guard !others.isEmpty else { continue }
            let result = port.send(Array(others))
            rest = rest.dropFirst(result.taken)
            guard result.taken == others.count else {
                return SendResult(taken: datagrams.count - rest.count, failure: result.failure)
            }
        }
        return SendResult(taken: datagrams.count)
    }
}
