// SPDX-License-Identifier: GPL-3.0-or-later
public import SafeText

/// Columns of a list and how rows are drawn in them.
public struct Table: Sendable {
    public struct Column: Sendable {
        public var title: DisplayText
        /// Columns of the terminal; of the stretching column, the least.
        public var width: Int
        public var alignRight: Bool
        /// Whether it takes what the others leave.
        public var stretches: Bool

        public init(_ title: DisplayText, width: Int, alignRight: Bool = false, stretches: Bool = false) {
            self.title = title
            self.width = max(0, width)
            self.alignRight = alignRight
            self.stretches = stretches
        }
    }

    /// One row.
    public struct Row: Sendable {
        public var cells: [DisplayText]
        public var style: Style

        public init(_ cells: [DisplayText], style: Style = .plain) {
            self.cells = cells
            self.style = style
        }
    }

    public var columns: [Column]
    public var ascii: Bool

    public init(_ columns: [Column], ascii: Bool = false) {
        self.columns = columns
        self.ascii = ascii
    }

    /// Draws the titles and below them as many rows as fit; the selected one carries a mark and is reversed.
    public func draw(
        _ rows: some Sequence<Row>, selected: Int? = nil, titles: Bool = true, in rect: Rect, of frame: inout Frame
    ) {
        guard rect.rows > 0, rect.columns > 0 else { return }
        let widths = widths(in: rect.columns - 1)
        var line = rect.row
        if titles {
            draw(columns.map(\.title), widths, mark: " ", row: line, style: .bold, rect, &frame)
            line += 1
        }
        for (index, row) in rows.enumerated() {
            guard line < rect.endRow else { return }
            let isSelected = index == selected
            draw(
                row.cells, widths, mark: isSelected ? (ascii ? ">" : "›") : " ", row: line,
                style: isSelected ? row.style.adding(.reverse) : row.style, rect, &frame)
            line += 1
        }
    }

    private func draw(
        _ cells: [DisplayText], _ widths: [Int], mark: DisplayText, row: Int, style: Style, _ rect: Rect,
        _ frame: inout Frame
    ) {
        frame.fill(Rect(column: rect.column, row: row, columns: rect.columns, rows: 1), style: style)
        frame.put(mark, column: rect.column, row: row, style: style, limit: rect.columns)
        var column = rect.column + 1
        for ((cell, width), shape) in zip(zip(cells, widths), columns) {
            let text = cell.fitted(to: width, alignRight: shape.alignRight, ascii: ascii)
            frame.put(text, column: column, row: row, style: style, limit: max(0, rect.endColumn - column))
            column += width + 1
        }
    }

    /// Every column its width, a space between two; the rest to the one that stretches.
    private func widths(in total: Int) -> [Int] {
        let used = columns.reduce(0) { $0 + $1.width } + max(0, columns.count - 1)
        let spare = max(0, total - used)
        return columns.map { $0.stretches ? $0.width + spare : $0.width }
    }
}
