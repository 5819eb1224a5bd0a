// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// Reads one flat JSON object from front to back.
///
/// Whatever it passes over, the full decoder passes over as well; so where a byte fits no JSON, the full decoder
/// refuses the whole datagram, and nobody needs to run it.
struct RequestScanner {
    private var position = 0

    /// The members of the object that is the whole datagram.
    mutating func members(_ bytes: Swift.Span<UInt8>) throws(ScanStop) -> ScannedMembers {
        var members = ScannedMembers()
        // Any other JSON value is no request either.
        guard nextToken(bytes) == UInt8(ascii: "{") else { throw .noRequest }
        position += 1
        if nextToken(bytes) == UInt8(ascii: "}") {
            position += 1
        } else {
            repeat { try member(bytes, into: &members) } while try separator(bytes)
        }
        guard nextToken(bytes) == nil else { throw .noRequest }
        return members
    }

    private mutating func member(_ bytes: Swift.Span<UInt8>, into members: inout ScannedMembers) throws(ScanStop) {
        guard nextToken(bytes) == UInt8(ascii: "\"") else { throw .noRequest }
        let name = ScannedMembers.Name(bytes, try string(bytes))
        guard nextToken(bytes) == UInt8(ascii: ":") else { throw .noRequest }
        position += 1
        let value = try value(bytes)
        if let name { try members.add(name, value) }
    }

    /// Whether another member follows.
    private mutating func separator(_ bytes: Swift.Span<UInt8>) throws(ScanStop) -> Bool {
        let byte = nextToken(bytes)
        guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") else { throw .noRequest }
        position += 1
        return byte == UInt8(ascii: ",")
    }

    /// The first byte that is no space, which is not passed over; `nil` at the end.
    private mutating func nextToken(_ bytes: Swift.Span<UInt8>) -> UInt8? {
        while position < bytes.count {
            let byte = bytes[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            position += 1
        }
        return nil
    }

    private mutating func value(_ bytes: Swift.Span<UInt8>) throws(ScanStop) -> ScannedMembers.Value {
        switch nextToken(bytes) {
        case UInt8(ascii: "\""): return .text(try string(bytes))
        case UInt8(ascii: "t"):
            try word("true", bytes)
            return .yes
        case UInt8(ascii: "f"): try word("false", bytes)
        case UInt8(ascii: "n"): try word("null", bytes)
        case UInt8(ascii: "{"), UInt8(ascii: "["): throw .undecided
        default: try integer(bytes)
        }
        return .other
    }

    private mutating func word(_ word: StaticString, _ bytes: Swift.Span<UInt8>) throws(ScanStop) {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count, equal(bytes, position..<end, word) else { throw .noRequest }
        position = end
    }

    /// RFC 8259, §6, as far as it concerns whole numbers.
    private mutating func integer(_ bytes: Swift.Span<UInt8>) throws(ScanStop) {
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        let start = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        guard position > start else { throw .noRequest }
        // After a leading zero no digit may follow.
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else { throw .noRequest }
        guard position - start <= 18, position < bytes.count else { throw .undecided }
        switch bytes[position] {
        case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): throw .undecided
        default: break
        }
    }

    /// RFC 8259, §7, without escapes and in ASCII.
    /// - Returns: where the text is, without its quotes.
    private mutating func string(_ bytes: Swift.Span<UInt8>) throws(ScanStop) -> Range<Int> {
        let start = position + 1
        position = plainEnd(bytes, from: start)
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return start..<position - 1
            case UInt8(ascii: "\\"), 0x80...: throw .undecided
            case 0..<0x20: throw .noRequest
            default: position += 1
            }
        }
        throw .noRequest
    }
}

/// Where, among the whole words from here on, the first byte stands that is a quote, a backslash, a control or not
/// ASCII.
private func plainEnd(_ bytes: Swift.Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index + 8 <= bytes.count {
        let marks = marks(eightBytes(bytes, at: index))
        // No arithmetic with what was found: the next word need not wait for this one.
        guard marks == 0 else { return index + marks.trailingZeroBitCount / 8 }
        index += 8
    }
    return index
}

