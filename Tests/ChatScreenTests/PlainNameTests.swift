// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import Model
import SafeText
import Testing

/// Names in lines alone: they mean whom they mean on the screen.
@Suite struct PlainNameTests {
    private static let me = PeerID(high: 0x4f2a_91c0_1111_8222, low: 0x8333_4444_5555_6666)
    private static let alice = PeerID(high: 0xa11c_0000_0000_8000, low: 0x8000_0000_0000_0001)
    private static let smith = PeerID(high: 0x5317_0000_0000_8000, low: 0x8000_0000_0000_0002)
    private static let bob = PeerID(high: 0xb0b0_0000_0000_8000, low: 0x8000_0000_0000_0003)
    /// A peer without a key: version 4.
    private static let dave = PeerID(high: 0xda7e_0000_0000_4000, low: 0x8000_0000_0000_0004)
    private static let newcomer = PeerID(high: 0x0e00_0000_0000_8000, low: 0x8000_0000_0000_0005)
    private static let keyless = PeerID(high: 0x0e00_0000_0000_4000, low: 0x8000_0000_0000_0006)

    private var chat = PlainChat(me: me, name: "carol")

    init() {
        _ = chat.hear(
            .contacts([
                Contact(peer: Self.alice, name: "Alice", accepted: true),
                Contact(peer: Self.smith, name: "Alice Smith", accepted: true),
                Contact(peer: Self.bob, name: "bob", accepted: true),
                Contact(peer: Self.dave, name: "dave", accepted: true),
            ]))
    }

    @Test(arguments: [
        ("/remove Alice Smith", ChatEffect.remove(smith)), ("/remove alice", .remove(alice)),
        ("/block alice smith", .block(smith)), ("/block", .block(bob)),
        ("/nick Alice Smith Ally", .rename(smith, "Ally")), ("/nick bob Bob Stone", .rename(bob, "Bob Stone")),
        ("/nick Robert Stone", .rename(bob, "Robert Stone")),
        ("/verify Alice Smith yes", .verify(smith, true)), ("/why alice smith", .explain(smith)),
        ("/plaintext dave on", .allowPlaintext(dave, true)), ("/plaintext Dave OFF", .allowPlaintext(dave, false)),
        ("/plaintext \(keyless) on", .allowPlaintext(keyless, true)),
        ("/set Typing OFF", .set(.typing, false)),
        ("/add parley:Ab3 Alice Jones", .addInvite("parley:Ab3", name: "Alice Jones")),
        ("/add \(newcomer) Erin the Red", .add(newcomer, name: "Erin the Red")),
        ("/add \(bob) Robert", .rename(bob, "Robert")),
    ])
    mutating func `a command means the peer whom the longest run of words names`(line: String, effect: ChatEffect) {
        _ = chat.enter("/go bob")
        #expect(chat.enter(line).effects == [effect])
    }

    @Test(arguments: [
        ("Alice Smith", smith), ("alice", alice), ("BOB", bob), ("b0b0", bob), ("\(smith)", smith), ("2", smith),
    ])
    mutating func `go takes names, digits and the numbers of the list`(word: String, peer: PeerID) {
        #expect(chat.enter("/go \(word)").lines.count == 1)
        #expect(chat.enter("hello").effects == [.send(to: peer, text: "hello")])
    }

    @Test mutating func `plaintext without a name is about the open conversation`() {
        _ = chat.enter("/go dave")
        #expect(chat.enter("/plaintext on").effects == [.allowPlaintext(Self.dave, true)])
    }

    @Test(arguments: [
        ("/add", "usage: /add INVITE [NAME]"),
        ("/add nonsense", "nonsense is no invite and no UUID"),
        ("/add \(me)", "that is your own UUID"),
        ("/add parley:mine bob", "that is your own invite: give it to a friend"),
        ("/add parley:Ab3 Alice Smith", "Alice Smith is somebody else already"),
        ("/add \(newcomer) bob", "bob is somebody else already"),
        ("/add \(newcomer) B0B", "B0B looks like bob: choose another name"),
        ("/nick bob \(alice)", "a UUID is no name"),
        ("/nick bob 0123456789012345678901234567890123", "a name has 1 to 32 columns"),
        ("/nick bob alice", "alice is somebody else already"),
        ("/nick", "usage: /nick [PEER] NAME"),
        ("/nick Robert", "name whom? /nick [PEER] NAME"),
        ("/go", "usage: /go PEER"),
        ("/go Alice Smi", "nobody of that name: /peers lists all"),
        ("/go 5", "nobody of that name: /peers lists all"),
        ("/go 0", "nobody of that name: /peers lists all"),
        ("/go \(Int.min)", "nobody of that name: /peers lists all"),
        ("/remove Alice Jones", "nobody of that name: /peers lists all"),
        ("/remove", "whom? open a conversation or give a name"),
        ("/accept bob", "already a contact"),
        ("/ignore bob", "that is no request"),
        ("/accept", "no requests"),
        ("/verify dave", "a peer without a key: there is nothing to compare"),
        ("/plaintext bob on", "bob has a key: nothing to it ever goes in the open"),
        ("/plaintext bob", "usage: /plaintext PEER on|off"),
        ("/invite anew", "usage: /invite [new]"),
        ("/set typing", "usage: /set [SETTING on|off] with one of read-receipts, typing, presence, relay"),
    ])
    mutating func `what can't be done is said as on the screen`(line: String, sentence: String) {
        _ = chat.hear(.invite("parley:mine"))
        let outcome = chat.enter(line)
        #expect(outcome.effects == [])
        #expect(outcome.lines.map(\.string) == [sentence])
    }

    @Test mutating func `a blocked contact is neither opened nor let in`() {
        _ = chat.hear(.contacts([Contact(peer: Self.bob, name: "bob", accepted: false, blocked: true)]))
        for line in ["/go bob", "/accept bob"] {
            let outcome = chat.enter(line)
            #expect(outcome.effects == [])
            #expect(outcome.lines == ["blocked: /add takes the block away"])
        }
        #expect(chat.enter("/block bob").lines == ["blocked already: /add takes the block away"])
    }

    @Test mutating func `a known peer is opened by adding it`() {
        #expect(chat.enter("/add \(Self.smith)").lines == ["writing to Alice Smith"])
        #expect(chat.enter("hello").effects == [.send(to: Self.smith, text: "hello")])
    }

    @Test mutating func `a stranger that calls itself like a contact is listed with a warning`() {
        let stranger = Contact(peer: Self.newcomer, nickname: "B0b", accepted: false, invited: true)
        _ = chat.hear(.contacts([Contact(peer: Self.bob, name: "bob", accepted: true), stranger]))
        #expect(
            chat.enter("/requests").lines.map(\.string) == [
                "\(Self.newcomer) has your invite, calls itself \"B0b\", looks like bob"
            ])
    }
}
