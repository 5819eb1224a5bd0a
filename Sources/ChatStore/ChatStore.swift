// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
public import PeerEngine
internal import Queues

/// Everything of one user on disk: contacts, history, outbox, settings. An SQLite database with a write-ahead log.
///
/// A message that came is known for ever by its peer, direction and ID. When its text goes, the ID of an incoming one
/// moves to a list of its own, which keeps the newest ``forgottenLimit`` of all peers.
public final class ChatStore: ClientStore, Sendable {
    /// Forgotten IDs at most, some 50 octets each.
    public static let forgottenLimit = 262_144
    /// Failed messages that `load` gives at most.
    public static let failedLimit = 1000
    /// Unseen messages whose counters `load` gives at most.
    public static let unseenLimit = 20_000

    /// Where the file lies.
    public let path: String
    /// What the user should hear about opening: a damaged file that was set aside. One sentence each.
    public let notices: [String]

    let reader: any DatabaseReader
    /// `nil` for reading only.
    let pool: DatabasePool?
    /// Why nothing is written any more, after the disk failed to confirm a write.
    private let broken = Lock<StoreError?>(nil)
    /// Whether a purge is to begin that will see every erasure so far.
    let purgeAhead = Lock(false)

    /// Opens the file, or makes one that only this user can read.
    ///
    /// A damaged one is set aside and a new one started; see ``notices``.
    /// - Throws: for a directory, a file without the rights, a newer version's file and a full disk.
    public init(path: String) throws(StoreError) {
        let (pool, notices) = try ChatStore.opening(path)
        self.path = path
        self.notices = notices
        self.pool = pool
        reader = pool
        resumePurge()
    }

    /// Opens for reading alone, beside a program that writes; an absent file is an empty history.
    /// - Throws: as `init(path:)`, and for a damaged file.
    public init(readingOnly path: String) throws(StoreError) {
        self.path = path
        notices = []
        pool = nil
        do {
            reader = try ChatStore.openedForReading(path)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Writes what is in the log back into the file and closes it. Everything after that fails.
    public func close() {
        // The last connection tidies up, so that has to be the one that may write.
        pool?.invalidateReadOnlyConnections()
        try? reader.close()
    }

    public func commit(_ changes: [StoreChange]) async throws(StoreError) -> [Bool] {
        guard let pool else { throw StoreError("\(path) is open for reading only.", mayPass: false) }
        guard !changes.isEmpty else { return [] }
        // Not GRDB's own `async` call: that one rolls back when the caller's task is cancelled, as at the program's
        // end.
        let result = await withCheckedContinuation { done in
            pool.asyncWriteWithoutTransaction { db in
                done.resume(returning: Result { () throws(StoreError) in try self.apply(changes, db) })
            }
        }
        let (effects, erased) = try result.get()
        if erased { startPurge() }
        return effects
    }

    /// The same, for a program's start: blocks.
    public func commitNow(_ changes: [StoreChange]) throws(StoreError) {
        guard let pool else { throw StoreError("\(path) is open for reading only.", mayPass: false) }
        _ = try pool.writeWithoutTransaction { db in
            Result { () throws(StoreError) in try self.apply(changes, db) }
        }.get()
    }

    /// Reads every page and compares the search index with the messages.
    /// - Throws: what is wrong.
    package func verify() throws(StoreError) {
        guard let pool else { throw StoreError("\(path) is open for reading only.", mayPass: false) }
        do {
            try pool.writeWithoutTransaction { db in
                let verdict = try String.fetchOne(db, sql: "PRAGMA integrity_check")
                guard verdict == "ok" else { throw Damage(verdict ?? "nothing said") }
                guard try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") == nil else { throw Damage("a loose end") }
                try db.execute(sql: "INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// One transaction, on the writer's queue.
    private func apply(_ changes: [StoreChange], _ db: Database) throws(StoreError) -> ([Bool], erased: Bool) {
        try writing(db) { db in
            var writing = Writing(db)
            let effects = try changes.map { try writing.apply($0) }
            try writing.finish()
            return (effects, writing.erased)
        }
    }

    /// Runs a transaction and says what its failure means.
    func writing<Value>(_ db: Database, _ body: (Database) throws -> Value) throws(StoreError) -> Value {
        if let reason = broken.withLock({ $0 }) { throw reason }
        var value: Value?
        do {
            try db.inTransaction(.immediate) {
                value = try body(db)
                return .commit
            }
        } catch {
            let reason = StoreError(error, path: path)
            if let error = error as? DatabaseError {
                if error.isFailedSync { broken.withLock { $0 = reason } }
                // The next start then reads the whole file.
                if error.isDamage {
                    try? db.execute(sql: "INSERT OR IGNORE INTO fact (name, value) VALUES ('suspect', 1)")
                }
            }
            throw reason
        }
        guard let value else { throw StoreError("\(path) gave no answer.", mayPass: false) }
        return value
    }

    private static func opening(_ path: String) throws(StoreError) -> (DatabasePool, [String]) {
        let file = StoreFile(path)
        do {
            do { return (try file.open(), []) } catch let damage as Damage {
                let aside = try file.setAside()
                let notice =
                    "The history was damaged; it lies in \(aside), and a new one was started (\(damage.reason))."
                return (try file.open(), [notice])
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    private static func openedForReading(_ path: String) throws -> any DatabaseReader {
        if let queue = try StoreFile(path).openForReading() { return queue }
        let empty = try DatabaseQueue()
        try empty.write { try Schema.migrate($0, path: path) }
        return empty
    }
}
