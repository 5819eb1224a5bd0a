// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// What stands around the log: list, title, status line, tabs, footer.
extension ChatView {
    // MARK: Peer list

    mutating func drawList() {
        guard let area = layout.list else { return }
        let shown = state.shown
        frame.fill(
            Rect(column: area.endColumn, row: 0, columns: 1, rows: area.rows),
            with: glyphs(.vertical).first ?? "|", style: .dim)
        frame.put(" PEERS", column: 0, row: 0, style: .bold)
        let count = DisplayText(shown.isEmpty ? "none" : "\(shown.count)")
        frame.put(count, column: area.columns - count.columns - 1, row: 0, style: .dim)
        let height = area.rows - 1
        guard height > 0 else { return }
        let place = shown.firstIndex { $0.peer == state.current } ?? 0
        let first = max(0, min(place - height / 2, shown.count - height))
        for (row, number) in (first..<min(shown.count, first + height)).enumerated() {
            drawPeer(shown[number], number: number, row: row + 1, columns: area.columns)
        }
    }

    private mutating func drawPeer(_ conversation: Conversation, number: Int, row: Int, columns: Int) {
        let digit = number < 9 ? "\(number + 1)" : number == 9 ? "0" : " "
        let right = count(conversation) ?? (columns >= 24 ? DisplayText(note(conversation)) : .empty)
        let (glyph, style) = glyph(conversation)
        frame.put(DisplayText(" \(digit) "), column: 0, row: row, style: .dim)
        frame.put(DisplayText(glyph), column: 3, row: row, style: style)
        let room = columns - 5 - (right.isEmpty ? 0 : right.columns + 2)
        let nameStyle: Style = conversation.unread > 0 ? .bold : .plain
        frame.put(cut(label(conversation), room), column: 5, row: row, style: nameStyle)
        frame.put(
            right, column: columns - right.columns - 1, row: row, style: conversation.unread > 0 ? .bold : .dim)
        if conversation.peer == state.current {
            frame.restyle(Rect(column: 0, row: row, columns: columns, rows: 1)) {
                // One plain bar: colours and dimming would break it into pieces.
                Style(.standard, on: .standard, $0.attributes.subtracting(.dim).union(.reverse))
            }
        }
    }

    private func count(_ conversation: Conversation) -> DisplayText? {
        guard conversation.unread > 0 else { return nil }
        let count = conversation.unread > 999 ? "999+" : "\(conversation.unread)"
        return DisplayText((conversation.mentions > 0 ? "@" : "") + count)
    }

    /// A word about a peer: only what is known.
    private func note(_ conversation: Conversation) -> String {
        if conversation.isRequest { return "request" }
        if conversation.contact.alarm != nil { return "key changed" }
        if conversation.isTyping { return "typing" }
        if conversation.waiting > 0 { return "\(conversation.waiting) waiting" }
        if !conversation.draft.editor.isEmpty, conversation.peer != state.current { return "draft" }
        if conversation.isUnreachable { return "no path" }
        return conversation.path == PathKind.none ? "" : conversation.path?.rawValue ?? ""
    }

    func glyph(_ conversation: Conversation) -> (String, Style) {
        if conversation.isRequest { return (glyphs(.request), Style(.yellow, on: .standard, .bold)) }
        if conversation.contact.alarm != nil || conversation.isUnreachable {
            return (glyphs(.problem), Style(.red, on: .standard, .bold))
        }
        if conversation.isActive == false { return (glyphs(.away), Style(.yellow)) }
        let isThere = conversation.isActive == true || conversation.isConnected || isHeard(conversation)
        return isThere ? (glyphs(.heard), Style(.green)) : (glyphs(.unheard), .dim)
    }

    /// Whether the peer said something within five minutes.
    private func isHeard(_ conversation: Conversation) -> Bool {
        guard let heard = conversation.heard, let now = state.now else { return false }
        return now.milliseconds - heard.milliseconds <= 5 * 60_000
    }

    // MARK: Title

    mutating func drawTitle() {
        guard let area = layout.title else { return }
        let narrow = layout.kind == .narrow
        let margin = narrow ? 0 : 1
        var right = StyledText()
        if let conversation = state.conversation { right = security(conversation) }
        if narrow {
            if right.columns > 0 { right.append("  ") }
            right.append(DisplayText(clock), .dim)
        }
        let end = area.endColumn - margin
        frame.put(right, column: max(area.column, end - right.columns), row: area.row)
        let room = end - right.columns - 2 - area.column - margin
        frame.put(titleText(room: room), column: area.column + margin, row: area.row, limit: max(0, room))
    }

