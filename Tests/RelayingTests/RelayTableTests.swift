// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing
import Wire

@testable import Relaying

private func peer(_ number: Int) -> PeerID {
    PeerID(high: UInt64(number), low: UInt64(number) &* 77).stamped(version: 8)
}
private let home = RelayLeg(remote: .loopback(1))

/// A table, a clock and a source of chance under the test's control.
private final class Bench {
    var table: RelayTable
    let shares: RelayShares
    var now = Instant(nanoseconds: 1_000_000_000_000)
    var generator = SplitMix64(seed: 3)

    init(_ change: (inout RelayLimits) -> Void = { _ in }) {
        var limits = RelayLimits()
        change(&limits)
        shares = RelayShares(limits, secret: 0x9E37_79B9_7F4A_7C15)
        table = RelayTable(limits, total: RelayBudget(limits), shares: shares)
    }

    func open(_ caller: Int, _ callee: Int, in network: Int = 1) -> RelayChannel {
        table.open(
            PeerPair(peer(caller), peer(callee)), by: peer(caller), in: UInt64(network), now: now, using: &generator)
    }

    /// Both say something.
    func talk(_ channel: RelayChannel) { for side in [PeerPair.Side.first, .second] { _ = send(channel, from: side) } }

    func send(_ channel: RelayChannel, _ bytes: Int = 100, from side: PeerPair.Side = .first)
        -> RelayTable.Verdict
    { table.forward(channel, from: side, bytes: bytes, by: home, now: now) }

    func passes(_ channel: RelayChannel, _ bytes: Int = 100) -> Bool {
        if case .pass = send(channel, bytes) { true } else { false }
    }

    func advance(_ span: Span) { now = now + span }
    func has(_ one: Int, _ other: Int) -> Bool { table.channel(of: PeerPair(peer(one), peer(other)), now: now) != nil }
}

@Suite struct `A relay's channels` {
    @Test func `are one for each pair, whoever calls and however often`() {
        let bench = Bench()
        let first = bench.open(1, 2)
        #expect(bench.open(2, 1) == first && bench.open(1, 2) == first)
        #expect(bench.open(1, 3) != first)
        #expect(bench.table.pair(of: first, now: bench.now) == PeerPair(peer(2), peer(1)))
        #expect(bench.table.count == 2)
    }

    @Test func `are never more than there may be, and the one silent for longest makes room`() {
        let bench = Bench { $0.channels = 3 }
        let channels = (0..<3).map { number in
            bench.advance(.seconds(1))
            return bench.open(10 + number, 20 + number)
        }
        bench.advance(.seconds(1))
        // The first is the oldest, but not silent.
        #expect(bench.passes(channels[0]))
        _ = bench.open(1, 2)
        #expect(bench.table.count == 3)
        #expect(bench.has(10, 20) && !bench.has(11, 21) && bench.has(12, 22))
        #expect(bench.send(channels[1]) == .unknown)
    }

    @Test func `that somebody opens without end cost nobody else his`() {
        let bench = Bench { $0.channelsPerPeer = 4 }
        let theirs = bench.open(7, 1)
        for number in 100..<200 {
            bench.advance(.milliseconds(1))
            _ = bench.open(1, number)
        }
        #expect(bench.table.count == 5)
        #expect(bench.passes(theirs))
        #expect(bench.has(1, 199) && bench.has(1, 196) && !bench.has(1, 195))
    }

    @Test func `that were silent for long are gone, to the nanosecond`() {
        let bench = Bench { $0.idle = .seconds(10) }
        let channel = bench.open(1, 2)
        bench.advance(Span(nanoseconds: 9_999_999_999))
        #expect(bench.passes(channel))
        bench.advance(.seconds(10))
        #expect(bench.send(channel) == .unknown && bench.table.pair(of: channel, now: bench.now) == nil)
        #expect(bench.open(1, 2) != channel)
    }

    @Test func `of all tables together are bounded, and a pair has one in all of them`() {
        var limits = RelayLimits()
        limits.channels = 20
        let relay = Relay(limits, secret: 5)
        var generator = SplitMix64(seed: 1)
        var now = Instant(nanoseconds: 1)
        let busy = relay.open(from: peer(1), to: peer(2), in: 1, now: now, using: &generator)
        _ = relay.forward(busy, from: .second, bytes: 10, by: home, now: now)
        for number in 0..<200 {
            now = now + .milliseconds(1)
            _ = relay.open(
                from: peer(1000 + number), to: peer(5000 + number), in: 1, now: now, using: &generator)
            #expect(relay.forward(busy, from: .first, bytes: 10, by: home, now: now) == .pass(home))
            #expect(relay.totals(now: now).channels == min(20, number + 2))
        }
        #expect(relay.open(from: peer(2), to: peer(1), in: 1, now: now, using: &generator) == busy)
        let last = (181..<200).map { PeerPair(peer(1000 + $0), peer(5000 + $0)) }
        let kept = Set(relay.busiest(50, now: now).map(\.pair))
        #expect(kept == Set(last + [PeerPair(peer(1), peer(2))]), "the youngest, and the one in use")
    }
}

