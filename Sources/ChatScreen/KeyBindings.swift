// SPDX-License-Identifier: GPL-3.0-or-later
import TerminalKit

/// What a key does on the chat screen, apart from editing the line.
enum ChatAction: Equatable, Sendable {
    case submit, cancel, escape, help, switcher
    case complete(Int)
    case history(Int)
    case conversation(Int)
    case neighbour(Int)
    case nextUnread, goBack, requests, why, search, select
    case page(Int)
    case halfPage(Int)
    case bottom, firstUnread
    case bareView, panel, mouse, redraw, suspend
}

/// Keys that do the same or belong together: one line of the help.
struct KeyBinding: Sendable {
    let shown: String
    let help: String
    let keys: [(key: Key, action: ChatAction)]

    /// Every binding, in the order of the help. The editor's own keys follow in `editing`.
    static let all: [KeyBinding] = [
        KeyBinding(shown: "Enter", help: "send", keys: [(Key(.enter), .submit)]),
        KeyBinding(
            shown: "Tab, Shift+Tab", help: "complete a command or a name",
            keys: [(Key(.tab), .complete(1)), (Key(.tab, .shift), .complete(-1))]),
        KeyBinding(
            shown: "↑ ↓", help: "lines written before to this peer",
            keys: [(Key(.up), .history(-1)), (Key(.down), .history(1))]),
        KeyBinding(
            shown: "Ctrl+K, Alt+K", help: "go to a peer by a few letters (Ctrl+K at the end of the line)",
            keys: [(.alt("k"), .switcher)]),
        KeyBinding(
            shown: "Ctrl+N, Ctrl+P", help: "next, previous conversation; also Alt+↓ and Alt+↑",
            keys: [
                (.control("n"), .neighbour(1)), (.control("p"), .neighbour(-1)),
                (Key(.down, .alt), .neighbour(1)), (Key(.up, .alt), .neighbour(-1)),
                (Key(.down, .control), .neighbour(1)), (Key(.up, .control), .neighbour(-1)),
            ]),
        KeyBinding(
            shown: "Alt+1 to Alt+9, Alt+0", help: "conversation by its number",
            keys: (0...9).map { (.alt(Character(String($0))), .conversation($0 == 0 ? 9 : $0 - 1)) }),
        KeyBinding(
            shown: "Alt+A", help: "next unread: naming you, then the oldest, then back",
            keys: [(.alt("a"), .nextUnread)]),
        KeyBinding(shown: "Alt+/", help: "back to where you were", keys: [(.alt("/"), .goBack)]),
        KeyBinding(shown: "Alt+R", help: "requests of strangers", keys: [(.alt("r"), .requests)]),
        KeyBinding(
            shown: "Alt+W", help: "how this peer is reached, what was tried and why", keys: [(.alt("w"), .why)]),
        KeyBinding(
            shown: "Ctrl+R", help: "search here; again: everywhere", keys: [(.control("r"), .search)]),
        KeyBinding(
            shown: "Alt+S", help: "pick out a message: copy, quote, retry, delete, info", keys: [(.alt("s"), .select)]),
        KeyBinding(
            shown: "PgUp, PgDn", help: "scroll by a page",
            keys: [(Key(.pageUp), .page(-1)), (Key(.pageDown), .page(1))]),
        KeyBinding(
            shown: "Alt+PgUp, Alt+PgDn", help: "scroll by half a page",
            keys: [(Key(.pageUp, .alt), .halfPage(-1)), (Key(.pageDown, .alt), .halfPage(1))]),
        KeyBinding(
            shown: "End, Alt+End", help: "newest message (End on an empty line)", keys: [(Key(.end, .alt), .bottom)]),
        KeyBinding(shown: "Alt+U", help: "first unread message", keys: [(.alt("u"), .firstUnread)]),
        KeyBinding(
            shown: "Esc", help: "close what is open, then to the bottom; never quits",
            keys: [
                (Key(.escape), .escape), (.control("g"), .escape),
            ]),
        KeyBinding(
            shown: "Ctrl+C", help: "clear the line (↑ brings it back); twice on an empty line: quit",
            keys: [(.control("c"), .cancel)]),
        KeyBinding(
            shown: "Alt+L, Alt+P", help: "bare view for copying, peer list on and off",
            keys: [(.alt("l"), .bareView), (.alt("p"), .panel), (Key(.function(9)), .panel)]),
        KeyBinding(shown: "Alt+M", help: "mouse wheel on and off", keys: [(.alt("m"), .mouse)]),
        KeyBinding(
            shown: "Ctrl+L, Ctrl+Z", help: "draw anew, suspend",
            keys: [(.control("l"), .redraw), (.control("z"), .suspend)]),
        KeyBinding(shown: "F1, Alt+H", help: "this help", keys: [(Key(.function(1)), .help), (.alt("h"), .help)]),
    ]

    /// The editor's keys, for the help.
    static let editing: [(shown: String, help: String)] = [
        ("Alt+Enter, Ctrl+J", "new line"),
        ("Ctrl+A, Ctrl+E", "start, end of the line; also Home and End"),
        ("Ctrl+B, Ctrl+F", "left, right by a character"),
        ("Alt+B, Alt+F", "left, right by a word; also Ctrl+Left and Ctrl+Right"),
        ("Ctrl+D, Ctrl+H", "delete right, left"),
        ("Ctrl+W, Alt+Backspace", "cut to blanks, cut a word to the left"),
        ("Alt+D", "cut a word to the right"),
        ("Ctrl+U, Ctrl+K", "cut to the start, to the end of the line"),
        ("Ctrl+Y, Alt+Y", "put back what was cut, what was cut before"),
        ("Ctrl+T, Ctrl+_", "swap two characters, undo"),
    ]

    /// The keys of a message that is picked out, for the help.
    static let selecting: [(shown: String, help: String)] = [
        ("↑ ↓, PgUp PgDn", "another message"),
        ("y, q, i", "copy it, quote it, all that is known of it"),
        ("r, c", "send it again now, take it back while it waits"),
        ("x, then x", "delete it here, for good"),
        ("Esc", "back to writing"),
    ]

    /// What a key does.
    static let actions: [Key: ChatAction] = Dictionary(
        all.flatMap(\.keys).map { ($0.key, $0.action) }, uniquingKeysWith: { first, _ in first })
}
