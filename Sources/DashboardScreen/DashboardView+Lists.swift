// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

extension Canvas {
    func width(wide: Int, medium: Int, small: Int) -> Int {
        switch layout.kind {
        case .wide: wide
        case .medium: medium
        case .small, .tiny: small
        }
    }

    // MARK: Titles

    /// A rule with a panel's name and what is special about it.
    mutating func title(
        _ rect: Rect, _ panel: DashboardPanel, _ name: DisplayText, _ notes: [Piece]
    ) {
        frame.fill(
            Rect(column: rect.column, row: rect.row, columns: rect.columns, rows: 1), with: glyphs.rule, style: .dim)
        let style: Style = state.focus == panel ? .bold : .plain
        let end = frame.put(
            glyphs.number(panel) + name + " ", column: rect.column + 1, row: rect.row, style: style,
            limit: max(0, rect.columns - 1))
        let width = notes.reduce(0) { $0 + $1.text.columns + 1 }
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
    func pauseNote(on panel: DashboardPanel) -> [Piece] {
        guard let pause = state.pause else { return [] }
        if panel == .registrations, layout.queries.rows > 0 { return [] }
        let seconds = max(0, state.now.milliseconds - pause.since.milliseconds) / 1000
        return [("PAUSED " + grouped(Int(clamping: seconds)) + " s, " + grouped(state.waiting) + " new", .reverse)]
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
        var notes: [Piece] = []
        if state.isFiltering {
            notes.append(("filter: " + foreign(state.filter, ascii: state.ascii) + glyphs.block, .bold))
        } else if !state.filter.isEmpty {
            notes.append(
                (
                    "filter: " + foreign(state.filter, ascii: state.ascii) + " (" + grouped(state.page.matching) + ")",
                    .bold
                ))
        }
        if layout.kind != .small || notes.isEmpty {
            notes.append(("sort: " + state.sort.title + " " + (state.descending ? glyphs.down : glyphs.up), .plain))
        }
        title(
            rect, .registrations, "registrations " + grouped(snapshot.use.total), notes + pauseNote(on: .registrations))
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
        if !hasGauge {
            columns.append(Table.Column("EXP", width: 4, alignRight: true))
        } else {
            columns.append(Table.Column("EXPIRES", width: 8))
        }
        if layout.kind == .medium { columns.append(Table.Column("SEQUENCE", width: 14, alignRight: true)) }
        return columns
    }

    /// Not at the cost of an address that is cut.
    private var hasGauge: Bool {
        switch layout.kind {
        case .wide: layout.registrations.columns >= 48
        case .medium: true
        case .small, .tiny: false
        }
    }

    private func cells(_ row: RegistrationRow) -> Table.Row {
        var cells: [DisplayText] = [
            DisplayText(row.peer.shortDigits), DisplayText(row.kind), row.address.shown(unmasked: state.unmasked),
            brief(row.age),
        ]
        let left = brief(row.expires)
        if !hasGauge {
            cells.append(left)
        } else {
            cells.append(glyphs.gauge(row.leaseLeft) + " " + left.fitted(to: 4, alignRight: true))
        }
        if layout.kind == .medium { cells.append(row.sequence.map { "\($0)" } ?? "-") }
        let soon = row.expires < .seconds(60)
        return Table.Row(cells, style: soon ? Style(.yellow) : .plain)
    }
}

extension RegistrationRow {
    /// The share of its lease that is left, from 0 to 1.
    var leaseLeft: Double { lease == .zero ? 0 : min(1, expires.seconds / lease.seconds) }
}
