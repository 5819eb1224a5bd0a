// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Testing

@Suite struct SettingsFileTests {
    private func parse(_ text: String) -> SettingsFile { SettingsFile(parsing: Array(text.utf8)) }

    @Test(
        arguments: [
            (#"a = "x""#, .string("x")), ("a=1", .integer(1)), ("a = 0", .integer(0)), ("  a\t=\t-7  ", .integer(-7)),
            ("a = +1_000_000 # a million", .integer(1_000_000)), ("a = true", .boolean(true)),
            ("a = false#x", .boolean(false)), (#"a = "x # y" # z"#, .string("x # y")),
            ("a = 'c:\\d'", .string("c:\\d")),
            (#"a = "\"\\\t\n\u00e9\U0001F44D""#, .string("\"\\\t\né👍")), (#"a = """#, .string("")),
            (#"a = "日本語""#, .string("日本語")), ("a = 9223372036854775807", .integer(.max)), ("a = 1\r", .integer(1)),
            ("\u{FEFF}a = 1", .integer(1)), ("a = \"e\u{301}\"", .string("e\u{301}")),
        ] as [(String, SettingsFile.Value)])
    func `a line is a value`(text: String, value: SettingsFile.Value) {
        let file = parse(text)
        #expect(file.faults == [])
        #expect(file.entries == [SettingsFile.Entry(key: "a", value: value, line: 1)])
    }

    @Test(arguments: ["", "\n\n", "# only this", " \t# and this \u{2028}", "\r\n", "[a]", "[ a ] # b", "\u{FEFF}"])
    func `a line is nothing`(text: String) {
        #expect(parse(text) == parse("") || text.contains("["))
        #expect(parse(text).entries == [] && parse(text).faults == [])
    }

    @Test(
        arguments: [
            ("a", "a '=' and a value must follow 'a'"), ("= 1", "a line begins with a key of a-z, 0-9, _ and -"),
            ("a = ", "'a' has no value"), ("a = # x", "'a' has no value"),
            ("a = x", "'x' is no value; a text stands in quotes, else it is a whole number, true or false"),
            ("a = 1.5", "'1.5' is no value; a text stands in quotes, else it is a whole number, true or false"),
            ("a = 01", "'01' is no value; a text stands in quotes, else it is a whole number, true or false"),
            ("a = 1_", "'1_' is no value; a text stands in quotes, else it is a whole number, true or false"),
            ("a = -", "'-' is no value; a text stands in quotes, else it is a whole number, true or false"),
            (
                "a = 9223372036854775808",
                "'9223372036854775808' is no value; a text stands in quotes, else it is a whole number, true or false"
            ),
            ("a = [1]", "'[1]' is no value; a text stands in quotes, else it is a whole number, true or false"),
            (#"a = "x"#, "the text has no closing quote"), (#"a = "x\"#, "the text has no closing quote"),
            ("a = 'x", "the text has no closing quote"), (#"a = "x" y"#, "'y' is too much here"),
            (#"a = """x""""#, "'\"x\"\"\"' is too much here"), ("a = 1 2", "'2' is too much here"),
            (#"a = "\q""#, "'\\q' is no escape; a backslash itself is '\\\\'"),
            (#"a = "\uD800""#, "'\\uD800' is no character"), (#"a = "\u+1F4""#, "'\\u+1F4' is no character"),
            (#"a = "\u12"#, "'\\u12' is no character"), (#"a = "\U00110000""#, "'\\U00110000' is no character"),
            ("a\u{0} = 1", "a control character, U+0000, can't stand here; write it as an escape"),
            ("a = \"\u{1B}[2J\"", "a control character, U+001B, can't stand here; write it as an escape"),
            ("a = 1\rb = 2", "a control character, U+000D, can't stand here; write it as an escape"),
            ("ключ = 1", "a line begins with a key of a-z, 0-9, _ and -"),
            ("[a", "a section is one name in brackets, as [a]"), ("[a.b]", "a section is one name in brackets, as [a]"),
            ("[[a]]", "a line begins with a key of a-z, 0-9, _ and -"), ("[a] b", "'b' is too much here"),
            ("\(String(repeating: "k", count: 65)) = 1", "a key has at most 64 letters"),
        ])
    func `a line is a fault that says why`(text: String, reason: String) {
        let file = parse("# first\n" + text)
        #expect(file.entries == [])
        #expect(file.faults == [SettingsFile.Fault(line: 2, reason: reason)])
    }

    @Test func `bytes that are no UTF-8 are a fault of their line alone`() {
        for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] {
            let file = SettingsFile(parsing: Array("a = 1\nb = \"".utf8) + bytes + Array("\"\nc = 3".utf8))
            #expect(file.entries.map(\.key) == ["a", "c"])
            #expect(file.faults == [SettingsFile.Fault(line: 2, reason: "this is not UTF-8")])
        }
    }

    @Test func `sections prefix their keys, and a key stands once`() {
        let file = parse("a = 1\r\n[s]\r\na = 2\r\n\r\na = 3\r\n[s]\r\nb = 4\r\n")
        #expect(file.entries.map { "\($0.key)=\($0.value)@\($0.line)" } == ["a=1@1", "s.a=2@3", "s.b=4@7"])
        #expect(file.faults == [SettingsFile.Fault(line: 5, reason: "'s.a' stands in line 3 already")])
    }

    @Test func `size and faults are bounded`() {
        let full = "a = \"" + String(repeating: "x", count: SettingsFile.sizeLimit - 6) + "\""
        #expect(full.utf8.count == SettingsFile.sizeLimit)
        #expect(parse(full).entries.count == 1)
        let over = parse(full + "\n")
        #expect(over.entries == [] && over.faults.count == 1)
        #expect(parse(String(repeating: "?\n", count: 1000)).faults.count == SettingsFile.faultLimit)
        // Every line a fault about something long: each says only its beginning.
        let long = parse("a = " + String(repeating: "x", count: 60_000))
        #expect(long.faults.allSatisfy { $0.reason.utf8.count < 200 })
    }

    @Test func `no bytes trap`() {
        var random = SystemRandomNumberGenerator()
        let letters = Array("ab=\"'\\u#[]_-+019 \t\r\n.\u{0}".utf8) + [0xEF, 0xBB, 0xBF, 0xFF, 0xC3]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<48, using: &random)).map { _ in
                letters.randomElement(using: &random) ?? 0
            }
            let file = SettingsFile(parsing: bytes)
            #expect(file.entries.count + file.faults.count <= 49)
        }
    }
}

@Suite struct NearMatchTests {
    @Test(
        arguments: [
            ("lissten", "listen"), ("listne", "listen"), ("LISTEN", "listen"), ("loop", "loops"),
            ("log_fromat", "log_format"),
            ("port", nil), ("", nil), ("zzzzzzzz", nil), (String(repeating: "l", count: 80), nil),
        ] as [(String, String?)])
    func `what was meant is what is near`(word: String, meant: String?) {
        #expect(nearMatch(word, among: ["listen", "loops", "log_format", "store", "metrics"]) == meant)
    }
}

@Suite struct SettingsLayersTests {
    private let layers = SettingsLayers(
        flags: ["a": "flag"], environment: ["a": "env", "b_c": "env"],
        files: [
            .init(path: "/user", contents: SettingsFile(parsing: Array("b_c = 'user'\nd = 'user'\nlissten = 1".utf8))),
            .init(path: "/etc", contents: SettingsFile(parsing: Array("d = 'etc'\ne = 'etc'\n[log]\nlevel = 1".utf8))),
        ], variables: "P_")

    @Test(
        arguments: [
            ("a", "flag", .flag("--a")), ("b_c", "env", .environment("P_B_C")),
            ("d", "user", .file(path: "/user", line: 2)), ("e", "etc", .file(path: "/etc", line: 2)),
        ] as [(String, String, SettingOrigin)])
    func `the strongest who spoke holds`(key: String, value: String, origin: SettingOrigin) {
        #expect(layers[key]?.value == .string(value))
        #expect(layers[key]?.origin == origin)
    }

    @Test func `nobody spoke of the rest`() { #expect(layers["f"] == nil) }

    @Test func `an unknown key is told with its line and what was meant`() {
        let told = layers.unknownEntries(known: ["a", "b_c", "d", "listen", "log_level"])
        #expect(
            told == [
                "/user:3: unknown key 'lissten'; did you mean 'listen'?",
                "/etc:2: unknown key 'e'.",
                "/etc:4: unknown key 'log.level'; did you mean 'log_level'?",
            ])
    }
}
