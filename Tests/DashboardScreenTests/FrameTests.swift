// SPDX-License-Identifier: GPL-3.0-or-later
import DashboardScreen
import IndexEngine
import Model
import TerminalKit
import Testing

struct FrameTests {
    @Test(arguments: [
        (120, 36, false, Golden.screen120x36), (80, 24, false, Golden.screen80x24), (40, 12, false, Golden.screen40x12),
        (100, 12, true, Golden.screen100x12ASCII), (40, 12, true, Golden.screen40x12ASCII),
    ])
    func `the screen at each size`(columns: Int, rows: Int, ascii: Bool, golden: String) {
        var fixture = Fixture(columns, rows, ascii: ascii)
        fixture.happen(5)
        fixture.refresh()
        fixture.press(Key(.down))
        fixture.refresh()
        #expect(fixture.screen == golden)
    }

    @Test(arguments: [
        (120, 36, false, Golden.busy120x36), (80, 24, false, Golden.busy80x24), (40, 12, true, Golden.busy40x12ASCII),
    ])
    func `the screen of a busy server`(columns: Int, rows: Int, ascii: Bool, golden: String) {
        #expect(Fixture.busy(columns, rows, ascii: ascii).screen == golden)
    }

    @Test(arguments: [(80, 24, false, Golden.history80x24), (40, 12, true, Golden.history40x12ASCII)])
    func `its last two minutes`(columns: Int, rows: Int, ascii: Bool, golden: String) {
        var fixture = Fixture.busy(columns, rows, ascii: ascii)
        fixture.press(.char("h"))
        #expect(fixture.screen == golden)
    }

    @Test func `styles say which row is selected, what failed and what ends soon`() {
        var fixture = Fixture(80, 24)
        fixture.happen(5)
        fixture.refresh()
        fixture.press(Key(.down))
        let styles = fixture.frame.styleLines
        #expect(styles[6].allSatisfy { $0 == "Y" })
        #expect(styles[7].allSatisfy { $0 == "." })
        #expect(styles[16].allSatisfy { $0 == "r" })
    }

    @Test(arguments: [(39, 12), (40, 11), (20, 3), (1, 1)])
    func `below the smallest layout there is one line of counters`(columns: Int, rows: Int) {
        var fixture = Fixture(columns, rows)
        fixture.refresh()
        let lines = fixture.frame.lines
        #expect("q 412/s peers 4 err 0/s".hasPrefix(lines.first?.filter { $0 != "…" } ?? "-"))
        #expect(!lines.dropFirst().contains { !$0.isEmpty })
    }

    @Test(arguments: [(120, 36), (80, 24), (40, 12), (30, 4)])
    func `ASCII screens hold nothing else, whatever others send`(columns: Int, rows: Int) {
        var fixture = Fixture(columns, rows, ascii: true, peers: 40)
        fixture.happen(20)
        var odd = Fixture.event(0, time: fixture.time)
        odd.target = .text("日本\u{202e}é\u{1b}")
        fixture.events.append(FeedEntry(sequence: 21, event: odd, microseconds: 1))
        fixture.refresh()
        fixture.refresh(after: 1) { snapshot in
            snapshot.store.state = .failing(reason: "日本\u{202e}é\u{1b}", since: snapshot.time)
            snapshot.notices = [OperatorNotice(time: snapshot.time, text: "日本\u{202e}é\u{1b}")]
            snapshot.server.version = "日本\u{1b}"
            snapshot.counters.limited = 3
        }
        let keys: [Key] = [
            Key(.down), .char("p"), Key(.tab), Key(.down), Key(.enter), Key(.escape), .char("?"), Key(.escape),
            .char("n"), Key(.escape), .char("h"), Key(.escape), Key(.escape), .char("v"), .char("v"),
        ]
        for key in keys {
            fixture.press(key)
            let isPlain = fixture.screen.allSatisfy { $0.isASCII }
            #expect(isPlain, "\(key)")
        }
    }

    @Test func `before the first answer the screen says what it waits for`() {
        let fixture = Fixture(80, 24)
        #expect(fixture.screen.contains("waiting for the server's first answer"))
    }

    @Test func `a silent server leaves its last data, dimmed, and its silence in words`() {
        var fixture = Fixture(80, 24)
        fixture.refresh()
        fixture.send(.disconnected(seconds: 7))
        #expect(fixture.frame.lines.first?.contains("no answer for 7 s") == true)
        #expect(fixture.screen.contains("4f2a91c2 seed"))
        #expect(fixture.frame.styleLines[7].allSatisfy { $0 == "d" })
        fixture.refresh()
        #expect(!fixture.screen.contains("no answer"))
    }

    @Test func `panels hide and give their room away`() {
        var fixture = Fixture(80, 24, peers: 40)
        fixture.refresh()
        fixture.press(.char("1"), .char("2"), .char("4"))
        fixture.refresh()
        #expect(!fixture.screen.contains("qps") && !fixture.screen.contains("p50"))
        #expect(!fixture.screen.contains("queries"))
        #expect(fixture.frame.lines.filter { $0.hasPrefix(" 4f2a") }.count == 20)
        fixture.press(.char("3"), .char("4"))
        #expect(!fixture.screen.contains("registrations") && fixture.screen.contains("queries"))
    }

    @Test func `at a hundred columns a masked address is whole`() {
        var fixture = Fixture(100, 24)
        fixture.refresh()
        #expect(fixture.screen.contains("203.0.113.x:40112 ") && fixture.screen.contains("[2001:db8::x]:7001 "))
    }

    @Test func `addresses are masked until they are asked for`() {
        var fixture = Fixture(80, 24)
        fixture.happen(3)
        fixture.refresh()
        #expect(fixture.screen.contains("203.0.113.x:40112") && fixture.screen.contains("192.0.2.x"))
        fixture.press(.char("x"))
        #expect(fixture.screen.contains("203.0.113.3:40112") && fixture.screen.contains("192.0.2.2"))
        #expect(!fixture.screen.contains(".x"))
    }
}
