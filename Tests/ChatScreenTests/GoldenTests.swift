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

    // MARK: Sessions, strangers and the past

    private static let sizes = [(120, 36), (80, 24), (40, 12)]

    /// Every state that a message can be in, on a session.
    private static func states(_ columns: Int, _ rows: Int) -> Session {
        var session = Session(size: Size(columns: columns, rows: rows))
        session.tell(.path(Session.bob, .direct, roundTrip: .milliseconds(18), reason: nil))
        session.tell(.active(Session.bob, true))
        session.say("seen by them", minute: 2, state: .read, secure: true)
        session.say("on their disk", minute: 2, state: .delivered, secure: true)
        session.hear("an answer", minute: 10, secure: true)
        session.say("left this machine", minute: 11, state: .sent, secure: true)
        session.say("too large", minute: 12, state: .failed, reason: "bob refuses files", secure: true)
        session.say("an older one", minute: 30, state: .queued, secure: true)
        session.say("on my way", minute: 31, state: .queued, reason: "bob is offline, next try in 8 s", secure: true)
        return session
    }

    private static func verified(_ columns: Int, _ rows: Int) -> Session {
        var session = states(columns, rows)
        session.tell(.digits(Session.me, "111112222233333444445555566666"))
        session.tell(.digits(Session.bob, "777778888899999000001111122222"))
        return session
    }

    private static func requested(_ columns: Int, _ rows: Int) -> Session {
        var session = states(columns, rows)
        session.tell(.request(Session.stranger, name: "erin", text: "we met on Sunday", invited: true))
        session.tell(
            .request(PeerID(high: 0x0bad_0000_0000_8000, low: 1), name: "B0B", text: "buy \u{1B}[31m", invited: false))
        return session
    }

    @Test(arguments: sizes)
    func `delivery is told by sign and words`(columns: Int, rows: Int) throws {
        try check(Self.states(columns, rows).frame, "states-\(columns)x\(rows)")
    }

    @Test(arguments: sizes)
    func `a request is a banner, then a list`(columns: Int, rows: Int) throws {
        var session = Self.requested(columns, rows)
        try check(session.frame, "banner-\(columns)x\(rows)")
        session.type("<a-r>")
        try check(session.frame, "requests-\(columns)x\(rows)")
    }

    @Test(arguments: sizes)
    func `the invite is a line, then a code`(columns: Int, rows: Int) throws {
        var session = Self.states(columns, rows)
        session.tell(.invite("parley:" + String(repeating: "Ab3_", count: 34)))
        session.type("/invite<enter>")
        try check(session.frame, "invite-\(columns)x\(rows)")
        session.type("v")
        try check(session.frame, "code-\(columns)x\(rows)")
    }

    @Test(arguments: sizes)
    func `digits stand side by side`(columns: Int, rows: Int) throws {
        var session = Self.verified(columns, rows)
        session.type("/verify<enter>")
        try check(session.frame, "verify-\(columns)x\(rows)")
    }

    @Test(arguments: sizes)
    func `a key in doubt can't be overlooked`(columns: Int, rows: Int) throws {
        var session = Self.verified(columns, rows)
        var book = Session.book
        book[0].alarm = "key changed"
        session.tell(.contacts(book))
        try check(session.frame, "alarm-\(columns)x\(rows)")
    }

    @Test(arguments: sizes)
    func `a search lists its hits`(columns: Int, rows: Int) throws {
        var session = Self.states(columns, rows)
        session.type("<c-r>fix<c-r>")
        let hits: [SearchHit] = (1...17).map { (number: Int) -> SearchHit in
            let peer = number % 3 == 0 ? Session.carol : Session.bob
            let direction: Direction = number % 2 == 0 ? .outgoing : .incoming
            return SearchHit(
                peer: peer, id: MessageID(random: 5, UInt64(number)), direction: direction,
                received: session.at(-number * 700), before: "a good deal of words that stand before ",
                match: "fix", after: " and some behind it, too")
        }
        session.tell(.found(token: session.state.searchToken, hits, more: true))
        session.type("<down><down>")
        try check(session.frame, "search-\(columns)x\(rows)")
    }

    @Test(arguments: sizes)
    func `a page of the past, and a message picked out of it`(columns: Int, rows: Int) throws {
        var session = Session(size: Size(columns: columns, rows: rows), contacts: false)
        session.remember((0..<3000).map { "number \($0)" })
        session.tell(.contacts(Session.book))
        for _ in 0..<40 { session.type("<pgup>") }
        session.type("<a-s><up><up>")
        try check(session.frame, "past-\(columns)x\(rows)")
    }
}
