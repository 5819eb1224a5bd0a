// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Rows that live as long as their lease is renewed, at most `capacity` of them.
///
/// Expiry is lazy for readers (an expired row is never returned) and incremental for memory: each insertion clears a few
/// rows. A heap holds one deadline per row, possibly an early one: a renewal does not touch it, and a row whose deadline
/// passes unspent goes back with its real one. So a renewal costs one dictionary write.
struct LeaseTable<Row: Sendable>: Sendable {
    struct Lease: Sendable {
        var row: Row
        let registered: Instant
        var expires: Instant
    }

    let capacity: Int
    let lease: Span
    private var leases: [PeerID: Lease] = [:]
    private var deadlines: [Deadline] = []

    private struct Deadline {
        var time: Instant
        var peer: PeerID
    }

    init(capacity: Int, lease: Span) {
        self.capacity = max(1, capacity)
        self.lease = lease
    }

    /// Rows held, expired ones that wait for their removal included.
    var count: Int { leases.count }
    var isFull: Bool { leases.count >= capacity }
    /// When the next row may have to go; `nil` while the table is empty, so nothing wakes up for it.
    var nextExpiry: Instant? { deadlines.first?.time }

    /// The lease of a peer, unless it is over.
    func live(_ peer: PeerID, now: Instant) -> Lease? {
        guard let lease = leases[peer], now < lease.expires else { return nil }
        return lease
    }

    /// The row of a peer, over or not.
    func peek(_ peer: PeerID) -> Row? { leases[peer]?.row }

    /// Calls `body` for each row that is not over, in no order.
    func forEachLive(now: Instant, _ body: (PeerID, Lease) -> Void) {
        for (peer, lease) in leases where now < lease.expires { body(peer, lease) }
    }

    /// Puts a row in and starts its lease; a row that was there keeps its age. The caller has made room.
    mutating func put(_ row: Row, for peer: PeerID, now: Instant) {
        let expires = now + lease
        if let old = leases[peer] {
            let registered = now < old.expires ? old.registered : now
            leases[peer] = Lease(row: row, registered: registered, expires: expires)
        } else {
            leases[peer] = Lease(row: row, registered: now, expires: expires)
            push(Deadline(time: expires, peer: peer))
        }
    }

    /// Starts a lease anew.
    mutating func renew(_ peer: PeerID, now: Instant) { leases[peer]?.expires = now + lease }

    /// Takes the row out whose deadline is first: without renewals, the oldest.
    mutating func removeFirst() -> Row? {
        guard let first = pop() else { return nil }
        return leases.removeValue(forKey: first.peer)?.row
    }

    /// Takes out at most `limit` rows whose lease is over.
    mutating func removeExpired(now: Instant, limit: Int, _ removed: (Row) -> Void = { _ in }) {
        for _ in 0..<max(0, limit) {
            guard let first = deadlines.first, first.time <= now, let deadline = pop() else { return }
            guard let lease = leases[deadline.peer] else { continue }
            if lease.expires <= now {
                leases[deadline.peer] = nil
                removed(lease.row)
            } else {
                push(Deadline(time: lease.expires, peer: deadline.peer))
            }
        }
    }

    // MARK: A binary heap, the earliest deadline first

    private mutating func push(_ deadline: Deadline) {
        deadlines.append(deadline)
        var child = deadlines.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard deadlines[child].time < deadlines[parent].time else { return }
            deadlines.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func pop() -> Deadline? {
        guard let last = deadlines.indices.last else { return nil }
        deadlines.swapAt(0, last)
        let first = deadlines.removeLast()
        var parent = 0
        while true {
            var earliest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < deadlines.count && deadlines[child].time < deadlines[earliest].time {
                earliest = child
            }
            guard earliest != parent else { return first }
            deadlines.swapAt(parent, earliest)
            parent = earliest
        }
    }
}
