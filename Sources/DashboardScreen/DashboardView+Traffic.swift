// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

extension Canvas {
    /// The queries panel in its present view.
    mutating func drawTraffic(_ snapshot: IndexSnapshot) {
        let rect = layout.queries
        guard rect.rows > 0 else { return }
        let area = Rect(column: rect.column, row: rect.row + 1, columns: rect.columns, rows: rect.rows - 1)
        let next: Piece = ("v: " + state.nextTraffic.title, .dim)
        switch state.traffic {
        case .feed:
            title(rect, .queries, feedTitle, (state.pause == nil ? [] : pauseNote(on: .queries)) + [next])
            drawFeed(area)
        case .results:
            title(rect, .queries, "results since the start", [next])
            drawResults(snapshot.counters, area)
        case .sources:
            let sort: Piece = ("sort: " + state.sourceSort.title + " " + glyphs.down, .plain)
            title(rect, .queries, "sources", layout.kind == .small ? [sort] : [sort, next])
            drawSources(snapshot.sources, area)
        case .pairs:
            title(rect, .queries, "relayed pairs " + grouped(snapshot.relay.channels), [next])
            drawPairs(snapshot.relay, area)
        }
    }

    mutating func note(_ text: DisplayText, below titles: Bool, in area: Rect) {
        frame.put(
            text, column: area.column + 1, row: area.row + (titles ? 1 : 0), style: .dim,
            limit: max(0, area.columns - 1))
    }

    // MARK: Feed

    /// Says how much of the traffic is not to be seen here.
    private var feedTitle: DisplayText {
        let name: DisplayText = state.pause == nil ? "queries (live)" : "queries"
        let rate = state.trend.perSecond(\.leftOut) ?? 0
        if rate > 0 { return name + glyphs.dot + grouped(rate) + "/s left out" }
        return state.feed.leftOut > 0 ? name + glyphs.dot + grouped(state.feed.leftOut) + " left out" : name
    }

    private mutating func drawFeed(_ area: Rect) {
        let first = state.firstVisibleQuery
        let visible = state.shownFeed.reversed().dropFirst(first).prefix(state.feedHeight)
        let selected = state.feedSelection.flatMap { state.feedIndex(of: $0.sequence) }.map { $0 - first }
        Table(queryColumns, ascii: state.ascii).draw(
            visible.map { cells($0) }, selected: selected, titles: state.titlesTraffic, in: area, of: &frame)
        if visible.isEmpty, state.feedHeight > 0 { note("no queries yet", below: state.titlesTraffic, in: area) }
    }

    private var queryColumns: [Table.Column] {
        var columns = [Table.Column("TIME", width: layout.kind == .small ? 8 : 12)]
        if layout.kind != .small {
            columns.append(Table.Column("SOURCE", width: width(wide: 13, medium: 20, small: 0), stretches: true))
        }
        columns += [
            Table.Column("OP", width: 4), Table.Column("TARGET", width: 8),
            Table.Column("RESULT", width: resultWidth, stretches: layout.kind == .small),
            Table.Column(glyphs.micro, width: durationWidth, alignRight: true),
        ]
        return columns
    }

    private var durationWidth: Int { layout.kind == .small ? 5 : 6 }

    /// Room for `DENY bad signature` where it is to be had.
    private var resultWidth: Int {
        switch layout.kind {
        case .wide: min(20, max(6, layout.queries.columns - 49))
        case .medium: 20
        case .small, .tiny: 9
        }
    }

    private func cells(_ entry: FeedEntry) -> Table.Row {
        let event = entry.event
        let time = layout.kind == .small ? clock : preciseClock
        var cells = [time(event.time, state.utcOffset)]
        if layout.kind != .small { cells.append(event.source.shownAddress(unmasked: state.unmasked)) }
        cells += [
            event.operation.letters, event.target.brief(ascii: state.ascii), event.result.words,
            digits(entry.microseconds, room: durationWidth),
        ]
        return Table.Row(cells, style: event.result.isError ? Style(.red) : .plain)
    }

