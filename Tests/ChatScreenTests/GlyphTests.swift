// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit
import Testing

@testable import ChatScreen

@Suite struct GlyphTests {
    @Test(
        arguments: [
            "", "<f1>", "<f1><end>", "<c-k>", "/", "/peers<enter>", "/id<enter>", "<pgup><pgup>", "/nonsense<enter>",
            "<a-l>",
            "<c-c><c-c>",
        ], [(120, 36), (80, 24), (40, 12), (30, 5), (10, 2)])
    func `an ASCII screen shows nothing else of ours`(script: String, size: (Int, Int)) {
        var session = Session(ascii: true, size: Size(columns: size.0, rows: size.1))
        for number in 1...40 { session.hear("plain words \(number)") }
        session.hear("let me in", from: Session.stranger)
        session.say("waiting", state: .queued, reason: "looking")
        session.say("lost", state: .failed, reason: "no answer")
        session.tell(.path(Session.carol, .none, roundTrip: nil, reason: "no answer"))
        session.type(script)
        let foreign = session.frame.cells.filter { !$0.cluster.isASCII }
        #expect(foreign.isEmpty)
    }
}
