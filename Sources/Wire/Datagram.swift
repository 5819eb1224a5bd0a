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

/// What became of datagrams that were handed to the network.
public struct SendResult: Equatable, Sendable {
    /// How many the system took, from the front. The next one it will take later, unless `failure` says otherwise.
    public var taken: Int
    /// Why the datagram after those can't be sent at all, as one clause.
    public var failure: String?

    public init(taken: Int, failure: String? = nil) {
        self.taken = taken
        self.failure = failure
    }
}

/// The datagram seam: the one UDP port of a program, or a simulated network in a test.
public protocol DatagramTransport: Sendable {
    /// Hands datagrams to the network, without waiting.
    func send(_ datagrams: [Datagram]) -> SendResult
}

/// What is to be done about a way to an index server that needs no UDP.
public enum TunnelCommand: Equatable, Sendable {
    /// Connect by TLS over TCP, to the same address and port. Datagrams for this server take this way once it is open.
    /// - Parameter key: 32 octets that the server's certificate must hold; `nil` to take whoever answers.
    case open(Endpoint, key: [UInt8]?)
    case close(Endpoint)
}

/// What became of it.
public enum TunnelEvent: Equatable, Sendable {
    case opened(Endpoint)
    /// Closed, or never opened; one clause.
    case closed(Endpoint, reason: String)
}

/// The tunnel seam: datagrams to an index server in a TLS connection. What comes out of it arrives like any other
/// datagram, from the server's endpoint.
public protocol TunnelTransport: Sendable {
    func perform(_ commands: [TunnelCommand])
}
