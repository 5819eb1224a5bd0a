// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

@Suite struct PeerTests {
    @Test func `an invited stranger is announced and takes no focus`() {
        var session = Session()
        session.type("typing")
        session.tell(.request(Session.stranger, name: nil, text: "hi, who are you?", invited: true))
        #expect(session.state.current == Session.bob)
        #expect(session.draft == "typing")
        #expect(session.row(with: "57a99e12 wants to talk · Alt+R") != nil)
        #expect(session.takeEffects() == [.bell])
    }

    @Test func `answering a stranger accepts it first`() {
        var session = Session()
        session.hear("hi", from: Session.stranger)
        session.type("<a-r><enter>")
        #expect(session.row(with: "wants to talk · /accept · /ignore · /block") != nil)
        session.type("hello<enter>")
        #expect(session.takeEffects() == [.accept(Session.stranger), .send(to: Session.stranger, text: "hello")])
        session.tell(.contacts(Session.book + [Contact(peer: Session.stranger, accepted: true)]))
        #expect(session.row(with: "wants to talk") == nil)
        #expect(session.row(with: "hi") != nil)
    }

    @Test(arguments: [
        ("<enter>/accept<enter>", ChatEffect.accept(Session.stranger)),
        ("<enter>/ignore<enter>", .ignore(Session.stranger)), ("<enter>/block<enter>", .block(Session.stranger)),
        ("a", .accept(Session.stranger)), ("i", .ignore(Session.stranger)), ("b", .block(Session.stranger)),
    ])
    func `a request is accepted, ignored or blocked`(script: String, effect: ChatEffect) {
        var session = Session()
        session.hear("hi", from: Session.stranger)
        session.type("<a-r>\(script)")
        #expect(session.takeEffects() == [effect])
    }

    @Test func `a blocked peer leaves the screen`() {
        var session = Session()
        session.hear("hi", from: Session.stranger)
        session.type("<a-r><enter>")
        session.tell(.contacts(Session.book + [Contact(peer: Session.stranger, accepted: false, blocked: true)]))
        #expect(session.state.current == Session.bob)
        session.hear("still there", from: Session.stranger)
        #expect(session.row(with: "57a99e12") == nil)
    }

    @Test func `a flood of strangers is bounded and spares what the user began`() {
        var session = Session()
        let first = PeerID(high: 1 << 63, low: 1)
        session.hear("first", from: first)
        session.type("<a-r><enter>answer<c-p>")
        for number in 0..<500 {
            session.hear("buy", from: PeerID(high: 0x5bad_0000_0000_8000, low: UInt64(number)))
        }
        #expect(session.state.conversations.count { $0.isRequest } == ChatState.requestLimit)
        #expect(session.state.index(of: first) != nil)
    }

    @Test func `the log of a conversation that is not open stays short`() {
        var session = Session()
        for _ in 0..<1500 { session.hear("talk", from: Session.carol) }
        for _ in 0..<1500 { session.hear("spam", from: Session.stranger) }
        for conversation in session.state.conversations {
            #expect(conversation.log.count <= 2 * Conversation.closedLimit)
        }
        #expect(session.state.conversations[1].unread == 1500)
    }

    @Test func `contacts keep the book's order and strangers stand elsewhere`() {
        var session = Session(contacts: false)
        session.hear("hi", from: Session.stranger)
        session.hear("hi", from: Session.dave)
        session.tell(.contacts(Session.book))
        #expect(session.state.shown.map(\.contact.label) == ["bob", "carol", "dave"])
        #expect(session.state.requests.map(\.peer) == [Session.stranger])
        #expect(session.state.current == Session.bob)
    }

    @Test func `a removed contact goes, an open one gives way`() {
        var session = Session()
        session.tell(.contacts(Array(Session.book.dropFirst())))
        #expect(session.state.current == Session.carol)
        #expect(session.state.index(of: Session.bob) == nil)
    }

    @Test func `what was begun before anybody was open goes along`() {
        var session = Session(contacts: false)
        session.type("hello?<enter>")
        session.tell(.contacts(Session.book))
        #expect(session.draft == "hello?")
        session.type("<enter>")
        #expect(session.takeEffects() == [.send(to: Session.bob, text: "hello?")])
    }

    @Test func `a thousand contacts fit every layout, the open one in sight`() {
        var session = Session(size: Size(columns: 40, rows: 12))
        let many = (0..<1000).map {
            Contact(peer: PeerID(high: 0x8000, low: UInt64($0)), name: "peer\($0)", accepted: true)
        }
        session.tell(.contacts(many))
        session.type("/go 777<enter>")
        #expect(session.row(with: "777:peer776") != nil)
        session.resize(120, 36)
        #expect(session.row(with: "○ peer776") != nil)
    }

