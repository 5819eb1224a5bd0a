// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Support
import Testing

@testable import ChatScreen

@Suite struct StressTests {
    private static let scripts = [
        "x", "y", "q", " ", "日本", "👨‍👩‍👧‍👦", "e\u{301}", "\u{202E}", "<enter>", "<a-enter>", "<esc>", "<c-c>", "<tab>",
        "<s-tab>",
        "<up>", "<down>", "<pgup>", "<pgdn>", "<a-pgup>", "<a-pgdn>", "<end>", "<home>", "<a-end>", "<a-u>", "<a-a>",
        "<a-/>", "<a-r>", "<a-l>", "<a-p>", "<a-m>", "<c-k>", "<c-n>", "<c-p>", "<a-1>", "<a-4>", "<a-0>", "<f1>",
        "/", "//", " /x<enter>", "/nick ", "/go ", "/close<enter>", "/peers<enter>", "/id<enter>", "/accept<enter>",
        "<c-w>", "<c-u>", "<c-y>", "<a-y>", "<c-_>", "<c-t>", "<a-d>", "<a-bs>", "<c-left>", "<c-right>", "<del>",
        "<bs>", "<c-r>", "<c-r>x", "<a-s>", "<a-s><up>", "r", "c", "i", "n", "v", "b", "/invite<enter>",
        "/invite new<enter>",
        "/verify<enter>", "/requests<enter>", "/retry<enter>", "/forget<enter>", "/search words<enter>", "/set<enter>",
        "/set typing off<enter>", "/plaintext dave on<enter>", "/why<enter>", "<a-w>", "parley:abcdefgh<enter>",
    ]
    private static let texts = [
        "hi", "", "\n\n\n", "日本語テキスト", "\u{1B}[31m", "@alice", "🇩🇪🇫🇷", "क्ष्म्य", String(repeating: "wide words ", count: 40),
        String(repeating: "日", count: 200), "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "\t\r\n\r",
    ]

    @Test(arguments: 0..<12)
    func `no event at any size traps, and the cursor stays inside`(seed: UInt64) {
        var chance = SplitMix64(seed: seed)
        var session = Session(ascii: seed % 2 == 0)
        let peers = [Session.bob, Session.carol, Session.dave, Session.stranger, PeerID(high: 7, low: 7)]
        var ids: [MessageID] = []
        for _ in 0..<600 {
            let peer = peers[Int.random(in: 0..<peers.count, using: &chance)]
            let text = Self.texts[Int.random(in: 0..<Self.texts.count, using: &chance)]
            let minute = Int.random(in: -2000...2000, using: &chance)
            switch Int.random(in: 0..<24, using: &chance) {
            case 0: session.resize(Int.random(in: 0...300, using: &chance), Int.random(in: 0...100, using: &chance))
            case 1: session.resize(Int.random(in: 0...45, using: &chance), Int.random(in: 0...14, using: &chance))
            case 2: session.paste(text)
            case 3: session.hear(text, from: peer, minute: minute)
            case 4: ids.append(session.say(text, to: peer, minute: minute, state: .queued, reason: text))
            case 5:
                let states: [DeliveryState] = [.queued, .sent, .delivered, .read, .failed]
                if let id = ids.randomElement(using: &chance), let state = states.randomElement(using: &chance) {
                    session.tell(.messageState(id, to: Session.bob, state, reason: text))
                }
            case 6:
                session.tell(
                    .contacts(Session.book.shuffled(using: &chance).dropLast(Int.random(in: 0...3, using: &chance))))
            case 7: session.tell(.notice(text, about: Bool.random(using: &chance) ? peer : nil))
            case 8: session.tell(.failed(text, .send(to: peer, text: text)))
            case 9: session.tell(.terminal(.wheel(Int.random(in: -50...50, using: &chance))))
            case 10: session.tell(.request(peer, name: text, text: text, invited: Bool.random(using: &chance)))
            case 11: session.tell(.typing(peer, Bool.random(using: &chance)))
            case 12: session.tell(.active(peer, Bool.random(using: &chance)))
            case 13: session.tell(.digits(Bool.random(using: &chance) ? peer : Session.me, text))
            case 14: session.tell(.invite("parley:" + text))
            case 15: session.tell(.seen(peer, upTo: ids.randomElement(using: &chance) ?? MessageID(random: 1, 1)))
            case 16:
                session.tell(.forgotten(peer, Bool.random(using: &chance) ? nil : ids.randomElement(using: &chance)))
            case 17:
                let hits = (0..<Int.random(in: 0...30, using: &chance)).map { number in
                    SearchHit(
                        peer: peer,
                        id: session.disk[peer]?.randomElement(using: &chance)?.id ?? MessageID(random: 9, 9),
                        direction: number % 2 == 0 ? .incoming : .outgoing, received: session.at(minute), before: text,
                        match: text, after: text)
                }
                session.tell(.found(token: session.state.searchToken, hits, more: Bool.random(using: &chance)))
            case 18:
                session.tell(
                    .restored(
                        [ConversationSummary(peer, unread: 3, firstUnread: ids.first, draft: text, waiting: ids)],
                        open: peer))
            case 19:
                let book = Session.book.map { contact in
                    var contact = contact
                    contact.alarm = Bool.random(using: &chance) ? text : nil
                    contact.nickname = text
                    return contact
                }
                session.tell(.contacts(book))
            case 20:
                session.diskAnswers.toggle()
                session.tell(.clock(session.at(minute), offset: 0))
            case 21:
                let rung = LadderStep.Rung.allCases.randomElement(using: &chance) ?? .own
                let mark = LadderStep.State.allCases.randomElement(using: &chance) ?? .off
                session.tell(.ladder(peer, Array(repeating: LadderStep(rung, mark, text), count: 40)))
                session.tell(.reach(OwnReach(mappingFailures: [text], relays: [text], isUDPBlocked: seed % 3 == 0)))
            case 22:
                let kinds: [PathKind] = [.lan, .direct, .punched, .relayed, .plaintext, .none]
                let kind = kinds.randomElement(using: &chance) ?? .none
                session.tell(.path(peer, kind, roundTrip: .milliseconds(48), reason: text))
            default:
                for _ in 0..<4 { session.type(Self.scripts[Int.random(in: 0..<Self.scripts.count, using: &chance)]) }
            }
            let frame = session.frame
            if let cursor = frame.cursor {
                #expect((0..<max(1, frame.size.columns)).contains(cursor.column))
                #expect((0..<max(1, frame.size.rows)).contains(cursor.row))
            }
            // A frame for a size that update has not heard of yet.
            _ = view(
                session.state,
                size: Size(
                    columns: Int.random(in: 0...120, using: &chance), rows: Int.random(in: 0...40, using: &chance)))
        }
    }

