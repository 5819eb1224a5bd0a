// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit
import Testing

@testable import ChatScreen

/// The way to a peer: in the title, in the status line, and as the ladder that `/why` shows.
@Suite struct WhyTests {
    static let ladder = [
        LadderStep(.index, .worked, "idx.example:50000 names 3 addresses, 12 ms"),
        LadderStep(.lan, .failed, "nobody answered on this network"),
        LadderStep(.mapping, .off, "neither side's router opened a port"),
        LadderStep(.direct, .failed, "203.0.113.7:40112 was asked 10 times, no answer"),
        LadderStep(.punch, .trying, "round 2 of 3 with 203.0.113.7:40112"),
        LadderStep(.relay, .worked, "idx.example:50000 passes on, 48 ms"),
        LadderStep(.own, .worked, "seen at 198.51.100.4:50001"),
    ]

    static let strict = OwnReach(
        router: .strict, seen: [Endpoint(address: .v4(0xC633_6404), port: 50_001)],
        mappingFailures: ["NAT-PMP: no answer", "UPnP: switched off"], relays: ["idx.example:50000"])

    private static func relayed(_ columns: Int, _ rows: Int, ascii: Bool = false) -> Session {
        var session = Session(ascii: ascii, size: Size(columns: columns, rows: rows))
        session.tell(.path(Session.bob, .relayed, roundTrip: .milliseconds(48), reason: nil))
        session.tell(.reach(strict))
        session.say("on my way", minute: 31, state: .delivered, secure: true)
        return session
    }

