// SPDX-License-Identifier: GPL-3.0-or-later
internal import Queues

/// Why a loop could not be made.
public struct ReactorError: Error, Equatable, CustomStringConvertible {
    /// The system's error number.
    public let code: Int32

    /// One sentence for the user.
    public var description: String {
        "The system gave no descriptor for an event loop: \(systemReason(code))."
    }
}
