// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

/// What people read ends at the same column everywhere.
@Suite struct LineLengthTests {
    private static let limit = 120

    /// Numbers of the lines, from 1, that are longer than the limit, among those that count.
    /// - Parameter counts: asked for each line in turn.
    private static func longLines(of text: String, where counts: (Substring) -> Bool) -> [Int] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .filter { counts($0.element) && $0.element.count > limit }.map { $0.offset + 1 }
    }

    /// The same of Markdown's prose: tables, code and links that stand alone may be as wide as they are.
    private static func longProse(_ text: String) -> [Int] {
        var isCode = false
        return longLines(of: text) { line in
            let words = line.drop(while: \.isWhitespace)
            if words.hasPrefix("```") { isCode.toggle() }
            return !isCode && !words.hasPrefix("|") && words.wholeMatch(of: /!?\[[^\]]*\]\([^)]*\)\.?/) == nil
        }
    }

    @Test func `prose ends at column 120`() throws {
        let documents = try ["README.md"] + Repository.files(under: "docs", extension: "md")
        #expect(documents.count > 5)
        for path in documents { #expect(try Self.longProse(Repository.text(path)) == [], "\(path)") }
    }

    /// `swift format` holds code to its line, and lets comments run on.
    @Test(arguments: ["swift", "c", "h"]) func `comments end at column 120`(suffix: String) throws {
        let files = try ["Sources", "Tests"].flatMap { try Repository.files(under: $0, extension: suffix) }
        #expect(!files.isEmpty)
        for path in files {
            let lines = Self.longLines(of: try Repository.text(path)) { $0.drop(while: \.isWhitespace).hasPrefix("//") }
            #expect(lines == [], "\(path)")
        }
    }

    @Test func `what is no prose is let through, and nothing else`() {
        let long = String(repeating: "word ", count: 30)
        let link = "[\(long)](docs/A.md)"
        #expect(
            Self.longProse("\(long)\n```\n\(long)\n```\n  | \(long) |\n\(link)\n- \(long)\nsee \(link)") == [1, 7, 8])
    }
}
