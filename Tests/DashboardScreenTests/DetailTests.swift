// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import TerminalKit
import Testing

@testable import DashboardScreen

struct DetailTests {
    private func filled(_ columns: Int = 100, _ rows: Int = 40) -> Fixture {
        var fixture = Fixture(columns, rows)
        fixture.happen(40)
        fixture.refresh()
        return fixture
    }

    @Test func `open details are asked for with every snapshot, at once and until they close`() {
        var fixture = filled()
        let peer = fixture.rows[0].peer
        fixture.press(Key(.down))
        #expect(fixture.state.request.detail == nil)
        #expect(fixture.press(Key(.enter)) == [.requestDetail(peer)])
        #expect(fixture.state.request.detail == peer)
        fixture.refresh()
        #expect(fixture.state.request.detail == peer)
        fixture.press(Key(.escape))
        #expect(fixture.state.request.detail == nil)
    }

    @Test func `details live`() {
        var fixture = filled()
        fixture.press(Key(.down), Key(.enter))
        fixture.refresh()
        #expect(fixture.screen.contains("record    312 bytes, signed"))
        #expect(fixture.screen.contains("lease     ▌            ends in 9 s of 2 h"))
        #expect(fixture.screen.contains("LOOK hit"))
        fixture.refresh(after: 1) { $0.detail?.row?.expires = .seconds(7199) }
        #expect(fixture.screen.contains("lease     ████████████ ends in 1 h of 2 h"))
        fixture.refresh(after: 1) {
            $0.detail?.row = nil
            $0.detail?.record = []
        }
        #expect(fixture.screen.contains("address   not registered now"))
        #expect(fixture.screen.contains("record    none"))
    }

    @Test func `another peer's answer is not taken`() {
        var fixture = filled()
        fixture.press(Key(.down), Key(.enter))
        fixture.refresh(after: 1) { [peer = fixture.rows[1].peer] in $0.detail = PeerDetail(peer: peer) }
        #expect(!fixture.screen.contains("not registered now"))
        #expect(fixture.screen.contains("address   203.0.113.x:40112"))
    }

    @Test(arguments: [(120, 36), (80, 24), (40, 12)])
    func `nothing in details is unmasked before it is asked for`(columns: Int, rows: Int) {
        var fixture = Fixture(columns, rows)
        fixture.happen(5)
        fixture.refresh()
        fixture.press(Key(.down), Key(.enter))
        fixture.refresh()
        func everything() -> String {
            fixture.press(Key(.home))
            return (0..<40).map { _ in
                defer { fixture.press(Key(.down)) }
                return fixture.screen
            }.joined(separator: "\n")
        }
        let masked = everything()
        #expect(masked.contains("203.0.113.x:40112") && masked.contains("192.0.2.x"))
        #expect(!masked.contains("203.0.113.0") && !masked.contains("192.0.2.0"))
        fixture.press(.char("x"))
        let unmasked = everything()
        #expect(unmasked.contains("203.0.113.0:40112") && unmasked.contains("192.0.2.0"))
        #expect(!unmasked.contains(".x"))
    }

    @Test func `a query's details hold its peer's too`() {
        var fixture = filled()
        fixture.press(Key(.tab), Key(.down), Key(.down))
        let peer = fixture.rows[3].peer
        #expect(fixture.press(Key(.enter)) == [.requestDetail(peer)])
        #expect(fixture.screen.contains("result    DENY bad signature"))
        fixture.refresh()
        #expect(fixture.screen.contains("uuid      \(peer)") && fixture.screen.contains("record    312 bytes"))
        #expect(fixture.press(.char("y")) == [.copy(peer.description)])
    }

    @Test func `a query for nobody has only its own`() {
        var fixture = filled()
        fixture.press(Key(.tab), Key(.down), Key(.down), Key(.down))
        #expect(fixture.press(Key(.enter)) == [])
        #expect(fixture.screen.contains("target    \"no‹ESC›such\"") && !fixture.screen.contains("record"))
        #expect(fixture.press(.char("y")) == [])
    }

    @Test func `a peer out of the list is asked about, not made up`() {
        var fixture = filled()
        fixture.press(Key(.tab), Key(.down), Key(.enter))
        #expect(fixture.screen.contains("address   asking the server"))
        fixture.refresh()
        #expect(fixture.screen.contains("address   not registered now"))
    }

    // MARK: Files

    @Test func `a saved file masks addresses as the screen does`() throws {
        var fixture = filled()
        fixture.press(Key(.down), Key(.enter))
        fixture.refresh(after: 1) {
            $0.sources = [SourceRow(prefix: .v4(0xC633_6407), requests: 1, errors: 0, limited: 0)]
        }
        fixture.press(Key(.escape), .char("/"))
        fixture.type("203.0.113.3")
        fixture.press(Key(.enter))
        fixture.refresh()
        let whole = ["203.0.113.3", "2001:db8::1", "192.0.2.7", "198.51.100.7"]
        guard case .save(_, let masked, true)? = fixture.press(.char("w")).last else {
            Issue.record("nothing saved")
            return
        }
        for address in whole { #expect(!masked.contains("\"" + address), "\(address)") }
        #expect(masked.contains("203.0.113.0:40112") && masked.contains("[2001:db8::]:7001"))
        #expect(masked.contains("192.0.2.0:5000") && !masked.contains("203.0.113.3"))
        fixture.press(.char("x"))
        guard case .save(_, let full, false)? = fixture.press(.char("w")).last else {
            Issue.record("nothing saved")
            return
        }
        #expect(full.contains("203.0.113.3:40112") && full.contains("192.0.2.7:5000"))
    }

    @Test func `a masked snapshot holds no machine's address`() throws {
        var fixture = filled()
        fixture.press(Key(.down), Key(.enter))
        fixture.change = { $0.sources = [SourceRow(prefix: .v4(0xC633_6407), requests: 1, errors: 0, limited: 0)] }
        let masked = fixture.snapshot().masked
        #expect(masked.sources.map(\.prefix) == [.v4(0xC633_6400)])
        #expect(masked.detail?.record == [])
        #expect(masked.detail?.row?.address.description == "203.0.113.0:40112")
        let hosts = ((masked.detail?.queries ?? []) + masked.feed).map(\.event.source.address)
        #expect(!hosts.isEmpty && hosts.allSatisfy { $0 == .v4(0xC000_0200) })
    }
}
