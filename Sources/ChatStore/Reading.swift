// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
public import Model
public import PeerEngine

/// What screens and scripts read. Every call sees one moment of the database and waits for no writer.
extension ChatStore {
    /// What the engine needs from the last run.
    public func load() throws(StoreError) -> SavedState {
        try reading { db in
            var state = SavedState()
            state.contacts = try db.contacts()
            state.outbox = try db.messages(StartQuestion.outbox).map(\.message)
            state.failed = try db.messages(
                "WHERE m.outgoing = 1 AND m.state = 4 ORDER BY m.sequence DESC LIMIT ?", [ChatStore.failedLimit]
            ).map(\.message).reversed()
            state.unseen = try db.unseen()
            state.held = try db.messages(StartQuestion.held).map(\.message)
            let peers = try db.values(
                """
                SELECT id, counter, endpoint, record FROM peer
                WHERE counter <> 0 OR endpoint IS NOT NULL OR record <> 0
                """
            ) { row in
                (
                    try row.peer(0), UInt64(bitPattern: try row.required(1)), try row.text(2).flatMap { Endpoint($0) },
                    UInt64(bitPattern: try row.required(3))
                )
            }
            for (peer, counter, endpoint, record) in peers {
                if counter > 0 { state.counters[peer] = counter }
                if endpoint != nil || record > 0 {
                    state.addresses[peer] = SavedAddress(endpoint: endpoint, sequence: record)
                }
            }
            state.sequence = UInt64(bitPattern: try db.first(Fact.sequence)?.required(0) ?? 0)
            state.port = try db.first(Fact.port)?.integer(0).flatMap { UInt16(exactly: $0) }
            state.inviteSecret = try db.first(Fact.invite)?.octets(0)
            state.switchedOff.formSymmetricDifference(try db.switched())
            state.indexes = try db.values(
                "SELECT CAST(name AS BLOB) FROM fact WHERE name GLOB '\(Fact.index)*' ORDER BY value"
            ) { row in String(try (row.text(0) ?? "").dropFirst(Fact.index.count)) }
            return state
        }
    }

    /// The newest messages with a peer before a place, or the newest of all; oldest first.
    public func page(
        with peer: PeerID, before sequence: Int64? = nil, limit: Int
    ) throws(StoreError) -> [StoredMessage] {
        try reading { db in try db.page(db.number(of: peer), before: sequence ?? .max, limit) }
    }

    /// The messages with a peer on both sides of a place, half of them before it; oldest first.
    public func page(
        with peer: PeerID, around sequence: Int64, limit: Int
    ) throws(StoreError) -> [StoredMessage] {
        try reading { db in
            let number = try db.number(of: peer)
            let before = try db.page(number, before: sequence, limit / 2)
            let rest = try db.messages(
                "WHERE m.peer = ? AND m.sequence >= ? ORDER BY m.sequence LIMIT ?",
                [number, sequence, max(0, limit - limit / 2)])
            return before + rest
        }
    }

    /// Messages with one peer or all after a place, oldest first: a history is read by going on from its last one.
    public func messages(
        with peer: PeerID? = nil, after sequence: Int64 = 0, limit: Int
    ) throws(StoreError) -> [StoredMessage] {
        try reading { db in
            guard let peer else {
                return try db.messages("WHERE m.sequence > ? ORDER BY m.sequence LIMIT ?", [sequence, max(0, limit)])
            }
            return try db.messages(
                "WHERE m.peer = ? AND m.sequence > ? ORDER BY m.sequence LIMIT ?",
                [db.number(of: peer), sequence, max(0, limit)])
        }
    }

