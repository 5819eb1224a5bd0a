// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

extension Canvas {
    // MARK: Rates

    mutating func drawRates(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let peak: [Piece] =
            snapshot.queries.peak.map { [("peak " + compact($0.perSecond) + "/s " + minute($0.time), .dim)] } ?? []
        func rate(_ name: DisplayText, _ series: RateSeries) -> Piece {
            (name + " " + compact(series.latest) + "/s", .plain)
        }
        func bars(_ series: RateSeries, _ width: Int) -> Piece { sparkline(series.perSecond, width) }
        let (gap, wideGap): (Piece, Piece) = ((" ", .plain), ("  ", .plain))
        switch layout.kind {
        case .small:
            line(
                rect.row, in: rect,
                left: [
                    ("peers " + grouped(snapshot.use.total), .bold),
                    ("  key " + compact(snapshot.use.keyed) + " seed " + compact(snapshot.use.seeds), .dim),
                ],
                right: [rate("reg", snapshot.registrations)])
            line(
                rect.row + 1, in: rect,
                left: [("qps " + compact(snapshot.queries.latest) + " ", .plain), bars(snapshot.queries, 12)],
                right: [("p99 " + latency(snapshot.latency.p99, glyphs), .plain)])
        case .medium, .tiny:
            line(
                rect.row, in: rect,
                left: [
                    (glyphs.number(.rates), .dim), rate("queries", snapshot.queries), gap, bars(snapshot.queries, 12),
                    wideGap, rate("reg", snapshot.registrations), wideGap, rate("err", snapshot.errors), wideGap,
                    rate("keep", snapshot.keepalives),
                ], right: peak)
        case .wide:
            let width = min(24, max(8, (rect.columns - 84) / 3))
            line(
                rect.row, in: rect,
                left: [
                    (glyphs.number(.rates) + "rates  ", .dim), rate("queries", snapshot.queries), gap,
                    bars(snapshot.queries, width), wideGap, rate("reg", snapshot.registrations), gap,
                    bars(snapshot.registrations, width / 2), wideGap, rate("err", snapshot.errors), gap,
                    bars(snapshot.errors, width / 2), wideGap, rate("keep", snapshot.keepalives),
                ], right: peak)
        }
    }

    private func sparkline(_ values: [UInt32], _ width: Int) -> Piece {
        (Sparkline.text(values, width: width, ascii: state.ascii), Style(.cyan))
    }

    private func minute(_ time: WallTime) -> DisplayText {
        DisplayText(String(clock(time, offset: state.utcOffset).string.prefix(5)))
    }

    // MARK: Health

    mutating func drawHealth(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let counters = snapshot.counters
        let drops = count("drops", counters.receiveDrops) { $0.counters.receiveDrops }
        let denied = count("denied", counters.denied) { $0.counters.denied }
        let denials: Piece = (denied.text + reason(counters), denied.style)
        let malformed = count("malformed", counters.malformed &+ counters.ignored) {
            $0.counters.malformed &+ $0.counters.ignored
        }
        let limited = count("limited", counters.limited) { $0.counters.limited }
        let unready = count("unready", counters.unready) { $0.counters.unready }
        let head: Piece = (glyphs.number(.health) + (layout.kind == .wide ? "health " : ""), .dim)
        let process = process(snapshot)
        switch (layout.kind, rect.rows) {
        case (.small, _):
            let errors: Piece = ("err " + compact(snapshot.errors.latest) + "/s", .plain)
            let drop = count("drop", counters.receiveDrops) { $0.counters.receiveDrops }
            line(rect.row, in: rect, left: dotted(alerts(snapshot) + [errors, drop, denied]))
        case (_, 1):
            let first = dotted(alerts(snapshot) + [times(snapshot)])
            let rest = [drops, denied, malformed, limited, unready]
            line(rect.row, in: rect, left: [head] + first + bars(snapshot) + dotted(rest, after: true), right: process)
        case (.wide, 3...):
            line(
                rect.row, in: rect,
                left: [head] + [times(snapshot)] + bars(snapshot)
                    + dotted(limits(snapshot) + [drops, malformed], after: true),
                right: process)
            line(rect.row + 1, in: rect, left: [("        ", .plain)] + store(snapshot.store))
            let totals: [Piece] = [
                ("key " + grouped(snapshot.use.keyed) + " seed " + grouped(snapshot.use.seeds), .plain),
                ("hit " + grouped(counters.hits) + " miss " + grouped(counters.misses), .plain),
            ]
            line(
                rect.row + 2, in: rect,
                left: [("        ", .plain)] + dotted([denials, limited, unready] + totals))
        default:
            line(
                rect.row, in: rect,
                left: [head] + [times(snapshot)] + bars(snapshot)
                    + dotted(
                        limits(snapshot) + [drops, denials, malformed, limited, unready],
                        after: true))
            let indent = DisplayText(" ").repeated(head.text.columns)
            line(rect.row + 1, in: rect, left: [(indent, .plain)] + store(snapshot.store), right: process)
        }
    }

