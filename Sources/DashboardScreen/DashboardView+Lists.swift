// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

extension Canvas {
    private func width(wide: Int, medium: Int, small: Int) -> Int {
        switch layout.kind {
        case .wide: wide
        case .medium: medium
        case .small, .tiny: small
        }
    }

    // MARK: Titles

    /// A rule with a panel's name and what is special about it.
    private mutating func title(
        _ rect: Rect, _ panel: DashboardPanel, _ name: DisplayText, _ notes: [(DisplayText, Style)]
    ) {
        frame.fill(
            Rect(column: rect.column, row: rect.row, columns: rect.columns, rows: 1), with: glyphs.rule, style: .dim)
        let style: Style = state.focus == panel ? .bold : .plain
        let end = frame.put(
            glyphs.number(panel) + name + " ", column: rect.column + 1, row: rect.row, style: style,
            limit: max(0, rect.columns - 1))
        let width = notes.reduce(0) { $0 + $1.0.columns + 1 }
        var column = max(end + 1, rect.endColumn - width - 2)
        for (text, style) in notes {
            let room = rect.endColumn - column - 1
            guard room > 2 else { return }
            column = frame.put(" ", column: column, row: rect.row)
            column = frame.put(
                text.truncated(to: room - 2, ascii: state.ascii), column: column, row: rect.row, style: style)
        }
        frame.put(" ", column: column, row: rect.row, limit: max(0, rect.endColumn - column))
    }

    /// `PAUSED 12 s, 431 new`, at the first list that is to be seen.
    private func pauseNote(on panel: DashboardPanel) -> [(DisplayText, Style)] {
        guard let pause = state.pause else { return [] }
        if panel == .registrations, layout.queries.rows > 0 { return [] }
        let seconds = max(0, state.now.milliseconds - pause.since.milliseconds) / 1000
        return [("PAUSED \(seconds) s, \(state.waiting) new", .reverse)]
    }

    mutating func drawSeparator() {
        guard layout.kind == .wide, layout.registrations.rows > 0, layout.queries.rows > 0 else { return }
        let column = layout.registrations.endColumn
        frame.fill(
            Rect(column: column, row: layout.registrations.row, columns: 1, rows: layout.registrations.rows),
            with: glyphs.bar, style: .dim)
    }

    // MARK: Registrations

    mutating func drawRegistrations(_ snapshot: IndexSnapshot) {
        let rect = layout.registrations
        guard rect.rows > 0 else { return }
        var notes: [(DisplayText, Style)] = []
        if state.isFiltering {
            notes.append(("filter: " + foreign(state.filter, ascii: state.ascii) + glyphs.block, .bold))
        } else if !state.filter.isEmpty {
            notes.append(("filter: " + foreign(state.filter, ascii: state.ascii) + " (\(state.page.matching))", .bold))
        }
        if layout.kind != .small || notes.isEmpty {
            notes.append(("sort: " + state.sort.title + " " + (state.descending ? glyphs.down : glyphs.up), .plain))
        }
        title(rect, .registrations, "registrations \(snapshot.use.total)", notes + pauseNote(on: .registrations))
        let first = state.firstVisible
        let visible = state.page.rows.dropFirst(first).prefix(state.listHeight)
        let selected = state.page.rows.firstIndex { $0.peer == state.selection?.peer }.map { $0 - first }
        let table = Table(registrationColumns, ascii: state.ascii)
        let area = Rect(column: rect.column, row: rect.row + 1, columns: rect.columns, rows: rect.rows - 1)
        table.draw(
            visible.map { cells($0) }, selected: selected, titles: layout.titlesRegistrations, in: area, of: &frame)
        if visible.isEmpty, state.listHeight > 0 {
            let text: DisplayText = state.filter.isEmpty ? "nobody is registered" : "nothing matches the filter"
            let row = area.row + (layout.titlesRegistrations ? 1 : 0)
            frame.put(text, column: area.column + 1, row: row, style: .dim, limit: max(0, area.columns - 1))
        }
    }

