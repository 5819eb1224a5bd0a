// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

private let uuid = "0e000000-0000-8000-8000-000000000009"
private let newcomer = PeerID(high: 0x0e00_0000_0000_8000, low: 0x8000_0000_0000_0009)

@Suite struct CommandTests {
    @Test(arguments: [
        ("/add \(uuid) erin", ChatEffect.add(newcomer, name: "erin")),
        ("/add \(uuid)", .add(newcomer, name: nil)),
        ("/ADD \(uuid) Erin the Red", .add(newcomer, name: "Erin the Red")),
        ("/nick robert", .rename(Session.bob, "robert")),
        ("/nick carol cat", .rename(Session.carol, "cat")),
        ("/block", .block(Session.bob)),
        ("/block dave", .block(Session.dave)),
        ("/remove carol", .remove(Session.carol)),
        ("/remove \(Session.carol)", .remove(Session.carol)),
        ("/remove da7e0000", .remove(Session.dave)),
        ("/quit", .quit),
        ("//slash", .send(to: Session.bob, text: "/slash")),
    ])
    func `a command asks for one thing and leaves the line`(line: String, effect: ChatEffect) {
        var session = Session()
        session.type("\(line)<enter>")
        #expect(session.takeEffects() == [effect])
        #expect(session.draft == "")
    }

    @Test(arguments: [
        ("/peesr", "Did you mean /peers? Tab"),
        ("/xyzzyplugh", "no command /xyzzyplugh: // sends a slash, F1 lists commands"),
        ("/", "no command /: // sends a slash, F1 lists commands"),
        ("/ add", "no command /: // sends a slash, F1 lists commands"),
        ("/add", "usage: /add INVITE [NAME]"),
        ("/add bob", "bob is no invite and no UUID"),
        ("/add \(Session.me)", "that is your own UUID"),
        ("/add \(uuid) carol", "carol is somebody else already"),
        ("/add \(uuid) \(Session.bob)", "a UUID is no name"),
        ("/nick \u{1B}", "a name has 1 to 32 columns"),
        ("/nick bob 0123456789012345678901234567890123", "a name has 1 to 32 columns"),
        ("/go nobody", "nobody of that name: /peers lists all"),
        ("/accept", "already a contact"),
        ("/block nobody", "nobody of that name: /peers lists all"),
    ])
    func `what can't be done is said, nothing is sent, the line stays`(line: String, sentence: String) {
        var session = Session()
        session.type("\(line)<esc><enter>")
        #expect(session.takeEffects() == [])
        #expect(session.flash == sentence)
        #expect(session.draft == line)
    }

    @Test func `a line typed while a contact is being added goes to that contact`() {
        var session = Session()
        session.type("/add \(uuid) erin<enter>hello Erin<enter>")
        #expect(session.takeEffects() == [.add(newcomer, name: "erin"), .send(to: newcomer, text: "hello Erin")])
        #expect(session.draft == "")
    }

    @Test func `a command behind blanks is asked about, then sent as text`() {
        var session = Session()
        session.type(" /quit<enter>")
        #expect(session.takeEffects() == [])
        session.type("<enter>")
        #expect(session.takeEffects() == [.send(to: Session.bob, text: " /quit")])
    }

    @Test func `a command behind blanks is asked about again once it changed`() {
        var session = Session()
        session.type(" /quit<enter>x<enter>")
        #expect(session.takeEffects() == [])
    }

    @Test func `tab completes commands, then names`() {
        var session = Session()
        session.type("/ni<tab>")
        #expect(session.draft == "/nick ")
        session.type("ca<tab>")
        #expect(session.draft == "/nick carol ")
    }

    @Test func `tab walks the candidates and shift tab walks back`() {
        var session = Session()
        session.type("/a<tab>")
        #expect(session.draft == "/add ")
        session.type("<tab>")
        #expect(session.draft == "/accept ")
        session.type("<s-tab>")
        #expect(session.draft == "/add ")
    }

    @Test func `tab mends a mistyped command`() {
        var session = Session()
        session.type("/hepl<enter><tab>")
        #expect(session.draft == "/help")
    }

    @Test func `tab leaves plain text alone`() {
        var session = Session()
        session.type("hello<tab>")
        #expect(session.draft == "hello")
    }

    @Test func `adding opens the peer once it is in the book`() {
        var session = Session()
        session.type("/add \(uuid) erin<enter>")
        #expect(session.state.current == Session.bob)
        session.tell(.contacts(Session.book + [Contact(peer: newcomer, name: "erin", accepted: true)]))
        #expect(session.state.current == newcomer)
        #expect(session.row(with: "erin ›") != nil)
    }

    @Test func `adding a known peer opens it, or renames it`() {
        var session = Session()
        session.type("/add \(Session.carol)<enter>")
        #expect(session.state.current == Session.carol)
        session.type("/add \(Session.bob) robert<enter>")
        #expect(session.takeEffects() == [.rename(Session.bob, "robert")])
    }

    @Test func `a pasted UUID is offered as a new peer`() {
        var session = Session()
        session.paste("  \(uuid)\n")
        #expect(session.draft == "/add \(uuid) ")
        session.type("erin<enter>")
        #expect(session.takeEffects() == [.add(newcomer, name: "erin")])
    }

    @Test func `a name with blanks means its peer`() {
        var session = Session()
        session.tell(.contacts(Session.book + [Contact(peer: newcomer, name: "Erin the Red", accepted: true)]))
        session.type("/nick erin the red Erin<enter>/block Erin the Red<enter>")
        #expect(session.takeEffects() == [.rename(newcomer, "Erin"), .block(newcomer)])
    }

    @Test func `close hides the conversation until somebody writes; its history stays`() {
        var session = Session()
        session.hear("old words")
        session.type("/close<enter>")
        #expect(session.takeEffects() == [])
        #expect(session.state.current == Session.carol)
        #expect(session.state.shown.map(\.contact.label) == ["carol", "dave"])
        session.tell(.contacts(Session.book))
        #expect(session.state.shown.count == 2)
        session.hear("hello again")
        session.type("<a-1>")
        #expect(session.row(with: "hello again") != nil)
        #expect(session.row(with: "old words") != nil)
    }

    @Test func `close keeps a conversation in which a message waits`() {
        var session = Session()
        session.say("wait", state: .queued)
        session.type("/close<enter>")
        #expect(session.state.current == Session.bob)
        #expect(session.flash == "1 waiting there: not closed")
    }

    @Test func `id shows the whole UUID and y copies it`() {
        var session = Session()
        session.type("/id<enter>")
        #expect(session.row(with: "4f2a91c0-1111-8222-8333-444455556666") != nil)
        session.type("y")
        #expect(session.takeEffects() == [.copy("4f2a91c0-1111-8222-8333-444455556666")])
        #expect(session.state.overlay == nil)
    }

    @Test func `peers are listed with their whole UUIDs`() {
        var session = Session()
        session.type("/peers<enter>")
        #expect(session.row(with: "dave               \(Session.dave)") != nil)
        session.resize(40, 20)
        #expect(session.row(with: "\(Session.dave)") != nil)
    }

    @Test func `help scrolls to its end and closes`() {
        var session = Session()
        session.type("<f1><end>")
        #expect(session.row(with: "4f2a91c0-1111-8222-8333-444455556666") != nil)
        session.type("q")
        #expect(session.state.overlay == nil)
        #expect(session.draft == "")
    }

    @Test func `every command has its line in the help`() {
        var session = Session(size: .init(columns: 100, rows: 140))
        session.type("<f1>")
        for command in Command.allCases { #expect(session.row(with: command.usage) != nil) }
    }
}
