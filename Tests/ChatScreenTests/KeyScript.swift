// SPDX-License-Identifier: GPL-3.0-or-later
import TerminalKit

/// Keys written as text: `hello<enter>`, `<c-k>`, `<a-pgup>`, `<s-tab>`, `<f1>`; `<lt>` is the sign itself.
func keys(_ script: String) -> [Key] {
    var keys: [Key] = []
    var rest = script[...]
    while let first = rest.first {
        if first == "<", let end = rest.firstIndex(of: ">") {
            keys.append(named(rest[rest.index(after: rest.startIndex)..<end]))
            rest = rest[rest.index(after: end)...]
        } else {
            keys.append(.char(first))
            rest = rest.dropFirst()
        }
    }
    return keys
}

private func named(_ name: Substring) -> Key {
    var name = name
    var modifiers: Key.Modifiers = []
    let prefixes: [(String, Key.Modifiers)] = [("c-", .control), ("a-", .alt), ("s-", .shift)]
    while let (prefix, modifier) = prefixes.first(where: { name.hasPrefix($0.0) && name.count > 2 }) {
        modifiers.insert(modifier)
        name = name.dropFirst(prefix.count)
    }
    return Key(codes[String(name)] ?? .character(name.first ?? " "), modifiers)
}

private let codes: [String: Key.Code] = [
    "enter": .enter, "tab": .tab, "bs": .backspace, "del": .delete, "esc": .escape, "up": .up, "down": .down,
    "left": .left, "right": .right, "home": .home, "end": .end, "pgup": .pageUp, "pgdn": .pageDown,
    "lt": .character("<"),
    "f1": .function(1), "f9": .function(9), "space": .character(" "),
]
