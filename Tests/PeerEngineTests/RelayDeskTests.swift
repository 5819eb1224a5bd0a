// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Relaying
import Support
import Testing
import Wire

@testable import PeerEngine

private let now = Instant(nanoseconds: 5_000_000_000)

private func peer(_ number: Int) -> PeerID { PeerID(high: 7, low: UInt64(number)).stamped(version: 8) }

/// What is passed on for others.
@Suite struct RelayDeskTests {
    private let pair = PeerPair(peer(1), peer(2))

    private static func ends(_ first: UInt64, _ second: UInt64) -> RelayDesk.Ends {
        RelayDesk.Ends(first: SessionID(first), second: SessionID(second))
    }

    @Test func `sixteen asks wait, four of each contact, ten seconds, and one asked twice waits once`() {
        var desk = RelayDesk()
        for target in 10..<14 { #expect(desk.wait(peer(1), for: peer(target), now: now) == nil) }
        #expect(desk.wait(peer(1), for: peer(14), now: now) != nil)
        #expect(desk.wait(peer(1), for: peer(10), now: now + .seconds(5)) == nil, "it waits already")
        for asker in 2...4 {
            for target in 10..<14 { #expect(desk.wait(peer(asker), for: peer(target), now: now) == nil) }
        }
        #expect(desk.wait(peer(5), for: peer(10), now: now) != nil)
        #expect(desk.waiting.count == 16 && desk.awaits(peer(10)) && !desk.awaits(peer(1)))
        #expect(desk.deadline == now + .seconds(10))
        desk.settle(peer(1), for: peer(10))
        #expect(desk.wait(peer(5), for: peer(10), now: now) == nil)
        #expect(desk.expire(now: now + .seconds(9)).asks.isEmpty)
        #expect(desk.expire(now: now + .seconds(10)).asks.count == 16 && desk.waiting.isEmpty)
    }

    @Test func `a pair has one channel, whose number stays when its sessions are others`() throws {
        var (desk, random) = (RelayDesk(), RandomSource.seeded(1))
        let first = try #require(desk.open(pair, by: peer(1), between: Self.ends(1, 2), now: now, using: &random))
        let again = try #require(desk.open(pair, by: peer(1), between: Self.ends(1, 2), now: now, using: &random))
        #expect(first.isNews && !again.isNews && first.channel == again.channel && desk.pairs == 1)
        desk.ended(SessionID(2))
        #expect(desk.pairs == 0)
        let third = try #require(desk.open(pair, by: peer(1), between: Self.ends(1, 4), now: now, using: &random))
        #expect(third.isNews && third.channel == first.channel && desk.pairs == 1)
        desk.ended(SessionID(2))
        #expect(desk.pairs == 1, "that session is nothing to it any more")
    }

    @Test func `thirty-two pairs, eight of each asker, each for ninety seconds after its last ask`() throws {
        var (desk, random) = (RelayDesk(), RandomSource.seeded(1))
        func open(_ asker: Int, _ target: Int, _ at: Instant = now) -> RelayChannel? {
            let pair = PeerPair(peer(asker), peer(target))
            return desk.open(pair, by: peer(asker), between: Self.ends(1, 2), now: at, using: &random)?.channel
        }
        for asker in 100..<104 {
            for target in 0..<8 { #expect(open(asker, target) != nil) }
            #expect(open(asker, 8) == nil)
        }
        #expect(open(104, 0) == nil && desk.pairs == 32)
        let channel = open(100, 7, now + .seconds(30))
        #expect(open(7, 100, now + .seconds(30)) == channel, "whoever of the two asks")
        #expect(desk.deadline == now + .seconds(90))
        #expect(desk.expire(now: now + .seconds(90)).channels.count == 31)
        #expect(desk.expire(now: now + .seconds(119)).channels.isEmpty)
        #expect(desk.expire(now: now + .seconds(120)).channels == [channel].compactMap(\.self))
        #expect(desk.deadline == nil)
    }

    @Test func `who is no contact any more has neither ask nor channel`() throws {
        var (desk, random) = (RelayDesk(), RandomSource.seeded(1))
        _ = desk.open(pair, by: peer(1), between: Self.ends(1, 2), now: now, using: &random)
        _ = desk.open(PeerPair(peer(3), peer(4)), by: peer(3), between: Self.ends(3, 4), now: now, using: &random)
        _ = desk.wait(peer(5), for: peer(1), now: now)
        _ = desk.wait(peer(1), for: peer(6), now: now)
        _ = desk.wait(peer(3), for: peer(6), now: now)
        desk.forget(peer(1))
        #expect(desk.pairs == 1 && desk.waiting.map(\.asker) == [peer(3)])
        let rest = desk.closeAll()
        #expect(rest.asks.count == 1 && rest.channels.count == 1 && desk.deadline == nil)
    }
}

/// What others are asked to pass on.
@Suite struct RelayErrandsTests {
    private let target = peer(1)
    private let carol = peer(2)
    private let dave = peer(3)
    private let erin = peer(4)
    private let channel = RelayChannel(9)
    private let session = SessionID(7)

    private func opened() -> RelayErrands {
        var errands = RelayErrands()
        errands.begin(carol, for: target, now: now)
        _ = errands.due(for: target, by: [carol: session], now: now)
        _ = errands.answered(by: carol, for: target, .open(channel), now: now)
        return errands
    }

    @Test func `two are asked at a time, the next one when one of them fails, and nobody twice in ten seconds`() {
        var errands = RelayErrands()
        for relay in [carol, dave] {
            #expect(errands.mayBegin(relay, for: target) == Instant(nanoseconds: 0))
            errands.begin(relay, for: target, now: now)
            #expect(errands.needs(relay))
        }
        #expect(errands.mayBegin(erin, for: target) == nil && errands.mayBegin(carol, for: target) == nil)
        errands.lost(carol, now: now)
        #expect(errands.mayBegin(erin, for: target) == Instant(nanoseconds: 0))
        #expect(errands.mayBegin(carol, for: target) == now + .seconds(10))
        errands.settle(target, .apart(isTrying: true), now: now + .seconds(1))
        #expect(!errands.needs(carol) && errands.needs(dave))
    }

    @Test func `it is asked once a session, and an answer that nobody waits for is none`() {
        var errands = RelayErrands()
        #expect(errands.answered(by: carol, for: target, .open(channel), now: now) == false)
        errands.begin(carol, for: target, now: now)
        #expect(errands.answered(by: carol, for: target, .open(channel), now: now) == false, "it was not asked yet")
        #expect(errands.due(for: target, by: [:], now: now).isEmpty)
        #expect(errands.due(for: target, by: [carol: session], now: now).map(\.session) == [session])
        #expect(errands.due(for: target, by: [carol: session], now: now + .seconds(5)).isEmpty)
        #expect(errands.due(for: target, by: [carol: SessionID(8)], now: now + .seconds(5)).count == 1)
        #expect(errands.answered(by: dave, for: target, .open(channel), now: now) == false)
        #expect(errands.answered(by: carol, for: dave, .open(channel), now: now) == false)
        #expect(errands.answered(by: carol, for: target, .open(channel), now: now) == true)
        #expect(errands.answered(by: carol, for: target, .open(RelayChannel(1)), now: now) == false, "one answer")
        #expect(errands.relay(of: channel, for: target) == carol)
    }

    @Test func `a channel in use is asked for again every thirty seconds, and no longer once there is a better way`() {
        var errands = opened()
        errands.settle(target, .relayed(channel), now: now)
        #expect(errands.deadline(of: target) == now + .seconds(30) && errands.needs(carol))
        #expect(errands.due(for: target, by: [carol: session], now: now + .seconds(29)).isEmpty)
        #expect(errands.due(for: target, by: [carol: session], now: now + .seconds(30)).count == 1)
        errands.settle(target, .direct, now: now + .seconds(31))
        #expect(!errands.needs(carol) && errands.deadline(of: target) == nil)
        #expect(errands.due(for: target, by: [carol: session], now: now + .seconds(90)).isEmpty)
        #expect(errands.errands(for: target).isEmpty)
    }

    @Test func `a channel that carried a session and does no more is asked for at once`() {
        var errands = opened()
        errands.settle(target, .relayed(channel), now: now)
        errands.settle(target, .apart(isTrying: true), now: now + .seconds(3))
        #expect(errands.due(for: target, by: [carol: session], now: now + .seconds(3)).count == 1)
        #expect(errands.due(for: target, by: [carol: session], now: now + .seconds(4)).isEmpty)
    }

    @Test func `between dials nobody is kept busy, and without a session with who is asked nothing is due`() {
        var errands = opened()
        errands.settle(target, .apart(isTrying: false), now: now)
        #expect(!errands.needs(carol))
        errands.settle(target, .relayed(channel), now: now)
        #expect(errands.due(for: target, by: [:], now: now + .seconds(40)).isEmpty)
        #expect(errands.deadline(of: target) == nil, "only a session changes that")
    }

    @Test func `who does not answer in twelve seconds is taken to have said no`() {
        var errands = RelayErrands()
        errands.begin(carol, for: target, now: now)
        #expect(errands.deadline(of: target) == now + .seconds(12))
        errands.settle(target, .apart(isTrying: false), now: now + .seconds(11))
        #expect(errands.needs(carol))
        errands.settle(target, .apart(isTrying: false), now: now + .seconds(12))
        #expect(!errands.needs(carol) && errands.errands(for: target).map(\.outcome) == [.noAnswer])
    }

    @Test func `what others offer is noted twice for a peer and no more, and not for long if it is not used`() {
        var errands = RelayErrands()
        #expect(errands.noteOffer(channel, by: carol, for: target, now: now) == true)
        #expect(errands.noteOffer(RelayChannel(10), by: carol, for: target, now: now) == true, "in place of the first")
        #expect(errands.noteOffer(channel, by: dave, for: target, now: now) == true)
        #expect(errands.noteOffer(channel, by: erin, for: target, now: now) == false)
        errands.settle(target, .unwanted, now: now + .seconds(29))
        #expect(errands.errands(for: target).count == 2 && !errands.needs(carol))
        errands.settle(target, .unwanted, now: now + .seconds(30))
        #expect(errands.errands(for: target).isEmpty)
    }
}
