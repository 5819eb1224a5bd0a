// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import TerminalKit

/// Everything that can happen to the chat screen.
public enum ChatEvent: Sendable {
    case terminal(TerminalEvent)
    /// The wall clock and seconds east of UTC: at the start and at each full minute.
    case clock(WallTime, offset: Int)
    /// The whole address book, strangers and blocked peers included, whenever it changes.
    case contacts([Contact])
    /// A new message of either direction; an outgoing one comes back with its ID.
    case message(Message)
    case messageState(MessageID, DeliveryState, reason: String?)
    case path(PeerID, PathKind, reason: String?)
    case index(server: String, IndexStatus)
    /// Where the peer can be reached from now on.
    case listening(Endpoint)
    /// One sentence of the engine, about a peer or in general.
    case notice(String, about: PeerID?)
    /// The answer to an effect that could not be carried out; a refused text is given back.
    case failed(String, ChatEffect?)
}

/// What is known of an index server.
public enum IndexStatus: Equatable, Sendable {
    case connecting
    /// It answered, so many milliseconds after it was asked.
    case ok(milliseconds: Double)
    case unreachable(reason: String)
    /// It answers, but takes no keyed identities: a server of the seed.
    case noIdentities
}
