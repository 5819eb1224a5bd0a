// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What a user, a screen or a script asks of the client.
public enum ClientCommand: Equatable, Sendable {
    /// Add a contact and accept its messages.
    case add(PeerID, name: String?)
    case rename(PeerID, String)
    /// Queue a message; the tag comes back in its events. A peer that is no contact becomes one.
    case send(to: PeerID, text: String, tag: String?)
    case accept(PeerID)
    case block(PeerID)
    case remove(PeerID)
    /// Queue a failed message again.
    case retry(MessageID)
    /// Take a queued message back.
    case cancel(MessageID)
    /// The user saw everything up to this message.
    case read(PeerID, MessageID)
}

/// Why a command was refused: one sentence for the user.
public struct CommandError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// What happened, for whoever displays it.
public enum ClientEvent: Equatable, Sendable {
    /// An index server came or went.
    case index(server: String, IndexStatus)
    /// A message was received or, when outgoing, queued.
    case message(Message)
    case state(MessageID, tag: String?, to: PeerID, DeliveryState, reason: String?)
    /// How a peer is reached changed.
    case path(PeerID, PathKind, reason: String?)
    case lookup(PeerID, LookupSource, found: Bool, took: Span)
    /// The first message of a stranger. It comes again as a message once the stranger is accepted.
    case request(Message)
    /// The contact list changed.
    case contacts([Contact])
    /// One sentence about something that no command asked for.
    case notice(String, about: PeerID?)
}

/// Who answered a lookup.
public enum LookupSource: String, Sendable {
    case cache, index, lan, dht
}

/// One row of the peer list.
public struct PeerSummary: Equatable, Sendable {
    public var contact: Contact
    public var path: PathKind
    /// Messages that wait for it.
    public var waiting: Int
}
