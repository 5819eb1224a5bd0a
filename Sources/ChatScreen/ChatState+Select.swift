// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// Picking out a message of the log, to do something with it.
extension ChatState {
    mutating func startSelecting() {
        guard let selection = newestSelection() else {
            flash = Flash(text: "no message here", isError: false)
            return
        }
        pick(selection)
    }

    /// The message lowest on the screen.
    func newestSelection() -> Selection? {
        guard let index = currentIndex else { return nil }
        let conversation = conversations[index]
        let bottom = min(conversation.anchor?.sequence ?? .max, conversation.log.end - 1)
        guard bottom >= conversation.log.start else { return nil }
        let shown = (conversation.log.start...bottom).reversed().lazy.compactMap { conversation.log[$0]?.message }
        return shown.first.map { Selection(peer: conversation.peer, key: MessageKey($0)) }
    }

    /// The message picked out, if it is still in the log.
    var selected: Message? {
        guard let selection, let conversation, conversation.peer == selection.peer else { return nil }
        return conversation.message(selection.key)
    }

    mutating func pick(_ selection: Selection) {
        self.selection = selection
        guard let index = currentIndex, let number = conversations[index].number(of: selection.key) else { return }
        // One row belongs to the bar that says how much is newer.
        let height = max(1, logHeight - 1)
        settle(index, at: logView(of: index).anchor(keeping: number, height: height))
    }

    /// - Returns: `nil` when the key is not the selection's business.
    mutating func pressInSelection(_ key: Key) -> [ChatEffect]? {
        if [.control("l"), .control("z"), Key(.function(1)), .alt("h")].contains(key) { return nil }
        guard let selection, let message = selected else {
            self.selection = nil
            return nil
        }
        if key != .char("x") { self.selection?.isErasing = false }
        switch key {
        case Key(.up), .control("p"), .char("k"): move(selection, by: -1)
        case Key(.down), .control("n"), .char("j"): move(selection, by: 1)
        case Key(.pageUp): move(selection, by: -10)
        case Key(.pageDown): move(selection, by: 10)
        case .char("r"): return retry(message)
        case .char("c"): return cancel(message)
        case .char("x"): return erase(message, isSure: selection.isErasing)
        case .char("y"):
            self.selection = nil
            return copy(message.text)
        case .char("i"): overlay = .info(message.peer, selection.key)
        case .char("q"): quote(message)
        case Key(.escape), Key(.enter), .control("c"), .control("g"), .alt("s"): self.selection = nil
        default: break
        }
        return []
    }

    private mutating func move(_ selection: Selection, by step: Int) {
        guard let conversation, var number = conversation.number(of: selection.key) else { return }
        var left = abs(step)
        var target = selection.key
        while left > 0 {
            number += step.signum()
            guard let entry = conversation.log[number] else { break }
            guard let message = entry.message else { continue }
            target = MessageKey(message)
            left -= 1
        }
        pick(Selection(peer: selection.peer, key: target))
    }

    private mutating func refuse(_ sentence: String) -> [ChatEffect] {
        flash = Flash(text: sentence, isError: true)
        return []
    }

    private mutating func retry(_ message: Message) -> [ChatEffect] {
        guard message.isWaiting || message.hasFailed else { return refuse("this message neither failed nor waits") }
        selection = nil
        return [.retry(message.id)]
    }

    private mutating func cancel(_ message: Message) -> [ChatEffect] {
        guard message.isWaiting else { return refuse("only a waiting message can be taken back") }
        selection = nil
        return [.cancel(message.id)]
    }

    private mutating func erase(_ message: Message, isSure: Bool) -> [ChatEffect] {
        guard !message.isWaiting else { return refuse("this message still waits: c takes it back") }
        guard isSure else {
            selection?.isErasing = true
            return refuse("x again deletes this message here, for good")
        }
        selection = nil
        flash = nil
        return [.erase(message.id, of: message.peer)]
    }

    /// Puts the message's lines before what is being written.
    private mutating func quote(_ message: Message) {
        selection = nil
        let lines = message.text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let quoted = lines.map { "> \($0)\n" }.joined()
        let rest = draft.editor.text
        draft.editor.replace(with: quoted + rest)
    }
}
