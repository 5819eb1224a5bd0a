// SPDX-License-Identifier: GPL-3.0-or-later
import TerminalKit
import Testing

@testable import CursesScreen

private func decode(_ bytes: [UInt8], guessesPastes: Bool = false) -> [TerminalEvent] {
    var decoder = KeyDecoder()
    decoder.guessesPastes = guessesPastes
    for byte in bytes { decoder.feed(.byte(byte), at: 0) }
    return decoder.quiet()
}

private func decode(_ text: String) -> [TerminalEvent] { decode(Array(text.utf8)) }

private func keys(_ keys: Key...) -> [TerminalEvent] { keys.map { .key($0) } }

@Suite struct `Key decoder` {
    @Test(arguments: [
        ("a", keys(.char("a"))),
        ("é日👍", keys(.char("é"), .char("日"), .char("👍"))),
        ("\r", keys(Key(.enter))),
        ("\n", keys(.control("j"))),
        ("\t", keys(Key(.tab))),
        ("\u{7F}", keys(Key(.backspace))),
        ("\u{8}", keys(Key(.backspace))),
        ("\u{0}", keys(.control(" "))),
        ("\u{3}", keys(.control("c"))),
        ("\u{1C}", keys(.control("\\"))),
        ("\u{1F}", keys(.control("_"))),
        ("\u{1B}", keys(Key(.escape))),
        ("\u{1B}\u{1B}", keys(Key(.escape), Key(.escape))),
        ("\u{1B}a", keys(.alt("a"))),
        ("\u{1B}é", keys(.alt("é"))),
        ("\u{1B}\r", keys(Key(.enter, .alt))),
        ("\u{1B}\u{7F}", keys(Key(.backspace, .alt))),
        ("\u{1B}\u{1}", keys(Key(.character("a"), [.alt, .control]))),
        ("\u{1B}[", keys(.alt("["))),
        ("\u{1B}O", keys(.alt("O"))),
        ("\u{1B}P", keys(.alt("P"))),
        ("\u{1B}]", keys(.alt("]"))),
    ])
    func `a key is decoded`(_ text: String, _ expected: [TerminalEvent]) { #expect(decode(text) == expected) }

    @Test(arguments: [
        "\u{1B}[55M", "\u{1B}[<35;10;20m", "\u{1B}[?62;22c", "\u{1B}[M !!", "\u{1B}[[E", "\u{1B}Oz", "\u{1B}[27;5;13~",
        "\u{1B}]11;rgb:0000/0000/0000\u{7}", "\u{1B}]52;c;YWJj\u{1B}\\", "\u{1B}P>|XTerm(379)\u{1B}\\", "\u{1B}[1;31",
        "\u{1B}_Gi=31;OK\u{1B}\\",
    ])
    func `an unknown sequence is swallowed whole`(_ sequence: String) {
        #expect(decode(sequence) == [])
        if !sequence.hasSuffix("1;31") { #expect(decode("a" + sequence + "b") == keys(.char("a"), .char("b"))) }
    }

    @Test(arguments: [
        ("\u{1B}[<64;10;10M", TerminalEvent.wheel(-3)), ("\u{1B}[<65;300;10M", .wheel(3)),
        ("\u{1B}[<81;1;1M", .wheel(3)), ("\u{1B}[M`!!", .wheel(-3)), ("\u{1B}[Ma!!", .wheel(3)),
    ])
    func `the wheel is read in both forms`(_ report: String, _ expected: TerminalEvent) {
        #expect(decode(report + "x") == [expected] + keys(.char("x")))
    }

    @Test func `a sequence split by a pause is still swallowed, but not for ever`() {
        var decoder = KeyDecoder()
        for byte in "\u{1B}[1;3".utf8 { decoder.feed(.byte(byte), at: 0) }
        #expect(decoder.quiet() == [])
        for byte in "1Xa".utf8 { decoder.feed(.byte(byte), at: 1_000_000) }
        #expect(decoder.quiet() == keys(.char("a")))
        for byte in "\u{1B}]0;title without an end".utf8 { decoder.feed(.byte(byte), at: 2_000_000) }
        #expect(decoder.quiet() == [])
        decoder.feed(.byte(UInt8(ascii: "b")), at: 2_000_000 + KeyDecoder.patience + 1)
        #expect(decoder.quiet() == keys(.char("b")))
    }

    @Test func `a character split by a pause arrives whole, a broken one as a replacement`() {
        var decoder = KeyDecoder()
        for byte: UInt8 in [0xE6, 0x97] { decoder.feed(.byte(byte), at: 0) }
        #expect(decoder.quiet() == [])
        decoder.feed(.byte(0xA5), at: 1)
        #expect(decoder.quiet() == keys(.char("日")))
        #expect(decode([0xE6, 0x97, 0x61]) == keys(.char("\u{FFFD}"), .char("a")))
        #expect(decode([0xFF, 0xC0, 0x80]) == keys(.char("\u{FFFD}"), .char("\u{FFFD}"), .char("\u{FFFD}")))
        #expect(decode([0xED, 0xA0, 0x80]) == keys(.char("\u{FFFD}")))
    }

    @Test func `Alt goes to keys with codes too`() {
        var decoder = KeyDecoder()
        decoder.feed(.byte(0x1B), at: 0)
        decoder.feed(.key(Key(.up)), at: 0)
        #expect(decoder.quiet() == keys(Key(.up, .alt)))
    }

    @Test func `a paste is one event, its newlines one kind`() {
        var decoder = KeyDecoder()
        decoder.feed(.pasteStart, at: 0)
        for byte in "one\rtwo\r\nthree\n\u{1B}[A é".utf8 { decoder.feed(.byte(byte), at: 0) }
        decoder.feed(.key(Key(.enter)), at: 0)  // a key's sequence inside a paste presses nothing
        #expect(decoder.quiet() == [])
        decoder.feed(.pasteEnd, at: 0)
        decoder.feed(.byte(UInt8(ascii: "x")), at: 0)
        #expect(decoder.quiet() == [.paste("one\ntwo\nthree\n\u{1B}[A é")] + keys(.char("x")))
    }

    @Test func `a paste without an end is over after a pause`() {
        var decoder = KeyDecoder()
        decoder.feed(.pasteStart, at: 0)
        decoder.feed(.byte(UInt8(ascii: "p")), at: 0)
        decoder.feed(.byte(UInt8(ascii: "k")), at: KeyDecoder.patience + 1)
        #expect(decoder.quiet() == [.paste("p")] + keys(.char("k")))
    }

    @Test func `a huge paste is cut between two characters`() {
        var decoder = KeyDecoder()
        decoder.feed(.pasteStart, at: 0)
        for byte in String(repeating: "日", count: KeyDecoder.pasteLimit / 2).utf8 { decoder.feed(.byte(byte), at: 0) }
        decoder.feed(.pasteEnd, at: 0)
        let kept = String(repeating: "日", count: KeyDecoder.pasteLimit / 3)
        #expect(decoder.quiet() == [.paste(kept)])
    }

    @Test(arguments: [
        ("one\rtwo", [TerminalEvent.paste("one\ntwo")]),
        ("one\rtwo\r", [.paste("one\ntwo\n")]),
        ("one\n\ttwo", [.paste("one\n\ttwo")]),
        ("one\r", keys(.char("o"), .char("n"), .char("e"), Key(.enter))),
        ("\rx", keys(Key(.enter), .char("x"))),
        ("a\r\u{3}b\rc", keys(.char("a"), Key(.enter), .control("c")) + [.paste("b\nc")]),
    ])
    func `a burst with a newline inside is a paste on a terminal that marks none`(
        _ text: String, _ expected: [TerminalEvent]
    ) {
        #expect(decode(Array(text.utf8), guessesPastes: true) == expected)
    }

    @Test func `elsewhere two lines in one read are two lines`() {
        #expect(decode("a\rb\r") == keys(.char("a"), Key(.enter), .char("b"), Key(.enter)))
    }

    @Test func `no bytes trap, and text always comes through again`() {
        var random = SystemRandomNumberGenerator()
        var decoder = KeyDecoder()
        let alphabet = Array("\u{1B}[]OPM;<0159~mA\r\n\u{7}\\é日".utf8) + [0xFF, 0x80]
        for round in 0..<20_000 {
            let now = UInt64(round) * (KeyDecoder.patience + 1)
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                decoder.feed(.byte(alphabet.randomElement(using: &random) ?? 0), at: now)
            }
            _ = decoder.quiet()
        }
        decoder.feed(.byte(UInt8(ascii: "z")), at: .max)
        #expect(decoder.quiet().last == .key(.char("z")))
    }
}
