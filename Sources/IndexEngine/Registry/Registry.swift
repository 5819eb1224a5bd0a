// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Queues
import Synchronization

/// Which peer is where. Keyed peers (UUIDv8) prove their address and their key and hold a short lease; seed peers prove
/// nothing and live in a table of their own, where strangers can push out nobody but each other.
///
/// All loops share it: the rows are spread over shards by a secret hash, each behind a lock of its own that is held for
/// about a lookup, and a shard that grows moves a few thousand rows, never a million.
final class Registry: Sendable {
    /// A registration of a keyed peer, checked.
    struct Keyed: Sendable {
        /// The signed record, verbatim.
        var record: [UInt8]
        var sequence: UInt64
        /// The source that proved itself.
        var address: Endpoint
        /// Which of this machine's addresses it wrote to.
        var local = LocalAddresses.unknown
    }

    /// Where a peer is, and the signed record that says so if it has one.
    struct Found: Sendable {
        var address: Endpoint
        var record: [UInt8]?
        /// Which of this machine's addresses it last wrote to.
        var local = LocalAddresses.unknown
    }

    private let keyed: [Lock<KeyedTable>]
    private let seeds: [Lock<SeedTable>]
    private let secret: UInt64
    private let start: Instant
    private let keyedLease, seedLease: Span
    private let keyedLimit, seedLimit: Int
    private let shares: PrefixShares
    private let keyedCount = Atomic(0)
    private let seedCount = Atomic(0)
    private let recordBytes = Atomic(0)
    /// The shard at which the next sweep goes on.
    private let sweeper = Lock(0)
    /// Keyed peers that the store shall forget.
    private let removed = Lock<[PeerID]>([])

    /// - Parameter secret: scatters peers over shards and slots.
    init(limits: IndexLimits, secret: UInt64, start: Instant) {
        keyed = (0..<Self.shards(for: limits.keyed)).map { _ in Lock(KeyedTable()) }
        seeds = (0..<Self.shards(for: limits.seeds)).map { _ in Lock(SeedTable()) }
        self.secret = secret
        self.start = start
        keyedLease = limits.keyedLease
        seedLease = limits.seedLease
        keyedLimit = max(1, limits.keyed)
        seedLimit = max(1, limits.seeds)
        shares = PrefixShares(secret: secret)
    }

    /// What is held, rows that wait for their removal included.
    var use: RegistryUse {
        RegistryUse(
            keyed: keyedCount.load(ordering: .relaxed), seeds: seedCount.load(ordering: .relaxed),
            recordBytes: recordBytes.load(ordering: .relaxed))
    }

    private func hash(_ peer: PeerID) -> PeerHash { PeerHash(peer, secret: secret) }
    private func tick(_ now: Instant) -> Tick { Tick(now, start: start) }

    /// A power of two, so that no shard gets much more than four thousand rows.
    private static func shards(for rows: Int) -> Int {
        var count = 1
        while count < min(rows / 4096, 65_536) { count *= 2 }
        return count
    }

    private func withKeyed<Result>(_ peer: PeerID, _ body: (inout KeyedTable, PeerHash) -> Result) -> Result {
        let hash = hash(peer)
        return keyed[hash.shard(keyed.count - 1)].withLock { body(&$0, hash) }
    }

    private func withSeeds<Result>(_ peer: PeerID, _ body: (inout SeedTable, PeerHash) -> Result) -> Result {
        let hash = hash(peer)
        return seeds[hash.shard(seeds.count - 1)].withLock { body(&$0, hash) }
    }

    // MARK: Lookup

    /// Where a peer is; `nil` when it is not registered or its lease is over.
    func lookup(_ peer: PeerID, now: Instant) -> Found? {
        let now = tick(now)
        guard peer.isKeyed else {
            return withSeeds(peer) { table, hash in
                guard let row = table.find(peer, hash), now < row.registered + seedLease else { return nil }
                return Found(address: row.address)
            }
        }
        return withKeyed(peer) { table, hash in
            guard let number = table.find(peer, hash), now < table[number].expires else { return nil }
            let place = table[number].place
            return Found(address: place.endpoint, record: table[number].record, local: place.local)
        }
    }

