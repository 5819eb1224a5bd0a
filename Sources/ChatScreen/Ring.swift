// SPDX-License-Identifier: GPL-3.0-or-later

/// A bounded list whose oldest elements make room for new ones. An element keeps its sequence number for life.
struct Ring<Element: Sendable>: Sendable {
    let limit: Int
    private var slots: [Element] = []
    /// The sequence number of slot 0 before it was reused.
    private let base: Int
    /// The number that the next element gets.
    private(set) var end: Int

    init(limit: Int) { self.init(limit: limit, base: 0) }

    private init(limit: Int, base: Int) {
        self.limit = max(1, limit)
        self.base = base
        end = base
    }

    /// The number of the oldest element held.
    var start: Int { end - slots.count }
    var isEmpty: Bool { slots.isEmpty }
    /// Every number held, oldest first.
    var range: Range<Int> { start..<end }

    /// Adds an element.
    /// - Returns: the one that made room for it.
    @discardableResult
    mutating func append(_ element: Element) -> Element? {
        defer { end += 1 }
        guard slots.count == limit else {
            slots.append(element)
            return nil
        }
        let slot = (end - base) % limit
        let oldest = slots[slot]
        slots[slot] = element
        return oldest
    }

    /// The element of a number; `nil` when it is gone or not yet there.
    subscript(sequence: Int) -> Element? {
        range.contains(sequence) ? slots[(sequence - base) % limit] : nil
    }

    /// Changes an element in place.
    mutating func update(_ sequence: Int, _ change: (inout Element) -> Void) {
        guard range.contains(sequence) else { return }
        change(&slots[(sequence - base) % limit])
    }

    /// The same elements under the same numbers, with room for more.
    func growing(to limit: Int) -> Ring {
        var grown = Ring(limit: max(limit, self.limit), base: start)
        for sequence in range {
            if let element = self[sequence] { grown.append(element) }
        }
        return grown
    }
}
