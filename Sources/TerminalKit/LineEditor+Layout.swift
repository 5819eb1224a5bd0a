// SPDX-License-Identifier: GPL-3.0-or-later
public import SafeText

/// The rows in which an editor's text appears, and where its cursor stands among them.
public struct EditorLayout: Equatable, Sendable {
    /// The visible rows, at least one.
    public var rows: [DisplayText]
    /// Relative to the first visible row; its column may equal the width only when the width is zero.
    public var cursor: Point
    /// All rows of the text, visible or not.
    public var totalRows: Int
}

extension LineEditor {
    /// Breaks the text into rows of at most `columns`, anywhere between clusters, and shows the `limit` rows around the
    /// cursor.
    ///
    /// - Complexity: O(n) in clusters, with text made only for what is visible.
    public func layout(columns: Int, limit: Int) -> EditorLayout {
        let columns = max(1, columns)
        var starts = [0]
        var column = 0
        var place = Point(column: 0, row: 0)
        for (index, character) in characters.enumerated() {
            let width = columnsShown(character)
            if character != "\n", column + width > columns, column > 0 {
                starts.append(index)
                column = 0
            }
            if index == cursor { place = Point(column: column, row: starts.count - 1) }
            if character == "\n" {
                starts.append(index + 1)
                column = 0
            } else {
                column += width
            }
        }
        if isAtEnd {
            if column >= columns {
                starts.append(characters.count)
                column = 0
            }
            place = Point(column: column, row: starts.count - 1)
        }
        let limit = max(1, limit)
        let first = max(0, min(place.row - limit + 1 + (place.row < starts.count - 1 ? 1 : 0), place.row))
        let visible = first..<min(starts.count, first + limit)
        let rows = visible.map { row in
            let end = row + 1 < starts.count ? starts[row + 1] : characters.count
            return shown(characters[starts[row]..<end])
        }
        return EditorLayout(
            rows: rows, cursor: Point(column: min(place.column, columns - 1), row: place.row - first),
            totalRows: starts.count)
    }

    private func shown(_ row: ArraySlice<Character>) -> DisplayText {
        var text = ""
        for character in row where character != "\n" {
            if character == "\t" { text += tabShown } else { text.append(character) }
        }
        return DisplayText(text)
    }

    private func columnsShown(_ character: Character) -> Int {
        if character == "\t" { return tabShown.count }
        if let ascii = character.asciiValue, ascii >= 0x20, ascii < 0x7F { return 1 }
        return character == "\n" ? 0 : DisplayText(String(character)).columns
    }
}

private let tabShown = "    "
