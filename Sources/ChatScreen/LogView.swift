// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// A log as rows of a given width. It breaks only the messages it is asked for, so what it costs depends on the screen
/// and not on the length of the history.
struct LogView {
    private let conversation: Conversation
    private let glyphs: Glyphs
    private let offset: Int
    private let kind: Layout.Kind
    private let width: Int
    private let longDates: Bool
    private let peerName: DisplayText
    private let nameColumns: Int
    /// The message picked out, or found by a search.
    private let highlighted: MessageKey?
    /// The newest message that waits, that failed, and that nobody confirmed: theirs are the reasons that matter.
    private let explained: Set<MessageKey>
    /// How far back those are looked for, in entries.
    private static let reach = 200

    init(_ state: ChatState, _ conversation: Conversation, layout: Layout) {
        self.conversation = conversation
        glyphs = state.glyphs
        offset = state.offset
        kind = layout.kind
        // A margin of one column at either side.
        width = max(2, layout.log.columns - (layout.kind == .wide ? 2 : 0))
        longDates = layout.size.columns >= 100
        let limit = max(4, min(16, layout.size.columns / 6))
        peerName = DisplayText(conversation.contact.label, style: .stripped).truncated(to: limit, ascii: glyphs.ascii)
        nameColumns = max(peerName.columns, 2)
        highlighted = conversation.peer == state.current ? state.selection?.key ?? state.marked : nil
        let recent = conversation.log.range.suffix(Self.reach).reversed().lazy.compactMap {
            conversation.log[$0]?.message
        }
        explained = Set(
            [\Message.isWaiting, \.hasFailed, \.isUnconfirmed].compactMap { kind in
                recent.first { $0[keyPath: kind] }.map { MessageKey($0) }
            })
    }

    private var log: LogWindow<LogEntry> { conversation.log }
    private var newest: LogAnchor { LogAnchor(sequence: log.end - 1, below: 0) }

    /// A place as the conversation keeps it: the end of a log that goes on is no bottom.
    private func kept(_ anchor: LogAnchor) -> LogAnchor? {
        anchor == newest && conversation.reachesEnd ? nil : anchor
    }

    // MARK: Places

    /// The place so many rows up, but not beyond the first screenful; `nil` is the bottom.
    func moved(up rows: Int, height: Int) -> LogAnchor? {
        let from = clamped(conversation.anchor ?? newest)
        // One row belongs to the bar that says how much is newer.
        let window = max(1, height - 1)
        var above = -from.below
        var sequence = from.sequence
        while sequence >= log.start, above < rows + height {
            above += self.rows(sequence).count
            sequence -= 1
        }
        if conversation.anchor == nil, above <= height { return nil }
        var anchor = from
        anchor.below += max(0, min(rows, above - window))
        while anchor.sequence > log.start {
            let count = self.rows(anchor.sequence).count
            guard anchor.below >= count else { break }
            anchor.below -= count
            anchor.sequence -= 1
        }
        return kept(anchor)
    }

    /// The place so many rows down; `nil` is the bottom.
    func moved(down rows: Int) -> LogAnchor? {
        guard let start = conversation.anchor else { return nil }
        var anchor = clamped(start)
        anchor.below -= rows
        while anchor.below < 0 {
            anchor.sequence += 1
            guard anchor.sequence < log.end else { return kept(newest) }
            anchor.below += self.rows(anchor.sequence).count
        }
        return kept(anchor)
    }

    /// The place where an entry and what follows it take so many rows; `nil`, the bottom, if they take fewer.
    func anchor(showing sequence: Int, rowsBelow: Int) -> LogAnchor? {
        var last = max(sequence, log.start)
        var total = 0
        while last < log.end {
            total += rows(last).count
            if total >= rowsBelow { return kept(LogAnchor(sequence: last, below: total - max(1, rowsBelow))) }
            last += 1
        }
        return kept(newest)
    }

    /// The place nearest to the present one where an entry is in sight.
    func anchor(keeping sequence: Int, height: Int) -> LogAnchor? {
        let bottom = clamped(conversation.anchor ?? newest)
        guard sequence < bottom.sequence else { return kept(LogAnchor(sequence: sequence, below: 0)) }
        var total = -bottom.below
        for number in (sequence...bottom.sequence) where total <= height { total += rows(number).count }
        return total <= height ? conversation.anchor : anchor(showing: sequence, rowsBelow: height)
    }

    /// The rows that fit above a place, the lowest last.
    func visible(height: Int) -> [StyledText] {
        guard height > 0 else { return [] }
        let anchor = clamped(conversation.anchor ?? newest)
        var found: [StyledText] = []
        var sequence = anchor.sequence
        while sequence >= log.start, found.count < height {
            var rows = rows(sequence)
            if sequence == anchor.sequence { rows.removeLast(min(anchor.below, max(0, rows.count - 1))) }
            found.append(contentsOf: rows.reversed())
            sequence -= 1
        }
        return found.prefix(height).reversed()
    }