@Suite struct `What makes room in a full relay` {
    @Test func `is a channel that is not in use, the one silent for longest`() {
        let bench = Bench { $0.channels = 3 }
        let talk = bench.open(10, 20)
        bench.talk(talk)
        bench.advance(.seconds(30))
        // Called, and nobody answered; and one side alone says something without end.
        _ = bench.open(11, 21)
        let oneSided = bench.open(12, 22)
        bench.advance(.seconds(29))
        #expect(bench.passes(oneSided))
        _ = bench.open(1, 2)
        #expect(bench.has(10, 20) && !bench.has(11, 21) && bench.has(12, 22))
        _ = bench.open(3, 4)
        #expect(bench.has(10, 20) && !bench.has(12, 22) && bench.has(1, 2))
        #expect(bench.table.displaced == 0)
        // Nobody talks there any more.
        bench.advance(.seconds(1))
        _ = bench.open(5, 6)
        #expect(!bench.has(10, 20) && bench.has(1, 2) && bench.has(3, 4))
        #expect(bench.table.displaced == 0)
    }

    @Test func `is one in use when all are, and that is counted`() {
        let bench = Bench { $0.channels = 3 }
        for number in 0..<3 {
            bench.talk(bench.open(10 + number, 20 + number))
            bench.advance(.seconds(1))
        }
        _ = bench.open(1, 2)
        #expect(!bench.has(10, 20) && bench.has(11, 21) && bench.has(12, 22))
        #expect(bench.table.displaced == 1)
    }

    @Test func `is what a peer asked for itself and does not use, when it asks for more than it may`() {
        let bench = Bench { $0.channelsPerPeer = 2 }
        bench.talk(bench.open(1, 20))
        bench.advance(.seconds(5))
        _ = bench.open(1, 21)
        _ = bench.open(1, 22)
        #expect(bench.has(1, 20) && !bench.has(1, 21) && bench.has(1, 22))
    }

    @Test func `is the largest network's, as long as that has more than a sixteenth`() {
        let bench = Bench { $0.channels = 64 }
        // The eldest, and never answered: the first to go, were it not for the others' networks.
        for number in 0..<4 { _ = bench.open(10 + number, 20 + number, in: 1) }
        bench.advance(.seconds(1))
        for number in 0..<60 {
            bench.advance(.milliseconds(1))
            bench.talk(bench.open(100 + number, 200 + number, in: number < 40 ? 2 : 3))
        }
        func kept(_ range: Range<Int>) -> Int { range.count { bench.has(100 + $0, 200 + $0) } }
        for number in 0..<20 { _ = bench.open(300 + number, 400 + number, in: 1000 + number) }
        #expect(kept(0..<40) == 20 && kept(20..<40) == 20 && kept(40..<60) == 20, "network 2's eldest")
        for number in 20..<52 { _ = bench.open(300 + number, 400 + number, in: 1000 + number) }
        #expect(kept(0..<40) == 4 && kept(40..<60) == 4, "no more than others may have")
        #expect((0..<4).allSatisfy { bench.has(10 + $0, 20 + $0) } && bench.table.displaced == 52)
        _ = bench.open(1, 2, in: 2000)
        #expect(!bench.has(10, 20) && bench.table.count == 64, "now whoever does not use his")
    }

    @Test func `is a network's own when it has its share and nobody has more`() {
        let bench = Bench { $0.channels = 64 }
        for network in 1...16 {
            for number in 0..<4 {
                bench.advance(.milliseconds(1))
                bench.talk(bench.open(100 * network + number, 10_000, in: network))
            }
        }
        // Whoever asks again and again gives what it had.
        for number in 0..<50 { bench.talk(bench.open(90_000 + number, 10_001, in: 9)) }
        #expect(bench.table.count == 64)
        for network in 1...16 where network != 9 {
            #expect((0..<4).allSatisfy { bench.has(100 * network + $0, 10_000) }, "\(network)")
        }
    }

