// SPDX-License-Identifier: GPL-3.0-or-later
public import GRDB
internal import Glibc
internal import Queues

/// An SQLite database as a file: made for this user alone, checked, looked into, set aside.
///
/// Never opens the file itself once it exists: closing it would drop the locks that SQLite holds for this process.
public struct DatabaseFile: Sendable {
    /// What its obstacles are told with.
    public struct Words: Sendable {
        /// Who can't do something with it.
        let owner: String
        /// What is in it, one and many.
        let content: String
        let contents: String

        public init(owner: String, content: String, contents: String) {
            (self.owner, self.content, self.contents) = (owner, content, contents)
        }
    }

    public let path: String
    private let words: Words

    private static let sideFiles = ["-wal", "-shm", "-journal"]

    public init(_ path: String, _ words: Words) { (self.path, self.words) = (path, words) }

    // MARK: The file

    /// Makes an empty file, or checks what is there.
    /// - Returns: whether it has content.
    public func prepare() throws(Obstacle) -> Bool {
        guard let status = try status() else {
            let file = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw cannot("make", errno) }
            defer { close(file) }
            // SQLite gives its side files the same mode.
            guard fchmod(file, 0o600) == 0 else { throw cannot("make", errno) }
            return false
        }
        guard allows(R_OK | W_OK) else { throw cannot("read and write", errno) }
        if status.st_mode & 0o077 != 0, chmod(path, 0o600) != 0 { throw cannot("make private", errno) }
        return status.st_size > 0
    }

    /// Whether there is something to read.
    public func hasContent() throws(Obstacle) -> Bool {
        guard let status = try status(), status.st_size > 0 else { return false }
        guard allows(R_OK) else { throw cannot("read", errno) }
        return true
    }

    /// Octets of the file, or of one beside it; 0 for none.
    public func size(_ suffix: String = "") -> UInt64 {
        var status = stat()
        return stat(path + suffix, &status) == 0 ? UInt64(clamping: status.st_size) : 0
    }

    /// Renames a damaged file and its side files to `<path>.damaged-` and the first end that nothing has yet.
    /// - Parameter end: the ends, by number from 1.
    /// - Returns: the new name.
    public func setAside(_ end: (Int) -> String) throws(Obstacle) -> String {
        let suffixes = DatabaseFile.sideFiles + [""]
        for number in 1...9999 {
            let name = "\(path).damaged-\(end(number))"
            guard suffixes.allSatisfy({ !DatabaseFile.exists(name + $0) }) else { continue }
            for suffix in suffixes where rename(path + suffix, name + suffix) != 0 && errno != ENOENT {
                throw cannot("set aside", beside: suffix, errno)
            }
            return name
        }
        throw Obstacle("There are too many damaged \(words.contents) beside \(path): remove some.")
    }

    // MARK: The database

    /// How a connection is set up.
    /// - Parameters:
    ///   - cache: KiB of pages; they are read again from the system's.
    ///   - writing: statements for one that writes.
    public static func configuration(readonly: Bool, cache: Int, writing: String) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readonly
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(
                sql: "PRAGMA cache_size = -\(cache); PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;")
            if !readonly { try db.execute(sql: writing) }
        }
        return configuration
    }

    /// Reads the file without changing it.
    /// - Throws: `Damage`, or what SQLite and the reader say.
    public func inspect(
        _ configuration: (_ readonly: Bool) -> Configuration, _ read: (Database) throws -> Void
    ) throws {
        // A program that died while it made the file left a journal, which a reader may not roll back.
        let readonly = size("-journal") == 0
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration(readonly))
            defer { try? queue.close() }
            try queue.read(read)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            // The questions are always the same, so what they meet is wrong.
            throw Damage(error.message ?? "SQLite can't read it")
        }
    }

    /// Syncs every commit; a pool sets NORMAL, with which one may be lost in a power cut.
    public func syncEveryCommit(_ db: Database) throws {
        try db.execute(sql: "PRAGMA synchronous = FULL")
        guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
            throw Obstacle("SQLite refuses to sync \(path).")
        }
    }

    // MARK: The system

    private func cannot(_ attempt: String, beside suffix: String = "", _ code: Int32) -> Obstacle {
        Obstacle(
            "\(words.owner) can't \(attempt) \(path + suffix): \(systemReason(code)).",
            isFullDisk: code == ENOSPC || code == EDQUOT)
    }

    /// `nil` when nothing is there.
    private func status() throws(Obstacle) -> stat? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw cannot("open", errno) }
            return nil
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let what = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no regular file"
            throw Obstacle("The \(words.content) can't be kept in \(path): that is \(what).")
        }
        return status
    }

    private func allows(_ rights: Int32) -> Bool { faccessat(AT_FDCWD, path, rights, AT_EACCESS) == 0 }

    private static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }
}
