// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

extension ChatState {
    // MARK: Keys

    mutating func press(_ key: Key) -> [ChatEffect] {
        if quitArmed, key != .control("c") {
            quitArmed = false
            flash = nil
        }
        if let flash, flash.answersKey, !flash.isError, key != Key(.escape) { self.flash = nil }
        if overlay != nil, let effects = pressInOverlay(key) { return effects }
        if selection != nil, let effects = pressInSelection(key) { return effects }
        if key != Key(.tab), key != Key(.tab, .shift) { completion = nil }
        if key == .control("k"), draft.editor.isAtEnd {
            openSwitcher()
            return []
        }
        if key == Key(.end), draft.editor.isEmpty {
            toBottom()
            return []
        }
        if let action = KeyBinding.actions[key] { return perform(action) }
        edit(key)
        return []
    }

    private mutating func edit(_ key: Key) {
        popupDismissed = false
        doubted = nil
        var ring = killRing
        let before = draft.editor.isFull
        _ = draft.editor.handle(key, ring: &ring)
        killRing = ring
        isWriting = true
        if draft.editor.isFull, !before { flash = Flash(text: fullSentence, isError: true) }
    }

    private mutating func perform(_ action: ChatAction) -> [ChatEffect] {
        switch action {
        case .submit: return submit()
        case .cancel: return cancel()
        case .escape: escape()
        case .help: overlay = .help(top: 0)
        case .switcher: openSwitcher()
        case .complete(let step): complete(by: step)
        case .history(let step): recall(step)
        case .conversation(let number): openShown(number)
        case .neighbour(let step): openNeighbour(step)
        case .nextUnread: openNextUnread()
        case .goBack: goBack()
        case .requests: openRequests()
        case .why: openWhy()
        case .search: return find(in: SearchBox(in: current))
        case .select: startSelecting()
        case .page(let step):
            // The first entry at hand has a day and a word about older ones above it, which go when those come; and one
            // row belongs to the bar at the bottom. A row of before stays in sight whatever happens.
            scroll(by: step * max(1, logHeight - 4))
        case .halfPage(let step): scroll(by: step * max(1, logHeight / 2))
        case .bottom: toBottom()
        case .firstUnread: toFirstUnread()
        case .bareView: bareView.toggle()
        case .panel: panelShown.toggle()
        case .mouse:
            mouse.toggle()
            flash = Flash(text: mouse ? "mouse wheel on: hold Shift to select text" : "mouse off", isError: false)
            return [.setMouse(mouse)]
        case .redraw: return [.redraw]
        case .suspend: return [.suspend]
        }
        return []
    }

    /// Every paste becomes part of the draft: a line break in it never sends.
    mutating func paste(_ text: String) -> [ChatEffect] {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        switch overlay {
        case .switcher(var query, _)?:
            query.insert(line)
            overlay = .switcher(query: query, selected: 0)
            return []
        case .search(var box)?:
            box.query.insert(line)
            return find(in: box)
        default: break
        }
        overlay = nil
        selection = nil
        completion = nil
        popupDismissed = false
        doubted = nil
        if draft.editor.isEmpty {
            if let peer = pastedPeer(text) { offer(peer); return [] }
            if let invite = pastedInvite(text) ?? enclosedInvite(text) { offer(invite: invite); return [] }
        }
        isWriting = true
        if !draft.editor.insert(text) { flash = Flash(text: fullSentence, isError: true) }
        return []
    }

    private var fullSentence: String { "a draft holds 64 KiB: the rest was left out" }

    private func pastedPeer(_ text: String) -> PeerID? {
        guard text.utf8.count <= 64 else { return nil }
        return PeerID(text.split(whereSeparator: \.isWhitespace).joined(separator: " "))
    }

