// SPDX-License-Identifier: GPL-3.0-or-later

internal import Model

extension JSONValue {
    /// How deep arrays and objects may nest.
    public static let depthLimit = 32

    /// Reads exactly one JSON value (RFC 8259) in UTF-8 without a byte order mark.
    ///
    /// Total: whatever the bytes, it returns or throws, in time linear in their number. Lone surrogates, invalid UTF-8
    /// and raw control characters in strings are refused.
    /// - Throws: `notJSON`, `tooDeep`.
    public init(parsing bytes: some Collection<UInt8>) throws(WireError) {
        var reader = JSONReader(bytes: Array(bytes))
        reader.skipSpace()
        self = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.isAtEnd else { throw .notJSON(at: reader.position) }
    }
}

extension JSONObject {
    /// Reads one JSON object.
    /// - Throws: `notJSON`, `tooDeep`, `notAnObject`.
    public init(parsing bytes: some Collection<UInt8>) throws(WireError) {
        guard case .object(let object) = try JSONValue(parsing: bytes) else { throw .notAnObject }
        self = object
    }
}

/// A recursive-descent parser that reads each byte once.
private struct JSONReader {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }
    var failure: WireError { .notJSON(at: position) }

    func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    mutating func value(depth: Int) throws(WireError) -> JSONValue {
        switch peek() {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(WireError) -> JSONValue {
        for offset in 0..<word.utf8CodeUnitCount where !take(word.utf8Start[offset]) { throw failure }
        return value
    }

    private func checkDepth(_ depth: Int) throws(WireError) {
        guard depth < JSONValue.depthLimit else { throw .tooDeep(limit: JSONValue.depthLimit) }
    }

    private mutating func object(depth: Int) throws(WireError) -> JSONObject {
        try checkDepth(depth)
        var members: [(name: String, value: JSONValue)] = []
        position += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return JSONObject() }
        repeat {
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw failure }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure }
            skipSpace()
            members.append((name, try value(depth: depth + 1)))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw failure }
        return JSONObject(members)
    }

    private mutating func array(depth: Int) throws(WireError) -> [JSONValue] {
        try checkDepth(depth)
        var elements: [JSONValue] = []
        position += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return [] }
        repeat {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw failure }
        return elements
    }

    /// RFC 8259, §7.
    private mutating func string() throws(WireError) -> String {
        position += 1
        let start = position
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw failure }
            position += 1
        }
        if peek() == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position], at: start)
        }
        var decoded = Array(bytes[start..<position])
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text(decoded[...], at: start)
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &decoded)
            case 0..<0x20:
                throw failure
            default:
                decoded.append(byte)
                position += 1
            }
        }
        throw failure
    }

    private func text(_ utf8: ArraySlice<UInt8>, at start: Int) throws(WireError) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else { throw .notJSON(at: start) }
        return text
    }

    private mutating func escape(into decoded: inout [UInt8]) throws(WireError) {
        guard let byte = peek() else { throw failure }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(byte)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"):
            var unit = try hex4()
            if unit & 0xFC00 == 0xD800 {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw failure }
                let low = try hex4()
                guard low & 0xFC00 == 0xDC00 else { throw failure }
                unit = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw failure }
            decoded.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default:
            position -= 1
            throw failure
        }
    }

    private mutating func hex4() throws(WireError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = hexValue(byte) else { throw failure }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    /// RFC 8259, §6.
    private mutating func number() throws(WireError) -> JSONValue {
        let start = position
        var isWhole = true
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) {
            isWhole = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isWhole = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text) else { throw .notJSON(at: start) }
        return .number(number)
    }

    private mutating func digits() throws(WireError) {
        let start = position
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw failure }
    }
}