    private static func away(_ columns: Int, _ rows: Int) -> Session {
        var session = Session(size: Size(columns: columns, rows: rows))
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: "nobody answers"))
        return session
    }

    // MARK: Screens

    @Test(arguments: [(200, 60), (120, 36), (80, 24), (40, 10)])
    func `the ladder of a relayed peer looks as recorded`(columns: Int, rows: Int) throws {
        var session = Self.relayed(columns, rows)
        try check(session.frame, "relayed-\(columns)x\(rows)")
        session.type("<a-w>")
        session.tell(.ladder(Session.bob, Self.ladder))
        try check(session.frame, "why-\(columns)x\(rows)")
    }

    @Test(arguments: [(80, 24), (40, 10)])
    func `the ladder of a peer that is offline looks as recorded`(columns: Int, rows: Int) throws {
        var session = Self.away(columns, rows)
        session.tell(.reach(OwnReach(router: .friendly, isUDPBlocked: true)))
        session.type("/why<enter>")
        session.tell(
            .ladder(
                Session.bob,
                [
                    LadderStep(.index, .failed, "idx.example:50000 does not know it"), LadderStep(.lan, .trying, ""),
                    LadderStep(.direct, .untried, ""), LadderStep(.punch, .untried, ""), LadderStep(.relay, .off, ""),
                ]))
        try check(session.frame, "offline-\(columns)x\(rows)")
    }

    @Test func `an ASCII ladder has every sign's twin`() {
        var session = Self.relayed(80, 24, ascii: true)
        session.type("<a-w>")
        session.tell(.ladder(Session.bob, Self.ladder))
        let isPlain = session.screen.allSatisfy { $0.isASCII }
        #expect(isPlain)
        #expect(session.row(with: "x direct        failed  203.0.113.7:40112") != nil)
    }

    @Test func `every line of a ladder is in reach on a small screen`() {
        var session = Self.relayed(40, 10)
        session.type("<a-w>")
        session.tell(.ladder(Session.bob, Self.ladder))
        var seen = session.screen
        for _ in 0..<40 {
            session.type("<down>")
            seen += session.screen
        }
        for step in Self.ladder.dropLast() { #expect(seen.contains("\(step.rung.title): \(step.state.word)")) }
        #expect(seen.contains("what would help") && seen.contains("strict: another port"))
        session.type("<home>")
        #expect(session.row(with: "relayed 48 ms") != nil)
    }

    // MARK: Keys

    @Test(arguments: [
        ("/why<enter>", Session.bob), ("/why carol<enter>", Session.carol), ("<a-w>", Session.bob),
        ("/wh<tab>ca<tab><enter>", Session.carol),
    ])
    func `a ladder is watched as long as it is looked at`(script: String, peer: PeerID) {
        var session = Session()
        session.type(script)
        #expect(session.takeEffects() == [.explain(peer)])
        #expect(session.row(with: "what was tried comes in a moment") != nil)
        session.type("<pgdn><up>")
        #expect(session.takeEffects() == [])
        session.type("<esc>")
        #expect(session.takeEffects() == [.explain(nil)])
        #expect(session.row(with: "what would help") == nil)
    }

    @Test func `another overlay, or a peer that goes, ends the watching`() {
        var session = Session()
        session.type("<a-w>")
        session.paste("text")
        #expect(session.takeEffects() == [.explain(Session.bob), .explain(nil)])
        session.type("<a-w>")
        session.tell(.contacts(Array(Session.book.dropFirst())))
        #expect(session.takeEffects() == [.explain(Session.bob), .explain(nil)])
        #expect(session.state.overlay == nil)
    }

    @Test func `the ladder follows what happens, and nobody else's`() {
        var session = Session()
        session.type("<a-w>")
        session.tell(.ladder(Session.bob, [LadderStep(.direct, .trying, "asking")]))
        session.tell(.ladder(Session.carol, [LadderStep(.direct, .failed, "carol's")]))
        #expect(session.row(with: "… direct        trying  asking") != nil)
        session.tell(.ladder(Session.bob, [LadderStep(.direct, .worked, "3 ms")]))
        #expect(session.row(with: "✓ direct        ok      3 ms") != nil)
        session.type("<esc><a-w>")
        #expect(session.row(with: "3 ms") == nil, "an old ladder is no answer")
    }

    @Test func `without a conversation there is nothing to explain`() {
        var session = Session(contacts: false)
        session.type("<a-w>")
        #expect(session.flash == "no conversation open")
        session.type("/why nobody<esc><enter>")
        #expect(session.flash == "nobody of that name: /peers lists all")
        #expect(session.takeEffects() == [])
    }

    @Test func `what a stranger may have written shows nothing but itself`() {
        var session = Session()
        session.tell(.contacts([Contact(peer: Session.bob, name: "b\u{1B}[2Jo\u{202E}b", accepted: true)]))
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: "\u{1B}]0;x\u{7}"))
        session.type("<a-w>")
        let evil = String(repeating: "日\u{1B}[31m\u{202E}\n\u{9B}e\u{301}", count: 500)
        session.tell(.ladder(Session.bob, (0..<500).map { _ in LadderStep(.direct, .failed, evil) }))
        session.tell(.reach(OwnReach(mappedBy: evil, mappingFailures: [evil], relays: [evil])))
        for (columns, rows) in [(200, 60), (80, 24), (40, 10), (20, 3), (1, 1)] {
            session.resize(columns, rows)
            for _ in 0..<3 {
                let isSafe = !session.screen.unicodeScalars.contains {
                    $0.value < 0x20 && $0 != "\n" || (0x7F...0x9F).contains($0.value) || $0.value == 0x202E
                }
                #expect(isSafe, "\(columns)x\(rows)")
                session.type("<pgdn>")
            }
        }
        #expect(session.state.overlayLines().count < 6_000)
    }

    // MARK: Title and status line

    @Test(arguments: [
        (PathKind.lan, 3, "lan 3.0 ms"), (.direct, 12, "direct 12 ms"), (.punched, 20, "punched 20 ms"),
        (.relayed, 48, "relayed 48 ms"),
    ])
    func `the title names the way and its time`(kind: PathKind, milliseconds: Int, words: String) {
        var session = Session(size: Size(columns: 120, rows: 36))
        session.tell(.path(Session.bob, kind, roundTrip: .milliseconds(milliseconds), reason: nil))
        #expect(session.frame.lines[0].contains("not verified · \(words) · b0b00000"))
        #expect(session.frame.lines[1].contains(" \(kind.rawValue) "))
        session.resize(40, 12)
        #expect(session.frame.lines[0].contains(" · \(kind.rawValue)"), "where there is no room for the time")
        #expect(!session.frame.lines[0].contains("ms"))
    }

    @Test func `another way stands out in the title for a while, and nothing is logged`() {
        func style(_ session: Session) -> Character? {
            let (line, styles) = (session.frame.lines[0], session.frame.styleLines[0])
            guard let place = line.firstRange(of: "relayed") ?? line.firstRange(of: "direct") else { return nil }
            return Array(styles)[line.distance(from: line.startIndex, to: place.lowerBound)]
        }
        var session = Session()
        session.hear("hi", secure: true)
        session.tell(.path(Session.bob, .direct, roundTrip: nil, reason: nil))
        let quiet = style(session)
        for round in 0..<50 {
            session.tell(.path(Session.bob, round % 2 == 0 ? .relayed : .direct, roundTrip: nil, reason: nil))
        }
        #expect(style(session) != quiet)
        #expect(session.state.conversation?.log.count == 1)
        for minute in 32...33 { session.tell(.clock(session.at(minute), offset: 0)) }
        #expect(style(session) == quiet)
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: "gone"))
        session.tell(.path(Session.bob, .direct, roundTrip: nil, reason: nil))
        #expect(style(session) == quiet, "the same way as before is no news")
    }

    @Test func `the reason is one key away, and the footer says which`() {
        var session = Session(size: Size(columns: 120, rows: 36))
        #expect(session.row(with: "Alt+W") == nil)
        session.tell(.path(Session.bob, .relayed, roundTrip: nil, reason: nil))
        #expect(session.row(with: "Alt+W why relayed") != nil)
        session.tell(.path(Session.bob, .none, roundTrip: nil, reason: "no answer"))
        #expect(session.row(with: "Alt+W why no path") != nil)
    }

    @Test func `trouble of one's own is told only while it matters`() {
        var session = Session()
        let stranded = OwnReach(router: .strict)
        for reach in [OwnReach(), OwnReach(router: .friendly), Self.strict] {
            session.tell(.reach(reach))
            #expect(session.row(with: "index ok 0.4 ms · listening") != nil)
        }
        session.tell(.reach(stranded))
        #expect(session.row(with: "index ok 0.4 ms · strict router, no relay · ") != nil)
        session.tell(.reach(OwnReach(router: .strict, isUDPBlocked: true)))
        #expect(session.row(with: "index ok 0.4 ms · UDP blocked: through TLS · ") != nil)
        session.resize(40, 12)
        #expect(session.row(with: "ok TLS") != nil)
        session.tell(.reach(stranded))
        session.tell(.index(server: "127.0.0.1:50000", .unreachable("no answer")))
        #expect(session.row(with: "no relay") == nil, "without a server there are other worries")
    }

    // MARK: Advice

    private static func why(
        _ path: PathKind?, _ ladder: [LadderStep] = ladder, _ reach: OwnReach? = nil
    ) -> String {
        Explanation(path: path, roundTrip: nil, reason: nil, ladder: ladder, reach: reach).advice
    }

    @Test func `the last line says what would help`() {
        let done = Self.ladder.map { LadderStep($0.rung, $0.state == .trying ? .failed : $0.state, $0.text) }
        let hidden = [LadderStep(.direct, .off, ""), LadderStep(.lan, .off, ""), LadderStep(.relay, .worked, "")]
        let shy = [LadderStep(.direct, .off, ""), LadderStep(.lan, .failed, ""), LadderStep(.relay, .worked, "")]
        #expect(Self.why(.relayed, shy, Self.strict).contains("it may hide it"))
        let unknown = [LadderStep(.index, .failed, ""), LadderStep(.direct, .untried, "")]
        let partial = [LadderStep(.index, .worked, ""), LadderStep(.index, .failed, ""), LadderStep(.relay, .off, "")]
        #expect(Self.why(.direct).contains("nothing needs help"))
        #expect(Self.why(.relayed).contains("still being tried"))
        #expect(Self.why(.relayed, done, Self.strict).contains("PCP, UPnP or NAT-PMP switched on in your router"))
        #expect(Self.why(.relayed, done, OwnReach(router: .friendly)).contains("the other side's network"))
        #expect(Self.why(.relayed, done, OwnReach(router: .strict, isUDPBlocked: true)).contains("lets UDP through"))
        #expect(Self.why(.relayed, hidden, Self.strict).contains("--relay-only"))
        #expect(Self.why(PathKind.none, unknown).contains("in common: ask"))
        #expect(Self.why(nil, partial).contains("an index server with --relay that both of you name, a contact who"))
        #expect(
            Self.why(PathKind.none, [LadderStep(.relay, .off, "")] + hidden.prefix(1) + [LadderStep(.lan, .off, "")])
                .hasSuffix("that both of you name"), "whoever hides has no use for another way")
        #expect(Self.why(PathKind.none, [], Self.strict).contains("wait a moment"))
        let absent = [LadderStep(.index, .worked, ""), LadderStep(.relay, .failed, "")]
        #expect(Self.why(PathKind.none, absent, Self.strict).contains("it seems to be off"))
        let alone = [LadderStep(.index, .off, ""), LadderStep(.lan, .failed, "")]
        #expect(Self.why(nil, alone).contains("parley --index"))
        let unasked = [LadderStep(.index, .worked, ""), LadderStep(.relay, .untried, "")]
        #expect(Self.why(nil, unasked, Self.strict).contains("UPnP or NAT-PMP"))
    }

    @Test func `a server that does not answer is not said to pass nothing on`() {
        func why(_ servers: [(server: String, status: IndexStatus)], relays: [String] = []) -> Explanation {
            Explanation(
                path: PathKind.none, roundTrip: nil, reason: "x",
                ladder: [LadderStep(.index, .worked, ""), LadderStep(.relay, .failed, "a:1 gave no answer")],
                reach: OwnReach(router: .strict, relays: relays), servers: servers)
        }
        func relay(_ why: Explanation) -> String? { why.own.first { $0.word == "relay" }?.clause }
        let dead = (server: "a:1", status: IndexStatus.unreachable("no answer by UDP"))
        let alive = (server: "b:2", status: IndexStatus.ok(.milliseconds(1)))
        #expect(relay(why([alive])) == "none of your index servers passes on")
        #expect(relay(why([dead])) == "none right now: a:1 does not answer")
        #expect(relay(why([dead, alive])) == "none of those that answer; a:1 does not answer")
        #expect(relay(why([dead, alive], relays: ["b:2"])) == "b:2")
        #expect(why([dead]).advice == "an index server that answers: a:1 does not")
        #expect(!why([dead, alive]).advice.contains("that answers"))
        #expect(why([dead]).own.last?.clause == "a:1 is unreachable: no answer by UDP", "in full, unlike below")
    }

    @Test func `of a router behind which nothing comes through nothing will be known`() {
        func router(_ reach: OwnReach) -> String? {
            Explanation(path: .relayed, roundTrip: nil, reason: nil, ladder: [], reach: reach)
                .own.first { $0.word == "router" }?.clause
        }
        #expect(router(OwnReach(isUDPBlocked: true)) == "not to be seen: no UDP comes through")
        #expect(router(OwnReach()) == "not known yet")
        #expect(router(OwnReach(router: .friendly, isUDPBlocked: true))?.hasPrefix("friendly") == true)
    }

    @Test func `the title says why it is relayed where there is room, and by which way to the last`() throws {
        var session = Session(size: Size(columns: 130, rows: 36))
        session.hear("hi", secure: true)
        session.tell(.active(Session.bob, true))
        session.tell(.path(Session.bob, .relayed, roundTrip: .milliseconds(48), reason: "your router is strict"))
        #expect(
            session.frame.lines[0].contains(
                "not verified · relayed 48 ms (your router is strict) · there · heard 14:30 · b0b00000"))
        let shorter = [
            "not verified · relayed 48 ms · there · heard 14:30 · b0b00000", "not verified · relayed 48 ms · there",
            "bob  not verified · relayed 48 ms", "bob  not verified · relayed", "bob  relayed",
        ]
        var seen: [String] = []
        for columns in (20..<120).reversed() {
            session.resize(columns, 12)
            let line = session.frame.lines[0]
            for words in shorter where line.contains(words) && !seen.contains(words) { seen.append(words) }
            #expect(line.contains("relayed") || columns < 26, "\(columns) columns")
        }
        #expect(seen == shorter)
    }

    @Test func `a peer without a name keeps its way on a small screen`() {
        var session = Session(size: Size(columns: 40, rows: 12))
        session.tell(.contacts([Contact(peer: Session.bob, nickname: "bob", accepted: true)]))
        session.tell(.path(Session.bob, .relayed, roundTrip: .milliseconds(48), reason: "its address does not answer"))
        #expect(session.frame.lines[0].hasPrefix("b0b00000  relayed"))
    }

    @Test func `whoever hides sees that it does`() {
        var session = Session(hides: true)
        #expect(session.row(with: "index ok 0.4 ms · hidden · ") != nil)
        session = Session()
        #expect(session.row(with: "hidden") == nil)
    }

    @Test func `why a server does not answer pushes nothing out of the status line`() {
        var session = Session()
        session.say("one", state: .queued)
        let reason = "no answer by UDP, and none by TLS: connection timed out"
        session.tell(.index(server: "127.0.0.1:50000", .unreachable(reason)))
        let row = session.row(with: "index unreachable")
        #expect(row == nil)
        #expect(session.row(with: " no index · 1 waiting · listening 127.0.0.1:50001 · alice 4f2a91c0 ") != nil)
        session.resize(90, 24)
        #expect(
            session.row(with: " index unreachable · 1 waiting · listening 127.0.0.1:50001 · alice 4f2a91c0 ") != nil)
        session.resize(110, 24)
        #expect(session.row(with: " index unreachable: no answer by UDP, and no… · 1 waiting · listening") != nil)
        session.resize(160, 24)
        #expect(session.row(with: reason) != nil)
        session.type("<a-w>")
        session.resize(80, 24)
        #expect(session.row(with: "is unreachable: no answer by UDP") != nil)
    }

    @Test func `why a path is no better stands beside it`() {
        let why = Explanation(
            path: .relayed, roundTrip: .milliseconds(48), reason: "your address is hidden", ladder: [], reach: nil)
        #expect(why.present == "relayed 48 ms: your address is hidden")
    }

    // MARK: Plain

    @Test func `a plain chat prints the ladder once for each question`() {
        var chat = PlainChat(me: Session.me, name: "alice")
        _ = chat.hear(.contacts(Session.book))
        _ = chat.hear(.path(Session.bob, .relayed, roundTrip: .milliseconds(48), reason: nil))
        _ = chat.hear(.reach(Self.strict))
        #expect(chat.hear(.ladder(Session.bob, Self.ladder)).isEmpty, "nobody asked")
        #expect(chat.enter("/why bob") == PlainChat.Outcome(effects: [.explain(Session.bob)]))
        #expect(chat.awaitsLadder)
        #expect(chat.hear(.ladder(Session.carol, Self.ladder)).isEmpty)
        var steps = Self.ladder
        steps[1].text = "no\n\u{1B}[2J answer"
        let lines = chat.hear(.ladder(Session.bob, steps)).map(\.string)
        #expect(
            lines == [
                "the way to bob: relayed 48 ms", "  index server ok: idx.example:50000 names 3 addresses, 12 ms",
                "  same network failed: no ‹ESC›[2J answer",
                "  opened port off: neither side's router opened a port",
                "  direct failed: 203.0.113.7:40112 was asked 10 times, no answer",
                "  hole punch trying: round 2 of 3 with 203.0.113.7:40112",
                "  relay ok: idx.example:50000 passes on, 48 ms", "this machine:",
                "  router: strict: another port for each peer; few get through",
                "  opened port: none: NAT-PMP: no answer; UPnP: switched off", "  seen at: 198.51.100.4:50001",
                "  relay: idx.example:50000", "what would help: wait a moment: direct ways are still being tried",
            ])
        #expect(!chat.awaitsLadder && chat.hear(.ladder(Session.bob, Self.ladder)).isEmpty)
        #expect(chat.enter("/why nobody").lines == ["nobody of that name: /peers lists all"])
    }

    @Test func `a plain chat tells when UDP is blocked, and when no longer`() {
        var chat = PlainChat(me: Session.me, name: "alice")
        #expect(chat.hear(.reach(OwnReach(router: .strict))).isEmpty)
        #expect(
            chat.hear(.reach(OwnReach(isUDPBlocked: true))) == ["UDP is blocked here: everything goes through TLS"])
        #expect(chat.hear(.reach(OwnReach(relays: ["a"], isUDPBlocked: true))).isEmpty)
        #expect(chat.hear(.reach(OwnReach())) == ["UDP works again"])
    }
}
