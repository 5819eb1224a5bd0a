// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import PeerEngine

/// The tables, and the steps by which older files reach them.
///
/// Texts are BLOBs of UTF-8: a message may hold a NUL, where SQLite's C strings end.
enum Schema {
    /// “PRLY”: tells our file from any other SQLite database.
    static let applicationID: Int64 = 0x5052_4C59

    struct Step {
        let name: String
        let statements: [String]
    }

    /// In order; a file's `user_version` says how many it took. Published steps never change.
    static let steps: [Step] = [Step(name: "the first tables", statements: first)]

    /// How the search index makes words of a text.
    static let tokenizer = "unicode61 remove_diacritics 2"

    private static let first = [
        // Peers by a small number, since each message names one. `counter`, `record` and `endpoint` outlive a contact.
        """
        CREATE TABLE peer (
            number INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
            keyed INTEGER NOT NULL,
            counter INTEGER NOT NULL DEFAULT 0,
            seen INTEGER NOT NULL DEFAULT 0,
            draft BLOB,
            endpoint BLOB,
            record INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        """
        CREATE TABLE contact (
            position INTEGER PRIMARY KEY,
            peer INTEGER NOT NULL UNIQUE REFERENCES peer (number),
            name BLOB,
            nickname BLOB,
            key BLOB,
            flags INTEGER NOT NULL,
            secret BLOB,
            alarm BLOB
        ) STRICT
        """,
        // AUTOINCREMENT: the number of an erased message must not come back, or a new one would count as seen.
        """
        CREATE TABLE message (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            peer INTEGER NOT NULL REFERENCES peer (number),
            outgoing INTEGER NOT NULL,
            id BLOB NOT NULL CHECK (length(id) = 16),
            text BLOB NOT NULL,
            created INTEGER,
            received INTEGER NOT NULL,
            state INTEGER NOT NULL,
            reason BLOB,
            secure INTEGER NOT NULL,
            counter INTEGER NOT NULL,
            tag BLOB
        ) STRICT
        """,
        "CREATE UNIQUE INDEX message_by_id ON message (peer, id, outgoing)",
        "CREATE INDEX message_by_peer ON message (peer, sequence, outgoing)",
        "CREATE INDEX message_open ON message (state, peer, counter) WHERE outgoing = 1 AND state <= 2",
        "CREATE INDEX message_failed ON message (sequence) WHERE outgoing = 1 AND state = 4",
        // IDs of incoming messages whose texts are gone.
        """
        CREATE TABLE forgotten (
            number INTEGER PRIMARY KEY,
            peer INTEGER NOT NULL REFERENCES peer (number),
            id BLOB NOT NULL CHECK (length(id) = 16),
            UNIQUE (peer, id)
        ) STRICT
        """,
        "CREATE TABLE fact (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
        // The peer's number is a word of its own column, so that a search in one conversation skips all others.
        """
        CREATE VIRTUAL TABLE search USING fts5 (
            text, peer, content = 'message', content_rowid = 'sequence', columnsize = 0,
            tokenize = '\(tokenizer)'
        )
        """,
        """
        CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
            INSERT INTO search (rowid, text, peer) VALUES (new.sequence, new.text, new.peer);
        END
        """,
        """
        CREATE TRIGGER message_gone AFTER DELETE ON message BEGIN
            INSERT INTO search (search, rowid, text, peer) VALUES ('delete', old.sequence, old.text, old.peer);
        END
        """,
    ]

    /// Brings a new or older file to the newest tables. Call inside a transaction.
    static func migrate(_ db: Database, path: String) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard version <= steps.count, version >= 0 else { throw StoreError.newer(path) }
        for step in steps.dropFirst(version) {
            for statement in step.statements { try db.execute(sql: statement) }
        }
        guard version < steps.count else { return }
        try db.execute(sql: "PRAGMA application_id = \(applicationID)")
        try db.execute(sql: "PRAGMA user_version = \(steps.count)")
    }

    /// Checks that the file holds these tables and no others: a damaged name would show much later.
    static func verify(_ db: Database) throws {
        let found = try String.fetchSet(
            db, sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'search\\_%' ESCAPE '\\'")
        let wanted = Set(steps.flatMap(\.statements))
        guard found.subtracting(["CREATE TABLE sqlite_sequence(name,seq)"]) == wanted else {
            throw Damage("its tables are not as they should be")
        }
    }
}
