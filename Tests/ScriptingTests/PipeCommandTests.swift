// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Scripting
import Testing
import Wire

private let id = "7c9e6679-7425-40de-944b-e07fc1f90ae7"

private func parse(_ line: String) throws(PipeError) -> PipeCommand { try PipeCommand(parsing: Array(line.utf8)) }

@Suite struct PipeCommandTests {
    @Test func `good lines are understood`() throws {
        let message = try #require(MessageID(id))
        let lines: [(String, PipeCommand)] = [
            (#"{"command":"add","peer":"bob"}"#, .client(.add(name: nil), peer: "bob")),
            (#"{"command":"add","peer":"\#(id)","name":"bob"}"#, .client(.add(name: "bob"), peer: id)),
            (#"{"command":"add","peer":"\#(id)","name":null}"#, .client(.add(name: nil), peer: id)),
            (
                #"{"command":"send","to":"bob","text":"a\nb","tag":"x1"}"#,
                .client(.send(text: "a\nb", tag: "x1"), peer: "bob")
            ),
            (#"{"command":"send","to":"bob","text":""}"#, .client(.send(text: "", tag: nil), peer: "bob")),
            (#"{"text":"t","to":"bob","command":"send"}"#, .client(.send(text: "t", tag: nil), peer: "bob")),
            (#"{"command":"accept","peer":"bob"}"#, .client(.accept, peer: "bob")),
            (#"{"command":"block","peer":"bob"}"#, .client(.block, peer: "bob")),
            (#"{"command":"remove","peer":"bob"}"#, .client(.remove, peer: "bob")),
            (#"{"command":"read","peer":"bob","id":"\#(id)"}"#, .client(.read(message), peer: "bob")),
            (#"{"command":"retry","id":"\#(id.uppercased())"}"#, .retry(message)),
            (#"{"command":"cancel","id":"\#(id)"}"#, .cancel(message)),
            (#"{"command":"peers"}"#, .peers), (#"{"command":"id"}"#, .id), (#"{"command":"quit"}"#, .quit),
            (#" { "command" : "quit" , "unknown" : [1,{"a":null}] } "#, .quit),
        ]
        for (line, command) in lines { #expect(try parse(line) == command, "\(line)") }
    }

    @Test(arguments: [
        ("", nil, nil), ("not JSON", nil, nil), ("[]", nil, nil), ("{}", nil, nil), (#""quit""#, nil, nil),
        (#"{"command":7}"#, nil, nil), (#"{"command":"quit"} x"#, nil, nil), (#"{"command":"quit""#, nil, nil),
        (#"{"command":"dance"}"#, "dance", nil), (#"{"command":""}"#, "", nil), (#"{"command":"Quit"}"#, "Quit", nil),
        (#"{"command":"add"}"#, "add", nil), (#"{"command":"add","peer":7}"#, "add", nil),
        (#"{"command":"add","peer":"x","name":""}"#, "add", nil),
        (#"{"command":"add","peer":"x","name":7}"#, "add", nil),
        (#"{"command":"send","text":"x","tag":"t"}"#, "send", "t"),
        (#"{"command":"send","to":"bob","tag":"t"}"#, "send", "t"),
        (#"{"command":"send","to":"bob","text":"x","tag":7}"#, "send", nil),
        (#"{"command":"read","peer":"bob"}"#, "read", nil),
        (#"{"command":"read","peer":"bob","id":"no id"}"#, "read", nil),
        (#"{"command":"retry"}"#, "retry", nil), (#"{"command":"cancel","id":null}"#, "cancel", nil),
        (#"{"command":"accept"}"#, "accept", nil), (#"{"command":"log","peer":7}"#, "log", nil),
    ])
    func `a bad line is one sentence, and says what it was`(line: String, command: String?, tag: String?) throws {
        do throws(PipeError) {
            Issue.record("\(line) was understood: \(try parse(line))")
        } catch {
            #expect(error.command == command && error.tag == tag)
            #expect(error.message.hasSuffix("."), "\(error.message)")
            #expect(error.line.string("event") == "error" && error.line.string("message") == error.message)
        }
    }

    @Test func `an invite is taken where a peer is added, a broken one is refused with its reason`() throws {
        let identity = try #require(Identity(seed: Array(0..<32)))
        let invite = Invite(key: identity.key, secret: Array(repeating: 7, count: 16))
        #expect(
            try parse(#"{"command":"add","peer":"\#(invite.text)","name":"eve"}"#) == .addInvite(invite, name: "eve"))
        do throws(PipeError) {
            _ = try parse(#"{"command":"add","peer":"\#(invite.text.dropLast())"}"#)
            Issue.record("a broken invite was taken")
        } catch { #expect(error.message.contains("damaged") && error.command == "add") }
    }

    @Test func `set names a setting and says on or off`() throws {
        #expect(try parse(#"{"command":"set","setting":"relay","on":true}"#) == .set(.relay, true))
        #expect(try parse(#"{"command":"set","setting":"read-receipts","on":false}"#) == .set(.readReceipts, false))
        for members in [
            #""setting":"relay""#, #""setting":"relay","on":"yes""#, #""setting":"relays","on":true"#, #""on":true"#,
        ] {
            #expect(throws: PipeError.self) { try parse(#"{"command":"set",\#(members)}"#) }
        }
    }

    @Test func `why names a peer`() throws {
        #expect(try parse(#"{"command":"why","peer":"bob"}"#) == .why(peer: "bob"))
        #expect(throws: PipeError.self) { try parse(#"{"command":"why"}"#) }
        #expect(throws: PipeError.self) { try parse(#"{"command":"why","peer":null}"#) }
    }

    @Test func `a name may have 256 bytes`() throws {
        func add(_ count: Int) -> String {
            #"{"command":"add","peer":"x","name":"\#(String(repeating: "n", count: count))"}"#
        }
        _ = try parse(add(256))
        #expect(throws: PipeError.self) { try parse(add(257)) }
    }

    @Test func `an action becomes the client's command`() throws {
        let (peer, message) = (try #require(PeerID(id)), try #require(MessageID(id)))
        let actions: [(PipeCommand.Action, ClientCommand, String)] = [
            (.add(name: "n"), .add(peer, name: "n"), "add"), (.accept, .accept(peer), "accept"),
            (.send(text: "t", tag: "x"), .send(to: peer, text: "t", tag: "x"), "send"),
            (.block, .block(peer), "block"), (.remove, .remove(peer), "remove"),
            (.read(message), .read(peer, message), "read"),
        ]
        for (action, command, name) in actions {
            #expect(action.command(for: peer) == command && action.name == name)
        }
        #expect(PipeCommand.Action.send(text: "t", tag: "x").tag == "x" && PipeCommand.Action.block.tag == nil)
    }
}