    /// An invite, also when a mail program broke it into lines.
    private func pastedInvite(_ text: String) -> String? {
        guard text.utf8.count <= 4096 else { return nil }
        let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmed }
        guard lines.allSatisfy({ !$0.contains(where: \.isWhitespace) }) else { return nil }
        return InputLine.invite(lines.joined())?.word
    }

    /// The one invite in a letter, where there is nobody yet whom the letter could be meant for.
    private func enclosedInvite(_ text: String) -> String? {
        guard current == nil, text.utf8.count <= 4096 else { return nil }
        let found = text.split(whereSeparator: \.isWhitespace).compactMap { InputLine.invite($0)?.word }
        return found.count == 1 ? found.first : nil
    }

    private mutating func offer(_ peer: PeerID) {
        if peer == me {
            flash = Flash(text: "that is your own UUID", isError: false)
        } else if let index = index(of: peer), conversations[index].contact.accepted {
            flash = Flash(text: "that is \(conversations[index].contact.label)", isError: false)
        } else {
            flash = Flash(text: "a UUID: type a name for it, Enter adds it", isError: false)
            draft.editor.replace(with: "/add \(peer) ")
            return
        }
        draft.editor.insert(peer.description)
    }

    private mutating func offer(invite: String) {
        flash = Flash(text: "an invite: type a name for its peer, Enter adds it", isError: false)
        draft.editor.replace(with: "/add \(invite) ")
    }

    private mutating func cancel() -> [ChatEffect] {
        doubted = nil
        guard draft.editor.isEmpty else {
            let text = draft.editor.take()
            draft.history.add(text)
            flash = nil
            return []
        }
        if quitArmed { return [.quit] }
        quitArmed = true
        let waits = waitingSentence.map { "\($0) – \(waitingPromise): " } ?? ""
        flash = Flash(text: waits + "Ctrl+C again to quit", isError: false, seconds: waits.isEmpty ? 3 : 10)
        return []
    }

    /// Popup, then scroll position; never the text, never the program.
    private mutating func escape() {
        if !popupDismissed, !candidates().isEmpty {
            popupDismissed = true
        } else if flash != nil {
            flash = nil
        } else if marked != nil {
            marked = nil
        } else {
            toBottom()
        }
    }

    private mutating func recall(_ step: Int) {
        if draft.editor.moveLine(by: step) { return }
        let current = draft.editor.text
        let line = step < 0 ? draft.history.older(than: current) : draft.history.newer()
        if let line { draft.editor.replace(with: line) }
    }

    /// How many messages wait and for whom; `nil` when none does.
    var waitingSentence: String? {
        let peers = conversations.filter { $0.waiting > 0 }
        guard let first = peers.first else { return nil }
        let count = waiting
        let whom = peers.count == 1 ? first.contact.label : "\(peers.count) peers"
        return "\(count) message\(count == 1 ? "" : "s") waiting for \(whom)"
    }

    /// What becomes of waiting messages when the user leaves.
    var waitingPromise: String { waiting == 1 ? "it stays queued" : "they stay queued" }

    // MARK: Overlays

    /// - Returns: `nil` when the key is not the overlay's business.
    private mutating func pressInOverlay(_ key: Key) -> [ChatEffect]? {
        if key == .control("c") || key == Key(.escape) || key == .control("g") {
            overlay = nil
            return []
        }
        if [.control("l"), .control("z")].contains(key) { return nil }
        switch overlay {
        case .switcher(let query, let selected): pressInSwitcher(key, query, selected)
        case .help(let top): overlay = step(key, top).map { .help(top: $0) }
        case .peers(let top): overlay = step(key, top).map { .peers(top: $0) }
        case .why(let peer, let top): overlay = step(key, top).map { .why(peer, top: $0) }
        case .identity:
            overlay = nil
            if key == .char("y") { return copy(me.description) }
        case .requests(let selected): return pressInRequests(key, selected)
        case .invite(let code): return pressInInvite(key, code)
        case .verify(let peer): return pressInVerify(key, peer)
        case .search(let box): return pressInSearch(key, box)
        case .info, .settings: overlay = nil
        case nil: return nil
        }
        return []
    }

    mutating func copy(_ text: String) -> [ChatEffect] {
        flash = Flash(text: "copied, if the terminal allows it", isError: false)
        return [.copy(text)]
    }

    /// The first line after a key, `nil` when the key closes the list.
    private func step(_ key: Key, _ top: Int) -> Int? {
        let lines = overlayLines().count
        let page = max(1, overlayHeight - 1)
        let last = max(0, lines - overlayHeight)
        switch key.code {
        case .up: return max(0, min(top, last) - 1)
        case .down: return min(last, top + 1)
        case .pageUp: return max(0, min(top, last) - page)
        case .pageDown, .character(" "): return min(last, top + page)
        case .home: return 0
        case .end: return last
        default: return nil
        }
    }

    private mutating func openSwitcher() { overlay = .switcher(query: LineEditor(), selected: 0) }

    private mutating func pressInSwitcher(_ key: Key, _ query: LineEditor, _ selected: Int) {
        let found = matches(query.text)
        let last = max(0, found.count - 1)
        switch key {
        case Key(.enter):
            overlay = nil
            guard found.indices.contains(min(selected, last)) else { return }
            open(found[min(selected, last)].peer)
        case Key(.down), Key(.tab), .control("n"), .control("k"):
            overlay = .switcher(query: query, selected: selected >= last ? 0 : selected + 1)
        case Key(.up), Key(.tab, .shift), .control("p"):
            overlay = .switcher(query: query, selected: selected == 0 ? last : min(selected, last) - 1)
        case Key(.enter, .alt), .control("j"): break
        default:
            var query = query
            _ = query.handle(key, ring: &killRing)
            overlay = .switcher(query: query, selected: 0)
        }
    }

    /// What the switcher finds, the best first; with nothing typed, unread conversations come first.
    func matches(_ query: String) -> [Conversation] {
        let open = conversations.filter { !$0.contact.blocked }
        guard query.contains(where: { !$0.isWhitespace }) else {
            return open.filter { $0.unread > 0 } + open.filter { $0.unread == 0 }
        }
        return open.compactMap { conversation -> (Conversation, Int)? in
            let label = FuzzyMatch.score(query, in: conversation.contact.label)
            let digits = FuzzyMatch.score(query, in: conversation.peer.shortDigits).map { $0 - 1000 }
            return [label, digits].compactMap(\.self).max().map { (conversation, $0) }
        }
        .sorted { $0.1 > $1.1 }
        .map(\.0)
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let head = drop(while: \.isWhitespace)
        return head.lastIndex { !$0.isWhitespace }.map { head[...$0] } ?? head
    }
}
