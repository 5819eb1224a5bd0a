// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

/// Boxes over the lists.
extension Canvas {
    /// One line of a box: a text, wrapped where it is too long, or a row of pieces, which is cut.
    private enum Line {
        case text(DisplayText, Style)
        case row(StyledText)

        static let gap = Line.text(.empty, .plain)
    }

    mutating func drawOverlay() {
        switch state.overlay {
        case nil: break
        case .confirmQuit: drawBox("quit", questionLines)
        case .help: drawBox("keys", helpLines)
        case .sortMenu(let index): drawBox("sort by", sortLines(index))
        case .details: drawBox(state.inspection?.entry == nil ? "registration" : "query", detailLines)
        case .history: drawBox("the last \(RateSeries.shown) seconds", historyLines)
        case .notices: drawBox("notices", noticeLines)
        }
    }

    /// Lines that do not fit into the box which scrolls.
    var boxOverflow: Int {
        let lines: [Line] =
            switch state.overlay {
            case .help: helpLines
            case .details: detailLines
            case .notices: noticeLines
            default: []
            }
        return max(0, folded(lines).count - boxHeight)
    }

    /// The most lines of text in a box.
    private var boxHeight: Int { max(0, frame.size.rows - 3) }
    private var boxRoom: Int { max(2, frame.size.columns - 4) }

    private func folded(_ lines: [Line]) -> [StyledText] {
        lines.flatMap { line in
            switch line {
            case .text(let text, let style): text.wrapped(to: boxRoom).map { StyledText($0, style) }
            case .row(let row): [row]
            }
        }
    }

    /// A frame in the middle, as large as its text if the screen allows; else it says how much is above and below.
    private mutating func drawBox(_ name: DisplayText, _ text: [Line]) {
        let all = folded(text)
        let above = min(state.boxTop, max(0, all.count - boxHeight))
        let lines = all.dropFirst(above).prefix(boxHeight)
        let below = all.count - above - lines.count
        let widest = all.map(\.columns).max() ?? 0
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
        let title = " " + name + (above > 0 ? glyphs.dot + "\(above) above" : "") + " "
        frame.put(title, column: rect.column + 2, row: rect.row, style: .bold, limit: max(0, columns - 3))
        if below > 0 {
            frame.put(
                " \(below) more below ", column: rect.column + 2, row: rect.endRow - 1, style: .bold,
                limit: max(0, columns - 3))
        }
        for (number, line) in lines.enumerated() {
            frame.put(line, column: rect.column + 2, row: rect.row + 1 + number, limit: max(0, columns - 4))
        }
    }

    // MARK: Questions and help

    private var questionLines: [Line] {
        let peers = state.snapshot?.use.total ?? 0
        return [
            .text("Stop the index server?", .bold), .gap,
            .text(peers == 1 ? "1 peer is registered." : grouped(peers) + " peers are registered.", .plain),
            .text("Who talks now goes on talking.", .plain), .gap, .text("y stop    Esc go on", .bold),
        ]
    }

    private func sortLines(_ index: Int) -> [Line] {
        RowSort.allCases.enumerated().map { number, sort in
            .text(
                (number == index ? glyphs.mark : " ") + sort.title.fitted(to: 12), number == index ? .reverse : .plain)
        }
    }

    private var helpLines: [Line] {
        let keys: [(DisplayText, DisplayText)] = [
            ("Up Down j k", "move; PgUp PgDn, Ctrl+U Ctrl+D, Home End g G"),
            ("Tab", "the other list"),
            ("1 2 3 4", "show or hide a panel"),
            ("v", "panel 4: queries, results, sources, relayed pairs"),
            ("h", "latency and rates of the last two minutes"),
            ("Enter", "details of the selected row"),
            ("Esc", "back: box, notice, filter, selection, pause"),
            ("n", "all notices"),
            ("/", "filter registrations; ! in front inverts"),
            ("s < > r", "sort: menu, column, reverse"),
            ("p Space", "pause the lists, and go on"),
            ("+ -", "refresh faster, slower"),
            ("y", "copy the selected UUID"),
            ("w", "save what is known as JSON, masked as shown"),
            ("x", "show whole addresses and pairs, or mask them"),
            ("m", "mouse wheel on or off"),
            ("Ctrl+L", "draw everything anew"),
            ("q", state.role == .server ? "stop the server, after a question" : "close this view; the server runs on"),
        ]
        return keys.map { (key, text) in .text(key.fitted(to: 12) + " " + text, .plain) }
    }

    private var noticeLines: [Line] {
        guard let notices = state.snapshot?.notices, !notices.isEmpty else {
            return [.text("the server has nothing to say", .dim)]
        }
        return notices.map { notice in
            .text(
                date(notice.time, offset: state.utcOffset) + " " + clock(notice.time, offset: state.utcOffset) + "  "
                    + foreign(notice.text, ascii: state.ascii), .plain)
        }
    }

    // MARK: Details

