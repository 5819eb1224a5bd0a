// SPDX-License-Identifier: GPL-3.0-or-later
import CNcurses
import Glibc
import TerminalKit

/// What the key codes of the open terminal mean.
///
/// Three sources: curses' own codes; codes that it gives out at run time for modified keys in terminfo, which differ
/// per terminal type; and sequences that terminals send although their terminfo doesn't say so, defined here.
@ScreenActor struct KeyTable {
    static let pasteStart: Int32 = 1000
    static let pasteEnd: Int32 = 1001
    /// Below, curses gives out codes of its own.
    private static let firstOwnCode: Int32 = 1002

    private var keys: [Int32: Key]

    /// Reads and completes the definitions of the current terminal.
    init() {
        keys = Self.standard
        keyok(KEY_MOUSE, false)
        readModifiedKeys()
        define_key("\u{1B}[200~", Self.pasteStart)
        define_key("\u{1B}[201~", Self.pasteEnd)
        var code = Self.firstOwnCode
        for (sequence, key) in Self.sequences {
            let known = key_defined(sequence)
            // Negative: it is the start of a longer one.
            guard known >= 0, keys[known] == nil else { continue }
            define_key(sequence, code)
            keys[code] = key
            code += 1
        }
    }

    /// The key of a code; `nil` for a code that is none.
    subscript(code: Int32) -> Key? { keys[code] }

    private static let standard: [Int32: Key] = {
        var keys: [Int32: Key] = [
            KEY_UP: Key(.up), KEY_DOWN: Key(.down), KEY_LEFT: Key(.left), KEY_RIGHT: Key(.right),
            KEY_HOME: Key(.home), KEY_END: Key(.end), KEY_FIND: Key(.home), KEY_SELECT: Key(.end),
            KEY_A1: Key(.home), KEY_C1: Key(.end), KEY_A3: Key(.pageUp), KEY_C3: Key(.pageDown),
            KEY_PPAGE: Key(.pageUp), KEY_NPAGE: Key(.pageDown), KEY_DC: Key(.delete), KEY_IC: Key(.insert),
            KEY_BACKSPACE: Key(.backspace), KEY_ENTER: Key(.enter), KEY_BTAB: Key(.tab, .shift),
            KEY_SR: Key(.up, .shift), KEY_SF: Key(.down, .shift), KEY_SLEFT: Key(.left, .shift),
            KEY_SRIGHT: Key(.right, .shift), KEY_SHOME: Key(.home, .shift), KEY_SEND: Key(.end, .shift),
            KEY_SPREVIOUS: Key(.pageUp, .shift), KEY_SNEXT: Key(.pageDown, .shift),
            KEY_SDC: Key(.delete, .shift), KEY_SIC: Key(.insert, .shift),
        ]
        // Terminfo counts on where modifiers come in: F13 is Shift+F1 on what is sold today.
        let rows: [Key.Modifiers] = [[], .shift, .control, [.control, .shift], .alt]
        for (row, modifiers) in rows.enumerated() {
            for number in 1...12 { keys[KEY_F0 + Int32(row * 12 + number)] = Key(.function(number), modifiers) }
        }
        return keys
    }()

    /// xterm's parameter for modifiers, less one, is a bit set.
    private static func modifiers(parameter: Int) -> Key.Modifiers {
        var modifiers: Key.Modifiers = []
        if (parameter - 1) & 1 != 0 { modifiers.insert(.shift) }
        if (parameter - 1) & 2 != 0 { modifiers.insert(.alt) }
        if (parameter - 1) & 4 != 0 { modifiers.insert(.control) }
        return modifiers
    }

    private mutating func readModifiedKeys() {
        let names: [(String, Key.Code)] = [
            ("kUP", .up), ("kDN", .down), ("kLFT", .left), ("kRIT", .right), ("kHOM", .home), ("kEND", .end),
            ("kPRV", .pageUp), ("kNXT", .pageDown), ("kDC", .delete), ("kIC", .insert),
        ]
        for (name, key) in names {
            for parameter in 2...8 {
                let capability = parameter == 2 ? name : "\(name)\(parameter)"
                guard let sequence = Terminfo.string(capability) else { continue }
                let code = key_defined(sequence)
                guard code > 0, keys[code] == nil else { continue }
                keys[code] = Key(key, Self.modifiers(parameter: parameter))
            }
        }
    }

    /// What xterm and its kin, rxvt and the Linux console send; both cursor key modes, because some never leave one.
    private static let sequences: [(String, Key)] = {
        var all: [(String, Key)] = [("\u{1B}[Z", Key(.tab, .shift)), ("\u{1B}OM", Key(.enter))]
        let letters: [(String, Key.Code)] = [
            ("A", .up), ("B", .down), ("C", .right), ("D", .left), ("H", .home), ("F", .end),
            ("P", .function(1)), ("Q", .function(2)), ("R", .function(3)), ("S", .function(4)),
        ]
        let numbers: [(Int, Key.Code)] = [
            (1, .home), (2, .insert), (3, .delete), (4, .end), (5, .pageUp), (6, .pageDown), (7, .home), (8, .end),
            (11, .function(1)), (12, .function(2)), (13, .function(3)), (14, .function(4)), (15, .function(5)),
            (17, .function(6)), (18, .function(7)), (19, .function(8)), (20, .function(9)), (21, .function(10)),
            (23, .function(11)), (24, .function(12)),
        ]
        for (index, (letter, key)) in letters.enumerated() {
            if index < 6 { all.append(("\u{1B}[\(letter)", Key(key))) }
            all.append(("\u{1B}O\(letter)", Key(key)))
            for parameter in 2...8 {
                all.append(("\u{1B}[1;\(parameter)\(letter)", Key(key, modifiers(parameter: parameter))))
            }
        }
        for (number, key) in numbers {
            all.append(("\u{1B}[\(number)~", Key(key)))
            for parameter in 2...8 {
                all.append(("\u{1B}[\(number);\(parameter)~", Key(key, modifiers(parameter: parameter))))
            }
        }
        return all
    }()
}

/// Strings of the current terminal's description.
@ScreenActor enum Terminfo {
    /// A capability; `nil` when the terminal lacks it.
    static func string(_ name: String) -> String? {
        // tigetstr answers (char *)-1 for what is no string capability.
        guard let text = tigetstr(name), Int(bitPattern: text) != -1 else { return nil }
        return String(cString: text)
    }

    /// A capability without padding, `$<5>`, which only tputs understands.
    static func unpadded(_ name: String) -> String {
        var text = string(name) ?? ""
        while let start = text.firstRange(of: "$<"), let end = text[start.upperBound...].firstIndex(of: ">") {
            text.removeSubrange(start.lowerBound...end)
        }
        return text
    }
}
