// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc

/// A directory of one's own that goes, with everything in it, when the last reference to it goes.
public final class TemporaryDirectory: Sendable {
    /// Absolute; short enough for a Unix socket inside.
    public let path: String

    public init() throws {
        var template = Array("/tmp/parley-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", errno) }
        path = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A path inside.
    public func file(_ name: String) -> String { path + "/" + name }
}
