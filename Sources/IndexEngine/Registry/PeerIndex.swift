// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Finds the row number of a peer: a hash table with linear probing that holds nothing but numbers, four bytes each, at
/// most four fifths full. The rows themselves lie in their table, which tells the peer of a number.
struct PeerIndex: Sendable {
    private static let empty = UInt32.max

    private var slots: [UInt32] = []
    private(set) var count = 0

    private var mask: Int { slots.count - 1 }

    /// The number of a peer.
    func find(_ hash: PeerHash, isMatch: (UInt32) -> Bool) -> UInt32? {
        place(hash, isMatch: isMatch).map { slots[$0] }
    }

    /// Adds a number for a peer that isn't there.
    mutating func insert(_ number: UInt32, _ hash: PeerHash, hashOf: (UInt32) -> PeerHash) {
        if (count + 1) * 5 > slots.count * 4 { grow(hashOf: hashOf) }
        place(number, hash)
        count += 1
    }

    /// Gives a peer another number.
    mutating func renumber(_ hash: PeerHash, from old: UInt32, to new: UInt32) {
        guard let place = place(hash, isMatch: { $0 == old }) else { return }
        slots[place] = new
    }

    /// Takes a number out. Those behind it move up, so that there are no graves to step over.
    mutating func remove(_ number: UInt32, _ hash: PeerHash, hashOf: (UInt32) -> PeerHash) {
        guard var hole = place(hash, isMatch: { $0 == number }) else { return }
        count -= 1
        var next = (hole + 1) & mask
        while slots[next] != Self.empty {
            let home = hashOf(slots[next]).slot(mask)
            // It may move when its home does not lie between the hole and itself.
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = Self.empty
    }

    private func place(_ hash: PeerHash, isMatch: (UInt32) -> Bool) -> Int? {
        guard !slots.isEmpty else { return nil }
        var place = hash.slot(mask)
        while slots[place] != Self.empty {
            if isMatch(slots[place]) { return place }
            place = (place + 1) & mask
        }
        return nil
    }

    private mutating func place(_ number: UInt32, _ hash: PeerHash) {
        var place = hash.slot(mask)
        while slots[place] != Self.empty { place = (place + 1) & mask }
        slots[place] = number
    }

    private mutating func grow(hashOf: (UInt32) -> PeerHash) {
        let old = slots
        slots = Array(repeating: Self.empty, count: max(16, old.count * 2))
        for number in old where number != Self.empty { place(number, hashOf(number)) }
    }
}

/// A peer ID scattered by a secret: nobody can choose IDs that fall together.
struct PeerHash: Sendable {
    private let bits: UInt64

    /// Multiplies two halves and folds the product, as wyhash does (Wang Yi, 2019).
    init(_ peer: PeerID, secret: UInt64) {
        let left = peer.high ^ secret
        let right = peer.low ^ (secret << 32 | secret >> 32) ^ 0x9E37_79B9_7F4A_7C15
        let product = left.multipliedFullWidth(by: right)
        bits = product.high ^ product.low
    }

    /// A number below a power of two, from the high bits.
    func shard(_ mask: Int) -> Int { Int(truncatingIfNeeded: bits >> 40) & mask }
    /// The same from the low bits.
    func slot(_ mask: Int) -> Int { Int(truncatingIfNeeded: bits & 0xFF_FFFF_FFFF) & mask }
}
