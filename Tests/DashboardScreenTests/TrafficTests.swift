// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit
import Testing

@testable import DashboardScreen

struct TrafficTests {
    private func filled(_ columns: Int = 120, _ rows: Int = 36) -> Fixture {
        var fixture = Fixture(columns, rows)
        fixture.happen(5)
        fixture.refresh()
        return fixture
    }

    @Test(arguments: [(120, 36), (80, 24), (40, 12)])
    func `v leads from the feed to results, sources and back`(columns: Int, rows: Int) {
        var fixture = filled(columns, rows)
        if fixture.state.layout.kind == .small {
            fixture.press(.char("v"))
            #expect(fixture.screen.contains("queries (live)"))
        }
        for (title, cell) in [("results since", "DENY bad sig"), ("sources", "192.0.2.x"), ("queries (live)", "LOOK")] {
            fixture.press(.char("v"))
            #expect(fixture.screen.contains(title) && fixture.screen.contains(cell), "\(title)")
        }
        fixture.press(.char("4"), .char("v"))
        #expect(fixture.screen.contains("queries (live)"))
    }

    @Test func `results have totals, rates and shares`() {
        var fixture = filled()
        fixture.press(.char("v"))
        fixture.refresh(after: 2) { $0.counters.hits = 410 + 198_000 }
        let hit = fixture.frame.lines.first { $0.contains("│ hit ") }
        #expect(hit?.hasSuffix("198,410   99k/s ████████████  100 %") == true, "\(hit ?? "")")
        let miss = fixture.frame.lines.first { $0.contains("│ miss ") }
        #expect(miss?.hasSuffix(" 2     0/s ▌              <1 %") == true, "\(miss ?? "")")
        for result in IndexResult.all { #expect(fixture.screen.contains(result.words.string)) }
    }

    @Test func `every result has its count`() {
        var counters = IndexCounters()
        counters.hits = 1
        counters.misses = 2
        counters.invalidQueries = 3
        counters.newRegistrations = 4
        counters.renewals = 5
        counters.moves = 6
        counters.seedRegistrations = 7
        counters.challenges = 8
        counters.keepalives = 9
        counters.roams = 10
        counters.calls = 11
        counters.absences = 12
        counters.sightings = 13
        for (index, denial) in Denial.allCases.enumerated() { counters[denial] = UInt64(14 + index) }
        counters.malformed = 25
        counters.ignored = 26
        counters.limited = 27
        counters.unready = 28
        #expect(IndexResult.all.map(counters.total) == Array(1...28))
        #expect(IndexResult.all.reduce(0) { $0 + counters.total(of: $1) } == counters.datagrams)
    }

    @Test func `sources are masked until asked, and sorted by any of their numbers`() {
        var fixture = filled()
        fixture.press(.char("v"), .char("v"))
        fixture.refresh(after: 1) { $0.sources[2].requests += 12_000 }
        func order() -> [Int] {
            ["203.0.113.x", "2001:db8:1::x", "192.0.2.x"].map { source in
                fixture.frame.lines.firstIndex { $0.contains("│ " + source) } ?? -1
            }
        }
        #expect(order() == [8, 9, 7])
        let busiest = fixture.frame.lines[7]
        #expect(busiest.hasSuffix("     12k   12k/s       0       0"), "\(busiest)")
        fixture.press(Key(.tab), .char("s"))
        #expect(fixture.screen.contains("sort: errors ↓") && order() == [8, 7, 9])
        fixture.press(.char(">"), .char("<"), .char("<"))
        #expect(fixture.screen.contains("sort: requests ↓") && fixture.state.overlay == nil)
        fixture.press(.char("x"))
        #expect(fixture.screen.contains("203.0.113.0/24") && fixture.screen.contains("2001:db8:1::/48"))
        #expect(!fixture.screen.contains(".x "))
    }

    @Test func `long views scroll and stop at their ends`() {
        var fixture = filled(80, 24)
        fixture.press(.char("v"), Key(.tab))
        #expect(fixture.screen.contains(" hit ") && !fixture.screen.contains("unready "))
        fixture.press(Key(.end))
        #expect(!fixture.screen.contains(" hit ") && fixture.screen.contains("unready "))
        fixture.press(Key(.down), Key(.up))
        #expect(!fixture.screen.contains("unready "))
        fixture.press(.char("g"))
        #expect(fixture.screen.contains(" hit "))
        #expect(fixture.press(Key(.enter)) == [])
        #expect(fixture.screen.contains("v leads to the feed"))
    }

    // MARK: What the feed leaves out

    @Test func `the title counts what was left out in a second`() {
        var fixture = filled()
        fixture.refresh(after: 1) { $0.feedLast = 5 }
        fixture.refresh(after: 2) { snapshot in
            snapshot.feedLast = 400_005
            snapshot.feed = [100, 200_000, 400_005].map {
                FeedEntry(sequence: $0, event: Fixture.event(0, time: snapshot.time), microseconds: 1)
            }
        }
        #expect(fixture.state.feed.leftOut == 399_997)
        #expect(fixture.screen.contains("queries (live) · 199,999/s left out"))
        fixture.refresh(after: 2) { $0.feedLast = 400_005 }
        #expect(fixture.screen.contains("queries (live) · 399,997 left out"))
    }

    @Test func `what came before the display did is nobody's loss, what follows is`() {
        var feed = Feed()
        feed.append([], last: 1_000_000)
        #expect(feed.leftOut == 0)
        feed.append([], last: 1_000_010)
        #expect(feed.leftOut == 10)
        var idle = Feed()
        idle.append([], last: 0)
        idle.append([], last: 7)
        #expect(idle.leftOut == 7)
    }

    @Test func `impossible sequences are survived`() {
        let event = Fixture.event(0, time: WallTime(milliseconds: 0))
        func entries(_ numbers: UInt64...) -> [FeedEntry] {
            numbers.map { FeedEntry(sequence: $0, event: event, microseconds: .max) }
        }
        var feed = Feed()
        feed.append(entries(5, 5, 3, 9), last: 4)
        feed.append(entries(10, 10, 10, 10), last: 0)
        feed.append(entries(.max), last: .max)
        feed.append(entries(.max, 1), last: 0)
        #expect(feed.last == .max && feed.leftOut == .max - 11)
    }
}
