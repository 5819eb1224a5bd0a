// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import TerminalKit
import Testing

@testable import DashboardScreen

struct HealthTests {
    private static let sizes = [(120, 36), (100, 20), (80, 24), (72, 16), (40, 12)]

    private func filled(_ columns: Int = 120, _ rows: Int = 36, ascii: Bool = false) -> Fixture {
        var fixture = Fixture(columns, rows, ascii: ascii)
        fixture.refresh()
        return fixture
    }

    /// Whether a text stands there in a style.
    private func stands(_ text: String, styled style: String, in fixture: Fixture) -> Bool {
        zip(fixture.frame.lines, fixture.frame.styleLines).contains { line, styles in
            guard let place = line.firstRange(of: text) else { return false }
            let start = line.distance(from: line.startIndex, to: place.lowerBound)
            return styles.dropFirst(start).prefix(text.count).allSatisfy { style.contains($0) }
        }
    }

    @Test(arguments: sizes)
    func `a failing store is told in words and in red`(columns: Int, rows: Int) {
        var fixture = filled(columns, rows)
        fixture.refresh(after: 1) { $0.store.state = .failing(reason: "no space", since: $0.time) }
        #expect(stands("STORE FAILING: no space", styled: "R", in: fixture))
        fixture.refresh(after: 1) { _ in }
        #expect(!fixture.screen.contains("FAILING"))
    }

    @Test(arguments: sizes)
    func `limits are told in words while they bite and a minute after`(columns: Int, rows: Int) {
        var fixture = filled(columns, rows)
        #expect(!fixture.screen.contains("LIMITING"))
        fixture.refresh(after: 1) {
            $0.counters.limited = 40
            $0.sources[0].limited = 15
            $0.sources[1].limited = 30
        }
        #expect(stands("LIMITING 2 sources", styled: "Y", in: fixture))
        let change = fixture.change
        fixture.refresh(after: 59, change)
        #expect(fixture.screen.contains("LIMITING 2 sources"))
        fixture.refresh(after: 2, change)
        #expect(!fixture.screen.contains("LIMITING"))
    }

    @Test func `a tiny screen says what must not be missed`() {
        var fixture = filled(39, 3)
        fixture.refresh(after: 1) {
            $0.counters.limited = 40
            $0.store.state = .failing(reason: "no space", since: $0.time)
        }
        #expect(fixture.screen.hasPrefix("STORE FAILING: no space LIMITING 40 r"))
    }

    @Test func `what rose in the last minute carries an arrow beside its colour`() {
        var fixture = filled()
        fixture.refresh(after: 1) { $0.counters.receiveDrops = 7 }
        #expect(stands("drops 7↑", styled: "y", in: fixture))
        #expect(stands("unready 0", styled: ".", in: fixture))
        let change = fixture.change
        fixture.refresh(after: 30, change)
        fixture.refresh(after: 31, change)
        #expect(fixture.screen.contains("drops 7 ") && !fixture.screen.contains("↑ · mal"))
    }

    @Test func `the store's rate and the process's CPU are differences of two snapshots`() {
        var fixture = filled()
        func work(_ seconds: Int) -> (inout IndexSnapshot) -> Void {
            { snapshot in
                snapshot.cpu = .milliseconds(700 * seconds)
                snapshot.store = StoreHealth(
                    kind: "sqlite", rowsWritten: UInt64(12_345 * seconds),
                    latency: LatencySummary(count: 1, p99: .microseconds(2150)), bytes: 85_000_000)
            }
        }
        fixture.refresh(after: 1, work(0))
        fixture.refresh(after: 2, work(2))
        #expect(fixture.screen.contains("sqlite ok · 12,345 rows/s · commit p99 2.1 ms · 85 MB"))
        #expect(fixture.screen.contains("mem 21 MB · cpu 70 %"))
    }

    @Test func `rates do not jump when two answers come at once`() {
        var fixture = filled()
        fixture.refresh(after: 1) { $0.counters.hits = 1410 }
        fixture.change = { $0.counters.hits = 1510 }
        fixture.refresh()
        #expect(fixture.state.trend.perSecond { $0.counters.hits } == 1100)
    }

    @Test func `a restarted server has no past`() {
        var fixture = filled()
        fixture.refresh(after: 1) { $0.counters.limited = 40 }
        fixture.change = { _ in }
        fixture.send(.snapshot(fixture.snapshot(boot: "other")))
        #expect(fixture.state.trend.perSecond { $0.counters.hits } == nil)
        #expect(!fixture.screen.contains("LIMITING"))
    }

    @Test func `loading rows are counted`() {
        var fixture = filled()
        fixture.refresh(after: 1) { $0.store.state = .loading(rows: 431_000) }
        #expect(stands("loading 431,000 rows", styled: "y", in: fixture))
    }

    // MARK: Notices

    private static let notices = [
        OperatorNotice(time: WallTime(milliseconds: 60_000), text: "second\u{1b}[2J"),
        OperatorNotice(time: WallTime(milliseconds: 0), text: "first"),
    ]

    @Test(arguments: sizes)
    func `the newest notice has a line until Escape, and n lists all`(columns: Int, rows: Int) {
        var fixture = filled(columns, rows)
        fixture.refresh(after: 1) { $0.notices = Self.notices }
        #expect(stands("NOTICE", styled: "Y", in: fixture))
        #expect(fixture.screen.contains("NOTICE 00:01 second‹ESC›[2J") && !fixture.screen.contains("first"))
        fixture.press(Key(.escape))
        fixture.refresh()
        #expect(!fixture.screen.contains("NOTICE"))
        fixture.press(.char("n"))
        #expect(fixture.screen.contains("second‹ESC›[2J") && fixture.screen.contains("first"))
        fixture.press(Key(.escape))
        fixture.refresh(after: 1) { $0.notices = [OperatorNotice(time: $0.time, text: "third")] + Self.notices }
        #expect(fixture.screen.contains("third"))
    }

    @Test func `a notice that comes leaves the selected row in sight`() {
        var fixture = Fixture(80, 24, peers: 100)
        fixture.refresh()
        fixture.refresh()
        for _ in 0..<fixture.state.listHeight { fixture.press(Key(.down)) }
        fixture.press(.char("p"))
        fixture.refresh(after: 1) { $0.notices = Self.notices }
        #expect(fixture.selectedLine() != nil)
    }
}
