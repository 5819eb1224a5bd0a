// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import SafeText

/// Writes everything; false when the reader is gone.
@discardableResult
public func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
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

/// A line for people on standard error, sanitised like everything that may hold foreign text.
public func complain(_ text: String) {
    writeAll(Array((programName + ": " + DisplayText(text).string + "\n").utf8), to: STDERR_FILENO)
}

/// What the program was called by, without its directory.
private let programName = CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "parley"
