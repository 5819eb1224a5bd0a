// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import TerminalKit
import Testing

@testable import DashboardScreen

struct KeyTests {
    private func filled(_ role: DashboardState.Role = .visitor, peers: Int = 100) -> Fixture {
        var fixture = Fixture(80, 24, role: role, peers: peers)
        fixture.happen(40)
        fixture.refresh()
        fixture.refresh()
        return fixture
    }

    // MARK: Leaving

    @Test func `quitting asks before it stops the server`() {
        for key in [Key.char("q"), .control("c")] {
            var fixture = filled(.server)
            #expect(fixture.press(key) == [])
            #expect(
                fixture.screen.contains("Stop the index server?") && fixture.screen.contains("100 peers are registered")
            )
            #expect(fixture.press(Key(.escape)) == [])
            #expect(!fixture.screen.contains("Stop the index server?"))
            #expect(fixture.press(key, .char("n"), key, .char("y")) == [.quit])
        }
        var fixture = filled(.server)
        #expect(fixture.press(.control("c"), .control("c")) == [.quit])
    }

    @Test func `a visitor only detaches`() {
        for key in [Key.char("q"), .control("c")] {
            var fixture = filled()
            #expect(fixture.press(key) == [.detach])
        }
    }

    @Test func `a lost terminal ends the display`() {
        var server = filled(.server)
        var visitor = filled()
        #expect(server.send(.terminal(.hangup)) == [.quit])
        #expect(visitor.send(.terminal(.hangup)) == [.detach])
    }

    // MARK: Moving

    @Test func `the selection walks through all rows and stays in sight`() {
        var fixture = filled()
        for number in 0..<100 {
            fixture.press(Key(.down))
            fixture.refresh()
            #expect(fixture.selectedLine()?.text.hasPrefix("›" + fixture.rows[number].peer.shortDigits) == true)
        }
        fixture.press(Key(.down))
        fixture.refresh()
        #expect(fixture.state.selection?.peer == fixture.rows[99].peer)
        fixture.press(Key(.pageUp))
        fixture.refresh()
        #expect(fixture.state.selection?.peer == fixture.rows[99 - fixture.state.listHeight].peer)
        #expect(fixture.selectedLine() != nil)
    }

    @Test func `Home and End reach the ends`() {
        var fixture = filled()
        fixture.press(Key(.end))
        fixture.refresh()
        #expect(fixture.state.selection?.peer == fixture.rows[99].peer)
        #expect(fixture.selectedLine()?.row == 5 + fixture.state.listHeight)
        fixture.press(.char("g"))
        fixture.refresh()
        #expect(fixture.state.selection?.peer == fixture.rows[0].peer)
        #expect(fixture.selectedLine()?.row == 6)
    }

    @Test func `sorting never moves the selected row`() {
        var fixture = filled()
        fixture.press(Key(.end))
        fixture.refresh()
        fixture.press(Key(.pageUp), Key(.pageUp), Key(.pageUp), Key(.down), Key(.down))
        fixture.refresh()
        let before = fixture.selectedLine()
        for key in [Key.char("r"), .char(">"), .char("<"), .char("r")] {
            fixture.press(key)
            fixture.refresh()
            #expect(fixture.selectedLine()?.row == before?.row)
            #expect(fixture.selectedLine()?.text == before?.text)
        }
    }

    @Test func `others coming and going do not move the selected row`() {
        var fixture = filled()
        fixture.press(Key(.pageDown), Key(.pageDown))
        fixture.refresh()
        let before = fixture.selectedLine()
        fixture.rows.insert(contentsOf: (200..<209).map(Fixture.row), at: 0)
        fixture.refresh()
        #expect(fixture.selectedLine()?.row == before?.row)
        fixture.rows.removeFirst(9)
        fixture.refresh()
        #expect(fixture.selectedLine()?.row == before?.row)
        #expect(fixture.selectedLine()?.text == before?.text)
    }

    @Test func `a neighbour takes over when the selected row goes`() {
        var fixture = filled()
        fixture.press(Key(.down), Key(.down), Key(.down))
        fixture.refresh()
        let line = fixture.selectedLine()?.row
        fixture.rows.remove(at: 2)
        fixture.refresh()
        #expect(fixture.state.selection?.peer == fixture.rows[2].peer)
        #expect(fixture.selectedLine()?.row == line)
    }

    // MARK: Asking

    @Test func `only what the user sees is asked for`() {
        var fixture = filled()
        #expect(fixture.state.request.rows.limit == 3 * fixture.state.listHeight)
        let effects = fixture.press(.char("s"), .char("k"), Key(.enter))
        guard case .requestRows(let request)? = effects.first else {
            Issue.record("nothing asked")
            return
        }
        #expect(request.sort == .age && !request.descending)
        var turned = request
        turned.descending = true
        #expect(fixture.press(.char("r")) == [.requestRows(turned)])
        #expect(fixture.press(.char("p")) == [])
        #expect(fixture.state.request.feedAfter == 40)
    }

    @Test func `the filter is live, shown, and cleared by Escape`() {
        var fixture = filled()
        fixture.press(.char("/"))
        fixture.type("!10.0")
        #expect(fixture.screen.contains("filter: !10.0█"))
        #expect(fixture.state.request.rows.filter == "!10.0")
        fixture.press(Key(.backspace), Key(.enter))
        fixture.refresh()
        #expect(fixture.screen.contains("filter: !10. (100)"))
        fixture.press(Key(.escape))
        #expect(fixture.state.request.rows.filter == "")
        fixture.press(.char("/"))
        fixture.send(.terminal(.paste(String(repeating: "é", count: 100) + "\nmore")))
        #expect(fixture.state.request.rows.filter == String(repeating: "é", count: 32))
        fixture.press(.control("u"))
        #expect(fixture.state.request.rows.filter == "")
    }

    // MARK: Pausing

    @Test func `a pause says how long it lasts and how much waits`() {
        var fixture = filled()
        fixture.press(.char("p"))
        let held = fixture.state.shownFeed
        fixture.happen(431)
        fixture.pass(seconds: 12)
        fixture.refresh()
        #expect(fixture.screen.contains("PAUSED 12 s, 431 new"))
        let row = fixture.frame.lines.firstIndex { $0.contains("PAUSED") } ?? 0
        #expect(fixture.frame.styleLines[row].filter { $0 == "R" }.count == "PAUSED 12 s, 431 new".count)
        #expect(fixture.state.shownFeed == held)
        fixture.press(.char(" "))
        #expect(!fixture.screen.contains("PAUSED"))
        #expect(fixture.state.shownFeed.last?.sequence == 471)
    }

    @Test func `a pause holds the rows but not the user`() {
        var fixture = filled()
        fixture.press(Key(.down))
        fixture.refresh()
        fixture.press(.char("p"))
        let held = fixture.state.page
        fixture.rows[0].age = .seconds(99_999)
        fixture.refresh()
        #expect(fixture.state.page == held)
        fixture.press(Key(.pageDown))
        fixture.refresh()
        #expect(fixture.state.page != held)
    }

    @Test func `a pause is seen when the feed is hidden`() {
        var fixture = filled()
        fixture.press(.char("p"), .char("4"))
        #expect(fixture.screen.contains("PAUSED 0 s, 0 new"))
    }

    @Test func `lost entries are counted, not waited for`() {
        var fixture = filled()
        fixture.happen(600)
        fixture.refresh()
        #expect(fixture.state.feed.leftOut == 88)
        #expect(fixture.state.feed.entries.count == Feed.capacity)
        #expect(fixture.screen.contains("queries (live) · 88 left out"))
    }

    @Test func `a restarted server starts the feed over`() {
        var fixture = filled()
        fixture.events = []
        fixture.happen(2)
        fixture.send(.snapshot(fixture.snapshot(boot: "other")))
        fixture.refresh()
        #expect(fixture.screen.contains("the server was restarted"))
        #expect(fixture.state.shownFeed.count <= 2)
        #expect(fixture.state.feed.last == 2)
    }

    // MARK: The rest

    @Test func `details show the whole UUID and what was asked about it`() {
        var fixture = filled()
        fixture.press(Key(.down), Key(.enter))
        #expect(fixture.screen.contains(fixture.rows[0].peer.description))
        #expect(fixture.screen.contains("lately, newest first:"))
        #expect(fixture.screen.contains("sequence  1795357000000 (2026-11-22T14:16:40.000Z)"))
        #expect(fixture.press(.char("y")) == [.copy(fixture.rows[0].peer.description)])
        fixture.press(Key(.escape))
        #expect(!fixture.screen.contains("lately"))
    }

    @Test func `a query's details tell why it was denied, controls and all`() {
        var fixture = filled()
        fixture.press(Key(.tab), Key(.down), Key(.down), Key(.enter))
        #expect(fixture.screen.contains("DENY bad signature"))
        fixture.press(Key(.escape), Key(.down), Key(.enter))
        #expect(fixture.screen.contains("target    \"no‹ESC›such\""))
    }

    @Test func `the selected query stays where it is while others come`() {
        var fixture = filled()
        fixture.press(Key(.tab), Key(.down), Key(.down), Key(.down))
        let before = fixture.selectedLine()
        fixture.happen(7)
        fixture.refresh()
        #expect(fixture.selectedLine()?.row == before?.row)
        #expect(fixture.selectedLine()?.text == before?.text)
    }

    @Test func `plain commands have their effects`() {
        var fixture = filled()
        #expect(fixture.press(.char("+")) == [.setInterval(.milliseconds(500))])
        #expect(fixture.press(.char("+"), .char("+"), .char("+")) == [.setInterval(.milliseconds(200))])
        #expect(fixture.press(.char("-")) == [.setInterval(.milliseconds(500))])
        #expect(fixture.press(.char("m")) == [.setMouse(true)])
        #expect(fixture.press(.char("m")) == [.setMouse(false)])
        #expect(fixture.press(.control("l")) == [.redraw])
        #expect(fixture.press(.control("z")) == [.suspend])
        #expect(fixture.press(.char("y")) == [])
        #expect(fixture.screen.contains("select a row"))
        guard case .save("parley-index-20261122T143107Z.json", let text, true)? = fixture.press(.char("w")).first else {
            Issue.record("nothing saved")
            return
        }
        #expect(text.hasPrefix("{\"time\":\"2026-11-22T14:31:07.112Z\""))
    }

    @Test func `the interval stays within its steps`() {
        var fixture = filled()
        for _ in 0..<20 { fixture.press(.char("-")) }
        #expect(fixture.state.refreshInterval == .seconds(60))
        for _ in 0..<20 { fixture.press(.char("+")) }
        #expect(fixture.state.refreshInterval == .milliseconds(200))
    }

    @Test func `help covers the lists while data move`() {
        for key in [Key.char("?"), Key(.function(1))] {
            var fixture = filled()
            fixture.press(key)
            #expect(fixture.screen.contains("the other list"))
            fixture.pass(seconds: 1)
            fixture.refresh()
            #expect(fixture.frame.lines.first?.contains("14:31:08") == true)
            fixture.press(Key(.escape))
            #expect(!fixture.screen.contains("the other list"))
        }
    }

    @Test func `a notice goes by itself`() {
        var fixture = filled()
        fixture.send(.notice("saved to /tmp/x\u{1b}[2J"))
        #expect(fixture.screen.contains("saved to /tmp/x‹ESC›[2J"))
        fixture.pass(seconds: 4)
        fixture.send(.clock(fixture.time, utcOffset: 3600))
        #expect(!fixture.screen.contains("saved to"))
        #expect(fixture.screen.contains("15:31:11"))
    }
}
