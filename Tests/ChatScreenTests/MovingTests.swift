// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

@Suite struct MovingTests {
    @Test(arguments: [
        ("<c-n>", Session.carol), ("<c-n><c-n><c-n>", Session.bob), ("<c-p>", Session.dave), ("<a-3>", Session.dave),
        ("<a-9>", Session.bob), ("<a-down>", Session.carol), ("<a-2><a-/>", Session.bob),
        ("<a-2><a-/><a-/>", Session.carol), ("<c-k>ca<enter>", Session.carol), ("<c-k><down><enter>", Session.carol),
        ("<c-k>ca<esc>", Session.bob), ("<c-k>zzz<enter>", Session.bob), ("/go 3<enter>", Session.dave),
        ("/go carol<enter>", Session.carol), ("text<c-a><c-k>", Session.bob),
    ])
    func `keys lead to conversations`(script: String, peer: PeerID) {
        var session = Session()
        session.type(script)
        #expect(session.state.current == peer)
        #expect(session.state.overlay == nil)
    }

    @Test func `alt a goes to who names you, then to the oldest unread, then back`() {
        var session = Session()
        session.hear("first", from: Session.carol, minute: 1)
        session.hear("for @alice!", from: Session.dave, minute: 2)
        session.type("<a-a>")
        #expect(session.state.current == Session.dave)
        session.type("<a-a>")
        #expect(session.state.current == Session.carol)
        session.type("<a-a>")
        #expect(session.state.current == Session.bob)
        session.type("<a-a>")
        #expect(session.flash == "nothing unread elsewhere")
    }

    @Test(arguments: [
        ("@alice", true), ("hey @Alice: look", true), ("@alicetown", false), ("alice", false), ("a@b @ALICE", true),
    ])
    func `an at sign and the name address the user`(text: String, addressed: Bool) {
        #expect(Session().state.names(text) == addressed)
    }

    @Test func `unread messages are counted, ruled off, and seen once opened`() {
        var session = Session()
        session.hear("before", from: Session.carol, minute: 1)
        session.type("<a-2><a-1>")
        session.hear("one", from: Session.carol, minute: 10)
        session.hear("two", from: Session.carol, minute: 11)
        #expect(
            session.row(with: " 2 ● carol")?.hasPrefix(" 2 ● carol   2") == true
                || session.row(with: "carol   2") != nil)
        session.type("<a-2>")
        #expect(session.row(with: "2 new since 14:10") != nil)
        #expect(session.state.conversation?.unread == 0)
        session.type("reply<enter>")
        #expect(session.row(with: "2 new since") == nil)
    }

    @Test func `the first unread message is found when many came`() {
        var session = Session()
        session.type("<a-2>")
        for number in 1...100 { session.hear("number \(number);") }
        session.type("<a-1>")
        #expect(session.row(with: "number 1;") != nil)
        #expect(session.row(with: "100 new since 14:30") != nil)
        #expect(session.row(with: "newer") != nil)
        session.type("<end>")
        #expect(session.row(with: "number 100;") != nil)
        session.type("<a-u>")
        #expect(session.row(with: "number 1;") != nil)
    }

    @Test func `what is read stays put while messages arrive`() {
        var session = Session()
        for number in 1...60 { session.hear("number \(number);") }
        session.type("<pgup>")
        let before = session.frame.lines.prefix(20).map { $0.dropFirst(15) }
        for number in 61...70 { session.hear("number \(number);") }
        #expect(session.frame.lines.prefix(20).map { $0.dropFirst(15) } == before)
        session.type("<esc>")
        #expect(session.row(with: "number 70;") != nil)
        #expect(session.row(with: "newer") == nil)
    }

    @Test func `paging up and down comes back to the bottom`() {
        var session = Session()
        for number in 1...200 { session.hear("number \(number);") }
        let bottom = session.frame.lines
        session.type("<pgup><pgup><a-pgup>")
        #expect(session.frame.lines != bottom)
        session.type("<pgdn><pgdn><a-pgdn><pgdn>")
        #expect(session.frame.lines == bottom)
        #expect(session.state.conversation?.anchor == nil)
    }

    @Test func `paging up ends at the first message`() {
        var session = Session()
        for number in 1...50 { session.hear("number \(number);") }
        for _ in 0..<20 { session.type("<pgup>") }
        #expect(session.frame.lines[1].contains("Sun 22 Nov"))
        #expect(session.frame.lines[2].contains("number 1;"))
    }

    @Test func `a short log does not scroll`() {
        var session = Session()
        session.hear("only one")
        session.type("<pgup>")
        #expect(session.state.conversation?.anchor == nil)
    }

    @Test func `sending goes to the bottom and alt slash returns`() {
        var session = Session()
        for number in 1...100 { session.hear("number \(number);") }
        session.type("<pgup><pgup>")
        let place = session.state.conversation?.anchor
        session.type("answer<enter>")
        #expect(session.state.conversation?.anchor == nil)
        session.type("<a-/>")
        #expect(session.state.conversation?.anchor == place)
    }

    @Test func `resizing keeps the bottom line and the draft`() {
        var session = Session()
        for number in 1...100 { session.hear("number \(number) with words enough to break on a narrow screen;") }
        session.type("a draft<pgup>")
        let before = session.frame.lines
        for (columns, rows) in [(40, 12), (120, 36), (1, 1), (300, 100), (80, 24)] { session.resize(columns, rows) }
        #expect(session.draft == "a draft")
        #expect(session.frame.lines == before)
    }

    @Test func `the wheel scrolls`() {
        var session = Session()
        for number in 1...100 { session.hear("number \(number);") }
        session.tell(.terminal(.wheel(-3)))
        #expect(session.row(with: "number 97;") != nil || session.row(with: "number 96;") != nil)
        #expect(session.row(with: "number 98;") == nil)
        session.tell(.terminal(.wheel(3)))
        #expect(session.state.conversation?.anchor == nil)
    }

    @Test func `the bare view holds words alone`() {
        var session = Session()
        session.hear("copy me")
        session.type("<a-l>")
        #expect(session.row(with: "copy me") == "bob: copy me")
        session.type("<a-l>")
        #expect(session.row(with: "PEERS") != nil)
    }

    @Test func `the peer list can be put away`() {
        var session = Session()
        session.type("<a-p>")
        #expect(session.row(with: "PEERS") == nil)
    }
}
