// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model

extension DashboardState {
    /// Takes over what the server says now.
    mutating func take(_ new: IndexSnapshot) {
        if let old = snapshot, old.server.boot != new.server.boot { restarted() }
        let new = new.bounded
        snapshot = new
        silence = nil
        if showsPairs, !relays { traffic = .feed }
        now = new.time
        feed.append(new.feed, last: new.feedLast)
        trend.note(
            Trend.Mark(
                uptime: new.uptime, cpu: new.cpu, counters: new.counters, rowsWritten: new.store.rowsWritten,
                leftOut: feed.leftOut, sources: new.sources,
                relay: Trend.Relay(
                    overQuota: new.relay.overQuota, refused: new.relay.refused, displaced: new.relay.displaced)))
        inspect(new)
        if let chosen = feedSelection, feedIndex(of: chosen.sequence) == nil { feedSelection = nil }
        // A paused list changes only by the user's own doing.
        if pause == nil || (new.page.request == requested && new.page.request != page.request) { take(new.page) }
        settle()
    }

    /// Sequences start over with the server.
    private mutating func restarted() {
        feed = Feed()
        feedSelection = nil
        pause = nil
        trend = Trend()
        dismissed = nil
        inspection?.detail = nil
        show("the server was restarted")
    }

    /// Brings open details up to date.
    private mutating func inspect(_ new: IndexSnapshot) {
        guard let peer = inspection?.peer else { return }
        if let row = new.page.rows.first(where: { $0.peer == peer }) { inspection?.row = row }
        if let detail = new.detail, detail.peer == peer { inspection?.detail = detail }
    }

    private mutating func take(_ new: RowPage) {
        let place = firstVisible + (selection?.line ?? 0)
        page = new
        if let jump, new.request == requested {
            self.jump = nil
            let line = jump == .first ? 0 : min(listHeight, new.rows.count) - 1
            selection = (jump == .first ? new.rows.first : new.rows.last).map {
                Selection(peer: $0.peer, line: max(0, line))
            }
            return
        }
        guard let chosen = selection, !new.rows.contains(where: { $0.peer == chosen.peer }) else { return settle() }
        // The row is gone, or out of the filter: its neighbour takes over. An answer to an older request says nothing.
        guard new.request == requested else { return }
        let neighbour = new.rows.isEmpty ? nil : new.rows[min(max(0, place), new.rows.count - 1)]
        selection = neighbour.map { Selection(peer: $0.peer, line: chosen.line) }
        settle()
    }

    /// Brings the selections' lines to what the panels allow.
    mutating func settle() {
        let lastLine = max(0, feedHeight - 1)
        if let chosen = feedSelection, chosen.line > lastLine { feedSelection?.line = lastLine }
        guard let chosen = selection, let index = page.rows.firstIndex(where: { $0.peer == chosen.peer }) else {
            return
        }
        let line = min(max(0, index - firstVisible), max(0, listHeight - 1))
        selection = Selection(peer: chosen.peer, line: line)
    }

    mutating func show(_ text: String) {
        notice = Notice(text: text, until: WallTime(milliseconds: now.milliseconds + 4000))
    }
}

extension IndexSnapshot {
    /// No list longer than a server of ours makes it, whatever answered.
    fileprivate var bounded: IndexSnapshot {
        var bounded = self
        bounded.page.rows = Array(page.rows.prefix(RowRequest.maximumLimit))
        bounded.relay.pairs = Array(relay.pairs.prefix(RelayStatistics.pairLimit))
        bounded.sources = Array(sources.prefix(64))
        bounded.notices = notices.prefix(OperatorNotice.limit).map {
            OperatorNotice(time: $0.time, text: String($0.text.prefix(400)))
        }
        bounded.detail?.queries = Array(detail?.queries.prefix(20) ?? [])
        return bounded
    }
}
