// SPDX-License-Identifier: GPL-3.0-or-later

/// Numbers in the order of their last use, in several lists, each number in one of them. Every step takes the same
/// time, however many there are.
struct UseOrder: Sendable {
    private struct Link {
        var older = UseOrder.none, newer = UseOrder.none
    }

    private struct Ends {
        var oldest = UseOrder.none, newest = UseOrder.none
    }

    private static let none: Int32 = -1

    private var links: [Link] = []
    private var lists: [Ends]

    /// - Parameter count: how many lists.
    init(lists count: Int) { lists = Array(repeating: Ends(), count: count) }

    /// The number that was not used for longest.
    func oldest(in list: Int) -> Int? {
        let oldest = lists[list].oldest
        return oldest == Self.none ? nil : Int(oldest)
    }

    /// Puts a number, 0 to 2³¹ − 1, that is in no list at the end of one.
    mutating func append(_ number: Int, to list: Int) {
        while links.count <= number { links.append(Link()) }
        let (new, newest) = (Int32(truncatingIfNeeded: number), lists[list].newest)
        links[number] = Link(older: newest)
        if newest == Self.none { lists[list].oldest = new } else { links[Int(newest)].newer = new }
        lists[list].newest = new
    }

    mutating func remove(_ number: Int, from list: Int) {
        let (older, newer) = (links[number].older, links[number].newer)
        if older == Self.none { lists[list].oldest = newer } else { links[Int(older)].newer = newer }
        if newer == Self.none { lists[list].newest = older } else { links[Int(newer)].older = older }
    }

    /// It was used: to the end of its list.
    mutating func touch(_ number: Int, in list: Int) {
        guard Int(lists[list].newest) != number else { return }
        remove(number, from: list)
        append(number, to: list)
    }
}
