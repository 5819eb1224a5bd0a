// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Wire

@Suite struct `A message between peers` {
    @Test(arguments: Samples.messages.indices)
    func `is these bytes, and these bytes are it`(index: Int) throws {
        let (message, golden) = Samples.messages[index]
        #expect(text(try message.encoded()) == golden)
        #expect(try PeerMessage(JSONObject(parsing: Array(golden.utf8))) == message)
    }

    @Test(arguments: [
        ("", ""), ("\n", ""), ("x", "x"), ("x\n", "x"), ("x\n\n", "x\n"), ("x\r\n", "x"), ("x\r\n\n", "x\r\n"),
        ("x\r", "x\r"), ("x\u{2028}", "x\u{2028}"), ("e\n\u{301}", "e\n\u{301}"),
    ])
    func `loses one newline at its end, whatever else that is`(data: String, expected: String) throws {
        let object: JSONObject = [
            "src_uuid": .string("\(Samples.alice)"), "dst_uuid": .string("\(Samples.bob)"), "data": .string(data),
        ]
        #expect(Array(try PeerMessage(object).text.utf8) == Array(expected.utf8))
    }

    @Test func `may be as long as the receivers' buffer and no longer`() throws {
        var message = PeerMessage(source: Samples.alice, destination: Samples.bob, text: "", created: nil)
        let frame = try message.encoded().count
        for size in [1023, 1024] {
            message.text = String(repeating: "x", count: size - frame)
            #expect(try message.encoded().count == size)
        }
        message.text += "x"
        #expect(throws: WireError.tooLong(bytes: 1025, limit: 1024)) { try message.encoded() }
    }

    @Test(arguments: ["src_uuid", "dst_uuid", "data"], [nil, .null, 7, [], "x"] as [JSONValue?])
    func `names the member that is unusable`(member: String, value: JSONValue?) throws {
        var object = try JSONObject(parsing: Array(Samples.messages[0].1.utf8))
        object[member] = value
        guard member != "data" || value != "x" else { return }
        #expect(throws: WireError.badMember(member)) { try PeerMessage(object) }
    }

    @Test(arguments: [nil, .null, false, "", "yesterday", "0", 0, [], -1] as [JSONValue?])
    func `without a readable time is from an unknown time`(time: JSONValue?) throws {
        var object = try JSONObject(parsing: Array(Samples.messages[1].1.utf8))
        object["creation_time"] = time
        #expect(try PeerMessage(object).created == nil)
    }
}
