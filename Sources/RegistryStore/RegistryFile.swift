// SPDX-License-Identifier: GPL-3.0-or-later
internal import GRDB
internal import Glibc
internal import IndexEngine
internal import Model

/// The database as a file: made, checked, opened, set aside.
///
/// Never opens the file itself once it exists: closing it would drop the locks that SQLite holds for this process.
struct RegistryFile: Sendable {
    let pool: DatabasePool
    let leases: RunLeases
    /// The number of this run.
    let run: Int64
    /// The first number that this run gives to a seed peer.
    let firstSeed: Int64

    private static let sideFiles = ["-wal", "-shm", "-journal"]
    /// Up to this size a file is read through at every start, in some 20 ms; loading reads most of a larger one.
    private static let alwaysChecked: UInt64 = 16 << 20

    /// Opens the file, or makes one that only this user can read, and notes that a run starts.
    /// - Throws: `Damage`, an `IndexStoreFault` for what may not be touched, or what SQLite says.
    init(path: String, lease: Span, now: WallTime) throws {
        do {
            if try RegistryFile.prepare(path) { try RegistryFile.inspect(path) }
            pool = try DatabasePool(path: path, configuration: RegistryFile.configuration(readonly: false))
            (leases, firstSeed) = try pool.writeWithoutTransaction { db in
                // The pool sets NORMAL, with which a commit may be lost in a power cut.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
                    throw IndexStoreFault(.failed, "SQLite refuses to sync \(path).")
                }
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
    static func size(_ path: String) -> UInt64 { octets(path) + octets(path + "-wal") }

    /// Renames a damaged file and its side files to a name that nothing has yet.
    /// - Returns: the new name.
    static func setAside(_ path: String, now: WallTime) throws(IndexStoreFault) -> String {
        let stamp = now.rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
        for number in 1...9999 {
            let name = "\(path).damaged-\(stamp)" + (number == 1 ? "" : "-\(number)")
            guard (sideFiles + [""]).allSatisfy({ !exists(name + $0) }) else { continue }
            for suffix in sideFiles + [""]
            where rename(path + suffix, name + suffix) != 0 && errno != ENOENT {
                throw cannot("set aside", path + suffix, errno)
            }
            return name
        }
        throw IndexStoreFault(.failed, "There are too many damaged registries beside \(path): remove some.")
    }

    /// Makes an empty file, or checks what is there.
    /// - Returns: whether it has content.
    private static func prepare(_ path: String) throws(IndexStoreFault) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw cannot("open", path, errno) }
            let file = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw cannot("make", path, errno) }
            defer { Glibc.close(file) }
            // SQLite gives its side files the same mode.
            guard fchmod(file, 0o600) == 0 else { throw cannot("make", path, errno) }
            return false
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let what = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no regular file"
            throw IndexStoreFault(.failed, "The registry can't be kept in \(path): that is \(what).")
        }
        guard faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 else {
            throw cannot("read and write", path, errno)
        }
        if status.st_mode & 0o077 != 0, chmod(path, 0o600) != 0 { throw cannot("make private", path, errno) }
        return status.st_size > 0
    }

    /// Reads the file without changing it.
    private static func inspect(_ path: String) throws {
        // A program that died while it made the file left a journal, which a reader may not roll back.
        let readonly = octets(path + "-journal") == 0
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration(readonly: readonly))
            defer { try? queue.close() }
            try queue.read { db in
                guard try Schema.recognise(db, path), octets(path) <= alwaysChecked else { return }
                let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "nothing"
                guard verdict == "ok" else {
                    // The first line may be a headline.
                    let lines = verdict.split(separator: "\n")
                    throw Damage("SQLite says: \(lines.first { !$0.hasPrefix("***") } ?? "nothing")")
                }
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            // The questions are always the same, so what they meet is wrong.
            throw Damage(error.message ?? "SQLite can't read it")
        }
    }

    /// How every connection is set up.
    private static func configuration(readonly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readonly
        // One loads, one finds.
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA cache_size = -4096;
                    PRAGMA mmap_size = 0;
                    PRAGMA cell_size_check = ON;
                    """)
            guard !readonly else { return }
            // A page that many commits change goes into the file once in 16 MiB of log. Nothing here is secret.
            try db.execute(
                sql: """
                    PRAGMA wal_autocheckpoint = 4096;
                    PRAGMA journal_size_limit = 33554432;
                    PRAGMA secure_delete = OFF;
                    """)
        }
        return configuration
    }

    private static func cannot(_ what: String, _ path: String, _ code: Int32) -> IndexStoreFault {
        let full = code == ENOSPC || code == EDQUOT
        return IndexStoreFault(
            full ? .full : .failed, "The server can't \(what) \(path): \(String(cString: strerror(code))).")
    }

    private static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    private static func octets(_ path: String) -> UInt64 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(clamping: status.st_size) : 0
    }
}