    /// Messages that hold every word, newest first; case and accents make no difference, and the last word may be
    /// unfinished. Empty for a text without letters or digits.
    public func search(
        _ text: String, with peer: PeerID? = nil, before sequence: Int64? = nil, limit: Int
    ) throws(StoreError) -> [StoredMessage] {
        try reading { db in
            let number = try peer.map { try db.number(of: $0) }
            guard let query = SearchQuery(text, peer: number) else { return [] }
            let place = sequence ?? .max
            if let start = query.unfinished,
                let found = try db.newest(holding: start, rest: query.rest, before: place, max(0, limit))
            {
                return try found.flatMap { try db.messages("WHERE m.sequence = ?", [$0]) }
            }
            // CROSS JOIN: the index leads, so that the newest are found without sorting all.
            return try db.stored(
                """
                FROM search s CROSS JOIN message m ON m.sequence = s.rowid JOIN peer p ON p.number = m.peer
                WHERE s.search MATCH ? AND s.rowid < ? ORDER BY s.rowid DESC LIMIT ?
                """, [query.expression, place, max(0, limit)])
        }
    }

    /// Every conversation and contact, in the order in which their peers were first met.
    public func summaries() throws(StoreError) -> [ConversationSummary] {
        try reading { db in
            try db.values(
                """
                SELECT p.id, (SELECT max(sequence) FROM message WHERE peer = p.number) AS last,
                    (SELECT received FROM message WHERE sequence =
                        (SELECT max(sequence) FROM message WHERE peer = p.number)),
                    (SELECT count(*) FROM message WHERE peer = p.number AND sequence > p.seen AND outgoing = 0),
                    (SELECT count(*) FROM message
                        WHERE outgoing = 1 AND state <= 2 AND state IN (0, p.keyed) AND peer = p.number),
                    p.draft
                FROM peer p
                WHERE last IS NOT NULL OR p.draft IS NOT NULL OR EXISTS (SELECT 1 FROM contact WHERE peer = p.number)
                ORDER BY p.number
                """
            ) { row in
                ConversationSummary(
                    peer: try row.peer(0), lastSequence: try row.integer(1),
                    lastTime: try row.integer(2).map { WallTime(milliseconds: $0) },
                    unread: Int(try row.required(3)), waiting: Int(try row.required(4)),
                    draft: try row.text(5) ?? "")
            }
        }
    }

    /// Where a message lies, whichever way it went; `nil` when it is not there.
    public func sequence(of id: MessageID, with peer: PeerID) throws(StoreError) -> Int64? {
        try reading { db in
            try db.first(
                "SELECT sequence FROM message WHERE peer = ? AND id = ? ORDER BY sequence LIMIT 1",
                [db.number(of: peer), id.blob])?.required(0)
        }
    }

    /// The oldest incoming message that the user has not seen.
    public func firstUnread(of peer: PeerID) throws(StoreError) -> StoredMessage? {
        try reading { db in
            try db.messages(
                """
                WHERE m.peer = ? AND m.outgoing = 0 AND m.sequence > (SELECT seen FROM peer WHERE number = m.peer)
                ORDER BY m.sequence LIMIT 1
                """, [db.number(of: peer)]
            ).first
        }
    }

    /// Whom the newest message was from or to.
    public func lastConversation() throws(StoreError) -> PeerID? {
        try reading { db in
            try db.first(
                "SELECT p.id FROM message m JOIN peer p ON p.number = m.peer ORDER BY m.sequence DESC LIMIT 1"
            )?.peer(0)
        }
    }

    /// What is written to a peer and not yet sent; empty for nothing.
    public func draft(of peer: PeerID) throws(StoreError) -> String {
        try reading { try $0.first("SELECT draft FROM peer WHERE id = ?", [peer.blob])?.text(0) ?? "" }
    }

    func reading<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        do { return try reader.read(body) } catch { throw StoreError(error, path: path) }
    }
}

/// What `load` asks of messages: neither may scan the history.
enum StartQuestion {
    /// “state <= 2” is the index's own condition, without which SQLite does not take it.
    static let outbox = """
        WHERE m.outgoing = 1 AND m.state <= 2 AND m.state IN (0, 1) AND (m.state = 0 OR p.keyed = 1)
        ORDER BY m.peer, m.counter, m.sequence
        """
    /// The plus keeps SQLite from walking through all messages in their order.
    static let held = """
        WHERE m.peer IN (SELECT peer FROM contact WHERE flags & 3 = 0) AND p.keyed = 1 AND m.outgoing = 0 ORDER BY +m.sequence
        """
}