    // MARK: Results

    private mutating func drawResults(_ counters: IndexCounters, _ area: Rect) {
        // A double holds the sum of any numbers.
        let sum = IndexResult.all.reduce(0) { $0 + Double(counters.total(of: $1)) }
        let happened = IndexResult.all.filter { counters.total(of: $0) > 0 }
        let rows = happened + IndexResult.all.filter { counters.total(of: $0) == 0 }
        let bar = width(wide: 12, medium: 20, small: 4)
        let columns = [
            Table.Column("RESULT", width: 10, stretches: true),
            Table.Column("TOTAL", width: width(wide: 13, medium: 15, small: 5), alignRight: true),
            Table.Column("RATE", width: 7, alignRight: true),
            Table.Column("SHARE", width: bar + 7),
        ]
        let visible = rows.dropFirst(trafficTop(of: rows.count)).prefix(state.feedHeight)
        Table(columns, ascii: state.ascii).draw(
            visible.map { result in
                let total = counters.total(of: result)
                let rate = state.trend.perSecond { $0.counters.total(of: result) }
                let share = sum > 0 ? Double(total) / sum : 0
                return Table.Row(
                    [
                        result.words, layout.kind == .small ? compact(total) : grouped(total),
                        rate.map { compact($0) + "/s" } ?? "-",
                        glyphs.gauge(share, width: bar) + " " + percent(share).fitted(to: 6, alignRight: true),
                    ], style: total == 0 ? .dim : result.isError && (rate ?? 0) > 0 ? Style(.red) : .plain)
            }, titles: state.titlesTraffic, in: area, of: &frame)
    }

    /// The scrolled lines, as far as there is something to see below.
    func trafficTop(of count: Int) -> Int { min(state.trafficTop, max(0, count - state.feedHeight)) }

    // MARK: Sources

    private mutating func drawSources(_ sources: [SourceRow], _ area: Rect) {
        let sort = state.sourceSort
        let rates = state.trend.sourceRates
        let rows = sources.enumerated().sorted {
            (sort.value($0.element), $1.offset) > (sort.value($1.element), $0.offset)
        }.map(\.element)
        let isSmall = layout.kind == .small
        let columns = [
            Table.Column("SOURCE", width: 10, stretches: true),
            Table.Column(isSmall ? "REQS" : "REQUESTS", width: isSmall ? 5 : 8, alignRight: true),
            Table.Column("RATE", width: 7, alignRight: true),
            Table.Column(isSmall ? "ERRS" : "ERRORS", width: isSmall ? 5 : 7, alignRight: true),
            Table.Column(isSmall ? "LIM" : "LIMITED", width: isSmall ? 5 : 7, alignRight: true),
        ]
        let visible = rows.dropFirst(trafficTop(of: rows.count)).prefix(state.feedHeight)
        Table(columns, ascii: state.ascii).draw(
            visible.map { row in
                Table.Row(
                    [
                        row.prefix.shownGroup(unmasked: state.unmasked), compact(row.requests),
                        rates[row.prefix].map { compact($0) + "/s" } ?? "-", compact(row.errors), compact(row.limited),
                    ], style: row.limited > 0 ? Style(.yellow) : .plain)
            }, titles: state.titlesTraffic, in: area, of: &frame)
        if visible.isEmpty, state.feedHeight > 0 {
            note("no sources are known yet", below: state.titlesTraffic, in: area)
        }
    }
}

extension TrafficView {
    var title: DisplayText {
        switch self {
        case .feed: "queries"
        case .results: "results"
        case .sources: "sources"
        case .pairs: "pairs"
        }
    }
}

extension SourceSort {
    var title: DisplayText {
        switch self {
        case .requests: "requests"
        case .errors: "errors"
        case .limited: "limited"
        }
    }
}
