// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// Why there is no identity to work with. Nothing on disk was changed.
public enum IdentityFileError: Error, Equatable, Sendable {
    /// Nothing there yet.
    case missing(path: String)
    /// There, but not the one line that it should be.
    case damaged(path: String)
    /// A directory, a link, a device or the like has its name.
    case notAFile(path: String)
    /// The home is no directory.
    case notADirectory(path: String)
    /// The system refuses to read it; `code` is its `errno`.
    case unreadable(path: String, code: Int32)
    /// The system refuses to keep a new one; `code` is its `errno`.
    case unwritable(home: String, code: Int32)
}

extension IdentityFileError: CustomStringConvertible {
    /// One sentence: what happened, why, what to do. The path is as given: clean it before it is shown.
    public var description: String {
        switch self {
        case .missing(let path):
            "There is no identity at \(path) yet; start the chat once to make one."
        case .damaged(let path):
            "The identity in \(path) is damaged; put a backup in its place, or move the file away to start under a new ID."
        case .notAFile(let path):
            "\(path) should hold your identity, but it is no regular file; move it away and start again."
        case .notADirectory(let path):
            "\(path) should be the directory of your identity, but it is none; move it away or name another with --home."
        case .unreadable(let path, let code):
            "\(path) cannot be read (\(reason(code))); give yourself the right to read it, or name another --home."
        case .unwritable(let home, let code):
            "A new identity cannot be kept in \(home) (\(reason(code))); mend that, or name another directory with --home."
        }
    }
}

/// The system's words for an `errno`.
private func reason(_ code: Int32) -> String {
    var text = [CChar](repeating: 0, count: 128)
    guard strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
