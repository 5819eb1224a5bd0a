// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
public import TerminalKit

/// The screen of a state at a size.
///
/// - Complexity: O(cells): the length of the history does not matter.
public func view(_ state: ChatState, size: Size) -> Frame {
    var view = ChatView(state, size: size)
    view.draw()
    return view.frame
}

/// Draws one frame, region by region.
struct ChatView {
    let state: ChatState
    let layout: Layout
    let glyphs: Glyphs
    var frame: Frame

    init(_ state: ChatState, size: Size) {
        self.state = state
        layout = Layout(state, size: size)
        glyphs = state.glyphs
        frame = Frame(size: size)
    }

    mutating func draw() {
        guard layout.kind != .tooSmall else { return drawTooSmall() }
        drawList()
        drawTitle()
        drawLog()
        drawBanner()
        if layout.kind == .narrow { drawTabs() } else { drawStatus() }
        drawFlash()
        drawInput()
        drawFooter()
        drawPopup()
        drawOverlay()
    }

    /// A text of ours, with the signs of the terminal at hand.
    func text(_ words: String) -> DisplayText { DisplayText(glyphs.spelled(words)) }

    func label(_ conversation: Conversation) -> DisplayText {
        DisplayText(conversation.contact.label, style: .stripped)
    }

    func cut(_ text: DisplayText, _ columns: Int) -> DisplayText { text.truncated(to: columns, ascii: glyphs.ascii) }

    private mutating func drawTooSmall() {
        let size = layout.size
        frame.put(text("\(size.columns)x\(size.rows) – enlarge; still receiving"), column: 0, row: 0)
    }

    // MARK: Log

    private mutating func drawLog() {
        let area = layout.log
        guard let conversation = state.conversation else { return drawWelcome() }
        let log = LogView(state, conversation, layout: layout)
        let scrolled = conversation.anchor != nil
        let height = area.rows - (scrolled ? 1 : 0)
        let rows = log.visible(height: height)
        let margin = layout.kind == .wide ? 1 : 0
        for (number, row) in rows.enumerated() {
            frame.put(
                row, column: area.column + margin, row: area.row + height - rows.count + number,
                limit: area.columns - margin)
        }
        if rows.isEmpty { drawNothingYet(conversation) }
        if scrolled { drawNewerBar(log.newer, conversation) }
    }

    private mutating func drawNothingYet(_ conversation: Conversation) {
        let area = layout.log
        let words = text(
            conversation.pending == nil ? "nothing written yet: type, Enter sends" : "reading the history")
        guard area.rows > 0, words.columns + 1 < area.columns else { return }
        frame.put(words, column: area.column + 1, row: area.endRow - 1, style: .dim)
    }

    private mutating func drawNewerBar(_ newer: Int, _ conversation: Conversation) {
        let area = layout.log
        var words =
            glyphs(.newer) + (newer > 0 ? " \(newer)\(conversation.reachesEnd ? "" : "+") newer" : " more below")
        if conversation.mentions > 0, conversation.unread > 0 { words += ", \(conversation.mentions) names you" }
        let bar = text(" \(glyphs.joined([words, area.columns >= 60 ? "End to go down" : "End"])) ")
        let column = layout.kind == .wide ? max(area.column, area.endColumn - bar.columns - 1) : area.column
        frame.put(bar, column: column, row: area.endRow - 1, style: .reverse, limit: area.endColumn - column)
    }

    // MARK: Banner

    private mutating func drawBanner() {
        guard let area = layout.banner else { return }
        let (words, colour) = alarmWords.map { ($0, Color.red) } ?? (requestWords(area.columns), .yellow)
        let banner = text(" " + words).fitted(to: area.columns, ascii: glyphs.ascii)
        frame.put(banner, column: area.column, row: area.row, style: Style(colour, on: .standard, [.bold, .reverse]))
    }

    private var alarmWords: String? {
        guard let conversation = state.conversation, let alarm = conversation.contact.alarm else { return nil }
        return
            "\(glyphs(.problem)) \(label(conversation)): \(alarm) – nothing is sent · /verify, or /remove and /add again"
    }

    private func requestWords(_ columns: Int) -> String {
        guard let request = state.request else { return "" }
        var parts = ["\(glyphs(.request)) \(label(request)) wants to talk"]
        if request.peer == state.current {
            if columns >= 80 { parts.append("an answer accepts") }
            parts += ["/accept", "/ignore", "/block"]
        } else {
            parts.append("Alt+R")
        }
        parts += [state.nickname(request), state.names.warning(about: request.contact)].compactMap(\.self)
        let others = state.requests.count - 1
        if others > 0 { parts.append("\(others) more") }
        return glyphs.joined(parts)
    }

    // MARK: Input

    private mutating func drawInput() {
        let area = layout.input
        frame.put(layout.prompt, column: 0, row: area.row, style: .bold)
        let column = layout.prompt.columns
        for (number, row) in layout.editor.rows.enumerated() {
            frame.put(row, column: column, row: area.row + number)
        }
        frame.cursor = Point(
            column: min(max(0, layout.size.columns - 1), column + layout.editor.cursor.column),
            row: area.row + layout.editor.cursor.row)
    }
}
