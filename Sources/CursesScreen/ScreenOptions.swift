// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// How a terminal is to be used.
public struct ScreenOptions: Equatable, Sendable {
    /// No colour at all; attributes stay. NO_COLOR and `--color never`.
    public var noColor = false
    /// For a terminal that can draw nothing but ASCII: any other cluster becomes `?`, one a column.
    public var ascii = false
    /// The terminal's type; `nil` for the environment's TERM.
    public var terminalType: String?
    /// Where keys come from.
    public var input = STDIN_FILENO
    /// Where the screen is.
    public var output = STDOUT_FILENO

    public init(noColor: Bool = false, ascii: Bool = false) {
        self.noColor = noColor
        self.ascii = ascii
    }
}
