// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import IndexEngine
internal import Model

/// The rows of seed peers: bundles in the order of arrival, forgotten from the front.
///
/// No index knows the IDs: they are random, so each would cost a page of its own to write.
enum SeedTable {
    /// What reading a part of the table gave.
    struct Page: Sendable {
        var rows: [StoredRegistration] = []
        /// The number of the first bundle; `nil` at the table's front.
        var first: Int64?
    }

    /// Bundles that one commit forgets at most for each that it adds: more than one, or age would never catch up.
    private static let forgottenPerBundle = 4

    /// The number of the next peer.
    static func next(_ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(sql: "SELECT number + peers FROM seed ORDER BY number DESC LIMIT 1")
        guard let row = try Row.fetchOne(statement) else { return 1 }
        return try row.integer(0)
    }

    static func append(_ rows: [StoredRegistration], capacity: Int, now: WallTime, _ db: Database) throws {
        var first = try next(db)
        var rest = rows[...]
        while !rest.isEmpty {
            let bundle = rest.prefix(SeedBundle.limit)
            rest = rest.dropFirst(bundle.count)
            let expires = bundle.lazy.map(\.expires).max() ?? now
            try db.cachedStatement(sql: "INSERT INTO seed (number, peers, expires, packed) VALUES (?, ?, ?, ?)")
                .execute(arguments: [first, bundle.count, expires.number, SeedBundle.packed(bundle).blob])
            let (end, isFull) = first.addingReportingOverflow(Int64(bundle.count))
            guard !isFull else { throw Damage("a peer's number is out of range") }
            first = end
            try forget(keeping: capacity, before: end, now: now, db)
        }
    }

    /// Takes bundles from the front that are over by age, or without which the rest still fills the capacity.
    private static func forget(keeping capacity: Int, before end: Int64, now: WallTime, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                DELETE FROM seed WHERE number IN (
                    SELECT number FROM (SELECT number, peers, expires FROM seed ORDER BY number LIMIT ?)
                    WHERE number + peers <= ? OR expires <= ?)
                """)
        try statement.execute(arguments: [forgottenPerBundle, end - Int64(clamping: capacity), now.number])
    }

    /// The peers of a few bundles before a number, the newest first: at least so many, if there are.
    static func page(before end: Int64, atLeast count: Int, _ db: Database) throws -> Page {
        let statement = try db.cachedStatement(
            sql: "SELECT number, packed FROM seed WHERE number < ? ORDER BY number DESC")
        let bundles = try Row.fetchCursor(statement, arguments: [end])
        var page = Page()
        page.rows.reserveCapacity(count)
        while page.rows.count < count, let bundle = try bundles.next() {
            page.first = try bundle.integer(0)
            var rows: [StoredRegistration] = []
            try SeedBundle.unpack(bundle.octets(1)) { rows.append($0) }
            page.rows += rows.reversed()
        }
        return page
    }
}
