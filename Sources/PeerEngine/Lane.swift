// SPDX-License-Identifier: GPL-3.0-or-later
internal import DequeModule
internal import Model

/// What waits for one peer without a key, and how fast it may go.
struct Lane {

    private(set) var items: Deque<Message> = []
    private var pacer = Pacer.seedWire
    private var heldUntil: Instant?
    /// When something was last sent, for telling when a lookup of the cache is news.
    private(set) var lastUse: Instant?

    mutating func append(_ message: Message) { items.append(message) }

    /// Takes one message back out.
    mutating func remove(_ id: MessageID) -> Message? {
        guard let index = items.firstIndex(where: { $0.id == id }) else { return nil }
        return items.remove(at: index)
    }

    mutating func removeAll() -> [Message] {
        defer { items = [] }
        return Array(items)
    }

    /// Takes what may go now.
    mutating func take(now: Instant) -> [Message] {
        guard heldUntil.map({ $0 <= now }) ?? true else { return [] }
        let count = pacer.take(items.count, now: now)
        let taken = Array(items.prefix(count))
        items.removeFirst(count)
        if count > 0 { lastUse = now }
        return taken
    }

    /// Puts back, in order, what the system did not take; it gets a moment's rest.
    mutating func restore(_ refused: some Collection<Message>, until rested: Instant) {
        items.prepend(contentsOf: refused)
        heldUntil = rested
    }

    /// The peer's address has just been looked up.
    mutating func noteUse(now: Instant) { lastUse = now }

    /// When more may go; `nil` when nothing waits.
    var next: Instant? { items.isEmpty ? nil : max(pacer.next, heldUntil ?? pacer.next) }
}
