// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine

/// The newest feed entries that this display has, and how many passed it by.
struct Feed: Equatable, Sendable {
    static let capacity = 512
    private(set) var entries: [FeedEntry] = []
    /// The sequence of the newest entry that the server had.
    private(set) var last: UInt64 = 0
    /// Entries since the first answer that never came here: the server forgot them, or sends only some.
    private(set) var leftOut: UInt64 = 0
    private var began = false

    /// Takes over what a snapshot brought.
    mutating func append(_ news: [FeedEntry], last serverLast: UInt64) {
        let fresh = news.suffix(Self.capacity).filter { $0.sequence > last }
        let newest = max(last, serverLast, fresh.last?.sequence ?? 0)
        // What came before this display did is nobody's loss.
        if began {
            let missing = (newest - last).subtractingReportingOverflow(UInt64(fresh.count))
            let (sum, overflow) = leftOut.addingReportingOverflow(missing.overflow ? 0 : missing.partialValue)
            leftOut = overflow ? .max : sum
        }
        began = true
        entries.append(contentsOf: fresh)
        entries.removeFirst(max(0, entries.count - Self.capacity))
        last = newest
    }
}
