// SPDX-License-Identifier: GPL-3.0-or-later
internal import DequeModule
internal import Model

/// What waits for one peer, and how fast it may go.
struct Lane {
    /// One message on its way out, already encoded.
    struct Item: Equatable {
        var id: MessageID
        var tag: String?
        var bytes: [UInt8]
    }

    /// Messages that wait for one peer at most; past it a new one is refused.
    static let limit = 20_000

    private(set) var items: Deque<Item> = []
    private var pacer = Pacer()
    private var heldUntil: Instant?
    /// When something was last sent, for telling when a lookup of the cache is news.
    private(set) var lastUse: Instant?

    var isFull: Bool { items.count >= Lane.limit }

    mutating func append(_ item: Item) { items.append(item) }

    /// Takes one message back out.
    mutating func remove(_ id: MessageID) -> Item? {
        guard let index = items.firstIndex(where: { $0.id == id }) else { return nil }
        return items.remove(at: index)
    }

    mutating func removeAll() -> [Item] {
        defer { items = [] }
        return Array(items)
    }

    /// Takes what may go now.
    mutating func take(now: Instant) -> [Item] {
        guard heldUntil.map({ $0 <= now }) ?? true else { return [] }
        let count = pacer.take(items.count, now: now)
        let taken = Array(items.prefix(count))
        items.removeFirst(count)
        if count > 0 { lastUse = now }
        return taken
    }

    /// Puts back, in order, what the system did not take; it gets a moment's rest.
    mutating func restore(_ refused: some Collection<Item>, until rested: Instant) {
        items.prepend(contentsOf: refused)
        heldUntil = rested
    }

    /// The peer's address has just been looked up.
    mutating func noteUse(now: Instant) { lastUse = now }

    /// When more may go; `nil` when nothing waits.
    var next: Instant? { items.isEmpty ? nil : max(pacer.next, heldUntil ?? pacer.next) }
}
