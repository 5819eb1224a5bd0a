// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix

/// Columns of text on a terminal: libc's `wcwidth` per scalar, as ncurses itself counts, over sanitised text.
///
/// Terminals, ncurses and libc disagree about raw text (joined emoji, variation selectors); over what `DisplayText`
/// lets through they agree.
public enum TextWidth {
    // wcwidth answers -1 for everything beyond ASCII until LC_CTYPE is UTF-8.
    private static let localeReady: Bool = cp_set_utf8_locale() == 1

    /// Columns of one scalar: 0, 1 or 2; `nil` when a terminal could not draw it.
    public static func columns(of scalar: Unicode.Scalar) -> Int? {
        if (0x20...0x7E).contains(scalar.value) { return 1 }
        guard localeReady else { return nil }
        let columns = Int(cp_wcwidth(scalar.value))
        return columns >= 0 ? columns : nil
    }

    /// Columns of one grapheme cluster: the sum over its scalars, so an Indic conjunct may take three and more.
    public static func columns(of cluster: Character) -> Int {
        let bytes = cluster.utf8
        // Two bytes may still be ASCII: CR LF is one cluster.
        if bytes.count == 1, let byte = bytes.first { return (0x20...0x7E).contains(byte) ? 1 : 0 }
        return cluster.unicodeScalars.reduce(0) { $0 + (columns(of: $1) ?? 0) }
    }
}
