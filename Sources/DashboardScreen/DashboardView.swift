// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
public import TerminalKit

extension Dashboard {
    /// The whole screen.
    public static func view(_ state: DashboardState, size: Size) -> Frame {
        var state = state
        state.size = size
        var canvas = Canvas(state: state)
        canvas.draw()
        return canvas.frame
    }
}

/// Draws one frame.
struct Canvas {
    let state: DashboardState
    let layout: DashboardLayout
    let glyphs: Glyphs
    var frame: Frame

    init(state: DashboardState) {
        self.state = state
        layout = state.layout
        glyphs = Glyphs(ascii: state.ascii)
        frame = Frame(size: state.size)
    }

    mutating func draw() {
        guard layout.kind != .tiny else { return drawTiny() }
        drawHeader()
        guard let snapshot = state.snapshot else {
            frame.put("waiting for the server's first answer", column: 1, row: 1, style: .dim)
            return drawFooter()
        }
        if let rates = layout.rates { drawRates(snapshot, rates) }
        if let health = layout.health { drawHealth(snapshot, health) }
        drawRegistrations(snapshot)
        drawQueries()
        drawSeparator()
        if state.silence != nil {
            let stale = Rect(column: 0, row: 1, columns: frame.size.columns, rows: max(0, frame.size.rows - 2))
            frame.restyle(stale) { $0.adding(.dim) }
        }
        drawFooter()
        drawOverlay()
    }

    // MARK: Lines

    /// Puts a text to the left and one to the right; the left one gives way.
    mutating func line(
        _ row: Int, in rect: Rect, left: [(DisplayText, Style)], right: [(DisplayText, Style)] = []
    ) {
        let rightWidth = right.reduce(0) { $0 + $1.0.columns }
        var column = rect.column + 1
        let limit = rect.endColumn - (rightWidth > 0 ? rightWidth + 2 : 0)
        for (text, style) in left {
            let room = limit - column
            guard room > 0 else { break }
            frame.put(text.truncated(to: room, ascii: state.ascii), column: column, row: row, style: style)
            column += text.columns
        }
        column = max(rect.column, rect.endColumn - rightWidth - 1)
        for (text, style) in right {
            frame.put(text, column: column, row: row, style: style, limit: max(0, rect.endColumn - column))
            column += text.columns
        }
    }

    var top: Rect { Rect(column: 0, row: 0, columns: frame.size.columns, rows: 1) }

    // MARK: Header and counters

    private mutating func drawHeader() {
        let time = clock(state.now, offset: state.utcOffset)
        if layout.kind == .small {
            return line(0, in: top, left: [("index ", .bold)] + status(short: true), right: [(time, .plain)])
        }
        var left: [(DisplayText, Style)] = [("parley-index ", .bold)]
        if layout.kind == .wide, let snapshot = state.snapshot {
            left.append((DisplayText(snapshot.server.version, style: .stripped) + "  ", .plain))
        }
        left += status(short: layout.kind == .medium)
        if let server = state.snapshot?.server {
            let key = layout.kind == .wide ? server.key.map { "#" + $0 } ?? "" : ""
            left.append(("   udp " + DisplayText(server.listen + key, style: .stripped), .plain))
            if layout.kind == .wide, let control = server.control {
                left.append((glyphs.dot + "ctl " + DisplayText(control, style: .stripped), .plain))
            }
        }
        let day: DisplayText = layout.kind == .wide ? date(state.now, offset: state.utcOffset) + " " : .empty
        let every: DisplayText = (layout.kind == .wide ? "  every " : "  ") + interval(state.refreshInterval)
        line(0, in: top, left: left, right: [(day + time, .plain), (every, .dim)])
    }

    private func status(short: Bool) -> [(DisplayText, Style)] {
        if let silence = state.silence {
            return [("no answer for \(silence) s", Style(.red, .reverse))]
        }
        guard let snapshot = state.snapshot else { return [("connecting", .dim)] }
        let up = short ? brief(snapshot.uptime) : uptime(snapshot.uptime)
        return [(short ? "RUN " : "RUNNING ", Style(.green, .bold)), (up, .plain)]
    }

