// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

extension Canvas {
    // MARK: Footer

    mutating func drawFooter() {
        guard let rect = layout.footer else { return }
        if let notice = state.notice {
            return line(rect.row, in: rect, left: [(DisplayText(notice.text), .bold)])
        }
        var left: [(DisplayText, Style)] = []
        for (key, name) in fittingKeys(rect.columns - 1) {
            left += [(key, .bold), (" " + name, .plain), (separator, .dim)]
        }
        line(rect.row, in: rect, left: left.dropLast())
    }

    /// Where there are too many keys, those in the middle go: the way to help and the way out stay.
    private func fittingKeys(_ room: Int) -> [(DisplayText, DisplayText)] {
        var keys = keys
        func width() -> Int {
            keys.reduce(-separator.columns) { $0 + $1.0.columns + 1 + $1.1.columns + separator.columns }
        }
        while keys.count > 2, width() > room { keys.remove(at: keys.count - 2) }
        return keys
    }

    private var separator: DisplayText { layout.kind == .wide ? glyphs.dot : layout.kind == .medium ? "  " : " " }

    /// The keys that do something here, the most wanted first.
    private var keys: [(DisplayText, DisplayText)] {
        switch state.overlay {
        case .confirmQuit: return [("y", "stop"), ("Esc", "go on")]
        case .help: return [("Esc", "close")]
        case .sortMenu: return [("Enter", "sort"), ("Esc", "close")]
        case .registration, .query: return [("y", "copy UUID"), ("x", "unmask"), ("Esc", "close")]
        case nil: break
        }
        if state.isFiltering { return [("Enter", "keep"), ("Esc", "clear"), ("!", "inverts")] }
        if layout.kind == .small {
            return [("q", "quit"), ("?", "help"), ("p", "pause"), ("/", "filter"), ("Tab", "view")]
        }
        var keys: [(DisplayText, DisplayText)] = [("?", "help"), ("Tab", "panel")]
        if layout.kind == .wide { keys.append(("1-4", "show/hide")) }
        if state.focus == .registrations { keys += [("/", "filter"), ("s", "sort")] }
        keys.append(("p", state.pause == nil ? "pause" : "resume"))
        let isSelected = state.focus == .queries ? state.feedSelection != nil : state.selection != nil
        if isSelected { keys += [("Enter", "details"), ("y", "copy")] }
        if layout.kind == .wide { keys.append(("x", state.unmasked ? "mask" : "unmask")) }
        return keys + [("w", "save"), ("q", state.role == .server ? "quit" : "detach")]
    }

    // MARK: Boxes over the lists

    mutating func drawOverlay() {
        switch state.overlay {
        case nil: break
        case .confirmQuit: drawQuestion()
        case .help: drawBox("keys", helpLines)
        case .sortMenu(let index): drawSortMenu(index)
        case .registration(let row): drawBox("registration", details(row))
        case .query(let entry): drawBox("query", details(entry))
        }
    }

    private typealias Line = (text: DisplayText, style: Style)

    /// A frame in the middle, as large as its text if the screen allows.
    private mutating func drawBox(_ name: DisplayText, _ text: [Line]) {
        let room = max(2, frame.size.columns - 4)
        let lines = text.flatMap { line in line.text.wrapped(to: room).map { Line($0, line.style) } }
        let widest = lines.map(\.text.columns).max() ?? 0
        let columns = min(frame.size.columns, max(widest, name.columns + 2) + 4)
        let rows = min(frame.size.rows - 1, lines.count + 2)
        let rect = Rect(
            column: (frame.size.columns - columns) / 2, row: max(0, (frame.size.rows - 1 - rows) / 2), columns: columns,
            rows: rows)
        frame.fill(rect)
        for row in [rect.row, rect.endRow - 1] {
            frame.fill(Rect(column: rect.column, row: row, columns: columns, rows: 1), with: glyphs.rule, style: .dim)
        }
        for column in [rect.column, rect.endColumn - 1] {
            frame.fill(
                Rect(column: column, row: rect.row + 1, columns: 1, rows: rows - 2), with: glyphs.bar, style: .dim)
        }
        frame.put(" " + name + " ", column: rect.column + 2, row: rect.row, style: .bold, limit: max(0, columns - 3))
        for (number, line) in lines.prefix(max(0, rows - 2)).enumerated() {
            frame.put(
                line.text.truncated(to: max(0, columns - 4), ascii: state.ascii), column: rect.column + 2,
                row: rect.row + 1 + number, style: line.style)
        }
    }

