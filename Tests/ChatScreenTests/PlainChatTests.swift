// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import Model
import SafeText
import Testing

@Suite struct PlainChatTests {
    private let bob = PeerID(high: 0x4f2a_91c0_0000_8000, low: 0x8000_0000_0000_0001)
    private var chat = PlainChat(me: PeerID(high: 1, low: 2), name: "alice")

    init() {
        _ = chat.hear(.clock(WallTime(milliseconds: 50_520_000), offset: 0))
    }

    private mutating func befriend() {
        _ = chat.hear(.contacts([Contact(peer: bob, name: "bob", accepted: true)]))
    }

    private func message(_ text: String, _ direction: Direction = .incoming) -> Message {
        Message(
            id: MessageID(random: 7, 7), peer: bob, direction: direction, text: text, created: nil,
            received: WallTime(milliseconds: 0), state: .queued, secure: false)
    }

    @Test mutating func `a message is one finished line, marked as plain text`() {
        befriend()
        #expect(chat.hear(.message(message("hi"))) == ["14:02 bob (plain text): hi"])
        #expect(chat.hear(.message(message("a\nb"))) == ["14:02 bob (plain text): a", "    b"])
    }

    @Test mutating func `what a message hides is shown`() {
        befriend()
        #expect(
            chat.hear(.message(message("\u{1B}[2J\u{202E}x"))).first?.string == "14:02 bob (plain text): ‹ESC›[2J‹RLO›x"
        )
    }

    @Test mutating func `what was printed is read by whoever types the next line, once`() {
        befriend()
        _ = chat.hear(.message(message("hi")))
        let mark = ChatEffect.markRead(bob, MessageID(random: 7, 7))
        #expect(chat.enter("").effects == [mark])
        #expect(chat.enter("ho").effects == [.send(to: bob, text: "ho")])
    }

    @Test mutating func `the history is printed with its days, as much as was asked for`() {
        befriend()
        #expect(
            chat.hear(.restored([ConversationSummary(bob, unread: 2)], open: bob)) == [
                "14:02 bob: 2 not yet read", "14:02 writing to bob; /history shows what was said",
            ])
        let request = HistoryRequest(bob, .newest)
        #expect(chat.enter("/history 2").effects == [.load(request)])
        let page = HistoryPage(
            [message("one"), message("two"), message("mine", .outgoing)], reachesStart: true, reachesEnd: true)
        #expect(
            chat.hear(.history(request, page)) == [
                "Thu 1 Jan 1970 00:00 bob (plain text): two",
                "Thu 1 Jan 1970 00:00 me to bob (waits here) (plain text): mine",
            ])
        #expect(chat.enter("/history 201").effects == [.markRead(bob, MessageID(random: 7, 7))])
    }

    @Test mutating func `a line without a conversation goes nowhere and says so`() {
        let outcome = chat.enter("hello")
        #expect(outcome.effects.isEmpty)
        #expect(outcome.lines == ["14:02 No conversation is open; /go PEER opens one."])
    }

    @Test mutating func `adding opens the conversation, and lines go there`() {
        #expect(chat.enter("/add \(bob) bob the second").effects == [.add(bob, name: "bob the second")])
        befriend()
        #expect(chat.enter("hello").effects == [.send(to: bob, text: "hello")])
        #expect(chat.enter("//not a command").effects == [.send(to: bob, text: "/not a command")])
    }

    @Test mutating func `whose invite was added is written to, and it is said`() {
        #expect(chat.enter("/add parley:Ab3 bob").effects == [.addInvite("parley:Ab3", name: "bob")])
        #expect(chat.hear(.added(bob, name: "bob")) == ["14:02 bob is added; writing to it"])
        #expect(chat.enter("hello").effects.last == .send(to: bob, text: "hello"))
        befriend()
        #expect(chat.hear(.added(bob, name: nil)) == ["14:02 bob is added; writing to it"])
    }

    @Test mutating func `a mistyped command has a suggestion`() {
        #expect(
            chat.enter("/acept").lines == ["14:02 There is no command /acept; /help lists them. Did you mean /accept?"])
        #expect(chat.enter("/conect").lines == ["14:02 There is no command /conect; /help lists them."])
    }

    @Test mutating func `accept without a name takes the only request`() {
        befriend()
        _ = chat.enter("/go bob")
        #expect(chat.enter("/accept").lines == ["14:02 already a contact"])
        let other = PeerID(high: 0x77a9_9e12_0000_8000, low: 0x8000_0000_0000_0005)
        let third = PeerID(high: 0x67a9_9e12_0000_8000, low: 0x8000_0000_0000_0006)
        let friend = Contact(peer: bob, name: "bob", accepted: true)
        _ = chat.hear(.contacts([friend, Contact(peer: other, accepted: false)]))
        #expect(chat.enter("/accept").effects == [.accept(other)])
        #expect(chat.enter("/ignore").effects == [.ignore(other)])
        _ = chat.hear(
            .contacts([friend, Contact(peer: other, accepted: false), Contact(peer: third, accepted: false)]))
        #expect(chat.enter("/accept").effects == [])
    }

    @Test mutating func `to answer a stranger is to accept it`() {
        _ = chat.hear(.contacts([Contact(peer: bob, accepted: false)]))
        let lines = chat.hear(.message(message("hi")))
        #expect(lines.last == "14:02 4f2a91c0 is a stranger: answer, /accept or /block")
        #expect(chat.enter("hello").effects == [.accept(bob), .send(to: bob, text: "hello")])
    }

    @Test(arguments: ["/dance", " /quit", "/add nonsense", "/go nobody", "/nick", "/accept nobody"])
    mutating func `what is no command is never sent`(line: String) {
        befriend()
        _ = chat.enter("/go bob")
        let outcome = chat.enter(line)
        #expect(outcome.effects.isEmpty)
        #expect(outcome.lines.count == 1)
    }

    @Test mutating func `a failure is told once, by its reason`() {
        befriend()
        let sent = message("hi", .outgoing)
        _ = chat.hear(.message(sent))
        #expect(
            chat.hear(.messageState(sent.id, to: bob, .failed, reason: "nobody there")) == [
                "14:02 not sent: nobody there; /retry sends it again [hi]"
            ])
        #expect(chat.hear(.messageState(sent.id, to: bob, .failed, reason: "nobody there")).isEmpty)
    }

    @Test mutating func `an index server is told when it changes`() {
        #expect(chat.hear(.index(server: "i:1", .ok(.milliseconds(1)))) == ["14:02 index i:1 answers"])
        #expect(chat.hear(.index(server: "i:1", .ok(.milliseconds(1)))).isEmpty)
        #expect(chat.hear(.index(server: "i:1", .unreachable("no answer"))).count == 1)
        let same = chat.hear(.index(server: "[::1]:1", .sameServer(as: "i:1")))
        #expect(same == ["14:02 index [::1]:1 is the same server as i:1"])
    }
}
