// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

@Suite struct SearchTests {
    private static func hit(_ session: Session, _ place: Int, with peer: PeerID = Session.bob) -> SearchHit? {
        session.disk[peer].map {
            SearchHit(
                peer: peer, id: $0[place].id, direction: .incoming, received: $0[place].received, before: "this is ",
                match: "number", after: " \(place); and more")
        }
    }

    private static func start() -> Session {
        var session = Session(contacts: false)
        session.remember((0..<5000).map { "number \($0);" })
        session.remember((0..<300).map { "word \($0);" }, with: Session.carol)
        session.tell(.contacts(Session.book))
        return session
    }

    @Test func `each new query is asked once, here first, then everywhere`() {
        var session = Self.start()
        session.type("<c-r>ab <space><left><c-r>")
        #expect(
            session.takeEffects() == [
                .search("a", in: Session.bob, token: 1), .search("ab", in: Session.bob, token: 2),
                .search("ab", in: nil, token: 3),
            ])
        session.type("<esc>/search two words<enter>")
        #expect(session.takeEffects() == [.search("two words", in: nil, token: 4)])
    }

    @Test func `an answer to an earlier query is not shown`() throws {
        var session = Self.start()
        session.type("<c-r>ab")
        let hit = try #require(Self.hit(session, 7))
        session.tell(.found(token: 1, [hit], more: false))
        #expect(session.row(with: "number 7;") == nil)
        session.tell(.found(token: 2, [hit], more: true))
        #expect(session.row(with: "this is number 7; and more") != nil)
        #expect(session.row(with: "1/1+") != nil)
        session.type("<bs><bs>")
        session.tell(.found(token: 2, [hit], more: false))
        #expect(session.row(with: "number 7;") == nil)
    }

    @Test func `enter goes to a message deep in the past, marked, and alt slash comes back`() throws {
        var session = Self.start()
        session.type("<c-r>number")
        let hits = try [4000, 1234].map { try #require(Self.hit(session, $0)) }
        session.tell(.found(token: session.state.searchToken, hits, more: false))
        session.type("<down>")
        #expect(session.row(with: "2/2") != nil)
        session.type("<enter>")
        let row = try #require(session.frame.lines.firstIndex { $0.contains("number 1234;") })
        #expect(session.frame[30, row].style.attributes.contains(.reverse))
        #expect(session.row(with: "newer") != nil)
        session.type("<a-/>")
        #expect(session.row(with: "number 4999;") != nil)
    }

    @Test func `a hit in another conversation opens it`() throws {
        var session = Self.start()
        session.type("draft<c-r>word<c-r>")
        let hit = try #require(Self.hit(session, 20, with: Session.carol))
        session.tell(.found(token: session.state.searchToken, [hit], more: false))
        session.type("<enter>")
        #expect(session.state.current == Session.carol)
        #expect(session.row(with: "word 20;") != nil)
    }

    @Test func `escape leaves everything where it was`() {
        var session = Self.start()
        session.type("draft<pgup>")
        let before = session.frame
        session.type("<c-r>anything<esc>")
        #expect(session.frame == before)
    }

    @Test func `a hit that is gone says so`() throws {
        var session = Self.start()
        session.type("<c-r>number")
        let hit = try #require(Self.hit(session, 7))
        session.tell(.found(token: session.state.searchToken, [hit], more: false))
        session.disk[Session.bob]?.remove(at: 7)
        session.type("<enter>")
        #expect(session.flash == "that message is gone")
        #expect(session.row(with: "number 4999;") != nil)
    }
}
