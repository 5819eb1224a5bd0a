// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import Model
internal import PeerEngine

/// Changes within one transaction.
struct Writing {
    /// Whether a text was taken away.
    private(set) var erased = false
    private var remembered = false

    private let db: Database
    private var numbers: [PeerID: Int64] = [:]

    init(_ db: Database) { self.db = db }

    /// - Returns: whether it had an effect.
    mutating func apply(_ change: StoreChange) throws -> Bool {
        switch change {
        case .queue(let message): try queue(message)
        case .receive(let message): try receive(message)
        case .advance(let id, let peer, let state, let reason): try advance(id, of: peer, to: state, reason)
        case .erase(let id, let peer): try erase(peer, id)
        case .forget(let peer): try erase(peer)
        case .contact(let contact): try put(contact)
        case .remove(let peer): try remove(peer)
        case .read(let peer, let id): try read(peer, upTo: id)
        case .readByPeer(let peer, let counter): try readByPeer(peer, upTo: counter)
        case .draft(let peer, let text): try draft(peer, text)
        case .address(let peer, let address): try put(address, of: peer)
        case .sequence(let number): try raise(to: number)
        case .port(let port): try fact("port", Int64(port))
        case .inviteSecret(let secret): try fact("invite", secret.blob)
        case .setting(let setting, let on):
            on == setting.isOnAtFirst
                ? try db.run("DELETE FROM fact WHERE name = ?", [Fact.switched(setting)]) > 0
                : try fact(Fact.switched(setting), Int64(1))
        case .index(let server): try addIndex(server)
        }
    }

    /// What is done once for all changes. Call last.
    func finish() throws {
        guard erased || remembered else { return }
        try db.run(
            "DELETE FROM forgotten WHERE number <= (SELECT max(number) FROM forgotten) - ?",
            [ChatStore.forgottenLimit])
        guard erased else { return }
        try db.run("INSERT OR IGNORE INTO fact (name, value) VALUES ('purge', 1)")
    }

    // MARK: Messages

    mutating func queue(_ message: Message) throws -> Bool {
        let peer = try number(message.peer)
        guard try insert(message, peer, outgoing: true) else { return false }
        try raiseCounter(of: peer, to: message.counter)
        return true
    }

    mutating func receive(_ message: Message) throws -> Bool {
        try insert(message, number(message.peer), outgoing: false)
    }

    /// Not ON CONFLICT: that would use up a place for each message that came before.
    private func insert(_ message: Message, _ peer: Int64, outgoing: Bool) throws -> Bool {
        try db.run(
            """
            INSERT INTO message
                (peer, outgoing, id, text, created, received, state, reason, secure, counter, tag)
            SELECT ?1, ?2, ?3, ?, ?, ?, ?, ?, ?, ?, ?
            WHERE NOT EXISTS (SELECT 1 FROM message WHERE peer = ?1 AND outgoing = ?2 AND id = ?3)
                AND NOT EXISTS (SELECT 1 FROM forgotten WHERE ?2 = 0 AND peer = ?1 AND id = ?3)
            """,
            [
                peer, outgoing, message.id.blob, message.text.blob, message.created?.milliseconds,
                message.received.milliseconds, message.state.code, message.reason?.blob, message.secure,
                message.counter.signed, message.tag?.blob,
            ]) > 0
    }

    private func raiseCounter(of peer: Int64, to counter: UInt64) throws {
        // Ours count up from 1 and never reach the sign bit.
        try db.run(
            "UPDATE peer SET counter = ? WHERE number = ? AND counter < ?", [counter.signed, peer, counter.signed])
    }