    private var detailLines: [Line] {
        guard let inspection = state.inspection else { return [] }
        var lines = inspection.entry.map(entryLines) ?? []
        guard let peer = inspection.peer else { return lines }
        if !lines.isEmpty { lines.append(.gap) }
        let row = inspection.detail.map(\.row) ?? inspection.row
        lines.append(field("uuid", DisplayText(peer.description)))
        lines.append(
            field("kind", peer.isKeyed ? "key: the UUID is the key's hash" : "seed: plaintext, nothing is proven"))
        if let row {
            lines += rowLines(row)
        } else {
            lines.append(field("address", inspection.detail == nil ? "asking the server" : "not registered now"))
        }
        if let detail = inspection.detail {
            let size = detail.record.count
            lines.append(field("record", size == 0 ? "none" : grouped(size) + " bytes, signed"))
        }
        return lines + [.gap] + historyOfPeer(peer, inspection.detail)
    }

    private func field(_ name: DisplayText, _ value: DisplayText) -> Line { .text(name.fitted(to: 10) + value, .plain) }

    private func rowLines(_ row: RegistrationRow) -> [Line] {
        let left = brief(row.expires, spaced: true)
        var lines = [
            field("address", row.address.shown(unmasked: state.unmasked)),
            field("age", brief(row.age, spaced: true)),
            field(
                "lease",
                glyphs.gauge(row.leaseLeft, width: 12) + " ends in " + left + " of " + brief(row.lease, spaced: true)),
        ]
        if let sequence = row.sequence {
            let issued = Int64(exactly: sequence).map { " (\(WallTime(milliseconds: $0).rfc3339))" } ?? ""
            lines.append(field("sequence", "\(sequence)" + DisplayText(issued)))
        }
        return lines
    }

    /// From the server or, until it has answered, from what came by here.
    private func historyOfPeer(_ peer: PeerID, _ detail: PeerDetail?) -> [Line] {
        let entries =
            detail?.queries
            ?? Array(state.shownFeed.reversed().lazy.filter { $0.event.target == .peer(peer) }.prefix(20))
        guard !entries.isEmpty else { return [.text("nothing about it lately", .dim)] }
        return [.text("lately, newest first:", .dim)]
            + entries.map { entry in
                let style = entry.event.result.isError ? Style(.red) : .plain
                return layout.kind == .small ? .text(short(entry), style) : .row(StyledText(long(entry), style))
            }
    }

    private func long(_ entry: FeedEntry) -> DisplayText {
        let event = entry.event
        return preciseClock(event.time, offset: state.utcOffset) + " " + event.operation.letters.fitted(to: 5)
            + event.result.words.fitted(to: 22, ascii: state.ascii)
            + (digits(entry.microseconds, room: 6) + " " + glyphs.micro).fitted(to: 9, alignRight: true) + "  "
            + event.source.shownAddress(unmasked: state.unmasked)
    }

    private func short(_ entry: FeedEntry) -> DisplayText {
        let event = entry.event
        return clock(event.time, offset: state.utcOffset) + " " + event.operation.letters + " " + event.result.words
            + " " + digits(entry.microseconds, room: 5) + glyphs.micro + " "
            + event.source.shownAddress(unmasked: state.unmasked)
    }

    private func entryLines(_ entry: FeedEntry) -> [Line] {
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

    // MARK: History

    private var historyLines: [Line] {
        guard let snapshot = state.snapshot else { return [] }
        func time(_ microseconds: UInt32) -> DisplayText { latency(.microseconds(Int(microseconds)), glyphs) }
        func rate(_ count: UInt32) -> DisplayText { compact(count) + "/s" }
        let history = snapshot.latencyHistory.suffix(RateSeries.shown)
        let charts: [(name: DisplayText, values: [UInt32], unit: (UInt32) -> DisplayText)] = [
            ("p99", history.map(\.p99), time), ("p50", history.map(\.median), time),
            ("qps", snapshot.queries.perSecond, rate), ("reg", snapshot.registrations.perSecond, rate),
            ("err", snapshot.errors.perSecond, rate),
        ]
        let height = max(1, min(4, (boxHeight - 1) / charts.count))
        let scale = 8
        var columns = 0
        var lines: [Line] = []
        for (name, values, unit) in charts {
            let chart = Chart(
                values, samples: RateSeries.shown, room: boxRoom - 5 - scale, height: height, ascii: state.ascii)
            columns = chart.columns
            for (number, bars) in chart.rows.enumerated() {
                let isTop = number == 0
                var row = StyledText(isTop ? name.fitted(to: 4) : DisplayText(" ").repeated(4), .bold)
                let mark: DisplayText = isTop ? unit(chart.top) : number == height - 1 ? "0" : .empty
                row.append(mark.fitted(to: scale, alignRight: true, ascii: state.ascii), .dim)
                row.append(glyphs.axis, .dim)
                row.append(bars, Style(.cyan))
                lines.append(.row(row))
            }
        }
        return lines + [.row(timeAxis(indent: 5 + scale, columns: columns))]
    }

    private func timeAxis(indent: Int, columns: Int) -> StyledText {
        let (start, middle, end): (DisplayText, DisplayText, DisplayText) = (
            "-\(RateSeries.shown) s", "-\(RateSeries.shown / 2) s", "now"
        )
        let gap = DisplayText(" ")
        let left = max(1, columns / 2 - start.columns)
        let right = max(1, columns - start.columns - left - middle.columns - end.columns)
        let text = gap.repeated(indent) + start + gap.repeated(left) + middle + gap.repeated(right) + end
        return StyledText(text, .dim)
    }
}

extension RateSeries {
    /// Seconds of the history.
    fileprivate static let shown = 120
}