/// The high bit of each such byte in a word; only the lowest of them is certain.
private func marks(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ ones &* UInt64(UInt8(ascii: "\""))
    let backslashes = word ^ ones &* UInt64(UInt8(ascii: "\\"))
    // A borrow reaches only bytes above a hit.
    let hits = (quotes &- ones) | (backslashes &- ones) | (word &- ones &* 0x20) | word
    return hits & (ones &* 0x80)
}

/// Bounds-checked, for all its name.
private func eightBytes(_ bytes: Swift.Span<UInt8>, at index: Int) -> UInt64 {
    UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
}

private func equal(_ bytes: Swift.Span<UInt8>, _ range: Range<Int>, _ word: StaticString) -> Bool {
    guard range.count == word.utf8CodeUnitCount else { return false }
    for offset in 0..<range.count where bytes[range.lowerBound + offset] != word.utf8Start[offset] { return false }
    return true
}

/// The members that mean something in a request, each with its last value.
struct ScannedMembers {
    enum Name: Int {
        case requestType, queried, peer, address, token, nonce, prove, record
    }

    enum Value {
        case missing
        /// A string, by its place in the datagram.
        case text(Range<Int>)
        case yes
        case other
    }

    private var values = InlineArray<8, Value>(repeating: .missing)

    mutating func add(_ name: Name, _ value: Value) throws(ScanStop) {
        // Of two the last counts, but that is a rule of the full decoder.
        guard case .missing = values[name.rawValue] else { throw .undecided }
        values[name.rawValue] = value
    }

    private func text(_ name: Name) -> Range<Int>? {
        if case .text(let range) = values[name.rawValue] { range } else { nil }
    }

    /// What the members ask together.
    func request(_ bytes: Swift.Span<UInt8>) throws(ScanStop) -> ScannedRequest {
        guard let type = text(.requestType) else { throw .noRequest }
        let nonce = text(.nonce).flatMap { $0.count <= 16 ? $0 : nil }
        let wantsProof = if case .yes = values[Name.prove.rawValue] { nonce != nil } else { false }
        if equal(bytes, type, "query") {
            guard let text = text(.queried), let peer = PeerID(ascii: bytes.extracting(text)) else { throw .undecided }
            return .query(text: text, peer: peer, nonce: nonce, wantsProof: wantsProof)
        }
        if equal(bytes, type, "registration") {
            guard case .missing = values[Name.record.rawValue], let text = text(.address),
                let address = Endpoint(ascii: bytes.extracting(text)), address.port != 0
            else { throw .undecided }
            return .seedRegistration(address: address, nonce: nonce)
        }
        if equal(bytes, type, "keepalive") {
            guard let peerText = text(.peer), let peer = PeerID(ascii: bytes.extracting(peerText)),
                let tokenText = text(.token), let token = Base64URL.decode16(bytes.extracting(tokenText))
            else { throw .undecided }
            return .keepalive(peer: peer, token: token, nonce: nonce, wantsProof: wantsProof)
        }
        // Rarer requests are the full decoder's.
        guard !equal(bytes, type, "call"), !equal(bytes, type, "seen") else { throw .undecided }
        throw .noRequest
    }
}

extension ScannedMembers.Name {
    /// The member with this name; `nil` for one that means nothing.
    init?(_ bytes: Swift.Span<UInt8>, _ range: Range<Int>) {
        switch range.count {
        case 4 where equal(bytes, range, "addr"): self = .address
        case 4 where equal(bytes, range, "uuid"): self = .peer
        case 5 where equal(bytes, range, "nonce"): self = .nonce
        case 5 where equal(bytes, range, "prove"): self = .prove
        case 5 where equal(bytes, range, "token"): self = .token
        case 6 where equal(bytes, range, "record"): self = .record
        case 8 where equal(bytes, range, "req_type"): self = .requestType
        case 12 where equal(bytes, range, "queried_uuid"): self = .queried
        default: return nil
        }
    }
}
