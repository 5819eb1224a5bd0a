// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText
import Testing

@testable import TerminalKit

/// An editor written with `|` where the cursor stands.
private func editor(_ marked: String) -> LineEditor {
    let parts = marked.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
    var ring = KillRing()
    var editor = LineEditor(String(parts[0]) + String(parts.count > 1 ? parts[1] : ""))
    while editor.cursor > parts[0].count { editor.apply(.left, ring: &ring) }
    return editor
}

private func marked(_ editor: LineEditor) -> String {
    String(editor.characters[..<editor.cursor]) + "|" + String(editor.characters[editor.cursor...])
}

@Suite struct LineEditorTests {
    @Test(arguments: [
        ("one two|", EditCommand.left, "one tw|o"),
        ("|one", .left, "|one"),
        ("one|", .right, "one|"),
        ("one two|", .wordLeft, "one |two"),
        ("one, |two", .wordLeft, "|one, two"),
        ("|one two", .wordRight, "one| two"),
        ("one| two", .wordRight, "one two|"),
        ("a\nb c|d", .lineStart, "a\n|b cd"),
        ("a|b\nc", .lineEnd, "ab|\nc"),
        ("ab|c", .deleteBack, "a|c"),
        ("|abc", .deleteBack, "|abc"),
        ("ab|c", .deleteForward, "ab|"),
        ("abc|", .deleteForward, "abc|"),
        ("see a/b-c|", .killBlankBack, "see |"),
        ("see a/b-c|", .killWordBack, "see a/b-|"),
        ("see  |", .killBlankBack, "|"),
        ("|one two", .killWordForward, "| two"),
        ("a\nb c|d", .killToStart, "a\n|d"),
        ("a|b c\nd", .killToEnd, "a|\nd"),
        ("a|\nd", .killToEnd, "a|d"),
        ("ab|", .transpose, "ba|"),
        ("a|bc", .transpose, "ba|c"),
        ("a|", .transpose, "a|"),
        ("|ab", .transpose, "|ab"),
        ("a|b", .newline, "a\n|b"),
    ])
    func `each command changes text and cursor as readline does`(before: String, command: EditCommand, after: String) {
        var ring = KillRing()
        var editor = editor(before)
        editor.apply(command, ring: &ring)
        #expect(marked(editor) == after)
    }

    @Test(arguments: [
        ("👨‍👩‍👧‍👦|", ""), ("e\u{301}|", ""), ("日本|", "日"), ("🇩🇪x|", "🇩🇪"), ("か\u{3099}|", ""),
    ])
    func `one backspace takes one grapheme cluster`(before: String, after: String) {
        var ring = KillRing()
        var editor = editor(before)
        editor.apply(.deleteBack, ring: &ring)
        #expect(editor.text == after)
    }

    @Test func `an accent typed after its letter joins it`() {
        var editor = LineEditor()
        for scalar in "e\u{301}x".unicodeScalars { editor.insert(String(scalar)) }
        #expect(editor.characters == ["e\u{301}", "x"])
        #expect(editor.cursor == 2)
    }

    @Test func `kills in a row come back as one, and older ones after it`() {
        var ring = KillRing()
        var editor = editor("one two three|")
        editor.apply(.killBlankBack, ring: &ring)
        editor.apply(.killBlankBack, ring: &ring)
        editor.apply(.lineStart, ring: &ring)
        editor.apply(.killToEnd, ring: &ring)
        #expect(editor.text == "")
        editor.apply(.yank, ring: &ring)
        #expect(editor.text == "one ")
        editor.apply(.yankPrevious, ring: &ring)
        #expect(editor.text == "two three")
    }

