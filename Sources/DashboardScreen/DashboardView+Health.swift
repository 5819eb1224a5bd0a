// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

extension Canvas {
    // MARK: Rates

    mutating func drawRates(_ snapshot: IndexSnapshot, _ rect: Rect) {
        switch layout.kind {
        case .small: drawSmallRates(snapshot, rect)
        case .medium, .tiny: drawMediumRates(snapshot, rect)
        case .wide: drawWideRates(snapshot, rect)
        }
    }

    private mutating func drawSmallRates(_ snapshot: IndexSnapshot, _ rect: Rect) {
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
    }

    private mutating func drawMediumRates(_ snapshot: IndexSnapshot, _ rect: Rect) {
        line(
            rect.row, in: rect,
            left: [
                (glyphs.number(.rates), .dim), rate("queries", snapshot.queries), gap, bars(snapshot.queries, 12),
                wideGap, rate("reg", snapshot.registrations), wideGap, rate("err", snapshot.errors), wideGap,
                rate("keep", snapshot.keepalives),
            ], right: peak(snapshot.queries))
    }

    private mutating func drawWideRates(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let width = min(24, max(8, (rect.columns - 84) / 3))
        line(
            rect.row, in: rect,
            left: [
                (glyphs.number(.rates) + "rates  ", .dim), rate("queries", snapshot.queries), gap,
                bars(snapshot.queries, width), wideGap, rate("reg", snapshot.registrations), gap,
                bars(snapshot.registrations, width / 2), wideGap, rate("err", snapshot.errors), gap,
                bars(snapshot.errors, width / 2), wideGap, rate("keep", snapshot.keepalives),
            ], right: peak(snapshot.queries))
    }

    private var gap: Piece { (" ", .plain) }
    private var wideGap: Piece { ("  ", .plain) }

    private func rate(_ name: DisplayText, _ series: RateSeries) -> Piece {
        (name + " " + compact(series.latest) + "/s", .plain)
    }

    private func bars(_ series: RateSeries, _ width: Int) -> Piece { sparkline(series.perSecond, width) }

    private func peak(_ series: RateSeries) -> [Piece] {
        series.peak.map { [("peak " + compact($0.perSecond) + "/s " + minute($0.time), .dim)] } ?? []
    }

    private func sparkline(_ values: [UInt32], _ width: Int) -> Piece {
        (Sparkline.text(values, width: width, ascii: state.ascii), Style(.cyan))
    }

    private func minute(_ time: WallTime) -> DisplayText {
        DisplayText(String(clock(time, offset: state.utcOffset).string.prefix(5)))
    }

    // MARK: Health

    mutating func drawHealth(_ snapshot: IndexSnapshot, _ rect: Rect) {
        switch (layout.kind, rect.rows) {
        case (.small, _): drawSmallHealth(snapshot, rect)
        case (_, 1): drawHealthLine(snapshot, rect)
        case (.wide, 3...): drawWideHealth(snapshot, rect)
        default: drawMediumHealth(snapshot, rect)
        }
    }

    private mutating func drawSmallHealth(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let errors: Piece = ("err " + compact(snapshot.errors.latest) + "/s", .plain)
        let drops = count("drop", snapshot.counters, \.receiveDrops)
        line(rect.row, in: rect, left: dotted(alerts(snapshot) + [errors, drops, denied(snapshot.counters)]))
    }

    private mutating func drawHealthLine(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let counters = snapshot.counters
        let times = dotted(alerts(snapshot) + [times(snapshot)]) + bars(snapshot)
        let counts = [
            drops(counters), denied(counters), malformed(counters), limited(counters), unready(counters),
        ]
        line(
            rect.row, in: rect, left: [healthHead] + times + dotted(counts, after: true), right: process(snapshot))
    }

    private mutating func drawMediumHealth(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let counters = snapshot.counters
        let counts = [
            drops(counters), denials(counters), malformed(counters), limited(counters), unready(counters),
        ]
        line(
            rect.row, in: rect,
            left: [healthHead, times(snapshot)] + bars(snapshot) + dotted(limits(snapshot) + counts, after: true))
        let indent = DisplayText(" ").repeated(healthHead.text.columns)
        line(rect.row + 1, in: rect, left: [(indent, .plain)] + store(snapshot.store), right: process(snapshot))
    }

    private mutating func drawWideHealth(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let counters = snapshot.counters
        let indent: Piece = ("        ", .plain)
        let faults = limits(snapshot) + [drops(counters), malformed(counters)]
        line(
            rect.row, in: rect, left: [healthHead, times(snapshot)] + bars(snapshot) + dotted(faults, after: true),
            right: process(snapshot))
        line(rect.row + 1, in: rect, left: [indent] + store(snapshot.store))
        let totals: [Piece] = [
            ("key " + grouped(snapshot.use.keyed) + " seed " + grouped(snapshot.use.seeds), .plain),
            ("hit " + grouped(counters.hits) + " miss " + grouped(counters.misses), .plain),
        ]
        let refused = [denials(counters), limited(counters), unready(counters)]
        line(rect.row + 2, in: rect, left: [indent] + dotted(refused + totals))
    }

    private var healthHead: Piece {
        (glyphs.number(.health) + (layout.kind == .wide ? "health " : ""), .dim)
    }

    private func drops(_ counters: IndexCounters) -> Piece { count("drops", counters, \.receiveDrops) }
    private func denied(_ counters: IndexCounters) -> Piece { count("denied", counters, \.denied) }
    private func limited(_ counters: IndexCounters) -> Piece { count("limited", counters, \.limited) }
    private func unready(_ counters: IndexCounters) -> Piece { count("unready", counters, \.unready) }
    private func malformed(_ counters: IndexCounters) -> Piece {
        count("malformed", counters) { $0.malformed &+ $0.ignored }
    }

    /// Those denied, and mostly for what.
    private func denials(_ counters: IndexCounters) -> Piece {
        let denied = denied(counters)
        return (denied.text + reason(counters), denied.style)
    }

    private func count(
        _ name: DisplayText, _ counters: IndexCounters, _ value: (IndexCounters) -> UInt64
    ) -> Piece {
        count(name, value(counters)) { value($0.counters) }
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