    /// Where a keyed peer is; `nil` when it is not registered or its lease is over.
    func address(of peer: PeerID, now: Instant) -> Endpoint? { place(of: peer, now: now)?.endpoint }

    /// The same, and which of this machine's addresses it last wrote to.
    func place(of peer: PeerID, now: Instant) -> PeerPlace? {
        let now = tick(now)
        return withKeyed(peer) { table, hash in
            guard let number = table.find(peer, hash) else { return nil }
            return table.place(number, now: now)
        }
    }

    // MARK: Registration

    /// Takes a seed peer in; the oldest makes room.
    func addSeed(_ peer: PeerID, at address: Endpoint, now: Instant) {
        let row = SeedTable.Row(peer: peer, address: address, registered: tick(now))
        withSeeds(peer) { table, hash in
            let isFull = seedCount.load(ordering: .relaxed) >= seedLimit
            let hasLeft = isFull && table.removeFirst(hashOf: self.hash) != nil
            table.append(row, hash, hashOf: self.hash)
            if !hasLeft { seedCount.add(1, ordering: .relaxed) }
        }
    }

    /// Stores a keyed peer whose key, signature and address the caller has checked; it counts as handed to the store.
    /// - Returns: what it was to the table, or why not.
    func put(_ new: Keyed, for peer: PeerID, now: Instant) -> IndexResult {
        let now = tick(now)
        return withKeyed(peer) { table, hash in
            guard let number = table.find(peer, hash) else {
                if isFull { sweep(&table, now) }
                guard !isFull, !hasItsShare(new.address) else { return .denied(.full) }
                let row = KeyedTable.Row(
                    peer: peer, record: new.record, sequence: new.sequence,
                    place: PeerPlace(new.address, local: new.local), registered: now, expires: now + keyedLease,
                    written: now)
                insert(row, hash, into: &table)
                return .new
            }
            let old = table[number]
            let isLive = now < old.expires
            // Records are public: who repeats one from elsewhere may have read it in an answer.
            let repeats = new.record == old.record && new.address == old.address
            guard !isLive || new.sequence > old.sequence || repeats else { return .denied(.staleSequence) }
            recordBytes.add(new.record.count - old.record.count, ordering: .relaxed)
            if old.address != new.address {
                shares.remove(old.address)
                shares.add(new.address)
            }
            table.update(number) { row in
                row.record = new.record
                row.sequence = new.sequence
                row.place = PeerPlace(new.address, local: new.local)
                row.registered = isLive ? row.registered : now
                row.expires = now + keyedLease
                row.written = now
            }
            guard isLive else { return .new }
            return old.address == new.address ? .renewed : .moved
        }
    }

    private var isFull: Bool { keyedCount.load(ordering: .relaxed) >= keyedLimit }

    /// Whether one network already holds a sixteenth of a table that is more than half full.
    private func hasItsShare(_ address: Endpoint) -> Bool {
        guard keyedCount.load(ordering: .relaxed) > keyedLimit / 2, !address.isLoopback else { return false }
        return shares[address] >= max(1, keyedLimit / 16)
    }

    private func insert(_ row: KeyedTable.Row, _ hash: PeerHash, into table: inout KeyedTable) {
        table.insert(row, hash, hashOf: self.hash)
        keyedCount.add(1, ordering: .relaxed)
        recordBytes.add(row.record.count, ordering: .relaxed)
        shares.add(row.address)
    }

    /// What a keepalive from an address means for a keyed peer's row.
    enum Renewal: Equatable { case unknown, elsewhere, renewed(isDue: Bool) }

