// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText

/// How the chat without a screen puts things.
extension PlainChat {
    func label(_ peer: PeerID) -> String { names[peer]?.label ?? peer.shortDigits }

    // MARK: Lines

    /// One line with the time before it.
    func line(_ text: String) -> DisplayText {
        guard let civil = now?.civil(offset: offset) else { return DisplayText(text) }
        return DisplayText("\(civil.clock) \(text)")
    }

    /// A message, further lines of it indented.
    func say(_ who: String, _ text: String) -> [DisplayText] {
        guard let civil = now?.civil(offset: offset) else { return said(who, text) }
        return said("\(civil.clock) \(who)", text)
    }

    private func said(_ head: String, _ text: String) -> [DisplayText] {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().map { index, part in
            index == 0 ? DisplayText("\(head): \(part)") : "    " + DisplayText(part)
        }
    }

    // MARK: Messages

    /// A message of former times: with its day, and what has become of it.
    func past(_ message: Message) -> [DisplayText] {
        let time = message.received.civil(offset: offset)
        let isMine = message.direction == .outgoing
        let who = isMine ? "me to \(label(message.peer)) (\(message.state.words))" : label(message.peer)
        let plain = message.secure ? "" : " (plain text)"
        return said("\(time.day(long: true)) \(time.clock) \(who)\(plain)", message.text)
    }

    func line(_ summary: ConversationSummary) -> DisplayText? {
        var words: [String] = []
        if summary.unread > 0 { words.append("\(summary.unread) not yet read") }
        if !summary.waiting.isEmpty { words.append("\(summary.waiting.count) waiting") }
        return words.isEmpty ? nil : line("\(label(summary.peer)): " + words.joined(separator: ", "))
    }

    func list(_ hits: [SearchHit], _ more: Bool) -> [DisplayText] {
        guard !hits.isEmpty else { return [line("nothing found")] }
        return hits.map { hit in
            let time = hit.received.civil(offset: offset)
            let who = hit.direction == .outgoing ? "me to \(label(hit.peer))" : label(hit.peer)
            return DisplayText(
                "\(time.day(long: true)) \(time.clock) \(who): \(hit.before)\(hit.match)\(hit.after)".replacingBreaks)
        } + (more ? [line("there are more: search for more words")] : [])
    }

    // MARK: Peers

    /// Everybody, by the numbers that `/go` takes.
    var peerLines: [DisplayText] {
        let rows = names.contacts.enumerated().map { number, contact in
            line((["\(number + 1)", "\(contact.peer)"] + standing(contact)).joined(separator: " "))
        }
        return rows.isEmpty ? [line("no contacts yet; /add INVITE NAME adds one")] : rows
    }

    private func standing(_ contact: Contact) -> [String] {
        let kind = contact.blocked ? "blocked" : contact.accepted ? "contact" : "wants to talk"
        let doubt = contact.alarm == nil ? nil : "KEY IN DOUBT"
        return [contact.name, kind, doubt, contact.verified ? "verified" : nil, contact.introduction()]
            .compactMap(\.self)
    }

    var requestLines: [DisplayText] {
        names.requests.map { contact in
            let known = [
                contact.invited ? "has your invite" : nil, contact.introduction(), names.warning(about: contact),
            ].compactMap(\.self)
            let text = requestTexts[contact.peer].map { ": \($0)" } ?? ""
            return line("\(contact.peer)\(known.isEmpty ? "" : " ")\(known.joined(separator: ", "))\(text)")
        }
    }

    var helpLines: [DisplayText] {
        let usages = Command.allCases.filter { $0 != .select }.map { "\($0.usage): \($0.summary)" }
        return (usages + [Self.historyUsage]).map { line($0) }
    }

    static let historyUsage = "/history [COUNT]: print the last messages of this conversation"

    var settingLines: [DisplayText] {
        ChatSetting.allCases.map {
            line("\($0.rawValue) \(switchedOff.contains($0) ? "off" : "on"): \($0.summary)")
        }
    }

    /// The ways to a peer and what came of each, this machine's network, and what would help.
    func words(about ladder: [LadderStep], of peer: PeerID) -> [DisplayText] {
        let path = paths[peer]
        let why = Explanation(
            path: path?.kind, roundTrip: path?.roundTrip, reason: path?.reason, ladder: ladder, reach: reach,
            servers: indexes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        let steps = why.steps.map { step in
            let reason = step.text.isEmpty ? "" : ": \(step.text)"
            return "  \(step.rung.title) \(step.state.word)\(reason)"
        }
        let own = why.own.map { "  \($0.word): \($0.clause)" }
        let lines =
            ["the way to \(label(peer)): \(why.present)"] + steps + ["this machine:"] + own
            + ["what would help: \(why.advice)"]
        return lines.map { line($0.replacingBreaks) }
    }
}
