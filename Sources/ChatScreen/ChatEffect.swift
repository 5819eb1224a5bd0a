// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What the chat screen wants done: a value, so that a test can compare it.
public enum ChatEffect: Equatable, Sendable {
    // MARK: Messages

    case send(to: PeerID, text: String)
    /// Queue a failed message again, or try a waiting one now.
    case retry(MessageID)
    /// Take a waiting message back.
    case cancel(MessageID)
    /// Forget the text of one message, here.
    case erase(MessageID, of: PeerID)
    /// Forget the texts of a conversation, here.
    case forget(PeerID)

    // MARK: Contacts

    case add(PeerID, name: String?)
    /// Add whoever gave this invite: one word that begins with `parley:`, not yet looked into.
    case addInvite(String, name: String?)
    /// Revoke the invites given so far and tell the new one.
    case renewInvite
    case rename(PeerID, String)
    case remove(PeerID)
    case accept(PeerID)
    /// Drop a stranger's request; it may ask again after a restart.
    case ignore(PeerID)
    case block(PeerID)
    /// The user compared the digits of a peer's key, or takes that back.
    case verify(PeerID, Bool)
    /// Let a peer without a key be talked to in the open, or no longer.
    case allowPlaintext(PeerID, Bool)
    case set(ChatSetting, Bool)

    // MARK: What is kept, and what others may learn

    /// The conversation before the user's eyes from now on.
    case openConversation(PeerID?)
    /// The user saw everything up to this message.
    case markRead(PeerID, MessageID)
    case typing(PeerID, Bool)
    /// The user is at the keyboard, or has not been for five minutes.
    case active(Bool)
    /// Keep what is written and not yet sent; an empty text forgets it.
    case keepDraft(PeerID, String)
    /// Tell the ladder to a peer now and whenever it changes, until another one or none is wanted.
    case explain(PeerID?)
    /// Read messages from the disk; answered by `ChatEvent.history`.
    case load(HistoryRequest)
    /// Find a text in one conversation or all; answered by `ChatEvent.found` with the same token.
    case search(String, in: PeerID?, token: Int)

    // MARK: The terminal

    case quit, bell
    /// Stop the process until the shell continues it.
    case suspend
    /// Draw everything anew, whatever the terminal seems to show.
    case redraw
    /// Tell `ChatEvent.hintOver` with this number after so many seconds; of several orders, only the last counts.
    case endHint(Int, seconds: Int)
    /// Put a text on the terminal's clipboard.
    case copy(String)
    case setMouse(Bool)
}
