// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

@Suite struct CallSheetTests {
    @Test(arguments: [
        IndexReply.unknown(boot: "b", spreadSeconds: 0), .moved(boot: "b", seen: .loopback(9)), .calling(channel: nil),
    ])
    func `a server that has us not registered is called again for the same session, but not at once`(
        reply: IndexReply
    ) throws {
        var (sheet, random) = (CallSheet(), RandomSource.seeded(1))
        let (name, session) = (CallSheet.Name(peer: World.peer(2), server: World.index), SessionID(1))
        let now = Instant(nanoseconds: 7_000_000_000)
        let datagram = sheet.start(
            name, for: session, from: World.peer(1), token: [1], reference: 1, now: now, using: &random)
        guard case .call(let call) = try IndexRequest(parsing: datagram.bytes) else { return #expect(Bool(false)) }
        let nonce = try #require(call.nonce)
        let answer = sheet.receive(reply, nonce: nonce, from: World.index)
        #expect(sheet.deadline == nil, "it has its answer")
        let isTold = answer?.outcome == .told(nil)
        #expect(answer != nil)
        #expect(sheet.due(name, for: session, isLost: false) == (isTold ? nil : now + Timing.callPause))
    }
}

@Suite struct PacerTests {
    @Test(arguments: 1...20)
    func `over no stretch of time does more pass than rate and burst allow`(seed: UInt64) {
        var chance = SplitMix64(seed: seed)
        var pacer = Pacer.seedWire
        var now = Instant(nanoseconds: 5_000_000_000)
        var passed: [(at: Instant, count: Int)] = []
        for _ in 0..<400 {
            now = now + .microseconds(Int.random(in: 0...3000, using: &chance))
            passed.append((now, pacer.take(Int.random(in: 0...200, using: &chance), now: now)))
        }
        for first in passed.indices {
            var sum = 0
            for later in passed[first...] {
                sum += later.count
                let allowed = later.at.since(passed[first].at).seconds * 5000 + 32
                #expect(Double(sum) <= allowed + 1e-6)
            }
        }
    }

    @Test func `whoever asks when it says gets nearly the full rate`() {
        var pacer = Pacer.seedWire
        var now = Instant(nanoseconds: 5_000_000_000)
        let end = now + .seconds(2)
        var sum = 0
        var turns = 0
        while now < end {
            sum += pacer.take(1000, now: now)
            turns += 1
            now = max(pacer.next, now + .microseconds(1))
        }
        #expect((9_900...10_032).contains(sum))
        #expect(turns < 1000, "and sleeps in between")
    }

    @Test func `a pause fills the bucket once, not twice`() {
        var pacer = Pacer.seedWire
        let start = Instant(nanoseconds: 5_000_000_000)
        #expect(pacer.take(1000, now: start) == 32)
        #expect(pacer.take(1000, now: start) == 0)
        #expect(pacer.take(1000, now: start + .seconds(3600)) == 32)
    }
}

@Suite struct LaneTests {
    private let now = Instant(nanoseconds: 5_000_000_000)

    private func item(_ number: Int) -> Message { sample(number) }

    @Test func `what the system refused comes again, in order, after a rest`() {
        var lane = Lane()
        for number in 0..<40 { lane.append(item(number)) }
        let taken = lane.take(now: now)
        #expect(taken.map(\.tag) == (0..<32).map { "\($0)" })
        lane.restore(taken[10...], until: now + .milliseconds(5))
        #expect(lane.take(now: now + .milliseconds(4)).isEmpty)
        #expect(lane.next == now + .milliseconds(5))
        let again = lane.take(now: now + .seconds(1))
        #expect(again.map(\.tag) == (10..<40).map { "\($0)" })
        #expect(lane.next == nil)
    }

    @Test func `one can be taken back`() {
        var lane = Lane()
        for number in 0..<10 { lane.append(item(number)) }
        #expect(lane.remove(item(5).id)?.tag == "5")
        #expect(lane.remove(item(5).id) == nil)
        #expect(lane.removeAll().count == 9)
        #expect(lane.items.isEmpty)
    }
}

/// An outgoing message by its counter.
func sample(_ number: Int, text: String = "text") -> Message {
    Message(
        id: MessageID(random: 1, UInt64(number)), peer: World.peer(2), direction: .outgoing, text: text, created: nil,
        received: WallTime(milliseconds: 0), state: .queued, secure: true, counter: UInt64(number), tag: "\(number)")
}

@Suite struct ContactBookTests {
    private func id(_ number: Int) -> PeerID { PeerID(high: UInt64(number), low: 1 << 63).stamped(version: 8) }

    private func message(_ text: String, from number: Int) -> Message {
        Message(
            id: MessageID(random: 9, UInt64(number)), peer: id(number), direction: .incoming, text: text, created: nil,
            received: WallTime(milliseconds: 0), state: .delivered, secure: false)
    }

