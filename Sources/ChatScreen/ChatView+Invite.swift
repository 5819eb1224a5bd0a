// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText
import TerminalKit

/// The invite for a camera.
extension ChatView {
    /// Draws a code over the whole screen, or says how large the terminal must be.
    mutating func drawCode(_ code: QRMatrix) {
        // Two modules a cell, one above the other; without half blocks, two cells a module.
        let columns = glyphs.ascii ? code.size * 2 : code.size
        let rows = glyphs.ascii ? code.size : (code.size + 1) / 2
        frame.cursor = nil
        guard columns <= layout.size.columns, rows <= layout.size.rows else {
            return drawTooSmall(needs: Size(columns: columns, rows: rows))
        }
        frame.fill(Rect(layout.size))
        let left = (layout.size.columns - columns) / 2
        let top = (layout.size.rows - rows) / 2
        for row in 0..<rows {
            for column in 0..<columns { put(code, column, row, left + column, top + row) }
        }
        let hint = text(" y copies · v text · any other key closes ")
        guard top + rows < layout.size.rows else { return }
        frame.put(
            hint, column: max(0, (layout.size.columns - hint.columns) / 2), row: layout.size.rows - 1, style: .dim)
    }

    /// Both colours are said, because a camera wants dark on light whatever the terminal's own are. Light is what the
    /// glyphs draw: without colours, the code is still right on a dark terminal.
    private mutating func put(_ code: QRMatrix, _ column: Int, _ row: Int, _ x: Int, _ y: Int) {
        let glyph: DisplayText
        if glyphs.ascii {
            glyph = code.isDark(column / 2, row) ? " " : "#"
        } else {
            switch (code.isDark(column, row * 2), code.isDark(column, row * 2 + 1)) {
            case (true, true): glyph = " "
            case (true, false): glyph = "▄"
            case (false, true): glyph = "▀"
            case (false, false): glyph = "█"
            }
        }
        let isLight = glyphs.ascii && glyph == "#"
        frame.put(glyph, column: x, row: y, style: Style(.white, on: isLight ? .white : .black))
    }

    private mutating func drawTooSmall(needs size: Size) {
        let words = text(
            "The QR code needs \(size.columns)x\(size.rows), this terminal is "
                + "\(layout.size.columns)x\(layout.size.rows): enlarge it or make its letters smaller. v shows the text."
        )
        let lines = words.wrapped(to: max(2, min(60, layout.size.columns - 4)))
        let widest = lines.map(\.columns).max() ?? 0
        let box = boxed("Your invite", columns: widest + 4, rows: lines.count + 2)
        for (number, line) in lines.prefix(max(0, box.rows - 2)).enumerated() {
            frame.put(line, column: box.column + 2, row: box.row + 1 + number, limit: max(0, box.columns - 4))
        }
    }
}
