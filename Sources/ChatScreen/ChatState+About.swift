// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// What the boxes about strangers, keys, messages and settings say.
extension ChatState {
    func nickname(_ conversation: Conversation) -> String? {
        conversation.contact.introduction(ascii: options.ascii)
    }

    private func wrapped(_ words: String, _ style: Style = .plain) -> [StyledText] {
        let room = max(2, min(96, size.columns - 4))
        return DisplayText(glyphs.spelled(words)).wrapped(to: room).map { StyledText($0, style) }
    }

    /// Whether there is no footer to name the keys, and no room for blank lines.
    private var isShort: Bool { size.rows < 16 }

    // MARK: Requests

    func requestLines(selected: Int) -> [StyledText] {
        let found = requests
        let names = names
        let place = min(selected, max(0, found.count - 1))
        var lines = isShort ? wrapped("a accept · i ignore · b block · Enter read", .dim) : []
        for (number, conversation) in found.enumerated() {
            let isChosen = number == place
            var head = StyledText(DisplayText(isChosen ? glyphs(.prompt) + " " : "  "), .bold)
            head.append(
                DisplayText(size.columns < 60 ? conversation.peer.shortDigits : conversation.peer.description),
                isChosen ? .reverse : .bold)
            head.append(
                DisplayText(conversation.contact.invited ? "  has your invite" : "  not invited"),
                conversation.contact.invited ? .bold : .dim)
            lines.append(head)
            lines += requestWords(conversation, names.warning(about: conversation.contact))
        }
        return lines
    }

    private func requestWords(_ conversation: Conversation, _ warning: String?) -> [StyledText] {
        let room = max(2, min(96, size.columns - 4) - 2)
        func line(_ text: DisplayText, _ style: Style) -> StyledText {
            StyledText("  " + text.truncated(to: room, ascii: options.ascii), style)
        }
        var lines = [line(DisplayText(nickname(conversation) ?? "gives no name"), .plain)]
        if let warning {
            lines.append(line(DisplayText("\(glyphs(.problem)) \(warning)"), Style(.red, on: .standard, .bold)))
        }
        let text = conversation.requestText.isEmpty ? firstText(conversation) : conversation.requestText
        if !text.isEmpty { lines.append(line(DisplayText(text.replacingBreaks), .dim)) }
        return lines
    }

    private func firstText(_ conversation: Conversation) -> String {
        conversation.log.range.lazy.compactMap { conversation.log[$0]?.message?.text }.first ?? ""
    }

    // MARK: Invite

    var inviteLines: [StyledText] {
        guard let invite else { return wrapped("the invite is not made yet: it needs a key of your own") }
        // Nothing but the invite on its lines, so that the terminal's own copying takes it whole.
        return wrapped("Give this to a friend; whoever has it may ask to talk to you:")
            + [StyledText()] + wrapped(invite, .bold) + [StyledText()]
            + wrapped("y copies it · v shows it as a QR code · /invite new revokes it", .dim)
    }

    // MARK: Verification

    func verifyLines(_ peer: PeerID) -> [StyledText] {
        guard let index = index(of: peer) else { return [] }
        let conversation = conversations[index]
        let name = DisplayText(conversation.contact.label, style: .stripped).truncated(to: 16, ascii: options.ascii)
        var lines: [StyledText] = []
        if let alarm = conversation.contact.alarm {
            lines +=
                wrapped("\(glyphs(.problem)) \(alarm): nothing is sent", Style(.red, on: .standard, .bold))
                + [StyledText()]
        }
        guard let theirs = conversation.digits, let mine = digits[me] else {
            return lines + wrapped("The key of \(name) is not known yet: it comes with the first session.")
        }
        let gap = isShort ? [] : [StyledText()]
        lines += wrapped("Compare these on another way, as by phone:") + gap
        lines.append(beside(StyledText("yours", .dim), StyledText(name, .dim)))
        for (left, right) in zip(digitRows(mine), digitRows(theirs)) {
            lines.append(beside(StyledText(left, .bold), StyledText(right, .bold)))
        }
        lines += gap + wrapped(conversation.contact.verified ? "verified: you compared them" : "not yet verified")
        let keys = conversation.contact.verified ? "n takes that back" : "y: they are the same"
        return lines + wrapped("\(keys) · any other key closes", .dim)
    }

    private func beside(_ left: StyledText, _ right: StyledText) -> StyledText {
        var row = left
        row.pad(to: 18)
        for span in right.spans { row.append(span.text, span.style) }
        return row
    }

    /// Groups of five, two a row.
    private func digitRows(_ digits: String) -> [DisplayText] {
        let groups = digits.digitGroups
        return stride(from: 0, to: groups.count, by: 2).map {
            DisplayText(groups[$0..<min($0 + 2, groups.count)].joined(separator: "  "))
        }
    }

    // MARK: A message

    func infoLines(_ peer: PeerID, _ key: MessageKey) -> [StyledText] {
        guard let index = index(of: peer), let message = conversations[index].message(key) else {
            return wrapped("that message is gone")
        }
        let conversation = conversations[index]
        let who = DisplayText(conversation.contact.label, style: .stripped).string
        let isMine = message.direction == .outgoing
        var lines = entry("message", message.id.description)
        lines += entry(isMine ? "to" : "from", "\(who) · \(peer)")
        if let nickname = nickname(conversation) { lines += entry("", nickname) }
        lines += entry("written", message.created.map(moment) ?? "the author does not say when")
        lines += entry(isMine ? "queued" : "came", moment(message.received))
        if isMine {
            let reason = message.reason.map { ": \($0)" } ?? ""
            lines += entry("state", "\(glyphs.state(message.state)) \(message.state.words)\(reason)")
        }
        lines += entry(
            "on the way",
            message.secure ? "encrypted, its author authenticated" : "IN THE OPEN: anyone may have read or forged it")
        return lines
    }

    private func moment(_ time: WallTime) -> String {
        let civil = time.civil(offset: offset)
        return "\(civil.day(long: true)) \(civil.clock):\(padded(civil.second, 2))"
    }

    // MARK: Settings

    var settingLines: [StyledText] {
        ChatSetting.allCases.flatMap { setting in
            entry("\(setting.rawValue) \(switchedOff.contains(setting) ? "off" : "on")", setting.summary)
        } + [StyledText()] + wrapped("/set SETTING on|off switches one", .dim)
    }
}

extension ChatSetting {
    /// What contacts learn, or may do, while it is on.
    var summary: String {
        switch self {
        case .readReceipts: "contacts learn which of their messages you saw"
        case .typing: "contacts see when you write to them"
        case .presence: "contacts see whether you are at the keyboard"
        case .relay: "contacts reach each other through you, and you learn who talks with whom"
        }
    }
}

extension DeliveryState {
    var words: String {
        switch self {
        case .queued: "waits here"
        case .sent: "left this machine"
        case .delivered: "on their disk"
        case .read: "seen by them"
        case .failed: "not sent"
        }
    }
}

extension String {
    /// The same on one line.
    var replacingBreaks: String { split(whereSeparator: \.isNewline).joined(separator: " ") }

    /// The digits of a key, five and five.
    var digitGroups: [String] {
        let digits = Array(filter(\.isNumber).prefix(30))
        return stride(from: 0, to: digits.count, by: 5).map { String(digits[$0..<min($0 + 5, digits.count)]) }
    }
}
