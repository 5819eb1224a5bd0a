// SPDX-License-Identifier: GPL-3.0-or-later
import TerminalKit

/// Where everything stands, from the size alone.
struct DashboardLayout: Equatable {
    enum Kind {
        /// Both lists side by side, from 100x12.
        case wide
        /// One above the other, from 72x16.
        case medium
        /// One list at a time, from 40x12.
        case small
        /// One line of counters.
        case tiny
    }

    let kind: Kind
    /// The rows above the lists, one panel each.
    var rates: Rect?
    /// One to three lines.
    var health: Rect?
    /// A line for what is relayed.
    var relay: Rect?
    /// A line for what the operator should know.
    var notice: Rect?
    /// The lists with their title lines; empty when hidden.
    var registrations = Rect(column: 0, row: 0, columns: 0, rows: 0)
    var queries = Rect(column: 0, row: 0, columns: 0, rows: 0)
    /// `nil` where there is no room.
    var footer: Rect?

    /// Whether the list has room for the names of its columns.
    var titlesRegistrations: Bool { kind != .small }

    /// - Parameters:
    ///   - relay: whether the server passes on between peers.
    ///   - notice: whether there is something that the operator should know.
    init(
        size: Size, hidden: Set<DashboardPanel>, focus: DashboardPanel, relay: Bool = false, notice: Bool = false
    ) {
        kind =
            switch (size.columns, size.rows) {
            case (100..., 12...): .wide
            case (72..., 16...): .medium
            case (40..., 12...): .small
            default: .tiny
            }
        guard kind != .tiny else { return }
        var row = 1
        func takeLines(_ count: Int) -> Rect {
            defer { row += count }
            return Rect(column: 0, row: row, columns: size.columns, rows: count)
        }
        // In the small layout peers, queries and errors have a line each.
        if !hidden.contains(.rates) { rates = takeLines(kind == .small ? 2 : 1) }
        if !hidden.contains(.health) { health = takeLines(Self.healthLines(kind, size.rows)) }
        if relay, !hidden.contains(.health) { self.relay = takeLines(1) }
        if notice { self.notice = takeLines(1) }
        footer = Rect(column: 0, row: size.rows - 1, columns: size.columns, rows: 1)
        let area = Rect(column: 0, row: row, columns: size.columns, rows: size.rows - 1 - row)
        let shown = [DashboardPanel.registrations, .queries].filter { !hidden.contains($0) }
        if shown.count == 2, kind != .small {
            (registrations, queries) = kind == .wide ? Self.beside(area) : Self.stacked(area)
        } else if shown.contains(.queries), shown.count == 1 || focus == .queries {
            queries = area
        } else if shown.contains(.registrations) {
            registrations = area
        }
    }

    /// Lists keep the better part of a low screen.
    private static func healthLines(_ kind: Kind, _ rows: Int) -> Int {
        switch (kind, rows) {
        case (.wide, 30...): 3
        case (.wide, 20...), (.medium, 20...): 2
        default: 1
        }
    }

    /// The feed has the longer lines; a column between them stays free for the line.
    private static func beside(_ area: Rect) -> (Rect, Rect) {
        let left = area.columns * 44 / 100
        return (
            Rect(column: 0, row: area.row, columns: left, rows: area.rows),
            Rect(column: left + 1, row: area.row, columns: area.columns - left - 1, rows: area.rows)
        )
    }

    private static func stacked(_ area: Rect) -> (Rect, Rect) {
        let top = (area.rows + 1) / 2
        return (
            Rect(column: 0, row: area.row, columns: area.columns, rows: top),
            Rect(column: 0, row: area.row + top, columns: area.columns, rows: area.rows - top)
        )
    }
}
