// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Which peer is where. Keyed peers (UUIDv8) prove their address and their key and hold a short lease; seed peers prove
/// nothing and live in a table of their own, where strangers can push out nobody but each other.
public struct Registry: Sendable {
    /// Bounds and leases.
    public struct Limits: Sendable {
        /// Keyed rows; when full, new ones are refused and known ones renewed.
        public var keyed = 1_000_000
        /// Seed rows; when full, the oldest goes.
        public var seeds = 1_000_000
        public var keyedLease = Span.seconds(2 * 3600)
        public var seedLease = Span.seconds(24 * 3600)

        public init() {}
    }

    /// A registration of a keyed peer.
    struct Keyed: Sendable {
        /// The signed record, verbatim.
        var record: [UInt8]
        var sequence: UInt64
        /// The source that proved itself.
        var address: Endpoint
    }

    private var keyed: LeaseTable<Keyed>
    private var seeds: LeaseTable<Endpoint>
    private var recordBytes = 0
    private var order = RowOrder()

    init(limits: Limits) {
        keyed = LeaseTable(capacity: limits.keyed, lease: limits.keyedLease)
        seeds = LeaseTable(capacity: limits.seeds, lease: limits.seedLease)
    }

    /// What is held, rows that wait for their removal included.
    var use: RegistryUse { RegistryUse(keyed: keyed.count, seeds: seeds.count, recordBytes: recordBytes) }

    /// The earliest moment at which memory may be given back; `nil` while nothing is registered.
    var nextExpiry: Instant? {
        switch (keyed.nextExpiry, seeds.nextExpiry) {
        case (let first?, let second?): min(first, second)
        case (let first, let second): first ?? second
        }
    }

    /// Gives back the memory of at most `limit` rows of each table.
    mutating func removeExpired(now: Instant, limit: Int) {
        var freed = 0
        keyed.removeExpired(now: now, limit: limit) { freed += $0.record.count }
        recordBytes -= freed
        seeds.removeExpired(now: now, limit: limit)
    }

    // MARK: Lookup

    /// Where a peer is, and the signed record that says so if it has one.
    func lookup(_ peer: PeerID, now: Instant) -> (address: Endpoint, record: [UInt8]?)? {
        if peer.isKeyed { return keyed.live(peer, now: now).map { ($0.row.address, $0.row.record) } }
        return seeds.live(peer, now: now).map { ($0.row, nil) }
    }

    func keyedRow(_ peer: PeerID, now: Instant) -> Keyed? { keyed.live(peer, now: now)?.row }

    // MARK: Registration

    /// Takes a seed peer in; the oldest makes room.
    mutating func addSeed(_ peer: PeerID, at address: Endpoint, now: Instant) {
        seeds.removeExpired(now: now, limit: 2)
        if seeds.isFull { _ = seeds.removeFirst() }
        seeds.put(address, for: peer, now: now)
    }

    /// Stores a keyed peer whose key, signature and address the caller has checked.
    /// - Returns: what it was to the table, or why not.
    mutating func put(_ row: Keyed, for peer: PeerID, now: Instant) -> IndexResult {
        removeExpired(now: now, limit: 2)
        let old = keyed.live(peer, now: now)?.row
        if let old {
            // Records are public: who repeats one from elsewhere may have read it in an answer.
            let repeats = row.record == old.record && row.address == old.address
            guard row.sequence > old.sequence || repeats else { return .denied(.staleSequence) }
        } else if keyed.isFull, keyed.peek(peer) == nil {
            return .denied(.full)
        }
        recordBytes += row.record.count - (keyed.peek(peer)?.record.count ?? 0)
        keyed.put(row, for: peer, now: now)
        guard let old else { return .new }
        return old.address == row.address ? .renewed : .moved
    }

    /// Starts the lease of a known keyed peer anew.
    mutating func renew(_ peer: PeerID, now: Instant) { keyed.renew(peer, now: now) }

    // MARK: Rows for a display

    /// The rows that a display asked for. The order is made at most once a second, less often when the tables are large.
    mutating func page(_ request: RowRequest, now: Instant) -> RowPage {
        if order.isStale(for: request, rows: keyed.count + seeds.count, now: now) {
            var builder = RowOrder.Builder(request)
            keyed.forEachLive(now: now) {
                builder.add($0, address: $1.row.address, since: $1.registered, until: $1.expires)
            }
            seeds.forEachLive(now: now) { builder.add($0, address: $1.row, since: $1.registered, until: $1.expires) }
            order = builder.finish(now: now)
        }
        let range = order.range(for: request)
        return RowPage(
            request: request, offset: range.lowerBound, rows: order.peers[range].compactMap { row($0, now: now) },
            matching: order.peers.count)
    }

    private func row(_ peer: PeerID, now: Instant) -> RegistrationRow? {
        if peer.isKeyed {
            guard let lease = keyed.live(peer, now: now) else { return nil }
            return RegistrationRow(
                peer: peer, address: lease.row.address, age: now.since(lease.registered),
                expires: lease.expires.since(now), lease: keyed.lease, sequence: lease.row.sequence)
        }
        guard let lease = seeds.live(peer, now: now) else { return nil }
        return RegistrationRow(
            peer: peer, address: lease.row, age: now.since(lease.registered), expires: lease.expires.since(now),
            lease: seeds.lease, sequence: nil)
    }
}
