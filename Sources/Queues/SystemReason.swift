// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// The system's words for an error number, as one clause for the middle of a sentence: its first letter is small.
public func systemReason(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    let text = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return text.prefix(1).lowercased() + text.dropFirst()
}