    private mutating func advance(
        _ id: MessageID, of peer: PeerID, to state: DeliveryState, _ reason: String?
    ) throws -> Bool {
        let row = try db.first(
            "SELECT sequence, state FROM message WHERE peer = ? AND id = ? AND outgoing = 1",
            [try number(peer), id.blob])
        guard let row, let old = DeliveryState(code: try row.required(1)), old == state || old.mayBecome(state) else {
            return false
        }
        return try db.run(
            "UPDATE message SET state = ?1, reason = ?2 WHERE sequence = ?3 AND (state, reason) IS NOT (?1, ?2)",
            [state.code, reason?.blob, try row.required(0)]) > 0
    }

    /// Takes away one message, in both directions if the peer reused our ID, or all of a conversation.
    private mutating func erase(_ peer: PeerID, _ id: MessageID? = nil) throws -> Bool {
        let filter = id == nil ? "peer = ?" : "peer = ? AND id = ?"
        let arguments: [(any DatabaseValueConvertible)?] = [try number(peer)] + (id.map { [$0.blob] } ?? [])
        try db.run(
            """
            INSERT OR IGNORE INTO forgotten (peer, id)
            SELECT peer, id FROM message WHERE \(filter) AND outgoing = 0 ORDER BY sequence
            """, arguments)
        guard try db.run("DELETE FROM message WHERE \(filter)", arguments) > 0 else { return false }
        erased = true
        return true
    }

    // MARK: Conversations

    private mutating func read(_ peer: PeerID, upTo id: MessageID) throws -> Bool {
        let number = try number(peer)
        let row = try db.first("SELECT max(sequence) FROM message WHERE peer = ? AND id = ?", [number, id.blob])
        guard let sequence = try row?.integer(0) else { return false }
        return try see(number, upTo: sequence)
    }

    private func see(_ peer: Int64, upTo sequence: Int64) throws -> Bool {
        try db.run("UPDATE peer SET seen = ?1 WHERE number = ?2 AND seen < ?1", [sequence, peer]) > 0
    }

    /// What has not left can't have been read, whatever the peer says.
    private mutating func readByPeer(_ peer: PeerID, upTo counter: UInt64) throws -> Bool {
        try db.run(
            """
            UPDATE message SET state = 3, reason = NULL
            WHERE outgoing = 1 AND state <= 2 AND state IN (1, 2) AND peer = ? AND counter BETWEEN 1 AND ?
            """, [try number(peer), Int64(clamping: counter)]) > 0
    }

    mutating func draft(_ peer: PeerID, _ text: String) throws -> Bool {
        let draft = text.isEmpty ? nil : text.blob
        let changed = try db.run(
            "UPDATE peer SET draft = ?1 WHERE number = ?2 AND draft IS NOT ?1", [draft, try number(peer)])
        return changed > 0
    }

    // MARK: Contacts

    private mutating func put(_ contact: Contact) throws -> Bool {
        try db.run(
            """
            INSERT INTO contact (peer, name, nickname, key, flags, secret, alarm) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (peer) DO UPDATE SET name = excluded.name, nickname = excluded.nickname, key = excluded.key,
                flags = excluded.flags, secret = excluded.secret, alarm = excluded.alarm
            WHERE (name, nickname, key, flags, secret, alarm) IS NOT (excluded.name, excluded.nickname,
                excluded.key, excluded.flags, excluded.secret, excluded.alarm)
            """, try columns(of: contact)) > 0
    }

    /// Adds a contact, unless the peer is one.
    mutating func add(_ contact: Contact) throws -> Bool {
        try db.run(
            """
            INSERT INTO contact (peer, name, nickname, key, flags, secret, alarm) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (peer) DO NOTHING
            """, try columns(of: contact)) > 0
    }

    private mutating func columns(of contact: Contact) throws -> [(any DatabaseValueConvertible)?] {
        [
            try number(contact.peer), contact.name?.blob, contact.nickname?.blob, contact.key?.blob, contact.flags,
            contact.inviteSecret?.blob, contact.alarm?.blob,
        ]
    }

