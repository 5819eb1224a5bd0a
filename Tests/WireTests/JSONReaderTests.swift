// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Support
import Testing
import Wire

@Suite struct `The JSON reader` {
    @Test(
        arguments: [
            ("null", .null), ("true", true), ("false", false), (" \t\r\n7 \n", 7), ("\"\"", ""), ("[]", []),
            ("[ ]", []),
            ("{}", .object([:])), ("{ }", .object([:])), ("[1,\n2]", [1, 2]), ("[[],[[]]]", [[], [[]]]),
            (#"{"a":1 , "b":[null]}"#, .object(["a": 1, "b": [nil]])), (#"{"":0}"#, .object(["": 0])),
            ("0", 0), ("-0", 0), ("-1", -1), ("9223372036854775807", 9_223_372_036_854_775_807),
            ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(9_223_372_036_854_775_808)),
            ("0.5", .number(0.5)), ("-0.0", .number(-0.0)), ("1e2", .number(100)), ("1E+2", .number(100)),
            ("1.0", .number(1)), ("123e-2", .number(1.23)), ("0e0", .number(0)), ("1e400", .number(.infinity)),
            ("-1e400", .number(-.infinity)), ("1e-400", .number(0)), ("1e999999999999999999999", .number(.infinity)),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u0041\u00e9\u20AC\ud83d\uDE42""#, "Aé€🙂"),
            (#""\u0000""#, "\0"), ("\"\u{7f}\u{2028}\u{10ffff}\"", "\u{7f}\u{2028}\u{10ffff}"), ("\"é\"", "é"),
            (#""\uFFFF""#, "\u{ffff}"), (#""ü\u00fc""#, "üü"), (#""\\u0041""#, "\\u0041"),
        ] as [(String, JSONValue)])
    func `accepts`(document: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: Array(document.utf8)) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "NULL", "True", "tru", "undefined", "NaN", "Infinity", "-Infinity", "1 2", "[] []",
        "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1;2]", "[1}", "(1)",
        "{", "}", "{]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a" 1}"#, #"{"a"::1}"#, "{a:1}", "{1:1}",
        "{'a':1}", #"{"a":1 "b":2}"#, #"{"a":1}}"#, "{null:1}", "/**/1", "1//", "#1",
        "+1", "-", "--1", "01", "-01", "00", ".5", "-.5", "5.", "1.e1", "1e", "1e+", "1E-", "1e1.5", "0x1", "1_000",
        "1a", "1.2.3", "١", "1e1e1", "-a",
        "\"", "\"a", "a\"", "'a'", #""\""#, #""\a""#, #""\'""#, #""\u""#, #""\u12""#, #""\u12G4""#, #""\U0041""#,
        #""\x41""#, "\"\\\n\"", "\"\n\"", "\"\t\"", "\"\0\"", "\"\u{1f}\"",
        #""\ud800""#, #""\udc00""#, #""\ud83d""#, #""\ud83dx""#, #""\ud83d\u0041""#, #""\ud83d\ud83d""#,
        #""\ude42\ud83d""#, #""\ud83d\n""#, #""\ud83d\"#, "\u{feff}1", "\u{a0}1", "\u{c}1", "1\0", "1\u{b}",
    ])
    func `refuses`(document: String) {
        #expect(throws: WireError.self) { try JSONValue(parsing: Array(document.utf8)) }
    }

    @Test(
        arguments: [
            [0xFF], [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF],
            [0xF0, 0x80, 0x80, 0xAF],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x99], [0xC3, 0x28], [0xC3, 0x5C, 0x6E],
            [0xC0, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func `refuses what is no UTF-8`(octets: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        #expect(throws: WireError.notJSON(at: 1)) { try JSONValue(parsing: [quote] + octets + [quote]) }
        #expect(throws: WireError.self) { try JSONValue(parsing: Array("{\"".utf8) + octets + Array("\":1}".utf8)) }
        #expect(throws: WireError.self) { try JSONValue(parsing: octets) }
    }

    @Test func `refuses a byte order mark and other encodings`() throws {
        for encoding in [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian, .utf32] {
            let octets = try #require(#"{"a":1}"#.data(using: encoding))
            #expect(throws: WireError.notJSON(at: octets.first == UInt8(ascii: "{") ? 1 : 0)) {
                try JSONValue(parsing: octets)
            }
        }
        #expect(throws: WireError.notJSON(at: 0)) { try JSONValue(parsing: [0xEF, 0xBB, 0xBF] + Array("{}".utf8)) }
    }

    @Test(arguments: [31, 32, 33, 100_000])
    func `lets 32 arrays and objects nest`(depth: Int) throws {
        let arrays = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        let objects = String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
        let open = String(repeating: "[", count: depth)
        for document in [arrays, objects] {
            if depth <= JSONValue.depthLimit {
                #expect(throws: Never.self) { try JSONValue(parsing: Array(document.utf8)) }
            } else {
                #expect(throws: WireError.tooDeep(limit: 32)) { try JSONValue(parsing: Array(document.utf8)) }
            }
        }
        #expect(throws: WireError.self) { try JSONValue(parsing: Array(open.utf8)) }
    }

    @Test func `says where it stopped`() {
        #expect(throws: WireError.notJSON(at: 7)) { try JSONValue(parsing: Array("[true, x]".utf8)) }
        #expect(throws: WireError.notAnObject) { try JSONObject(parsing: Array("[1]".utf8)) }
    }

    @Test func `lets the last of members with one name count`() throws {
        let object = try JSONObject(parsing: Array(#"{"a":1,"b":2,"a":"x","\u0061":true}"#.utf8))
        #expect(object["a"] == true)
        #expect(object.bool("a") == true)
        #expect(object.integer("b") == 2)
        #expect(object.members.count == 4)
    }

    @Test func `reads numbers of any length`() throws {
        let long = String(repeating: "9", count: 5_000)
        #expect(try JSONValue(parsing: Array(long.utf8)) == .number(.infinity))
        #expect(try JSONValue(parsing: Array("0.\(long)".utf8)) == .number(1))
        #expect(try JSONValue(parsing: Array("1e-\(long)".utf8)) == .number(0))
    }

    /// The documents are made, not mutated, so both sides must accept them all.
    @Test func `agrees with Foundation about valid documents`() throws {
        var maker = DocumentMaker(random: SplitMix64(seed: 5))
        for _ in 0..<2_000 {
            let document = maker.document()
            let ours = try JSONValue(parsing: Array(document.utf8))
            let theirs = try JSONSerialization.jsonObject(with: Data(document.utf8), options: .fragmentsAllowed)
            #expect(agree(ours, theirs), "\(document)")
            let written = Data(ours.encoded(.invisible))
            let again = try JSONSerialization.jsonObject(with: written, options: .fragmentsAllowed)
            #expect(agree(ours, again), "\(document)")
        }
    }
}

private func agree(_ ours: JSONValue, _ theirs: Any) -> Bool {
    switch ours {
    case .null: theirs is NSNull
    case .bool(let flag): theirs as? Bool == flag
    case .integer(let number): (theirs as? NSNumber)?.int64Value == number
    // Foundation's numbers go through a decimal type that rounds twice.
    case .number(let number): (theirs as? NSNumber).map { abs($0.doubleValue - number) <= 8 * number.ulp } ?? false
    case .string(let text): (theirs as? String).map { Array($0.utf8) == Array(text.utf8) } ?? false
    case .array(let elements):
        (theirs as? [Any]).map { $0.count == elements.count && zip(elements, $0).allSatisfy(agree) } ?? false
    case .object(let object):
        (theirs as? [String: Any]).map { dictionary in
            dictionary.count == object.members.count
                && object.members.allSatisfy { name, value in dictionary[name].map { agree(value, $0) } ?? false }
        } ?? false
    }
}

/// Writes random JSON of every production of the grammar.
private struct DocumentMaker {
    var random: SplitMix64

    mutating func document() -> String { space() + value(depth: 0) + space() }

    private mutating func chance(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

    private mutating func space() -> String { ["", "", "", " ", "\n", "\t", "\r\n"][chance(7)] }

    private mutating func value(depth: Int) -> String {
        switch chance(depth < 4 ? 9 : 6) {
        case 0: ["null", "true", "false"][chance(3)]
        case 1, 2: number()
        case 3, 4, 5: string()
        case 6: "[" + list { $0.value(depth: depth + 1) } + "]"
        // Names differ, because Foundation keeps any one of equal ones.
        default: "{" + list { $0.member(depth: depth) } + "}"
        }
    }

    private mutating func member(depth: Int) -> String {
        "\"\(random.next())\"" + space() + ":" + space() + value(depth: depth + 1)
    }

    private mutating func list(_ element: (inout DocumentMaker) -> String) -> String {
        let elements = (0..<chance(4)).map { _ in space() + element(&self) + space() }
        return elements.isEmpty ? space() : elements.joined(separator: ",")
    }

    private mutating func number() -> String {
        let whole = (chance(2) == 0 ? "-" : "") + String(random.next() >> UInt64(16 + chance(48)))
        switch chance(4) {
        case 0: return whole + ".\(random.next() >> UInt64(32 + chance(32)))"
        case 1: return whole + ["e", "E", "e+", "E-"][chance(4)] + String(chance(30))
        default: return whole
        }
    }

    private mutating func string() -> String {
        "\"" + (0..<chance(8)).map { _ in character() }.joined() + "\""
    }

    private mutating func character() -> String {
        switch chance(5) {
        case 0: return [#"\""#, #"\\"#, #"\/"#, #"\b"#, #"\f"#, #"\n"#, #"\r"#, #"\t"#][chance(8)]
        case 1:
            return String(format: "\\u%04x", [0, 0x1F, 0x41, 0x7F, 0xE9, 0x200B, 0x2028, 0xD7FF, 0xE000][chance(9)])
        case 2: return #"\ud83d\ude42"#
        case 3: return ["ü", "€", "🙂", "\u{7f}", "\u{ad}", "\u{2029}", "漢"][chance(7)]
        default: return ["a", "Z", "0", " ", "/", "'", "~"][chance(7)]
        }
    }
}
