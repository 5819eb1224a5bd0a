// SPDX-License-Identifier: GPL-3.0-or-later

/// What one line of a settings file says.
enum SettingsLine: Equatable {
    case empty
    case section(String)
    case entry(key: String, value: SettingsFile.Value)

    struct Fault: Error, Equatable {
        let reason: String

        init(_ reason: String) { self.reason = reason }
    }

    init(parsing bytes: ArraySlice<UInt8>) throws(Fault) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Fault("this is not UTF-8") }
        if let control = text.unicodeScalars.first(where: { ($0.value < 0x20 && $0 != "\t") || $0.value == 0x7F }) {
            throw Fault("a control character, U+\(hexadecimal(control)), can't stand here; write it as an escape")
        }
        var scanner = Scanner(text)
        scanner.skipSpace()
        if scanner.isAtEnd {
            self = .empty
        } else if scanner.take("[") {
            self = .section(try scanner.section())
        } else {
            let key = try scanner.key()
            scanner.skipSpace()
            guard scanner.take("=") else { throw Fault("a '=' and a value must follow '\(key)'") }
            scanner.skipSpace()
            self = .entry(key: key, value: try scanner.value(of: key))
        }
        scanner.skipSpace()
        guard scanner.isAtEnd else { throw Fault("'\(scanner.sample)' is too much here") }
    }
}

/// A place in a line. A comment counts as the line's end.
private struct Scanner {
    private var rest: Substring.UnicodeScalarView

    init(_ text: String) { rest = Substring(text).unicodeScalars }

    var isAtEnd: Bool { rest.first.map { $0 == "#" } ?? true }

    /// The beginning of what is left, for a fault.
    var sample: String { String(Substring(rest.prefix(24))) + (rest.dropFirst(24).isEmpty ? "" : "…") }

    mutating func skipSpace() { _ = prefix { $0 == " " || $0 == "\t" } }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func prefix(while holds: (Unicode.Scalar) -> Bool) -> String {
        let taken = rest.prefix(while: holds)
        rest = rest.dropFirst(taken.count)
        return String(Substring(taken))
    }

    mutating func key() throws(SettingsLine.Fault) -> String {
        let key = prefix { isBare($0) }
        guard !key.isEmpty else { throw SettingsLine.Fault("a line begins with a key of a-z, 0-9, _ and -") }
        guard key.utf8.count <= SettingsFile.keyLimit else {
            throw SettingsLine.Fault("a key has at most \(SettingsFile.keyLimit) letters")
        }
        return key
    }

    /// After its bracket.
    mutating func section() throws(SettingsLine.Fault) -> String {
        skipSpace()
        let name = try key()
        skipSpace()
        guard take("]") else { throw SettingsLine.Fault("a section is one name in brackets, as [\(name)]") }
        return name
    }

    mutating func value(of key: String) throws(SettingsLine.Fault) -> SettingsFile.Value {
        if take("\"") { return .string(try escaped()) }
        if take("'") { return .string(try literal()) }
        guard !isAtEnd else { throw SettingsLine.Fault("'\(key)' has no value") }
        let before = self
        let word = prefix { $0 != "#" && $0 != " " && $0 != "\t" }
        switch word {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default: break
        }
        if let number = integer(word) { return .integer(number) }
        throw SettingsLine.Fault(
            "'\(before.sample)' is no value; a text stands in quotes, else it is a whole number, true or false")
    }

    private mutating func literal() throws(SettingsLine.Fault) -> String {
        let text = prefix { $0 != "'" }
        guard take("'") else { throw SettingsLine.Fault("the text has no closing quote") }
        return text
    }

    private mutating func escaped() throws(SettingsLine.Fault) -> String {
        var text = ""
        while true {
            text += prefix { $0 != "\"" && $0 != "\\" }
            if take("\"") { return text }
            guard take("\\") else { throw SettingsLine.Fault("the text has no closing quote") }
            text.unicodeScalars.append(try escape())
        }
    }

    /// After its backslash.
    private mutating func escape() throws(SettingsLine.Fault) -> Unicode.Scalar {
        guard let letter = rest.popFirst() else { throw SettingsLine.Fault("the text has no closing quote") }
        switch letter {
        case "\"", "\\": return letter
        case "b": return "\u{8}"
        case "t": return "\t"
        case "n": return "\n"
        case "f": return "\u{C}"
        case "r": return "\r"
        case "u", "U":
            let digits = String(Substring(rest.prefix(letter == "u" ? 4 : 8)))
            rest = rest.dropFirst(digits.unicodeScalars.count)
            guard digits.utf8.count == (letter == "u" ? 4 : 8), !digits.hasPrefix("+"), !digits.hasPrefix("-"),
                let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init)
            else { throw SettingsLine.Fault("'\\\(letter)\(digits)' is no character") }
            return scalar
        default: throw SettingsLine.Fault("'\\\(letter)' is no escape; a backslash itself is '\\\\'")
        }
    }
}

private func isBare(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
    default: false
    }
}

/// A decimal number as TOML has it: an optional sign, underscores between digits, no zeros in front.
private func integer(_ word: String) -> Int64? {
    let digits = word.hasPrefix("+") || word.hasPrefix("-") ? word.dropFirst() : word[...]
    let groups = digits.split(separator: "_", omittingEmptySubsequences: false)
    guard groups.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
        digits == "0" || !digits.hasPrefix("0")
    else { return nil }
    return Int64(word.replacing("_", with: ""))
}

private func hexadecimal(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}
