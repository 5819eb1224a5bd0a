// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model

/// What a user, a screen or a script asks of the client.
public enum ClientCommand: Equatable, Sendable {
    /// Add a contact and accept its messages; a keyed peer gets a contact request.
    case add(PeerID, name: String?)
    /// Add whoever gave this invite: its key is pinned, its secret is proven at the first contact.
    case addInvite(Invite, name: String?)
    /// Revoke the invites given so far: a new secret takes the place of the old one.
    case renewInvite
    case rename(PeerID, String)
    /// The user compared the digits of a peer's key, or takes that back.
    case verify(PeerID, Bool)
    /// Let a peer without a key be talked to in the open, or no longer.
    case allowPlaintext(PeerID, Bool)
    /// Drop a stranger's request; it may ask again after a restart.
    case ignore(PeerID)
    /// Queue a message; the tag comes back in its events. A peer that is no contact becomes one.
    case send(to: PeerID, text: String, tag: String?)
    case accept(PeerID)
    case block(PeerID)
    case remove(PeerID)
    /// Forget the texts of a conversation; the contact stays.
    case forget(PeerID)
    /// Forget the text of one message, here.
    case erase(MessageID, of: PeerID)
    /// Queue a failed message again, or try a waiting one now.
    case retry(MessageID)
    /// Take a queued message back.
    case cancel(MessageID)
    /// The user saw everything up to this message.
    case read(PeerID, MessageID)
    /// The conversation that is open on the screen, whose session is kept up.
    case open(PeerID?)
    /// The user is writing to a peer, or no longer.
    case typing(PeerID, Bool)
    /// The user is at the keyboard, or no longer.
    case active(Bool)
    /// Keep what is written and not yet sent.
    case draft(PeerID, String)
    case set(ChatSetting, Bool)
    /// Whose ladder is watched from now on, until `nil`.
    case explain(PeerID?)
}

/// Why a command was refused: one sentence for the user.
public struct CommandError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Why something failed or waits.
public struct Reason: Equatable, Sendable {
    /// For programs: what kind of failure it is.
    public enum Cause: String, Sendable {
        /// An index server answered that it does not know the peer.
        case unknownPeer = "unknown_peer"
        /// No index server gave a usable answer.
        case noAnswer = "no_answer"
        /// This machine's network refused.
        case network
        /// The address is known, but nobody answers there; the message waits.
        case unreachable
        /// The other side does not want it.
        case refused
        /// The peer's identity is in doubt.
        case alarm
        /// This machine's disk refused.
        case disk
        /// The user's own doing.
        case user
    }

    public var cause: Cause
    /// For people: one clause.
    public var text: String

    public init(_ cause: Cause, _ text: String) {
        self.cause = cause
        self.text = text
    }
}

/// What happened, for whoever displays it.
public enum ClientEvent: Equatable, Sendable {
    /// An index server came or went.
    case index(server: String, IndexStatus)
    /// A message was received or, when outgoing, queued.
    case message(Message)
    case state(MessageID, tag: String?, to: PeerID, DeliveryState, reason: Reason?)
    /// How a peer is reached changed.
    case path(PeerID, PathKind, roundTrip: Span?, reason: Reason?)
    case lookup(PeerID, LookupSource, found: Bool, took: Span)
    /// A stranger wants to talk; its messages come once it is accepted. The text may be empty.
    /// - Parameter name: what it calls itself, if it says.
    case request(PeerID, name: String?, text: String, invited: Bool)
    /// A contact is writing, or no longer.
    case typing(PeerID, Bool)
    /// A contact is at the keyboard, or no longer.
    case active(PeerID, Bool)
    /// The user saw everything of a peer up to a message: what other screens of this home should know.
    case readHere(PeerID, upTo: MessageID)
    /// The texts of a conversation are gone, or that of one message.
    case forgotten(PeerID, MessageID?)
    /// The invite to give away from now on.
    case invite(Invite)
    case setting(ChatSetting, Bool)
    /// An invite named a further index server, to be asked from now on.
    case indexNamed(Invite.IndexHint)
    /// What was tried to reach the peer that is watched, in the order of the rungs: at first, and when it changed, at
    /// most four times a second.
    case ladder(PeerID, [LadderStep])
    /// How others can reach this machine is seen otherwise than before.
    case reachability(Reachability)
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
