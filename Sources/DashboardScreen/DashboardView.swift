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
    /// A text in one style.
    typealias Piece = (text: DisplayText, style: Style)

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
        if let relay = layout.relay { drawRelay(snapshot.relay, relay) }
        if let notice = layout.notice { drawNotice(notice) }
        drawRegistrations(snapshot)
        drawTraffic(snapshot)
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
        _ row: Int, in rect: Rect, left: [Piece], right: [Piece] = []
    ) {
        let rightWidth = right.reduce(0) { $0 + $1.text.columns }
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

    /// What a server says of itself.
    func own(_ text: String) -> DisplayText { foreign(text, style: .stripped, ascii: state.ascii) }

    var top: Rect { Rect(column: 0, row: 0, columns: frame.size.columns, rows: 1) }

    // MARK: Header

    private mutating func drawHeader() {
        let time = clock(state.now, offset: state.utcOffset)
        if layout.kind == .small {
            return line(0, in: top, left: [("index ", .bold)] + status(short: true), right: [(time, .plain)])
        }
        var left: [Piece] = [("parley-index ", .bold)]
        if layout.kind == .wide, let snapshot = state.snapshot {
            left.append((own(snapshot.server.version) + "  ", .plain))
        }
        left += status(short: layout.kind == .medium)
        if let server = state.snapshot?.server {
            let key = layout.kind == .wide ? server.key.map { "#" + $0 } ?? "" : ""
            left.append(("   udp " + own(server.listen + key), .plain))
            if layout.kind == .wide, let control = server.control {
                left.append((glyphs.dot + "ctl " + own(control), .plain))
            }
        }
        let day: DisplayText = layout.kind == .wide ? date(state.now, offset: state.utcOffset) + " " : .empty
        let every: DisplayText = (layout.kind == .wide ? "  every " : "  ") + interval(state.refreshInterval)
        line(0, in: top, left: left, right: [(day + time, .plain), (every, .dim)])
    }

    private func status(short: Bool) -> [Piece] {
        if let silence = state.silence {
            return [("no answer for \(silence) s", Style(.red, .reverse))]
        }
        guard let snapshot = state.snapshot else { return [("connecting", .dim)] }
        let up = short ? brief(snapshot.uptime) : uptime(snapshot.uptime)
        return [(short ? "RUN " : "RUNNING ", Style(.green, .bold)), (up, .plain)]
    }

    private mutating func drawTiny() {
        guard let snapshot = state.snapshot else {
            frame.put("parley-index", column: 0, row: 0)
            return
        }
        let alerts = alerts(snapshot).reduce(DisplayText.empty) { $0 + $1.text + " " }
        let text: DisplayText =
            state.silence.map { "no answer for \($0) s" }
            ?? alerts + "q " + compact(snapshot.queries.latest) + "/s peers " + compact(snapshot.use.total) + " err "
            + compact(snapshot.errors.latest) + "/s"
        frame.put(text.truncated(to: frame.size.columns, ascii: state.ascii), column: 0, row: 0)
    }
}
