// SPDX-License-Identifier: GPL-3.0-or-later

/// A stretch of a list that grows and shrinks at both ends. An element keeps its number for life, and no number comes
/// back for another one.
struct LogWindow<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    /// The number of the first element held; negative after growth at the front.
    private(set) var start = 0

    init() {}

    /// The number that the next element at the end gets.
    var end: Int { start + elements.count }
    var count: Int { elements.count }
    var isEmpty: Bool { elements.isEmpty }
    /// Every number held, in order.
    var range: Range<Int> { start..<end }

    /// The element of a number; `nil` when it is not held.
    subscript(number: Int) -> Element? { range.contains(number) ? elements[number - start] : nil }

    mutating func append(_ element: Element) { elements.append(element) }

    /// Puts elements before the first one, in their order.
    mutating func prepend(_ more: [Element]) {
        elements.insert(contentsOf: more, at: 0)
        start -= more.count
    }

    /// Changes an element in place.
    mutating func update(_ number: Int, _ change: (inout Element) -> Void) {
        guard range.contains(number) else { return }
        change(&elements[number - start])
    }

    /// Drops everything outside of a range of numbers.
    /// - Returns: what was dropped.
    @discardableResult
    mutating func keep(_ kept: Range<Int>) -> [Element] {
        let kept = kept.clamped(to: range)
        let dropped = Array(elements[..<(kept.lowerBound - start)] + elements[(kept.upperBound - start)...])
        elements = Array(elements[(kept.lowerBound - start)..<(kept.upperBound - start)])
        start = kept.lowerBound
        return dropped
    }

    /// Takes one element out; those behind it move up by one.
    mutating func remove(_ number: Int) {
        guard range.contains(number) else { return }
        elements.remove(at: number - start)
    }

    mutating func removeAll() {
        start = end
        elements.removeAll()
    }
}
