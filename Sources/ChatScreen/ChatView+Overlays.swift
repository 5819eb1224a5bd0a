// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// What appears in front of the log.
extension ChatView {
    // MARK: Popup of commands

    mutating func drawPopup() {
        guard state.overlay == nil, !state.popupDismissed else { return }
        let candidates = state.completion?.candidates ?? state.candidates()
        guard !candidates.isEmpty else { return }
        // A banner is what the line is about, and the status line says what is wrong with it: both stay in sight.
        let status = state.flash == nil ? layout.input.row : layout.status?.row ?? layout.log.endRow - 1
        let bottom = layout.banner?.row ?? status
        let height = min(candidates.count, max(0, bottom - 1), 10)
        let selected = state.completion?.index ?? 0
        let first = max(0, min(selected - height / 2, candidates.count - height))
        let labels = min(24, candidates.map { DisplayText($0.label).columns }.max() ?? 0)
        let width = min(
            layout.size.columns, max(40, candidates.map { DisplayText($0.summary).columns }.max() ?? 0) + labels + 5)
        for row in 0..<height {
            let candidate = candidates[first + row]
            let chosen = state.completion != nil && first + row == selected
            var line = StyledText(" ", .reverse)
            line.append(cut(DisplayText(candidate.label), labels).fitted(to: labels + 2), .reverse)
            line.append(cut(text(candidate.summary), width - line.columns), .reverse)
            line.append(DisplayText(" ").repeated(width - line.columns), .reverse)
            let place = Rect(column: 0, row: bottom - height + row, columns: width, rows: 1)
            frame.fill(place, style: .reverse)
            frame.put(line, column: 0, row: place.row, limit: width)
            if chosen { frame.restyle(place) { _ in .bold } }
        }
    }

    // MARK: Boxes

    mutating func drawOverlay() {
        switch state.overlay {
        case nil: return
        case .switcher(let query, let selected): drawSwitcher(query, selected)
        case .help(let top): drawLines("Keys and commands", top: top)
        case .peers(let top): drawLines("Peers", top: top)
        case .identity: drawLines("You", top: 0)
        case .requests(let selected): drawRequests(selected)
        case .invite(let code?): drawCode(code)
        case .invite(nil): drawLines("Your invite", top: 0)
        case .verify(let peer): drawLines("Verify " + name(of: peer), top: 0)
        case .info: drawLines("Message", top: 0)
        case .why(let peer, let top): drawLines("The way to " + name(of: peer), top: top)
        case .settings: drawLines("What others may learn", top: 0)
        case .search(let box): drawSearch(box)
        }
    }

    func name(of peer: PeerID) -> DisplayText {
        state.index(of: peer).map { cut(label(state.conversations[$0]), 32) } ?? "a peer"
    }

    /// The list of requests, the chosen one in sight.
    private mutating func drawRequests(_ selected: Int) {
        let before = state.requestLines(selected: selected).firstIndex {
            $0.spans.first?.text.string == glyphs(.prompt) + " "
        }
        let height = state.overlayHeight(layout)
        drawLines("Requests", top: max(0, (before ?? 0) - height / 2))
    }

    mutating func drawLines(_ title: DisplayText, top: Int) {
        let lines = state.overlayLines()
        let height = state.overlayHeight(layout)
        let widest = lines.map(\.columns).max() ?? 0
        let box = boxed(title, columns: max(widest, title.columns) + 4, rows: min(lines.count, height) + 2)
        let top = max(0, min(top, lines.count - height))
        for (number, line) in lines.dropFirst(top).prefix(max(0, box.rows - 2)).enumerated() {
            frame.put(line, column: box.column + 2, row: box.row + 1 + number, limit: max(0, box.columns - 4))
        }
        frame.cursor = nil
        guard lines.count > height else { return }
        let more = text(" \(min(lines.count, top + height)) of \(lines.count) ")
        frame.put(more, column: max(box.column, box.endColumn - more.columns - 1), row: box.endRow - 1, style: .dim)
    }

