// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

/// `/why`: the ways to a peer, and what came of each.
extension ChatState {
    /// Whose ladder is before the user's eyes.
    var watched: PeerID? { if case .why(let peer, _)? = overlay { peer } else { nil } }

    mutating func openWhy() {
        guard let current else {
            flash = Flash(text: "no conversation open", isError: true)
            return
        }
        overlay = .why(current, top: 0)
    }

    /// A ladder that nobody looks at any more is old.
    mutating func take(_ lines: [LadderStep], of peer: PeerID) {
        if peer == watched { ladder = lines }
    }

    /// Has the engine watch whom the user watches.
    mutating func explain() -> [ChatEffect] {
        guard watched != toldWatched else { return [] }
        toldWatched = watched
        ladder = []
        return [.explain(watched)]
    }

    func whyLines(_ peer: PeerID) -> [StyledText] {
        guard let conversation = index(of: peer).map({ conversations[$0] }) else { return [] }
        let why = Explanation(
            path: conversation.path, roundTrip: conversation.roundTrip, reason: conversation.pathReason,
            ladder: peer == toldWatched ? ladder : [], reach: reach, servers: indexes)
        let gap = size.rows < 16 ? [] : [StyledText()]
        var lines = entry("now", why.present) + gap
        lines += why.steps.isEmpty ? entry("", "what was tried comes in a moment") : why.steps.flatMap { row($0) }
        lines += gap + [StyledText("This machine", .underline)] + why.own.flatMap { entry($0.word, $0.clause) }
        return lines + gap + entry("what would help", why.advice)
    }

    /// Sign, way, word and reason: side by side, or on a narrow screen the reason below.
    private func row(_ line: LadderStep) -> [StyledText] {
        let style = style(line.state)
        let sign = glyphs(line.state.glyph) + " "
        let column = 24
        let room = min(96, size.columns - 4)
        let reason = DisplayText(line.text.replacingBreaks)
        guard room >= 64 else {
            let head = StyledText(DisplayText("\(sign)\(line.rung.title): \(line.state.word)"), style)
            return [head] + (reason.isEmpty ? [] : reason.wrapped(to: room - 2).map { StyledText("  " + $0, .dim) })
        }
        let head = DisplayText(sign) + DisplayText(line.rung.title).fitted(to: 14) + DisplayText(line.state.word)
        let parts = reason.isEmpty ? [.empty] : reason.wrapped(to: room - column)
        return parts.enumerated().map { number, part in
            var row = StyledText((number == 0 ? head : .empty).fitted(to: column), style)
            row.append(part)
            return row
        }
    }

    private func style(_ state: LadderStep.State) -> Style {
        switch state {
        case .worked: Style(.green)
        case .trying: Style(.yellow)
        case .failed: Style(.red)
        case .untried, .off: .dim
        }
    }

    // MARK: Trouble of our own

    /// What is wrong with this machine's network, in a few words, as long as it matters: an index server answers, and
    /// still not everybody can be reached.
    var trouble: (words: String, short: String)? {
        guard let reach else { return nil }
        if reach.isUDPBlocked { return ("UDP blocked: through TLS", "TLS") }
        let isRegistered = indexes.contains { if case .ok = $0.status { true } else { false } }
        return isRegistered && reach.isStranded ? ("strict router, no relay", "no relay") : nil
    }
}