    private func titleText(room: Int) -> StyledText {
        guard let conversation = state.conversation else {
            return StyledText(cut("Parley", room), .bold)
        }
        var title = StyledText(cut(label(conversation), room), .bold)
        if let alarm = conversation.contact.alarm {
            let words = text(" \(glyphs(.problem)) \(alarm) – nothing is sent ")
            title.append("  ")
            title.append(cut(words, room - title.columns), Style(.red, on: .standard, [.bold, .reverse]))
            return title
        }
        let parts = titleParts(conversation).fitted(to: room - title.columns - 2)
        for (number, part) in parts.enumerated() {
            title.append(DisplayText(number == 0 ? "  " : " \(glyphs(.dot)) "), .dim)
            title.append(cut(DisplayText(part.words), room - title.columns), part.style)
        }
        return title
    }

    /// What is known of a peer, and what of it goes first where there is less room: the larger its number, the sooner.
    /// By which way packets go stays longest.
    private func titleParts(_ conversation: Conversation) -> [TitlePart] {
        var parts: [TitlePart] = []
        if conversation.isRequest { parts.append(TitlePart("request", 0)) }
        if conversation.contact.verified {
            parts.append(TitlePart("verified", 3))
        } else if conversation.peer.isKeyed, !conversation.isRequest {
            parts.append(TitlePart("not verified", 3))
        }
        if conversation.contact.name == nil, !conversation.isRequest, let nickname = state.nickname(conversation) {
            parts.append(TitlePart(nickname, 5))
        }
        if conversation.isTyping { parts.append(TitlePart("typing", 2)) }
        if let way = wayPart(conversation) { parts.append(way) }
        if let isActive = conversation.isActive { parts.append(TitlePart(isActive ? "there" : "away", 6)) }
        if let heard = conversation.heard {
            parts.append(TitlePart("heard \(heard.civil(offset: state.offset).clock)", 7))
        }
        if conversation.contact.name != nil, layout.kind == .wide {
            parts.append(TitlePart(conversation.peer.shortDigits, 8))
        }
        return parts
    }

    /// How the peer is reached. Another way than before stands out for a minute or two, and nothing is written into the
    /// log: the next change would make that untrue, while the title is always right.
    private func wayPart(_ conversation: Conversation) -> TitlePart? {
        switch conversation.path {
        // Why there is no path is in the log too; that there is none, here alone.
        case PathKind.none?: return conversation.pathReason.map { TitlePart([("no path: \($0)", 4), ("no path", 1)]) }
        case .plaintext?, nil: return nil
        case let path?:
            let words = path.words(conversation.roundTrip)
            let why = conversation.pathReason.map { [("\(words) (\($0))", 9)] } ?? []
            return TitlePart(why + [(words, 4), (path.rawValue, 1)], conversation.hasMoved ? .bold : .dim)
        }
    }

    /// Whether what is written here can be read on the way, in a word.
    private func security(_ conversation: Conversation) -> StyledText {
        if conversation.contact.alarm != nil {
            return StyledText(DisplayText(" ALARM "), Style(.red, on: .standard, [.bold, .reverse]))
        }
        if conversation.isPlain {
            return StyledText(
                DisplayText(" \(glyphs(.problem)) PLAINTEXT "), Style(.yellow, on: .standard, [.bold, .reverse]))
        }
        return StyledText("e2e", Style(.green))
    }

    var clock: String { state.now?.civil(offset: state.offset).clock ?? "" }

    // MARK: Status

    private func words(_ flash: ChatState.Flash) -> DisplayText {
        text((flash.isError ? " \(glyphs(.problem)) " : " ") + flash.text)
    }

    private func style(_ flash: ChatState.Flash) -> Style { flash.isError ? Style(.red, on: .standard, .bold) : .bold }

    /// Where there is no status line, a sentence takes the log's last row.
    mutating func drawFlash() {
        guard layout.status == nil, let flash = state.flash, layout.log.rows > 0 else { return }
        let row = Rect(column: 0, row: layout.log.endRow - 1, columns: layout.size.columns, rows: 1)
        frame.fill(row, style: .reverse)
        frame.put(cut(words(flash), row.columns), column: 0, row: row.row, style: style(flash).adding(.reverse))
    }

    mutating func drawStatus() {
        guard let area = layout.status else { return }
        let right = DisplayText(clock.isEmpty ? "" : " \(clock) ")
        let room = area.columns - right.columns - 1
        frame.fill(area, style: .reverse)
        if let flash = state.flash {
            frame.put(cut(words(flash), room), column: 0, row: area.row, style: style(flash).adding(.reverse))
        } else {
            let parts = statusParts(room: room - 1)
            frame.put(cut(DisplayText(" " + glyphs.joined(parts)), room), column: 0, row: area.row, style: .reverse)
        }
        frame.put(right, column: area.columns - right.columns, row: area.row, style: .reverse)
    }

