// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import ChatStore
import Model
import PeerEngine

/// Answers a screen's questions about what is on disk, off the screen's thread and one after the other.
actor ChatHistory {
    /// Messages of one answer.
    private static let page = 200
    private static let hits = 50

    private let store: ChatStore

    init(_ store: ChatStore) { self.store = store }

    /// What the last run left.
    /// - Parameter saved: what the client started from.
    nonisolated func summaries(_ saved: SavedState) throws(StoreError) -> [ChatScreen.ConversationSummary] {
        let waiting = Dictionary(grouping: saved.outbox, by: \.peer)
        var summaries: [ChatScreen.ConversationSummary] = []
        for summary in try store.summaries() {
            let first = summary.unread > 0 ? try store.firstUnread(of: summary.peer) : nil
            summaries.append(
                ChatScreen.ConversationSummary(
                    summary.peer, unread: summary.unread, firstUnread: first?.message.id,
                    unreadSince: first?.message.received, draft: summary.draft,
                    waiting: waiting[summary.peer, default: []].map(\.id)))
        }
        return summaries
    }

    func load(_ request: HistoryRequest) throws(StoreError) -> HistoryPage {
        try page(request)
    }

    /// The newest messages of a peer, for a first frame that waits for nobody.
    nonisolated func newest(of peer: PeerID) throws(StoreError) -> HistoryPage {
        try page(HistoryRequest(peer, .newest))
    }

    private nonisolated func page(_ request: HistoryRequest) throws(StoreError) -> HistoryPage {
        let (peer, limit) = (request.peer, ChatHistory.page)
        switch request.range {
        case .newest:
            return before(try store.page(with: peer, limit: limit), end: true)
        case .older(let id):
            guard let place = try store.sequence(of: id, with: peer) else { return .nothing }
            return before(try store.page(with: peer, before: place, limit: limit), end: false)
        case .newer(let id):
            guard let place = try store.sequence(of: id, with: peer) else { return .nothing }
            let found = try store.messages(with: peer, after: place, limit: limit)
            return HistoryPage(found.map(\.message), reachesStart: false, reachesEnd: found.count < limit)
        case .around(let id):
            guard let place = try store.sequence(of: id, with: peer) else { return .nothing }
            let found = try store.page(with: peer, around: place, limit: limit)
            let older = found.count { $0.sequence < place }
            return HistoryPage(
                found.map(\.message), reachesStart: older < limit / 2,
                reachesEnd: found.count - older < limit - limit / 2)
        }
    }

    private nonisolated func before(_ found: [StoredMessage], end: Bool) -> HistoryPage {
        HistoryPage(found.map(\.message), reachesStart: found.count < ChatHistory.page, reachesEnd: end)
    }

    /// - Returns: hits, the newest first, and whether there are more.
    func search(_ text: String, in peer: PeerID?) throws(StoreError) -> (hits: [SearchHit], more: Bool) {
        let found = try store.search(text, with: peer, limit: ChatHistory.hits + 1)
        return (found.prefix(ChatHistory.hits).map { hit($0.message, text) }, found.count > ChatHistory.hits)
    }

    /// An excerpt around the first word that was found.
    private func hit(_ message: Message, _ query: String) -> SearchHit {
        let word = query.split { !$0.isLetter && !$0.isNumber }.first.map(String.init) ?? ""
        let range = message.text.range(ofWordBeginningLike: word) ?? message.text.startIndex..<message.text.startIndex
        return SearchHit(
            peer: message.peer, id: message.id, direction: message.direction, received: message.received,
            before: String(message.text[..<range.lowerBound].suffix(60)), match: String(message.text[range]),
            after: String(message.text[range.upperBound...].prefix(200)))
    }
}

extension HistoryPage {
    /// For a message that is not there any more.
    fileprivate static let nothing = HistoryPage([], reachesStart: true, reachesEnd: true)
}

extension String {
    /// Where a text stands first, at a word's beginning, without regard to case.
    fileprivate func range(ofWordBeginningLike word: String) -> Range<String.Index>? {
        guard !word.isEmpty else { return nil }
        let wanted = word.lowercased()
        var isBeginning = true
        for start in indices {
            let character = self[start]
            if isBeginning, let end = index(start, offsetBy: word.count, limitedBy: endIndex),
                self[start..<end].lowercased() == wanted
            {
                return start..<end
            }
            isBeginning = !character.isLetter && !character.isNumber
        }
        return nil
    }
}
