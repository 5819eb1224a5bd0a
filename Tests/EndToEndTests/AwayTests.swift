// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// Writing to those who are not there, and being written to by those whom one does not know.
    @Suite(.timeLimit(.minutes(4))) struct AwayTests {
        private let site: IndexSite
        private let server: ChildProcess
        private let alice: User
        private let bob: User

        init() throws {
            site = try IndexSite()
            server = try site.startHeadless()
            alice = try User("alice", index: site.address)
            bob = try User("bob", index: site.address)
        }

        private func quit(_ pipe: Pipe) throws {
            try pipe.command("quit")
            #expect(pipe.process.wait() == .exited(0), "\(pipe.process.transcript)")
        }

        /// What the log says of a message, by its text.
        private func state(of text: String, in user: User) throws -> String? {
            try user.log().last { $0["text"]?.string == text }?["state"]?.string
        }

        @Test func `what is written to somebody away waits, survives a restart and arrives`() throws {
            let bobID = try bob.uuid()
            var left = try Pipe(alice)
            try left.waitForIndex()
            try left.command("add", ["peer": bobID, "name": "bob"])
            for number in 1...3 { try left.command("send", ["to": "bob", "text": "\(number)", "tag": "t\(number)"]) }
            let path = try left.event("path", .seconds(20)) { $0["path"]?.string == "none" }
            #expect(path["reason"]?.string?.isEmpty == false)
            #expect(try left.events("state").allSatisfy { $0["state"]?.string == "queued" })
            try quit(left)
            #expect(try state(of: "2", in: alice) == "queued")

            left = try Pipe(alice)
            let right = try Pipe(bob)
            try right.command("add", ["peer": left.uuid, "name": "alice"])
            let texts = try (1...3).map { _ in try right.event("message", .seconds(20))["text"]?.string }
            #expect(texts == ["1", "2", "3"])
            let state = try left.event("state") { $0["state"]?.string == "delivered" }
            #expect(state["tag"]?.string == "t1")
            #expect(holds(within: .seconds(5)) { (try? self.state(of: "3", in: alice)) == "delivered" })
            #expect(try right.events("request").isEmpty && left.events("request").isEmpty)
        }

        @Test func `with the index gone, peers find each other where they last were`() throws {
            let (first, second) = (try Pipe(alice), try Pipe(bob))
            try introduced(first, second)
            try first.command("send", ["to": "bob", "text": "hello"])
            try first.event("state") { $0["state"]?.string == "delivered" }
            try quit(first)
            try quit(second)
            server.child.send(SIGKILL)
            _ = server.wait()

            let left = try Pipe(alice)
            try left.command("send", ["to": "bob", "text": "while you were out"])
            try left.event("state") { $0["state"]?.string == "queued" }
            let right = try Pipe(bob)
            try right.event("message", .seconds(20)) { $0["text"]?.string == "while you were out" }
            try left.event("state") { $0["state"]?.string == "delivered" }
            try right.command("send", ["to": "alice", "text": "and back"])
            try left.event("message") { $0["text"]?.string == "and back" }
        }

        @Test func `a lost session comes back by itself`() throws {
            let (left, first) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, first)
            try left.command("send", ["to": "bob", "text": "one"])
            try first.event("message")
            first.process.child.send(SIGKILL)
            _ = first.process.wait()
            try left.command("send", ["to": "bob", "text": "two"])
            let second = try Pipe(bob)
            let start = Instant.now
            try second.event("message", .seconds(20)) { $0["text"]?.string == "two" }
            #expect(Instant.now.since(start).isWithin(.seconds(9)))
            #expect(try second.events("message").count == 1)
        }

        // MARK: Strangers and invites

        @Test func `who has the invite asks at once, and is let in by accepting`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            for pipe in [left, right] { try pipe.waitForIndex() }
            let invite = try #require(try bob.identity()["invite"]?.string)
            #expect(invite.hasPrefix("parley:") && !invite.contains(" "))
            #expect(right.ready["invite"]?.string == invite)
            try left.command("add", ["peer": invite, "name": "bob"])
            let request = try right.event("request")
            #expect(request["peer"]?.string == left.uuid && request["invited"]?.bool == true)
            try left.command("send", ["to": "bob", "text": "may I", "tag": "x"])
            try left.event("state") { $0["tag"]?.string == "x" && $0["state"]?.string == "sent" }
            try right.command("accept", ["peer": left.uuid])
            #expect(try right.event("message")["text"]?.string == "may I")
            try left.event("state") { $0["tag"]?.string == "x" && $0["state"]?.string == "delivered" }
            #expect(try right.events("request").count == 1 && left.events("request").isEmpty)
        }

        @Test func `a stranger waits without a receipt until it is accepted`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            for pipe in [left, right] { try pipe.waitForIndex() }
            try left.command("add", ["peer": right.uuid, "name": "bob"])
            for number in 1...3 {
                try left.command("send", ["to": "bob", "text": "knock \(number)", "tag": "\(number)"])
            }
            let request = try right.event("request")
            #expect(request["peer"]?.string == left.uuid && request["invited"]?.bool == false)
            try left.event("state") { $0["tag"]?.string == "3" && $0["state"]?.string == "sent" }
            pause(until: .now + .seconds(2))
            #expect(
                try !left.events("state").contains { $0["state"]?.string == "delivered" }, "a stranger got a receipt")
            #expect(try right.events("message").isEmpty)
            try right.command("accept", ["peer": left.uuid])
            #expect(
                try (1...3).map { _ in try right.event("message")["text"]?.string } == [
                    "knock 1", "knock 2", "knock 3",
                ])
            try left.event("state") { $0["tag"]?.string == "3" && $0["state"]?.string == "delivered" }
            #expect(try right.events("request").count == 1)
        }

        @Test func `who is blocked stays blocked, and is told nothing`() throws {
            let (left, first) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, first)
            try left.command("send", ["to": "bob", "text": "before"])
            try left.event("state") { $0["state"]?.string == "delivered" }
            try first.command("block", ["peer": left.uuid])
            try first.command("peers")
            try first.event("peers") { $0["peers"]?.array?.first?["blocked"]?.bool == true }
            try left.command("send", ["to": "bob", "text": "after", "tag": "a"])
            try quit(first)
            let second = try Pipe(bob)
            try second.waitForIndex()
            try left.command("send", ["to": "bob", "text": "and after that", "tag": "b"])
            pause(until: .now + .seconds(5))
            #expect(try second.events("message").isEmpty && second.events("request").isEmpty)
            let states = try left.events("state").filter { ["a", "b"].contains($0["tag"]?.string) }
            #expect(!states.contains { $0["state"]?.string == "delivered" })
            #expect(try bob.log().compactMap { $0["text"]?.string } == ["before"])
        }

        // MARK: Long and odd messages

        @Test func `64 KiB arrive as one message; none and more are refused, and the session lives on`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            var chance = SplitMix64(seed: 0x64)
            let long = String(
                decoding: (0..<65_536).map { _ in UInt8.random(in: 0x20...0x7E, using: &chance) }, as: UTF8.self)
            try left.command("send", ["to": "bob", "text": long, "tag": "long"])
            #expect(try right.event("message")["text"]?.string == long)
            try left.event("state") { $0["tag"]?.string == "long" && $0["state"]?.string == "delivered" }
            for (tag, text) in [("empty", ""), ("longer", long + "x"), ("wide", String(repeating: "é", count: 32_769))]
            {
                try left.command("send", ["to": "bob", "text": text, "tag": tag])
                let error = try left.event("error")
                #expect(error["tag"]?.string == tag && error["message"]?.string?.isEmpty == false)
            }
            let odd = "a\u{0}b\u{1B}]0;x\u{7}\u{202E}\u{FFFF}\n\n e\u{301}" + String(repeating: "\u{301}", count: 5000)
            try left.command("send", ["to": "bob", "text": odd])
            #expect(try right.event("message")["text"]?.string == odd)
            #expect(try left.events("path").count { $0["path"]?.string == "none" } == 0)
            #expect(try right.events("message").count == 2)
        }

        @Test func `two who dial each other at the same moment talk over one session`() throws {
            for _ in 0..<5 {
                let (left, right) = (
                    try Pipe(try User("alice", index: site.address)), try Pipe(try User("bob", index: site.address))
                )
                try introduced(left, right)
                for number in 1...50 {
                    try left.command("send", ["to": "bob", "text": "\(number)"])
                    try right.command("send", ["to": "alice", "text": "\(number)"])
                }
                for pipe in [left, right] {
                    try pipe.event("message") { $0["text"]?.string == "50" }
                    #expect(try pipe.events("message").compactMap { $0["text"]?.string } == (1...50).map(String.init))
                    let paths = try pipe.events("path").map { $0["path"]?.string }
                    #expect(!paths.contains("none"), "\(paths)")
                }
                try quit(left)
                try quit(right)
            }
        }
    }
}
