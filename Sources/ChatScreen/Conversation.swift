// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
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

/// A message by its ID and side: a peer may give its message an ID that one of ours has.
struct MessageKey: Hashable, Sendable {
    var id: MessageID
    var direction: Direction

    init(_ id: MessageID, _ direction: Direction) {
        self.id = id
        self.direction = direction
    }

    init(_ message: Message) { self.init(message.id, message.direction) }
}

/// A place in a log that stays put while messages arrive: the entry at the bottom of the view, and how many of its rows
/// are hidden below.
struct LogAnchor: Equatable, Sendable {
    var sequence: Int
    var below: Int
}

/// Where new messages began when the user last looked.
struct UnreadRule: Equatable, Sendable {
    /// `nil` when they are not known one by one.
    var first: MessageID?
    var count: Int
    var since: WallTime?
}

/// A message that the log goes to as soon as it is there.
enum Jump: Equatable, Sendable {
    case unread(MessageID)
    case hit(MessageKey)

    var key: MessageKey {
        switch self {
        case .unread(let id): MessageKey(id, .incoming)
        case .hit(let key): key
        }
    }
}

/// Everything that the screen knows about one peer. Of its messages it holds a stretch without gaps: the disk has all.
struct Conversation: Sendable {
    /// The most entries kept of an open log; a few more, so that not each message moves them all.
    static let openLimit = 2_000
    /// The most kept of a log that is not open.
    static let closedLimit = 200
    private static let slack = 200
    /// The most of a stranger's first words that is kept, in characters.
    private static let requestTextLimit = 1_024

    private(set) var entry: NameBook.Entry
    /// Whether the address book has named the peer.
    private(set) var listed: Bool
    /// Not in the list: closed by the user until a message comes, or a stranger's not yet looked at.
    var hidden: Bool
    var draft = Draft()
    /// The draft as it is on disk.
    var keptDraft = ""

    private(set) var log = LogWindow<LogEntry>()
    private var places: [MessageKey: Int] = [:]
    /// Whether nothing on disk is older than the log.
    private(set) var reachesStart = false
    /// Whether nothing is newer; else new messages are left to the disk.
    private(set) var reachesEnd = true
    /// What was asked of the disk.
    private(set) var pending: HistoryRequest.Range?
    /// What the disk did not give; not asked for again until the user moves.
    var refused: HistoryRequest.Range?
    /// Whether a message came that the page on its way may lack.
    private var missedOne = false
    private(set) var jump: Jump?

    /// Where the log is scrolled to; `nil` follows the newest.
    var anchor: LogAnchor?
    /// Messages that came while the user looked elsewhere.
    private(set) var unread = 0
    /// Those among them that name the user.
    private(set) var mentions = 0
    private(set) var rule: UnreadRule?
    /// Whether the peer's newest message was not yet told to be seen.
    private(set) var owesMark = false
    private var waitingIDs: Set<MessageID> = []

    private(set) var path: PathKind?
    private(set) var roundTrip: Span?
    private(set) var pathReason: String?
    /// The last path that joined the two, whether it is still there or not.
    private var lastWay: PathKind?
    /// Full minutes for which another way than the last one still stands out.
    private var freshness = 0
    /// When the peer last said something.
    private(set) var heard: WallTime?
    private(set) var isTyping = false
    /// Whether the peer is at the keyboard; `nil` when it does not say.
    var isActive: Bool?
    /// Whether the last message travelled in the open.
    private(set) var lastWasPlain = false
    /// What a stranger wrote when it asked.
    private(set) var requestText = ""
    /// The 30 digits of the peer's key.
    var digits: String?

    init(_ contact: Contact, listed: Bool) {
        entry = NameBook.Entry(contact)
        self.listed = listed
        hidden = !contact.accepted
    }

