// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

@Suite struct HistoryTests {
    /// A start with a long history, the disk silent until it is let.
    private static func start(_ count: Int, answers: Bool = true) -> Session {
        var session = Session(contacts: false)
        session.remember((0..<count).map { "number \($0);" })
        session.diskAnswers = answers
        session.tell(.contacts(Session.book))
        return session
    }

    @Test func `history is on the screen before the network says anything`() {
        var session = Self.start(1000)
        #expect(session.row(with: "number 999;") != nil)
        #expect(session.takeAllEffects().contains(.openConversation(Session.bob)))
    }

    @Test func `nothing is asked of the disk twice`() {
        var session = Self.start(1000, answers: false)
        session.type("<pgup><pgup>x<c-n><c-p>")
        let requests = session.takeAllEffects().compactMap { if case .load(let request) = $0 { request } else { nil } }
        #expect(requests == [HistoryRequest(Session.bob, .newest), HistoryRequest(Session.carol, .newest)])
    }

    @Test func `a long history is read page by page and never all held`() {
        var session = Self.start(10_000)
        var most = 0
        for _ in 0..<700 {
            session.type("<pgup>")
            most = max(most, session.state.conversation?.log.count ?? 0)
        }
        #expect(session.row(with: "number 0;") != nil)
        #expect(most <= Conversation.openLimit + 400)
        for _ in 0..<700 { session.type("<pgdn>") }
        #expect(session.row(with: "number 9999;") != nil)
        #expect(session.state.conversation?.anchor == nil)
    }

    @Test func `pages up and pages down show every message once, in order`() {
        var session = Self.start(3_000)
        for _ in 0..<400 { session.type("<pgup>") }
        var seen: [Int] = []
        for _ in 0..<600 {
            for line in session.frame.lines {
                guard let start = line.firstRange(of: "number ")?.upperBound, let end = line.firstIndex(of: ";"),
                    let number = Int(line[start..<end]), number > seen.last ?? -1
                else { continue }
                seen.append(number)
            }
            session.type("<pgdn>")
        }
        #expect(seen == Array(0..<3_000))
    }

    @Test func `the end key leads back to the newest message from anywhere`() {
        var session = Self.start(10_000)
        for _ in 0..<400 { session.type("<pgup>") }
        session.hear("just now")
        #expect(session.row(with: "just now") == nil)
        session.type("<end>")
        #expect(session.row(with: "just now") != nil)
    }

    @Test func `a message that comes while older ones are read is not lost and not doubled`() {
        var session = Self.start(50, answers: false)
        let request = HistoryRequest(Session.bob, .newest)
        session.hear("live")
        session.tell(.history(request, session.read(request)))
        #expect(session.state.conversation?.log.count == 51)
        #expect(session.frame.lines.filter { $0.contains("live") }.count == 1)
    }

    @Test func `a page that nobody waits for is of no use`() {
        var session = Self.start(50)
        session.diskAnswers = false
        let page = HistoryPage(session.disk[Session.bob]?.suffix(1) ?? [], reachesStart: true, reachesEnd: true)
        session.tell(.history(HistoryRequest(Session.bob, .around(MessageID(random: 1, 1))), page))
        session.tell(.history(HistoryRequest(Session.stranger, .newest), page))
        #expect(session.state.conversation?.log.count == 50)
    }

    @Test func `a disk that fails is asked again only when the user moves`() {
        var session = Self.start(50, answers: false)
        let request = HistoryRequest(Session.bob, .newest)
        session.tell(.failed("the disk does not answer", .load(request)))
        session.tell(.typing(Session.bob, true))
        #expect(session.takeAllEffects().filter { $0 == .load(request) }.count == 1)
        session.type("<pgup>")
        #expect(session.takeAllEffects().filter { $0 == .load(request) }.count == 1)
    }

    @Test func `the last run's drafts, unread messages and open conversation come back`() throws {
        var session = Session(contacts: false)
        session.remember((0..<300).map { "number \($0);" }, with: Session.carol)
        session.remember(["for dave"], with: Session.dave)
        let first = try #require(session.disk[Session.carol]?[250].id)
        let waiting = MessageID(random: 77, 77)
        session.tell(.contacts(Session.book))
        session.tell(
            .restored(
                [
                    ConversationSummary(
                        Session.carol, unread: 50, firstUnread: first, unreadSince: session.at(0), draft: "half a"),
                    ConversationSummary(Session.bob, waiting: [waiting]),
                ], open: Session.dave))
        #expect(session.state.current == Session.dave)
        #expect(session.row(with: "drafts") != nil || session.row(with: "draft: carol") != nil)
        #expect(session.state.waiting == 1)
        session.tell(.messageState(waiting, to: Session.bob, .delivered, reason: nil))
        #expect(session.state.waiting == 0)
        session.type("<a-a>")
        #expect(session.draft == "half a")
        #expect(session.row(with: "50 new since 14:00") != nil)
        #expect(session.row(with: "number 250;") != nil)
    }

