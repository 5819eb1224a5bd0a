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
        "<bs>",
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
            switch Int.random(in: 0..<12, using: &chance) {
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
        var ids: [MessageID] = []
        for _ in 0..<500 {
            ids.append(session.say("x", state: .queued))
            if let id = ids.randomElement(using: &chance) {
                session.tell(.messageState(id, to: Session.bob, .sent, reason: nil))
            }
        }
        let counted = session.state.conversations[0].log.range.count {
            session.state.conversations[0].log[$0]?.message?.isWaiting == true
        }
        #expect(session.state.waiting == counted)
    }

    @Test func `the log keeps the newest twenty thousand and says so`() {
        var session = Session()
        for number in 0..<20_050 { session.hear("number \(number);") }
        #expect(session.state.conversation?.log.range == 50..<20_050)
        #expect(session.row(with: "number 20049;") != nil)
        for _ in 0..<1400 { session.type("<pgup>") }
        #expect(session.frame.lines[1].contains("older messages are gone: the last 20000 are kept"))
        #expect(session.row(with: "number 50;") != nil)
        #expect(session.row(with: "number 49;") == nil)
    }

    @Test func `messages that made room are forgotten by their ID`() {
        var session = Session()
        for number in 0..<20_050 { session.say("number \(number)", state: .queued) }
        #expect(session.state.outgoing.count == 20_000)
        #expect(session.state.waiting == 20_000)
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

@Suite struct RingTests {
    @Test(arguments: [0, 1, 3, 4, 5, 12, 13])
    func `numbers stay with their elements`(count: Int) {
        var ring = Ring<Int>(limit: 4)
        var dropped: [Int] = []
        for number in 0..<count { if let old = ring.append(number) { dropped.append(old) } }
        #expect(ring.range == max(0, count - 4)..<count)
        #expect(ring.range.map { ring[$0] } == ring.range.map { $0 })
        #expect(dropped == Array(0..<max(0, count - 4)))
        #expect(ring[count] == nil && ring[max(0, count - 4) - 1] == nil)
    }

    @Test func `a grown ring keeps numbers and goes on`() {
        var ring = Ring<Int>(limit: 3)
        for number in 0..<8 { ring.append(number) }
        var grown = ring.growing(to: 5)
        for number in 8..<12 { grown.append(number) }
        #expect(grown.range == 7..<12)
        #expect(grown.range.map { grown[$0] } == [7, 8, 9, 10, 11])
    }
}