    private(set) var contact: Contact {
        get { entry.contact }
        set { entry.contact = newValue }
    }
    var peer: PeerID { contact.peer }
    /// Whether there is a session with the peer right now.
    var isConnected: Bool { path.map(Self.ways.contains) ?? false }
    /// Whether the peer could not be reached when last tried.
    var isUnreachable: Bool { path == PathKind.none && pathReason != nil }
    /// Somebody who wants to talk and was not yet answered.
    var isRequest: Bool { contact.isRequest }
    var isShown: Bool { !hidden && !contact.blocked }
    /// Outgoing messages that wait here.
    var waiting: Int { waitingIDs.count }
    var waitingMessages: Set<MessageID> { waitingIDs }

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
        if contact.accepted, !self.contact.accepted { hidden = false }
        self.contact = contact
        listed = true
    }

    /// Takes a stranger's wish to talk.
    mutating func ask(name: String?, text: String, invited: Bool) {
        contact.nickname = name ?? contact.nickname
        contact.invited = contact.invited || invited
        requestText = String(text.prefix(Self.requestTextLimit))
    }

    mutating func setPath(_ path: PathKind, roundTrip: Span?, reason: String?) {
        if path != self.path, Self.ways.contains(path) {
            freshness = lastWay != nil && lastWay != path ? 2 : freshness
            lastWay = path
        }
        self.path = path
        self.roundTrip = roundTrip
        pathReason = reason
        guard path == PathKind.none else { return }
        isTyping = false
        isActive = nil
    }

    private static let ways: Set<PathKind> = [.lan, .direct, .punched, .relayed]

    /// Whether the peer is reached by another way than a moment ago.
    var hasMoved: Bool { freshness > 0 && isConnected }

    /// A full minute is over.
    mutating func grow() { freshness = max(0, freshness - 1) }

    mutating func setTyping(_ isTyping: Bool) { self.isTyping = isTyping }

    // MARK: Messages

    func number(of key: MessageKey) -> Int? { places[key] }
    func message(_ key: MessageKey) -> Message? { places[key].flatMap { log[$0]?.message } }

    /// The newest incoming message of the log.
    var lastIncoming: MessageID? {
        log.range.reversed().lazy.compactMap { log[$0]?.message }.first { $0.direction == .incoming }?.id
    }

    /// Adds a message that has just come about.
    /// - Parameter seen: whether it appears before the user's eyes.
    mutating func append(_ message: Message, seen: Bool, names: Bool) {
        guard places[MessageKey(message)] == nil else {
            return advance(message.id, to: message.state, reason: message.reason)
        }
        note(waiting: message)
        lastWasPlain = !message.secure
        if reachesEnd {
            places[MessageKey(message)] = log.end
            log.append(.message(message))
        } else {
            missedOne = true
        }
        guard message.direction == .incoming else { return }
        heard = message.received
        isTyping = false
        owesMark = true
        if contact.accepted { hidden = false }
        if !seen { countUnread(message, names: names) }
    }

    private mutating func note(waiting message: Message) {
        guard message.direction == .outgoing else { return }
        if message.state == .queued { waitingIDs.insert(message.id) } else { waitingIDs.remove(message.id) }
    }

    private mutating func countUnread(_ message: Message, names: Bool) {
        if unread == 0 { rule = UnreadRule(first: message.id, count: 0, since: message.received) }
        unread += 1
        rule?.count = unread
        if names { mentions += 1 }
    }

    /// Adds a sentence; the same one again is counted, not repeated.
    mutating func note(_ text: String, at time: WallTime?) {
        guard reachesEnd else { return }
        if case .note(text, _, let count)? = log[log.end - 1] {
            log.update(log.end - 1) { $0 = .note(text, at: time, count: count < .max ? count + 1 : count) }
        } else {
            log.append(.note(text, at: time, count: 1))
        }
    }

    /// Moves an outgoing message on to a later state. An earlier one is ignored; only a failed message begins again.
    mutating func advance(_ id: MessageID, to state: DeliveryState, reason: String?) {
        guard let number = places[MessageKey(id, .outgoing)], var message = log[number]?.message else {
            if state != .queued { waitingIDs.remove(id) }
            return
        }
        guard state == message.state || message.state.mayBecome(state) else { return }
        message.state = state
        message.reason = reason
        log.update(number) { $0 = .message(message) }
        note(waiting: message)
    }

    /// Forgets one message.
    mutating func erase(_ id: MessageID) {
        waitingIDs.remove(id)
        for direction in [Direction.incoming, .outgoing] {
            guard let number = places.removeValue(forKey: MessageKey(id, direction)) else { continue }
            log.remove(number)
            for later in log.range.dropFirst(number - log.start) {
                if let message = log[later]?.message { places[MessageKey(message)] = later }
            }
            if let anchor, anchor.sequence >= number {
                self.anchor = LogAnchor(sequence: anchor.sequence - 1, below: 0)
            }
        }
    }

    // MARK: What was seen

    /// Takes what the last run left.
    mutating func restore(_ summary: ConversationSummary) {
        waitingIDs.formUnion(summary.waiting)
        if draft.editor.isEmpty {
            draft.editor = LineEditor(summary.draft)
            keptDraft = draft.editor.text
        }
        guard summary.unread > 0, unread == 0 else { return }
        unread = summary.unread
        owesMark = true
        rule = UnreadRule(first: summary.firstUnread, count: unread, since: summary.unreadSince)
    }

    /// The user has seen everything.
    mutating func markSeen() {
        unread = 0
        mentions = 0
    }

    /// That was told.
    mutating func marked() { owesMark = false }

    /// The rule has done its work.
    mutating func dropRule() { if unread == 0 { rule = nil } }

    // MARK: The window

    /// Forgets the log as far as the screen goes; the disk keeps it.
    mutating func clear() {
        log.removeAll()
        places = [:]
        anchor = nil
        reachesStart = false
        reachesEnd = true
        pending = nil
        refused = nil
        jump = nil
        missedOne = false
    }

    /// Forgets what was said here, for good.
    mutating func forget() {
        clear()
        reachesStart = true
        rule = nil
        waitingIDs = []
        owesMark = false
        markSeen()
    }

    /// Goes to a message once it is loaded.
    mutating func head(for jump: Jump) {
        self.jump = jump
        pending = nil
        refused = nil
    }

    mutating func arrived() { jump = nil }

    /// What to read from the disk for a view of so many rows; `nil` when there is enough, or something is on its way.
    mutating func nextPage(rows: Int) -> HistoryRequest.Range? {
        guard pending == nil, let wanted = missing(rows: rows), wanted != refused else { return nil }
        pending = wanted
        missedOne = false
        return wanted
    }

    private func missing(rows: Int) -> HistoryRequest.Range? {
        if let jump { return .around(jump.key.id) }
        let reserve = min(300, max(24, rows * 3))
        let bottom = anchor?.sequence ?? log.end - 1
        if !reachesStart, bottom - log.start < reserve {
            return firstMessage.map { .older(than: $0) } ?? .newest
        }
        if !reachesEnd, log.end - bottom <= reserve { return lastMessage.map { .newer(than: $0) } ?? .newest }
        return nil
    }

    private var firstMessage: MessageID? { log.range.lazy.compactMap { log[$0]?.message?.id }.first }
    private var lastMessage: MessageID? { log.range.reversed().lazy.compactMap { log[$0]?.message?.id }.first }

    /// Adds a page that was asked for; any other is too late and of no use.
    mutating func take(_ page: HistoryPage, for range: HistoryRequest.Range) {
        guard pending == range else { return }
        pending = nil
        if case .around = range {
            let jump = jump
            clear()
            self.jump = jump
        }
        let fresh = page.messages.filter { $0.peer == peer && places[MessageKey($0)] == nil }
        for message in fresh { note(waiting: message) }
        switch range {
        case .newest, .older: log.prepend(fresh.map { .message($0) })
        case .newer, .around: for message in fresh { log.append(.message(message)) }
        }
        for number in log.range {
            if let message = log[number]?.message { places[MessageKey(message)] = number }
        }
        // A page without anything new ends the search in its direction, whatever it says.
        switch range {
        case .newest, .older: reachesStart = page.reachesStart || fresh.isEmpty
        case .newer: reachesEnd = (page.reachesEnd || fresh.isEmpty) && !missedOne
        case .around where fresh.isEmpty: break
        case .around: (reachesStart, reachesEnd) = (page.reachesStart, page.reachesEnd && !missedOne)
        }
        trim(to: Self.openLimit)
    }

    /// The disk did not answer.
    mutating func refuse(_ range: HistoryRequest.Range) {
        guard pending == range else { return }
        pending = nil
        refused = range
        if case .around = range { jump = nil }
    }

    /// Keeps what is around the view, once there is a good deal more than that.
    mutating func trim(to limit: Int) {
        guard log.count > limit + Self.slack else { return }
        let middle = anchor.map { $0.sequence - limit / 2 } ?? log.end - limit
        let first = max(log.start, min(log.end - limit, middle))
        let kept = first..<(first + limit)
        if kept.lowerBound > log.start { reachesStart = false }
        if kept.upperBound < log.end { reachesEnd = false }
        for entry in log.keep(kept) {
            if let message = entry.message { places[MessageKey(message)] = nil }
        }
    }
}

/// What is being written to one peer, and what was written before.
struct Draft: Sendable {
    var editor = LineEditor()
    var history = InputHistory()
}

extension Message {
    var isWaiting: Bool { direction == .outgoing && state == .queued }
    var hasFailed: Bool { direction == .outgoing && state == .failed }
    /// Whether it left, and nobody has said that it arrived: to a peer without a key, nobody ever does.
    var isUnconfirmed: Bool { direction == .outgoing && state == .sent && peer.isKeyed }
}
