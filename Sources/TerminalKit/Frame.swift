// SPDX-License-Identifier: GPL-3.0-or-later
public import SafeText

/// What one cell of the grid shows.
public struct Cell: Hashable, Sendable {
    /// One grapheme cluster; for the right half of a wide one, a space.
    public var cluster: Character
    /// 1 or 2 columns; 0 for the right half of a wide cluster.
    public var width: UInt8
    public var style: Style

    public init(_ cluster: Character = " ", width: UInt8 = 1, style: Style = .plain) {
        self.cluster = cluster
        self.width = width
        self.style = style
    }
}

/// A whole screen as a value: a grid of cells, the cursor, nothing else. Screens make frames; the terminal draws them;
/// tests read them.
///
/// Drawing outside the grid is clipped. A wide cluster never loses one half: what would cut it blanks it.
public struct Frame: Equatable, Sendable {
    public let size: Size
    /// Row by row.
    public private(set) var cells: [Cell]
    /// Where the terminal's cursor stands; `nil` hides it.
    public var cursor: Point?

    /// An empty frame.
    public init(size: Size) {
        self.size = size
        cells = Array(repeating: Cell(), count: size.columns * size.rows)
    }

    /// The cell at a place; a blank outside the grid.
    public subscript(column: Int, row: Int) -> Cell {
        guard let index = index(column, row) else { return Cell() }
        return cells[index]
    }

    /// Writes text from a place to the right, at most up to `limit` columns and the right edge.
    /// - Returns: the column after the last one written.
    @discardableResult
    public mutating func put(
        _ text: DisplayText, column: Int, row: Int, style: Style = .plain, limit: Int = .max
    ) -> Int {
        guard row >= 0, row < size.rows, limit > 0 else { return column }
        let end = min(size.columns, limit < size.columns ? column + limit : size.columns)
        var position = column
        for cluster in text.clusters {
            guard position + cluster.columns <= end else { break }
            if position >= 0 {
                set(cluster.character, width: cluster.columns, column: position, row: row, style: style)
            }
            position += cluster.columns
        }
        return position
    }

    /// Fills a rectangle with a one-column cluster.
    public mutating func fill(_ rect: Rect, with cluster: Character = " ", style: Style = .plain) {
        for row in max(0, rect.row)..<max(0, min(size.rows, rect.endRow), rect.row) {
            for column in max(0, rect.column)..<max(0, min(size.columns, rect.endColumn), rect.column) {
                set(cluster, width: 1, column: column, row: row, style: style)
            }
        }
    }

    /// Changes the style of what a rectangle shows.
    public mutating func restyle(_ rect: Rect, _ change: (Style) -> Style) {
        for row in max(0, rect.row)..<max(0, min(size.rows, rect.endRow), rect.row) {
            for column in max(0, rect.column)..<max(0, min(size.columns, rect.endColumn), rect.column) {
                if let index = index(column, row) { cells[index].style = change(cells[index].style) }
            }
        }
    }

    private mutating func set(_ cluster: Character, width: Int, column: Int, row: Int, style: Style) {
        guard let index = index(column, row), column + width <= size.columns else { return }
        unhalve(index, column: column)
        cells[index] = Cell(cluster, width: UInt8(clamping: width), style: style)
        if width == 2 {
            unhalve(index + 1, column: column + 1)
            cells[index + 1] = Cell(" ", width: 0, style: style)
        }
    }

    /// Blanks the other half of a wide cluster that is about to lose one.
    private mutating func unhalve(_ index: Int, column: Int) {
        if cells[index].width == 0, column > 0 { cells[index - 1] = Cell(" ", style: cells[index - 1].style) }
        if cells[index].width == 2, column + 1 < size.columns {
            cells[index + 1] = Cell(" ", style: cells[index + 1].style)
        }
    }

    private func index(_ column: Int, _ row: Int) -> Int? {
        guard column >= 0, column < size.columns, row >= 0, row < size.rows else { return nil }
        return row * size.columns + column
    }

    /// The grid as text, a string a row, blanks at the right end left out.
    public var lines: [String] {
        (0..<size.rows).map { row in
            var line = ""
            for column in 0..<size.columns where self[column, row].width > 0 { line.append(self[column, row].cluster) }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// The styles as text, a letter a cell: `.` plain, `b` bold, `d` dim, `u` underline, `R` reverse; a coloured cell
    /// shows the first letter of its colour (black `k`), upper case when bold or reverse.
    public var styleLines: [String] {
        (0..<size.rows).map { row in
            String((0..<size.columns).map { self[$0, row].style.letter })
        }
    }
}

extension Style {
    var letter: Character {
        let strong = attributes.contains(.bold) || attributes.contains(.reverse)
        if foreground != .standard || background != .standard {
            let names: [Character] = [".", "k", "r", "g", "y", "l", "m", "c", "w"]
            let name = names[Int((foreground == .standard ? background : foreground).rawValue)]
            return strong ? Character(name.uppercased()) : name
        }
        if attributes.contains(.reverse) { return "R" }
        if attributes.contains(.bold) { return "b" }
        if attributes.contains(.underline) { return "u" }
        return attributes.contains(.dim) ? "d" : "."
    }
}
