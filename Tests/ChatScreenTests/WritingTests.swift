// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

@Suite struct WritingTests {
    @Test func `enter sends the draft to the open peer and clears it`() {
        var session = Session()
        session.type("hello<enter>")
        #expect(session.takeEffects() == [.send(to: Session.bob, text: "hello")])
        #expect(session.draft == "")
    }

    @Test func `a blank line is not sent`() {
        var session = Session()
        session.type("  <enter><enter>")
        #expect(session.takeEffects() == [])
    }

    @Test func `alt enter and ctrl j write a new line`() {
        var session = Session()
        session.type("a<a-enter>b<c-j>c<enter>")
        #expect(session.takeEffects() == [.send(to: Session.bob, text: "a\nb\nc")])
    }

    @Test func `a paste never sends, however many lines it has`() {
        var session = Session()
        session.paste("one\r\ntwo\nthree\n")
        #expect(session.takeEffects() == [])
        #expect(session.draft == "one\ntwo\nthree\n")
        #expect(session.screen.contains("[4 lines]"))
        session.type("<enter>")
        #expect(session.takeEffects() == [.send(to: Session.bob, text: "one\ntwo\nthree\n")])
    }

    @Test func `drafts stay with their peer`() {
        var session = Session()
        session.type("for bob<c-n>for carol")
        #expect(session.state.current == Session.carol)
        #expect(session.screen.contains("draft: bob"))
        session.type("<c-p>")
        #expect(session.draft == "for bob")
        session.type("<c-n><enter>")
        #expect(session.takeEffects() == [.send(to: Session.carol, text: "for carol")])
    }

    @Test func `arrows bring back lines written to this peer`() {
        var session = Session()
        session.type("one<enter>two<enter><c-n><up>")
        #expect(session.draft == "")
        session.type("<c-p>unfinished<up><up>")
        #expect(session.draft == "one")
        session.type("<down><down>")
        #expect(session.draft == "unfinished")
    }

    @Test func `ctrl c clears the line and up brings it back`() {
        var session = Session()
        session.type("a thought<c-c>")
        #expect(session.draft == "")
        session.type("<up>")
        #expect(session.draft == "a thought")
        #expect(session.takeEffects() == [])
    }

    @Test func `ctrl c twice on an empty line quits, with anything between it does not`() {
        var session = Session()
        session.type("<c-c>")
        #expect(session.flash == "Ctrl+C again to quit")
        session.type("x<bs><c-c>")
        #expect(session.takeEffects() == [])
        session.type("<c-c>")
        #expect(session.takeEffects() == [.quit])
    }

    @Test func `a hint goes with the next key, or after its time`() throws {
        func order(_ session: inout Session) -> [ChatEffect] {
            session.takeAllEffects().filter { if case .endHint = $0 { true } else { false } }
        }
        var session = Session()
        _ = order(&session)
        session.type("<c-c>")
        let orders = order(&session)
        guard case .endHint(let number, 3)? = orders.first else {
            Issue.record("it should go after three seconds: \(orders)")
            return
        }
        session.tell(.hintOver(number))
        #expect(session.flash == nil)
        session.type("<c-c>")
        #expect(session.takeEffects() == [], "and what it offered is over")
        session.tell(.hintOver(number))
        #expect(session.flash == "Ctrl+C again to quit", "the end of another one")
        session.type("<a-m>")
        #expect(session.flash?.hasPrefix("mouse wheel on") == true)
        session.type("x")
        #expect(session.flash == nil)
    }

    @Test func `what comes while somebody writes stays for ten seconds, and what is wrong until it is put right`() {
        var session = Session()
        _ = session.takeAllEffects()
        session.tell(.contacts([Contact(peer: Session.bob, nickname: "robert", accepted: true)]))
        #expect(session.takeAllEffects().contains(.endHint(1, seconds: 10)))
        session.type("hello")
        #expect(session.flash?.contains("/nick and Tab names it so") == true)
        session.tell(.hintOver(1))
        #expect(session.flash == nil && session.row(with: "index ok") != nil)
        session.type("<enter>/dance<enter>")
        session.tell(.hintOver(1))
        #expect(session.flash?.hasPrefix("no command") == true)
        let isTimed = session.takeAllEffects().contains { if case .endHint = $0 { true } else { false } }
        #expect(!isTimed)
    }

    @Test func `quitting says what still waits`() {
        var session = Session()
        session.say("one", state: .queued)
        session.say("two", state: .queued)
        session.type("<c-c>")
        #expect(session.flash == "2 messages waiting for bob – they stay queued: Ctrl+C again to quit")
        session.type("/quit<enter>")
        #expect(session.takeEffects() == [])
        #expect(session.flash == "2 messages waiting for bob – they stay queued: Enter again quits")
        session.type("<enter>")
        #expect(session.takeEffects() == [.quit])
    }

    @Test func `escape never quits and never clears text`() {
        var session = Session()
        session.type("text<esc><esc><esc><esc>")
        #expect(session.draft == "text")
        #expect(session.takeEffects() == [])
    }

    @Test func `a refused text is given back where it was written`() {
        var session = Session()
        session.type("//too long<enter><c-n>")
        let sent = session.takeEffects()
        #expect(sent == [.send(to: Session.bob, text: "/too long")])
        session.tell(.failed("a datagram holds 1,024 bytes", sent.first))
        #expect(session.flash == "a datagram holds 1,024 bytes")
        #expect(session.draft == "")
        session.type("<c-p>")
        #expect(session.draft == "//too long")
    }

    @Test func `a refused text does not disturb what is being written`() {
        var session = Session()
        session.type("first<enter>second")
        session.tell(.failed("no", .send(to: Session.bob, text: "first")))
        #expect(session.draft == "second")
        session.type("<up>")
        #expect(session.draft == "first")
    }

    @Test func `without an open conversation nothing is sent and the text stays`() {
        var session = Session(contacts: false)
        session.type("hello?<enter>")
        #expect(session.takeEffects() == [])
        #expect(session.draft == "hello?")
        #expect(session.flash == "nobody to write to yet: /add INVITE NAME")
    }

    @Test func `a full draft says so`() {
        var session = Session()
        session.paste(String(repeating: "x", count: 70_000))
        #expect(session.draft.utf8.count == LineEditor.byteLimit)
        #expect(session.flash == "a draft holds 64 KiB: the rest was left out")
    }

    @Test func `cut text can be put back in another conversation`() {
        var session = Session()
        session.type("moved<c-u><c-n><c-y>")
        #expect(session.draft == "moved")
    }

    @Test func `the input grows and the cursor follows`() {
        var session = Session()
        session.paste("one\ntwo\nthree")
        #expect(session.frame.cursor == Point(column: 12, row: 22))
        #expect(session.row(with: "one") == " bob › one")
    }

    @Test(arguments: [(80, 24), (40, 12), (30, 4)])
    func `a refusal is read at every size, popup or not`(columns: Int, rows: Int) {
        var session = Session(size: Size(columns: columns, rows: rows))
        session.type("/add<enter>")
        #expect(session.row(with: "! usage: /add INVITE [NAME]") != nil)
    }

    @Test func `a path out of reach says why`() {
        var session = Session()
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: nil))
        #expect(session.row(with: "no path") == nil)
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: "no answer for 15 s"))
        #expect(session.row(with: "no path: no answer for 15 s") != nil)
    }

    @Test func `terminal keys are effects`() {
        var session = Session()
        session.type("<c-l><c-z><a-m><a-m>")
        session.tell(.terminal(.hangup))
        #expect(session.takeEffects() == [.redraw, .suspend, .setMouse(true), .setMouse(false), .quit])
    }
}