    /// Starts the lease of a keyed peer anew, if the keepalive comes from where it is registered.
    /// - Parameter local: which of this machine's addresses it was sent to.
    /// - Returns: when renewed, also whether the store shall know: at most once in half a lease.
    func renew(_ peer: PeerID, from source: Endpoint, to local: UInt8, now: Instant) -> Renewal {
        let now = tick(now)
        return withKeyed(peer) { table, hash in
            guard let number = table.find(peer, hash), now < table[number].expires else { return .unknown }
            guard table[number].address == source else { return .elsewhere }
            let halfLease = Span(nanoseconds: keyedLease.nanoseconds / 2)
            let isDue = now >= table[number].written + halfLease
            table.update(number) { row in
                row.expires = now + keyedLease
                row.place.local = local
                if isDue { row.written = now }
            }
            return .renewed(isDue: isDue)
        }
    }

    // MARK: The store

    /// The row of a peer as a store keeps it; `nil` when it is gone.
    func stored(_ peer: PeerID, now: Instant, wall: WallTime) -> StoredRegistration? {
        let now = tick(now)
        guard peer.isKeyed else {
            return withSeeds(peer) { table, hash in
                table.find(peer, hash).map { row in
                    StoredRegistration(
                        peer: peer, address: row.address, registered: wall - now.since(row.registered),
                        expires: wall + (row.registered + seedLease).since(now))
                }
            }
        }
        return withKeyed(peer) { table, hash in
            table.find(peer, hash).map { number in
                let row = table[number]
                return StoredRegistration(
                    peer: peer, address: row.address, record: row.record, sequence: row.sequence,
                    registered: wall - now.since(row.registered), expires: wall + row.expires.since(now))
            }
        }
    }

    /// Forgets that a row was handed to the store: its next renewal is due.
    func markUnwritten(_ peer: PeerID) {
        withKeyed(peer) { table, hash in
            guard let number = table.find(peer, hash) else { return }
            table.update(number) { $0.written = .longAgo }
        }
    }

    /// Remembers that the store still has the row of a peer that is gone, for the next sweep.
    func markUnremoved(_ peer: PeerID) {
        removed.withLock { removed in
            // More can't be in the store.
            if removed.count < keyedLimit { removed.append(peer) }
        }
    }

    /// Takes in a row that the last run left, of seed peers the newest first. What came since is newer and stays.
    func restore(_ loaded: LoadedRegistration, now: Instant, wall: WallTime) {
        if loaded.row.peer.isKeyed { restoreKeyed(loaded, tick(now), wall) } else { restoreSeed(loaded, tick(now)) }
    }

    private func restoreKeyed(_ loaded: LoadedRegistration, _ now: Tick, _ wall: WallTime) {
        let row = loaded.row
        let age = wall.since(row.registered)
        withKeyed(row.peer) { table, hash in
            guard table.find(row.peer, hash) == nil, !isFull else { return }
            insert(
                KeyedTable.Row(
                    peer: row.peer, record: row.record, sequence: row.sequence,
                    place: PeerPlace(row.address, local: LocalAddresses.unknown), registered: now - age,
                    expires: now + min(loaded.remaining, keyedLease), written: .longAgo),
                hash, into: &table)
        }
    }

    private func restoreSeed(_ loaded: LoadedRegistration, _ now: Tick) {
        let registered = now + min(loaded.remaining, seedLease) - seedLease
        let row = SeedTable.Row(peer: loaded.row.peer, address: loaded.row.address, registered: registered)
        withSeeds(row.peer) { table, hash in
            guard table.find(row.peer, hash) == nil,
                seedCount.load(ordering: .relaxed) < seedLimit
            else { return }
            table.prepend(row, hash, hashOf: self.hash)
            seedCount.add(1, ordering: .relaxed)
        }
    }

    // MARK: Time

    /// When to sweep next. It is never urgent: a lookup sees no expired row anyway.
    func nextSweep(now: Instant) -> Instant {
        var earliest = now + Span(nanoseconds: min(keyedLease, seedLease).nanoseconds / 2)
        let ends =
            keyed.lazy.map { shard in shard.withLock { $0.earliest } }.filter { $0 != .never }
            + seeds.lazy.compactMap { shard in shard.withLock { $0.oldest.map { $0 + self.seedLease } } }
        for end in ends { earliest = min(earliest, end.moment(start: start) + .milliseconds(100)) }
        // What the store did not take is offered again before long.
        if removed.withLock({ !$0.isEmpty }) { earliest = min(earliest, now + .seconds(10)) }
        return max(earliest, now + .seconds(1))
    }

