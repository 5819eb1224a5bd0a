// SPDX-License-Identifier: GPL-3.0-or-later

/// Columns and rows of a terminal.
public struct Size: Hashable, Sendable {
    public var columns: Int
    public var rows: Int

    /// Negative counts become zero.
    public init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }
}

/// A cell's place; the top left is 0, 0.
public struct Point: Hashable, Sendable {
    public var column: Int
    public var row: Int

    public init(column: Int, row: Int) {
        self.column = column
        self.row = row
    }
}

/// A rectangle of cells, possibly empty.
public struct Rect: Hashable, Sendable {
    public var column: Int
    public var row: Int
    public var columns: Int
    public var rows: Int

    public init(column: Int, row: Int, columns: Int, rows: Int) {
        self.column = column
        self.row = row
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }

    /// A whole screen.
    public init(_ size: Size) { self.init(column: 0, row: 0, columns: size.columns, rows: size.rows) }

    /// The first row below it.
    public var endRow: Int { row + rows }
    /// The first column right of it.
    public var endColumn: Int { column + columns }
}
