// SPDX-License-Identifier: GPL-3.0-or-later
internal import GRDB
internal import IndexEngine
internal import Model

/// The rows of peers that have a key.
enum KeyedTable {
    /// A row with what only the table knows of it.
    struct Entry: Sendable {
        let number: Int64
        let run: Int64
        let row: StoredRegistration

        fileprivate init(_ row: Row) throws {
            number = try row.integer(0)
            run = try row.integer(1)
            self.row = StoredRegistration(
                peer: try row.peer(2), address: try row.endpoint(3), record: try row.octets(4),
                sequence: try row.word(5), registered: try row.moment(6), expires: try row.moment(7))
        }
    }

    private static let columns = "number, run, peer, address, record, sequence, registered, expires"

    static func putting(_ db: Database) throws -> Statement {
        try db.cachedStatement(
            sql: """
                INSERT INTO keyed (peer, address, sequence, registered, expires, run, record)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (peer) DO UPDATE SET
                    address = excluded.address, sequence = excluded.sequence, registered = excluded.registered,
                    expires = excluded.expires, run = excluded.run, record = excluded.record
                """)
    }

    static func put(_ row: StoredRegistration, run: Int64, _ statement: Statement) throws {
        try statement.execute(
            arguments: StatementArguments([
                row.peer.blob, row.address.blob, Int64(bitPattern: row.sequence).databaseValue, row.registered.number,
                row.expires.number, run.databaseValue, row.record.blob,
            ]))
    }

    static func remove(_ peer: PeerID, _ db: Database) throws {
        try db.cachedStatement(sql: "DELETE FROM keyed WHERE peer = ?").execute(arguments: [peer.blob])
    }

    static func find(_ peer: PeerID, _ db: Database) throws -> Entry? {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM keyed WHERE peer = ?")
        return try Row.fetchOne(statement, arguments: [peer.blob]).map(Entry.init)
    }

    /// So many rows behind a number that no run from this one on wrote.
    static func page(after number: Int64, before run: Int64, limit: Int, _ db: Database) throws -> [Entry] {
        let statement = try db.cachedStatement(
            sql: "SELECT \(columns) FROM keyed WHERE number > ? AND run < ? ORDER BY number LIMIT ?")
        let rows = try Row.fetchCursor(statement, arguments: [number, run, limit])
        var page: [Entry] = []
        page.reserveCapacity(limit)
        while let row = try rows.next() { page.append(try Entry(row)) }
        return page
    }

    /// Takes rows out, but for those that were written again since.
    static func remove(_ entries: [Entry], _ db: Database) throws {
        let statement = try db.cachedStatement(sql: "DELETE FROM keyed WHERE number = ? AND run = ?")
        for entry in entries { try statement.execute(arguments: [entry.number, entry.run]) }
    }
}
