// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
import SafeText
import TerminalKit

/// Everything the chat screen shows or remembers. Only `update` changes it; `view` reads it.
public struct ChatState: Sendable {
    /// The most requests kept on the screen; a further one takes the place of the oldest that was not invited.
    static let requestLimit = 50
    /// The most index servers shown.
    static let indexLimit = 8
    /// Minutes without a key after which the user counts as away.
    static let awayMinutes = 5

    /// The user's own peer ID.
    public let me: PeerID
    /// The user's own name.
    public let name: String
    let options: ChatOptions

    var size = Size(columns: 80, rows: 24)
    var now: WallTime?
    /// Seconds east of UTC.
    var offset = 0
    var listen: Endpoint?
    /// How others can reach this machine; `nil` until the engine says.
    var reach: OwnReach?
    var indexes: [(server: String, status: IndexStatus)] = []

    /// Contacts as added, then strangers as they came.
    var conversations: [Conversation] = []
    /// The open conversation.
    var current: PeerID?
    /// What is written while no conversation is open.
    var lobby = Draft()
    /// Opened as soon as the address book names it.
    var awaited: PeerID?
    /// For whom a name was proposed.
    var named: Set<PeerID> = []
    /// Summaries of peers that the address book has not named yet.
    var unplaced: [PeerID: ConversationSummary] = [:]
    /// Digits of keys, likewise.
    var digits: [PeerID: String] = [:]
    var invite: String?
    /// What the user switched off.
    var switchedOff = ChatSetting.offAtFirst
    /// Where `goBack` leads.
    var origin: Origin?
    /// Where the walk through unread conversations began.
    var walkStart: PeerID?

    var killRing = KillRing()
    var overlay: Overlay?
    var completion: CompletionWalk?
    var popupDismissed = false
    var flash: Flash?
    /// The hint whose end was ordered last, and the number of that order.
    var timedHint: (flash: Flash?, number: Int) = (nil, 0)
    /// Ctrl+C was pressed on an empty line just now.
    var quitArmed = false
    /// How many messages waited when `/quit` last asked.
    var quitAsked: Int?
    /// The line that was asked about: Enter again means it.
    var doubted: String?
    var selection: Selection?
    /// The message that a search led to.
    var marked: MessageKey?
    /// What was tried to reach the peer that `/why` is open for.
    var ladder: [LadderStep] = []
    /// Whose ladder was last asked for.
    var toldWatched: PeerID?
    /// The token of the newest search.
    var searchToken = 0

    /// Whether a key was pressed at all.
    var isTouched = false
    /// Full minutes since the last key.
    var idleMinutes = 0
    /// The conversation that was last told to be open.
    var toldOpen: PeerID?
    /// Whom we last told that we write.
    var toldTyping: PeerID?
    /// Whether a key wrote something since the last pause.
    var isWriting = false
    var toldAway = false

    var bareView = false
    var panelShown = true
    var mouse = false

    /// A conversation and where its log stood.
    struct Origin: Equatable, Sendable {
        var peer: PeerID
        var anchor: LogAnchor?
    }

    /// A sentence in the status line: a hint for some seconds or until the next key, what is wrong until something else
    /// is done or for two full minutes.
    struct Flash: Equatable, Sendable {
        var text: String
        var isError: Bool
        /// How long a hint stays.
        var seconds = 10
        /// Whether a key led to it: then the user has read it before the next one.
        var answersKey = false
        var minutes = 0
    }

    public init(me: PeerID, name: String, options: ChatOptions = ChatOptions()) {
        self.me = me
        self.name = name
        self.options = options
    }

    var glyphs: Glyphs { Glyphs(ascii: options.ascii) }

    // MARK: Conversations

    /// Everybody on the screen, by name.
    var names: NameBook { NameBook(me: me, name: name, entries: conversations.map(\.entry)) }

    func index(of peer: PeerID) -> Int? { conversations.firstIndex { $0.contact.peer == peer } }

    var currentIndex: Int? { current.flatMap(index) }
    var conversation: Conversation? { currentIndex.map { conversations[$0] } }

    /// What the list shows, in its order.
    var shown: [Conversation] { conversations.filter(\.isShown) }

    /// What is being written now, in the open conversation or in none.
    var draft: Draft {
        get { currentIndex.map { conversations[$0].draft } ?? lobby }
        _modify {
            if let index = currentIndex {
                yield &conversations[index].draft
            } else {
                yield &lobby
            }
        }
    }

    /// Outgoing messages that wait, of all conversations.
    var waiting: Int { conversations.reduce(0) { $0 + $1.waiting } }

    /// Strangers who want to talk: the invited ones first, each kind as they came.
    var requests: [Conversation] {
        let all = conversations.filter(\.isRequest)
        return all.filter(\.contact.invited) + all.filter { !$0.contact.invited }
    }

    /// The stranger that the banner speaks of: the open one, or the first with an invite. The others are only counted.
    var request: Conversation? {
        if let conversation, conversation.isRequest { return conversation }
        return conversations.first { $0.isRequest && $0.contact.invited }
    }

    /// Whether nobody has touched a key for a while.
    var isAway: Bool { idleMinutes >= Self.awayMinutes }

    /// Whether a message names the user with an `@`.
    func names(_ text: String) -> Bool {
        guard !name.isEmpty, text.utf8.contains(UInt8(ascii: "@")) else { return false }
        let wanted = name.lowercased()
        return text.lowercased().split(separator: "@", omittingEmptySubsequences: false).dropFirst().contains { part in
            guard part.hasPrefix(wanted) else { return false }
            return part.dropFirst(wanted.count).first.map { !$0.isLetter && !$0.isNumber } ?? true
        }
    }
}
