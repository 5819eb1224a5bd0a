// SPDX-License-Identifier: GPL-3.0-or-later
import QRCode

/// The modules of a QR code with the quiet zone around them that ISO/IEC 18004 asks for.
struct QRMatrix: Equatable, Sendable {
    /// Light modules on each side.
    static let quietZone = 4

    /// Modules from edge to edge, quiet zone included.
    let size: Int
    private let dark: Set<Int>

    /// - Parameter isDark: tells a module's colour by column and row, without the quiet zone.
    init(modules: Int, isDark: (Int, Int) -> Bool) {
        let size = modules + 2 * Self.quietZone
        var dark: Set<Int> = []
        for row in 0..<modules {
            for column in 0..<modules where isDark(column, row) {
                dark.insert((row + Self.quietZone) * size + column + Self.quietZone)
            }
        }
        self.size = size
        self.dark = dark
    }

    /// The code of a text; `nil` when the text is too long for one.
    init?(_ text: String) {
        guard let code = QRCode(text) else { return nil }
        self.init(modules: code.size) { code[$0, $1] }
    }

    /// Whether a module is dark; everything outside is light.
    func isDark(_ column: Int, _ row: Int) -> Bool {
        (0..<size).contains(column) && (0..<size).contains(row) && dark.contains(row * size + column)
    }
}
