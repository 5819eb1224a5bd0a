// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing
import Wire

/// Frames and their exact bytes.
private let golden: [(SessionFrame, String)] = [
    (
        .hello(.init(instance: 0x0123_4567_89AB_CDEF, contact: true, name: "Zoë")),
        #"{"type":"hello","version":1,"instance":"0123456789abcdef","contact":true,"name":"Zoë"}"#
    ),
    (
        .hello(.init(instance: 7, contact: false)),
        #"{"type":"hello","version":1,"instance":"0000000000000007","contact":false}"#
    ),
    (.contact(proof: nil, name: nil), #"{"type":"contact"}"#),
    (
        .contact(proof: Array(0..<32), name: "eve"),
        #"{"type":"contact","proof":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","name":"eve"}"#
    ),
    (.accepted, #"{"type":"accepted"}"#),
    (
        .message(
            .init(
                id: MessageID(random: 0, 1), counter: 42, created: WallTime(milliseconds: 1_795_356_127_112),
                text: "a\n\"b\" 🙂")),
        #"{"type":"message","id":"00000000-0000-4000-8000-000000000001","counter":42,"#
            + #""created":"2026-11-22T14:02:07.112Z","text":"a\n\"b\" 🙂"}"#
    ),
    (
        .message(.init(id: MessageID(random: 0, 1), counter: 1, created: nil, text: "x")),
        #"{"type":"message","id":"00000000-0000-4000-8000-000000000001","counter":1,"text":"x"}"#
    ),
    (
        .receipt([MessageID(random: 0, 1), MessageID(random: 0, 2)]),
        #"{"type":"receipt","ids":["00000000-0000-4000-8000-000000000001","00000000-0000-4000-8000-000000000002"]}"#
    ),
    (.read(upTo: 9), #"{"type":"read","counter":9}"#),
    (.typing(true), #"{"type":"typing","on":true}"#),
    (.active(false), #"{"type":"active","on":false}"#),
    (
        .refused(MessageID(random: 0, 1), reason: "too long"),
        #"{"type":"refused","id":"00000000-0000-4000-8000-000000000001","reason":"too long"}"#
    ),
    (
        .candidates(
            .init(host: [.loopback(1)], reflexive: [Samples.v6], mapped: [Endpoint(address: .v4(0xCB00_7101), port: 9)])
        ),
        #"{"type":"candidates","mapped":["203.0.113.1:9"],"reflexive":["[2001:db8::7]:50001"],"#
            + #""host":["127.0.0.1:1"]}"#
    ),
    (.candidates(.init()), #"{"type":"candidates","mapped":[],"reflexive":[],"host":[]}"#),
    (.punch(round: 1, isAnswer: false), #"{"type":"punch","round":1,"answer":false}"#),
    (.punch(round: 3, isAnswer: true), #"{"type":"punch","round":3,"answer":true}"#),
    (
        .hello(.init(instance: 7, contact: true, relays: true)),
        #"{"type":"hello","version":1,"instance":"0000000000000007","contact":true,"relay":true}"#
    ),
    (.relaying(true), #"{"type":"relaying","on":true}"#),
    (.relay(.wanted(to: Samples.bob)), #"{"type":"relay","to":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}"#),
    (
        .relay(.opened(to: Samples.bob, RelayChannel(0x0102_0304_0506_0708))),
        #"{"type":"relay","to":"7c9e6679-7425-40de-944b-e07fc1f90ae7","channel":"AQIDBAUGBwg"}"#
    ),
    (
        .relay(.refused(to: Samples.bob, reason: "no")),
        #"{"type":"relay","to":"7c9e6679-7425-40de-944b-e07fc1f90ae7","reason":"no"}"#
    ),
    (
        .relay(.offered(from: Samples.alice, RelayChannel(1))),
        #"{"type":"relay","from":"1d42741a-e9cf-8815-8140-d20c71a4a32b","channel":"AAAAAAAAAAE"}"#
    ),
]

private func read(_ text: String) -> FrameReading { SessionFrame.read(Array(text.utf8)) }

@Suite struct `A frame of a session` {
    @Test(arguments: golden.indices)
    func `is these bytes, and these bytes are it`(index: Int) {
        let (frame, text) = golden[index]
        #expect(String(decoding: frame.encoded(), as: UTF8.self) == text)
        #expect(read(text) == .frame(frame))
    }

    @Test(arguments: golden.indices)
    func `cut short anywhere is refused`(index: Int) {
        let bytes = Array(golden[index].1.utf8)
        for count in 0..<bytes.count {
            guard case .faulty = SessionFrame.read(bytes[..<count]) else {
                Issue.record("\(count) bytes of \(golden[index].1) were taken")
                return
            }
        }
    }

    @Test func `unknown members are ignored, an unknown type is no error`() {
        #expect(read(#"{"x":[1,{}],"type":"accepted","y":null}"#) == .frame(.accepted))
        #expect(read(#"{"type":"from the future","id":7}"#) == .unknownType)
    }

    @Test(arguments: [
        (#"{}"#, "type"), (#"{"type":7}"#, "type"), (#"{"type":"typing"}"#, "on"), (#"{"type":"active","on":1}"#, "on"),
        (#"{"type":"hello","version":0,"instance":"0000000000000007","contact":true}"#, "version"),
        (#"{"type":"hello","version":1,"instance":"7","contact":true}"#, "instance"),
        (#"{"type":"hello","version":1,"instance":"+000000000000007","contact":true}"#, "instance"),
        (#"{"type":"hello","version":1,"instance":"0000000000000007"}"#, "contact"),
        (#"{"type":"hello","version":1,"instance":"0000000000000007","contact":true,"name":7}"#, "name"),
        (#"{"type":"contact","proof":"AAEC"}"#, "proof"), (#"{"type":"contact","proof":7}"#, "proof"),
        (#"{"type":"read","counter":0}"#, "counter"), (#"{"type":"read","counter":1.5}"#, "counter"),
        (#"{"type":"read","counter":9223372036854775808}"#, "counter"), (#"{"type":"receipt","ids":[]}"#, "ids"),
        (#"{"type":"receipt","ids":["x"]}"#, "ids"), (#"{"type":"receipt","ids":7}"#, "ids"),
        (#"{"type":"refused","id":"x","reason":"y"}"#, "id"), (#"{"type":"relaying","on":1}"#, "on"),
        (#"{"type":"hello","version":1,"instance":"0000000000000007","contact":true,"relay":1}"#, "relay"),
        (#"{"type":"relay"}"#, "to"), (#"{"type":"relay","to":"bob"}"#, "to"), (#"{"type":"relay","to":7}"#, "to"),
        (#"{"type":"relay","from":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}"#, "channel"),
        (#"{"type":"relay","from":"x","channel":"AAAAAAAAAAE"}"#, "from"),
        (#"{"type":"relay","to":"7c9e6679-7425-40de-944b-e07fc1f90ae7","channel":"AAAAAAAAAA"}"#, "channel"),
        (#"{"type":"relay","to":"7c9e6679-7425-40de-944b-e07fc1f90ae7","channel":1}"#, "channel"),
    ])
    func `names the member that is unusable`(text: String, member: String) {
        #expect(read(text) == .faulty(.badMember(member), message: nil))
    }

    @Test(arguments: [
        (#""counter":1,"text":"""#, "text"), (#""counter":1,"text":7"#, "text"),
        (#""counter":0,"text":"x""#, "counter"),
        (#""counter":-1,"text":"x""#, "counter"), (#""text":"x""#, "counter"),
        (#""counter":1,"text":"x","created":7"#, "created"),
    ])
    func `that is a message which can't be taken says which`(members: String, member: String) {
        let id = "00000000-0000-4000-8000-000000000001"
        #expect(
            read(#"{"type":"message","id":"\#(id)",\#(members)}"#)
                == .faulty(.badMember(member), message: MessageID(id)))
    }

    @Test func `holds a text of 64 KiB, whatever its characters, and no more`() {
        for character in ["x", "\u{1}", "\u{1F642}"] {
            let text = String(repeating: character, count: WireLimits.text / character.utf8.count)
            let frame = SessionFrame.message(.init(id: MessageID(random: 0, 1), counter: 1, created: nil, text: text))
            #expect(frame.encoded().count <= WireLimits.frame)
            #expect(SessionFrame.read(frame.encoded()) == .frame(frame))
            let longer = SessionFrame.message(
                .init(id: MessageID(random: 0, 1), counter: 1, created: nil, text: text + character))
            guard case .faulty(.tooLong, MessageID(random: 0, 1)) = SessionFrame.read(longer.encoded()) else {
                Issue.record("too much was taken")
                return
            }
        }
        let padding = Array(repeating: UInt8(ascii: " "), count: WireLimits.frame)
        #expect(SessionFrame.read(padding + SessionFrame.accepted.encoded()) != .frame(.accepted))
    }

    @Test func `acknowledges 1024 messages and no more`() {
        let ids = (0...WireLimits.receipts).map { MessageID(random: 0, UInt64($0)) }
        let most = SessionFrame.receipt(Array(ids.dropLast()))
        #expect(SessionFrame.read(most.encoded()) == .frame(most))
        #expect(SessionFrame.read(SessionFrame.receipt(ids).encoded()) == .faulty(.badMember("ids"), message: nil))
    }

    @Test func `cuts names and reasons, and an empty name is none`() {
        let long = String(repeating: "é", count: 500)
        let name = String(repeating: "é", count: WireLimits.name)
        #expect(
            SessionFrame.read(SessionFrame.contact(proof: nil, name: long).encoded())
                == .frame(.contact(proof: nil, name: name)))
        #expect(read(#"{"type":"contact","name":"\#(long)"}"#) == .frame(.contact(proof: nil, name: name)))
        #expect(read(#"{"type":"contact","name":""}"#) == .frame(.contact(proof: nil, name: nil)))
        guard
            case .frame(.refused(_, let reason)) = read(
                #"{"type":"refused","id":"00000000-0000-4000-8000-000000000001","reason":"\#(long)"}"#)
        else { return #expect(Bool(false)) }
        #expect(reason.unicodeScalars.count == 200)
    }

    @Test(arguments: 0..<4)
    func `mutated is refused or read, and what is read means the same when it is written again`(seed: UInt64) {
        var chance = SplitMix64(seed: seed)
        var taken = 0
        for _ in 0..<12_500 {
            var bytes = Array(golden[Int.random(in: golden.indices, using: &chance)].1.utf8)
            for _ in 0...Int.random(in: 0...2, using: &chance) {
                let place = Int.random(in: bytes.indices, using: &chance)
                switch Int.random(in: 0...3, using: &chance) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &chance)
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &chance), at: place)
                case 2: bytes.insert(contentsOf: bytes[place...].prefix(9), at: place)
                default: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            guard case .frame(let frame) = SessionFrame.read(bytes) else { continue }
            taken += 1
            #expect(SessionFrame.read(frame.encoded()) == .frame(frame))
        }
        #expect((100..<12_500).contains(taken))
    }
}