    @Test func `waiting messages are counted right through everything`() {
        var chance = SplitMix64(seed: 99)
        var session = Session()
        var states: [MessageID: DeliveryState] = [:]
        for _ in 0..<500 {
            states[session.say("x", state: .queued)] = .queued
            if let id = states.keys.sorted(by: { $0.description < $1.description }).randomElement(using: &chance) {
                session.tell(.messageState(id, to: Session.bob, .sent, reason: nil))
                states[id] = .sent
            }
        }
        #expect(session.state.waiting == states.values.count { $0 == .queued })
    }

    @Test func `a full log costs a frame no more than an empty one`() {
        func frameTime(messages: Int) -> Duration {
            var session = Session(size: Size(columns: 120, rows: 36))
            for number in 0..<messages { session.hear("message number \(number) with some more words in it") }
            let clock = ContinuousClock()
            return (0..<5).map { _ in
                clock.measure {
                    for _ in 0..<10 {
                        session.type("x")
                        _ = session.frame
                    }
                }
            }.min() ?? .zero
        }
        // Both fill the screen. A frame that walked the history would cost hundreds of times as much.
        #expect(frameTime(messages: 10_000) < frameTime(messages: 40) * 20)
    }
}

@Suite struct LogWindowTests {
    @Test func `numbers stay with their elements at both ends`() {
        var window = LogWindow<Int>()
        for number in 0..<10 { window.append(number) }
        window.prepend([-3, -2, -1])
        #expect(window.range == -3..<10)
        #expect(window.keep(2..<6) == [-3, -2, -1, 0, 1, 6, 7, 8, 9])
        #expect(window.range.map { window[$0] } == [2, 3, 4, 5])
        #expect(window[1] == nil && window[6] == nil)
        window.remove(3)
        #expect(window.range.map { window[$0] } == [2, 4, 5])
        window.removeAll()
        window.append(7)
        #expect(window.range == 5..<6)
    }

    @Test(arguments: [(-5, 0), (0, 0), (3, 3), (0, 99), (-7, 99), (50, 60)])
    func `keeping what is not there keeps nothing else`(lower: Int, upper: Int) {
        var window = LogWindow<Int>()
        for number in 0..<10 { window.append(number) }
        let dropped = window.keep(lower..<upper)
        #expect(dropped.count + window.count == 10)
        #expect(window.range.allSatisfy { (lower..<upper).contains($0) && window[$0] == $0 })
    }
}
