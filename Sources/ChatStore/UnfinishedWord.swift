// SPDX-License-Identifier: GPL-3.0-or-later
internal import GRDB

/// The search for the start of a word among the newest messages, without the index.
///
/// FTS5 gives the hits of a whole word from the newest on, and no more than are asked for. For the start of one it
/// makes the list of all its messages first; where that list is long, the newest messages are most likely to hold hits
/// enough.
extension Database {
    /// How many messages are looked through, and the octets of their texts after which no further one is.
    private static let windowMessages = 1024
    private static let windowOctets = 256 << 10

    /// - Parameters:
    ///   - start: the start of a word, as an expression.
    ///   - rest: what else a hit has, whole words and a peer.
    /// - Returns: the newest hits before a place, the newest first; `nil` when only the index knows them.
    func newest(holding start: String, rest: String?, before place: Int64, _ limit: Int) throws -> [Int64]? {
        let (texts, isAll) = try window(rest, before: place)
        let hits = try Database.matches(of: start, in: texts, limit)
        return isAll || hits.count >= limit ? hits : nil
    }

    /// The newest messages that have the rest, the newest first, and whether they are all.
    private func window(_ rest: String?, before place: Int64) throws -> (texts: [(Int64, DatabaseValue)], isAll: Bool) {
        let sql =
            rest == nil
            ? "SELECT sequence, text FROM message WHERE sequence < ? ORDER BY sequence DESC"
            : """
            SELECT m.sequence, m.text FROM search s CROSS JOIN message m ON m.sequence = s.rowid
            WHERE s.rowid < ? AND s.search MATCH ? ORDER BY s.rowid DESC
            """
        let rows = try Row.fetchCursor(
            cachedStatement(sql: sql), arguments: StatementArguments(rest.map { [place, $0] } ?? [place]))
        var texts: [(Int64, DatabaseValue)] = []
        var octets = 0
        while texts.count < Database.windowMessages, octets < Database.windowOctets {
            guard let row = try rows.next() else { return (texts, true) }
            let text = try row.octets(1) ?? []
            texts.append((try row.required(0), text.blob))
            octets += text.count
        }
        return (texts, false)
    }

    /// The newest of the texts that match, by an index of their own in memory: FTS5 alone knows what a word is.
    private static func matches(
        of expression: String, in texts: [(Int64, DatabaseValue)], _ limit: Int
    ) throws -> [Int64] {
        guard !texts.isEmpty else { return [] }
        let index = try DatabaseQueue()
        defer { try? index.close() }
        return try index.write { db in
            try db.execute(
                sql: """
                    CREATE VIRTUAL TABLE search USING fts5 (
                        text, content = '', columnsize = 0, tokenize = '\(Schema.tokenizer)'
                    )
                    """)
            // Oldest first: FTS5 begins a new part of its index for a number that is smaller than the one before.
            for (sequence, text) in texts.reversed() {
                try db.run("INSERT INTO search (rowid, text) VALUES (?, ?)", [sequence, text])
            }
            return try db.values(
                "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ?", [expression, limit]
            ) { try $0.required(0) }
        }
    }
}
