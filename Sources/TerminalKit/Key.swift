// SPDX-License-Identifier: GPL-3.0-or-later

/// One key with its modifiers, whatever bytes the terminal sent for it.
public struct Key: Hashable, Sendable {
    public enum Code: Hashable, Sendable {
        /// A typed grapheme cluster; with `control`, the lower-case letter or the symbol of the key.
        case character(Character)
        case enter, tab, backspace, delete, insert, escape
        case up, down, left, right, home, end, pageUp, pageDown
        /// F1 and so on.
        case function(Int)
    }

    public struct Modifiers: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let control = Modifiers(rawValue: 1)
        public static let alt = Modifiers(rawValue: 2)
        public static let shift = Modifiers(rawValue: 4)
    }

    public var code: Code
    public var modifiers: Modifiers

    public init(_ code: Code, _ modifiers: Modifiers = []) {
        self.code = code
        self.modifiers = modifiers
    }

    /// A typed character.
    public static func char(_ character: Character) -> Key { Key(.character(character)) }
    /// Control and a letter, given in lower case.
    public static func control(_ character: Character) -> Key { Key(.character(character), .control) }
    /// Alt and a character.
    public static func alt(_ character: Character) -> Key { Key(.character(character), .alt) }
}

/// What a terminal has to say.
public enum TerminalEvent: Equatable, Sendable {
    case key(Key)
    /// Pasted in one piece (bracketed paste); unsanitised, newlines as `\n`.
    case paste(String)
    case resize(Size)
    /// The wheel: negative is up, in lines.
    case wheel(Int)
    /// The terminal went away.
    case hangup
}
