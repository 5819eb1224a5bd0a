// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// What a conversation's log holds, oldest first.
enum LogEntry: Sendable {
    case message(Message)
    /// A sentence of the engine's, at a time, so many times in a row.
    case note(String, at: WallTime?, count: Int)

    var message: Message? { if case .message(let message) = self { message } else { nil } }

    var time: WallTime? {
        switch self {
        case .message(let message): message.received
        case .note(_, let at, _): at
        }
    }
}

/// A place in a log that stays put while messages arrive: the entry at the bottom of the view, and how many of its rows
/// are hidden below.
struct LogAnchor: Equatable, Sendable {
    var sequence: Int
    var below: Int
}

/// Where new messages began when the user last looked.
struct UnreadRule: Equatable, Sendable {
    var sequence: Int
    var count: Int
    var since: WallTime?
}

/// Everything that the screen knows about one peer.
struct Conversation: Sendable {
    /// The most entries kept of a contact's log.
    static let logLimit = 20_000
    /// The most kept of a stranger's, who may be anybody.
    static let strangerLogLimit = 200

    var contact: Contact
    /// Whether the address book has named the peer.
    var listed: Bool
    /// Closed by the user; a message opens it again.
    var hidden = false
    private(set) var log: Ring<LogEntry>
    var draft = Draft()
    /// Where the log is scrolled to; `nil` follows the newest.
    var anchor: LogAnchor?
    /// Messages that came while the user looked elsewhere.
    private(set) var unread = 0
    /// Those among them that name the user.
    private(set) var mentions = 0
    private(set) var rule: UnreadRule?
    /// Outgoing messages that wait here.
    private(set) var waiting = 0
    var path: PathKind?
    var pathReason: String?
    /// When the peer last said something.
    private(set) var heard: WallTime?
    /// Whether the last message travelled in the open.
    private(set) var lastWasPlain = false

    init(_ contact: Contact, listed: Bool) {
        self.contact = contact
        self.listed = listed
        log = Ring(limit: contact.accepted ? Self.logLimit : Self.strangerLogLimit)
    }

    var peer: PeerID { contact.peer }
    /// Whether the peer could not be reached when last tried.
    var isUnreachable: Bool { path == PathKind.none && pathReason != nil }
    /// Somebody who wants to talk and was not yet answered.
    var isRequest: Bool { !contact.accepted && !contact.blocked }
    var isShown: Bool { !hidden && !contact.blocked }

    /// Whether what is written here travels in the open, as far as anyone knows.
    var isPlain: Bool {
        switch path {
        case .plaintext?: true
        case .lan?, .direct?, .punched?, .relayed?: false
        case PathKind.none?, nil: !peer.isKeyed || lastWasPlain
        }
    }

    /// Takes the address book's word for the contact.
    mutating func update(_ contact: Contact) {
        self.contact = contact
        listed = true
        if contact.accepted, log.limit < Self.logLimit { log = log.growing(to: Self.logLimit) }
    }

    /// Adds a message.
    /// - Parameter seen: whether it appears before the user's eyes.
    /// - Returns: its number, and the message that made room for it.
    mutating func append(_ message: Message, seen: Bool, names: Bool) -> (sequence: Int, dropped: Message?) {
        let sequence = log.end
        let dropped = log.append(.message(message))?.message
        if let dropped, dropped.isWaiting { waiting -= 1 }
        if message.isWaiting { waiting += 1 }
        lastWasPlain = !message.secure
        if message.direction == .incoming {
            heard = message.received
            hidden = false
            if !seen { countUnread(sequence, message, names: names) }
        }
        return (sequence, dropped)
    }

    private mutating func countUnread(_ sequence: Int, _ message: Message, names: Bool) {
        if unread == 0 { rule = UnreadRule(sequence: sequence, count: 0, since: message.received) }
        unread += 1
        rule?.count = unread
        if names { mentions += 1 }
    }

    /// Adds a sentence; the same one again is counted, not repeated.
    /// - Returns: the message that made room for it.
    mutating func note(_ text: String, at time: WallTime?) -> Message? {
        if case .note(text, _, let count)? = log[log.end - 1] {
            log.update(log.end - 1) { $0 = .note(text, at: time, count: count < .max ? count + 1 : count) }
            return nil
        }
        let dropped = log.append(.note(text, at: time, count: 1))?.message
        if let dropped, dropped.isWaiting { waiting -= 1 }
        return dropped
    }

    /// Moves a message on to a later state; an earlier one is ignored.
    mutating func advance(_ sequence: Int, to state: DeliveryState, reason: String?) {
        guard var message = log[sequence]?.message, state.rank >= message.state.rank else { return }
        let waited = message.isWaiting
        message.state = state
        message.reason = reason
        log.update(sequence) { $0 = .message(message) }
        waiting += (message.isWaiting ? 1 : 0) - (waited ? 1 : 0)
    }

    /// The user has seen everything.
    mutating func markSeen() {
        unread = 0
        mentions = 0
    }

    /// The rule has done its work.
    mutating func dropRule() { if unread == 0 { rule = nil } }

    /// Forgets the log; what waits is still sent.
    mutating func clear() {
        log = Ring(limit: log.limit)
        waiting = 0
        anchor = nil
        rule = nil
        markSeen()
    }
}

/// What is being written to one peer, and what was written before.
struct Draft: Sendable {
    var editor = LineEditor()
    var history = InputHistory()
}

extension Message {
    var isWaiting: Bool { direction == .outgoing && state == .queued }
}

extension DeliveryState {
    /// The place on the way that a message only goes down.
    fileprivate var rank: Int {
        switch self {
        case .queued: 0
        case .sent: 1
        case .delivered: 2
        case .read: 3
        case .failed: 4
        }
    }
}