    @Test func `a name that another has gets a number`() {
        var book = ContactBook()
        for number in 0..<4 { book.accept(id(number), name: "bob") }
        #expect(book.all.map(\.name) == ["bob", "bob-2", "bob-3", "bob-4"])
        book.accept(id(2), name: "bob-3")
        #expect(book[id(2)]?.name == "bob-3", "its own name is not taken")
        book.rename(id(3), "bob")
        #expect(book[id(3)]?.name == "bob-4")
        book.rename(id(9), "nobody")
        #expect(book[id(9)] == nil)
    }

    @Test func `names resolve exactly, then without case if that is one peer`() {
        var book = ContactBook()
        for (number, name) in ["Bob", "bob", "Eve"].enumerated() { book.accept(id(number), name: name) }
        #expect(book.read("bob") == .one(id(1)) && book.read("Bob") == .one(id(0)))
        #expect(book.read("BOB") == .several(Array(book.all.prefix(2))) && book.read("eve") == .one(id(2)))
        #expect(book.read("\(id(77))".uppercased()) == .one(id(77)) && book.read("") == .nobody)
    }

    @Test func `the beginning of an ID or of a name will do, from four characters on and if it is one contact's`()
        throws
    {
        var book = ContactBook()
        let (one, twin, other) = (
            try #require(PeerID("1ec6bb89-7425-40de-944b-e07fc1f90ae7")),
            try #require(PeerID("1ec6bb00-7425-40de-944b-e07fc1f90ae7")),
            try #require(PeerID("4f2a0000-7425-40de-944b-e07fc1f90ae7"))
        )
        book.accept(one, name: nil)
        book.accept(other, name: "Caroline")
        for text in ["1ec6", "1EC6BB89", "1ec6bb89-74", "1ec6bb897425"] { #expect(book.read(text) == .one(one)) }
        #expect(book.read("4f2a") == .one(other) && book.read("caro") == .one(other))
        for text in ["1ec", "car", "----", "1ec6bb90", "caroll", "arol"] { #expect(book.read(text) == .nobody) }
        // A stranger can't get into the way of a contact.
        #expect(book.note(twin) == true)
        #expect(book.read("1ec6bb") == .one(one) && book.read("1ec6bb00") == .one(twin))
        book.accept(twin, name: nil)
        #expect(book.read("1ec6bb00") == .one(twin))
        let refusal = #expect(throws: UnclearPeer.self) { try book.resolve("1ec6bb") }
        #expect(refusal?.description == "'1ec6bb' may be \(one), \(twin): write more of it.")
        #expect(throws: UnclearPeer.self) { try book.resolve("nobody") }
    }

    @Test func `strangers are bounded and a blocked peer is none`() {
        var book = ContactBook()
        for number in 1000..<1300 { book.block(id(number)) }
        for number in 0..<ContactBook.strangerLimit { #expect(book.note(id(number)) == true) }
        #expect(book.note(id(500)) == false)
        #expect(book[id(500)] == nil)
        #expect(book.note(id(0)) == true, "known already")
        book.accept(id(0), name: nil)
        #expect(book.note(id(500)) == true)
    }

    @Test func `of one stranger the first messages wait, within bounds, and come once`() {
        var book = ContactBook()
        #expect(book.note(id(1)) == true)
        #expect(!book.isHolding(id(1)))
        for number in 0..<ContactBook.heldLimit {
            #expect(book.admit("\(number)", of: id(1)) == true)
            book.hold(message("\(number)", from: 1))
        }
        #expect(book.admit("too many", of: id(1)) == false)
        #expect(book.firstHeld(of: id(1)) == "0")
        book.accept(id(1), name: "eve")
        #expect(book.isHolding(id(1)), "until what it wrote is told")
        #expect(book.release(id(1)).map(\.text) == (0..<ContactBook.heldLimit).map { "\($0)" })
        #expect(book.release(id(1)) == [])
        #expect(!book.isHolding(id(1)) && book[id(1)]?.name == "eve")
    }

    @Test func `the texts of one stranger are bounded too`() {
        var book = ContactBook()
        let half = String(repeating: "x", count: ContactBook.heldBytes / 2)
        for _ in 0..<2 { #expect(book.admit(half, of: id(1)) == true) }
        #expect(book.admit("x", of: id(1)) == false)
        #expect(book.admit("x", of: id(2)) == true)
    }

    @Test func `blocking and removing forget what waits`() {
        var book = ContactBook()
        #expect(book.note(id(1)) == true)
        book.hold(message("a", from: 1))
        book.block(id(1))
        book.accept(id(1), name: nil)
        #expect(book.release(id(1)) == [])
        #expect(book.note(id(2)) == true)
        book.hold(message("b", from: 2))
        book.remove(id(2))
        #expect(book[id(2)] == nil && book.all.map(\.peer) == [id(1)])
        #expect(book.release(id(2)) == [])
    }
}
