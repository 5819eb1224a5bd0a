// SPDX-License-Identifier: GPL-3.0-or-later
public import IndexEngine
public import Model
public import TerminalKit

/// The parts of the screen that a digit shows and hides.
public enum DashboardPanel: Int, Sendable, CaseIterable {
    case rates = 1
    case health, registrations, queries
}

/// Everything that a dashboard remembers.
public struct DashboardState: Equatable, Sendable {
    /// Whose process this is.
    public enum Role: Sendable {
        /// The server's own: quitting stops it, after a question.
        case server
        /// A visitor's: quitting only detaches.
        case visitor
    }

    public let role: Role
    /// Whether the terminal draws nothing beyond ASCII.
    public let ascii: Bool
    public internal(set) var size: Size

    /// The last answer; `nil` until the first.
    var snapshot: IndexSnapshot?
    /// Seconds without an answer; `nil` while answers come.
    var silence: Int?
    var now: WallTime
    var utcOffset: Int
    var notice: Notice?
    /// What the last minute's snapshots tell together.
    var trend = Trend()
    /// The newest of the server's notices that the user has put away.
    var dismissed: OperatorNotice?

    // What is looked at
    var hidden: Set<DashboardPanel> = []
    var focus = DashboardPanel.registrations
    var overlay: Overlay? {
        didSet {
            if overlay != oldValue { boxTop = 0 }
            if overlay != .details { inspection = nil }
        }
    }
    /// Lines of an overlay that are scrolled out of it.
    var boxTop = 0
    /// What the details are about.
    var inspection: Inspection?
    var pause: Pause?
    var unmasked = false
    var mouse = false
    var interval = 2

    // Registrations
    var sort = RowSort.expires
    var descending = false
    var filter = ""
    var isFiltering = false
    /// The rows last taken over from a snapshot: three screens of them, the visible one in the middle.
    var page = RowPage()
    var selection: Selection?
    /// What to select when the rows of the far end arrive.
    var jump: Jump?
    var requested: RowRequest?

    // Queries
    var traffic = TrafficView.feed
    var sourceSort = SourceSort.requests
    /// Lines of results or sources that are scrolled out of the panel.
    var trafficTop = 0
    var feed = Feed()
    /// The selected entry's sequence and its line on the screen.
    var feedSelection: FeedSelection?

    struct Notice: Equatable, Sendable {
        var text: String
        var until: WallTime
    }

    enum Overlay: Equatable, Sendable {
        case help
        case sortMenu(Int)
        case confirmQuit
        case details
        case history
        case notices
    }

    /// A feed entry, or a peer, or both: the entry's.
    struct Inspection: Equatable, Sendable {
        var entry: FeedEntry?
        var peer: PeerID?
        /// The row as the list last showed it.
        var row: RegistrationRow?
        /// The server's answer; from then on nothing else is shown.
        var detail: PeerDetail?

        init(_ row: RegistrationRow) {
            peer = row.peer
            self.row = row
        }

        init(_ entry: FeedEntry) {
            self.entry = entry
            if case .peer(let peer) = entry.event.target { self.peer = peer }
        }
    }

    struct Pause: Equatable, Sendable {
        var since: WallTime
        var feed: Feed
    }

    /// A row and the line of the list on which it stays.
    struct Selection: Equatable, Sendable {
        var peer: PeerID
        var line: Int
    }

    struct FeedSelection: Equatable, Sendable {
        var sequence: UInt64
        var line: Int
    }

    enum Jump: Equatable, Sendable { case first, last }

    public init(role: Role, size: Size, ascii: Bool = false, now: WallTime, utcOffset: Int = 0) {
        self.role = role
        self.size = size
        self.ascii = ascii
        self.now = now
        self.utcOffset = utcOffset
    }

    /// What to ask the server for.
    public var request: SnapshotRequest {
        SnapshotRequest(rows: rowRequest, feedAfter: feed.last, detail: inspection?.peer, wantsPairs: showsPairs)
    }

    /// Whether the server passes on between peers.
    var relays: Bool { snapshot?.relay.isOffered == true }
    var showsPairs: Bool { traffic == .pairs }

    /// How often to ask.
    public var refreshInterval: Span { .milliseconds(Self.intervals[interval]) }

    /// The steps of `+` and `-`, in milliseconds.
    static let intervals = [200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000]

    var layout: DashboardLayout {
        DashboardLayout(size: size, hidden: hidden, focus: focus, relay: relays, notice: operatorNotice != nil)
    }

    /// The server's newest notice, until it is put away.
    var operatorNotice: OperatorNotice? {
        snapshot?.notices.first.flatMap { $0 == dismissed ? nil : $0 }
    }

    /// Rows of the registrations list without its titles.
    var listHeight: Int { max(0, layout.registrations.rows - (layout.titlesRegistrations ? 2 : 1)) }
    /// Rows of the queries panel without its titles.
    var feedHeight: Int { max(0, layout.queries.rows - (titlesTraffic ? 2 : 1)) }
    /// Feed lines tell what they are; numbers do not.
    var titlesTraffic: Bool { layout.kind == .wide || traffic != .feed }

    /// Three screens around the selected row: scrolling never waits for the server.
    var rowRequest: RowRequest {
        let height = max(1, listHeight)
        var request = RowRequest(sort: sort, descending: descending, filter: filter, limit: 3 * height)
        switch jump {
        case .first: request.offset = 0
        case .last: request.offset = .max
        case nil:
            request.offset = page.request.sort == sort ? page.offset : 0
            if let selection { request.anchor = .init(peer: selection.peer, position: height + selection.line) }
        }
        return request
    }

    /// The index in `page.rows` of the first visible row.
    var firstVisible: Int {
        let last = max(0, page.rows.count - listHeight)
        guard let selection, let index = page.rows.firstIndex(where: { $0.peer == selection.peer }) else {
            return 0
        }
        return min(max(0, index - selection.line), last)
    }

    /// The feed as shown: as it was when the pause began.
    var shownFeed: [FeedEntry] { (pause?.feed ?? feed).entries }

    /// The index in `shownFeed`, newest first, of the first visible entry.
    var firstVisibleQuery: Int {
        guard let feedSelection, let index = feedIndex(of: feedSelection.sequence) else { return 0 }
        return max(0, index - feedSelection.line)
    }

    /// Newest is 0.
    func feedIndex(of sequence: UInt64) -> Int? {
        shownFeed.lastIndex { $0.sequence == sequence }.map { shownFeed.count - 1 - $0 }
    }

    /// Newest is 0; `nil` outside.
    func query(at index: Int) -> FeedEntry? {
        guard index >= 0, index < shownFeed.count else { return nil }
        return shownFeed[shownFeed.count - 1 - index]
    }

    /// Feed entries that came since the pause began.
    var waiting: UInt64 {
        guard let pause else { return 0 }
        return feed.last >= pause.feed.last ? feed.last - pause.feed.last : feed.last
    }
}
