// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// A registration as a store keeps it.
public struct StoredRegistration: Equatable, Sendable {
    public var peer: PeerID
    /// Where the peer is; proved, if it has a key.
    public var address: Endpoint
    /// The signed record, verbatim; empty for a seed peer, which has none.
    public var record: [UInt8]
    /// The record's; 0 for a seed peer.
    public var sequence: UInt64
    /// Its first registration here.
    public var registered: WallTime
    /// When its lease is over, as far as this row knows: a renewal is written at most once in half a lease.
    public var expires: WallTime

    public init(
        peer: PeerID, address: Endpoint, record: [UInt8] = [], sequence: UInt64 = 0, registered: WallTime,
        expires: WallTime
    ) {
        self.peer = peer
        self.address = address
        self.record = record
        self.sequence = sequence
        self.registered = registered
        self.expires = expires
    }
}

/// One thing that a store does with a registration.
public enum RegistryChange: Equatable, Sendable {
    /// Inserts or replaces the row of a peer.
    case put(StoredRegistration)
    /// Takes the row of a peer out: its lease is over. Nobody waits for it, and a store may forget seed peers by age
    /// alone.
    case remove(PeerID)
}

/// What a store knows of one peer.
public enum StoredAnswer: Equatable, Sendable {
    /// Its row, and what is left of its lease.
    case row(StoredRegistration, remaining: Span)
    /// There is none.
    case absent
    /// This store can't tell quickly; ask again when everything is loaded.
    case unknown
}

/// A row that the last run left.
public struct LoadedRegistration: Equatable, Sendable {
    public var row: StoredRegistration
    /// What is left of its lease: a fresh one if it was written or renewed during the last run, else what the fresh one
    /// of an earlier start has left.
    public var remaining: Span

    public init(_ row: StoredRegistration, remaining: Span) {
        self.row = row
        self.remaining = remaining
    }
}

/// Where registrations outlive the process. The registry in memory answers; a store is written to before a registration
/// is acknowledged, read at the start, and asked for single rows until everything is read. A store that other servers
/// write to as well is never wholly read: it is asked at each miss.
public protocol IndexStore: Sendable {
    /// Whether rows end with the process: then there is nothing to wait for before an acknowledgement.
    var isVolatile: Bool { get }
    /// Whether rows come from elsewhere too, so that a miss in memory is never final.
    var isShared: Bool { get }

    /// Makes all of it durable, in order, or nothing. One call at a time.
    /// - Throws: `IndexStoreFault`; the store is as it was, and may be tried again.
    func commit(_ changes: [RegistryChange]) async throws(IndexStoreFault)

    /// Hands over what the last run left, page by page, of seed peers the newest first. Commits may run meanwhile; what
    /// they write needn't be among it.
    /// - Throws: `IndexStoreFault` when reading fails midway; what was handed over holds.
    func load(_ page: @Sendable ([LoadedRegistration]) async -> Void) async throws(IndexStoreFault)

    /// Looks for single rows, one answer for each peer in the same order.
    func find(_ peers: [PeerID]) async -> [StoredAnswer]

    /// Bytes on disk; `nil` for a store without any.
    func size() async -> UInt64?

    /// Ends it; later calls fail.
    func close() async
}

/// Why a store did not do what it should.
public struct IndexStoreFault: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// No room on the disk.
        case full
        /// The database can't be read as one.
        case damaged
        /// Anything else: a dying disk, a directory that is gone.
        case failed
    }

    public var kind: Kind
    /// One sentence that says what happened, why, and what to do.
    public var description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// The store of `--store memory`: nothing outlives the process.
public struct VolatileStore: IndexStore {
    public init() {}
    public var isVolatile: Bool { true }
    public var isShared: Bool { false }
    public func commit(_ changes: [RegistryChange]) async throws(IndexStoreFault) {}
    public func load(_ page: @Sendable ([LoadedRegistration]) async -> Void) async throws(IndexStoreFault) {}
    public func find(_ peers: [PeerID]) async -> [StoredAnswer] { peers.map { _ in .absent } }
    public func size() async -> UInt64? { nil }
    public func close() async {}
}
