// SPDX-License-Identifier: GPL-3.0-or-later
import SafeText

/// Every sign that is not ASCII, and its twin for terminals that have no other.
struct Glyphs {
    let ascii: Bool

    var dot: DisplayText { ascii ? " - " : " · " }
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

    /// What is left of a lease: three signs, full to empty.
    func gauge(_ thousandths: Int) -> DisplayText {
        let filled = min(6, max(0, (thousandths * 6 + 999) / 1000))
        let half: DisplayText = ascii ? "-" : "▌"
        let full: DisplayText = ascii ? "=" : "█"
        return (full.repeated(filled / 2) + (filled % 2 == 1 ? half : .empty)).fitted(to: 3, ascii: ascii)
    }
}