    /// Gives back the memory of rows whose lease is over, a few shards at a time.
    /// - Returns: the keyed peers removed since the last call, and whether shards are left for a call soon.
    func sweep(now: Instant) -> (removed: [PeerID], isMore: Bool) {
        let now = tick(now)
        let isMore = sweeper.withLock { next in
            let end = min(next + 16, max(keyed.count, seeds.count))
            for number in next..<end {
                if number < keyed.count { keyed[number].withLock { sweep(&$0, now) } }
                if number < seeds.count { seeds[number].withLock { sweep(&$0, now) } }
            }
            next = end < max(keyed.count, seeds.count) ? end : 0
            return next > 0
        }
        let gone = removed.withLock { removed in
            defer { removed = [] }
            return removed
        }
        return (gone, isMore)
    }

    private func sweep(_ table: inout KeyedTable, _ now: Tick) {
        var gone: [KeyedTable.Row] = []
        table.removeExpired(now: now, hashOf: hash) { gone.append($0) }
        guard !gone.isEmpty else { return }
        keyedCount.subtract(gone.count, ordering: .relaxed)
        recordBytes.subtract(gone.reduce(0) { $0 + $1.record.count }, ordering: .relaxed)
        gone.forEach { shares.remove($0.address) }
        removed.withLock { $0 += gone.map(\.peer) }
    }

    private func sweep(_ table: inout SeedTable, _ now: Tick) {
        while let oldest = table.oldest, oldest + seedLease <= now {
            table.removeFirst(hashOf: hash)
            seedCount.subtract(1, ordering: .relaxed)
        }
    }

    // MARK: Displays

    /// Calls `body` for each row that is not over, in no order, a shard at a time; no lock is held while it runs.
    func forEachLive(now: Instant, _ body: (_ peer: PeerID, _ address: Endpoint, _ since: Tick, _ until: Tick) -> Void)
    {
        let now = tick(now)
        // Each table is copied by reference; whoever changes it meanwhile pays for a real copy, of a few thousand rows.
        for shard in keyed {
            for row in shard.withLock({ $0.rows }) where now < row.expires {
                body(row.peer, row.address, row.registered, row.expires)
            }
        }
        for shard in seeds {
            shard.withLock { $0 }.forEach { row in
                let until = row.registered + seedLease
                if now < until { body(row.peer, row.address, row.registered, until) }
            }
        }
    }

    /// One row, of either kind.
    struct Place {
        var address: Endpoint
        var since, until: Tick
        var lease: Span
        var sequence: UInt64?
        var record: [UInt8] = []
    }

    /// A row and its place among others; `nil` when it is gone.
    func place(_ peer: PeerID, now: Instant) -> Place? {
        let now = tick(now)
        let place =
            peer.isKeyed
            ? withKeyed(peer) { table, hash in
                table.find(peer, hash).map { number in
                    let row = table[number]
                    return Place(
                        address: row.address, since: row.registered, until: row.expires, lease: keyedLease,
                        sequence: row.sequence, record: row.record)
                }
            }
            : withSeeds(peer) { table, hash in
                table.find(peer, hash).map { row in
                    Place(
                        address: row.address, since: row.registered, until: row.registered + seedLease,
                        lease: seedLease)
                }
            }
        return place.flatMap { now < $0.until ? $0 : nil }
    }

    /// One row as displays see it, and its record; `nil` when it is gone.
    func row(_ peer: PeerID, now: Instant) -> (row: RegistrationRow, record: [UInt8])? {
        place(peer, now: now).map { place in
            let now = tick(now)
            let row = RegistrationRow(
                peer: peer, address: place.address, age: now.since(place.since), expires: place.until.since(now),
                lease: place.lease, sequence: place.sequence)
            return (row, place.record)
        }
    }
}
