// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import PeerEngine

/// One record of an archive: what `export` writes and `import` reads, version 1.
///
/// An octet for the kind, then its fields: integers as eight octets, highest first; octets and UTF-8 with their count
/// before them in four octets; an optional field with an octet 1 before it, or 0 alone; a switch as an octet 1 or 0.
/// The first record is `header`, the last `end` with the number of all others, so that a cut is noticed.
enum ArchiveRecord: Equatable {
    case header
    /// - Parameter seen: the place of the last message that the user saw, as in `message`.
    case peer(PeerID, counter: UInt64, seen: Int64, draft: String?, address: SavedAddress)
    case contact(Contact)
    case message(StoredMessage)
    case forgotten(PeerID, MessageID)
    case sequence(UInt64)
    case inviteSecret([UInt8])
    /// A setting that is not as it is at first.
    case switched(ChatSetting)
    case end(count: Int64)

    /// Octets of one record at most; a message of 64 KiB fits many times.
    static let limit = 1 << 20
    private static let magic = Array("parley archive 1".utf8)

    var encoded: [UInt8] {
        var out = FieldWriter()
        switch self {
        case .header:
            out.byte(0)
            out.octets(ArchiveRecord.magic)
        case .peer(let peer, let counter, let seen, let draft, let address):
            out.byte(1)
            out.octets(peer.octets)
            out.integer(counter)
            out.integer(UInt64(bitPattern: seen))
            out.text(draft)
            out.text(address.endpoint?.description)
            out.integer(address.sequence)
        case .contact(let contact):
            out.byte(2)
            out.octets(contact.peer.octets)
            out.text(contact.name)
            out.text(contact.nickname)
            out.optional(contact.key)
            out.integer(UInt64(bitPattern: contact.flags))
            out.optional(contact.inviteSecret)
            out.text(contact.alarm)
        case .message(let stored):
            let message = stored.message
            out.byte(3)
            out.integer(UInt64(bitPattern: stored.sequence))
            out.octets(message.peer.octets)
            out.byte(message.direction == .outgoing ? 1 : 0)
            out.octets(message.id.octets)
            out.octets(Array(message.text.utf8))
            out.optional(message.created.map { FieldWriter.octets(of: UInt64(bitPattern: $0.milliseconds)) })
            out.integer(UInt64(bitPattern: message.received.milliseconds))
            out.integer(UInt64(bitPattern: message.state.code))
            out.text(message.reason)
            out.byte(message.secure ? 1 : 0)
            out.integer(message.counter)
            out.text(message.tag)
        case .forgotten(let peer, let id):
            out.byte(4)
            out.octets(peer.octets)
            out.octets(id.octets)
        case .sequence(let number):
            out.byte(5)
            out.integer(number)
        case .inviteSecret(let secret):
            out.byte(6)
            out.octets(secret)
        case .switched(let setting):
            out.byte(7)
            out.octets(Array(setting.rawValue.utf8))
        case .end(let count):
            out.byte(255)
            out.integer(UInt64(bitPattern: count))
        }
        return out.octets
    }

    /// - Throws: `ArchiveError` for anything that `encoded` does not give.
    init(_ octets: [UInt8]) throws(ArchiveError) {
        guard octets.count <= ArchiveRecord.limit else { throw ArchiveError("a record is too long") }
        var fields = FieldReader(octets[...])
        switch try fields.byte() {
        case 0:
            guard try fields.octets() == ArchiveRecord.magic else {
                throw ArchiveError("it is of another kind or of a newer version")
            }
            self = .header
        case 1:
            self = .peer(
                try fields.peer(), counter: try fields.integer(), seen: try fields.signed(), draft: try fields.text(),
                address: SavedAddress(endpoint: try fields.endpoint(), sequence: try fields.integer()))
        case 2:
            var contact = Contact(
                peer: try fields.peer(), name: try fields.text(), nickname: try fields.text(),
                key: try fields.optional(), accepted: false)
            let flags = try fields.signed()
            guard (0..<64).contains(flags) else { throw ArchiveError("a contact has an unknown mark") }
            contact.take(flags: flags)
            contact.inviteSecret = try fields.optional()
            contact.alarm = try fields.text()
            self = .contact(contact)
        case 3: self = .message(try fields.message())
        case 4: self = .forgotten(try fields.peer(), try fields.messageID())
        case 5: self = .sequence(try fields.integer())
        case 6: self = .inviteSecret(try fields.octets())
        case 7:
            guard let setting = ChatSetting(rawValue: try fields.requiredText()) else {
                throw ArchiveError("a setting is unknown")
            }
            self = .switched(setting)
        case 255: self = .end(count: try fields.signed())
        default: throw ArchiveError("a record is of an unknown kind")
        }
        guard fields.isAtEnd else { throw ArchiveError("a record is longer than its fields") }
    }
}