    /// The counter, the forgotten IDs and the newest record's number stay: without them, old messages and old records
    /// would pass again.
    private mutating func remove(_ peer: PeerID) throws -> Bool {
        let number = try number(peer)
        let known = try db.run("DELETE FROM contact WHERE peer = ?", [number]) > 0
        let wrote = try erase(peer)
        let kept = try db.run(
            """
            UPDATE peer SET draft = NULL, endpoint = NULL, seen = 0
            WHERE number = ? AND (draft IS NOT NULL OR endpoint IS NOT NULL)
            """, [number])
        return known || wrote || kept > 0
    }

    /// An older record's number never replaces a newer one's.
    mutating func put(_ address: SavedAddress, of peer: PeerID) throws -> Bool {
        let number = try number(peer)
        let row = try db.first("SELECT record FROM peer WHERE number = ?", [number])
        let newest = max(address.sequence, UInt64(bitPattern: try row?.required(0) ?? 0))
        return try db.run(
            "UPDATE peer SET endpoint = ?1, record = ?2 WHERE number = ?3 AND (endpoint, record) IS NOT (?1, ?2)",
            [address.endpoint?.description.blob, newest.signed, number]) > 0
    }

    // MARK: Ours

    /// Never goes down: a peer that saw the larger one refuses the smaller.
    mutating func raise(to sequence: UInt64) throws -> Bool {
        let old = try db.first("SELECT value FROM fact WHERE name = 'sequence'")
        guard sequence > UInt64(bitPattern: try old?.required(0) ?? 0) else { return false }
        return try fact("sequence", sequence.signed)
    }

    private func addIndex(_ server: String) throws -> Bool {
        let name = Fact.index + server
        guard try db.first("SELECT 1 FROM fact WHERE name = ?", [name]) == nil else { return false }
        let last = try db.first("SELECT max(value) FROM fact WHERE name GLOB ?", [Fact.index + "*"])?.integer(0)
        return try fact(name, (last ?? 0) + 1)
    }

    // MARK: What an import may do

    /// Adds what is missing of a peer.
    mutating func merge(_ peer: PeerID, counter: UInt64, draft: String?, address: SavedAddress) throws {
        let number = try number(peer)
        try raiseCounter(of: number, to: counter)
        try db.run("UPDATE peer SET draft = ? WHERE number = ? AND draft IS NULL", [draft?.blob, number])
        let known = try db.first("SELECT endpoint FROM peer WHERE number = ?", [number])?.text(0)
        let endpoint = known.flatMap { Endpoint($0) } ?? address.endpoint
        _ = try put(SavedAddress(endpoint: endpoint, sequence: address.sequence), of: peer)
    }

    /// Refuses an incoming message from now on, unless it is here.
    mutating func remember(_ id: MessageID, of peer: PeerID) throws {
        remembered = true
        try db.run(
            """
            INSERT OR IGNORE INTO forgotten (peer, id) SELECT ?1, ?2
            WHERE NOT EXISTS (SELECT 1 FROM message WHERE peer = ?1 AND id = ?2 AND outgoing = 0)
            """, [try number(peer), id.blob])
    }

    /// States a fact, unless it is stated.
    func add(_ name: String, _ value: any DatabaseValueConvertible) throws {
        try db.run("INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)", [name, value])
    }

    private func fact(_ name: String, _ value: any DatabaseValueConvertible) throws -> Bool {
        try db.run(
            """
            INSERT INTO fact (name, value) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value
            """, [name, value]) > 0
    }

    /// The peer's small number, given at its first use.
    mutating func number(_ peer: PeerID) throws -> Int64 {
        if let known = numbers[peer] { return known }
        try db.run("INSERT INTO peer (id, keyed) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", [peer.blob, peer.isKeyed])
        guard let row = try db.first("SELECT number FROM peer WHERE id = ?", [peer.blob]) else {
            throw Damage("a peer is missing")
        }
        let number = try row.required(0)
        numbers[peer] = number
        return number
    }
}