    @Test func `renaming shows at once`() {
        var session = Session()
        session.hear("it is me")
        session.tell(.contacts([Contact(peer: Session.bob, name: "robert", accepted: true)]))
        #expect(session.row(with: "robert  it is me") != nil)
    }

    @Test(arguments: [
        (DeliveryState.queued, "looking" as String?, "…  me   hi", "(waiting: looking)"),
        (.sent, nil, "›  me   hi", "sent · plain"),
        (.delivered, nil, "✓  me   hi", "delivered · plain"), (.read, nil, "✓✓ me   hi", "read · plain"),
        (.failed, "no answer", "✗  me   hi", "(not sent: no answer · /retry)"),
    ])
    func `a message's state is a sign and words`(state: DeliveryState, reason: String?, sign: String, words: String)
        throws
    {
        var session = Session()
        let id = session.say("hi", state: .queued)
        session.tell(.messageState(id, to: Session.bob, state, reason: reason))
        let row = try #require(session.row(with: sign))
        #expect(row.hasSuffix(words))
    }

    @Test func `states only move forward`() {
        var session = Session()
        let id = session.say("hi", state: .queued)
        session.tell(.messageState(id, to: Session.bob, .sent, reason: nil))
        session.tell(.messageState(id, to: Session.bob, .queued, reason: "late"))
        #expect(session.row(with: "sent · plain") != nil)
        #expect(session.state.waiting == 0)
    }

    @Test func `a secure message is not marked plain`() throws {
        var session = Session()
        session.tell(.path(Session.bob, .direct, roundTrip: nil, reason: nil))
        session.hear("whisper", secure: true)
        let row = try #require(session.row(with: "whisper"))
        #expect(!row.contains("plain"))
        #expect(session.frame.lines[0].hasSuffix("e2e"))
    }

    @Test func `the status line follows the index`() {
        var session = Session()
        #expect(session.row(with: "index ok 0.4 ms") != nil)
        session.tell(.index(server: "127.0.0.1:50000", .unreachable("no answer for 15 s")))
        #expect(session.row(with: "index unreachable: no ans… · listening") != nil)
        session.tell(.index(server: "[::1]:50000", .ok(.zero)))
        #expect(session.row(with: "index 1 of 2 ok") != nil)
        session.tell(.index(server: "127.0.0.1:50000", .sameServer(as: "[::1]:50000")))
        #expect(session.row(with: "index 2 of 2 ok") != nil)
    }

    @Test func `a notice stands in its conversation and is counted, not repeated`() {
        var session = Session()
        for _ in 0..<3 { session.tell(.notice("asked 127.0.0.1:50000 for 15 s, no answer", about: Session.bob)) }
        #expect(session.row(with: "– asked 127.0.0.1:50000 for 15 s, no answer (3 times)") != nil)
        session.tell(.notice("carol moved", about: Session.carol))
        #expect(session.flash == "carol: carol moved")
    }

    @Test func `the bell rings once for each batch of news`() {
        var session = Session()
        for _ in 0..<100 { session.hear("news", from: Session.carol) }
        for _ in 0..<10 { session.hear("@alice!", from: Session.carol) }
        session.hear("news")
        #expect(session.takeEffects() == [.bell, .bell])
    }

    @Test func `what went wrong goes from the status line after two minutes`() {
        var session = Session()
        session.tell(.failed("something happened", nil))
        #expect(session.flash == "something happened")
        for minute in 32...34 { session.tell(.clock(session.at(minute), offset: 0)) }
        #expect(session.flash == nil)
    }

    @Test func `days are told apart in local time`() {
        var session = Session()
        session.tell(.clock(session.at(31), offset: 10 * 3600))
        session.hear("before midnight", minute: -1)
        session.hear("after midnight", minute: 0)
        #expect(session.row(with: "Sun 22 Nov") != nil)
        #expect(session.row(with: "Mon 23 Nov") != nil)
        #expect(session.row(with: "00:00    bob  after midnight") != nil)
    }

    @Test func `text and names from others are shown harmless`() {
        var session = Session()
        session.tell(.contacts([Contact(peer: Session.bob, name: "b\u{202E}ob\u{1B}[31m", accepted: true)]))
        session.hear("a\u{1B}]0;x\u{7}b\u{202E}c\ttab\r\nnext\rlast")
        #expect(session.row(with: "a‹ESC›]0;x‹BEL›b‹RLO›c    tab") != nil)
        #expect(session.row(with: "next‹CR›last") != nil)
        #expect(session.row(with: "bob[31m ›") != nil)
    }
}
