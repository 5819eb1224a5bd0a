// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit
import Testing

@testable import DashboardScreen

struct RelayTests {
    /// The server relays between so many pairs, each less busy than the one before.
    private func relaying(_ columns: Int, _ rows: Int, ascii: Bool = false, pairs: Int = 3) -> Fixture {
        var fixture = Fixture(columns, rows, ascii: ascii)
        fixture.happen(5)
        fixture.refresh()
        fixture.refresh(after: 1) { Self.relay($0.relay.pairs.count + pairs, &$0) }
        return fixture
    }

    private static func relay(_ pairs: Int, _ snapshot: inout IndexSnapshot) {
        snapshot.relay.isOffered = true
        snapshot.relay.channels = pairs
        snapshot.relay.capacity = 10_000
        snapshot.relay.tunnels = 2
        snapshot.relay.bytes = 1_234_567_890
        snapshot.relay.calls = 12
        snapshot.relay.refused = 7
        snapshot.relay.bytesPerSecond = 12_345
        snapshot.relay.pairs = (0..<pairs).map { number in
            RelayPair(
                a: Fixture.row(number).peer, b: Fixture.row(number + 1000).peer,
                bytesPerSecond: UInt64(max(0, 8_000 - number * 4_000)), bytes: 85_123_456 / UInt64(number + 1),
                idle: .seconds(number * 70), isTunnelledA: number > 0, isTunnelledB: number > 1)
        }
    }

    // MARK: The line

    @Test(arguments: [
        (
            200, 60, false,
            "         relay 3 of 10k pairs · 12 kB/s · tls 2 · calls 12 · over quota 0 · refused 7 · 1.2 GB passed on"
        ),
        (
            120, 36, false,
            "         relay 3 of 10k pairs · 12 kB/s · tls 2 · calls 12 · over quota 0 · refused 7 · 1.2 GB passed on"
        ),
        (100, 12, false, "         relay 3 of 10k pairs · 12 kB/s · tls 2 · calls 12 · over quota 0 · refused 7"),
        (80, 24, false, "  relay 3 pairs · 12 kB/s · tls 2 · calls 12 · over quota 0 · refused 7"),
        (40, 12, false, " relay 3 · 12 kB/s · tls 2 · refused 7"),
        (40, 12, true, " relay 3 - 12 kB/s - tls 2 - refused 7"),
    ])
    func `what is relayed is a line of its own`(columns: Int, rows: Int, ascii: Bool, line: String) {
        var fixture = relaying(columns, rows, ascii: ascii)
        fixture.state.trend = Trend()
        #expect(fixture.frame.lines.contains(line), "\(fixture.screen)")
    }

    @Test func `a server that does not relay has no such line and no such list`() {
        var fixture = Fixture(80, 24)
        fixture.refresh()
        let height = fixture.state.listHeight
        #expect(!fixture.screen.contains("relay"))
        fixture.press(.char("v"), .char("v"), .char("v"))
        #expect(fixture.state.traffic == .feed)
        #expect(relaying(80, 24).state.listHeight == height - 1)
    }

    @Test func `the line goes with the health panel`() {
        var fixture = relaying(80, 24)
        fixture.press(.char("2"))
        #expect(!fixture.screen.contains("relay 3"))
    }

    @Test func `what was refused in the last minute stands out`() {
        var fixture = relaying(120, 36)
        #expect(fixture.screen.contains("refused 7↑") && fixture.screen.contains("over quota 0 "))
        fixture.refresh(after: 70) { Self.relay(3, &$0) }
        fixture.refresh(after: 70) { Self.relay(3, &$0) }
        #expect(fixture.screen.contains("refused 7 "))
        fixture.refresh(after: 1) { snapshot in
            Self.relay(3, &snapshot)
            snapshot.relay.overQuota = 1
        }
        #expect(fixture.screen.contains("over quota 1↑"))
    }

    @Test(arguments: [(120, 36), (80, 24), (40, 12)])
    func `what had to make room is shown where it happens, at every size`(columns: Int, rows: Int) {
        var fixture = relaying(columns, rows)
        #expect(!fixture.screen.contains("displaced"))
        fixture.refresh(after: 1) { snapshot in
            Self.relay(3, &snapshot)
            snapshot.relay.displaced = 2
        }
        #expect(fixture.screen.contains("displaced 2↑"))
    }