    private func sparkline(_ series: RateSeries, _ width: Int) -> (DisplayText, Style) {
        (Sparkline.text(series.perSecond, width: width, ascii: state.ascii), Style(.cyan))
    }

    private mutating func drawRates(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let queries: (DisplayText, Style) = ("queries \(snapshot.queries.latest)/s ", .plain)
        let peak: [(DisplayText, Style)] =
            snapshot.queries.peak.map {
                [("peak \($0.perSecond)/s " + minute($0.time), .dim)]
            } ?? []
        switch layout.kind {
        case .small:
            line(
                rect.row, in: rect,
                left: [
                    ("peers \(snapshot.use.total)", .bold),
                    ("  key \(snapshot.use.keyed) seed \(snapshot.use.seeds)", .dim),
                ],
                right: [("reg \(snapshot.registrations.latest)/s", .plain)])
            line(
                rect.row + 1, in: rect,
                left: [("qps \(snapshot.queries.latest) ", .plain), sparkline(snapshot.queries, 12)],
                right: [("p99 " + latency(snapshot.latency.p99, glyphs), .plain)])
        case .medium, .tiny:
            line(
                rect.row, in: rect,
                left: [
                    (glyphs.number(.rates), .dim), queries, sparkline(snapshot.queries, 12),
                    ("  reg \(snapshot.registrations.latest)/s", .plain), ("  err \(snapshot.errors.latest)/s", .plain),
                    ("  keep \(snapshot.keepalives.latest)/s", .plain),
                ], right: peak)
        case .wide:
            let width = min(24, max(8, (rect.columns - 84) / 3))
            line(
                rect.row, in: rect,
                left: [
                    (glyphs.number(.rates) + "rates  ", .dim), queries, sparkline(snapshot.queries, width),
                    ("  reg \(snapshot.registrations.latest)/s ", .plain), sparkline(snapshot.registrations, width / 2),
                    ("  err \(snapshot.errors.latest)/s ", .plain), sparkline(snapshot.errors, width / 2),
                    ("  keep \(snapshot.keepalives.latest)/s", .plain),
                ], right: peak)
        }
    }

    private func minute(_ time: WallTime) -> DisplayText {
        DisplayText(String(clock(time, offset: state.utcOffset).string.prefix(5)))
    }

    private mutating func drawHealth(_ snapshot: IndexSnapshot, _ rect: Rect) {
        let counters = snapshot.counters
        func warned(_ name: DisplayText, _ count: UInt64) -> (DisplayText, Style) {
            (name + " \(count)", count > 0 ? Style(.yellow) : .plain)
        }
        let dot = (glyphs.dot, Style.dim)
        if layout.kind == .small {
            return line(
                rect.row, in: rect,
                left: [
                    ("err \(snapshot.errors.latest)/s", .plain), dot, warned("drop", counters.receiveDrops), dot,
                    warned("denied", counters.denied),
                ])
        }
        let times: DisplayText =
            "p50 " + latency(snapshot.latency.median, glyphs) + " p99 " + latency(snapshot.latency.p99, glyphs)
        var left: [(DisplayText, Style)] = [
            (glyphs.number(.health) + (layout.kind == .wide ? "health " : ""), .dim), (times, .plain), dot,
            warned("drops", counters.receiveDrops), dot, warned("denied", counters.denied), dot,
            warned("malformed", counters.malformed &+ counters.ignored),
        ]
        if layout.kind == .wide {
            left += [dot, ("key \(snapshot.use.keyed) seed \(snapshot.use.seeds)", .plain)]
            left += [dot, ("hit \(counters.hits) miss \(counters.misses)", .plain)]
        }
        line(rect.row, in: rect, left: left, right: snapshot.residentBytes.map { [(megabytes($0), .plain)] } ?? [])
    }

    private mutating func drawTiny() {
        guard let snapshot = state.snapshot else {
            frame.put("parley-index", column: 0, row: 0)
            return
        }
        let text: DisplayText =
            state.silence.map { "no answer for \($0) s" }
            ?? "q \(snapshot.queries.latest)/s peers \(snapshot.use.total) err \(snapshot.errors.latest)/s"
        frame.put(text.truncated(to: frame.size.columns, ascii: state.ascii), column: 0, row: 0)
    }
}