    private var registrationColumns: [Table.Column] {
        var columns = [
            Table.Column("PEER", width: 8), Table.Column("KIND", width: 4),
            Table.Column("ADDRESS", width: width(wide: 14, medium: 20, small: 12), stretches: true),
            Table.Column("AGE", width: 4, alignRight: true),
        ]
        if layout.kind == .small {
            columns.append(Table.Column("EXP", width: 4, alignRight: true))
        } else {
            columns.append(Table.Column("EXPIRES", width: 8))
        }
        if layout.kind == .medium { columns.append(Table.Column("SEQUENCE", width: 14, alignRight: true)) }
        return columns
    }

    private func cells(_ row: RegistrationRow) -> Table.Row {
        var cells: [DisplayText] = [
            DisplayText(row.peer.shortDigits), DisplayText(row.kind), row.address.shown(unmasked: state.unmasked),
            brief(row.age),
        ]
        let left = brief(row.expires)
        if layout.kind == .small {
            cells.append(left)
        } else {
            let whole = max(1, row.lease.wholeSeconds)
            let thousandths = Int(min(1000, row.expires.seconds / Double(whole) * 1000))
            cells.append(glyphs.gauge(thousandths) + " " + left.fitted(to: 4, alignRight: true))
        }
        if layout.kind == .medium { cells.append(row.sequence.map { "\($0)" } ?? "-") }
        let soon = row.expires < .seconds(60)
        return Table.Row(cells, style: soon ? Style(.yellow) : .plain)
    }

    // MARK: Queries

    mutating func drawQueries() {
        let rect = layout.queries
        guard rect.rows > 0 else { return }
        var notes: [(DisplayText, Style)] = []
        if state.feed.missed > 0 { notes.append(("dropped \(state.feed.missed)", Style(.yellow))) }
        notes += state.pause == nil ? [("live, newest first", .dim)] : pauseNote(on: .queries)
        title(rect, .queries, "queries", notes)
        let first = state.firstVisibleQuery
        let visible = state.shownFeed.reversed().dropFirst(first).prefix(state.feedHeight)
        let selected = state.feedSelection.flatMap { state.feedIndex(of: $0.sequence) }.map { $0 - first }
        let area = Rect(column: rect.column, row: rect.row + 1, columns: rect.columns, rows: rect.rows - 1)
        Table(queryColumns, ascii: state.ascii).draw(
            visible.map { cells($0) }, selected: selected, titles: layout.titlesQueries, in: area, of: &frame)
        if visible.isEmpty, state.feedHeight > 0 {
            frame.put(
                "no queries yet", column: area.column + 1, row: area.row + (layout.titlesQueries ? 1 : 0), style: .dim,
                limit: max(0, area.columns - 1))
        }
    }

    private var queryColumns: [Table.Column] {
        var columns = [Table.Column("TIME", width: layout.kind == .small ? 8 : 12)]
        if layout.kind != .small {
            columns.append(Table.Column("SOURCE", width: width(wide: 13, medium: 20, small: 0), stretches: true))
        }
        columns += [
            Table.Column("OP", width: 4), Table.Column("TARGET", width: 8),
            Table.Column("RESULT", width: resultWidth, stretches: layout.kind == .small),
            Table.Column(glyphs.micro, width: layout.kind == .small ? 5 : 6, alignRight: true),
        ]
        return columns
    }

    /// Room for `DENY bad signature` where it is to be had.
    private var resultWidth: Int {
        switch layout.kind {
        case .wide: min(20, max(6, layout.queries.columns - 49))
        case .medium: 20
        case .small, .tiny: 9
        }
    }

    func cells(_ entry: FeedEntry) -> Table.Row {
        let event = entry.event
        let time = layout.kind == .small ? clock : preciseClock
        var cells = [time(event.time, state.utcOffset)]
        if layout.kind != .small { cells.append(event.source.shownAddress(unmasked: state.unmasked)) }
        cells += [
            event.operation.letters, event.target.brief(ascii: state.ascii), event.result.words,
            "\(entry.microseconds)",
        ]
        return Table.Row(cells, style: event.result.isError ? Style(.red) : .plain)
    }
}