    /// What the status line says, as far as there is room. Why a server does not answer is cut before anything goes:
    /// all of it stands in the box of `/why`.
    private func statusParts(room: Int) -> [String] {
        func columns(_ parts: [String]) -> Int { DisplayText(glyphs.joined(parts)).columns }
        var parts = moreParts
        guard !state.indexes.isEmpty else {
            while columns(parts) > room, parts.count > 1 { parts.removeLast() }
            return parts
        }
        let (words, briefer) = indexWords
        while columns([briefer.last ?? words] + parts) > room, !parts.isEmpty { parts.removeLast() }
        let left = room - columns([""] + parts)
        if columns([words]) <= left || briefer.first.map({ left >= columns([$0]) + 9 }) ?? true {
            return [cut(DisplayText(words), left).string] + parts
        }
        return [briefer.first { columns([$0]) <= left } ?? briefer.last ?? ""] + parts
    }

    /// What it says besides the index servers, the most important first.
    private var moreParts: [String] {
        var parts: [String] = []
        if state.options.hidesAddress { parts.append("hidden") }
        if let trouble = state.trouble { parts.append(trouble.words) }
        let requests = state.requests.count
        if requests > 0 { parts.append("\(requests) request\(requests == 1 ? "" : "s")") }
        if state.waiting > 0 { parts.append("\(state.waiting) waiting") }
        let lines = state.draft.editor.lineCount
        if lines > 1 { parts.append("[\(lines) lines]") }
        let drafts = draftNames
        if !drafts.isEmpty { parts.append("draft\(drafts.count == 1 ? "" : "s"): " + drafts.joined(separator: ", ")) }
        if let listen = state.listen { parts.append("listening \(listen)") }
        parts.append("\(DisplayText(state.name, style: .stripped)) \(state.me.shortDigits)")
        return parts
    }

    /// Where the narrow screen has no footer, the keys of a picked out message stand here.
    var selectionWords: String? {
        state.selection == nil ? nil : "y copy  q quote  r retry  c cancel  x delete  i info"
    }

    private var draftNames: [String] {
        state.conversations
            .filter { $0.isShown && $0.peer != state.current && !$0.draft.editor.isEmpty }
            .map { label($0).string }
    }

    /// One index server in full, and without its reason; of several, how many answer.
    private var indexWords: (String, briefer: [String]) {
        guard state.indexes.count == 1, case .unreachable? = state.indexes.first?.status else {
            return (fullIndexWords, [])
        }
        return (fullIndexWords, ["index unreachable", "no index"])
    }

    private var fullIndexWords: String {
        guard state.indexes.count == 1, let only = state.indexes.first else {
            let working = state.indexes.count { $0.status.isWorking }
            return "index \(working) of \(state.indexes.count) ok"
        }
        switch only.status {
        case .connecting: return "index \(only.server) asked"
        case .ok(let roundTrip): return "index ok \(shown(milliseconds: roundTrip.milliseconds)) ms"
        case .sameServer(let name): return "index ok, the same server as \(name)"
        case .unreachable(let reason): return "index unreachable: \(reason)"
        case .noIdentities: return "index ok, takes no identities"
        }
    }

    // MARK: Tabs

    mutating func drawTabs() {
        guard let area = layout.status else { return }
        if let flash = state.flash {
            frame.put(cut(words(flash), area.columns), column: 0, row: area.row, style: style(flash))
            return
        }
        if layout.footer == nil, let keys = selectionWords {
            frame.put(cut(DisplayText(keys), area.columns), column: 0, row: area.row)
            return
        }
        let right = DisplayText(" " + shortStatus)
        let room = max(0, area.columns - right.columns)
        let shown = state.shown
        var first = 0
        // No tab is narrower than three columns and a blank.
        let most = room / 4 + 1
        if let place = shown.firstIndex(where: { $0.peer == state.current }) {
            first = max(0, place - most)
            // The open one is always in sight, and whoever comes before it as far as there is room.
            while first < place, tabs(shown[first...place], from: first).columns > room - 2 { first += 1 }
        }
        var last = min(shown.count, first + most)
        while last > first + 1, tabs(shown[first..<last], from: first).columns > room - 2 { last -= 1 }
        var row = tabs(shown[first..<last], from: first)
        if last < shown.count { row.append(DisplayText(" " + glyphs(.ellipsis)), .dim) }
        frame.put(row, column: 0, row: area.row, limit: room)
        frame.put(right, column: max(0, area.columns - right.columns), row: area.row, style: .dim)
    }

