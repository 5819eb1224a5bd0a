// SPDX-License-Identifier: GPL-3.0-or-later
public import TerminalKit

/// Keys as text: `hello<enter><pgup><c-n><a-1><esc>`. A screen's unit test reads them as keys, a terminal as bytes.
///
/// `<` itself is `<lt>`. Names: `enter tab bs del ins esc up down left right home end pgup pgdn f1`…`f12 space lt`;
/// before them or before one character `c-`, `a-` and `s-` for Control, Alt and Shift. Anything else in angle brackets
/// stands for itself, so that a typing error shows on the screen.
public struct KeyScript: Sendable, Equatable, ExpressibleByStringInterpolation {
    /// One by one.
    public let keys: [Key]

    public init(stringLiteral script: String) { self.init(script) }

    public init(_ script: String) {
        var keys: [Key] = []
        var rest = script[...]
        while let first = rest.first {
            if first == "<", let close = rest.firstIndex(of: ">"),
                let key = KeyScript.key(rest[rest.index(after: rest.startIndex)..<close])
            {
                keys.append(key)
                rest = rest[rest.index(after: close)...]
            } else {
                keys.append(.char(first))
                rest = rest.dropFirst()
            }
        }
        self.keys = keys
    }

    /// What xterm sends, its keypad in application mode.
    public var bytes: [UInt8] { keys.flatMap(\.bytes) }

    /// A paste in one piece, as a terminal with bracketed paste sends it.
    public static func pasteBytes(_ text: String) -> [UInt8] {
        Array(
            "\u{1B}[200~\(text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r"))".utf8)
            + Array("\u{1B}[201~".utf8)
    }

    private static func key(_ name: Substring) -> Key? {
        var rest = name
        var modifiers: Key.Modifiers = []
        while rest.count > 2, rest.dropFirst().first == "-", let modifier = modifierNames[rest.prefix(1)] {
            modifiers.insert(modifier)
            rest = rest.dropFirst(2)
        }
        if let code = codeNames[rest] { return Key(code, modifiers) }
        if rest.first == "f", let number = Int(rest.dropFirst()), (1...12).contains(number) {
            return Key(.function(number), modifiers)
        }
        guard rest.count == 1, !modifiers.isEmpty, let character = rest.first else { return nil }
        return Key(.character(character), modifiers)
    }

    private static let modifierNames: [Substring: Key.Modifiers] = ["c": .control, "a": .alt, "s": .shift]

    private static let codeNames: [Substring: Key.Code] = [
        "enter": .enter, "tab": .tab, "bs": .backspace, "del": .delete, "ins": .insert, "esc": .escape,
        "up": .up, "down": .down, "left": .left, "right": .right, "home": .home, "end": .end,
        "pgup": .pageUp, "pgdn": .pageDown, "space": .character(" "), "lt": .character("<"),
    ]
}

extension Key {
    /// What xterm sends for it, its keypad in application mode.
    var bytes: [UInt8] {
        switch code {
        case .character(let character): characterBytes(character)
        case .enter: alt([0x0D])
        case .tab: modifiers.contains(.shift) ? Array("\u{1B}[Z".utf8) : alt([0x09])
        case .backspace: alt([0x7F])
        case .escape: alt([0x1B])
        case .up: letter("A")
        case .down: letter("B")
        case .right: letter("C")
        case .left: letter("D")
        case .home: letter("H")
        case .end: letter("F")
        case .insert: numbered(2)
        case .delete: numbered(3)
        case .pageUp: numbered(5)
        case .pageDown: numbered(6)
        case .function(let number) where number <= 4: letter(["P", "Q", "R", "S"][max(0, number - 1)])
        case .function(let number): numbered([15, 17, 18, 19, 20, 21, 23, 24][min(7, number - 5)])
        }
    }

    /// xterm's modifier parameter: 1 + Shift 1 + Alt 2 + Control 4.
    private var parameter: Int {
        1 + (modifiers.contains(.shift) ? 1 : 0) + (modifiers.contains(.alt) ? 2 : 0)
            + (modifiers.contains(.control) ? 4 : 0)
    }

    private func letter(_ final: String) -> [UInt8] {
        Array((parameter == 1 ? "\u{1B}O\(final)" : "\u{1B}[1;\(parameter)\(final)").utf8)
    }

    private func numbered(_ number: Int) -> [UInt8] {
        Array((parameter == 1 ? "\u{1B}[\(number)~" : "\u{1B}[\(number);\(parameter)~").utf8)
    }

    private func alt(_ bytes: [UInt8]) -> [UInt8] { modifiers.contains(.alt) ? [0x1B] + bytes : bytes }

    private func characterBytes(_ character: Character) -> [UInt8] {
        guard modifiers.contains(.control), let ascii = character.asciiValue else {
            return alt(Array(String(character).utf8))
        }
        return alt([ascii & 0x1F])
    }
}
