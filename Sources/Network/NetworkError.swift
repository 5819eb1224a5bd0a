// SPDX-License-Identifier: GPL-3.0-or-later

/// Why a socket could not be had, as one sentence that says what to do.
public struct NetworkError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    /// The system's error number, 0 when there is none.
    public let code: Int32

    /// A sentence, and the error number behind it.
    public init(_ description: String, code: Int32 = 0) {
        self.description = description
        self.code = code
    }
}
