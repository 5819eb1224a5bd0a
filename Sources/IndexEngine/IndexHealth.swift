// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How the server's store does.
public struct StoreHealth: Equatable, Sendable {
    public enum State: Equatable, Sendable {
        case ready
        /// What the last run left is being read; so many rows so far.
        case loading(rows: Int)
        /// Nothing can be written, so nothing new is acknowledged; the reason, as one sentence.
        case failing(reason: String, since: WallTime)
    }

    /// `sqlite` or `memory`.
    public var kind: String
    public var state: State
    /// Rows that wait for the transaction under way to end.
    public var waiting: Int
    /// Transactions since the start.
    public var commits: UInt64
    /// Rows written since the start.
    public var rowsWritten: UInt64
    /// How long transactions took lately.
    public var latency: LatencySummary
    /// Bytes on disk; `nil` for memory.
    public var bytes: UInt64?

    public init(
        kind: String = "memory", state: State = .ready, waiting: Int = 0, commits: UInt64 = 0, rowsWritten: UInt64 = 0,
        latency: LatencySummary = LatencySummary(), bytes: UInt64? = nil
    ) {
        self.kind = kind
        self.state = state
        self.waiting = waiting
        self.commits = commits
        self.rowsWritten = rowsWritten
        self.latency = latency
        self.bytes = bytes
    }
}

/// Something that an operator should know, kept for as long as the server runs, at most `limit` of them.
public struct OperatorNotice: Hashable, Sendable {
    public static let limit = 16
    public var time: WallTime
    /// One sentence.
    public var text: String

    public init(time: WallTime, text: String) {
        self.time = time
        self.text = text
    }
}

/// What one group of source addresses did since the server's start, as far as a table of fixed size can tell: the
/// busiest are always in it.
public struct SourceRow: Hashable, Sendable {
    /// The addresses' common part, an IPv4 /24 or an IPv6 /48: its first address.
    public var prefix: Endpoint.Address
    public var requests: UInt64
    /// Of those, refused, malformed or no request at all.
    public var errors: UInt64
    /// Of those, left unanswered because of the limits.
    public var limited: UInt64

    public init(prefix: Endpoint.Address, requests: UInt64, errors: UInt64, limited: UInt64) {
        self.prefix = prefix
        self.requests = requests
        self.errors = errors
        self.limited = limited
    }
}

/// Handling times of one second.
public struct LatencySample: Hashable, Sendable {
    /// Microseconds.
    public var median: UInt32
    /// Microseconds.
    public var p99: UInt32

    public init(median: UInt32, p99: UInt32) {
        self.median = median
        self.p99 = p99
    }
}

/// Everything about one peer that a display asked for.
public struct PeerDetail: Equatable, Sendable {
    public var row: RegistrationRow?
    public var peer: PeerID
    /// The signed record as it is handed on; empty without one.
    public var record: [UInt8]
    /// Its last requests and those about it, newest first, at most 20, as far as the feed reaches back.
    public var queries: [FeedEntry]

    public init(peer: PeerID, row: RegistrationRow? = nil, record: [UInt8] = [], queries: [FeedEntry] = []) {
        self.peer = peer
        self.row = row
        self.record = record
        self.queries = queries
    }
}
