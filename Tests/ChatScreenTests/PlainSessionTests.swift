// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import Model
import SafeText
import Testing

@Suite struct PlainSessionTests {
    private let me = PeerID(high: 1, low: 2)
    private let bob = PeerID(high: 0x4f2a_91c0_0000_8000, low: 0x8000_0000_0000_0001)
    private var chat: PlainChat

    init() {
        chat = PlainChat(me: me, name: "alice")
        _ = chat.hear(.clock(WallTime(milliseconds: 50_520_000), offset: 0))
    }

    private mutating func befriend(alarm: String? = nil) -> [DisplayText] {
        chat.hear(.contacts([Contact(peer: bob, name: "bob", accepted: true, alarm: alarm)]))
    }

    private mutating func say(_ number: UInt64) -> MessageID {
        let id = MessageID(random: number, number)
        let message = Message(
            id: id, peer: bob, direction: .outgoing, text: "hi", created: nil, received: WallTime(milliseconds: 0),
            state: .queued, secure: true)
        _ = chat.hear(.message(message))
        return id
    }

    @Test mutating func `each state that matters is one line, once`() {
        _ = befriend()
        let id = say(1)
        #expect(
            chat.hear(.messageState(id, to: bob, .queued, reason: "bob is away")) == [
                "14:02 waiting for bob: bob is away [hi]"
            ])
        #expect(chat.hear(.messageState(id, to: bob, .sent, reason: nil)) == [])
        #expect(chat.hear(.messageState(id, to: bob, .delivered, reason: nil)) == ["14:02 delivered to bob [hi]"])
        #expect(chat.hear(.messageState(id, to: bob, .delivered, reason: nil)) == [])
        #expect(chat.hear(.messageState(id, to: bob, .read, reason: nil)) == ["14:02 read by bob [hi]"])
    }

    @Test mutating func `retry takes what failed and what waits`() {
        _ = befriend()
        let ids = [say(1), say(2), say(3)]
        _ = chat.hear(.messageState(ids[0], to: bob, .failed, reason: nil))
        _ = chat.hear(.messageState(ids[1], to: bob, .queued, reason: "away"))
        _ = chat.hear(.messageState(ids[2], to: bob, .delivered, reason: nil))
        #expect(chat.enter("/retry").effects == [.retry(ids[0]), .retry(ids[1])])
    }

    @Test mutating func `an invited stranger is announced, any other is listed when asked for`() {
        #expect(chat.hear(.request(bob, name: "erin\u{1B}", text: "hi", invited: false)) == [])
        let lines = chat.hear(.request(bob, name: "erin\u{1B}", text: "hi", invited: true))
        #expect(
            lines.first?.string == "14:02 \(bob), which calls itself \"erin\", has your invite and wants to talk: hi")
        _ = chat.hear(.contacts([Contact(peer: bob, nickname: "erin", accepted: false, invited: true)]))
        #expect(
            chat.enter("/requests").lines.first?.string
                == "14:02 \(bob) has your invite, calls itself \"erin\": hi")
        #expect(chat.enter("/accept \(bob.shortDigits)").effects == [.accept(bob)])
        #expect(chat.enter("/ignore \(bob.shortDigits)").effects == [.ignore(bob)])
    }

    @Test mutating func `digits are read out and the answer is taken`() {
        _ = befriend()
        #expect(chat.enter("/verify bob").lines.count == 1)
        _ = chat.hear(.digits(me, "111112222233333444445555566666"))
        _ = chat.hear(.digits(bob, "77777 88888 99999 00000 11111 22222"))
        let lines = chat.enter("/verify bob").lines
        #expect(lines.first == "14:02 your digits: 11111 22222 33333 44444 55555 66666")
        #expect(lines.dropFirst().first == "14:02 bob: 77777 88888 99999 00000 11111 22222")
        #expect(chat.enter("/verify bob yes").effects == [.verify(bob, true)])
        #expect(chat.enter("/verify bob no").effects == [.verify(bob, false)])
    }

    @Test mutating func `an alarm is told once`() {
        #expect(befriend(alarm: "key changed") == ["14:02 ALARM about bob: key changed. Nothing is sent to it."])
        #expect(befriend(alarm: "key changed") == [])
    }

    @Test mutating func `hits are lines, those of an earlier search are not`() {
        _ = befriend()
        #expect(chat.enter("/search two words").effects == [.search("two words", in: nil, token: 1)])
        let hit = SearchHit(
            peer: bob, id: MessageID(random: 1, 1), direction: .incoming, received: WallTime(milliseconds: 0),
            before: "the ", match: "two\nwords", after: " here")
        #expect(chat.hear(.found(token: 0, [hit], more: false)) == [])
        #expect(chat.hear(.found(token: 1, [hit], more: false)) == ["Thu 1 Jan 1970 00:00 bob: the two words here"])
    }

    @Test(arguments: [
        ("/forget", ChatEffect.forget(PeerID(high: 0x4f2a_91c0_0000_8000, low: 0x8000_0000_0000_0001))),
        ("/invite new", .renewInvite),
    ])
    mutating func `what can't be undone is asked about`(line: String, effect: ChatEffect) {
        _ = befriend()
        _ = chat.enter("/go bob")
        #expect(chat.enter(line).effects == [])
        #expect(chat.enter(line).effects == [effect])
        #expect(chat.enter(line).effects == [])
    }

    @Test mutating func `an invite is shown, and one of others is added`() {
        _ = chat.hear(.invite("parley:mine"))
        #expect(chat.enter("/invite").lines == ["14:02 parley:mine"])
        #expect(chat.enter("parley:theirs erin").effects == [.addInvite("parley:theirs", name: "erin")])
    }
}
