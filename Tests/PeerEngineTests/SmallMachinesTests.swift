// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Support
import Testing

@Suite struct PacerTests {
    @Test(arguments: 1...20)
    func `over no stretch of time does more pass than rate and burst allow`(seed: UInt64) {
        var chance = SplitMix64(seed: seed)
        var pacer = Pacer()
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
                let allowed = later.at.since(passed[first].at).seconds * Double(Pacer.rate) + Double(Pacer.burst)
                #expect(Double(sum) <= allowed + 1e-6)
            }
        }
    }

    @Test func `whoever asks when it says gets nearly the full rate`() {
        var pacer = Pacer()
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
        var pacer = Pacer()
        let start = Instant(nanoseconds: 5_000_000_000)
        #expect(pacer.take(1000, now: start) == Pacer.burst)
        #expect(pacer.take(1000, now: start) == 0)
        #expect(pacer.take(1000, now: start + .seconds(3600)) == Pacer.burst)
    }
}

@Suite struct LaneTests {
    private let now = Instant(nanoseconds: 5_000_000_000)

    private func item(_ number: Int) -> Lane.Item {
        Lane.Item(id: MessageID(random: 0, UInt64(number)), tag: "\(number)", bytes: [])
    }

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

    @Test func `it is full at its limit and one can be taken back`() {
        var lane = Lane()
        for number in 0..<Lane.limit - 1 { lane.append(item(number)) }
        #expect(!lane.isFull)
        lane.append(item(Lane.limit))
        #expect(lane.isFull)
        #expect(lane.remove(item(5).id)?.tag == "5")
        #expect(!lane.isFull)
        #expect(lane.remove(item(5).id) == nil)
        #expect(lane.removeAll().count == Lane.limit - 1)
        #expect(lane.items.isEmpty)
    }
}

@Suite struct RunLogTests {
    private func message(_ number: Int, _ peer: PeerID = World.peer(1)) -> Message {
        Message(
            id: MessageID(random: 1, UInt64(number)), peer: peer, direction: .outgoing, text: "\(number)", created: nil,
            received: WallTime(milliseconds: 0), state: .queued, secure: false)
    }

    @Test func `beyond the limit the oldest go and the places stay right`() {
        var log = RunLog()
        for number in 0..<RunLog.limit + 500 { log.append(message(number), tag: "\(number)") }
        #expect(log.messages().count == RunLog.limit)
        #expect(log.messages().first?.text == "500")
        #expect(log[message(499).id] == nil && log.tag(of: message(499).id) == nil)
        for number in [500, 777, RunLog.limit + 499] {
            log.update(message(number).id, .failed, reason: "because \(number)")
            let found = log[message(number).id]
            #expect(found?.text == "\(number)" && found?.state == .failed && found?.reason == "because \(number)")
            #expect(log.tag(of: message(number).id) == "\(number)")
        }
        log.update(message(3).id, .failed, reason: nil)
        #expect(log.messages().count { $0.state == .failed } == 3)
    }

    @Test func `of one peer only its messages are told`() {
        var log = RunLog()
        for number in 0..<10 { log.append(message(number, World.peer(number % 2))) }
        #expect(log.messages(with: World.peer(0)).map(\.text) == ["0", "2", "4", "6", "8"])
    }
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
        for number in 0..<4 { _ = book.accept(id(number), name: "bob") }
        #expect(book.all.map(\.name) == ["bob", "bob-2", "bob-3", "bob-4"])
        _ = book.accept(id(2), name: "bob-3")
        #expect(book[id(2)]?.name == "bob-3", "its own name is not taken")
        book.rename(id(3), "bob")
        #expect(book[id(3)]?.name == "bob-4")
        book.rename(id(9), "nobody")
        #expect(book[id(9)] == nil)
    }

    @Test func `names resolve exactly, then without case if that is one peer`() {
        var book = ContactBook()
        for (number, name) in ["Bob", "bob", "Eve"].enumerated() { _ = book.accept(id(number), name: name) }
        #expect(book.resolve("bob") == id(1) && book.resolve("Bob") == id(0))
        #expect(book.resolve("BOB") == nil && book.resolve("eve") == id(2))
        #expect(book.resolve("\(id(77))".uppercased()) == id(77) && book.resolve("") == nil)
    }

    @Test func `strangers are bounded and a blocked peer is none`() {
        var book = ContactBook()
        for number in 1000..<1300 { book.block(id(number)) }
        for number in 0..<ContactBook.strangerLimit {
            #expect(book.hold(message("knock", from: number)) == .firstOfStranger)
        }
        #expect(book.hold(message("knock", from: 500)) == .dropped)
        #expect(book[id(500)] == nil)
        #expect(book.note(id(500)) == false)
        #expect(book.note(id(0)) == true, "known already")
        _ = book.accept(id(0), name: nil)
        #expect(book.hold(message("knock", from: 500)) == .firstOfStranger)
    }

    @Test func `of one stranger the first messages wait, and come once`() {
        var book = ContactBook()
        for number in 0..<ContactBook.heldLimit {
            #expect(book.hold(message("\(number)", from: 1)) == (number == 0 ? .firstOfStranger : .held))
        }
        #expect(book.hold(message("too many", from: 1)) == .dropped)
        #expect(book.accept(id(1), name: "eve").map(\.text) == (0..<ContactBook.heldLimit).map { "\($0)" })
        #expect(book.accept(id(1), name: nil).isEmpty)
        #expect(book[id(1)]?.name == "eve")
    }

    @Test func `blocking and removing forget what waits`() {
        var book = ContactBook()
        _ = book.hold(message("a", from: 1))
        book.block(id(1))
        #expect(book[id(1)]?.blocked == true)
        #expect(book.accept(id(1), name: nil).isEmpty)
        _ = book.hold(message("b", from: 2))
        book.remove(id(2))
        #expect(book[id(2)] == nil && book.all.map(\.peer) == [id(1)])
        #expect(book.accept(id(2), name: nil).isEmpty)
    }
}
