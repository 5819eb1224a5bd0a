// SPDX-License-Identifier: GPL-3.0-or-later
import Support
import Testing
import Wire

@Suite struct `The JSON writer` {
    @Test func `writes compactly and keeps the order of members`() {
        let object: JSONObject = ["b": [1, nil, true, "x"], "a": .object([:]), "": .number(0.5)]
        #expect(text(object.encoded()) == #"{"b":[1,null,true,"x"],"a":{},"":0.5}"#)
    }

    @Test(
        arguments: [
            (.integer(.min), "-9223372036854775808"), (.number(1e100), "1e+100"), (.number(-0.25), "-0.25"),
            (.number(.nan), "null"), (.number(.infinity), "null"), (.number(-.infinity), "null"), (.number(3), "3.0"),
        ] as [(JSONValue, String)])
    func `writes numbers that JSON can say`(value: JSONValue, expected: String) {
        #expect(text(value.encoded()) == expected)
    }

    @Test func `escapes what JSON demands, and no more`() throws {
        let plain = "\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}\u{85}\u{200e}\u{2028}ü🙂"
        let written = JSONValue.string(plain).encoded()
        #expect(text(written) == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}\u{85}\u{200e}\u{2028}ü🙂\"")
        #expect(try JSONValue(parsing: written) == .string(plain))
    }

    @Test(arguments: [
        ("\u{7f}", #"\u007f"#), ("\u{85}", #"\u0085"#), ("\u{ad}", #"\u00ad"#), ("\u{61c}", #"\u061c"#),
        ("\u{200b}", #"\u200b"#), ("\u{202e}", #"\u202e"#), ("\u{2028}\u{2029}", #"\u2028\u2029"#),
        ("\u{feff}", #"\ufeff"#), ("\u{1d173}", #"\ud834\udd73"#), ("\u{e0041}", #"\udb40\udc41"#), ("\0", #"\u0000"#),
        ("\n", #"\n"#), ("ü漢🙂", "ü漢🙂"), ("e\u{301}", "e\u{301}"), ("\u{1b}[31m", #"\u001b[31m"#),
    ])
    func `can escape whatever is invisible`(plain: String, expected: String) {
        #expect(text(JSONValue.string(plain).encoded(.invisible)) == "\"\(expected)\"")
        #expect(text(JSONObject([(plain, nil)]).encoded(.invisible)) == "{\"\(expected)\":null}", "names too")
    }

    @Test func `brings every character back, and none that is invisible gets through`() throws {
        var all = String.UnicodeScalarView()
        for range in [0..<0x3000, 0xE000..<0x20000, 0xE0000..<0xE0200] as [Range<UInt32>] {
            all.append(contentsOf: range.compactMap(Unicode.Scalar.init(_:)))
        }
        let plain = String(all)
        let written = JSONValue.string(plain).encoded(.invisible)
        guard case .string(let read) = try JSONValue(parsing: written) else {
            Issue.record("no string")
            return
        }
        #expect(read.utf8.elementsEqual(plain.utf8))
        let categories: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]
        #expect(!text(written).unicodeScalars.contains { categories.contains($0.properties.generalCategory) })
    }

    /// An echo that outgrows its original would make a server an amplifier.
    @Test func `never makes an echo longer than it was sent`() throws {
        var random = SplitMix64(seed: 6)
        let pieces = [
            #"\""#, #"\\"#, #"\/"#, "/", #"\n"#, #"\u000a"#, #"\u0001"#, #"\u00e9"#, "é", #"\u20ac"#, "€", "a",
            "\u{7f}", #"\ud83d\ude42"#, "🙂", #"\u2028"#, "\u{2028}",
        ]
        for _ in 0..<2_000 {
            let sent = "\"" + (0..<12).map { _ in pieces.randomElement(using: &random) ?? "" }.joined() + "\""
            #expect(try JSONValue(parsing: Array(sent.utf8)).encoded().count <= sent.utf8.count)
        }
    }
}

@Suite struct `A JSON object` {
    @Test func `replaces, appends and removes members`() {
        var object: JSONObject = ["a": 1, "b": 2, "a": 3]
        object["a"] = 4
        object["c"] = 5
        #expect(text(object.encoded()) == #"{"a":1,"b":2,"a":4,"c":5}"#)
        object["a"] = nil
        #expect(text(object.encoded()) == #"{"b":2,"c":5}"#)
        #expect(object["a"] == nil)
    }

    @Test func `reads members of the right type alone`() {
        let object: JSONObject = ["s": "x", "i": 1, "n": .number(1), "b": true, "z": nil]
        #expect(object.string("s") == "x" && object.string("i") == nil && object.string("none") == nil)
        #expect(object.integer("i") == 1 && object.integer("n") == nil && object.integer("s") == nil)
        #expect(object.bool("b") == true && object.bool("i") == nil && object.bool("z") == nil)
    }
}