    @Test func `what was open is not opened over a user who already chose`() {
        var session = Session()
        session.type("<c-n>")
        session.tell(.restored([], open: Session.dave))
        #expect(session.state.current == Session.carol)
    }
}

@Suite struct PresenceTests {
    @Test func `drafts are kept when left, at each minute, and at the end, and never twice`() {
        var session = Session()
        session.type("for bob<c-n>")
        #expect(session.takeAllEffects().contains(.keepDraft(Session.bob, "for bob")))
        session.type("for carol")
        session.tell(.clock(session.at(32), offset: 0))
        #expect(session.takeAllEffects().contains(.keepDraft(Session.carol, "for carol")))
        session.tell(.clock(session.at(33), offset: 0))
        #expect(session.takeAllEffects() == [])
        session.type("!")
        session.tell(.terminal(.hangup))
        #expect(session.takeAllEffects().suffix(2) == [.keepDraft(Session.carol, "for carol!"), .quit])
    }

    @Test func `a message is marked read when it is before the user's eyes`() {
        var session = Session()
        _ = session.takeAllEffects()
        let first = session.hear("seen")
        #expect(session.takeAllEffects() == [.markRead(Session.bob, first)])
        let second = session.hear("not seen", from: Session.carol)
        #expect(session.takeAllEffects() == [.bell])
        session.type("<c-n>")
        #expect(session.takeAllEffects().contains(.markRead(Session.carol, second)))
    }

    @Test func `nothing is marked read while the log is scrolled up or nobody is there`() {
        var session = Session()
        for number in 1...60 { session.hear("number \(number)") }
        session.type("<pgup>")
        _ = session.takeAllEffects()
        session.hear("below")
        #expect(session.takeAllEffects() == [])
        session.type("<end>")
        #expect(session.takeAllEffects().count { if case .markRead = $0 { true } else { false } } == 1)
        for minute in 32...36 { session.tell(.clock(session.at(minute), offset: 0)) }
        session.hear("while away")
        #expect(session.takeAllEffects() == [.active(false), .bell])
        #expect(session.state.conversation?.unread == 1)
        session.type("x")
        let effects = session.takeAllEffects()
        #expect(effects.contains(.active(true)))
        #expect(effects.contains { if case .markRead = $0 { true } else { false } })
    }

    @Test(arguments: [
        ("h", [ChatEffect.typing(Session.bob, true)]), ("hello", [.typing(Session.bob, true)]), ("/help", []),
        ("h<bs>", [.typing(Session.bob, true), .typing(Session.bob, false)]),
        ("h<c-c>", [.typing(Session.bob, true), .typing(Session.bob, false)]),
        ("h<enter>", [.typing(Session.bob, true), .typing(Session.bob, false)]),
        ("h<c-n>", [.typing(Session.bob, true), .typing(Session.bob, false)]),
    ])
    func `typing is told when it begins and when it ends`(script: String, told: [ChatEffect]) {
        var session = Session()
        session.type(script)
        let typing = session.takeAllEffects().filter { if case .typing = $0 { true } else { false } }
        #expect(typing == told)
    }

    @Test(arguments: [ChatEvent.rest, .pause, .terminal(.hangup)])
    func `what is being written is kept at a pause and at the end`(event: ChatEvent) {
        var session = Session()
        session.type("half a sen")
        session.tell(event)
        #expect(session.takeAllEffects().contains(.keepDraft(Session.bob, "half a sen")))
    }

    @Test func `a rest keeps what is written once, and is no end of typing`() {
        var session = Session()
        session.type("half")
        session.tell(.rest)
        session.tell(.rest)
        let effects = session.takeAllEffects()
        #expect(effects.count { if case .keepDraft = $0 { true } else { false } } == 1)
        #expect(!effects.contains(.typing(Session.bob, false)))
    }

    @Test func `a pause ends typing, the next key begins it anew`() {
        var session = Session()
        session.type("h")
        session.tell(.pause)
        session.type("i")
        let typing = session.takeAllEffects().filter { if case .typing = $0 { true } else { false } }
        #expect(typing == [.typing(Session.bob, true), .typing(Session.bob, false), .typing(Session.bob, true)])
    }

    @Test func `the title says who is there, by which way, and how far`() {
        var session = Session(size: Size(columns: 120, rows: 36))
        session.tell(.path(Session.bob, .direct, roundTrip: .milliseconds(18), reason: nil))
        session.tell(.active(Session.bob, true))
        #expect(session.row(with: "bob  not verified · direct 18 ms · there") != nil)
        session.tell(.active(Session.bob, false))
        session.tell(.typing(Session.bob, true))
        #expect(session.row(with: "bob  not verified · typing · direct 18 ms · away") != nil)
        session.hear("done", secure: true)
        #expect(session.row(with: "typing") == nil)
    }
}
