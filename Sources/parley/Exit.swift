// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Identity
import SafeText

/// What the program's exit status says.
enum Status: Int32 {
    case ok = 0
    case failure = 1
    /// The command line is wrong, or there is no terminal.
    case usage = 2
    case noSuchPeer = 3
    case indexUnreachable = 4
    /// Queued, but not delivered in time.
    case notDelivered = 5
    case refused = 6
    case badIdentity = 7
}

/// An end of the program with a sentence for the user.
struct ProgramFailure: Error {
    let status: Status
    let message: String

    init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message
    }
}

/// Writes everything; false when the reader is gone.
@discardableResult
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if errno != EINTR {
            return false
        }
    }
    return true
}

/// A line for people, sanitised like everything that may hold foreign text.
func complain(_ text: String) {
    writeAll(Array(("parley: " + DisplayText(text).string + "\n").utf8), to: STDERR_FILENO)
}