    private mutating func drawSwitcher(_ query: LineEditor, _ selected: Int) {
        let found = state.matches(query.text)
        let box = boxed(
            "Go to", columns: min(50, layout.size.columns), rows: min(layout.input.row, max(4, found.count + 3)))
        let inner = max(1, box.columns - 4)
        let entry = query.layout(columns: inner - 2, limit: 1)
        frame.put(DisplayText(glyphs(.prompt) + " "), column: box.column + 2, row: box.row + 1, style: .bold)
        frame.put(entry.rows.first ?? .empty, column: box.column + 4, row: box.row + 1, limit: max(0, inner - 2))
        frame.cursor = Point(
            column: min(layout.size.columns - 1, box.column + 4 + entry.cursor.column),
            row: min(layout.size.rows - 1, box.row + 1))
        let height = max(0, box.rows - 3)
        let selected = min(selected, max(0, found.count - 1))
        let first = max(0, min(selected - height / 2, found.count - height))
        if found.isEmpty, height > 0 {
            frame.put(
                state.conversations.isEmpty ? "nobody yet: /add INVITE NAME" : "no match", column: box.column + 2,
                row: box.row + 2, style: .dim, limit: inner)
        }
        for (row, number) in (first..<min(found.count, first + height)).enumerated() {
            let conversation = found[number]
            let place = Rect(column: box.column + 1, row: box.row + 2 + row, columns: max(0, box.columns - 2), rows: 1)
            let (glyph, style) = glyph(conversation)
            frame.put(DisplayText(glyph), column: box.column + 2, row: place.row, style: style)
            frame.put(cut(label(conversation), inner - 2), column: box.column + 4, row: place.row, limit: inner - 2)
            let right = DisplayText(
                conversation.unread > 0 ? "\(conversation.unread) new" : conversation.peer.shortDigits)
            if label(conversation).columns + right.columns + 4 < inner {
                frame.put(right, column: box.endColumn - 2 - right.columns, row: place.row, style: .dim)
            }
            if number == selected { frame.restyle(place) { $0.adding(.reverse) } }
        }
    }

    /// Clears a box in the middle of what stands above the input, and frames it.
    mutating func boxed(_ title: DisplayText, columns: Int, rows: Int) -> Rect {
        let columns = min(columns, layout.size.columns)
        let space = max(0, layout.input.row)
        let rows = min(rows, space)
        let box = Rect(
            column: (layout.size.columns - columns) / 2, row: (space - rows) / 2, columns: columns, rows: rows)
        guard rows >= 3, columns >= 4 else { return Rect(column: box.column, row: box.row, columns: 0, rows: 0) }
        frame.fill(box)
        let line = DisplayText(glyphs(.horizontal))
        let inside = columns - 2
        let heading = cut(" " + title + " ", inside)
        frame.put(
            DisplayText(glyphs(.topLeft)) + heading + line.repeated(inside - heading.columns)
                + DisplayText(glyphs(.topRight)),
            column: box.column, row: box.row)
        for row in (box.row + 1)..<(box.endRow - 1) {
            frame.put(DisplayText(glyphs(.vertical)), column: box.column, row: row)
            frame.put(DisplayText(glyphs(.vertical)), column: box.endColumn - 1, row: row)
        }
        frame.put(
            DisplayText(glyphs(.bottomLeft)) + line.repeated(inside) + DisplayText(glyphs(.bottomRight)),
            column: box.column, row: box.endRow - 1)
        return box
    }

    // MARK: First steps

    /// What somebody sees who has nobody to talk to, or nobody open.
    mutating func drawWelcome() {
        let area = layout.log
        var lines: [StyledText] = []
        func say(_ words: String, _ style: Style = .plain) {
            let room = max(2, area.columns - 2)
            lines += words.isEmpty ? [StyledText()] : text(words).wrapped(to: room).map { StyledText($0, style) }
        }
        let spacious = area.rows >= 14
        func gap() { if spacious { say("") } }
        if area.rows >= 5 {
            let name = DisplayText(state.name, style: .stripped)
            say("You are \(name). Give this to whoever should write to you:")
            gap()
        }
        say(state.invite ?? state.me.description, .bold)
        gap()
        if area.rows >= 7, state.invite != nil {
            say("/invite copies it, or shows it as a QR code.")
            gap()
        }
        if state.shown.isEmpty {
            if area.rows >= 5 { say("Got one? Paste it here, or type:") }
            gap()
            say("/add INVITE NAME", .bold)
        } else {
            say("Ctrl+N or Alt+1 opens a conversation.")
        }
        gap()
        if area.rows >= 9 { say("/id shows your UUID and address · F1 lists keys and commands", .dim) }
        let top = area.row + max(0, (area.rows - lines.count) / 3)
        for (number, line) in lines.prefix(area.rows).enumerated() {
            frame.put(line, column: area.column + 1, row: top + number, limit: max(0, area.columns - 1))
        }
    }
}
