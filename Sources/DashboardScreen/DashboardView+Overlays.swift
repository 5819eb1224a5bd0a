// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import SafeText
import TerminalKit

extension Canvas {
    // MARK: Footer

    mutating func drawFooter() {
        guard let rect = layout.footer else { return }
        if let notice = state.notice {
            return line(rect.row, in: rect, left: [(DisplayText(notice.text), .bold)])
        }
        var left: [Piece] = []
        for (key, name) in fittingKeys(rect.columns - 1) {
            left += [(key, .bold), (" " + name, .plain), (separator, .dim)]
        }
        line(rect.row, in: rect, left: left.dropLast())
    }

    /// Where there are too many keys, those in the middle go: the way to help and the way out stay.
    private func fittingKeys(_ room: Int) -> [(DisplayText, DisplayText)] {
        var keys = keys
        func width() -> Int {
            keys.reduce(-separator.columns) { $0 + $1.0.columns + 1 + $1.1.columns + separator.columns }
        }
        while keys.count > 2, width() > room { keys.remove(at: keys.count - 2) }
        return keys
    }

    private var separator: DisplayText { layout.kind == .wide ? glyphs.dot : layout.kind == .medium ? "  " : " " }

    /// The keys that do something here, the most wanted first.
    private var keys: [(DisplayText, DisplayText)] {
        switch state.overlay {
        case .confirmQuit: return [("y", "stop"), ("Esc", "go on")]
        case .help, .notices: return (boxOverflow > 0 ? [("j k", "scroll")] : []) + [("Esc", "close")]
        case .history: return [("Esc", "close")]
        case .sortMenu: return [("Enter", "sort"), ("Esc", "close")]
        case .details:
            return (boxOverflow > 0 ? [("j k", "scroll")] : [])
                + [("y", "copy UUID"), ("x", state.unmasked ? "mask" : "unmask"), ("Esc", "close")]
        case nil: break
        }
        if state.isFiltering { return [("Enter", "keep"), ("Esc", "clear"), ("!", "inverts")] }
        if layout.kind == .small {
            return [("q", "quit"), ("?", "help"), ("p", "pause"), ("/", "filter"), ("Tab", "view")]
        }
        var keys: [(DisplayText, DisplayText)] = [("?", "help"), ("Tab", "panel"), ("v", "view")]
        if state.focus == .registrations { keys += [("/", "filter"), ("s", "sort")] }
        if state.sortsSources { keys.append(("s", "sort")) }
        keys.append(("p", state.pause == nil ? "pause" : "resume"))
        let isSelected =
            state.focus == .queries ? state.traffic == .feed && state.feedSelection != nil : state.selection != nil
        if isSelected { keys += [("Enter", "details"), ("y", "copy")] }
        keys.append(("h", "history"))
        if layout.kind == .wide { keys += [("x", state.unmasked ? "mask" : "unmask"), ("1-4", "show/hide")] }
        return keys + [("w", "save"), ("q", state.role == .server ? "quit" : "detach")]
    }
}
