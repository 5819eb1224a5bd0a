// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

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

/// The system's words for an error number, as one clause.
public func systemReason(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    let text = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: text, as: UTF8.self).lowercasedFirst
}

extension String {
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
