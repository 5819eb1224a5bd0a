// SPDX-License-Identifier: GPL-3.0-or-later

/// A text being written: one or more lines, a cursor between grapheme clusters, undo. A pure value; what it holds is
/// the text as typed or pasted, unsanitised.
public struct LineEditor: Equatable, Sendable {
    /// The most that it holds, in bytes of UTF-8; what goes beyond is left out.
    public static let byteLimit = 64 * 1024

    /// The text by grapheme clusters; every line break is `\n`.
    public private(set) var characters: [Character] = []
    /// Between 0 and the number of clusters.
    public private(set) var cursor = 0
    private var byteCount = 0
    private var undoStack = UndoStack()
    private var previous = Step.other

    /// What the last change was: runs of typing undo together, runs of kills yank together.
    private enum Step: Equatable {
        case typing, kill, other
        case yank(start: Int)
    }

    public init() {}

    /// Starts with a text, the cursor behind it.
    public init(_ text: String) { insert(text) }

    /// The whole text.
    public var text: String { String(characters) }
    public var isEmpty: Bool { characters.isEmpty }
    /// Whether there is no room for another character.
    public var isFull: Bool { byteCount >= Self.byteLimit }
    /// Whether nothing of the text stands right of the cursor.
    public var isAtEnd: Bool { cursor == characters.count }
    /// The number of lines, at least one.
    public var lineCount: Int { 1 + characters.count { $0 == "\n" } }

    // MARK: Changes

    /// Inserts at the cursor. Line breaks of any kind become `\n`.
    /// - Returns: whether all of it found room.
    @discardableResult
    public mutating func insert(_ text: String) -> Bool {
        let typing = text.count == 1
        if !(typing && previous == .typing) { save() }
        previous = typing ? .typing : .other
        return splice(text)
    }

    /// Replaces the whole text, the cursor behind it; undo brings the old one back.
    public mutating func replace(with text: String) {
        save()
        previous = .other
        remove(0..<characters.count)
        splice(text)
    }

    /// Empties the editor and forgets its undo.
    /// - Returns: the text it held.
    public mutating func take() -> String {
        defer { self = LineEditor() }
        return text
    }

    /// Does what a key stands for, or inserts its character.
    /// - Returns: whether the key meant something here.
    public mutating func handle(_ key: Key, ring: inout KillRing) -> Bool {
        if case .character(let character) = key.code, key.modifiers.subtracting(.shift).isEmpty {
            insert(String(character))
            return true
        }
        guard let command = EditCommand(key) else { return false }
        apply(command, ring: &ring)
        return true
    }

    /// Carries a command out; one that has nothing to do does nothing.
    public mutating func apply(_ command: EditCommand, ring: inout KillRing) {
        switch command {
        case .left: move(to: cursor - 1)
        case .right: move(to: cursor + 1)
        case .wordLeft: move(to: wordStart(where: isWord))
        case .wordRight: move(to: wordEnd())
        case .lineStart: move(to: lineStart)
        case .lineEnd: move(to: lineEnd)
        case .deleteBack: delete((cursor - 1)..<cursor)
        case .deleteForward: delete(cursor..<(cursor + 1))
        case .killBlankBack: kill(wordStart { !$0.isWhitespace }..<cursor, forward: false, into: &ring)
        case .killWordBack: kill(wordStart(where: isWord)..<cursor, forward: false, into: &ring)
        case .killWordForward: kill(cursor..<wordEnd(), forward: true, into: &ring)
        case .killToStart: kill(lineStart..<cursor, forward: false, into: &ring)
        case .killToEnd: kill(cursor..<max(lineEnd, min(cursor + 1, lineEnd + 1)), forward: true, into: &ring)
        case .yank: yank(ring)
        case .yankPrevious: yankPrevious(&ring)
        case .transpose: transpose()
        case .undo: undo()
        case .newline: insert("\n")
        }
    }

    /// Moves to the line above or below, keeping the column; `false` when there is none.
    public mutating func moveLine(by step: Int) -> Bool {
        let column = cursor - lineStart
        let start: Int
        if step < 0 {
            guard lineStart > 0 else { return false }
            start = characters[..<(lineStart - 1)].lastIndex(of: "\n").map { $0 + 1 } ?? 0
        } else {
            guard lineEnd < characters.count else { return false }
            start = lineEnd + 1
        }
        let end = characters[start...].firstIndex(of: "\n") ?? characters.count
        move(to: min(start + column, end))
        return true
    }