    private func tabs(_ shown: ArraySlice<Conversation>, from first: Int) -> StyledText {
        var row = StyledText()
        for (offset, conversation) in shown.enumerated() {
            if offset > 0 { row.append(" ") }
            let marks = (conversation.isRequest ? "?" : "") + unreadMark(conversation)
            row.append(
                DisplayText("\(first + offset + 1):") + cut(label(conversation), 12) + DisplayText(marks),
                conversation.peer == state.current ? .reverse : conversation.unread > 0 ? .bold : .plain)
        }
        return row
    }

    private func unreadMark(_ conversation: Conversation) -> String {
        guard conversation.unread > 0 else { return "" }
        return (conversation.mentions > 0 ? "@" : "*") + "\(min(999, conversation.unread))"
    }

    private var shortStatus: String {
        var parts: [String] = []
        if !state.indexes.isEmpty {
            parts.append(shortIndexWord)
        }
        if let trouble = state.trouble { parts.append(trouble.short) }
        if !state.requests.isEmpty { parts.append("\(state.requests.count)\(glyphs(.request))") }
        if state.waiting > 0 { parts.append("\(state.waiting) waiting") }
        return parts.joined(separator: " ")
    }

    private var shortIndexWord: String {
        var isAsked = false
        for index in state.indexes {
            switch index.status {
            case .ok, .sameServer, .noIdentities: return "ok"
            case .connecting: isAsked = true
            case .unreachable: break
            }
        }
        return isAsked ? glyphs(.ellipsis) : "no index"
    }

    // MARK: Footer

    mutating func drawFooter() {
        guard let area = layout.footer else { return }
        let size = DisplayText("\(layout.size.columns)x\(layout.size.rows) ")
        let room = area.columns - (layout.kind == .wide ? size.columns + 1 : 0)
        let separator = DisplayText(layout.size.columns >= 100 ? " \(glyphs(.dot)) " : "  ")
        var row = StyledText(" ")
        for (number, hint) in hints.enumerated() {
            var piece = StyledText(number == 0 ? .empty : separator, .dim)
            piece.append(text(hint.key), .bold)
            piece.append(text(" " + hint.words), .dim)
            guard row.columns + piece.columns <= room else { break }
            for span in piece.spans { row.append(span.text, span.style) }
        }
        frame.put(row, column: 0, row: area.row)
        if layout.kind == .wide {
            frame.put(size, column: area.columns - size.columns, row: area.row, style: .dim)
        }
    }

    /// The question that the title raises.
    private var whyHint: String? {
        guard let conversation = state.conversation else { return nil }
        return conversation.path == .relayed ? "why relayed" : conversation.isUnreachable ? "why no path" : nil
    }

    /// The keys worth knowing right now.
    private var hints: [(key: String, words: String)] {
        switch state.overlay {
        case .switcher: return [("Enter", "open"), ("↑ ↓", "choose"), ("Esc", "close")]
        case .help, .peers, .why: return [("PgUp PgDn", "scroll"), ("any other key", "closes")]
        case .identity: return [("y", "copy the UUID"), ("any other key", "closes")]
        case .requests:
            return [
                ("a", "accept"), ("i", "ignore"), ("b", "block"), ("Enter", "read"), ("↑ ↓", "choose"),
                ("Esc", "close"),
            ]
        case .invite(let code):
            return [("y", "copy"), ("v", code == nil ? "QR code" : "text"), ("any other key", "closes")]
        case .verify: return [("y", "verified"), ("n", "not verified"), ("any other key", "closes")]
        case .info, .settings: return [("any key", "closes")]
        case .search(let box):
            return [
                ("Enter", "go there"), ("↑ ↓", "choose"), ("Ctrl+R", box.peer == nil ? "only here" : "everywhere"),
                ("Esc", "back"),
            ]
        case nil: break
        }
        if state.selection != nil {
            return [
                ("↑ ↓", "move"), ("y", "copy"), ("q", "quote"), ("r", "retry"), ("c", "cancel"), ("x", "delete here"),
                ("i", "info"), ("Esc", "back"),
            ]
        }
        var hints = [("F1", "help")]
        let elsewhere = state.shown.filter { $0.unread > 0 && $0.peer != state.current }.count
        if elsewhere > 0 { hints.append(("Alt+A", "next unread (\(elsewhere))")) }
        if state.conversation?.anchor != nil { hints.append(("End", "bottom")) }
        hints.append(("Ctrl+K", "go to"))
        if let reason = whyHint { hints.append(("Alt+W", reason)) }
        if let conversation = state.conversation, !conversation.log.isEmpty { hints.append(("PgUp", "scroll")) }
        return hints + [("/", "commands"), ("Alt+Enter", "new line"), ("Ctrl+C twice", "quits")]
    }
}
