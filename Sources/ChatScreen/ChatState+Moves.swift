// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// Going from conversation to conversation, and through a log.
extension ChatState {
    // MARK: Conversations

    /// Opens a conversation, at its first unread message if that is far up.
    mutating func open(_ peer: PeerID) {
        guard peer != current, let index = index(of: peer), !conversations[index].contact.blocked else { return }
        leave()
        conversations[index].hidden = false
        // What was begun before anybody was open goes along.
        if conversations[index].draft.editor.isEmpty { swap(&conversations[index].draft.editor, &lobby.editor) }
        current = peer
        completion = nil
        doubted = nil
        guard conversations[index].unread > 0, conversations[index].anchor == nil,
            let first = conversations[index].rule?.first
        else { return }
        jump(index, to: .unread(first))
    }

    /// Closes the open conversation, remembering where it stood.
    mutating func leave() {
        guard let index = currentIndex else { return }
        origin = Origin(peer: conversations[index].peer, anchor: conversations[index].anchor)
        conversations[index].dropRule()
        current = nil
        marked = nil
        selection = nil
    }

    mutating func openShown(_ number: Int) {
        let shown = shown
        if shown.indices.contains(number) { walkTo(shown[number].peer) }
    }

    mutating func openNeighbour(_ step: Int) {
        let shown = shown
        guard !shown.isEmpty else { return }
        let place = shown.firstIndex { $0.peer == current } ?? (step > 0 ? -1 : 0)
        walkTo(shown[(place + step + shown.count) % shown.count].peer)
    }

    /// Opens a conversation by the user's own choice, which ends a walk through the unread ones.
    private mutating func walkTo(_ peer: PeerID) {
        walkStart = nil
        open(peer)
    }

    /// First who names the user, then who has waited longest, then back to where the walk began.
    mutating func openNextUnread() {
        let unread = shown.filter { $0.unread > 0 && $0.peer != current }
        let best = unread.min { left, right in
            if (left.mentions > 0) != (right.mentions > 0) { return left.mentions > 0 }
            return (left.rule?.since ?? .latest) < (right.rule?.since ?? .latest)
        }
        if let best {
            if walkStart == nil { walkStart = current }
            open(best.peer)
        } else if let start = walkStart {
            walkStart = nil
            open(start)
        } else {
            flash = Flash(text: "nothing unread elsewhere", isError: false)
        }
    }

    /// Back to the conversation and the place before the last jump; again to return.
    mutating func goBack() {
        guard let target = origin, let index = index(of: target.peer) else { return }
        guard target.peer != current else {
            origin = Origin(peer: target.peer, anchor: conversations[index].anchor)
            return settle(index, at: target.anchor)
        }
        walkTo(target.peer)
    }

    // MARK: The log

    /// Rows of the log at the size last told.
    var logHeight: Int { max(1, Layout(self, size: size).log.rows) }

    func logView(of index: Int) -> LogView {
        LogView(self, conversations[index], layout: Layout(self, size: size))
    }

    /// Moves a log to a place; the bottom is the newest message, also of a log that stands far back.
    mutating func settle(_ index: Int, at anchor: LogAnchor?) {
        if anchor == nil, !conversations[index].reachesEnd { conversations[index].clear() }
        conversations[index].anchor = anchor
        if anchor == nil { conversations[index].markSeen() }
    }

    mutating func scroll(by rows: Int) {
        guard let index = currentIndex, !conversations[index].log.isEmpty, rows != 0 else { return }
        let view = logView(of: index)
        settle(index, at: rows < 0 ? view.moved(up: -rows, height: logHeight) : view.moved(down: rows))
    }

    mutating func toBottom() {
        marked = nil
        if let index = currentIndex {
            conversations[index].arrived()
            settle(index, at: nil)
        }
    }

    mutating func toFirstUnread() {
        guard let index = currentIndex, let first = conversations[index].rule?.first else {
            flash = Flash(text: "nothing unread here", isError: false)
            return
        }
        jump(index, to: .unread(first))
    }

    /// Goes to a message, by way of the disk when it is not at hand.
    mutating func jump(_ index: Int, to jump: Jump) {
        conversations[index].head(for: jump)
        if conversations[index].number(of: jump.key) != nil { arrive(index) }
    }

    /// Settles the log at the message that it was to go to, now that its page is here.
    mutating func arrive(_ index: Int) {
        guard let jump = conversations[index].jump, conversations[index].pending == nil else { return }
        conversations[index].arrived()
        guard let number = conversations[index].number(of: jump.key) else {
            if case .hit = jump { flash = Flash(text: "that message is gone", isError: true) }
            return
        }
        switch jump {
        case .unread: settle(index, at: logView(of: index).anchor(showing: number, rowsBelow: logHeight * 2 / 3))
        case .hit:
            marked = jump.key
            settle(index, at: logView(of: index).anchor(showing: number, rowsBelow: max(1, logHeight / 2)))
        }
    }
}
