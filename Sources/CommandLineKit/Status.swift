// SPDX-License-Identifier: GPL-3.0-or-later

/// What a program's exit status says. 128 and a signal's number when one ended it.
public enum Status: Int32, Sendable {
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
public struct ProgramFailure: Error {
    public let status: Status
    public let message: String

    public init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message
    }
}
