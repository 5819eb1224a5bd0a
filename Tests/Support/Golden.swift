// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation

/// Expected text in a file, `Tests/Goldens/<name>.txt`. `UPDATE_GOLDENS=1` writes the files anew.
public enum Golden {
    /// How a text differs from its file, line by line; `nil` when it doesn't.
    public static func mismatch(_ got: [String], _ name: String) throws -> String? {
        let file = directory.appendingPathComponent(name + ".txt")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] == "1" {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            try (got.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
            return nil
        }
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            return "no golden \(file.path): run once with UPDATE_GOLDENS=1, and read what it wrote"
        }
        return difference(expected: Array(text.components(separatedBy: "\n").dropLast()), got: got)
    }

    /// Both texts and the lines that differ; `nil` when none does.
    public static func difference(expected: [String], got: [String]) -> String? {
        guard expected != got else { return nil }
        let changes = (0..<max(expected.count, got.count)).compactMap { row -> String? in
            let (before, now) = (row < expected.count ? expected[row] : nil, row < got.count ? got[row] : nil)
            guard before != now else { return nil }
            return "\(row + 1) -\(before ?? "(no line)")\n\(row + 1) +\(now ?? "(no line)")"
        }
        return "Expected:\n\(numbered(expected))\nGot:\n\(numbered(got))\nDiff:\n\(changes.joined(separator: "\n"))"
    }

    private static func numbered(_ lines: [String]) -> String {
        lines.enumerated().map { "\($0 + 1)  \($1)" }.joined(separator: "\n")
    }

    private static let directory = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Goldens")
}
