// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

/// What is passed on between peers that can't reach each other.
extension Canvas {
    /// One line below the health of the server that does it.
    mutating func drawRelay(_ relay: RelayStatistics, _ rect: Rect) {
        let rate = rate(relay.bytesPerSecond)
        let tunnels: Piece = ("tls " + compact(relay.tunnels), .plain)
        let overQuota = count("over quota", relay.overQuota) { $0.relay.overQuota }
        let refused = count("refused", relay.refused) { $0.relay.refused }
        // Seldom, and then it is worth the room.
        let displaced = relay.displaced > 0 ? [count("displaced", relay.displaced) { $0.relay.displaced }] : []
        if layout.kind == .small {
            let head: Piece = ("relay " + compact(relay.channels), .plain)
            return line(rect.row, in: rect, left: dotted([head, (rate, .plain)] + displaced + [tunnels, refused]))
        }
        let head: Piece = (layout.kind == .wide ? "        relay " : " relay ", .plain)
        let room = relay.capacity > 0 && layout.kind == .wide ? " of " + compact(relay.capacity) : DisplayText.empty
        let pairs: Piece = (
            compact(relay.channels) + room + (relay.channels == 1 && room.isEmpty ? " pair" : " pairs"), .plain
        )
        var rest: [Piece] =
            [(rate, .plain)] + displaced + [tunnels, ("calls " + compact(relay.calls), .plain), overQuota, refused]
        if layout.kind == .wide { rest.append((bytes(relay.bytes) + " passed on", .plain)) }
        func columns() -> Int { ([head] + dotted([pairs] + rest)).reduce(0) { $0 + $1.text.columns } }
        // Half a figure is none.
        while columns() > rect.columns - 1, !rest.isEmpty { rest.removeLast() }
        line(rect.row, in: rect, left: [head] + dotted([pairs] + rest))
    }

    /// `4.2 kB/s`.
    private func rate(_ bytesPerSecond: UInt64) -> DisplayText { bytes(bytesPerSecond) + "/s" }

    // MARK: Pairs

    mutating func drawPairs(_ relay: RelayStatistics, _ area: Rect) {
        let isSmall = layout.kind == .small
        var columns = [
            Table.Column("PEER", width: 8), Table.Column("PEER", width: 8, stretches: true),
            Table.Column("RATE", width: 8, alignRight: true),
        ]
        if !isSmall { columns.append(Table.Column("TOTAL", width: 7, alignRight: true)) }
        columns.append(Table.Column("IDLE", width: 4, alignRight: true))
        columns.append(Table.Column("TLS", width: 4))
        let visible = relay.pairs.dropFirst(trafficTop(of: relay.pairs.count)).prefix(state.feedHeight)
        Table(columns, ascii: state.ascii).draw(
            visible.map { pair in
                var cells = [peer(pair.a), peer(pair.b), rate(pair.bytesPerSecond)]
                if !isSmall { cells.append(bytes(pair.bytes)) }
                return Table.Row(
                    cells + [brief(pair.idle), pair.tunnels], style: pair.bytesPerSecond == 0 ? .dim : .plain)
            }, titles: state.titlesTraffic, in: area, of: &frame)
        if visible.isEmpty, state.feedHeight > 0 {
            note(
                relay.channels == 0 ? "nothing is relayed now" : "asking the server", below: state.titlesTraffic,
                in: area)
        }
    }

    /// Who talks with whom is shown only to those who ask for it.
    private func peer(_ peer: PeerID) -> DisplayText {
        state.unmasked
            ? DisplayText(peer.shortDigits) : DisplayText(peer.shortDigits.prefix(4) + (state.ascii ? "~" : "…"))
    }
}

extension RelayPair {
    /// Which of the two come by TLS.
    fileprivate var tunnels: DisplayText {
        switch (isTunnelledA, isTunnelledB) {
        case (false, false): "-"
        case (true, true): "both"
        default: "one"
        }
    }
}
