// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

@Suite struct DeliveryTests {
    @Test func `only the newest waiting message says why`() throws {
        var session = Session()
        for number in 1...3 { session.say("number \(number);", state: .queued, reason: "bob is away, next try in 8 s") }
        #expect(session.row(with: "number 1;")?.hasSuffix("(waiting)") == true)
        #expect(session.frame.lines.filter { $0.contains("(waiting: bob is away, next try in 8 s)") }.count == 1)
    }

    @Test func `a waiting message without a reason has that of the path`() {
        var session = Session()
        session.say("hi", state: .queued)
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: "no answer"))
        #expect(session.row(with: "(waiting: no answer)") != nil)
    }

    @Test func `what left and was not confirmed says why once the path is gone`() {
        var session = Session()
        session.say("hi", state: .sent)
        #expect(session.row(with: "not confirmed") == nil)
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: "no answer"))
        #expect(session.row(with: "(sent, not confirmed: no answer)") != nil)
        session.say("to a peer that never confirms", to: Session.dave, state: .sent)
        session.tell(.path(Session.dave, .none, roundTrip: nil, reason: "no answer"))
        session.type("<a-3>")
        #expect(session.row(with: "not confirmed") == nil)
    }

    @Test func `retry is for what failed and what waits, here`() {
        var session = Session()
        let failed = session.say("one", state: .failed)
        session.say("two", state: .delivered)
        let waiting = session.say("three", state: .queued)
        session.say("elsewhere", to: Session.carol, state: .failed)
        session.type("/retry<enter>")
        #expect(session.takeEffects() == [.retry(failed), .retry(waiting)])
    }

    @Test func `a failed message may begin again, a delivered one may not`() {
        var session = Session()
        let failed = session.say("one", state: .failed)
        let delivered = session.say("two", state: .delivered)
        session.tell(.messageState(failed, to: Session.bob, .queued, reason: nil))
        session.tell(.messageState(delivered, to: Session.bob, .queued, reason: nil))
        #expect(session.state.waiting == 1)
        #expect(session.row(with: "✓  me   two") != nil)
    }

    @Test func `a message of the peer with the ID of ours does not pass for it`() {
        var session = Session()
        let id = session.say("mine", state: .queued)
        session.tell(
            .message(
                Message(
                    id: id, peer: Session.bob, direction: .incoming, text: "theirs", created: nil,
                    received: session.at(31), state: .delivered, secure: true)))
        #expect(session.row(with: "theirs") != nil)
        #expect(session.state.waiting == 1)
    }

    @Test(arguments: [
        ("<a-s>y", [ChatEffect.copy("newest")]), ("<a-s><up><up>y", [.copy("first")]),
        ("<a-s><up><up><up><up>y", [.copy("first")]), ("<a-s><up><down><down>y", [.copy("newest")]),
        ("/select<enter>y", [.copy("newest")]),
        ("<a-s>r", []), ("<a-s>c", []), ("<a-s>x", []), ("<a-s><esc>y", []),
    ])
    func `a message is picked out and copied`(script: String, effects: [ChatEffect]) {
        var session = Session()
        for text in ["first", "second", "newest"] { session.hear(text) }
        session.type(script)
        #expect(session.takeEffects() == effects)
    }

    @Test func `a picked out message is retried, taken back, or deleted when asked twice`() {
        var session = Session()
        let waiting = session.say("waiting", state: .queued)
        let failed = session.say("failed", state: .failed)
        session.type("<a-s>r")
        #expect(session.takeEffects() == [.retry(failed)])
        session.type("<a-s><up>c")
        #expect(session.takeEffects() == [.cancel(waiting)])
        session.type("<a-s>xix")
        #expect(session.takeEffects() == [])
        session.type("<esc><a-s>x<up>x<esc>")
        #expect(session.takeEffects() == [])
        session.type("<a-s>xx")
        #expect(session.takeEffects() == [.erase(failed, of: Session.bob)])
        session.tell(.forgotten(Session.bob, failed))
        #expect(session.row(with: "failed") == nil)
    }

    @Test func `a quote stands before what is written`() {
        var session = Session()
        session.hear("one\ntwo")
        session.type("answer<a-s>q")
        #expect(session.draft == "> one\n> two\nanswer")
    }

    @Test func `a picked out message far up is brought into sight`() {
        var session = Session()
        for number in 1...150 { session.hear("number \(number);") }
        session.type("<a-s>")
        for _ in 0..<5 { session.type("<pgup>") }
        #expect(session.row(with: "number 100;") != nil)
        for _ in 0..<5 { session.type("<pgdn>") }
        #expect(session.row(with: "number 150;") != nil)
    }

    @Test func `the info names everything`() throws {
        var session = Session(size: Size(columns: 120, rows: 36))
        let id = session.say("hi", state: .failed, reason: "no answer")
        session.type("<a-s>i")
        for words in ["\(id)", "\(Session.bob)", "Sun 22 Nov 2026 14:30:00", "not sent: no answer", "IN THE OPEN"] {
            #expect(session.row(with: words) != nil, "\(words)")
        }
    }

    @Test func `quitting says that what waits stays queued`() {
        var session = Session()
        session.say("one", state: .queued)
        session.type("/quit<enter>")
        #expect(session.flash == "1 message waiting for bob – it stays queued: Enter again quits")
    }

    @Test func `forgetting asks once`() {
        var session = Session()
        session.hear("secret")
        session.type("/forget<enter>")
        #expect(session.takeEffects() == [])
        #expect(session.flash == "all texts with bob go from this disk: Enter again deletes them")
        session.type("<enter>")
        #expect(session.takeEffects() == [.forget(Session.bob)])
        session.disk = [:]
        session.tell(.forgotten(Session.bob, nil))
        #expect(session.row(with: "secret") == nil)
    }
}
