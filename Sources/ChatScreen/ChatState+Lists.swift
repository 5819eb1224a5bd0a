// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// What the boxes in front of the log list.
extension ChatState {
    /// Lines that a box has room for at the size last told.
    var overlayHeight: Int { overlayHeight(Layout(self, size: size)) }

    func overlayHeight(_ layout: Layout) -> Int { max(1, layout.input.row - 2) }

    /// The lines of the open box.
    func overlayLines() -> [StyledText] {
        switch overlay {
        case .help: helpLines
        case .peers: peerLines
        case .identity: identityLines
        case .requests(let selected): requestLines(selected: selected)
        case .invite: inviteLines
        case .verify(let peer): verifyLines(peer)
        case .info(let peer, let key): infoLines(peer, key)
        case .why(let peer, _): whyLines(peer)
        case .settings: settingLines
        case .switcher, .search, nil: []
        }
    }

    /// A word and what it means: side by side, or on a narrow screen one below the other.
    func entry(_ left: String, _ right: String) -> [StyledText] {
        let left = DisplayText(glyphs.spelled(left))
        let right = DisplayText(glyphs.spelled(right))
        let column = 24
        let room = min(96, size.columns - 4)
        guard room >= 64 else {
            return [StyledText(left, .bold)] + right.wrapped(to: room - 2).map { StyledText("  " + $0) }
        }
        return right.wrapped(to: room - column).enumerated().map { number, line in
            var row = StyledText((number == 0 ? left : .empty).fitted(to: column, ascii: options.ascii), .bold)
            row.append(line)
            return row
        }
    }

    private func section(_ title: DisplayText, _ entries: [(String, String)]) -> [StyledText] {
        [StyledText(title, .underline)] + entries.flatMap { entry($0.0, $0.1) } + [StyledText()]
    }

    private var helpLines: [StyledText] {
        let signs: [(Glyph, String)] = [
            (.queued, "waits here"), (.sent, "left this machine"), (.delivered, "on their disk"),
            (.read, "seen by them"), (.failed, "not sent"), (.heard, "connected, or heard from within 5 minutes"),
            (.away, "connected, but not at the keyboard"), (.unheard, "not connected, not heard from lately"),
            (.request, "a stranger who wants to talk"),
            (.problem, "in the open (plaintext), out of reach, or its key is in doubt"),
        ]
        let ways = [PathKind.lan, .direct, .punched, .relayed].map { ($0.rawValue, $0.meaning ?? "") }
        let commands = Command.allCases.map { ($0.usage, $0.summary) }
        return section("Commands", commands + [("//text", "send a text that starts with a slash")])
            + section("Keys", KeyBinding.all.map { ($0.shown, $0.help) })
            + section("A message picked out with Alt+S", KeyBinding.selecting.map { ($0.shown, $0.help) })
            + section("Writing", KeyBinding.editing.map { ($0.shown, $0.help) })
            + section("Ways to a peer", ways)
            + section("Signs", signs.map { (glyphs($0.0), $0.1) })
            + [StyledText("You", .underline)] + identityLines
    }

    private var identityLines: [StyledText] {
        entry("name", name) + [StyledText(DisplayText(me.description), .bold)]
            + (listen.map { entry("listening on", "\($0)") } ?? [])
            + indexes.flatMap { entry("index server", $0.server) }
    }

    private var peerLines: [StyledText] {
        guard !conversations.isEmpty else { return [StyledText("nobody yet: /add INVITE NAME", .dim)] }
        return conversations.flatMap { conversation in
            let name = DisplayText(conversation.contact.name ?? "no name", style: .stripped)
            var row = StyledText(size.columns < 72 ? name : name.fitted(to: 18, ascii: options.ascii) + " ", .bold)
            let id = StyledText(DisplayText(conversation.peer.description))
            if size.columns >= 72 { row.append(DisplayText(conversation.peer.description)) }
            let word = standing(conversation)
            if !word.isEmpty { row.append(DisplayText("  " + word), .dim) }
            return size.columns >= 72 ? [row] : [row, id]
        }
    }

    func standing(_ conversation: Conversation) -> String {
        var words: [String] = []
        if conversation.contact.blocked {
            words.append("blocked")
        } else if conversation.contact.alarm != nil {
            words.append("KEY IN DOUBT")
        } else if conversation.isRequest {
            words.append("request")
        } else if conversation.hidden {
            words.append("closed")
        } else if let path = conversation.isUnreachable ? "no path" : conversation.path?.rawValue {
            words.append(path)
        }
        if conversation.contact.verified { words.append("verified") }
        if let nickname = nickname(conversation) { words.append(nickname) }
        return glyphs.joined(words)
    }
}
