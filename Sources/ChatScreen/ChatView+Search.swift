// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// The search and its hits.
extension ChatView {
    mutating func drawSearch(_ box: SearchBox) {
        let title = box.peer.map { "Search " + name(of: $0) } ?? "Search everywhere"
        let area = boxed(
            title, columns: min(100, layout.size.columns), rows: min(layout.input.row, max(4, box.hits.count + 3)))
        let inner = max(1, area.columns - 4)
        let count = DisplayText(counted(box))
        let room = max(1, inner - 2 - count.columns - 1)
        let entry = box.query.layout(columns: room, limit: 1)
        frame.put(DisplayText(glyphs(.prompt) + " "), column: area.column + 2, row: area.row + 1, style: .bold)
        frame.put(entry.rows.first ?? .empty, column: area.column + 4, row: area.row + 1, limit: room)
        frame.put(count, column: max(area.column, area.endColumn - 2 - count.columns), row: area.row + 1, style: .dim)
        frame.cursor = Point(
            column: max(0, min(layout.size.columns - 1, area.column + 4 + entry.cursor.column)),
            row: max(0, min(layout.size.rows - 1, area.row + 1)))
        let height = max(0, area.rows - 3)
        let first = max(0, min(box.selected - height / 2, box.hits.count - height))
        for (row, number) in (first..<min(box.hits.count, first + height)).enumerated() {
            let place = Rect(column: area.column + 1, row: area.row + 2 + row, columns: inner + 2, rows: 1)
            frame.put(
                line(box.hits[number], in: box, room: inner), column: area.column + 2, row: place.row, limit: inner)
            if number == box.selected { frame.restyle(place) { $0.adding(.reverse) } }
        }
    }

    private func counted(_ box: SearchBox) -> String {
        if box.asked == nil { return "type to search" }
        if !box.isAnswered { return glyphs(.ellipsis) }
        return box.hits.isEmpty ? "nothing found" : "\(box.selected + 1)/\(box.hits.count)\(box.hasMore ? "+" : "")"
    }

    /// When, with whom, and the words around what was found.
    private func line(_ hit: SearchHit, in box: SearchBox, room: Int) -> StyledText {
        let time = hit.received.civil(offset: state.offset)
        let isThisYear = state.now.map { $0.civil(offset: state.offset).year == time.year } ?? true
        var row = StyledText(
            DisplayText(time.day(long: !isThisYear) + (room >= 60 ? " " + time.clock : "") + "  "), .dim)
        let who = hit.direction == .outgoing ? "me" : name(of: hit.peer)
        let whom = box.peer == nil && hit.direction == .outgoing ? who + " to " + name(of: hit.peer) : who
        row.append(cut(whom, max(4, min(20, room / 5))) + "  ", .bold)
        appendExcerpt(hit, to: &row, room: room)
        return row
    }

    private func appendExcerpt(_ hit: SearchHit, to row: inout StyledText, room: Int) {
        let match = cut(DisplayText(hit.match.replacingBreaks, style: .visible), max(1, room - row.columns))
        // A third of what is left goes to the words before, so that the match is always in sight.
        let left = max(0, room - row.columns - match.columns) / 3
        row.append(tail(hit.before, columns: left))
        row.append(match, Style(.standard, on: .standard, [.bold, .underline]))
        row.append(cut(DisplayText(hit.after.oneLine, style: .visible), max(0, room - row.columns)))
    }

    /// The last words of a text.
    private func tail(_ text: String, columns: Int) -> DisplayText {
        let whole = DisplayText(text.suffix(columns * 2).oneLine)
        guard whole.columns > columns || text.count > columns * 2 else { return whole }
        var rest = text.suffix(columns)[...]
        while DisplayText(rest.oneLine).columns > columns - 1, !rest.isEmpty { rest = rest.dropFirst() }
        return rest.isEmpty ? .empty : DisplayText(glyphs(.ellipsis)) + DisplayText(rest.oneLine)
    }
}

extension StringProtocol {
    /// With blanks in the place of line breaks.
    fileprivate var oneLine: String { String(map { $0.isNewline ? " " : $0 }) }
}
