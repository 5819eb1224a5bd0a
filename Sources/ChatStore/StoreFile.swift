// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import PeerEngine

/// The history's database as a file.
struct StoreFile {
    private let file: DatabaseFile
    private var path: String { file.path }

    /// Up to this size a file is read through at every start, in some 20 ms; a larger one only after a crash.
    private static let alwaysChecked: UInt64 = 16 << 20

    init(_ path: String) {
        file = DatabaseFile(path, DatabaseFile.Words(owner: "Parley", content: "history", contents: "histories"))
    }

    /// Opens the file, or makes one that only this user can read.
    /// - Throws: `Damage`, an `Obstacle`, a `StoreError` for a file of a newer version, or what SQLite says.
    func open() throws -> DatabasePool {
        do {
            if try file.prepare() { try inspect() }
            let pool = try DatabasePool(path: path, configuration: StoreFile.configuration(readonly: false))
            try pool.writeWithoutTransaction { db in
                try file.syncEveryCommit(db)
                try db.inTransaction(.immediate) {
                    try Schema.migrate(db, path: path)
                    try Schema.verify(db)
                    try db.execute(sql: "DELETE FROM fact WHERE name = 'suspect'")
                    return .commit
                }
            }
            return pool
        } catch let error as DatabaseError where error.isDamage || error.extendedResultCode == .SQLITE_READONLY {
            // We may write the file, so it is its own header that forbids it: a version that SQLite does not know.
            throw Damage(error.message ?? "SQLite can't read it")
        }
    }

    /// Opens it for reading alone; `nil` for one without our tables.
    func openForReading() throws -> DatabaseQueue? {
        guard try file.hasContent() else { return nil }
        do {
            let queue = try DatabaseQueue(path: path, configuration: StoreFile.configuration(readonly: true))
            return try queue.read { try recognise($0) } ? queue : nil
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_READONLY_ROLLBACK {
            // Its maker died before the first tables.
            return nil
        }
    }

    /// Renames it to `<path>.damaged-N`, with the first N that is free.
    func setAside() throws -> String { try file.setAside { "\($0)" } }

    private func inspect() throws {
        let isThorough = file.size() <= StoreFile.alwaysChecked || file.size("-wal") > 0
        try file.inspect(StoreFile.configuration) { db in
            guard try recognise(db) else { return }
            let isSuspect = try Bool.fetchOne(db, sql: "SELECT 1 FROM fact WHERE name = 'suspect'") ?? false
            if isThorough || isSuspect { try Damage.search(db) }
        }
    }

    /// Whether the file holds our tables; false for one that holds none yet.
    private func recognise(_ db: Database) throws -> Bool {
        let mark = try Int64.fetchOne(db, sql: "PRAGMA application_id")
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if mark == 0, version == 0, try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0 {
            return false
        }
        guard mark == Schema.applicationID, version > 0 else { throw Damage("it is not a history of Parley's") }
        guard version <= Schema.steps.count else { throw StoreError.newer(path) }
        if version == Schema.steps.count { try Schema.verify(db) }
        return true
    }

    /// How every connection is set up: what the user erased is overwritten in the file.
    private static func configuration(readonly: Bool) -> Configuration {
        DatabaseFile.configuration(
            readonly: readonly, cache: 1024,
            writing: "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 4194304")
    }
}

extension StoreError {
    static func newer(_ path: String) -> StoreError {
        StoreError("\(path) was written by a newer version of Parley: use that one.", mayPass: false)
    }
}
