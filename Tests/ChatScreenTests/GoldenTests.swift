// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

/// Whole screens as text and styles, kept beside the tests. `PARLEY_RECORD=1` writes them anew, for a reader to judge.
@Suite struct GoldenTests {
    /// A conversation with everything in it.
    static func story(_ columns: Int, _ rows: Int, ascii: Bool = false) -> Session {
        var session = Session(ascii: ascii, size: Size(columns: columns, rows: rows))
        session.tell(.path(Session.bob, .plaintext, roundTrip: nil, reason: nil))
        session.tell(.path(Session.dave, .none, roundTrip: nil, reason: "no answer for 15 s"))
        session.say("pushed the fix, can you look?", minute: 2)
        session.type("<c-n>")
        session.hear("works here: 日本語 ok 👍", minute: 10)
        session.hear(
            "https://example.org/a/long/link/that/wraps?x=1&y=22222222222222222222222222222222222222222", minute: 10)
        session.hear("@alice are you there?", from: Session.carol, minute: 12)
        session.type("<c-p>")
        session.say("on my way", minute: 31, state: .queued, reason: "looking for bob")
        session.say(
            "first line\nsecond line", minute: 31, state: .failed, reason: "asked 127.0.0.1:50000 for 15 s, no answer")
        session.type("<c-n><c-n>")
        session.hear("@alice lunch?", from: Session.carol, minute: 20)
        session.type("half a thought<c-n>")
        session.hear("hello, may I?", from: Session.stranger, minute: 30)
        session.type("can you also check the")
        return session
    }

    @Test(arguments: [(120, 36), (80, 24), (40, 12), (40, 20), (30, 5), (20, 3), (12, 2)])
    func `a busy conversation looks as recorded`(columns: Int, rows: Int) throws {
        try check(GoldenTests.story(columns, rows).frame, "busy-\(columns)x\(rows)")
    }

    @Test(arguments: [(120, 36), (80, 24), (40, 12), (24, 6)])
    func `a first start shows what to do`(columns: Int, rows: Int) throws {
        let session = Session(size: Size(columns: columns, rows: rows), contacts: false)
        try check(session.frame, "welcome-\(columns)x\(rows)")
    }

    @Test func `the ASCII screen has every sign's twin`() throws {
        let frame = GoldenTests.story(80, 24, ascii: true).frame
        try check(frame, "ascii-80x24")
    }

    @Test(arguments: [(80, 24), (40, 12)])
    func `help lies over the log`(columns: Int, rows: Int) throws {
        var session = GoldenTests.story(columns, rows)
        session.type("<f1>")
        try check(session.frame, "help-\(columns)x\(rows)")
    }

    @Test func `unread messages stand under a rule`() throws {
        var session = Session(size: Size(columns: 120, rows: 36))
        session.say("pushed the fix, can you look?", minute: 2)
        session.type("<c-n>")
        session.hear("works here: 日本語 ok 👍", minute: 10)
        session.hear("shall we ship it?", minute: 11)
        session.type("<c-p>")
        try check(session.frame, "unread-120x36")
    }

    @Test func `the switcher lists who matches`() throws {
        var session = GoldenTests.story(80, 24)
        session.type("<c-k>a")
        try check(session.frame, "switcher-80x24")
    }

    @Test func `a slash opens the list of commands`() throws {
        var session = Session()
        session.type("/")
        try check(session.frame, "commands-80x24")
    }

    @Test func `a scrolled log says how much is newer`() throws {
        var session = Session()
        for number in 1...60 { session.hear("message number \(number)") }
        session.type("<pgup><pgup>")
        for number in 61...67 { session.hear("message number \(number)") }
        try check(session.frame, "scrolled-80x24")
    }
}
