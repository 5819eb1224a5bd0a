// SPDX-License-Identifier: GPL-3.0-or-later

/// Base64 with the URL alphabet and without padding (RFC 4648, §5): how octets travel in text.
public enum Base64URL {
    private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    /// Four characters for three octets, two or three for the rest.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var out: [UInt8] = []
        append(Array(bytes).span, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends the characters of `encode(_:)`.
    public static func append(_ bytes: Swift.Span<UInt8>, to out: inout [UInt8]) {
        out.append(addingCapacity: (bytes.count * 4 + 2) / 3) { (text: inout OutputSpan<UInt8>) in
            var index = 0
            while index + 3 <= bytes.count {
                let bits = UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
                text.append(character(bits >> 18))
                text.append(character(bits >> 12))
                text.append(character(bits >> 6))
                text.append(character(bits))
                index += 3
            }
            guard index < bytes.count else { return }
            let isOne = index + 1 == bytes.count
            let bits = UInt32(bytes[index]) << 8 | (isOne ? 0 : UInt32(bytes[index + 1]))
            text.append(character(bits >> 10))
            text.append(character(bits >> 4))
            if !isOne { text.append(character(bits << 2)) }
        }
    }

    /// The character of the lowest six bits.
    private static func character(_ bits: UInt32) -> UInt8 { alphabet.utf8Start[Int(bits & 0x3F)] }

    /// The octets, or `nil` for a foreign character, an impossible length, or stray bits at the end: one text for one
    /// value.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var text = String(text)
        return text.withUTF8 { decode($0.span) }
    }

    private static func decode(_ text: Swift.Span<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var out: [UInt8] = []
        // To the octet: records are kept by the million.
        out.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var held: UInt32 = 0
        for index in 0..<text.count {
            guard let value = value(of: text[index]) else { return nil }
            bits = bits << 6 | value
            held += 6
            if held >= 8 {
                held -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> held))
            }
        }
        guard bits & (1 << held - 1) == 0 else { return nil }
        return out
    }

    /// The 16 octets of 22 characters, the first octet highest in the first word, without allocating; `nil` as from
    /// `decode(_:)`, and for any other length.
    public static func decode16(_ text: Swift.Span<UInt8>) -> (UInt64, UInt64)? {
        guard text.count == 22 else { return nil }
        var bits: UInt128 = 0
        for index in 0..<21 {
            guard let value = value(of: text[index]) else { return nil }
            bits = bits << 6 | UInt128(value)
        }
        guard let last = value(of: text[21]), last & 0xF == 0 else { return nil }
        bits = bits << 2 | UInt128(last >> 4)
        return (UInt64(truncatingIfNeeded: bits >> 64), UInt64(truncatingIfNeeded: bits))
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