    @Test func `undo takes back a run of typing, then what was before`() {
        var ring = KillRing()
        var editor = LineEditor("start ")
        for letter in "words" { _ = editor.handle(.char(letter), ring: &ring) }
        editor.apply(.killBlankBack, ring: &ring)
        editor.apply(.undo, ring: &ring)
        #expect(editor.text == "start words")
        editor.apply(.undo, ring: &ring)
        #expect(editor.text == "start ")
        editor.apply(.undo, ring: &ring)
        editor.apply(.undo, ring: &ring)
        #expect(editor.text == "")
    }

    @Test func `every line break of a paste becomes one kind`() {
        #expect(LineEditor("a\r\nb\rc\nd").text == "a\nb\nc\nd")
    }

    @Test func `what does not fit is left out, whole characters only`() {
        var editor = LineEditor(String(repeating: "x", count: LineEditor.byteLimit - 1))
        #expect(!editor.isFull)
        var fitted = [editor.insert("é"), editor.insert("y")]
        #expect(editor.isFull)
        #expect(editor.text.utf8.count == LineEditor.byteLimit)
        fitted.append(editor.insert("z"))
        #expect(fitted == [false, true, false])
    }

    @Test func `undo of huge texts stays bounded`() {
        var editor = LineEditor()
        for _ in 0..<50 { editor.replace(with: String(repeating: "x", count: 60_000)) }
        var ring = KillRing()
        for _ in 0..<50 { editor.apply(.undo, ring: &ring) }
        #expect(editor.text.utf8.count == 60_000)
    }

    @Test func `keys of no editor are left alone`() {
        var ring = KillRing()
        var editor = LineEditor("x")
        let meant = [Key(.function(5)), .alt("q"), .char("q")].map { editor.handle($0, ring: &ring) }
        #expect(meant == [false, false, true])
        #expect(editor.text == "xq")
    }

    @Test func `lines are walked with the column kept`() {
        var editor = editor("long line\nab\nanother|")
        var moved = [editor.moveLine(by: -1)]
        #expect(marked(editor) == "long line\nab|\nanother")
        moved.append(editor.moveLine(by: -1))
        #expect(marked(editor) == "lo|ng line\nab\nanother")
        moved.append(editor.moveLine(by: -1))
        #expect(moved == [true, true, false])
    }
}

@Suite struct EditorLayoutTests {
    @Test(arguments: [
        ("|", 10, ["": 0], 0, 0),
        ("hello|", 10, ["hello": 0], 5, 0),
        ("hello|", 5, ["hello": 0, "": 1], 0, 1),
        ("hel|lo world", 5, ["hello": 0, " worl": 1, "d": 2], 3, 0),
        ("日本|語", 4, ["日本": 0, "語": 1], 0, 1),
        ("日本語|", 5, ["日本": 0, "語": 1], 2, 1),
        ("a\n|b", 5, ["a": 0, "b": 1], 0, 1),
        ("a\n|", 5, ["a": 0, "": 1], 0, 1),
        ("\u{1B}|", 9, ["‹ESC›": 0], 5, 0),
        ("\t|x", 9, ["    x": 0], 4, 0),
    ])
    func `rows and cursor follow the columns of what is shown`(
        text: String, columns: Int, rows: [String: Int], column: Int, row: Int
    ) {
        let layout = editor(text).layout(columns: columns, limit: 10)
        #expect(layout.rows.map(\.string) == rows.sorted { $0.value < $1.value }.map(\.key))
        #expect(layout.cursor == Point(column: column, row: row))
    }

    @Test func `a tall text shows the rows around the cursor`() {
        var tall = editor("1\n2\n3\n4\n5\n6|")
        #expect(tall.layout(columns: 9, limit: 3).rows.map(\.string) == ["4", "5", "6"])
        _ = tall.moveLine(by: -1)
        _ = tall.moveLine(by: -1)
        let layout = tall.layout(columns: 9, limit: 3)
        #expect(layout.rows.map(\.string) == ["3", "4", "5"])
        #expect(layout.cursor == Point(column: 1, row: 1))
        #expect(layout.totalRows == 6)
    }
}
