// SPDX-License-Identifier: GPL-3.0-or-later
public import SafeText

/// A row of little bars, the newest at the right: a rate's last moments in one line of text.
public enum Sparkline {
    private static let blocks: [DisplayText] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private static let characters: [DisplayText] = ["_", ".", ":", "-", "=", "+", "*", "#"]

    /// The last `width` values, the greatest of them at full height; only nothing at all is at the bottom.
    /// - Parameter ascii: whether the terminal can't draw block elements.
    public static func text(_ values: [UInt32], width: Int, ascii: Bool = false) -> DisplayText {
        let glyphs = ascii ? characters : blocks
        let shown = values.suffix(max(0, width))
        let top = shown.max() ?? 0
        let bars = shown.reduce(DisplayText.empty) { text, value in
            text + (glyphs[clamped: level(value, of: top)])
        }
        return bars.fitted(to: max(0, width), alignRight: true, ascii: ascii)
    }

    /// 0 for nothing, 1 to 7 for the rest.
    private static func level(_ value: UInt32, of top: UInt32) -> Int {
        guard value > 0, top > 0 else { return 0 }
        return 1 + Int(UInt64(value) * 6 / UInt64(top))
    }
}

extension Array {
    /// The element at an index, or the nearest one; the array is not empty.
    fileprivate subscript(clamped index: Int) -> Element { self[Swift.min(Swift.max(0, index), count - 1)] }
}