    /// The pieces with dots between them.
    func dotted(_ pieces: [Piece], after: Bool = false) -> [Piece] {
        let all = pieces.flatMap { [(glyphs.dot, Style.dim), $0] }
        return after ? all : Array(all.dropFirst())
    }

    /// A total; one that rose in the last minute has a colour, and an arrow for those who see none.
    func count(_ name: DisplayText, _ total: UInt64, of value: (Trend.Mark) -> UInt64) -> Piece {
        let text = name + " " + (layout.kind == .wide ? grouped(total) : compact(total))
        return state.trend.lately(value) > 0 ? (text + glyphs.up, Style(.yellow)) : (text, .plain)
    }

    private func reason(_ counters: IndexCounters) -> DisplayText {
        guard let denial = counters.commonestDenial else { return .empty }
        return ", mostly " + DisplayText(String(denial.rawValue.map { $0 == "_" ? " " : $0 }))
    }

    private func times(_ snapshot: IndexSnapshot) -> Piece {
        let times = snapshot.latency
        return ("p50 " + latency(times.median, glyphs) + " p99 " + latency(times.p99, glyphs), .plain)
    }

    /// p99 of the last seconds.
    private func bars(_ snapshot: IndexSnapshot) -> [Piece] {
        let width = layout.kind == .wide ? min(40, max(8, frame.size.columns - 100)) : 8
        guard !snapshot.latencyHistory.isEmpty else { return [] }
        return [(" ", .plain), sparkline(snapshot.latencyHistory.suffix(width).map(\.p99), width)]
    }

    /// Memory, CPU and loops.
    private func process(_ snapshot: IndexSnapshot) -> [Piece] {
        var pieces: [Piece] = []
        if let resident = snapshot.residentBytes { pieces.append(("mem " + bytes(resident), .plain)) }
        if let load = state.trend.load { pieces.append(("cpu " + percent(load), .plain)) }
        if snapshot.loops > 1, layout.kind == .wide, frame.size.columns >= 112 {
            pieces.append((compact(snapshot.loops) + " loops", .plain))
        }
        return dotted(pieces)
    }

    // MARK: What an operator must not miss

    /// In words, whatever the colours.
    func alerts(_ snapshot: IndexSnapshot) -> [Piece] {
        snapshot.store.state == .ready ? limits(snapshot) : Array(store(snapshot.store).prefix(1)) + limits(snapshot)
    }

    /// Sources that were limited in the last minute.
    private func limits(_ snapshot: IndexSnapshot) -> [Piece] {
        let lately = state.trend.lately { $0.counters.limited }
        guard lately > 0 else { return [] }
        let sources = state.trend.limitedSources
        let whom: DisplayText =
            sources == 0 ? compact(lately) + " requests" : sources == 1 ? "1 source" : "\(sources) sources"
        return [("LIMITING " + whom, Style(.yellow).adding(.bold))]
    }

    private func store(_ store: StoreHealth) -> [Piece] {
        switch store.state {
        case .loading(let rows): return [("loading " + grouped(rows) + " rows", Style(.yellow))]
        case .failing(let reason, _): return [("STORE FAILING: " + own(reason), Style(.red).adding(.reverse))]
        case .ready: break
        }
        var pieces: [Piece] = [(own(store.kind).truncated(to: 12, ascii: state.ascii) + " ok", .plain)]
        if store.rowsWritten > 0 {
            pieces.append((grouped(state.trend.perSecond(\.rowsWritten) ?? 0) + " rows/s", .plain))
        }
        if store.latency.count > 0 { pieces.append(("commit p99 " + latency(store.latency.p99, glyphs), .plain)) }
        if let size = store.bytes { pieces.append((bytes(size), .plain)) }
        if store.waiting > 0 { pieces.append((grouped(store.waiting) + " waiting", .plain)) }
        return dotted(pieces)
    }

    /// The newest notice, until it is put away.
    mutating func drawNotice(_ rect: Rect) {
        guard let notice = state.operatorNotice else { return }
        let more = (state.snapshot?.notices.count ?? 1) - 1
        let keys: DisplayText =
            layout.kind == .small ? "Esc" : "Esc dismiss  n all" + (more > 0 ? " (\(more + 1))" : "")
        line(
            rect.row, in: rect,
            left: [
                ("NOTICE ", Style(.yellow).adding(.bold)),
                (minute(notice.time) + " " + foreign(notice.text, ascii: state.ascii), Style(.yellow)),
            ], right: [(keys, .dim)])
    }
}
