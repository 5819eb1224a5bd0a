// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import TerminalKit

/// The dashboard's reducer and its view.
public enum Dashboard {
    /// Changes the state by an event.
    /// - Returns: what is to be done, in order.
    public static func update(_ state: inout DashboardState, _ event: DashboardEvent) -> [DashboardEffect] {
        var effects: [DashboardEffect] = []
        let inspected = state.inspection?.peer
        let showedPairs = state.showsPairs
        switch event {
        case .terminal(let event): effects = state.handle(event)
        case .snapshot(let snapshot): state.take(snapshot)
        case .disconnected(let seconds): state.silence = max(0, seconds)
        case .clock(let now, let offset):
            state.now = now
            state.utcOffset = offset
        case .notice(let text): state.show(text)
        }
        if let notice = state.notice, notice.until <= state.now { state.notice = nil }
        let request = state.rowRequest
        if request != state.requested || state.showsPairs && !showedPairs {
            state.requested = request
            effects.append(.requestRows(request))
        }
        if let peer = state.inspection?.peer, peer != inspected { effects.append(.requestDetail(peer)) }
        return effects
    }
}

// MARK: Keys

extension DashboardState {
    fileprivate mutating func handle(_ event: TerminalEvent) -> [DashboardEffect] {
        switch event {
        case .resize(let size):
            self.size = size
            settle()
            return []
        case .hangup: return [role == .server ? .quit : .detach]
        case .wheel(let lines):
            let lines = max(-1000, min(1000, lines))
            if overlay == nil { move(by: lines) } else { scrollBox(by: lines) }
            return []
        case .paste(let text):
            if isFiltering { text.prefix { $0 != "\n" }.forEach { type($0) } }
            return []
        case .key(let key): return handle(key)
        }
    }

    private mutating func handle(_ key: Key) -> [DashboardEffect] {
        switch key {
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        case .control("c"): return leave()
        default: break
        }
        if overlay != nil { return handleOverlay(key) }
        if isFiltering {
            edit(key)
            return []
        }
        return handleMovement(key) ? [] : handleCommand(key)
    }

    private mutating func leave() -> [DashboardEffect] {
        guard role == .server else { return [.detach] }
        if overlay == .confirmQuit { return [.quit] }
        overlay = .confirmQuit
        return []
    }

    private mutating func handleOverlay(_ key: Key) -> [DashboardEffect] {
        switch (overlay, key.code) {
        case (.confirmQuit, .character("y")), (.confirmQuit, .character("Y")): return [.quit]
        case (.sortMenu(let index), .up), (.sortMenu(let index), .character("k")):
            overlay = .sortMenu(max(0, index - 1))
        case (.sortMenu(let index), .down), (.sortMenu(let index), .character("j")):
            overlay = .sortMenu(min(RowSort.allCases.count - 1, index + 1))
        case (.sortMenu(let index), .enter):
            overlay = nil
            sort(by: index)
        case (.details, .character("y")): return copyInspected()
        case (.details, .character("x")): unmasked.toggle()
        case (.sortMenu, .escape), (.sortMenu, .character("s")), (.sortMenu, .character("q")): overlay = nil
        case (.sortMenu, _): break
        case (.help, _), (.details, _), (.notices, _): if !handleScrolling(key) { overlay = nil }
        default: overlay = nil
        }
        return []
    }

    private mutating func handleScrolling(_ key: Key) -> Bool {
        let page = max(1, size.rows - 5)
        switch (key.code, key.modifiers) {
        case (.up, _), (.character("k"), []): scrollBox(by: -1)
        case (.down, _), (.character("j"), []): scrollBox(by: 1)
        case (.pageUp, _): scrollBox(by: -page)
        case (.pageDown, _): scrollBox(by: page)
        case (.home, _): boxTop = 0
        case (.end, _): scrollBox(by: 1000)
        default: return false
        }
        return true
    }

    private mutating func scrollBox(by lines: Int) {
        boxTop = min(max(0, boxTop + lines), Canvas(state: self).boxOverflow)
    }

    private mutating func edit(_ key: Key) {
        switch key.code {
        case .enter: isFiltering = false
        case .escape:
            isFiltering = false
            filter = ""
        case .backspace: filter = String(filter.dropLast())
        case .character("u") where key.modifiers == .control: filter = ""
        case .character(let character) where key.modifiers.isSubset(of: .shift): type(character)
        default: break
        }
    }

