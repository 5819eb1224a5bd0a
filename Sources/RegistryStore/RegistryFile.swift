// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import IndexEngine
internal import Model

/// The registry's database, open.
struct RegistryFile: Sendable {
    let pool: DatabasePool
    let leases: RunLeases
    /// The number of this run.
    let run: Int64
    /// The first number that this run gives to a seed peer.
    let firstSeed: Int64

    /// Up to this size a file is read through at every start, in some 20 ms; loading reads most of a larger one.
    private static let alwaysChecked: UInt64 = 16 << 20

    /// Opens the file, or makes one that only this user can read, and notes that a run starts.
    /// - Throws: `Damage`, an `Obstacle`, an `IndexStoreFault` for a file of a newer version, or what SQLite says.
    init(path: String, lease: Span, now: WallTime) throws {
        let file = RegistryFile.file(path)
        do {
            if try file.prepare() { try RegistryFile.inspect(file) }
            pool = try DatabasePool(path: path, configuration: RegistryFile.configuration(readonly: false))
            (leases, firstSeed) = try pool.writeWithoutTransaction { db in
                try file.syncEveryCommit(db)
                var begun: (RunLeases, Int64)?
                try db.inTransaction(.immediate) {
                    try Schema.migrate(db)
                    try Schema.verify(db)
                    begun = (try Schema.beginRun(db, at: now, lease: lease), try SeedTable.next(db))
                    return .commit
                }
                guard let begun else { throw IndexStoreFault(.failed, "\(path) gave no answer.") }
                return begun
            }
            run = leases.current ?? 0
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_READONLY {
            // We may write the file, so it is its own header that forbids it: a version that SQLite does not know.
            throw Damage(error.message ?? "SQLite can't read it")
        }
    }

    /// Writes what is in the log back into the file and closes it.
    func close() {
        // The last connection tidies up, so that has to be the one that may write.
        pool.invalidateReadOnlyConnections()
        try? pool.close()
    }

    /// Octets of the file and its log.
    static func size(_ path: String) -> UInt64 { file(path).size() + file(path).size("-wal") }

    /// Renames a damaged file and its side files to a name with the time.
    /// - Returns: the new name.
    static func setAside(_ path: String, now: WallTime) throws(IndexStoreFault) -> String {
        let stamp = now.rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
        do {
            return try file(path).setAside { $0 == 1 ? stamp : "\(stamp)-\($0)" }
        } catch {
            throw IndexStoreFault(error, path: path)
        }
    }

    private static func file(_ path: String) -> DatabaseFile {
        DatabaseFile(path, DatabaseFile.Words(owner: "The server", content: "registry", contents: "registries"))
    }

    private static func inspect(_ file: DatabaseFile) throws {
        try file.inspect(configuration) { db in
            guard try Schema.recognise(db, file.path), file.size() <= alwaysChecked else { return }
            try Damage.search(db)
        }
    }

    /// How every connection is set up: one reader loads, one finds. A page that many commits change goes into the file
    /// once in 16 MiB of log. Nothing here is secret.
    private static func configuration(readonly: Bool) -> Configuration {
        DatabaseFile.configuration(
            readonly: readonly, cache: 4096,
            writing: """
                PRAGMA wal_autocheckpoint = 4096;
                PRAGMA journal_size_limit = 33554432;
                PRAGMA secure_delete = OFF;
                """)
    }
}
