// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

private let invite = "parley:" + String(repeating: "Ab3_", count: 40)
private let mine = "111112222233333444445555566666"
private let theirs = "777778888899999000001111122222"

@Suite struct StrangerTests {
    @Test func `a stranger without an invite is only counted`() {
        var session = Session()
        session.tell(.request(Session.stranger, name: "erin", text: "buy", invited: false))
        #expect(session.takeEffects() == [])
        #expect(session.row(with: "wants to talk") == nil)
        #expect(session.row(with: "1 request") != nil)
        session.type("<a-r>")
        #expect(session.row(with: "\(Session.stranger)") != nil)
        #expect(session.row(with: "calls itself \"erin\"") != nil)
    }

    @Test(arguments: ["accept", "ignore"])
    func `beside a contact the only request is meant, and of several none`(word: String) {
        var session = Session()
        session.type("/\(word)<enter>")
        #expect(session.flash == (word == "accept" ? "already a contact" : "that is no request"))
        session.tell(.request(Session.stranger, name: "erin", text: "hi", invited: true))
        session.type("<c-c>/\(word)")
        #expect(session.row(with: "57a99e12 wants to talk · Alt+R") != nil, "the popup leaves the banner in sight")
        #expect(session.row(with: "/\(word) [PEER]") != nil)
        let other = PeerID(high: 0x77a9_9e12_0000_8000, low: 0x8000_0000_0000_0005)
        session.tell(.request(other, name: nil, text: "", invited: false))
        session.type("<enter>")
        #expect(session.flash == "2 requests: /requests lists them, or give a name")
        #expect(session.takeEffects().filter { $0 != .bell } == [])
        session.type("<c-c>/ignore 77a99e12<enter>")
        _ = session.takeEffects()
        session.tell(.contacts(Session.book))
        session.tell(.contacts(Session.book + [Contact(peer: other, accepted: false, blocked: true)]))
        session.type("/\(word)<enter>")
        let effect: ChatEffect = word == "accept" ? .accept(Session.stranger) : .ignore(Session.stranger)
        #expect(session.takeEffects() == [effect])
        if word == "accept" { #expect(session.flash == "57a99e12 is a contact now: Ctrl+K opens it") }
    }

    @Test func `whoever is added is opened, whatever was open`() {
        var session = Session()
        session.tell(.added(Session.carol, name: nil))
        #expect(session.state.current == Session.carol)
        session.tell(.added(Session.stranger, name: "erin"))
        #expect(session.state.current == Session.carol)
        session.tell(.contacts(Session.book + [Contact(peer: Session.stranger, name: "erin", accepted: true)]))
        #expect(session.state.current == Session.stranger)
    }

    @Test func `what a stranger calls itself never stands for its name`() {
        var session = Session()
        session.tell(.request(Session.stranger, name: "erin", text: "hi", invited: true))
        #expect(session.row(with: "57a99e12 wants to talk · Alt+R · calls itself \"erin\"") != nil)
        session.tell(
            .contacts(
                Session.book + [Contact(peer: Session.stranger, nickname: "erin", accepted: true)]))
        #expect(session.state.shown.last?.contact.label == "57a99e12")
        session.type("/peers<enter>")
        #expect(session.row(with: "calls itself \"erin\"") != nil)
    }

    @Test(arguments: [
        ("bob", "looks like bob"), ("B0B", "looks like bob"), ("Ьоb", "looks like bob"), ("alice", "looks like you"),
        ("a1ice", "looks like you"), ("b\u{200B}ob", "looks like bob"), ("bób", "looks like bob"), ("robert", nil),
    ])
    func `a lookalike is flagged`(name: String, warning: String?) {
        var session = Session()
        session.tell(.request(Session.stranger, name: name, text: "", invited: true))
        session.type("<a-r>")
        #expect((session.row(with: "looks like") != nil) == (warning != nil))
        if let warning { #expect(session.row(with: warning) != nil) }
    }

    @Test(arguments: [
        ("/nick carol B0B", "B0B looks like bob: choose another name"),
        ("/nick carol bob", "bob is somebody else already"),
    ])
    func `a lookalike is no name either`(line: String, sentence: String) {
        var session = Session()
        session.type("\(line)<enter>")
        #expect(session.takeEffects() == [])
        #expect(session.flash == sentence)
    }

    @Test func `a contact may get another form of its own name`() {
        var session = Session()
        session.type("/nick B0B<enter>")
        #expect(session.takeEffects() == [.rename(Session.bob, "B0B")])
    }

    @Test func `an ignored stranger leaves the screen and may come back`() {
        var session = Session()
        session.tell(.request(Session.stranger, name: nil, text: "", invited: false))
        session.type("<a-r>i")
        #expect(session.state.requests.isEmpty)
        #expect(session.state.overlay == nil)
        session.tell(.request(Session.stranger, name: nil, text: "", invited: false))
        #expect(session.state.requests.count == 1)
    }

    @Test func `strangers without an invite do not push out those with one`() {
        var session = Session()
        for number in 0..<10 {
            session.tell(
                .request(PeerID(high: 0x1000_8000, low: UInt64(number)), name: nil, text: "", invited: true))
        }
        for number in 0..<500 {
            session.tell(
                .request(PeerID(high: 0x5bad_8000, low: UInt64(number)), name: nil, text: "", invited: false))
        }
        #expect(session.state.requests.count { $0.contact.invited } == 10)
        #expect(session.state.requests.count == ChatState.requestLimit)
    }

    // MARK: Invites

    @Test(arguments: [
        ("/add \(invite) erin<enter>", ChatEffect.addInvite(invite, name: "erin")),
        ("/add \(invite)<enter>", .addInvite(invite, name: nil)), ("\(invite)<enter>", .addInvite(invite, name: nil)),
        ("\(invite) erin the red<enter>", .addInvite(invite, name: "erin the red")),
        (" \(invite)<enter>", .send(to: Session.bob, text: invite)),
        ("parley: a word<enter>", .send(to: Session.bob, text: "parley: a word")),
    ])
    func `an invite is added, and sent only behind a blank`(script: String, effect: ChatEffect) {
        var session = Session()
        session.type(script)
        #expect(session.takeEffects() == [effect])
    }

    @Test(arguments: [invite, "  \(invite)\n", String(invite.prefix(70)) + "\n" + invite.dropFirst(70)])
    func `a pasted invite is offered, however it was broken`(pasted: String) {
        var session = Session()
        session.paste(pasted)
        #expect(session.draft == "/add \(invite) ")
        session.type("<enter>")
        #expect(session.takeEffects() == [.addInvite(invite, name: nil)])
    }

    @Test func `an invite in a letter is offered where there is nobody to write to`() {
        var session = Session(contacts: false)
        session.paste("Hi Alice, here is mine: \(invite)\nBob")
        #expect(session.draft == "/add \(invite) ")
        var open = Session()
        open.paste("carol's is \(invite)")
        #expect(open.draft == "carol's is \(invite)")
    }

    @Test func `what a peer calls itself is proposed as its name, by its digits`() {
        var session = Session(contacts: false)
        session.tell(.contacts([Contact(peer: Session.bob, nickname: "carol x", accepted: true)]))
        #expect(session.flash == "b0b00000 calls itself \"carol x\": /nick and Tab names it so")
        session.type("/nick <tab><enter>")
        #expect(session.takeEffects() == [.rename(Session.bob, "carol x")])
    }

    @Test(arguments: ["alice", "car0l", " "])
    func `a nickname that means somebody else is not proposed`(nickname: String) {
        var session = Session()
        session.tell(
            .contacts([Contact(peer: Session.bob, nickname: nickname, accepted: true), Session.book[1]]))
        #expect(session.flash == nil)
    }

    @Test func `plaintext is allowed to somebody not known yet, by the UUID`() {
        var session = Session(contacts: false)
        session.type("/plaintext \(Session.dave) on<enter>")
        #expect(session.takeEffects() == [.allowPlaintext(Session.dave, true)])
        session.tell(.contacts(Session.book))
        #expect(session.state.current == Session.dave)
        session.type("/plaintext \(Session.stranger) on<enter>")
        #expect(session.takeEffects() == [])
    }

    @Test func `a refused text that looks like an invite stays a text`() {
        var session = Session()
        session.tell(.failed("no", .send(to: Session.bob, text: invite)))
        session.type("<enter>")
        #expect(session.takeEffects() == [.send(to: Session.bob, text: invite)])
    }

    @Test func `one's own invite is not added`() {
        var session = Session()
        session.tell(.invite(invite))
        session.type("\(invite)<enter>")
        #expect(session.takeEffects() == [])
        #expect(session.flash == "that is your own invite: give it to a friend")
    }

    @Test func `the invite is copied, and made anew when asked twice`() {
        var session = Session()
        session.tell(.invite(invite))
        session.type("/invite<enter>y")
        #expect(session.takeEffects() == [.copy(invite)])
        session.type("<esc>/invite new<enter>")
        #expect(session.takeEffects() == [])
        session.type("<enter>")
        #expect(session.takeEffects() == [.renewInvite])
    }

    @Test func `the QR code on the screen is the invite's, with its quiet zone`() throws {
        var session = Session(size: Size(columns: 120, rows: 50))
        session.tell(.invite(invite))
        session.type("/invite<enter>v")
        let code = try #require(QRMatrix(invite))
        let frame = session.frame
        let left = (120 - code.size) / 2
        let top = (50 - (code.size + 1) / 2) / 2
        for row in 0..<code.size {
            for column in 0..<code.size {
                let cell = frame[left + column, top + row / 2]
                let light: Set<Character> = row % 2 == 0 ? ["█", "▀"] : ["█", "▄"]
                #expect(light.contains(cell.cluster) != code.isDark(column, row))
                #expect(cell.style.foreground == .white && cell.style.background == .black)
            }
        }
        for place in 0..<code.size {
            #expect(!code.isDark(place, 3) && !code.isDark(3, place) && !code.isDark(code.size - 4, place))
        }
        #expect(code.isDark(4, 4))
    }

    @Test func `a small terminal says how large it must be`() {
        var session = Session()
        session.tell(.invite(invite))
        session.type("/invite<enter>v")
        #expect(session.row(with: "The QR code needs") != nil)
    }

    // MARK: Verification

    @Test func `digits are compared side by side and the mark is given or taken`() {
        var session = Session()
        session.tell(.digits(Session.me, mine))
        session.tell(.digits(Session.bob, theirs))
        session.type("/verify<enter>")
        #expect(session.row(with: "11111  22222      77777  88888") != nil)
        session.type("y")
        #expect(session.takeEffects() == [.verify(Session.bob, true)])
        var book = Session.book
        book[0].verified = true
        session.tell(.contacts(book))
        #expect(session.row(with: "bob  verified") != nil)
        session.type("/verify bob<enter>n")
        #expect(session.takeEffects() == [.verify(Session.bob, false)])
    }

    @Test func `nothing is verified that is not known`() {
        var session = Session()
        session.type("/verify<enter>")
        #expect(session.row(with: "not known yet") != nil)
        session.type("y")
        #expect(session.takeEffects() == [])
        session.type("/verify dave<enter>")
        #expect(session.flash == "a peer without a key: there is nothing to compare")
    }

    @Test(arguments: [(120, 36), (80, 24), (40, 12)])
    func `a key in doubt is told in the title, the list and a banner`(columns: Int, rows: Int) {
        var session = Session(size: Size(columns: columns, rows: rows))
        var book = Session.book
        book[0].alarm = "key changed"
        session.tell(.contacts(book))
        #expect(session.frame.lines[0].contains("! key changed"))
        #expect(session.frame.lines[0].contains("ALARM"))
        #expect(session.row(with: "! bob: key changed") != nil)
        if columns > 40 { #expect(session.row(with: "1 ! bob") != nil) }
    }

    // MARK: Choices

    @Test(arguments: [
        ("/set typing off", ChatEffect.set(.typing, false)), ("/set READ-RECEIPTS ON", .set(.readReceipts, true)),
        ("/plaintext dave on", .allowPlaintext(Session.dave, true)),
        ("/plaintext dave off", .allowPlaintext(Session.dave, false)),
    ])
    func `settings are switched`(line: String, effect: ChatEffect) {
        var session = Session()
        session.type("\(line)<enter>")
        #expect(session.takeEffects() == [effect])
    }

    @Test(arguments: [
        ("/set typing", "usage: /set [SETTING on|off] with one of read-receipts, typing, presence, relay"),
        ("/plaintext dave", "usage: /plaintext PEER on|off"),
        ("/plaintext bob on", "bob has a key: nothing to it ever goes in the open"),
    ])
    func `a setting that can't be is refused`(line: String, sentence: String) {
        var session = Session()
        session.type("\(line)<enter>")
        #expect(session.takeEffects() == [])
        #expect(session.flash == sentence)
    }

    @Test func `settings are listed as they are`() {
        var session = Session()
        session.tell(.setting(.typing, false))
        session.type("/set<enter>")
        #expect(session.row(with: "typing off") != nil)
        #expect(session.row(with: "presence on") != nil)
    }

    /// Bytes of others in each place that shows them.
    @Test(arguments: ["/peers<enter>", "<a-r>", "/verify<enter>", "<a-s>i", "<c-r>x", "<esc>"])
    func `whatever others say is shown harmless`(script: String) {
        let hostile = "x\u{1B}]0;evil\u{7}\u{202E}\u{200B}\n\t\u{9B}31m" + String(repeating: "界", count: 200)
        var session = Session()
        var book = Session.book
        book[0].nickname = hostile
        book[0].alarm = hostile
        session.tell(.contacts(book))
        session.hear(hostile)
        session.tell(.digits(Session.me, hostile + mine))
        session.tell(.digits(Session.bob, hostile + theirs))
        session.tell(.request(Session.stranger, name: hostile, text: hostile, invited: true))
        session.type(script)
        session.tell(
            .found(
                token: session.state.searchToken,
                [
                    SearchHit(
                        peer: Session.bob, id: MessageID(random: 1, 1), direction: .incoming, received: session.at(1),
                        before: hostile, match: hostile, after: hostile)
                ], more: false))
        for size in [(120, 36), (80, 24), (40, 12), (20, 3)] {
            session.resize(size.0, size.1)
            for cell in session.frame.cells {
                for scalar in cell.cluster.unicodeScalars {
                    let category = scalar.properties.generalCategory
                    #expect(category != .control && category != .format && category != .lineSeparator)
                }
            }
        }
    }
}
