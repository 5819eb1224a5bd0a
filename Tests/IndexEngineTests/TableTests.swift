// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing

@testable import IndexEngine

struct TableTests {
    private let start = Instant(nanoseconds: 0)

    private func hash(_ peer: PeerID) -> PeerHash { PeerHash(peer, secret: 99) }

    private func row(_ number: Int) -> SeedTable.Row {
        SeedTable.Row(
            peer: PeerID(high: UInt64(number), low: 1), address: .loopback(UInt16(truncatingIfNeeded: number)),
            registered: Tick(start, start: start))
    }

    /// Numbers go round after months of registrations, and the index has a number of its own for "nothing".
    @Test(arguments: [0, 1, 0x7FFF_FFF0, 0x7FFF_FFFF, 0xFFFF_FFFF])
    func `a ring of seed peers goes round its numbers both ways`(first: UInt32) {
        var table = SeedTable(first: first)
        for number in 0..<40 { table.append(row(number), hash(row(number).peer), hashOf: hash) }
        for number in -40..<0 { table.prepend(row(1000 - number), hash(row(1000 - number).peer), hashOf: hash) }
        for number in Array(0..<40) + (-40..<0).map({ 1000 - $0 }) {
            #expect(table.find(row(number).peer, hash(row(number).peer))?.address == row(number).address)
        }
        for number in 1001...1040 { #expect(table.removeFirst(hashOf: hash)?.peer == row(number).peer) }
        for number in 0..<40 { #expect(table.removeFirst(hashOf: hash)?.peer == row(number).peer) }
        #expect(table.count == 0 && table.removeFirst(hashOf: hash) == nil)
    }

    @Test func `a row is 64 octets, and holds any address whole`() {
        #expect(MemoryLayout<KeyedTable.Row>.stride == 64)
        let places = [
            Endpoint.loopback(1), Endpoint(address: .v4(0xFFFF_FFFF), port: 65_535),
            Endpoint(address: .v6(0x2001_0DB8_0000_0000, .max), port: 9), Endpoint(address: .v6(.max, 0), port: 65_535),
            Endpoint(address: .v6(0, 1), port: 50_000),
        ]
        for place in places {
            let packed = PeerPlace(place, local: 200)
            #expect(packed.endpoint == place && packed.local == 200)
        }
    }

    /// Against a dictionary, with so few hashes that runs of the table meet and wrap.
    @Test(arguments: [UInt64(1), 2, 3]) func `the index finds what it holds and nothing else`(seed: UInt64) {
        var chance = SplitMix64(seed: seed)
        var index = PeerIndex()
        var numbers: [PeerID: UInt32] = [:]
        func peer(_ number: UInt32) -> PeerID { PeerID(high: UInt64(number), low: 7) }
        for _ in 0..<20_000 {
            let number = UInt32(chance.next() % 300)
            let peer = peer(number)
            if numbers[peer] == nil, chance.next() % 2 == 0 {
                index.insert(number, hash(peer)) { hash(PeerID(high: UInt64($0), low: 7)) }
                numbers[peer] = number
            } else if numbers[peer] != nil, chance.next() % 3 == 0 {
                index.remove(number, hash(peer)) { hash(PeerID(high: UInt64($0), low: 7)) }
                numbers[peer] = nil
            }
            #expect(index.find(hash(peer)) { $0 == number } == numbers[peer])
        }
        for number in 0..<UInt32(300) {
            #expect(index.find(hash(peer(number))) { $0 == number } == numbers[peer(number)])
        }
        #expect(index.count == numbers.count)
    }
}
