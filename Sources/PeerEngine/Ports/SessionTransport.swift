// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import Traversal
public import Wire

/// The name of one authenticated encrypted connection between two peers, within one run. Sessions that we dial have
/// even numbers, given by the engine; those that come in have odd ones, given by the transport.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }
    /// Whether we are the client, in QUIC's words.
    public var isDialled: Bool { number & 1 == 0 }
    public var description: String { "\(number)" }
}

/// Why a session ended.
public enum SessionEnd: Equatable, Sendable {
    /// Nobody answered the first packets.
    case noAnswer
    /// Packets stopped coming while an answer was due, or for longer than the idle limit.
    case pathDied
    /// The other side closed it, with a code of ours.
    case closedByPeer(SessionCloseCode)
    /// We closed it.
    case closedHere(SessionCloseCode)
    /// The other side holds another key than the one that was dialled, or the handshake was tampered with; one clause.
    case handshakeFailed(String)
    /// The other side broke the protocol; one clause.
    case protocolViolation(String)
    /// This machine could not; one clause.
    case failed(String)
}

/// What one side tells the other when it closes a session: QUIC application error codes (RFC 9000, §20.2).
public enum SessionCloseCode: UInt64, Sendable {
    /// No more use for it; it may be dialled again.
    case done = 0
    /// The other of two simultaneous sessions stays.
    case superseded = 1
    /// The user of this side does not want the other.
    case refused = 2
    /// A frame that can't be.
    case protocolViolation = 3
    /// Too many sessions already.
    case busy = 4
}

/// What the engine wants done with sessions.
public enum SessionCommand: Equatable, Sendable {
    /// Connect to the holder of exactly this key, by whichever route answers first, and move to better ones later.
    case dial(SessionID, key: PeerKey, DialPlan)
    /// Further ways to the other side, of a session that is being dialled or up.
    /// - Parameter sequence: of the record that they come from, 0 for others: see ``DialPlan``.
    case offer(SessionID, [RemoteCandidate], sequence: UInt64)
    /// Probe all ways that did not answer once more, after such a time: the other side does the same then.
    case punch(SessionID, after: Span)
    /// Somebody is about to dial us from there: probe it, so that our router lets it in.
    /// - Parameters:
    ///   - reference: by which it knows our probes.
    ///   - sequence: of its record: an address that never answered gets so many such probes for each, no more.
    case welcome(PeerKey, at: [Endpoint], reference: UInt64, sequence: UInt64)
    /// Whom datagrams as of a relay are taken from: nobody else's say that they passed something on.
    case relays(Set<Endpoint>)
    /// This machine has these addresses from now on, or slept: look for ways again.
    case networkChanged(addresses: [Endpoint.Address])
    /// Speak to peers through relays alone, and answer nobody else.
    case hide(Bool)
    /// Send whole frames, in order, without their length prefixes.
    case send(SessionID, frames: [[UInt8]])
    /// Frames of so many bytes have been dealt with: as many more may come.
    case consumed(SessionID, bytes: Int)
    /// The other side is a contact: more of what it sends may wait than of a stranger's.
    case widen(SessionID)
    /// Make sure that the other side is still there: ask for a sign of life.
    case probe(SessionID)
    case close(SessionID, SessionCloseCode)
    /// Let the other sides of two sessions reach each other through us, in a channel that both are told of: what the
    /// one sends in it goes to the other, for as long as both sessions last.
    case pass(RelayChannel, between: SessionID, and: SessionID)
    case stopPassing(RelayChannel)
}

/// How a peer is to be reached.
public struct DialPlan: Equatable, Sendable {
    public var candidates: [RemoteCandidate]
    /// Of the record that named them: an address that never answered gets so many probes for each record, no more.
    public var sequence: UInt64
    /// What our probes are called by, so that the other side's, which an index server asked for, lead here.
    public var reference: UInt64
    /// Whether to search this network, too.
    public var searchesLAN: Bool

    public init(_ candidates: [RemoteCandidate], sequence: UInt64 = 0, reference: UInt64, searchesLAN: Bool = false) {
        self.candidates = candidates
        self.sequence = sequence
        self.reference = reference
        self.searchesLAN = searchesLAN
    }
}

/// What happens to sessions.
public enum SessionEvent: Equatable, Sendable {
    /// The handshake is confirmed: the other side holds `key`, and both know it.
    /// - Parameters:
    ///   - at: the route that its packets come by.
    ///   - binding: 32 octets exported from the session's secrets (RFC 8446, §7.5), the same on both sides and in no
    ///     other session: what proofs inside the session are bound to.
    case up(SessionID, key: PeerKey, at: Route, binding: [UInt8])
    /// Whole frames in their order. The transport stops reading once more than its window waits for `consumed`.
    case frames(SessionID, [[UInt8]])
    /// The round trip of the route in use, when it changed noticeably.
    case roundTrip(SessionID, Span)
    /// Another route is in use, or another name fits it; `nil` while none answers. Only while a session is up.
    case path(SessionID, PathReport?)
    /// The route in use no longer brings what is due, or may not: others are tried beside it. Told as it begins.
    case doubt(SessionID)
    /// What became of each way, when that changed; also while it is being dialled.
    case attempts(SessionID, [PathAttempt])
    /// The other side of a session sees us there.
    case observed(SessionID, Endpoint)
    /// The last event of a session, also of one that never came up.
    case closed(SessionID, SessionEnd)
}

/// The session seam: QUIC on the one UDP port, or a simulated network in a test.
public protocol SessionTransport: Sendable {
    /// Takes commands without waiting. What comes of them is told as events, in order, to whoever owns the transport.
    /// A command about a session that is gone does nothing.
    func perform(_ commands: [SessionCommand])
}
