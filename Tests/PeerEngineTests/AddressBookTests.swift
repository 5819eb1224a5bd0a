// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Testing

@Suite struct AddressBookTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    private let home = Endpoint.loopback(50_001)
    private let other = Endpoint.loopback(50_002)

    private func id(_ number: Int) -> PeerID { PeerID(high: UInt64(number), low: 1 << 63).stamped(version: 4) }

    @Test(arguments: [1, 2, 100])
    func `beyond its limit the entry used longest ago goes`(limit: Int) {
        var book = AddressBook(limit: limit)
        for number in 0..<limit { book.learn(id(number), home, sequence: 1, now: start + .seconds(number)) }
        #expect(book.count == limit)
        // Used last, so it stays when there is another to go.
        #expect(book.endpoint(of: id(0), now: start + .seconds(limit)) == home)
        book.learn(id(limit), home, sequence: 1, now: start + .seconds(limit + 1))
        #expect(book.count == limit)
        #expect(book.lastEndpoint(of: id(limit)) == home)
        #expect(book.lastEndpoint(of: id(0)) == (limit == 1 ? nil : home))
        #expect(book.lastEndpoint(of: id(1)) == (limit == 1 ? home : nil))
    }

    @Test func `learning anew replaces and needs no room`() {
        var book = AddressBook(limit: 1)
        book.learn(id(0), home, sequence: 1, now: start)
        book.learn(id(0), other, sequence: 2, now: start)
        #expect(book.count == 1 && book.lastEndpoint(of: id(0)) == other && book.sequence(of: id(0)) == 2)
    }

    @Test func `an address without confirmation is good for its life`() {
        var book = AddressBook()
        book.learn(id(0), home, sequence: 1, now: start)
        let last = Span(nanoseconds: Timing.addressLife.nanoseconds - 1)
        #expect(book.endpoint(of: id(0), now: start + last) == home)
        #expect(book.endpoint(of: id(0), now: start + Timing.addressLife) == nil)
        #expect(book.lastEndpoint(of: id(0)) == home)
        #expect(book.keep(id(0), now: start + Timing.addressLife) == true)
        #expect(book.endpoint(of: id(0), now: start + Timing.addressLife) == home)
    }

    @Test func `a word in a peer's name confirms its address, wherever it came from`() {
        var book = AddressBook()
        book.learn(id(0), home, sequence: 0, now: start)
        book.heard(from: id(0), at: other, now: start + .seconds(500))
        #expect(book.endpoint(of: id(0), now: start + .seconds(1000)) == home)
    }

    @Test func `an address of the last run is known, but not confirmed`() {
        var book = AddressBook()
        book.restore(id(0), SavedAddress(endpoint: home, sequence: 7))
        #expect(book.endpoint(of: id(0), now: start) == nil)
        #expect(book.lastEndpoint(of: id(0)) == home)
        #expect(book.saved(id(0)) == SavedAddress(endpoint: home, sequence: 7) && book.saved(id(1)) == nil)
    }

    @Test func `a hint of the network takes no address from a peer with a key`() {
        var book = AddressBook()
        let keyed = id(0).stamped(version: 8)
        book.learn(keyed, home, sequence: 1, now: start)
        #expect(book.doubt(home) == [])
        #expect(book.endpoint(of: keyed, now: start) == home)
    }

    @Test func `of an unknown peer nothing is learnt by hearing`() {
        var book = AddressBook()
        book.heard(from: id(0), at: home, now: start)
        #expect(book.count == 0)
    }

    @Test func `a dead address goes for all who had it, and their sequences stay`() {
        var book = AddressBook()
        for number in [2, 1] { book.learn(id(number), home, sequence: 7, now: start) }
        book.learn(id(3), other, sequence: 7, now: start)
        #expect(book.doubt(home) == [id(1), id(2)])
        #expect(book.endpoint(of: id(1), now: start) == nil)
        #expect(book.sequence(of: id(1)) == 7)
        #expect(book.keep(id(1), now: start) == false)
        #expect(book.endpoint(of: id(3), now: start) == other)
        #expect(book.doubt(home) == [])
    }

    @Test func `a dead address lives again when something comes from it`() {
        var book = AddressBook()
        book.learn(id(0), home, sequence: 1, now: start)
        _ = book.doubt(home)
        #expect(book.deadEndpoint(of: id(0)) == home)
        book.heard(from: id(0), at: other, now: start)
        book.heard(from: id(0), at: home, now: start)
        #expect(book.endpoint(of: id(0), now: start) == home)
        #expect(book.deadEndpoint(of: id(0)) == nil)
    }
}
