// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// Finding old messages.
extension ChatState {
    /// Shows a search and asks for its hits, unless they were asked for.
    mutating func find(in box: SearchBox) -> [ChatEffect] {
        var box = box
        defer { overlay = .search(box) }
        let question = box.question
        guard question != box.asked else { return [] }
        box.asked = question
        box.selected = 0
        searchToken &+= 1
        box.token = searchToken
        guard let question else {
            (box.hits, box.hasMore, box.isAnswered) = ([], false, false)
            return []
        }
        return [.search(question.text, in: question.peer, token: box.token)]
    }

    /// Takes the hits of the search that is on the screen; those of an earlier one are of no use.
    mutating func take(_ hits: [SearchHit], more: Bool, token: Int) {
        guard case .search(var box)? = overlay, box.token == token, box.asked != nil else { return }
        box.hits = Array(hits.prefix(SearchBox.hitLimit))
        box.hasMore = more || hits.count > box.hits.count
        box.isAnswered = true
        box.selected = min(box.selected, max(0, box.hits.count - 1))
        overlay = .search(box)
    }

    mutating func pressInSearch(_ key: Key, _ box: SearchBox) -> [ChatEffect] {
        var box = box
        let last = max(0, box.hits.count - 1)
        let page = max(1, overlayHeight - 4)
        switch key {
        case .control("r"):
            box.peer = box.peer == nil ? current : nil
            return find(in: box)
        case Key(.up), .control("p"): box.selected = max(0, box.selected - 1)
        case Key(.down), .control("n"): box.selected = min(last, box.selected + 1)
        case Key(.pageUp): box.selected = max(0, box.selected - page)
        case Key(.pageDown): box.selected = min(last, box.selected + page)
        case Key(.enter):
            guard box.hits.indices.contains(box.selected) else { return [] }
            go(to: box.hits[box.selected])
            return []
        case Key(.enter, .alt), .control("j"), Key(.tab): break
        default:
            _ = box.query.handle(key, ring: &killRing)
            return find(in: box)
        }
        overlay = .search(box)
        return []
    }

    private mutating func go(to hit: SearchHit) {
        guard let index = index(of: hit.peer), !conversations[index].contact.blocked else {
            flash = Flash(text: "its peer is no longer in the address book", isError: true)
            return
        }
        overlay = nil
        if hit.peer == current {
            origin = Origin(peer: hit.peer, anchor: conversations[index].anchor)
        } else {
            walkStart = nil
            open(hit.peer)
        }
        jump(index, to: .hit(MessageKey(hit.id, hit.direction)))
    }
}