    /// How many entries are below the view.
    var newer: Int { conversation.anchor.map { max(0, log.end - 1 - clamped($0).sequence) } ?? 0 }

    private func clamped(_ anchor: LogAnchor) -> LogAnchor {
        guard anchor.sequence >= log.start else { return LogAnchor(sequence: log.start, below: 0) }
        return anchor.sequence < log.end ? anchor : newest
    }

    // MARK: Rows

    private func rows(_ sequence: Int) -> [StyledText] {
        guard let entry = log[sequence] else { return [] }
        let previous = log[sequence - 1]
        var rows: [StyledText] = []
        if sequence == log.start, !conversation.reachesStart, conversation.pending != nil {
            rows.append(rule("reading older messages"))
        }
        if let day = newDay(entry, after: previous) { rows.append(rule(day)) }
        if let unread = conversation.rule, let first = unread.first, unread.count > 0, entry.message?.id == first {
            rows.append(rule(words(unread), style: Style(.yellow, on: .standard, .bold)))
        }
        switch entry {
        case .message(let message):
            let lines = messageRows(message, after: rows.isEmpty ? previous : nil)
            rows += MessageKey(message) == highlighted ? lines.map(reversed) : lines
        case .note(let text, let time, let count): rows += noteRows(text, time, count)
        }
        return rows
    }

    private func newDay(_ entry: LogEntry, after previous: LogEntry?) -> String? {
        guard kind != .bare, let time = entry.time?.civil(offset: offset) else { return nil }
        if let before = previous?.time?.civil(offset: offset),
            (before.year, before.month, before.day) == (time.year, time.month, time.day)
        {
            return nil
        }
        return time.day(long: longDates)
    }

    private func words(_ rule: UnreadRule) -> String {
        guard kind == .wide, let since = rule.since else { return "\(rule.count) new" }
        return "\(rule.count) new since \(since.civil(offset: offset).clock)"
    }

    private func rule(_ text: String, style: Style = .dim) -> StyledText {
        let label = DisplayText(" \(text) ").truncated(to: max(0, width - 4), ascii: glyphs.ascii)
        let line = DisplayText(glyphs(.horizontal))
        let left = kind == .narrow ? 2 : (width - label.columns) / 2
        var row = StyledText(line.repeated(left), style)
        row.append(label, style)
        row.append(line.repeated(width - left - label.columns), style)
        return row
    }

    private func noteRows(_ text: String, _ time: WallTime?, _ count: Int) -> [StyledText] {
        let times = count > 1 ? " (\(count) times)" : ""
        var prefix = StyledText()
        if kind == .wide { prefix.append(DisplayText((time?.civil(offset: offset).clock ?? "     ") + " "), .dim) }
        prefix.append(DisplayText(glyphs(.dash) + " "), .dim)
        let lines = DisplayText(text + times).wrapped(to: width - prefix.columns)
        return indented(lines.map { StyledText($0, .dim) }, behind: prefix, by: prefix.columns)
    }

    private func messageRows(_ message: Message, after previous: LogEntry?) -> [StyledText] {
        let prefix = prefix(message, after: previous)
        let indent = kind == .bare ? 0 : prefix.columns
        let room = max(2, width - indent)
        var lines: [StyledText] = []
        for line in message.text.split(omittingEmptySubsequences: false, whereSeparator: \.isLineBreak) {
            lines += DisplayText(line.expandingTabs).wrapped(to: room).map { StyledText($0) }
        }
        var rows = indented(lines, behind: prefix, by: indent)
        trail(message, after: previous, room: room, indent: indent, onto: &rows)
        return rows
    }

    private func reversed(_ row: StyledText) -> StyledText {
        var out = StyledText()
        // One plain bar: colours and dimming would break it into pieces.
        for span in row.spans { out.append(span.text, Style(.standard, on: .standard, [.reverse])) }
        out.append(DisplayText(" ").repeated(width - row.columns), .reverse)
        return out
    }

    private func indented(_ lines: [StyledText], behind prefix: StyledText, by indent: Int) -> [StyledText] {
        lines.enumerated().map { number, line in
            var row = number == 0 ? prefix : StyledText(DisplayText(" ").repeated(indent))
            for span in line.spans { row.append(span.text, span.style) }
            return row
        }
    }