    // MARK: Places

    private var lineStart: Int { characters[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0 }
    private var lineEnd: Int { characters[cursor...].firstIndex(of: "\n") ?? characters.count }

    private func wordStart(where belongs: (Character) -> Bool) -> Int {
        let head = characters[..<cursor]
        guard let last = head.lastIndex(where: belongs) else { return 0 }
        return head[..<last].lastIndex { !belongs($0) }.map { $0 + 1 } ?? 0
    }

    private func wordEnd() -> Int {
        guard let first = characters[cursor...].firstIndex(where: isWord) else { return characters.count }
        return characters[first...].firstIndex { !isWord($0) } ?? characters.count
    }

    private mutating func move(to place: Int) {
        cursor = max(0, min(characters.count, place))
        previous = .other
    }

    // MARK: Pieces of commands

    private mutating func delete(_ range: Range<Int>) {
        let range = range.clamped(to: 0..<characters.count)
        guard !range.isEmpty else { return }
        save()
        previous = .other
        remove(range)
    }

    private mutating func kill(_ range: Range<Int>, forward: Bool, into ring: inout KillRing) {
        let range = range.clamped(to: 0..<characters.count)
        guard !range.isEmpty else { return }
        let text = String(characters[range])
        if previous == .kill { ring.extend(text, forward: forward) } else { ring.push(text) }
        save()
        previous = .kill
        remove(range)
    }

    private mutating func yank(_ ring: KillRing) {
        guard let text = ring.top else { return }
        save()
        let start = cursor
        splice(text)
        previous = .yank(start: start)
    }

    private mutating func yankPrevious(_ ring: inout KillRing) {
        guard case .yank(let start) = previous, start <= cursor else { return }
        ring.rotate()
        remove(start..<cursor)
        splice(ring.top ?? "")
        previous = .yank(start: start)
    }

    private mutating func transpose() {
        let right = isAtEnd ? cursor - 1 : cursor
        guard right > 0 else { return }
        save()
        previous = .other
        characters.swapAt(right - 1, right)
        cursor = right + 1
    }

    private mutating func save() { undoStack.push(text, cursor: cursor) }

    private mutating func undo() {
        guard let state = undoStack.pop() else { return }
        characters = Array(state.text)
        byteCount = state.text.utf8.count
        cursor = min(state.cursor, characters.count)
        previous = .other
    }

    private mutating func remove(_ range: Range<Int>) {
        byteCount -= characters[range].reduce(0) { $0 + $1.utf8.count }
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    /// Puts text in at the cursor and joins clusters anew at its edges: an accent typed after a letter belongs to it.
    @discardableResult
    private mutating func splice(_ text: String) -> Bool {
        var room = Self.byteLimit - byteCount
        var whole = true
        var middle = ""
        for character in text {
            let character = character == "\r\n" || character == "\r" ? "\n" : character
            room -= character.utf8.count
            guard room >= 0 else {
                whole = false
                break
            }
            middle.append(character)
        }
        let start = max(0, cursor - 1)
        let end = min(characters.count, cursor + 1)
        let head = String(characters[start..<cursor]) + middle
        let joined = Array(head + String(characters[cursor..<end]))
        characters.replaceSubrange(start..<end, with: joined)
        byteCount += middle.utf8.count
        cursor = min(start + head.count, characters.count)
        return whole
    }
}

private func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }

/// Earlier texts, bounded by their bytes: the oldest are forgotten.
private struct UndoStack: Equatable, Sendable {
    private static let byteLimit = 256 * 1024
    private static let countLimit = 200
    private var states: [(text: String, cursor: Int)] = []
    private var byteCount = 0

    mutating func push(_ text: String, cursor: Int) {
        states.append((text, cursor))
        byteCount += text.utf8.count
        while byteCount > Self.byteLimit || states.count > Self.countLimit, let oldest = states.first {
            byteCount -= oldest.text.utf8.count
            states.removeFirst()
        }
    }

    mutating func pop() -> (text: String, cursor: Int)? {
        guard let state = states.popLast() else { return nil }
        byteCount -= state.text.utf8.count
        return state
    }

    static func == (left: UndoStack, right: UndoStack) -> Bool {
        left.states.elementsEqual(right.states) { $0.text == $1.text && $0.cursor == $1.cursor }
    }
}
