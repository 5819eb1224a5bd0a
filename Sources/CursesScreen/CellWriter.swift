// SPDX-License-Identifier: GPL-3.0-or-later
import CNcurses
import SafeText
import TerminalKit

/// Turns rows of a frame into curses' cells, whole clusters at a time: `waddnwstr` would lose marks on wide characters.
@ScreenActor struct CellWriter {
    private var palette: Palette
    private let ascii: Bool
    private var row: [cchar_t] = []
    /// One base, its marks and the end.
    private var scalars = [wchar_t](repeating: 0, count: Int(CN_MOST_SCALARS) + 1)

    init(palette: Palette, ascii: Bool) {
        self.palette = palette
        self.ascii = ascii
    }

    /// Writes cells into a row of the window, from its first column.
    mutating func write(_ cells: ArraySlice<Cell>, row number: Int32, of window: UnsafeMutablePointer<WINDOW>) {
        row.removeAll(keepingCapacity: true)
        var style = Style.plain
        var (attributes, pair) = palette.resolve(style)
        for (column, cell) in cells.enumerated() where cell.width > 0 {
            if cell.style != style {
                style = cell.style
                (attributes, pair) = palette.resolve(style)
            }
            // The right half of a wide cluster may lie beyond a clipped row.
            let isCut = cell.width == 2 && column + 1 == cells.count
            append(isCut ? Cell() : cell, attributes, pair)
        }
        wmove(window, number, 0)
        wadd_wchnstr(window, row, Int32(row.count))
    }

    private mutating func append(_ cell: Cell, _ attributes: attr_t, _ pair: Int32) {
        var count = 0
        for scalar in cell.cluster.unicodeScalars {
            if ascii, !scalar.isASCII {
                for _ in 0..<cell.width { append(scalar: "?", attributes, pair) }
                return
            }
            // A flag is one cluster of two bases: each begins a cell of its own.
            if count > 0, (TextWidth.columns(of: scalar) ?? 0) > 0 {
                flush(&count, attributes, pair)
            }
            guard count < Int(CN_MOST_SCALARS) else { continue }
            scalars[count] = wchar_t(bitPattern: scalar.value)
            count += 1
        }
        flush(&count, attributes, pair)
    }

    private mutating func append(scalar: Unicode.Scalar, _ attributes: attr_t, _ pair: Int32) {
        scalars[0] = wchar_t(bitPattern: scalar.value)
        var count = 1
        flush(&count, attributes, pair)
    }

    private mutating func flush(_ count: inout Int, _ attributes: attr_t, _ pair: Int32) {
        scalars[count] = 0
        var cell = cchar_t()
        cn_set_cell(&cell, scalars, attributes, pair)
        row.append(cell)
        count = 0
    }
}
