// SPDX-License-Identifier: GPL-3.0-or-later

/// Keeps those rows of a stream that stand in one place of the order: around a row, at the beginning or at the end.
struct RowSelection {
    private let pivot: RowEntry?
    private var below: BoundedHeap
    private var above: BoundedHeap
    /// Rows before the pivot, kept or not.
    private var before = 0
    private let isAtEnd: Bool

    /// The `reach` rows before one and as many from it on.
    init(around pivot: RowEntry, reach: Int) {
        self.pivot = pivot
        below = BoundedHeap(limit: reach, keepsSmallest: false)
        above = BoundedHeap(limit: reach, keepsSmallest: true)
        isAtEnd = false
    }

    /// The first `count` rows of all.
    init(first count: Int) {
        pivot = nil
        below = BoundedHeap(limit: 0, keepsSmallest: false)
        above = BoundedHeap(limit: count, keepsSmallest: true)
        isAtEnd = false
    }

    /// The last `count` rows of all.
    init(last count: Int) {
        pivot = nil
        below = BoundedHeap(limit: count, keepsSmallest: false)
        above = BoundedHeap(limit: 0, keepsSmallest: true)
        isAtEnd = true
    }

    mutating func offer(_ entry: RowEntry) {
        if isAtEnd || pivot.map({ entry < $0 }) == true {
            before += 1
            below.offer(entry)
        } else {
            above.offer(entry)
        }
    }

    /// What was kept, sorted, and the place of the first among all.
    func finish() -> (entries: [RowEntry], first: Int) {
        (below.entries.sorted() + above.entries.sorted(), before - below.entries.count)
    }
}

/// The smallest or the greatest entries of a stream: a binary heap with the one on top that has to go next.
struct BoundedHeap {
    private let limit: Int
    private let keepsSmallest: Bool
    private(set) var entries: [RowEntry] = []

    init(limit: Int, keepsSmallest: Bool) {
        self.limit = limit
        self.keepsSmallest = keepsSmallest
    }

    /// Whether the left one goes before the right one.
    private func goesFirst(_ left: RowEntry, _ right: RowEntry) -> Bool {
        keepsSmallest ? right < left : left < right
    }

    mutating func offer(_ entry: RowEntry) {
        if entries.count < limit {
            entries.append(entry)
            rise(entries.count - 1)
        } else if let top = entries.first, goesFirst(top, entry) {
            entries[0] = entry
            sink()
        }
    }

    private mutating func rise(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard goesFirst(entries[child], entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var first = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && goesFirst(entries[child], entries[first]) {
                first = child
            }
            guard first != parent else { return }
            entries.swapAt(parent, first)
            parent = first
        }
    }
}
