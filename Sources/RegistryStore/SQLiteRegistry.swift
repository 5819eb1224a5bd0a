// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
public import IndexEngine
public import Model

/// Registrations in an SQLite database with a write-ahead log, which every commit syncs.
///
/// **Leases.** Each start of the server is a run, and each row of a keyed peer names the run that last wrote it. What
/// the run before this one wrote comes back with one whole lease from the start of this one, whatever is left of it by
/// the clock: the peer had no server to renew it with. What an older run wrote had its whole lease at the start of the
/// run after that one, and comes back with what is left of it, if anything is; otherwise it is taken out. So a server
/// that dies again and again keeps what it acknowledged, but nothing for ever. The wall clock may jump: back, and
/// nothing gets more than one lease; ahead, and what an older run wrote may go early.
///
/// Seed peers aren't renewed: each comes back with what is left until it expires, at most `seedLease`. They are kept in
/// the order of arrival, and forgotten from the front by age and by the capacity alone.
///
/// **Damage.** A file that can't be read as this database is renamed to `registry.sqlite.damaged-` and the time in UTC,
/// and a new one started: at the opening, which ``notice`` tells, or later, when the call that met the damage fails
/// with `.damaged`. What was committed before is then in the renamed file only.
public actor SQLiteRegistry: IndexStore {
    /// Where the file lies.
    public nonisolated let path: String
    /// What the operator should hear about opening, in one sentence: a damaged file that was set aside.
    public nonisolated let notice: String?
    public nonisolated var isVolatile: Bool { false }
    public nonisolated var isShared: Bool { false }

    /// Rows that `load` hands over at once, roughly.
    static let pageSize = 4096
    /// Rows that one `load` takes out at most, in about a second: the others wait for those that are still good.
    private static let removalLimit = 65_536

    private let keyedLease: Span
    private let seedLease: Span
    private let seedCapacity: Int
    private let wall: @Sendable () -> WallTime
    private var file: RegistryFile
    private var isLoaded = false
    /// Why nothing is done any more: it was closed, or the disk failed to confirm a write.
    private var refusal: IndexStoreFault?

    /// Opens `registry.sqlite` in a directory that is there, or makes one that only this user can read. Blocks.
    /// - Parameters:
    ///   - keyedLease: of a peer with a key, as the server grants it.
    ///   - seedLease: of a peer without.
    ///   - seedCapacity: seed peers that are kept, give or take one commit's; the oldest go.
    ///   - wall: the wall clock.
    /// - Throws: for a directory or file without the rights, a newer version's file, and a full disk.
    public init(
        directory: String, keyedLease: Span, seedLease: Span, seedCapacity: Int = 1_000_000,
        wall: @escaping @Sendable () -> WallTime
    ) throws(IndexStoreFault) {
        path = directory + "/registry.sqlite"
        self.keyedLease = keyedLease
        self.seedLease = seedLease
        self.seedCapacity = max(1, seedCapacity)
        self.wall = wall
        (file, notice) = try SQLiteRegistry.open(path, lease: keyedLease, now: wall())
    }

    public func commit(_ changes: [RegistryChange]) async throws(IndexStoreFault) {
        guard !changes.isEmpty else { return }
        let (run, capacity, now) = (file.run, seedCapacity, wall())
        try await write { db in
            let putting = try KeyedTable.putting(db)
            var seeds: [StoredRegistration] = []
            for change in changes {
                switch change {
                case .put(let row) where row.peer.isKeyed: try KeyedTable.put(row, run: run, putting)
                case .put(let row): seeds.append(row)
                case .remove(let peer) where peer.isKeyed: try KeyedTable.remove(peer, db)
                case .remove: break
                }
            }
            try SeedTable.append(seeds, capacity: capacity, now: now, db)
        }
    }

    /// Keyed peers first, in the order of their first registration, then seed peers, the newest first.
    public func load(_ page: @Sendable ([LoadedRegistration]) async -> Void) async throws(IndexStoreFault) {
        let file = file
        try await loadKeyed(file, page)
        try await loadSeeds(file, page)
        isLoaded = true
        // Their caches are of no use to single rows.
        file.pool.invalidateReadOnlyConnections()
    }

    public func find(_ peers: [PeerID]) async -> [StoredAnswer] {
        let unknown = isLoaded ? StoredAnswer.absent : .unknown
        let keyed = peers.filter(\.isKeyed)
        guard !keyed.isEmpty else { return peers.map { _ in unknown } }
        let (file, now, lease) = (file, wall(), keyedLease)
        let found = try? await read(file) { db in
            try keyed.map { peer in
                guard let entry = try KeyedTable.find(peer, db) else { return StoredAnswer.absent }
                let remaining =
                    entry.run == file.run
                    ? entry.row.expires.left(at: now, atMost: lease) : file.leases.remaining(of: entry.run)
                return remaining.map { .row(entry.row, remaining: $0) } ?? .absent
            }
        }
        guard let found else { return peers.map { $0.isKeyed ? .unknown : unknown } }
        var answers = found.makeIterator()
        return peers.map { $0.isKeyed ? answers.next() ?? .unknown : unknown }
    }

    public func size() async -> UInt64? { RegistryFile.size(path) }

    /// Writes what is in the log back into the file. Blocks for that long.
    public func close() async {
        refusal = IndexStoreFault(.failed, "The registry in \(path) was closed.")
        file.close()
    }

    // MARK: Loading

    private func loadKeyed(
        _ file: RegistryFile, _ page: @Sendable ([LoadedRegistration]) async -> Void
    ) async throws(IndexStoreFault) {
        var last: Int64 = 0
        var oldest = file.run
        var mayRemove = SQLiteRegistry.removalLimit
        while true {
            let after = last
            let entries = try await read(file) { db in
                try KeyedTable.page(after: after, before: file.run, limit: SQLiteRegistry.pageSize, db)
            }
            guard let end = entries.last?.number else { break }
            last = end
            var (loaded, dead): ([LoadedRegistration], [KeyedTable.Entry]) = ([], [])
            loaded.reserveCapacity(entries.count)
            for entry in entries {
                guard let remaining = file.leases.remaining(of: entry.run) else {
                    dead.append(entry)
                    continue
                }
                loaded.append(LoadedRegistration(entry.row, remaining: remaining))
                oldest = min(oldest, entry.run)
            }
            if await !remove(dead, &mayRemove) { oldest = min(oldest, dead.lazy.map(\.run).min() ?? oldest) }
            if !loaded.isEmpty { await page(loaded) }
        }
        let first = oldest
        try? await write { db in try db.execute(sql: "DELETE FROM run WHERE number < ?", arguments: [first]) }
    }

    /// Takes out rows whose leases are over, but for what the limit leaves to the next start.
    /// - Returns: whether they are gone. Nothing that was told depends on it.
    private func remove(_ dead: [KeyedTable.Entry], _ limit: inout Int) async -> Bool {
        guard dead.count <= limit else { return false }
        guard !dead.isEmpty else { return true }
        limit -= dead.count
        do throws(IndexStoreFault) {
            try await write { db in try KeyedTable.remove(dead, db) }
            return true
        } catch {
            return false
        }
    }

    private func loadSeeds(
        _ file: RegistryFile, _ page: @Sendable ([LoadedRegistration]) async -> Void
    ) async throws(IndexStoreFault) {
        var first = file.firstSeed
        while true {
            let end = first
            let found = try await read(file) { db in
                try SeedTable.page(before: end, atLeast: SQLiteRegistry.pageSize, db)
            }
            guard let beginning = found.first else { break }
            first = beginning
            let now = wall()
            let loaded = found.rows.compactMap { row in
                row.expires.left(at: now, atMost: seedLease).map { LoadedRegistration(row, remaining: $0) }
            }
            if !loaded.isEmpty { await page(loaded) }
        }
    }

    // MARK: Reading and writing

    /// Runs a transaction on the writer's own thread.
    ///
    /// Not GRDB's own `async` call: that one rolls back when the caller's task is cancelled, as at the program's end.
    private func write(_ body: @escaping @Sendable (Database) throws -> Void) async throws(IndexStoreFault) {
        if let refusal { throw refusal }
        let file = file
        let result = await withCheckedContinuation { done in
            file.pool.asyncWriteWithoutTransaction { db in
                let result = Result {
                    try db.inTransaction(.immediate) {
                        try body(db)
                        return .commit
                    }
                }
                // What the log holds may fit into the file's free pages, and the next try into the log.
                if case .failure(let error as DatabaseError) = result, error.isFullDisk {
                    _ = try? db.checkpoint(.passive)
                }
                done.resume(returning: result)
            }
        }
        do { try result.get() } catch { throw fault(error, file) }
    }

    /// Reads on another connection, so that commits run meanwhile.
    private func read<Value: Sendable>(
        _ file: RegistryFile, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(IndexStoreFault) -> Value {
        if let refusal { throw refusal }
        let result = await withCheckedContinuation { done in
            file.pool.asyncRead { access in done.resume(returning: Result { try body(try access.get()) }) }
        }
        do { return try result.get() } catch { throw fault(error, file) }
    }

    /// What an error means; a damaged file is set aside, once, and a new one begun.
    private func fault(_ error: any Error, _ file: RegistryFile) -> IndexStoreFault {
        if let error = error as? DatabaseError, error.isFailedSync {
            refusal = refusal ?? IndexStoreFault(error, path: path)
        }
        guard let damage = Damage(error) else { return IndexStoreFault(error, path: path) }
        guard file.pool === self.file.pool, refusal == nil else {
            return IndexStoreFault(.damaged, "The registry in \(path) was damaged (\(damage.reason)).")
        }
        // A log that is closed under another name would take the new one away, so this comes first.
        file.close()
        do throws(IndexStoreFault) {
            let (fresh, notice) = try SQLiteRegistry.replace(path, damage, lease: keyedLease, now: wall())
            self.file = fresh
            isLoaded = true
            return IndexStoreFault(.damaged, notice)
        } catch {
            refusal = error
            return error
        }
    }

    // MARK: Opening

    private static func open(
        _ path: String, lease: Span, now: WallTime
    ) throws(IndexStoreFault) -> (RegistryFile, String?) {
        do {
            return (try RegistryFile(path: path, lease: lease, now: now), nil)
        } catch {
            guard let damage = Damage(error) else { throw IndexStoreFault(error, path: path) }
            return try replace(path, damage, lease: lease, now: now)
        }
    }

    private static func replace(
        _ path: String, _ damage: Damage, lease: Span, now: WallTime
    ) throws(IndexStoreFault) -> (RegistryFile, String) {
        let aside = try RegistryFile.setAside(path, now: now)
        let notice = "The registry was damaged; it lies in \(aside), and a new one was started (\(damage.reason))."
        do {
            return (try RegistryFile(path: path, lease: lease, now: now), notice)
        } catch {
            throw IndexStoreFault(error, path: path)
        }
    }
}
