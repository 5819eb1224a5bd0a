// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing

@testable import ChatScreen

@Suite struct CreationTimeTests {
    /// Minutes before its arrival at 14:30 on 22 November 2026.
    @Test(
        arguments: [
            (nil, nil), (0, nil), (-1, "written 14:31"), (1, "written 14:29"), (24 * 60, "written Sat 21 Nov 14:30"),
            (365 * 24 * 60, "written Sat 22 Nov 2025 14:30"),
        ] as [(Int?, String?)])
    func `a message that was written at another time says when`(minutes: Int?, words: String?) {
        var session = Session()
        let arrival = session.at(30)
        let message = Message(
            id: MessageID(random: 1, 1), peer: Session.bob, direction: .incoming, text: "hello",
            created: minutes.map { WallTime(milliseconds: arrival.milliseconds - Int64($0) * 60_000) },
            received: arrival, state: .delivered, secure: false)
        session.type("<a-1>")
        session.tell(.message(message))
        let row = session.row(with: "hello") ?? ""
        #expect(row.contains("written") == (words != nil), "\(row)")
        if let words { #expect(row.contains(words), "\(row)") }
    }
}