/// The questions for single facts.
enum Fact {
    static let sequence = "SELECT value FROM fact WHERE name = 'sequence'"
    static let port = "SELECT value FROM fact WHERE name = 'port'"
    static let invite = "SELECT value FROM fact WHERE name = 'invite'"
    /// What the names of index servers begin with; the values are their order.
    static let index = "index:"

    /// What stands there once a setting is not as it is at first.
    static func switched(_ setting: ChatSetting) -> String {
        (setting.isOnAtFirst ? "off:" : "on:") + setting.rawValue
    }
}

extension Database {
    /// The peer's small number; 0, which no peer has, for an unknown one.
    func number(of peer: PeerID) throws -> Int64 {
        try first("SELECT number FROM peer WHERE id = ?", [peer.blob])?.required(0) ?? 0
    }

    /// Counters of incoming messages behind where the user has read to.
    func unseen() throws -> [MessageID: UInt64] {
        let rows = try values(
            """
            SELECT m.id, m.counter FROM peer p JOIN message m ON m.peer = p.number AND m.sequence > p.seen
            WHERE m.outgoing = 0 AND p.keyed = 1 ORDER BY m.sequence DESC LIMIT ?
            """, [ChatStore.unseenLimit]
        ) { row in (try row.octets(0).flatMap { MessageID(octets: $0) }, UInt64(bitPattern: try row.required(1))) }
        return Dictionary(rows.compactMap { id, counter in id.map { ($0, counter) } }) { first, _ in first }
    }

    /// Settings that are not as they are at first.
    func switched() throws -> [ChatSetting] {
        try ChatSetting.allCases.filter {
            try first("SELECT 1 FROM fact WHERE name = ?", [Fact.switched($0)]) != nil
        }
    }

    func contacts() throws -> [Contact] {
        try values(
            """
            SELECT p.id, c.name, c.nickname, c.key, c.flags, c.secret, c.alarm
            FROM contact c JOIN peer p ON p.number = c.peer ORDER BY c.position
            """
        ) { row in
            var contact = Contact(
                peer: try row.peer(0), name: try row.text(1), nickname: try row.text(2), key: try row.octets(3),
                accepted: false, inviteSecret: try row.octets(5), alarm: try row.text(6))
            contact.take(flags: try row.required(4))
            return contact
        }
    }

    func page(_ peer: Int64, before sequence: Int64, _ limit: Int) throws -> [StoredMessage] {
        try messages(
            "WHERE m.peer = ? AND m.sequence < ? ORDER BY m.sequence DESC LIMIT ?", [peer, sequence, max(0, limit)]
        ).reversed()
    }

    /// Messages `m` with their peers `p`, by the rest of the question.
    func messages(
        _ rest: String, _ arguments: [(any DatabaseValueConvertible)?] = []
    ) throws -> [StoredMessage] {
        try stored("FROM message m JOIN peer p ON p.number = m.peer " + rest, arguments)
    }

    fileprivate func stored(
        _ rest: String, _ arguments: [(any DatabaseValueConvertible)?]
    ) throws -> [StoredMessage] {
        try values(
            """
            SELECT m.sequence, p.id, m.outgoing, m.id, m.text, m.created, m.received, m.state, m.reason, m.secure,
                m.counter, m.tag
            """ + " " + rest, arguments, StoredMessage.init)
    }
}

extension StoredMessage {
    fileprivate init(_ row: Row) throws {
        guard let id = try row.octets(3).flatMap({ MessageID(octets: $0) }), let text = try row.text(4),
            let state = DeliveryState(code: try row.required(7))
        else { throw Damage("a message lacks a field") }
        self.init(
            sequence: try row.required(0),
            message: Message(
                id: id, peer: try row.peer(1), direction: try row.required(2) == 0 ? .incoming : .outgoing, text: text,
                created: try row.integer(5).map { WallTime(milliseconds: $0) },
                received: WallTime(milliseconds: try row.required(6)), state: state, reason: try row.text(8),
                secure: try row.required(9) != 0, counter: UInt64(bitPattern: try row.required(10)),
                tag: try row.text(11)))
    }
}
