// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import Wire

/// How datagrams get to the other side.
public enum Route: Hashable, Sendable {
    case direct(Endpoint)
    /// Through a relay, in a channel that the two have there.
    case relayed(by: Endpoint, RelayChannel)

    /// Where datagrams leave for.
    public var endpoint: Endpoint {
        switch self {
        case .direct(let endpoint), .relayed(let endpoint, _): endpoint
        }
    }

    public var isRelayed: Bool { if case .relayed = self { true } else { false } }

    /// Bytes for the other side, as they leave here.
    public func datagram(_ bytes: [UInt8]) -> Datagram {
        switch self {
        case .direct(let endpoint): Datagram(bytes, endpoint)
        case .relayed(let relay, let channel): Datagram(RelayDatagram.wrap(bytes, in: channel), relay)
        }
    }

    /// What came, and by which route; `nil` for a relayed datagram that holds nothing.
    public static func unwrap(_ datagram: Datagram) -> (bytes: [UInt8], route: Route)? {
        guard datagram.bytes.first == DatagramTag.relay else { return (datagram.bytes, .direct(datagram.endpoint)) }
        guard let (channel, inner) = RelayDatagram.unwrap(datagram.bytes), inner.first != DatagramTag.relay else {
            return nil
        }
        return (inner, .relayed(by: datagram.endpoint, channel))
    }
}

extension Route: CustomStringConvertible {
    public var description: String {
        switch self {
        case .direct(let endpoint): "\(endpoint)"
        case .relayed(let relay, _): "the relay at \(relay)"
        }
    }
}

/// A route by which a peer may be reached, and how it was learnt (RFC 8445, §5.1).
public struct RemoteCandidate: Hashable, Sendable {
    public enum Origin: Int, Sendable {
        /// By which the peer was reached before.
        case last
        /// It answered a search on this network.
        case lan
        /// An interface of the peer's, told inside a session.
        case host
        /// A port that its router opened for it.
        case mapped
        /// As an index server or another peer saw it.
        case reflexive
        /// A packet of its came from there (RFC 8445: peer-reflexive).
        case observed
        case relayed
    }

    public var route: Route
    public var origin: Origin

    public init(_ route: Route, _ origin: Origin) {
        self.route = route
        self.origin = origin
    }
}

/// The route that is in use.
public struct PathReport: Equatable, Sendable {
    public var route: Route
    /// `lan`, `direct`, `punched` or `relayed`.
    public var kind: PathKind
    /// As its last probe measured; `nil` before one came back.
    public var roundTrip: Span?

    public init(_ route: Route, _ kind: PathKind, roundTrip: Span? = nil) {
        self.route = route
        self.kind = kind
        self.roundTrip = roundTrip
    }
}

/// What became of one candidate, for people.
public struct PathAttempt: Equatable, Sendable {
    public enum State: Equatable, Sendable {
        /// Not its turn yet.
        case waiting
        /// Probed so many times, without an answer so far.
        case probing(Int)
        /// It answered; whether it is in use.
        case answered(roundTrip: Span, isInUse: Bool)
        /// It answered once, and no longer does.
        case silent
        /// Given up after so many probes; one clause if the network said why.
        case failed(Int, reason: String?)
        /// Never probed; one clause says why.
        case skipped(String)
    }

    public var candidate: RemoteCandidate
    public var state: State

    public init(_ candidate: RemoteCandidate, _ state: State) {
        self.candidate = candidate
        self.state = state
    }
}