    private mutating func type(_ character: Character) {
        guard filter.utf8.count + character.utf8.count <= RowRequest.filterLimit else { return }
        filter.append(character)
    }

    private mutating func handleMovement(_ key: Key) -> Bool {
        let height = max(1, focus == .queries ? feedHeight : listHeight)
        switch (key.code, key.modifiers) {
        case (.up, _), (.character("k"), []): move(by: -1)
        case (.down, _), (.character("j"), []): move(by: 1)
        case (.pageUp, _): move(by: -height)
        case (.pageDown, _): move(by: height)
        case (.character("u"), .control): move(by: -(height + 1) / 2)
        case (.character("d"), .control): move(by: (height + 1) / 2)
        case (.home, _), (.character("g"), []): go(to: .first)
        case (.end, _), (.character("G"), _): go(to: .last)
        default: return false
        }
        return true
    }

    private mutating func handleCommand(_ key: Key) -> [DashboardEffect] {
        switch key.code {
        case .character("q"): return leave()
        case .character("?"), .function(1): overlay = .help
        case .tab: nextPanel()
        case .character(let digit) where ("1"..."4").contains(digit): toggle(digit)
        case .character("/"):
            hidden.remove(.registrations)
            focus = .registrations
            isFiltering = true
        case .character("v"): nextView()
        case .character("h"): overlay = .history
        case .character("n"): overlay = .notices
        case .character("s") where sortsSources, .character(">") where sortsSources: sortSources(by: 1)
        case .character("<") where sortsSources: sortSources(by: -1)
        case .character("s"): overlay = .sortMenu(RowSort.allCases.firstIndex(of: sort) ?? 0)
        case .character("<"): sort(by: (RowSort.allCases.firstIndex(of: sort) ?? 0) - 1)
        case .character(">"): sort(by: (RowSort.allCases.firstIndex(of: sort) ?? 0) + 1)
        case .character("r"): descending.toggle()
        case .character("p"), .character(" "): togglePause()
        case .character("+"), .character("="): return setInterval(interval - 1)
        case .character("-"): return setInterval(interval + 1)
        case .enter: openDetails()
        case .escape: back()
        case .character("y"): return copySelected()
        case .character("w"): return save()
        case .character("x"): unmasked.toggle()
        case .character("m"):
            mouse.toggle()
            show(mouse ? "mouse on; hold Shift to select text" : "mouse off")
            return [.setMouse(mouse)]
        default: break
        }
        return []
    }

    private mutating func nextPanel() {
        focus = focus == .registrations ? .queries : .registrations
        hidden.remove(focus)
    }

    /// Shows the queries panel where it is out of sight, else its next view.
    private mutating func nextView() {
        if layout.queries.rows > 0 { traffic = nextTraffic }
        hidden.remove(.queries)
        if layout.queries.rows == 0 { focus = .queries }
        trafficTop = 0
    }

    /// The view that `v` leads to.
    var nextTraffic: TrafficView { traffic.next(relays: relays) }

    var sortsSources: Bool { focus == .queries && traffic == .sources }

    private mutating func sortSources(by step: Int) {
        let all = SourceSort.allCases
        let index = (all.firstIndex(of: sourceSort) ?? 0) + step
        sourceSort = all[(index + all.count) % all.count]
        trafficTop = 0
    }

    private mutating func toggle(_ digit: Character) {
        guard let panel = digit.wholeNumberValue.flatMap(DashboardPanel.init(rawValue:)) else { return }
        if hidden.remove(panel) == nil { hidden.insert(panel) }
        if hidden.contains(focus) { focus = focus == .registrations ? .queries : .registrations }
        settle()
    }

    private mutating func sort(by index: Int) {
        let all = RowSort.allCases
        sort = all[(index + all.count) % all.count]
    }

    private mutating func togglePause() {
        pause = pause == nil ? Pause(since: now, feed: feed) : nil
        if let chosen = feedSelection, feedIndex(of: chosen.sequence) == nil { feedSelection = nil }
    }

    private mutating func setInterval(_ index: Int) -> [DashboardEffect] {
        guard Self.intervals.indices.contains(index) else { return [] }
        interval = index
        return [.setInterval(refreshInterval)]
    }

