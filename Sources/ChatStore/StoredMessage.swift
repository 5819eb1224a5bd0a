// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// A message and its place.
public struct StoredMessage: Equatable, Sendable {
    /// Its place among all messages, in the order of their arrival; from 1, with gaps, never reused.
    public let sequence: Int64
    public let message: Message

    public init(sequence: Int64, message: Message) {
        self.sequence = sequence
        self.message = message
    }
}

/// One line of a list of conversations.
public struct ConversationSummary: Equatable, Sendable {
    public let peer: PeerID
    /// The place of its newest message; `nil` when there is none.
    public var lastSequence: Int64?
    /// When that one came or was written.
    public var lastTime: WallTime?
    /// Messages that came after the last one that the user saw.
    public var unread: Int
    /// Outgoing messages without a receipt, or, to a peer without a key, that have not left.
    public var waiting: Int
    /// Empty for none.
    public var draft: String

    public init(
        peer: PeerID, lastSequence: Int64? = nil, lastTime: WallTime? = nil, unread: Int = 0, waiting: Int = 0,
        draft: String = ""
    ) {
        self.peer = peer
        self.lastSequence = lastSequence
        self.lastTime = lastTime
        self.unread = unread
        self.waiting = waiting
        self.draft = draft
    }
}
