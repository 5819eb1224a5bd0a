// SPDX-License-Identifier: GPL-3.0-or-later
internal import DatabaseFile
internal import GRDB
internal import Model
public import PeerEngine

/// What an import added.
public struct ImportCounts: Equatable, Sendable {
    public var contacts: Int
    public var messages: Int

    public init(contacts: Int = 0, messages: Int = 0) {
        self.contacts = contacts
        self.messages = messages
    }
}

extension ChatStore {
    /// Hands out everything but the port, record by record, as of one moment. The records are plain: whoever takes
    /// them encrypts them.
    /// - Parameter body: takes one record, at most 1 MiB; what it throws ends the export.
    public func export(_ body: ([UInt8]) throws(StoreError) -> Void) throws(StoreError) {
        try reading { db in
            var count: Int64 = 0
            try db.archive { record throws(StoreError) in
                count += 1
                try body(record.encoded)
            }
            try body(ArchiveRecord.end(count: count).encoded)
        }
    }

    /// Merges what `export` gave, all or nothing. What is here wins: contacts, settings and the invite stay as they
    /// are, and a message that is known, forgotten ones included, does not come again. New messages come after those
    /// that are here. Counters and record numbers become the larger ones.
    /// - Parameter next: gives one record at a time, `nil` at the end.
    /// - Throws: for an archive that is not whole, and what `next` throws.
    public func merge(_ next: () throws(StoreError) -> [UInt8]?) throws(StoreError) -> ImportCounts {
        guard let pool else { throw StoreError("\(path) is open for reading only.", mayPass: false) }
        let result = pool.writeWithoutTransaction { db in
            Result { () throws(StoreError) in
                try writing(db) { db in
                    var reading = ArchiveReading(db)
                    do {
                        while let octets = try next() { try reading.take(ArchiveRecord(octets)) }
                        return try reading.finish()
                    } catch let error as ArchiveError {
                        throw StoreError("The archive is damaged (\(error.reason)): nothing was taken.", mayPass: false)
                    }
                }
            }
        }
        return try result.get()
    }
}

extension Database {
    /// Every record but the last, peers before what belongs to them.
    fileprivate func archive(_ body: (ArchiveRecord) throws(StoreError) -> Void) throws {
        try body(.header)
        for record in try values(
            "SELECT id, counter, seen, draft, endpoint, record FROM peer ORDER BY number", [], peer)
        {
            try body(record)
        }
        for contact in try contacts() { try body(.contact(contact)) }
        var last: Int64 = 0
        // In pieces, so that a long history never lies in memory as a whole.
        while true {
            let piece = try messages("WHERE m.sequence > ? ORDER BY m.sequence LIMIT 256", [last])
            for stored in piece { try body(.message(stored)) }
            guard let end = piece.last?.sequence else { break }
            last = end
        }
        let forgotten = try Row.fetchCursor(
            self, sql: "SELECT p.id, f.id FROM forgotten f JOIN peer p ON p.number = f.peer ORDER BY f.number")
        while let row = try forgotten.next() {
            guard let id = try row.octets(1).flatMap({ MessageID(octets: $0) }) else {
                throw Damage("an ID is missing")
            }
            try body(.forgotten(try row.peer(0), id))
        }
        if let row = try first(Fact.sequence) { try body(.sequence(UInt64(bitPattern: try row.required(0)))) }
        if let secret = try first(Fact.invite)?.octets(0) { try body(.inviteSecret(secret)) }
        for setting in try switched() { try body(.switched(setting)) }
    }

    private func peer(_ row: Row) throws -> ArchiveRecord {
        .peer(
            try row.peer(0), counter: UInt64(bitPattern: try row.required(1)), seen: try row.required(2),
            draft: try row.text(3),
            address: SavedAddress(
                endpoint: try row.text(4).flatMap { Endpoint($0) }, sequence: UInt64(bitPattern: try row.required(5))))
    }
}

/// An import within one transaction.
private struct ArchiveReading {
    private var writing: Writing
    private var counts = ImportCounts()
    private var records: Int64 = 0
    private var isOver = false
    /// Per peer the place there of the last message that the user saw, and the place here of the last one up to it.
    private var seen: [PeerID: (there: Int64, here: MessageID?)] = [:]

    init(_ db: Database) { writing = Writing(db) }

    mutating func take(_ record: ArchiveRecord) throws {
        guard !isOver, (records == 0) == (record == .header) else { throw ArchiveError("its records are out of order") }
        switch record {
        case .header: break
        case .peer(let peer, let counter, let place, let draft, let address):
            seen[peer] = (place, nil)
            try writing.merge(peer, counter: counter, draft: draft, address: address)
        case .contact(let contact): counts.contacts += try writing.add(contact) ? 1 : 0
        case .message(let stored): try take(stored)
        case .forgotten(let peer, let id): try writing.remember(id, of: peer)
        case .sequence(let number): _ = try writing.raise(to: number)
        case .inviteSecret(let secret): try writing.add("invite", secret.blob)
        case .switched(let setting): try writing.add(Fact.switched(setting), Int64(1))
        case .end(let count):
            guard count == records else { throw ArchiveError("records are missing") }
            isOver = true
        }
        records += 1
    }

    private mutating func take(_ stored: StoredMessage) throws {
        let message = stored.message
        if let place = seen[message.peer]?.there, stored.sequence <= place { seen[message.peer]?.here = message.id }
        counts.messages +=
            try writing.apply(message.direction == .outgoing ? .queue(message) : .receive(message)) ? 1 : 0
    }

    mutating func finish() throws -> ImportCounts {
        guard isOver else { throw ArchiveError("its end is missing") }
        for (peer, place) in seen {
            if let id = place.here { _ = try writing.apply(.read(peer, upTo: id)) }
        }
        try writing.finish()
        return counts
    }
}
