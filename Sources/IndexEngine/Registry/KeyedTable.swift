// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Rows of peers with keys, close together: 64 bytes each, the record, and five to ten for finding them.
struct KeyedTable: Sendable {
    struct Row: Sendable {
        let peer: PeerID
        /// The signed record, verbatim.
        var record: [UInt8]
        var sequence: UInt64
        /// The source that proved itself, and where it wrote to.
        var place: PeerPlace
        var registered: Tick
        var expires: Tick
        /// When it was last handed to the store.
        var written: Tick

        var address: Endpoint { place.endpoint }
    }

    private(set) var rows: [Row] = []
    private var index = PeerIndex()
    /// No row ends before this; renewals leave it behind.
    private(set) var earliest = Tick.never

    var count: Int { rows.count }

    func find(_ peer: PeerID, _ hash: PeerHash) -> Int? {
        index.find(hash) { rows[Int($0)].peer == peer }.map { Int($0) }
    }

    subscript(number: Int) -> Row { rows[number] }

    /// Where a row leads, while its lease lasts.
    func place(_ number: Int, now: Tick) -> PeerPlace? {
        now < rows[number].expires ? rows[number].place : nil
    }

    /// Changes a row in place; its peer stays.
    mutating func update(_ number: Int, _ change: (inout Row) -> Void) {
        change(&rows[number])
        earliest = min(earliest, rows[number].expires)
    }

    /// Adds the row of a peer that has none.
    mutating func insert(_ row: Row, _ hash: PeerHash, hashOf: (PeerID) -> PeerHash) {
        // Doubling would leave half of a million rows empty.
        if rows.count == rows.capacity { rows.reserveCapacity(rows.count + rows.count / 4 + 8) }
        rows.append(row)
        index.insert(UInt32(rows.count - 1), hash) { [rows] in hashOf(rows[Int($0)].peer) }
        earliest = min(earliest, row.expires)
    }

    /// Takes out the rows whose lease is over.
    mutating func removeExpired(now: Tick, hashOf: (PeerID) -> PeerHash, _ removed: (Row) -> Void) {
        guard earliest <= now else { return }
        earliest = .never
        var number = 0
        while number < rows.count {
            guard rows[number].expires <= now else {
                earliest = min(earliest, rows[number].expires)
                number += 1
                continue
            }
            removed(rows[number])
            remove(number, hashOf: hashOf)
        }
    }

    /// The last row takes the place of the one that goes.
    private mutating func remove(_ number: Int, hashOf: (PeerID) -> PeerHash) {
        index.remove(UInt32(number), hashOf(rows[number].peer)) { [rows] in hashOf(rows[Int($0)].peer) }
        let last = rows.count - 1
        if number != last {
            index.renumber(hashOf(rows[last].peer), from: UInt32(last), to: UInt32(number))
            rows.swapAt(number, last)
        }
        rows.removeLast()
    }
}
