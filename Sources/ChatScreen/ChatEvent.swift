// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import TerminalKit

/// Everything that can happen to the chat screen.
public enum ChatEvent: Sendable {
    case terminal(TerminalEvent)
    /// The wall clock and seconds east of UTC: at the start and at each full minute.
    case clock(WallTime, offset: Int)
    /// No key came for a second, or many have come: what is written is to be kept.
    case rest
    /// No key came for five seconds after one that wrote something.
    case pause
    /// The time of a hint is over: `ChatEffect.endHint` gave the number.
    case hintOver(Int)

    // MARK: What the last run left

    /// What is known of each conversation without its messages, and which one was open.
    case restored([ConversationSummary], open: PeerID?)
    /// The answer to `ChatEffect.load`.
    case history(HistoryRequest, HistoryPage)
    /// The answer to `ChatEffect.search`: hits, the newest first, and whether there are more than these.
    case found(token: Int, [SearchHit], more: Bool)

    // MARK: Messages

    /// A new message of either direction; an outgoing one comes back with its ID.
    case message(Message)
    case messageState(MessageID, to: PeerID, DeliveryState, reason: String?)
    /// Everything up to this message was seen, on whichever screen.
    case seen(PeerID, upTo: MessageID)
    /// The texts of a conversation are gone, or that of one message.
    case forgotten(PeerID, MessageID?)

    // MARK: Peers

    /// The whole address book, strangers and blocked peers included, whenever it changes.
    case contacts([Contact])
    /// A stranger wants to talk.
    /// - Parameter name: what it calls itself, if it says; unsanitised.
    case request(PeerID, name: String?, text: String, invited: Bool)
    /// The 30 digits of a key, a peer's or the user's own, once it is known.
    case digits(PeerID, String)
    /// - Parameter roundTrip: the time that a packet takes there and back.
    case path(PeerID, PathKind, roundTrip: Span?, reason: String?)
    /// What was tried to reach a peer, after `ChatEffect.explain` and whenever it changed.
    case ladder(PeerID, [LadderStep])
    case typing(PeerID, Bool)
    /// A contact is at the keyboard, or no longer.
    case active(PeerID, Bool)

    // MARK: The user's own side

    case index(server: String, IndexStatus)
    /// How others can reach this machine is seen otherwise than before.
    case reach(OwnReach)
    /// Where the peer can be reached from now on.
    case listening(Endpoint)
    /// The invite to give away from now on: one word that begins with `parley:`.
    case invite(String)
    case setting(ChatSetting, Bool)
    /// One sentence of the engine, about a peer or in general.
    case notice(String, about: PeerID?)
    /// A peer is in the address book, as an effect wanted that named it or its invite.
    case added(PeerID, name: String?)
    /// The answer to an effect that could not be carried out; a refused text is given back.
    case failed(String, ChatEffect?)
}
