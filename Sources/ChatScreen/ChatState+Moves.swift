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
            let first = conversations[index].rule?.sequence
        else { return }
        settle(index, at: logView(of: index).anchor(showing: first, rowsBelow: logHeight * 2 / 3))
    }

    /// Closes the open conversation, remembering where it stood.
    mutating func leave() {
        guard let index = currentIndex else { return }
        origin = Origin(peer: conversations[index].peer, anchor: conversations[index].anchor)
        conversations[index].dropRule()
        current = nil
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

    mutating func openRequest() {
        let next = shown.first { $0.isRequest && $0.peer != current }
        guard let next else {
            flash = Flash(text: "no requests", isError: false)
            return
        }
        walkTo(next.peer)
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

    private func logView(of index: Int) -> LogView {
        LogView(self, conversations[index], layout: Layout(self, size: size))
    }

    /// Moves a log to a place; at the bottom everything counts as seen.
    private mutating func settle(_ index: Int, at anchor: LogAnchor?) {
        conversations[index].anchor = anchor
        if anchor == nil { conversations[index].markSeen() }
    }

    mutating func scroll(by rows: Int) {
        guard let index = currentIndex, !conversations[index].log.isEmpty, rows != 0 else { return }
        let view = logView(of: index)
        settle(index, at: rows < 0 ? view.moved(up: -rows, height: logHeight) : view.moved(down: rows))
    }

    mutating func toBottom() {
        if let index = currentIndex { settle(index, at: nil) }
    }

    mutating func toFirstUnread() {
        guard let index = currentIndex, let first = conversations[index].rule?.sequence else {
            flash = Flash(text: "nothing unread here", isError: false)
            return
        }
        let anchor = logView(of: index).anchor(showing: first, rowsBelow: logHeight * 2 / 3)
        settle(index, at: anchor)
    }
}