    /// Time, state and name: the gutter.
    private func prefix(_ message: Message, after previous: LogEntry?) -> StyledText {
        let mine = message.direction == .outgoing
        let name = mine ? "me" : peerName
        let nameStyle: Style = mine ? .bold : Style(.cyan, on: .standard, .bold)
        let state = mine ? glyphs.state(message.state) : " "
        let stateStyle: Style = message.state == .failed ? Style(.red, on: .standard, .bold) : .dim
        var row = StyledText()
        switch kind {
        case .wide:
            row.append(DisplayText(startsGroup(message, after: previous) ? clock(message) : "     "), .dim)
            row.append(DisplayText(" ") + DisplayText(state).fitted(to: 2) + " ", stateStyle)
            row.append(name.fitted(to: nameColumns + 2), nameStyle)
        case .narrow:
            row.append(name.fitted(to: nameColumns + 1), nameStyle)
            let mark = message.secure ? " " : glyphs(.problem)
            row.append(DisplayText(state).fitted(to: 2) + DisplayText(mark + " "), stateStyle)
        case .bare, .tooSmall:
            row.append(name + ": ", nameStyle)
        }
        return row
    }

    private func clock(_ message: Message) -> String { message.received.civil(offset: offset).clock }

    /// When its author says it was written, if that is a minute or more away from its arrival.
    private func written(_ message: Message) -> String? {
        guard message.direction == .incoming, let created = message.created,
            abs(created.milliseconds - message.received.milliseconds) >= 60_000
        else { return nil }
        let (then, here) = (created.civil(offset: offset), message.received.civil(offset: offset))
        let isSameDay = (then.year, then.month, then.day) == (here.year, here.month, here.day)
        return "written " + (isSameDay ? "" : then.day(long: then.year != here.year) + " ") + then.clock
    }

    private func startsGroup(_ message: Message, after previous: LogEntry?) -> Bool {
        guard let previous = previous?.message else { return true }
        return previous.direction != message.direction || clock(previous) != clock(message)
    }

    /// The words behind a message: what became of it, and whether it travelled in the open.
    private func trail(
        _ message: Message, after previous: LogEntry?, room: Int, indent: Int, onto rows: inout [StyledText]
    ) {
        let words = DisplayText(trailWords(message, after: previous))
        guard !words.isEmpty, let last = rows.last else { return }
        let style: Style = message.state == .failed ? Style(.red) : .dim
        if last.columns + 2 + words.columns <= width {
            rows[rows.count - 1].pad(to: width - words.columns)
            rows[rows.count - 1].append(words, style)
        } else if kind == .wide || explained.contains(MessageKey(message)) {
            let lines = words.wrapped(to: room)
            for line in lines {
                // One line stands at the right like the others' words; several read from the left.
                var row = StyledText(DisplayText(" ").repeated(lines.count > 1 ? indent : width - line.columns))
                row.append(line, style)
                rows.append(row)
            }
        }
    }

    /// What to do about a message that failed.
    private var remedy: String { kind == .wide && width >= 90 ? "Alt+S: r retry, x delete" : "/retry" }

    private func trailWords(_ message: Message, after previous: LogEntry?) -> String {
        guard kind != .bare else { return "" }
        var words: [String] = []
        if message.direction == .outgoing {
            let isExplained = explained.contains(MessageKey(message))
            switch message.state {
            case .queued:
                let reason = isExplained ? message.reason ?? conversation.pathReason : nil
                return "(waiting\(reason.map { ": " + $0 } ?? ""))"
            case .failed:
                let reason = message.reason.map { ": " + $0 } ?? ""
                return "(" + glyphs.joined(["not sent\(reason)"] + (isExplained ? [remedy] : [])) + ")"
            case .sent where isExplained && conversation.isUnreachable:
                return "(sent, not confirmed\(conversation.pathReason.map { ": " + $0 } ?? ""))"
            case .sent, .delivered, .read: if kind == .wide { words.append(message.state.rawValue) }
            }
        }
        if kind == .wide, let written = written(message) { words.append(written) }
        if kind == .wide, !message.secure { words.append("plain") }
        if kind == .narrow, startsGroup(message, after: previous) { words.append(clock(message)) }
        return glyphs.joined(words)
    }
}

extension Character {
    /// A line break that a message may hold; what else breaks lines is shown as the control that it is.
    fileprivate var isLineBreak: Bool { self == "\n" || self == "\r\n" }
}

extension Substring {
    fileprivate var expandingTabs: String {
        guard utf8.contains(9) else { return String(self) }
        return reduce(into: "") { $0 += $1 == "\t" ? "    " : String($1) }
    }
}

extension WallTime.Civil {
    /// `14:02`.
    var clock: String { "\(padded(hour, 2)):\(padded(minute, 2))" }

    /// `Sun 22 Nov`, or with the year.
    func day(long: Bool) -> String {
        let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let day = "\(weekdays[weekday % 7]) \(day) \(months[(month - 1) % 12])"
        return long ? day + " \(year)" : day
    }
}
