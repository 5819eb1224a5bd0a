// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation

/// The files that the tests of this target read.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// Paths of the files with one extension in a folder and below it, in order.
    static func files(under folder: String, extension suffix: String) throws -> [String] {
        let place = root.appendingPathComponent(folder).resolvingSymlinksInPath().path
        return try FileManager.default.subpathsOfDirectory(atPath: place)
            .filter { $0.hasSuffix("." + suffix) }.sorted().map { folder + "/" + $0 }
    }
}
