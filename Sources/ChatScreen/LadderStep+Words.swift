// SPDX-License-Identifier: GPL-3.0-or-later
import Model

extension LadderStep.Rung {
    /// In twelve columns at most.
    var title: String {
        switch self {
        case .index: "index server"
        case .lan: "same network"
        case .mapping: "opened port"
        case .direct: "direct"
        case .punch: "hole punch"
        case .relay: "relay"
        case .own: "this machine"
        }
    }
}

extension LadderStep.State {
    /// In seven columns at most.
    var word: String {
        switch self {
        case .untried: "untried"
        case .trying: "trying"
        case .worked: "ok"
        case .failed: "failed"
        case .off: "off"
        }
    }

    var glyph: Glyph {
        switch self {
        case .untried: .unheard
        case .trying: .ellipsis
        case .worked: .delivered
        case .failed: .failed
        case .off: .dash
        }
    }
}
