// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc

/// The programs under test.
public enum Executables {
    /// A program that was not built.
    public struct NotBuilt: Error, CustomStringConvertible {
        public let description: String
    }

    /// The directory `PARLEY_BIN` names, else where the running tests lie.
    public static let directory: String = {
        if let named = ProcessInfo.processInfo.environment["PARLEY_BIN"], !named.isEmpty { return absolute(named) }
        return besideTheTests
    }()

    /// Where the running tests lie.
    private static let besideTheTests: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 }
    }()

    /// The chat.
    public static func parley() throws -> String { try named("parley", in: directory) }

    /// The index server.
    public static func parleyIndex() throws -> String { try named("parley-index", in: directory) }

    /// A program of the tests' own.
    public static func helper(_ name: String) throws -> String { try named(name, in: besideTheTests) }

    private static func named(_ name: String, in directory: String) throws -> String {
        let path = directory + "/" + name
        guard access(path, X_OK) == 0 else { throw NotBuilt(description: "no \(path): build it, or set PARLEY_BIN") }
        return path
    }

    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
