// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText

/// Every sign that is not ASCII, and its twin for terminals that have no other.
struct Glyphs {
    let ascii: Bool

    var dot: DisplayText { ascii ? " - " : " · " }
    /// Left of a chart.
    var axis: DisplayText { ascii ? "|" : "┤" }
    var rule: Character { ascii ? "-" : "─" }
    var bar: Character { ascii ? "|" : "│" }
    var up: DisplayText { ascii ? "^" : "↑" }
    var down: DisplayText { ascii ? "v" : "↓" }
    var mark: DisplayText { ascii ? ">" : "›" }
    var block: DisplayText { ascii ? "_" : "█" }
    var micro: DisplayText { ascii ? "us" : "µs" }

    func number(_ panel: DashboardPanel) -> DisplayText {
        switch panel {
        case .rates: ascii ? "1 " : "¹"
        case .health: ascii ? "2 " : "²"
        case .registrations: ascii ? "3 " : "³"
        case .queries: ascii ? "4 " : "⁴"
        }
    }

    /// A bar as long as its share of `width`; anything above nothing shows.
    func gauge(_ share: Double, width: Int = 3) -> DisplayText {
        let width = max(0, width)
        let halves = min(2 * width, Int((max(0, min(1, share)) * Double(2 * width)).rounded(.up)))
        let half: DisplayText = ascii ? "-" : "▌"
        let full: DisplayText = ascii ? "=" : "█"
        return (full.repeated(halves / 2) + (halves % 2 == 1 ? half : .empty)).fitted(to: width, ascii: ascii)
    }
}
