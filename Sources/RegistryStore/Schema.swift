// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import IndexEngine
internal import Model

/// The tables, and the steps by which older files reach them.
enum Schema {
    /// “PRLR”: tells our file from any other SQLite database.
    static let applicationID: Int64 = 0x5052_4C52

    /// In order; a file's `user_version` says how many it took. Published steps never change.
    static let steps: [[String]] = [first]

    private static let first = [
        // The starts of the server, in milliseconds since 1970.
        "CREATE TABLE run (number INTEGER PRIMARY KEY, started INTEGER NOT NULL) STRICT",
        // Rows lie in the order of arrival and only the index is in that of the IDs, which are random: rows of this
        // size in the index itself would make it ten times as large, and each put would write another page of it.
        """
        CREATE TABLE keyed (
            number INTEGER PRIMARY KEY,
            peer BLOB NOT NULL UNIQUE CHECK (length(peer) = 16),
            address BLOB NOT NULL,
            sequence INTEGER NOT NULL,
            registered INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            run INTEGER NOT NULL,
            record BLOB NOT NULL
        ) STRICT
        """,
        // The seed peers of a commit, packed. Its number is that of its first peer, counted from the table's first.
        """
        CREATE TABLE seed (
            number INTEGER PRIMARY KEY,
            peers INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            packed BLOB NOT NULL
        ) STRICT
        """,
    ]

    /// Brings a new or older file to the newest tables. Call inside a transaction.
    static func migrate(_ db: Database) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version >= 0, version < steps.count else { return }
        for statement in steps.dropFirst(version).joined() { try db.execute(sql: statement) }
        try db.execute(sql: "PRAGMA application_id = \(applicationID)")
        try db.execute(sql: "PRAGMA user_version = \(steps.count)")
    }

    /// Whether the file holds our tables; false for one that holds none yet.
    static func recognise(_ db: Database, _ path: String) throws -> Bool {
        let mark = try Int64.fetchOne(db, sql: "PRAGMA application_id")
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if mark == 0, version == 0, try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0 {
            return false
        }
        guard mark == applicationID, version > 0 else { throw Damage("it is not a registry of Parley's") }
        guard version <= steps.count else {
            throw IndexStoreFault(.failed, "\(path) was written by a newer version of Parley: use that one.")
        }
        if version == steps.count { try verify(db) }
        return true
    }

    /// Checks that the file holds these tables and no others: a damaged name would show much later.
    static func verify(_ db: Database) throws {
        let found = try String.fetchSet(db, sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
        guard found == Set(steps.joined()) else { throw Damage("its tables are not as they should be") }
    }

    /// Notes the start of a run and says what the runs before it left of leases. Call inside a transaction.
    static func beginRun(_ db: Database, at now: WallTime, lease: Span) throws -> RunLeases {
        let runs = try Row.fetchAll(db, sql: "SELECT number, started FROM run ORDER BY number").map { row in
            RunLeases.Run(number: try row.integer(0), started: WallTime(milliseconds: try row.integer(1)))
        }
        let leases = RunLeases(earlier: runs, now: now, lease: lease)
        guard let current = leases.current else { throw Damage("a run's number is out of range") }
        try db.execute(
            sql: "INSERT INTO run (number, started) VALUES (?, ?)", arguments: [current, now.milliseconds])
        return leases
    }
}