    @Test func `is a network's that its peers have all over the tables`() {
        var limits = RelayLimits()
        limits.channels = 160
        let relay = Relay(limits, secret: 5)
        var generator = SplitMix64(seed: 1)
        var now = Instant(nanoseconds: 1)
        func open(_ caller: Int, in network: UInt64) -> RelayChannel {
            relay.open(from: peer(caller), to: peer(50_000 + caller), in: network, now: now, using: &generator)
        }
        let quiet = (0..<20).map { open(1 + $0, in: UInt64($0)) }
        for number in 0..<2000 {
            now = now + .milliseconds(10)
            let channel = open(1000 + number, in: 100 + UInt64(number % 5))
            for side in [PeerPair.Side.first, .second] {
                _ = relay.forward(channel, from: side, bytes: 10, by: home, now: now)
            }
        }
        #expect(quiet.allSatisfy { relay.pair(of: $0, now: now) != nil })
        let totals = relay.totals(now: now)
        #expect(totals.channels == 160 && totals.displaced == 1860)
        // Time gives room as well: no network has anything then.
        now = now + .seconds(3601)
        for number in 0..<160 { _ = open(9000 + number, in: 7) }
        #expect(relay.totals(now: now).channels == 160 && relay.totals(now: now).displaced == 1860)
    }
}

@Suite struct `A relay's quota` {
    @Test(arguments: [(8_000, 131_072), (1_000, 2_048), (999_983, 50_000), (3, 2_048)])
    func `is exact`(perSecond: Int, burst: Int) {
        let bench = Bench {
            $0.bytesPerSecond = perSecond
            $0.burst = burst
        }
        let channel = bench.open(1, 2)
        var passed = 0
        while bench.passes(channel, 1) { passed += 1 }
        // What an octet costs is a whole number of nanoseconds, rounded up.
        let leastPart = Double(1_000_000_000 / perSecond) / Double(1_000_000_000 / perSecond + 1)
        #expect(passed <= burst && Double(passed) >= Double(burst) * leastPart - 1, "the burst at once")
        let atOnce = passed
        // As many octets in any time as the rate brings, in steps that don't divide it.
        let began = bench.now
        for _ in 0..<5000 {
            bench.advance(Span(nanoseconds: 7_777_777))
            while bench.passes(channel, 1) { passed += 1 }
            let due = Double(perSecond) * bench.now.since(began).seconds
            #expect(passed <= burst + Int(due) && Double(passed - atOnce) >= due * leastPart - 2)
        }
        #expect(bench.table.uses(now: bench.now).first?.bytes == UInt64(passed))
    }

    @Test func `counts both directions together`() {
        let bench = Bench { $0.burst = 1000 }
        let channel = bench.open(1, 2)
        #expect(bench.send(channel, 600, from: .first) == .pass(nil))
        #expect(bench.send(channel, 600, from: .second) == .overQuota)
        #expect(bench.send(channel, 400, from: .second) == .pass(home))
    }

    @Test func `of all together leaves room for who says little`() {
        let bench = Bench {
            $0.bytesPerSecond = 100_000
            $0.burst = 20_000
            $0.totalBytesPerSecond = 200_000
        }
        let greedy = (0..<20).map { bench.open(100 + $0, 200 + $0) }
        let modest = bench.open(1, 2)
        var (passed, lost) = (0, 0)
        for step in 0..<5000 {
            bench.advance(.milliseconds(1))
            for channel in greedy { while bench.passes(channel, 1200) { passed += 1200 } }
            if step % 50 == 0 { lost += bench.passes(modest, 200) ? 0 : 1 }
        }
        #expect(lost == 0)
        // Nobody else has the whole either: 200,000 a second for five seconds, and the burst.
        #expect((900_000...1_110_000).contains(passed))
    }

    @Test func `of one pair is nobody else's`() {
        let bench = Bench()
        let (greedy, other) = (bench.open(1, 2), bench.open(3, 4))
        while bench.passes(greedy, 1200) {}
        for _ in 0..<100 {
            bench.advance(.milliseconds(160))
            #expect(bench.passes(other, 1200))
            _ = bench.passes(greedy, 1200)
        }
    }

    @Test func `that becomes narrower forgets what was run up`() {
        let bench = Bench { $0.burst = 1_000_000 }
        let channel = bench.open(1, 2)
        while bench.passes(channel, 1200) {}
        var limits = RelayLimits()
        limits.burst = 2000
        bench.table.setRates(limits)
        #expect(!bench.passes(channel))
        bench.advance(.milliseconds(250))
        #expect(bench.passes(channel, 2000) && !bench.passes(channel, 1))
    }
}

/// What the table is held to: everything in lists, searched from the front.
private struct Model {
    struct Entry {
        var pair: PeerPair
        var opener: PeerID
        var network: Int
        var channel: RelayChannel
        var used: Instant
        var order: Int
        var bytes = 0
        var senders: Set<PeerPair.Side> = []

        func isInUse(_ now: Instant) -> Bool { senders.count == 2 && now.since(used) < .seconds(60) }
    }

    var entries: [Entry] = []
    var clock = 0
    let limits: RelayLimits

    mutating func prune(_ now: Instant) { entries.removeAll { now.since($0.used) >= limits.idle } }

