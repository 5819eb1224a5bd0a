// SPDX-License-Identifier: GPL-3.0-or-later
import Support
import Testing

@testable import SafeText

/// Every scalar of which something holds.
private func scalars(where condition: (Unicode.Scalar) -> Bool) -> [Unicode.Scalar] {
    (UInt32(0)...0x10FFFF).compactMap(Unicode.Scalar.init).filter(condition)
}

private func visible(_ scalar: Unicode.Scalar) -> String { DisplayText("a\(scalar)b").string }
private func stripped(_ scalar: Unicode.Scalar) -> String { DisplayText("a\(scalar)b", style: .stripped).string }

/// What holds of every `DisplayText`, wherever it came from.
private func expectSound(_ text: DisplayText, _ comment: Comment? = nil, location: SourceLocation = #_sourceLocation) {
    let widths = text.string.unicodeScalars.map { TextWidth.columns(of: $0) }
    #expect(!widths.contains(nil), comment, sourceLocation: location)
    #expect(widths.reduce(0) { $0 + ($1 ?? 0) } == text.columns, comment, sourceLocation: location)
    #expect(text.clusters.allSatisfy { (1...2).contains($0.columns) }, comment, sourceLocation: location)
    #expect(text.clusters.reduce(0) { $0 + $1.columns } == text.columns, comment, sourceLocation: location)
    #expect(text.clusters.map { String($0.character) }.joined() == text.string, comment, sourceLocation: location)
    #expect(DisplayText(text.string) == text, "sanitising again changes nothing", sourceLocation: location)
}

@Suite struct `Every scalar of a class` {
    @Test func `C0 and DEL are named or left out`() {
        for scalar in scalars(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            #expect(visible(scalar).hasPrefix("a‹") && visible(scalar).hasSuffix("›b"))
            #expect(stripped(scalar) == "ab")
        }
        #expect(DisplayText("\u{1B}[31m").string == "‹ESC›[31m")
        #expect(DisplayText("a\r\nb").string == "a‹CR›‹LF›b")
        #expect(DisplayText("a\r\nb").columns == 10)
        #expect(DisplayText("\t\u{0}\u{7F}").string == "‹TAB›‹NUL›‹DEL›")
    }

    @Test func `C1 are named or left out`() {
        for value in UInt32(0x80)...0x9F {
            guard let scalar = Unicode.Scalar(value) else { continue }
            #expect(visible(scalar) == "a‹C1›b")
            #expect(stripped(scalar) == "ab")
        }
    }

    @Test(arguments: [
        (0x061C, "ALM"), (0x200E, "LRM"), (0x200F, "RLM"), (0x202A, "LRE"), (0x202B, "RLE"), (0x202C, "PDF"),
        (0x202D, "LRO"), (0x202E, "RLO"), (0x2066, "LRI"), (0x2067, "RLI"), (0x2068, "FSI"), (0x2069, "PDI"),
        (0x2028, "LS"), (0x2029, "PS"),
    ])
    func `what turns or breaks lines is named or left out`(_ value: UInt32, _ name: String) throws {
        let scalar = try #require(Unicode.Scalar(value))
        #expect(visible(scalar) == "a‹\(name)›b")
        #expect(stripped(scalar) == "ab")
    }

    @Test func `no format character comes through, and most vanish`() {
        let formats = scalars { $0.properties.generalCategory == .format }
        #expect(formats.count > 150)
        for scalar in formats {
            #expect(!visible(scalar).unicodeScalars.contains(scalar))
            #expect(stripped(scalar) == "ab")
        }
        // ZWSP, ZWNJ, ZWJ, WJ, BOM, soft hyphen, tags.
        for scalar in ["\u{200B}", "\u{200C}", "\u{200D}", "\u{2060}", "\u{FEFF}", "\u{AD}", "\u{E0041}", "\u{E0001}"] {
            #expect(DisplayText("a\(scalar)b").string == "ab")
        }
    }

    @Test func `nothing without a shape comes through`() {
        for scalar in scalars(where: { $0.properties.isDefaultIgnorableCodePoint }) {
            #expect(!visible(scalar).unicodeScalars.contains(scalar), "U+\(String(scalar.value, radix: 16))")
        }
        #expect(DisplayText("❤\u{FE0F}").string == "❤")
        #expect(DisplayText("a\u{34F}b\u{180B}c\u{E0100}").string == "abc")
        #expect(DisplayText("a\u{3164}b").string == "a\u{FFFD}b")
    }