    @Test func `whoever comes by a tunnel comes by TLS`() {
        let tunnel = Endpoint(address: .v6(0x0100_0000_0000_0000, 0x1d09_f8c1_2345_6789), port: 1)
        for shown in [tunnel.shown(unmasked: false), tunnel.shownAddress(unmasked: false)] { #expect(shown == "TLS") }
        #expect(tunnel.shown(unmasked: true) == "TLS 100::1d09:f8c1:2345:6789")
        #expect(tunnel.shownAddress(unmasked: true) == "TLS 100::1d09:f8c1:2345:6789")
        #expect(tunnel.address.group.shownGroup(unmasked: true) == "TLS")
    }

    // MARK: The list

    private func listed(_ columns: Int, _ rows: Int, ascii: Bool = false, pairs: Int = 3) -> Fixture {
        var fixture = relaying(columns, rows, ascii: ascii, pairs: pairs)
        if columns < 72 { fixture.press(Key(.tab)) }
        fixture.press(.char("v"), .char("v"), .char("v"))
        return fixture
    }

    @Test(arguments: [
        (120, 36, false, Golden.pairs120x36), (80, 24, false, Golden.pairs80x24),
        (40, 12, true, Golden.pairs40x12ASCII),
    ])
    func `the pairs at each size`(columns: Int, rows: Int, ascii: Bool, golden: String) {
        #expect(listed(columns, rows, ascii: ascii).screen == golden)
    }

    @Test func `pairs are asked for only while they are looked at, and then at once`() {
        var fixture = relaying(80, 24)
        #expect(!fixture.state.request.wantsPairs)
        fixture.press(.char("v"), .char("v"))
        fixture.effects = []
        #expect(fixture.press(.char("v")) == [.requestRows(fixture.state.rowRequest)])
        #expect(fixture.state.request.wantsPairs)
        fixture.press(.char("v"))
        #expect(!fixture.state.request.wantsPairs && fixture.state.traffic == .feed)
    }

    @Test func `who talks with whom is masked until asked for, and in what is saved`() {
        var fixture = listed(120, 36)
        #expect(fixture.screen.contains("4f2a… ") && !fixture.screen.contains("4f2a95a9"))
        func saved() -> String {
            for case .save(_, let text, _) in fixture.press(.char("w")) { return text }
            return ""
        }
        let other = Fixture.row(1001).peer.description
        #expect(!saved().contains(other))
        fixture.press(.char("x"))
        #expect(fixture.screen.contains("4f2a95a9") && !fixture.screen.contains("4f2a…"))
        #expect(saved().contains(other))
    }

    @Test func `the list scrolls and stops at its ends, and Enter says where details are`() {
        var fixture = listed(80, 24, pairs: 50)
        fixture.press(.char("x"), Key(.tab))
        let first = Fixture.row(1000).peer.shortDigits
        let last = Fixture.row(1049).peer.shortDigits
        #expect(fixture.screen.contains(first) && !fixture.screen.contains(last))
        fixture.press(Key(.end))
        #expect(!fixture.screen.contains(first) && fixture.screen.contains(last))
        fixture.press(Key(.down), .char("g"))
        #expect(fixture.screen.contains(first))
        fixture.press(Key(.enter))
        #expect(fixture.screen.contains("v leads to the feed"))
    }

    @Test func `no more pairs are kept than a server tells, and none when it stops relaying`() {
        var fixture = listed(80, 24, pairs: 5000)
        #expect(fixture.state.snapshot?.relay.pairs.count == RelayStatistics.pairLimit)
        fixture.refresh(after: 1) { _ in }
        #expect(fixture.state.traffic == .feed && !fixture.screen.contains("relay"))
        fixture = listed(80, 24, pairs: 0)
        #expect(fixture.screen.contains("nothing is relayed now"))
    }

    @Test func `help tells of the list`() {
        var fixture = relaying(80, 24)
        fixture.press(.char("?"))
        #expect(fixture.screen.contains("queries, results, sources, relayed pairs"))
    }
}
