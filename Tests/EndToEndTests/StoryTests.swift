// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import TerminalKit
import Testing

extension EndToEnd {
    /// Two people chat and an operator watches, each at a terminal.
    @Suite(.timeLimit(.minutes(5))) struct StoryTests {
        @Test(arguments: [
            Size(columns: 120, rows: 36), Size(columns: 80, rows: 24), Size(columns: 40, rows: 12),
        ])
        func `two people chat, an operator watches, the index dies and comes back`(size: Size) throws {
            let site = try IndexSite()
            let dashboard = try site.dashboard(size)
            try site.waitUntilItAnswers()
            let (alice, bob) = (try User("alice", index: site.address), try User("bob", index: site.address))
            let (left, right) = (try alice.chat(size), try bob.chat(size))
            let (aliceID, bobID) = (try waitForID(alice, left), try waitForID(bob, right))
            try waitForRegistrations([aliceID, bobID], site, within: .seconds(10))

            // The operator sees both, by the first digits of their UUIDs, and no name.
            let watched = try dashboard.wait(for: "both registrations") {
                $0.contains(aliceID.prefix(6)) && $0.contains(bobID.prefix(6))
            }
            #expect(!watched.contains("alice") && !watched.contains("bob"))
            // The harness' own probe was a query.
            let probes = try site.queries()
            #expect(probes == 1)

            // Alice adds Bob and writes: one query. Bob answers in the same session: none, then or later.
            try left.type("/add \(bobID) bob<enter>")
            try left.type("hello Bob<enter>")
            try left.wait(for: "hello Bob")
            // Bob would ask for her as well, if he added her before she is there.
            try left.wait(for: "· lan")
            try right.type("/add \(aliceID) alice<enter>")
            try right.wait(for: "hello Bob")
            try right.type("hello yourself, Alice<enter>")
            try left.wait(for: "hello yourself")
            #expect(try site.queries() == probes + 1)
            try exchange(left, right, "talk", rounds: 10)
            #expect(try site.queries() == probes + 1)
            if size.rows < 16 { try dashboard.type("<tab>") }  // room for one panel at a time
            let shown = try dashboard.wait(for: "one query for Bob") { $0.queries(for: bobID) > 0 }
            #expect(shown.queries(for: bobID) == 1 && shown.queries(for: aliceID) == 0, "\(shown)")
            #expect(shown.countsPeers(2), "\(shown)")
            for (chat, last) in [(left, "talk 10 ping"), (right, "talk 10 pong")] {
                try chat.wait(for: "the last word to be read") { screen in
                    screen.lines.contains { $0.contains(last) && $0.contains("✓✓") }
                }
            }
            let ids = [String(aliceID.prefix(8)): "<ALICE>", String(bobID.prefix(8)): "<BOB>"]
            for (who, terminal) in [("alice", left), ("bob", right)] {
                let name = "story-\(who)-\(size.columns)x\(size.rows)"
                #expect(try Golden.mismatch(terminal.screen.masked(ids), name) == nil)
            }

            // Without an index server the chat goes on, and says what is the matter.
            dashboard.child.send(SIGKILL)
            #expect(dashboard.waitForExit() == .signalled(SIGKILL))
            try exchange(left, right, "alone", rounds: 5)
            for chat in [left, right] {
                let screen = try chat.wait(.seconds(60), for: "word that the index is gone") { $0.saysIndexIs(.gone) }
                #expect(screen.contains("alone 5 pong"), "nothing else has changed:\n\(screen)")
            }
            try exchange(left, right, "still", rounds: 3)

            // Back under the same UUIDs, within 25 s, without anybody's doing.
            let second = try site.dashboard(size)
            try waitForRegistrations([aliceID, bobID], site, within: .seconds(25))
            try second.wait(for: "both registrations") {
                $0.contains(aliceID.prefix(6)) && $0.contains(bobID.prefix(6))
            }
            // Nobody asked anything: both know each other's address.
            #expect(try site.queries() == 0)
            for chat in [left, right] {
                try chat.wait(for: "word that the index is back") { $0.saysIndexIs(.ok) }
            }
            try exchange(left, right, "again", rounds: 3)
            #expect(try [alice.uuid(), bob.uuid()] == [aliceID, bobID])

            for chat in [left, right] {
                try chat.type("/quit<enter>")
                #expect(chat.waitForExit() == .exited(0))
                #expect(chat.leftovers == [])
            }
        }

        private func waitForID(_ user: User, _ chat: Terminal) throws -> String {
            try chat.wait(for: "word of the index") { $0.saysIndexIs(.ok) }
            return try user.uuid()
        }

        private func waitForRegistrations(_ uuids: Set<String>, _ site: IndexSite, within limit: Span) throws {
            let deadline = Instant.now + limit
            var seen: Set<String> = []
            repeat {
                seen = (try? site.registered()) ?? []
                if seen == uuids { return }
                pause(until: .now + .milliseconds(200))
            } while .now < deadline
            Issue.record("after \(limit.seconds) s registered: \(seen), not \(uuids)")
        }

        /// Both write by turns, and each line is seen on the other's screen.
        private func exchange(_ left: Terminal, _ right: Terminal, _ word: String, rounds: Int) throws {
            for round in 1...rounds {
                try left.type("\(word) \(round) ping<enter>")
                try right.wait(for: "\(word) \(round) ping")
                try right.type("\(word) \(round) pong<enter>")
                try left.wait(for: "\(word) \(round) pong")
            }
        }
    }
}

private enum IndexState { case ok, gone }

extension ScreenText {
    fileprivate func contains(_ text: Substring) -> Bool { contains(String(text)) }

    /// How many answered queries for a peer the dashboard's feed shows.
    fileprivate func queries(for uuid: String) -> Int {
        lines.count { line -> Bool in
            // On a wide screen a registration stands to the left of a query.
            guard let look = line.firstRange(of: "LOOK ") else { return false }
            return line[look.upperBound...].hasPrefix(uuid.prefix(6)) && line.contains(" hit ")
        }
    }

    /// Whether the dashboard counts so many registrations.
    fileprivate func countsPeers(_ count: Int) -> Bool {
        contains("registrations \(count) ") || contains("peers \(count) ")
    }

    /// What the status line says; a narrow screen has room for one word, at the end of its tabs.
    fileprivate func saysIndexIs(_ state: IndexState) -> Bool {
        guard lines.count >= 16 else {
            return lines.dropLast().last?.hasSuffix(state == .ok ? " ok" : " no index") ?? false
        }
        return contains(state == .ok ? " index ok" : " index unreachable")
    }
}
