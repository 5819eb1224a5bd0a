// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// Where everything stands at a size: the one place that knows the breakpoints.
struct Layout: Equatable {
    enum Kind: Equatable {
        /// One line that says so.
        case tooSmall
        /// The log and the input, nothing else.
        case bare
        /// A tab strip in the place of the list and the status line.
        case narrow
        case wide
    }

    static let smallest = Size(columns: 20, rows: 3)

    let kind: Kind
    let size: Size
    /// The peer list, without the line at its right.
    private(set) var list: Rect?
    private(set) var title: Rect?
    private(set) var log: Rect
    /// One row about a stranger's request or a key in doubt.
    private(set) var banner: Rect?
    /// The status line; when narrow, the tab strip.
    private(set) var status: Rect?
    private(set) var input: Rect
    private(set) var footer: Rect?
    /// What stands before the text being written.
    let prompt: DisplayText
    let editor: EditorLayout

    init(_ state: ChatState, size: Size) {
        self.size = size
        let columns = size.columns
        if columns < Self.smallest.columns || size.rows < Self.smallest.rows {
            kind = .tooSmall
        } else if state.bareView || size.rows < 6 {
            kind = .bare
        } else {
            kind = columns < 72 ? .narrow : .wide
        }
        prompt = Self.prompt(state, wide: kind == .wide)
        editor = state.draft.editor.layout(columns: columns - prompt.columns - 1, limit: max(1, min(6, size.rows / 3)))

        var top = 0
        var bottom = size.rows
        func takeBottom(_ rows: Int) -> Rect {
            bottom -= rows
            return Rect(column: 0, row: bottom, columns: columns, rows: rows)
        }
        let framed = kind == .narrow || kind == .wide
        if framed, size.rows >= 16 { footer = takeBottom(1) }
        input = takeBottom(kind == .tooSmall ? 0 : editor.rows.count)
        if framed { status = takeBottom(1) }
        var left = 0
        if kind == .wide, state.panelShown {
            left = columns >= 100 ? 24 : 15
            list = Rect(column: 0, row: 0, columns: left, rows: bottom)
            left += 1
        }
        if framed {
            title = Rect(column: left, row: 0, columns: columns - left, rows: 1)
            top = 1
            if state.request != nil || state.conversation?.contact.alarm != nil {
                bottom -= 1
                banner = Rect(column: left, row: bottom, columns: columns - left, rows: 1)
            }
        }
        log = Rect(column: left, row: top, columns: columns - left, rows: bottom - top)
    }

    private static func prompt(_ state: ChatState, wide: Bool) -> DisplayText {
        let mark = DisplayText(state.glyphs(.prompt) + " ")
        guard wide else { return mark }
        guard let label = state.conversation?.contact.label else { return " " + mark }
        return " " + DisplayText(label, style: .stripped).truncated(to: 20, ascii: state.options.ascii) + " " + mark
    }
}
