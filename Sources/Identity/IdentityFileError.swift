// SPDX-License-Identifier: GPL-3.0-or-later
internal import Queues

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
    /// Protected, and no passphrase was given.
    case passphraseNeeded(path: String)
    /// Protected by another passphrase; or changed since it was written, which looks the same.
    case wrongPassphrase(path: String)
    /// No passphrase protects anything if it is empty.
    case emptyPassphrase
    /// The system has not the memory that a passphrase takes, 128 MiB.
    case noMemory
}

extension IdentityFileError: CustomStringConvertible {
    /// One sentence: what happened, why, what to do. The path is as given: clean it before it is shown.
    public var description: String {
        switch self {
        case .missing(let path):
            "There is no identity at \(path) yet; start the chat once to make one."
        case .damaged(let path):
            "The identity in \(path) is damaged; put a backup in its place, or move it away to start under a new ID."
        case .notAFile(let path):
            "\(path) should hold your identity, but it is no regular file; move it away and start again."
        case .notADirectory(let path):
            "\(path) should be the directory of your identity, but is none; move it away or name another by --home."
        case .unreadable(let path, let code):
            "\(path) cannot be read (\(systemReason(code))); give yourself the right to read it, or name another --home."
        case .unwritable(let home, let code):
            "A new identity cannot be kept in \(home) (\(systemReason(code))); mend that, or name another --home."
        case .passphraseNeeded(let path):
            "The identity in \(path) is protected; give its passphrase to open it."
        case .wrongPassphrase(let path):
            "That passphrase does not open the identity in \(path); try again, or put a backup in its place."
        case .emptyPassphrase:
            "An empty passphrase protects nothing; choose a longer one."
        case .noMemory:
            "There is not enough memory to check a passphrase, which takes 128 MiB; close other programs and try again."
        }
    }
}
