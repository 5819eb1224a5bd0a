// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// Why there is no screen.
public enum ScreenError: Error, Equatable, CustomStringConvertible {
    /// Standard input or output is something else.
    case notATerminal
    /// It can't move its cursor, as TERM=dumb.
    case tooSimple(String)
    /// Neither it nor xterm-256color is in the terminfo database.
    case unknownType(String)
    /// The system refused something, by error number.
    case system(Int32)

    /// One sentence for the user.
    public var description: String {
        switch self {
        case .notATerminal: "Standard input and output are not a terminal."
        case .tooSimple(let type): "The terminal type \"\(type)\" can't show a full screen."
        case .unknownType(let type):
            "The terminal type \"\(type)\" is not known here; install ncurses-term or set TERM=xterm."
        case .system(let code): "The terminal could not be opened: \(String(cString: strerror(code)))."
        }
    }
}