/// What is wrong with an archive, as one clause.
struct ArchiveError: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

private struct FieldWriter {
    private(set) var octets: [UInt8] = []

    static func octets(of number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    }

    mutating func byte(_ byte: UInt8) { octets.append(byte) }

    mutating func integer(_ number: UInt64) { octets += FieldWriter.octets(of: number) }

    mutating func octets(_ field: [UInt8]) {
        octets += FieldWriter.octets(of: UInt64(field.count)).suffix(4)
        octets += field
    }

    mutating func optional(_ field: [UInt8]?) {
        byte(field == nil ? 0 : 1)
        if let field { octets(field) }
    }

    mutating func text(_ field: String?) { optional(field.map { Array($0.utf8) }) }
}

private struct FieldReader {
    private var rest: ArraySlice<UInt8>

    init(_ octets: ArraySlice<UInt8>) { rest = octets }

    var isAtEnd: Bool { rest.isEmpty }

    private mutating func take(_ count: Int) throws(ArchiveError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw ArchiveError("a record is cut off") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func number(_ count: Int) throws(ArchiveError) -> UInt64 {
        try take(count).reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func byte() throws(ArchiveError) -> UInt8 { UInt8(truncatingIfNeeded: try number(1)) }

    mutating func flag() throws(ArchiveError) -> Bool {
        switch try byte() {
        case 0: false
        case 1: true
        default: throw ArchiveError("a switch is neither on nor off")
        }
    }

    mutating func integer() throws(ArchiveError) -> UInt64 { try number(8) }

    mutating func signed() throws(ArchiveError) -> Int64 { Int64(bitPattern: try number(8)) }

    mutating func octets() throws(ArchiveError) -> [UInt8] { Array(try take(Int(try number(4)))) }

    mutating func optional() throws(ArchiveError) -> [UInt8]? { try flag() ? try octets() : nil }

    mutating func requiredText() throws(ArchiveError) -> String {
        guard let text = String(validating: try octets(), as: UTF8.self) else {
            throw ArchiveError("a text is no UTF-8")
        }
        return text
    }

    mutating func text() throws(ArchiveError) -> String? { try flag() ? try requiredText() : nil }

    mutating func peer() throws(ArchiveError) -> PeerID {
        guard let peer = PeerID(octets: try octets()) else { throw ArchiveError("an ID has not 16 octets") }
        return peer
    }

    mutating func messageID() throws(ArchiveError) -> MessageID {
        guard let id = MessageID(octets: try octets()) else { throw ArchiveError("an ID has not 16 octets") }
        return id
    }

    mutating func endpoint() throws(ArchiveError) -> Endpoint? {
        guard let text = try text() else { return nil }
        guard let endpoint = Endpoint(text) else { throw ArchiveError("an address can't be read") }
        return endpoint
    }

    mutating func time() throws(ArchiveError) -> WallTime {
        let number = try signed(), time = WallTime(milliseconds: number)
        guard time.milliseconds == number else { throw ArchiveError("a time is out of range") }
        return time
    }

    private mutating func optionalTime() throws(ArchiveError) -> WallTime? {
        guard let octets = try optional() else { return nil }
        var fields = FieldReader(octets[...])
        let time = try fields.time()
        guard fields.isAtEnd else { throw ArchiveError("a time is too long") }
        return time
    }

    mutating func message() throws(ArchiveError) -> StoredMessage {
        let sequence = try signed(), peer = try peer(), outgoing = try flag(), id = try messageID()
        let text = try requiredText(), created = try optionalTime(), received = try time()
        guard let state = DeliveryState(code: try signed()) else { throw ArchiveError("a state is unknown") }
        return StoredMessage(
            sequence: sequence,
            message: Message(
                id: id, peer: peer, direction: outgoing ? .outgoing : .incoming, text: text, created: created,
                received: received, state: state, reason: try self.text(), secure: try flag(),
                counter: try integer(), tag: try self.text()))
    }
}
