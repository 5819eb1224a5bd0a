// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// A page of a conversation's history that the screen asks for: some 200 messages.
public struct HistoryRequest: Hashable, Sendable {
    public enum Range: Hashable, Sendable {
        /// The last ones.
        case newest
        /// Those that arrived before a message.
        case older(than: MessageID)
        /// Those that arrived after a message.
        case newer(than: MessageID)
        /// A message and as many before as after it.
        case around(MessageID)
    }

    public var peer: PeerID
    public var range: Range

    public init(_ peer: PeerID, _ range: Range) {
        self.peer = peer
        self.range = range
    }
}

/// Messages of one conversation without a gap between them.
public struct HistoryPage: Equatable, Sendable {
    /// In the order in which they arrived, the oldest first.
    public var messages: [Message]
    /// Whether nothing older is on disk.
    public var reachesStart: Bool
    /// Whether nothing newer is on disk.
    public var reachesEnd: Bool

    public init(_ messages: [Message], reachesStart: Bool, reachesEnd: Bool) {
        self.messages = messages
        self.reachesStart = reachesStart
        self.reachesEnd = reachesEnd
    }
}

/// What the last run left of a conversation, its messages aside.
public struct ConversationSummary: Equatable, Sendable {
    public var peer: PeerID
    /// Incoming messages that the user has not seen.
    public var unread: Int
    /// The oldest of them and when it came.
    public var firstUnread: MessageID?
    public var unreadSince: WallTime?
    /// What was written and not sent.
    public var draft: String
    /// Outgoing messages that have not left.
    public var waiting: [MessageID]

    public init(
        _ peer: PeerID, unread: Int = 0, firstUnread: MessageID? = nil, unreadSince: WallTime? = nil,
        draft: String = "", waiting: [MessageID] = []
    ) {
        self.peer = peer
        self.unread = unread
        self.firstUnread = firstUnread
        self.unreadSince = unreadSince
        self.draft = draft
        self.waiting = waiting
    }
}

/// A message that a search found.
public struct SearchHit: Equatable, Sendable {
    public var peer: PeerID
    public var id: MessageID
    public var direction: Direction
    public var received: WallTime
    /// An excerpt of the text in three pieces, unsanitised: what was found, and what stands around it.
    public var before: String
    public var match: String
    public var after: String

    public init(
        peer: PeerID, id: MessageID, direction: Direction, received: WallTime, before: String, match: String,
        after: String
    ) {
        self.peer = peer
        self.id = id
        self.direction = direction
        self.received = received
        self.before = before
        self.match = match
        self.after = after
    }
}
