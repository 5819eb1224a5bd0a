// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText

/// Every sign that the screen draws, each with its ASCII twin.
enum Glyph: CaseIterable {
    case queued, sent, delivered, read, failed, ellipsis
    case heard, unheard, away, request, problem
    case horizontal, vertical, topLeft, topRight, bottomLeft, bottomRight
    case prompt, newer, dot, dash, up, down

    fileprivate var twins: (String, String) {
        switch self {
        case .queued, .ellipsis: ("…", "~")
        case .sent: ("›", ">")
        case .delivered: ("✓", "+")
        case .read: ("✓✓", "++")
        case .failed: ("✗", "x")
        case .heard: ("●", "*")
        case .unheard: ("○", "o")
        case .away: ("◐", "-")
        case .request: ("?", "?")
        case .problem: ("!", "!")
        case .horizontal: ("─", "-")
        case .vertical: ("│", "|")
        case .topLeft: ("┌", "+")
        case .topRight: ("┐", "+")
        case .bottomLeft: ("└", "+")
        case .bottomRight: ("┘", "+")
        case .prompt: ("›", ">")
        case .newer: ("▼", "v")
        case .dot: ("·", "-")
        case .dash: ("–", "-")
        case .up: ("↑", "Up")
        case .down: ("↓", "Down")
        }
    }
}

/// The one table of glyphs, read for a terminal that shows them or for one that does not.
struct Glyphs: Sendable {
    let ascii: Bool

    func callAsFunction(_ glyph: Glyph) -> String { ascii ? glyph.twins.1 : glyph.twins.0 }

    func state(_ state: DeliveryState) -> String {
        switch state {
        case .queued: self(.queued)
        case .sent: self(.sent)
        case .delivered: self(.delivered)
        case .read: self(.read)
        case .failed: self(.failed)
        }
    }

    /// Parts of a line, joined by a dot.
    func joined(_ parts: [String]) -> String { parts.joined(separator: " \(self(.dot)) ") }

    /// Our own words with the signs of this table in them.
    func spelled(_ text: String) -> String {
        guard ascii else { return text }
        return text.reduce(into: "") { $0 += Self.asciiTwins[$1] ?? String($1) }
    }

    private static let asciiTwins: [Character: String] = Dictionary(
        Glyph.allCases.compactMap { glyph in glyph.twins.0.first.map { ($0, glyph.twins.1) } },
        uniquingKeysWith: { first, _ in first })
}
