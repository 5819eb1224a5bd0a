// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What does not change while a server runs.
public struct ServerInfo: Equatable, Sendable {
    public var version: String
    /// Where it listens, as told to its users: `[::]:50000`.
    public var listen: String
    /// The path of its control socket; `nil` without one.
    public var control: String?
    /// Made up at each start: peers notice a restart by it.
    public var boot: String
    /// The key that it proves, as `--index HOST:PORT#KEY` takes it; `nil` for a server without one.
    public var key: String?

    public init(version: String, listen: String, control: String? = nil, boot: String, key: String? = nil) {
        self.version = version
        self.listen = listen
        self.control = control
        self.boot = boot
        self.key = key
    }
}

/// What the registry holds.
public struct RegistryUse: Equatable, Sendable {
    /// Registrations held by a key.
    public var keyed: Int
    /// Registrations of seed peers.
    public var seeds: Int
    /// Bytes of all signed records.
    public var recordBytes: Int

    public init(keyed: Int = 0, seeds: Int = 0, recordBytes: Int = 0) {
        self.keyed = keyed
        self.seeds = seeds
        self.recordBytes = recordBytes
    }

    /// All registrations. A visitor reads both numbers from a socket, so the sum may not trap.
    public var total: Int {
        let (sum, overflow) = keyed.addingReportingOverflow(seeds)
        return overflow ? .max : sum
    }
}

/// What a display asks of a server.
public struct SnapshotRequest: Equatable, Sendable {
    public var rows: RowRequest
    /// The newest feed entry that the display already has.
    public var feedAfter: UInt64
    /// The peer whose details are wanted.
    public var detail: PeerID?
    /// Whether the pairs that are relayed are wanted.
    public var wantsPairs: Bool

    public init(
        rows: RowRequest = RowRequest(), feedAfter: UInt64 = 0, detail: PeerID? = nil, wantsPairs: Bool = true
    ) {
        self.rows = rows
        self.feedAfter = feedAfter
        self.detail = detail
        self.wantsPairs = wantsPairs
    }
}

/// The server at one moment. Every display sees this value and nothing else.
public struct IndexSnapshot: Equatable, Sendable {
    public var time: WallTime
    public var uptime: Span
    public var server: ServerInfo
    public var counters: IndexCounters
    public var queries: RateSeries
    public var registrations: RateSeries
    public var keepalives: RateSeries
    public var errors: RateSeries
    public var latency: LatencySummary
    public var use: RegistryUse
    /// Resident memory in bytes; `nil` when the system doesn't tell.
    public var residentBytes: UInt64?
    /// CPU time of the process since its start; `nil` when the system doesn't tell.
    public var cpu: Span?
    /// Event loops, each with a socket of its own.
    public var loops = 1
    public var store = StoreHealth()
    public var relay = RelayStatistics()
    /// p50 and p99 of each of the last whole seconds, oldest first, at most `RateHistory.samples`; zero for a second
    /// without a datagram.
    public var latencyHistory: [LatencySample] = []
    /// The busiest sources first, at most 64.
    public var sources: [SourceRow] = []
    /// Newest first.
    public var notices: [OperatorNotice] = []
    /// What `SnapshotRequest.detail` asked for.
    public var detail: PeerDetail?
    public var page: RowPage
    /// Feed entries newer than the display's, oldest first.
    public var feed: [FeedEntry]
    /// The sequence of the newest entry of all. What lies between the display's newest, these entries and this one was
    /// left out.
    public var feedLast: UInt64

    public init(
        time: WallTime, uptime: Span, server: ServerInfo, counters: IndexCounters = IndexCounters(),
        queries: RateSeries = RateSeries(), registrations: RateSeries = RateSeries(),
        keepalives: RateSeries = RateSeries(), errors: RateSeries = RateSeries(),
        latency: LatencySummary = LatencySummary(), use: RegistryUse = RegistryUse(), residentBytes: UInt64? = nil,
        page: RowPage = RowPage(), feed: [FeedEntry] = [], feedLast: UInt64 = 0
    ) {
        self.time = time
        self.uptime = uptime
        self.server = server
        self.counters = counters
        self.queries = queries
        self.registrations = registrations
        self.keepalives = keepalives
        self.errors = errors
        self.latency = latency
        self.use = use
        self.residentBytes = residentBytes
        self.page = page
        self.feed = feed
        self.feedLast = feedLast
    }
}
