// SPDX-License-Identifier: GPL-3.0-or-later
internal import DequeModule
internal import Model

/// Messages that one peer has not acknowledged, in the order of their counters, of which a window is on its way.
struct Outbox {
    /// Messages at most; past it a new one is refused.
    static let limit = 20_000
    /// Messages on their way at most, and bytes of their texts.
    static let window = (messages: 512, bytes: 512 * 1024)
    /// The same towards a peer that has not let us in: it keeps no more, and gives no receipts that would let more
    /// follow.
    static let strangersWindow = (messages: ContactBook.heldLimit, bytes: ContactBook.heldBytes)

    private struct Entry {
        var message: Message
        var isOnDisk: Bool
        var isFlying = false
        var wasSent = false
        var bytes: Int { message.text.utf8.count }
    }

    private var entries: [MessageID: Entry] = [:]
    private var waiting: Deque<MessageID> = []
    /// In the order in which they left.
    private var flying: Deque<MessageID> = []
    private var flight = (messages: 0, bytes: 0)
    /// When something last left after nothing was on its way, or a receipt last came.
    private var quietSince: Instant?
    private var patience = Timing.receipt

    /// Messages that wait for a receipt.
    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    /// Bytes of their texts.
    private(set) var bytes = 0

    /// Takes a message at the end; it may leave once it is on disk.
    mutating func append(_ message: Message, isOnDisk: Bool) {
        guard entries[message.id] == nil else { return }
        let entry = Entry(message: message, isOnDisk: isOnDisk)
        entries[message.id] = entry
        waiting.append(message.id)
        bytes += entry.bytes
    }

    /// A message is on disk.
    mutating func release(_ id: MessageID) { entries[id]?.isOnDisk = true }

    func contains(_ id: MessageID) -> Bool { entries[id] != nil }

    /// Takes what may leave now: `isFirst` tells those that leave for the first time.
    mutating func take(
        within window: (messages: Int, bytes: Int) = Outbox.window, now: Instant
    ) -> [(message: Message, isFirst: Bool)] {
        var taken: [(Message, Bool)] = []
        while let id = waiting.first, flight.messages < window.messages {
            guard var entry = entries[id], entry.isOnDisk,
                flight.bytes == 0 || flight.bytes + entry.bytes <= window.bytes
            else { break }
            waiting.removeFirst()
            taken.append((entry.message, !entry.wasSent))
            if flight.messages == 0 { restartClock(now) }
            entry.isFlying = true
            entry.wasSent = true
            entries[id] = entry
            flying.append(id)
            flight = (flight.messages + 1, flight.bytes + entry.bytes)
        }
        return taken
    }

    /// The peer has a message on disk.
    /// - Returns: `nil` when none with this ID is on its way to the peer.
    mutating func acknowledge(_ id: MessageID, now: Instant) -> Message? {
        guard entries[id]?.isFlying == true else { return nil }
        restartClock(now)
        return remove(id)?.message
    }

    /// Takes a message out, wherever it is.
    /// - Returns: it, and whether it left in this run.
    mutating func remove(_ id: MessageID) -> (message: Message, wasSent: Bool)? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        bytes -= entry.bytes
        if entry.isFlying {
            flight = (flight.messages - 1, flight.bytes - entry.bytes)
            // Receipts come in order, so it is nearly always the first.
            if flying.first == id { flying.removeFirst() } else { flying.removeAll { $0 == id } }
        } else {
            waiting.removeAll { $0 == id }
        }
        return (entry.message, entry.wasSent)
    }

    /// Takes all out, in their order.
    mutating func removeAll() -> [Message] {
        let all = (Array(flying) + Array(waiting)).compactMap { entries[$0]?.message }
        self = Outbox()
        return all
    }

    /// The session is gone: what was on its way goes again, in order.
    mutating func sessionLost() {
        for id in flying { entries[id]?.isFlying = false }
        waiting.prepend(contentsOf: flying)
        flying = []
        flight = (0, 0)
        patience = Timing.receipt
    }

    /// When what is on its way is sent again; `nil` while nothing is.
    var deadline: Instant? { flight.messages > 0 ? quietSince.map { $0 + patience } : nil }

    /// What has been on its way for long without any receipt, in order: the other side's disk may have been full.
    /// Each time it is waited for twice as long.
    mutating func takeOverdue(now: Instant) -> [Message] {
        guard let deadline, deadline <= now else { return [] }
        quietSince = now
        patience = min(Timing.receiptLimit, Span(nanoseconds: patience.nanoseconds * 2))
        return flying.compactMap { entries[$0]?.message }
    }

    private mutating func restartClock(_ now: Instant) {
        quietSince = now
        patience = Timing.receipt
    }
}
