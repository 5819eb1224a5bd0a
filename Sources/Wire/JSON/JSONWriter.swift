// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

extension JSONValue {
    /// What a writer escapes beyond the quote, the backslash and C0 controls, which JSON demands.
    public enum Escaping: Sendable {
        /// Nothing: an echoed text never grows.
        case minimal
        /// Every control, format and line separator character as `\uXXXX`, so that a line is safe to print.
        case invisible
    }

    /// The value as compact JSON in UTF-8. Numbers that JSON cannot say become `null`.
    public func encoded(_ escaping: Escaping = .minimal) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(128)
        write(to: &out, escaping)
        return out
    }

    func write(to out: inout [UInt8], _ escaping: Escaping) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let flag): out.append(contentsOf: (flag ? "true" : "false").utf8)
        case .integer(let number): out.append(contentsOf: String(number).utf8)
        case .number(let number): out.append(contentsOf: (number.isFinite ? "\(number)" : "null").utf8)
        case .string(let text): writeJSONString(text, to: &out, escaping)
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                element.write(to: &out, escaping)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object): object.write(to: &out, escaping)
        }
    }
}

extension JSONObject {
    /// The object as compact JSON in UTF-8, members in their order.
    public func encoded(_ escaping: JSONValue.Escaping = .minimal) -> [UInt8] {
        JSONValue.object(self).encoded(escaping)
    }

    fileprivate func write(to out: inout [UInt8], _ escaping: JSONValue.Escaping) {
        out.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            writeJSONString(member.name, to: &out, escaping)
            out.append(UInt8(ascii: ":"))
            member.value.write(to: &out, escaping)
        }
        out.append(UInt8(ascii: "}"))
    }
}

func writeJSONString(_ text: String, to out: inout [UInt8], _ escaping: JSONValue.Escaping = .minimal) {
    out.append(UInt8(ascii: "\""))
    defer { out.append(UInt8(ascii: "\"")) }
    if escaping == .minimal, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C }) {
        return out.append(contentsOf: text.utf8)
    }
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x22, 0x5C: out.append(contentsOf: [0x5C, UInt8(truncatingIfNeeded: scalar.value)])
        case 0x08: out.append(contentsOf: "\\b".utf8)
        case 0x0C: out.append(contentsOf: "\\f".utf8)
        case 0x0A: out.append(contentsOf: "\\n".utf8)
        case 0x0D: out.append(contentsOf: "\\r".utf8)
        case 0x09: out.append(contentsOf: "\\t".utf8)
        case 0x00...0x1F: writeUnicodeEscape(scalar, to: &out)
        case 0x20...0x7E: out.append(UInt8(truncatingIfNeeded: scalar.value))
        default:
            if escaping == .invisible, scalar.isInvisible {
                writeUnicodeEscape(scalar, to: &out)
            } else {
                out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
    }
}

private func writeUnicodeEscape(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
    for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
        out.append(contentsOf: "\\u".utf8)
        for shift in [12, 8, 4, 0] { out.append(hexDigit(UInt8(truncatingIfNeeded: unit >> UInt16(shift) & 0xF))) }
    }
}

extension Unicode.Scalar {
    /// Controls, format characters and line separators: what a terminal obeys or a reader can't see.
    fileprivate var isInvisible: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