    private mutating func drawQuestion() {
        let peers = state.snapshot?.use.total ?? 0
        drawBox(
            "quit",
            [
                ("Stop the index server?", .bold), (.empty, .plain),
                (peers == 1 ? "1 peer is registered." : "\(peers) peers are registered.", .plain),
                ("Who talks now goes on talking.", .plain), (.empty, .plain), ("y stop    Esc go on", .bold),
            ])
    }

    private mutating func drawSortMenu(_ index: Int) {
        drawBox(
            "sort by",
            RowSort.allCases.enumerated().map { number, sort in
                ((number == index ? glyphs.mark : " ") + sort.title.fitted(to: 12), number == index ? .reverse : .plain)
            })
    }

    private var helpLines: [Line] {
        let keys: [(DisplayText, DisplayText)] = [
            ("Up Down j k", "move; PgUp PgDn, Ctrl+U Ctrl+D, Home End g G"),
            ("Tab", "the other list"),
            ("1 2 3 4", "show or hide a panel"),
            ("Enter", "details of the selected row"),
            ("Esc", "back: box, filter, selection, pause"),
            ("/", "filter registrations; ! in front inverts"),
            ("s < > r", "sort: menu, column, reverse"),
            ("p Space", "pause the lists, and go on"),
            ("+ -", "refresh faster, slower"),
            ("y", "copy the selected UUID"),
            ("w", "save what is known as JSON"),
            ("x", "show whole addresses, or mask them"),
            ("m", "mouse wheel on or off"),
            ("Ctrl+L", "draw everything anew"),
            ("q", state.role == .server ? "stop the server, after a question" : "close this view; the server runs on"),
        ]
        return keys.map { (key, text) in (key.fitted(to: 12) + " " + text, .plain) }
    }

    private func field(_ name: DisplayText, _ value: DisplayText) -> Line { (name.fitted(to: 10) + value, .plain) }

    private func details(_ row: RegistrationRow) -> [Line] {
        var lines = [
            field("uuid", DisplayText(row.peer.description)),
            field("kind", row.peer.isKeyed ? "key: the UUID is the key's hash" : "seed: plaintext, nothing is proven"),
            field("address", row.address.shown(unmasked: state.unmasked)),
            field("age", brief(row.age, spaced: true)),
            field("expires", "in " + brief(row.expires, spaced: true)),
        ]
        if let sequence = row.sequence {
            let issued = Int64(exactly: sequence).map { " (\(WallTime(milliseconds: $0).rfc3339))" } ?? ""
            lines.append(field("sequence", "\(sequence)" + DisplayText(issued)))
        }
        let about = state.shownFeed.reversed().lazy.filter { $0.event.target == .peer(row.peer) }.prefix(20)
        lines += [(.empty, .plain), (about.isEmpty ? "nothing about it lately" : "lately, newest first:", .dim)]
        return lines
            + about.map { entry in
                let event = entry.event
                return (
                    preciseClock(event.time, offset: state.utcOffset) + " " + event.operation.letters.fitted(to: 5)
                        + event.result.words.fitted(to: 16, ascii: state.ascii)
                        + event.source.shownAddress(unmasked: state.unmasked),
                    event.result.isError ? Style(.red) : .plain
                )
            }
    }

    private func details(_ entry: FeedEntry) -> [Line] {
        let event = entry.event
        let target: DisplayText =
            switch event.target {
            case .peer(let peer): DisplayText(peer.description)
            case .text(let text): "\"" + foreign(text, ascii: state.ascii) + "\""
            case .none: "none named"
            }
        return [
            field(
                "time",
                date(event.time, offset: state.utcOffset) + " " + preciseClock(event.time, offset: state.utcOffset)),
            field("from", event.source.shown(unmasked: state.unmasked)),
            field("request", DisplayText(event.operation.rawValue)),
            field("target", target),
            field("result", event.result.words),
            field("took", "\(entry.microseconds) " + glyphs.micro),
        ]
    }
}
