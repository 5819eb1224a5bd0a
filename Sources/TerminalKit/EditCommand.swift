// SPDX-License-Identifier: GPL-3.0-or-later

/// What a key does to a line of text, by readline's customs.
public enum EditCommand: Hashable, Sendable {
    case left, right, wordLeft, wordRight, lineStart, lineEnd
    case deleteBack, deleteForward
    /// Back to white space, as Ctrl+W does.
    case killBlankBack
    /// Back to the start of a word of letters and digits.
    case killWordBack
    case killWordForward, killToStart, killToEnd
    case yank, yankPrevious
    case transpose, undo, newline

    /// The command of a key; `nil` for one that means nothing to an editor.
    public init?(_ key: Key) {
        guard let command = EditCommand.bindings[key] else { return nil }
        self = command
    }

    private static let bindings: [Key: EditCommand] = [
        Key(.left): .left, .control("b"): .left,
        Key(.right): .right, .control("f"): .right,
        Key(.left, .control): .wordLeft, Key(.left, .alt): .wordLeft, .alt("b"): .wordLeft,
        Key(.right, .control): .wordRight, Key(.right, .alt): .wordRight, .alt("f"): .wordRight,
        Key(.home): .lineStart, .control("a"): .lineStart,
        Key(.end): .lineEnd, .control("e"): .lineEnd,
        Key(.backspace): .deleteBack, .control("h"): .deleteBack,
        Key(.delete): .deleteForward, .control("d"): .deleteForward,
        .control("w"): .killBlankBack,
        Key(.backspace, .alt): .killWordBack,
        .alt("d"): .killWordForward, Key(.delete, .alt): .killWordForward,
        .control("u"): .killToStart,
        .control("k"): .killToEnd,
        .control("y"): .yank,
        .alt("y"): .yankPrevious,
        .control("t"): .transpose,
        .control("_"): .undo,
        .control("j"): .newline, Key(.enter, .alt): .newline,
    ]
}
