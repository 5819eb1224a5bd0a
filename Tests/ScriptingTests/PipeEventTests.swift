// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
@testable import PeerEngine
import Scripting
import Testing
import Wire

private let peer = PeerID(high: 0x1d42_741a_e9cf_8815, low: 0x8140_d20c_71a4_a32b)
private let id = "00000000-0000-4000-8000-000000000001"
private let message = Message(
    id: MessageID(random: 0, 1), peer: peer, direction: .incoming, text: "a\u{1B}b\u{202E}c",
    created: nil, received: WallTime(milliseconds: 1_795_356_127_112), state: .delivered, secure: false)

private func text(_ line: JSONObject?) -> String? {
    line.map { String(decoding: $0.encoded(.invisible), as: UTF8.self) }
}

/// The lines that other programs read, byte for byte.
@Suite struct PipeEventTests {
    @Test(arguments: ["0.0.0.0:50001", "[::]:50001", "192.0.2.1:9", "[2001:db8::1]:9"])
    func `the first line says where it listens`(told: String) throws {
        let listen = try #require(Endpoint(told))
        let line = PipeEvent.ready(peer, invite: nil, listen: listen)
        #expect(text(line) == #"{"event":"ready","uuid":"\#(peer)","invite":null,"listen":"\#(told)"}"#)
    }

    @Test func `the first line holds the invite`() throws {
        let identity = try #require(Identity(seed: Array(0..<32)))
        let invite = Invite(key: identity.key, secret: Array(repeating: 7, count: 16))
        let line = PipeEvent.ready(identity.peer, invite: invite, listen: .loopback(9))
        let told = try #require(line.string("invite"))
        #expect(try Invite(told) == invite)
    }

    @Test func `events are these lines`() {
        var outgoing = message
        outgoing.direction = .outgoing
        var dated = message
        dated.created = WallTime(milliseconds: 0)
        let reason = Reason(.noAnswer, "asked once")
        let lines: [(ClientEvent, String?)] = [
            (
                .index(server: "h:1", .ok(.microseconds(412))),
                #"{"event":"index","server":"h:1","state":"ok","rtt_ms":0.412}"#
            ),
            (
                .index(server: "h:1", .unreachable("no answer")),
                #"{"event":"index","server":"h:1","state":"unreachable","rtt_ms":null,"reason":"no answer"}"#
            ),
            (
                .index(server: "h:1", .noIdentities(assigned: peer)),
                #"{"event":"index","server":"h:1","state":"ok","rtt_ms":null,"reason":"it knows no identities"}"#
            ),
            (
                .index(server: "[::1]:1", .sameServer(as: "h:1")),
                #"{"event":"index","server":"[::1]:1","state":"ok","rtt_ms":null,"reason":"the same server as h:1"}"#
            ),
            (.index(server: "h:1", .connecting), nil),
            (
                .message(message),
                #"{"event":"message","from":"\#(peer)","id":"\#(id)","text":"a\u001bb\u202ec","created":null,"#
                    + #""received":"2026-11-22T14:02:07.112Z","secure":false,"name":"bob"}"#
            ),
            (
                .message(dated),
                #"{"event":"message","from":"\#(peer)","id":"\#(id)","text":"a\u001bb\u202ec","#
                    + #""created":"1970-01-01T00:00:00.000Z","received":"2026-11-22T14:02:07.112Z","secure":false,"#
                    + #""name":"bob"}"#
            ),
            (.message(outgoing), nil),
            (
                .state(message.id, tag: "x", to: peer, .sent, reason: nil),
                #"{"event":"state","id":"\#(id)","tag":"x","to":"\#(peer)","state":"sent"}"#
            ),
            (
                .state(message.id, tag: nil, to: peer, .failed, reason: reason),
                #"{"event":"state","id":"\#(id)","to":"\#(peer)","state":"failed","reason":"asked once","#
                    + #""cause":"no_answer"}"#
            ),
            (
                .path(peer, .plaintext, roundTrip: nil, reason: nil),
                #"{"event":"path","peer":"\#(peer)","path":"plaintext"}"#
            ),
            (
                .path(peer, .none, roundTrip: nil, reason: reason),
                #"{"event":"path","peer":"\#(peer)","path":"none","reason":"asked once","cause":"no_answer"}"#
            ),
            (
                .lookup(peer, .index, found: true, took: .microseconds(600)),
                #"{"event":"lookup","peer":"\#(peer)","source":"index","found":true,"ms":0.6}"#
            ),
            (
                .path(peer, .direct, roundTrip: .microseconds(1500), reason: nil),
                #"{"event":"path","peer":"\#(peer)","path":"direct","rtt_ms":1.5}"#
            ),
            (
                .request(peer, name: nil, text: "a\u{1B}b\u{202E}c", invited: false),
                #"{"event":"request","peer":"\#(peer)","text":"a\u001bb\u202ec","invited":false}"#
            ),
            (
                .request(peer, name: "al\u{1B}ice", text: "", invited: true),
                #"{"event":"request","peer":"\#(peer)","name":"al\u001bice","text":"","invited":true}"#
            ),
            (.typing(peer, true), nil), (.active(peer, true), nil), (.readHere(peer, upTo: message.id), nil),
            (.ladder(peer, []), nil), (.reachability(Reachability()), nil),
            (.forgotten(peer, nil), nil), (.setting(.typing, true), nil),
            (.contacts([]), nil), (.notice("something", about: nil), nil),
        ]
        for (event, line) in lines { #expect(text(PipeEvent.line(for: event) { _ in "bob" }) == line) }
    }

    @Test func `a message of a peer without a name has no name`() {
        let line = PipeEvent.line(for: .message(message)) { _ in nil }
        #expect(line?["name"] == nil && line?.string("from") == "\(peer)")
    }

    @Test func `a line of the log`() {
        let line =
            #"{"id":"\#(id)","peer":"\#(peer)","direction":"in","text":"a\u001bb\u202ec","created":null,"#
            + #""received":"2026-11-22T14:02:07.112Z","state":"delivered","secure":false}"#
        #expect(text(PipeEvent.logLine(message)) == line)
    }

    @Test func `the way to a peer, step by step`() {
        #expect(
            text(PipeEvent.why(peer, .none, [])) == #"{"event":"why","peer":"\#(peer)","path":"none","steps":[]}"#)
        let steps = [LadderStep(.index, .worked, "12 ms"), LadderStep(.direct, .failed, "a\u{1B}b\u{202E}c")]
        let told =
            #"{"rung":"index","state":"worked","text":"12 ms"},"#
            + #"{"rung":"direct","state":"failed","text":"a\u001bb\u202ec"}"#
        #expect(
            text(PipeEvent.why(peer, .relayed, steps))
                == #"{"event":"why","peer":"\#(peer)","path":"relayed","steps":[\#(told)]}"#)
    }

    @Test func `the peer list, without and with somebody`() {
        #expect(text(PipeEvent.peers([])) == #"{"event":"peers","peers":[]}"#)
        let summary = PeerSummary(contact: Contact(peer: peer, accepted: true), path: .none, waiting: 1)
        let row =
            #"{"peer":"\#(peer)","name":null,"accepted":true,"blocked":false,"verified":false,"path":"none","#
            + #""waiting":1}"#
        #expect(text(PipeEvent.peers([summary])) == #"{"event":"peers","peers":[\#(row)]}"#)
    }
}
