// SPDX-License-Identifier: GPL-3.0-or-later
import CNcurses
import TerminalKit

/// Styles as curses wants them: attributes and the number of a colour pair.
@ScreenActor struct Palette {
    private let hasColor: Bool
    /// By foreground and background, as they are met.
    private var pairs: [Int32?] = Array(repeating: nil, count: 81)

    /// - Parameter wantsColor: whether to use colours if the current terminal has any.
    init(wantsColor: Bool) {
        hasColor = wantsColor && has_colors() && start_color() == OK && use_default_colors() == OK
    }

    mutating func resolve(_ style: Style) -> (attributes: attr_t, pair: Int32) {
        var attributes: attr_t = 0
        if style.attributes.contains(.bold) { attributes |= CN_BOLD }
        if style.attributes.contains(.dim) { attributes |= CN_DIM }
        if style.attributes.contains(.underline) { attributes |= CN_UNDERLINE }
        if style.attributes.contains(.reverse) { attributes |= CN_REVERSE }
        return (attributes, pair(style.foreground, style.background))
    }

    private mutating func pair(_ foreground: Color, _ background: Color) -> Int32 {
        guard hasColor, (foreground, background) != (.standard, .standard) else { return 0 }
        let index = Int(foreground.rawValue) * 9 + Int(background.rawValue)
        if let known = pairs[index] { return known }
        let made = max(0, alloc_pair(Int32(foreground.rawValue) - 1, Int32(background.rawValue) - 1))
        pairs[index] = made
        return made
    }
}