    @Test func `unassigned, private and non-characters become replacements`() {
        let bad: [Unicode.GeneralCategory] = [.unassigned, .privateUse, .surrogate]
        for scalar in scalars(where: { bad.contains($0.properties.generalCategory) }) where scalar.value % 7 == 0 {
            #expect(visible(scalar) == "a\u{FFFD}b")
        }
        for value: UInt32 in [0xFFFE, 0xFFFF, 0x10FFFF, 0xFDD0, 0xE000, 0xF0000, 0x378] {
            if let scalar = Unicode.Scalar(value) { #expect(visible(scalar) == "a\u{FFFD}b") }
        }
    }

    @Test func `marks need a base and are at most four`() {
        let marks = scalars {
            [.nonspacingMark, .enclosingMark].contains($0.properties.generalCategory) && TextWidth.columns(of: $0) == 0
                && !$0.properties.isDefaultIgnorableCodePoint
        }
        #expect(marks.count > 1000)
        for mark in marks {
            #expect(DisplayText("\(mark)").isEmpty)
            #expect(visible(mark) == "a\(mark)b")
            #expect(DisplayText("a" + String(repeating: "\(mark)", count: 9)).string.unicodeScalars.count == 5)
        }
        #expect(DisplayText("\u{1B}\u{301}x").string == "‹ESC›x")
        #expect(DisplayText("\u{E000}\u{301}x").string == "\u{FFFD}x")
    }

    @Test func `skin tones vanish`() {
        for value in UInt32(0x1F3FB)...0x1F3FF {
            if let scalar = Unicode.Scalar(value) { #expect(visible(scalar) == "ab") }
        }
        #expect(DisplayText("👍🏽").string == "👍")
    }

    @Test func `every scalar alone and between letters is sound`() {
        for scalar in scalars(where: { $0.value < 0x3400 || 0xA000...0xABFF ~= $0.value || $0.value >= 0xD7A0 })
        where scalar.value < 0x20000 || scalar.value % 97 == 0 {
            let text = DisplayText("\(scalar)a\(scalar)")
            let sum = text.string.unicodeScalars.reduce(0) { $0 + (TextWidth.columns(of: $1) ?? 99) }
            if sum != text.columns || DisplayText(text.string) != text
                || !text.clusters.allSatisfy({ (1...2).contains($0.columns) })
            {
                Issue.record("U+\(String(scalar.value, radix: 16))")
            }
        }
    }
}

@Suite struct `Clusters and columns` {
    @Test(arguments: [
        ("plain", 5), ("日本語", 6), ("か\u{3099}", 2), ("e\u{301}", 1), ("🇫🇷", 2), ("👍", 2), ("👨‍👩‍👧‍👦", 8), ("🏳️‍🌈", 3),
        ("1️⃣", 1), ("각", 2), ("\u{1100}\u{1161}\u{11A8}", 2), ("a\u{1161}", 2), ("\u{AC01}\u{1161}", 3),
        ("क्षि", 3), ("क्ष्म", 3), ("\u{D4E}日", 3), ("ﬁ", 1), ("\u{3000}", 2), ("", 0),
    ])
    func `columns of one text`(_ raw: String, _ columns: Int) {
        let text = DisplayText(raw)
        #expect(text.columns == columns)
        expectSound(text)
    }

    @Test func `a cluster wider than two columns falls into its bases`() {
        #expect(DisplayText("क्षि!").clusters.map { String($0.character) } == ["क्", "ष", "ि", "!"])
        #expect(DisplayText("🇫🇷!").clusters.map(\.columns) == [2, 1])
    }

    @Test func `a join counts right even where clusters merge`() {
        let parts = ["🇫", "🇷", "क्", "ष", "\u{1100}", "\u{AC00}", "\u{D4E}", "日", "ि", "a\u{301}", "\u{1B}"].map {
            DisplayText($0)
        }
        for left in parts {
            for right in parts { expectSound(left + right, "\(left.string) + \(right.string)") }
        }
    }

    @Test func `sixty thousand marks cost four`() {
        let text = DisplayText("a" + String(repeating: "\u{301}", count: 60_000) + "b")
        #expect(text.string.unicodeScalars.count == 6)
        #expect(text.columns == 2)
    }

    @Test func `sixty thousand spacing marks stay sixty thousand cells`() {
        let text = DisplayText("க" + String(repeating: "\u{BBE}", count: 60_000))
        #expect(text.columns == 60_001)
        #expect(text.wrapped(to: 80).allSatisfy { $0.columns <= 80 })
    }
}

@Suite struct Cutting {
    @Test(arguments: [
        ("hello", 5, "hello"), ("hello", 4, "hel…"), ("hello", 1, "…"), ("hello", 0, ""), ("hello", -3, ""),
        ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("🇫🇷🇩🇪", 3, "🇫🇷…"), ("क्षिa", 3, "क्ष…"),
    ])
    func `a cut text ends in an ellipsis and never exceeds its limit`(_ raw: String, _ limit: Int, _ expected: String) {
        let cut = DisplayText(raw).truncated(to: limit)
        #expect(cut.string == expected)
        expectSound(cut)
    }

    @Test func `ASCII asks for a tilde`() {
        #expect(DisplayText("hello").truncated(to: 3, ascii: true).string == "he~")
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 9])
    func `fitted is exact`(_ width: Int) {
        for raw in ["", "a", "日本語", "🇫🇷x", "hello there"] {
            for alignRight in [false, true] {
                let text = DisplayText(raw).fitted(to: width, alignRight: alignRight)
                #expect(text.columns == width)
                expectSound(text)
            }
        }
        #expect(DisplayText("ab").fitted(to: 4, alignRight: true).string == "  ab")
        #expect(DisplayText("日本").fitted(to: 4).string == "日本")
        #expect(DisplayText("日本").fitted(to: 3).string == "日…")
    }

    @Test(arguments: [
        ("hello world", 5, ["hello", "world"]), ("hello  world", 7, ["hello", "world"]), ("  a b", 3, ["  a", "b"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]), ("see abcdefgh", 5, ["see", "abcde", "fgh"]),
        ("日本語", 5, ["日本", "語"]), ("hi 日本語", 6, ["hi 日", "本語"]), ("a日", 2, ["a", "日"]), ("日", 0, ["日"]),
        ("      ", 3, [""]), ("", 3, [""]), ("fits", 4, ["fits"]),
    ])
    func `wrapping breaks at spaces, beside wide characters, or in a word too long`(
        _ raw: String, _ width: Int, _ expected: [String]
    ) {
        #expect(DisplayText(raw).wrapped(to: width).map(\.string) == expected)
    }

    @Test func `repeated text`() {
        #expect(DisplayText("─").repeated(3).columns == 3)
        #expect(DisplayText("─").repeated(-1).isEmpty)
        expectSound(DisplayText("🇫").repeated(5))
    }
}

private func withoutSpaces(_ text: String) -> [Unicode.Scalar] { text.unicodeScalars.filter { $0 != " " } }

@Suite struct `Hostile text` {
    @Test func `a hundred thousand random texts are sound, cut and wrapped right`() {
        var random = SplitMix64(seed: 42)
        let interesting = Array(
            """
            a b日か\u{3099}\u{301}\u{20E3}\u{200D}\u{FE0F}👍🏽🇫🇷👩\u{1100}\u{1161}\u{11A8}\
            각क्षिா\u{D4E}\u{600}\u{202E}\u{1B}\r\n\u{85}…\u{3164}
            """.unicodeScalars)
        for _ in 0..<100_000 {
            var raw = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                let isWild = UInt8.random(in: 0..<4, using: &random) == 0
                let wild = Unicode.Scalar(UInt32.random(in: 0...0x1FFFF, using: &random))
                if let scalar = isWild ? wild : interesting.randomElement(using: &random) { raw.append(scalar) }
            }
            let text = DisplayText(String(raw))
            let sum = text.string.unicodeScalars.reduce(0) { $0 + (TextWidth.columns(of: $1) ?? 99) }
            let limit = Int.random(in: 0..<12, using: &random)
            let cut = text.truncated(to: limit)
            let lines = text.wrapped(to: limit)
            let isRight =
                sum == text.columns && DisplayText(text.string) == text
                && text.clusters.allSatisfy { (1...2).contains($0.columns) }
                && text.clusters.reduce(0) { $0 + $1.columns } == text.columns
                && cut.columns <= limit && DisplayText(cut.string) == cut
                && text.fitted(to: limit).columns == limit
                && lines.allSatisfy { $0.columns <= max(2, limit) && DisplayText($0.string) == $0 }
                && withoutSpaces(lines.map(\.string).joined()) == withoutSpaces(text.string)
            if !isRight { Issue.record("\(raw.map { String($0.value, radix: 16) })") }
        }
    }
}
