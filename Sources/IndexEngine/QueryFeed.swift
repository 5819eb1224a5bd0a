// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// The last queries and registrations, in a ring: a slow display loses lines, it never slows the server down.
struct QueryFeed {
    /// Entries kept; the oldest make room.
    static let capacity = 512
    private var ring: [FeedEntry] = []
    /// The sequence of the newest entry; 0 when there was none.
    private(set) var last: UInt64 = 0

    init() { ring.reserveCapacity(Self.capacity) }

    mutating func append(_ event: IndexEvent, took: Span) {
        last &+= 1
        let entry = FeedEntry(
            sequence: last, event: event, microseconds: UInt32(clamping: took.nanoseconds / 1000))
        if ring.count < Self.capacity {
            ring.append(entry)
        } else {
            ring[Int((last - 1) % UInt64(Self.capacity))] = entry
        }
    }

    /// What came after an entry, oldest first.
    func entries(after sequence: UInt64) -> [FeedEntry] {
        let oldest = last - UInt64(ring.count) + 1
        let first = max(oldest, sequence == .max ? .max : sequence + 1)
        guard first <= last else { return [] }
        return (first...last).map { ring[Int(($0 - 1) % UInt64(Self.capacity))] }
    }
}
