// SPDX-License-Identifier: GPL-3.0-or-later
internal import GRDB
internal import Glibc
internal import PeerEngine

/// Content that no version of ours wrote.
struct Damage: Error {
    /// One clause about the file.
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// The database as a file: made, checked, set aside.
///
/// Never opens the file itself once it exists: closing it would drop the locks that SQLite holds for this process.
enum StoreFile {
    /// Up to this size a file is read through at every start, in some 20 ms; a larger one only after a crash.
    private static let alwaysChecked = 16 << 20

    /// Makes an empty file, or checks what is there.
    /// - Returns: whether it has content.
    static func prepare(_ path: String) throws(StoreError) -> Bool {
        guard let status = try status(path) else {
            let file = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw cannot("make", path, errno) }
            defer { close(file) }
            // SQLite gives its side files the same mode.
            guard fchmod(file, 0o600) == 0 else { throw cannot("make", path, errno) }
            return false
        }
        try check(path, R_OK | W_OK)
        if status.st_mode & 0o077 != 0, chmod(path, 0o600) != 0 { throw cannot("make private", path, errno) }
        return status.st_size > 0
    }

    /// Whether there is something to read.
    static func hasContent(_ path: String) throws(StoreError) -> Bool {
        guard let status = try status(path), status.st_size > 0 else { return false }
        try check(path, R_OK)
        return true
    }

    /// Reads the file without changing it.
    /// - Throws: `Damage`, a `StoreError` for a file of a newer version, or what SQLite says.
    static func inspect(_ path: String) throws {
        let thorough = size(path) <= alwaysChecked || size(path + "-wal") > 0
        // A program that died while it made the file left a journal, which a reader may not roll back.
        let readonly = size(path + "-journal") == 0
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration(readonly: readonly))
            defer { try? queue.close() }
            try queue.read { db in
                guard try recognise(db, path) else { return }
                let suspect = try Bool.fetchOne(db, sql: "SELECT 1 FROM fact WHERE name = 'suspect'") ?? false
                guard thorough || suspect else { return }
                let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)")
                guard verdict == "ok" else { throw Damage("SQLite says: \(firstFinding(verdict ?? "nothing"))") }
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            // The questions are always the same, so what they meet is wrong.
            throw Damage(error.message ?? "SQLite can't read it")
        }
    }

    /// The first line of a verdict that is no headline.
    private static func firstFinding(_ verdict: String) -> Substring {
        let lines = verdict.split(separator: "\n")
        return lines.first { !$0.hasPrefix("***") } ?? lines.first ?? "nothing"
    }

    /// Whether the file holds our tables; false for one that holds none yet.
    static func recognise(_ db: Database, _ path: String) throws -> Bool {
        let mark = try Int64.fetchOne(db, sql: "PRAGMA application_id")
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if mark == 0, version == 0, try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0 {
            return false
        }
        guard mark == Schema.applicationID, version > 0 else { throw Damage("it is not a history of Parley's") }
        guard version <= Schema.steps.count else { throw newer(path) }
        if version == Schema.steps.count { try Schema.verify(db) }
        return true
    }

    /// Renames a damaged file and its side files to `<path>.damaged-N`, with the first N that is free.
    /// - Returns: the new name.
    static func setAside(_ path: String) throws(StoreError) -> String {
        for number in 1...9999 {
            let name = "\(path).damaged-\(number)"
            var status = stat()
            guard lstat(name, &status) != 0 else { continue }
            for suffix in ["-wal", "-shm", "-journal", ""]
            where rename(path + suffix, name + suffix) != 0 && errno != ENOENT {
                throw cannot("set aside", path + suffix, errno)
            }
            return name
        }
        throw StoreError("There are too many damaged histories beside \(path): remove some.", mayPass: false)
    }

    /// How every connection is set up.
    static func configuration(readonly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readonly
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            // Pages are read again from the system's cache: ours stays at 1 MiB a connection.
            try db.execute(
                sql: """
                    PRAGMA cache_size = -1024;
                    PRAGMA mmap_size = 0;
                    PRAGMA cell_size_check = ON;
                    """)
            // What the user erased is overwritten in the file.
            if !readonly { try db.execute(sql: "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 4194304") }
        }
        return configuration
    }

    static func newer(_ path: String) -> StoreError {
        StoreError("\(path) was written by a newer version of Parley: use that one.", mayPass: false)
    }

    private static func cannot(_ what: String, _ path: String, _ code: Int32) -> StoreError {
        let full = code == ENOSPC || code == EDQUOT
        return StoreError("Parley can't \(what) \(path): \(String(cString: strerror(code))).", mayPass: full)
    }

    /// `nil` when nothing is there.
    private static func status(_ path: String) throws(StoreError) -> stat? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw cannot("open", path, errno) }
            return nil
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let what = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no regular file"
            throw StoreError("The history can't be kept in \(path): that is \(what).", mayPass: false)
        }
        return status
    }

    private static func check(_ path: String, _ rights: Int32) throws(StoreError) {
        guard faccessat(AT_FDCWD, path, rights, AT_EACCESS) == 0 else {
            throw cannot(rights & W_OK == 0 ? "read" : "read and write", path, errno)
        }
    }

    private static func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
