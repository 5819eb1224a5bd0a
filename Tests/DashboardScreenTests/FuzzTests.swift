// SPDX-License-Identifier: GPL-3.0-or-later
import DashboardScreen
import IndexEngine
import Model
import TerminalKit
import Support
import Testing

struct FuzzTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no keys, sizes or snapshots break it`(seed: UInt64) {
        var dice = SplitMix64(seed: seed)
        var fixture = Fixture(80, 24, role: seed % 2 == 0 ? .server : .visitor, ascii: seed > 2, peers: 50)
        let characters = Array("q?/s<>rp +-ywxm1234jkgGé日!zabnvvvvhh")
        let codes: [Key.Code] = [
            .enter, .tab, .backspace, .delete, .insert, .escape, .up, .down, .left, .right, .home, .end, .pageUp,
            .pageDown,
            .function(1), .function(99),
        ]
        fixture.change = { Self.distort(&$0, seed) }
        for step in 0..<1500 {
            if step == 300 { fixture.change = { _ in } }
            if step == 600 { fixture.change = { Self.distort(&$0, UInt64($0.feed.count) &+ $0.feedLast) } }
            switch Int.random(in: 0..<14, using: &dice) {
            case 0..<4: fixture.press(.char(characters.randomElement(using: &dice) ?? "q"))
            case 4..<8: fixture.press(Key(codes.randomElement(using: &dice) ?? .up))
            case 8: fixture.press(.control(["c", "d", "u", "l"].randomElement(using: &dice) ?? "l"))
            case 9:
                let size = Size(columns: .random(in: 0...300, using: &dice), rows: .random(in: 0...100, using: &dice))
                fixture.send(.terminal(.resize(size)))
            case 10:
                fixture.happen(.random(in: 0..<700, using: &dice))
                if fixture.events.count > 5000 { fixture.events.removeAll() }
                fixture.refresh()
            case 11:
                fixture.rows = (0..<Int.random(in: 0..<120, using: &dice)).map(Fixture.row).shuffled(using: &dice)
                fixture.refresh()
            case 12:
                fixture.send(.snapshot(fixture.snapshot(boot: "\(Int.random(in: 0..<2, using: &dice))")))
                fixture.send(.terminal(.wheel([-3, 3, .max, .min].randomElement(using: &dice) ?? 0)))
            default:
                fixture.send(.disconnected(seconds: .random(in: .min ... .max, using: &dice)))
                fixture.send(.terminal(.paste("x\u{1b}\n")))
                fixture.send(.clock(WallTime(milliseconds: .random(in: .min ... .max, using: &dice)), utcOffset: .max))
            }
            let frame = fixture.frame
            #expect(frame.size == fixture.state.size)
        }
    }

    /// What no server of ours would say: numbers at both ends, texts that no terminal should see, lists without end.
    private static func distort(_ snapshot: inout IndexSnapshot, _ seed: UInt64) {
        var dice = SplitMix64(seed: seed)
        func number() -> UInt64 { [0, 1, 1 << 31, 1 << 63, .max].randomElement(using: &dice) ?? 0 }
        func count() -> Int { Int(clamping: number()) }
        func small() -> UInt32 { UInt32(clamping: number()) }
        func span() -> Span { Span(nanoseconds: number()) }
        let text = String(repeating: "日\u{1b}[2J\u{202e}e\u{301}\u{301}\u{301}", count: Int(number() % 300))
        snapshot.uptime = span()
        snapshot.time = WallTime(milliseconds: Int64(bitPattern: number()))
        snapshot.server = ServerInfo(version: text, listen: text, control: text, boot: "\(number() % 2)", key: text)
        for denial in Denial.allCases { snapshot.counters[denial] = number() }
        snapshot.counters.hits = number()
        snapshot.counters.misses = number()
        snapshot.counters.malformed = number()
        snapshot.counters.ignored = number()
        snapshot.counters.receiveDrops = number()
        snapshot.counters.limited = number()
        snapshot.counters.unready = number()
        snapshot.queries = RateSeries(
            perSecond: (0..<130).map { _ in small() }, peak: RatePeak(perSecond: small(), time: snapshot.time))
        snapshot.latency = LatencySummary(count: number(), median: span(), p99: span())
        snapshot.latencyHistory = (0..<300).map { _ in LatencySample(median: small(), p99: small()) }
        snapshot.use = RegistryUse(keyed: count(), seeds: count(), recordBytes: count())
        snapshot.residentBytes = number()
        snapshot.cpu = span()
        snapshot.loops = [.min, -1, 0, .max].randomElement(using: &dice) ?? 1
        let states: [StoreHealth.State] = [
            .ready, .loading(rows: .min), .loading(rows: .max), .failing(reason: text, since: snapshot.time),
        ]
        snapshot.store = StoreHealth(
            kind: text, state: states.randomElement(using: &dice) ?? .ready, waiting: count(), commits: number(),
            rowsWritten: number(), latency: LatencySummary(count: number(), median: span(), p99: span()),
            bytes: number())
        // One prefix, many times over.
        snapshot.sources = (0..<200).map { _ in
            SourceRow(prefix: .v6(number(), number()), requests: number(), errors: number(), limited: number())
        }
        snapshot.relay.isOffered = number() % 2 == 1
        for member in [\RelayStatistics.channels, \.capacity, \.tunnels] { snapshot.relay[keyPath: member] = count() }
        for member in [
            \RelayStatistics.bytes, \.datagrams, \.overQuota, \.refused, \.displaced, \.calls, \.bytesPerSecond,
        ] { snapshot.relay[keyPath: member] = number() }
        snapshot.relay.pairs = (0..<200).map { _ in
            RelayPair(
                a: PeerID(high: number(), low: 1), b: PeerID(high: 2, low: number()), bytesPerSecond: number(),
                bytes: number(), idle: span(), isTunnelledA: number() == 0)
        }
        snapshot.notices = (0..<40).map { _ in OperatorNotice(time: snapshot.time, text: text) }
        let event = IndexEvent(
            time: snapshot.time, operation: .unknown, source: Endpoint(address: .v6(number(), 7), port: 1),
            target: .text(text), result: .limited)
        snapshot.feed += (0..<3).map { _ in FeedEntry(sequence: number(), event: event, microseconds: small()) }
        snapshot.feedLast = number()
        snapshot.page.matching = [.min, .max].randomElement(using: &dice) ?? 0
        snapshot.page.offset = [.min, .max].randomElement(using: &dice) ?? 0
        for index in snapshot.page.rows.indices {
            snapshot.page.rows[index].age = span()
            snapshot.page.rows[index].expires = span()
            snapshot.page.rows[index].lease = span()
            snapshot.page.rows[index].sequence = number()
        }
        if let peer = snapshot.detail?.peer {
            snapshot.detail = PeerDetail(
                peer: peer, row: snapshot.page.rows.first, record: [1],
                queries: Array(repeating: snapshot.feed, count: 9).flatMap { $0 })
        }
    }

    @Test(arguments: [Key.char("?"), .char("h"), .char("n"), .char("v"), .char("s"), Key(.enter), .char("q")])
    func `every view has its frame at every size, whatever the numbers`(key: Key) {
        for seed in 1...6 as ClosedRange<UInt64> {
            var fixture = Fixture(120, 36, role: .server, ascii: seed == 6, peers: 50)
            fixture.happen(50)
            fixture.refresh()
            fixture.press(Key(.down), key)
            fixture.refresh(after: 1) { Self.distort(&$0, seed) }
            fixture.refresh(after: 1) { Self.distort(&$0, seed + 100) }
            for (columns, rows) in [
                (1, 1), (39, 12), (40, 12), (71, 16), (72, 16), (80, 24), (100, 12), (120, 36), (300, 100),
            ] {
                let frame = Dashboard.view(fixture.state, size: Size(columns: columns, rows: rows))
                #expect(frame.lines.count == rows)
                let isSafe = !frame.lines.joined().unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E }
                #expect(isSafe, "\(columns)x\(rows)")
            }
            fixture.press(Key(.down), Key(.end), .char("x"), .char("w"), Key(.escape))
        }
    }

    @Test func `every size from 1x1 to 300x100 has its frame`() {
        var fixture = Fixture(80, 24, peers: 50)
        fixture.happen(50)
        fixture.refresh()
        fixture.press(Key(.down), Key(.enter))
        for columns in stride(from: 1, through: 300, by: 3) {
            for rows in stride(from: 1, through: 100, by: columns % 7 + 8) {
                let frame = Dashboard.view(fixture.state, size: Size(columns: columns, rows: rows))
                #expect(frame.lines.count == rows)
            }
        }
    }
}
