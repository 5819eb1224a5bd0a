// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Bytes and the other side they came from or go to.
public struct Datagram: Equatable, Sendable {
    public var bytes: [UInt8]
    /// Source of a received datagram, destination of one to send.
    public var endpoint: Endpoint

    public init(_ bytes: [UInt8], _ endpoint: Endpoint) {
        self.bytes = bytes
        self.endpoint = endpoint
    }
}

/// What an unreliable network reports about datagrams.
public enum DatagramEvent: Equatable, Sendable {
    case received(Datagram)
    /// The network said that nobody reads there (ICMP port or host unreachable): a hint, since anybody can send one.
    case unreachable(Endpoint)
}

/// The datagram seam: the one UDP port of a program, or a simulated network in a test.
public protocol DatagramTransport: Sendable {
    /// Hands datagrams to the network, without waiting.
    /// - Returns: how many the system took, from the front; the rest was refused.
    @discardableResult
    func send(_ datagrams: [Datagram]) -> Int
}
