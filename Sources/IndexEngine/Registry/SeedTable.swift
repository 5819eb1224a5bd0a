// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Rows of seed peers in the order in which they came, which is the order in which they go: a ring, 40 bytes a row and
/// five to ten for finding it.
struct SeedTable: Sendable {
    struct Row: Sendable {
        let peer: PeerID
        let address: Endpoint
        let registered: Tick
    }

    /// A row of number n lies at n modulo the ring's size, a power of two, so growing renumbers nothing. Numbers go
    /// round below 2³¹: the index keeps the highest for itself.
    private var ring: [Row] = []
    private var first: UInt32
    private(set) var count = 0
    private var index = PeerIndex()

    private static let numbers: UInt32 = 0x7FFF_FFFF

    /// - Parameter first: the number of the first row to come.
    init(first: UInt32 = 0) { self.first = first & Self.numbers }

    private func number(_ offset: Int) -> UInt32 { (first &+ UInt32(truncatingIfNeeded: offset)) & Self.numbers }

    private func place(_ number: UInt32) -> Int { Int(number) & (ring.count - 1) }

    func find(_ peer: PeerID, _ hash: PeerHash) -> Row? {
        index.find(hash) { ring[place($0)].peer == peer }.map { ring[place($0)] }
    }

    /// When the oldest row came.
    var oldest: Tick? { count > 0 ? ring[place(first)].registered : nil }

    func forEach(_ body: (Row) -> Void) {
        for offset in 0..<count { body(ring[place(number(offset))]) }
    }

    /// Adds the newest row.
    mutating func append(_ row: Row, _ hash: PeerHash, hashOf: (PeerID) -> PeerHash) {
        if count == ring.count { grow(filler: row) }
        add(row, number: number(count), hash, hashOf: hashOf)
    }

    /// Adds a row that is older than all.
    mutating func prepend(_ row: Row, _ hash: PeerHash, hashOf: (PeerID) -> PeerHash) {
        if count == ring.count { grow(filler: row) }
        first = number(-1)
        add(row, number: first, hash, hashOf: hashOf)
    }

    private mutating func add(_ row: Row, number: UInt32, _ hash: PeerHash, hashOf: (PeerID) -> PeerHash) {
        ring[place(number)] = row
        count += 1
        index.insert(number, hash) { [ring] in hashOf(ring[Int($0) & (ring.count - 1)].peer) }
    }

    /// Takes the oldest row out.
    @discardableResult
    mutating func removeFirst(hashOf: (PeerID) -> PeerHash) -> Row? {
        guard count > 0 else { return nil }
        let row = ring[place(first)]
        index.remove(first, hashOf(row.peer)) { [ring] in hashOf(ring[Int($0) & (ring.count - 1)].peer) }
        first = number(1)
        count -= 1
        return row
    }

    private mutating func grow(filler: Row) {
        let old = ring
        ring = Array(repeating: filler, count: max(8, old.count * 2))
        for offset in 0..<count {
            let number = number(offset)
            ring[place(number)] = old[Int(number) & (old.count - 1)]
        }
    }
}