    mutating func removeLeast(_ now: Instant, where fits: (Entry) -> Bool) {
        let least = entries.filter(fits).min {
            $0.isInUse(now) == $1.isInUse(now) ? $0.order < $1.order : $1.isInUse(now)
        }
        entries.removeAll { $0.channel == least?.channel }
    }

    /// Networks that have the most, if that is more than a sixteenth.
    var largest: Set<Int> {
        let counts = Dictionary(grouping: entries, by: \.network).mapValues(\.count)
        let most = counts.values.max() ?? 0
        return most > limits.channels / 16 ? Set(counts.filter { $0.value == most }.keys) : []
    }

    /// - Parameters:
    ///   - channel: what the table answered.
    ///   - has: what the table still has, to see whose it took of several that are as large.
    mutating func open(
        _ pair: PeerPair, by opener: PeerID, in network: Int, _ channel: RelayChannel, _ now: Instant,
        has: (PeerPair) -> Bool
    ) -> Bool {
        prune(now)
        clock += 1
        if let index = entries.firstIndex(where: { $0.pair == pair }) {
            (entries[index].used, entries[index].order) = (now, clock)
            return entries[index].channel == channel
        }
        if entries.count(where: { $0.opener == opener }) >= limits.channelsPerPeer {
            removeLeast(now) { $0.opener == opener }
        }
        if entries.count >= limits.channels {
            let isDue = entries.count { $0.network == network } >= limits.channels / 16
            let large = !largest.isEmpty ? largest : isDue ? [network] : []
            let gone = entries.first { !has($0.pair) }
            if let gone, large.contains(gone.network) {
                removeLeast(now) { $0.network == gone.network }
            } else {
                removeLeast(now) { large.isEmpty || large.contains($0.network) }
            }
        }
        let isNew = !entries.contains { $0.channel == channel }
        entries.append(
            Entry(pair: pair, opener: opener, network: network, channel: channel, used: now, order: clock))
        return isNew
    }

    mutating func forward(_ channel: RelayChannel, from side: PeerPair.Side, _ bytes: Int, _ now: Instant) -> Bool {
        guard let index = entries.firstIndex(where: { $0.channel == channel && now.since($0.used) < limits.idle })
        else { return false }
        clock += 1
        (entries[index].used, entries[index].order) = (now, clock)
        entries[index].bytes += bytes
        entries[index].senders.insert(side)
        return true
    }
}

@Test(arguments: 1...4 as ClosedRange<UInt64>)
func `A relay's table does what a simple list does, 10,000 times`(seed: UInt64) {
    let bench = Bench {
        $0.channels = 40
        $0.channelsPerPeer = 5
        $0.idle = .seconds(90)
        $0.bytesPerSecond = 1_000_000_000
        $0.burst = 1_000_000_000
        $0.totalBytesPerSecond = 1_000_000_000_000
    }
    var limits = RelayLimits()
    (limits.channels, limits.channelsPerPeer, limits.idle) = (40, 5, .seconds(90))
    var model = Model(limits: limits)
    var chance = SplitMix64(seed: seed)
    var known: [RelayChannel] = [RelayChannel(9)]
    for step in 0..<10_000 {
        // Rarely so long that much is idle.
        bench.advance(.milliseconds(Int.random(in: 0..<10, using: &chance) == 0 ? 2000 : 40))
        if Int.random(in: 0..<3, using: &chance) == 0 {
            let caller = Int.random(in: 0..<14, using: &chance)
            let callee = (caller + Int.random(in: 1..<14, using: &chance)) % 14
            // Half of them are neighbours, or each calls each from somewhere else.
            let network = seed > 2 ? 14 * caller + callee : caller < 7 ? 1 : caller
            let channel = bench.open(caller, callee, in: network)
            let (pair, place) = (PeerPair(peer(caller), peer(callee)), bench.shares.place(of: UInt64(network)))
            let agrees = model.open(pair, by: peer(caller), in: place, channel, bench.now) {
                bench.table.channel(of: $0, now: bench.now) != nil
            }
            #expect(agrees)
            known.append(channel)
            #expect(bench.table.count == model.entries.count, "step \(step)")
        } else if let channel = known.suffix(60).randomElement(using: &chance) {
            let bytes = Int.random(in: 10...1400, using: &chance)
            let side: PeerPair.Side = Bool.random(using: &chance) ? .first : .second
            let isKnown = model.forward(channel, from: side, bytes, bench.now)
            #expect((bench.send(channel, bytes, from: side) != .unknown) == isKnown, "step \(step)")
        }
    }
    model.prune(bench.now)
    let uses = bench.table.uses(now: bench.now).filter { $0.idle < .seconds(90) }
    #expect(Set(uses.map(\.pair)) == Set(model.entries.map(\.pair)))
    for entry in model.entries { #expect(uses.first { $0.pair == entry.pair }?.bytes == UInt64(entry.bytes)) }
}