    /// The ladder of Esc: notice, filter, selection, pause.
    private mutating func back() {
        if let notice = operatorNotice {
            dismissed = notice
        } else if !filter.isEmpty {
            filter = ""
        } else if focus == .queries ? feedSelection != nil : selection != nil {
            if focus == .queries { feedSelection = nil } else { selection = nil }
        } else {
            pause = nil
        }
    }

    private mutating func openDetails() {
        guard let new = focus == .queries ? selectedEntry.map(Inspection.init) : selectedRow.map(Inspection.init) else {
            return show(
                focus == .queries && traffic != .feed
                    ? "v leads to the feed, whose lines have details" : "select a row with the arrow keys first")
        }
        overlay = .details
        inspection = new
    }

    var selectedRow: RegistrationRow? { page.rows.first { $0.peer == selection?.peer } }

    private var selectedEntry: FeedEntry? {
        guard traffic == .feed else { return nil }
        return feedSelection.flatMap { feedIndex(of: $0.sequence) }.flatMap { query(at: $0) }
    }

    private mutating func copySelected() -> [DashboardEffect] {
        if focus == .queries, let entry = selectedEntry { return copy(entry) }
        guard focus == .registrations, let selection else {
            show("select a row with the arrow keys first")
            return []
        }
        show("copied")
        return [.copy(selection.peer.description)]
    }

    private mutating func copyInspected() -> [DashboardEffect] {
        guard let peer = inspection?.peer else {
            show("no UUID to copy here")
            return []
        }
        return [.copy(peer.description)]
    }

    private mutating func copy(_ entry: FeedEntry) -> [DashboardEffect] {
        switch entry.event.target {
        case .peer(let peer):
            show("copied")
            return [.copy(peer.description)]
        case .text, .none:
            show("no UUID to copy here")
            return []
        }
    }

    private mutating func save() -> [DashboardEffect] {
        guard let snapshot else {
            show("nothing to save yet")
            return []
        }
        let stamp = snapshot.time.rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" }
        var saved = snapshot
        saved.feed = feed.entries  // a snapshot's own are those since the one before
        if !unmasked { saved = saved.masked }
        return [.save(name: "parley-index-\(stamp)Z.json", text: saved.jsonText, masked: !unmasked)]
    }

    // MARK: Movement

    private mutating func move(by lines: Int) {
        switch (focus, traffic) {
        case (.queries, .feed): moveInFeed(by: lines)
        case (.queries, _): scrollTraffic(by: lines)
        default: moveInRows(by: lines)
        }
    }

    private mutating func scrollTraffic(by lines: Int) {
        let rows =
            switch traffic {
            case .results: IndexResult.all.count
            case .sources: snapshot?.sources.count ?? 0
            case .pairs: snapshot?.relay.pairs.count ?? 0
            case .feed: 0
            }
        trafficTop = min(max(0, trafficTop + lines), max(0, rows - feedHeight))
    }

    private mutating func moveInRows(by lines: Int) {
        guard !page.rows.isEmpty else { return }
        let index: Int
        if let old = page.rows.firstIndex(where: { $0.peer == selection?.peer }) {
            index = min(max(0, old + lines), page.rows.count - 1)
        } else {
            index = min(lines < 0 ? max(0, listHeight - 1) : 0, page.rows.count - 1)
        }
        let line = min(max(0, index - firstVisible), max(0, listHeight - 1))
        selection = Selection(peer: page.rows[index].peer, line: line)
        jump = nil
    }

    private mutating func moveInFeed(by lines: Int) {
        let count = shownFeed.count
        guard count > 0 else { return }
        let old = feedSelection.flatMap { feedIndex(of: $0.sequence) }
        let first = firstVisibleQuery
        let index = min(max(0, old.map { $0 + lines } ?? 0), count - 1)
        guard let entry = query(at: index) else { return }
        feedSelection = FeedSelection(
            sequence: entry.sequence, line: min(max(0, index - first), max(0, feedHeight - 1)))
    }

    private mutating func go(to end: Jump) {
        if focus == .queries {
            move(by: end == .first ? -Feed.capacity : Feed.capacity)
        } else {
            jump = end
        }
    }
}
