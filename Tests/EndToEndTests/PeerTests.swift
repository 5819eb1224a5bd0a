// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing

extension EndToEnd {
    /// `parley` among peers of other kinds, and peers that move.
    @Suite(.timeLimit(.minutes(2))) struct PeerTests {
        private let site: IndexSite
        private let server: ChildProcess

        init() throws {
            site = try IndexSite()
            server = try site.startHeadless()
        }

        @Test func `a peer of the original kind talks with ours, both ways`() throws {
            let seed = try SeedPeer(index: site.port)
            let alice = try Pipe(try User("alice", index: site.address), options: ["--plaintext-peers"])
            try alice.waitForIndex()

            try seed.send("hello", to: alice.uuid)
            let first = try alice.event("message")
            #expect(first["from"]?.string == seed.uuid && first["text"]?.string == "hello")
            #expect(first["created"] == .null && first["secure"]?.bool == false)
            try seed.send("again", to: alice.uuid, time: "2024-02-26 10:30:33.169463804 +01:00")
            #expect(try alice.event("message")["created"]?.string == "2024-02-26T09:30:33.169Z")

            try alice.command("send", ["to": seed.uuid, "text": "grüße\u{1B}", "tag": "x"])
            let datagram = try seed.receive()
            #expect(datagram.utf8.count <= 1024)
            let message = try JSON(datagram)
            #expect(message["src_uuid"]?.string == alice.uuid && message["dst_uuid"]?.string == seed.uuid)
            #expect(message["data"]?.string == "grüße\u{1B}\n")
            #expect(message["creation_time"]?.string?.isEmpty == false)
            try alice.event("state") { $0["tag"]?.string == "x" && $0["state"]?.string == "sent" }

            // More than its buffer holds is refused, not cut and not sent.
            try alice.command("send", ["to": seed.uuid, "text": String(repeating: "x", count: 1000), "tag": "long"])
            #expect(try alice.event("error")["tag"]?.string == "long")
            try alice.command("send", ["to": seed.uuid, "text": "short again"])
            #expect(try JSON(try seed.receive())["data"]?.string == "short again\n")
        }

        @Test func `without --plaintext-peers such a peer is dropped, told once and not written to`() throws {
            let seed = try SeedPeer(index: site.port)
            let alice = try Pipe(try User("alice", index: site.address))
            try alice.waitForIndex()
            for number in 1...3 { try seed.send("hello \(number)", to: alice.uuid) }
            _ = try alice.process.errorLine(containing: "--plaintext-peers")
            try alice.command("send", ["to": seed.uuid, "text": "x", "tag": "x"])
            #expect(try alice.event("error")["message"]?.string?.contains("--plaintext-peers") == true)
            #expect(try seed.inbox.receive(.milliseconds(300)) == nil)
            #expect(alice.process.errorLines.count == 1, "\(alice.process.errorLines)")
            #expect(try alice.events("message").isEmpty && alice.events("request").isEmpty)
        }

        @Test func `a peer that moved is found by one lookup, and nothing is lost`() throws {
            var bob = try User("bob", index: site.address)
            let left = try Pipe(try User("alice", index: site.address))
            var right = try Pipe(bob)
            try introduced(left, right)
            try left.command("send", ["to": "bob", "text": "at the old place"])
            try right.event("message")
            try right.command("quit")
            #expect(right.process.wait() == .exited(0))
            try left.event("path") { $0["path"]?.string == "none" }
            bob.port = try DatagramSocket.freePort()
            right = try Pipe(bob)
            try right.waitForIndex()

            for number in 1...20 { try left.command("send", ["to": "bob", "text": "\(number)"]) }
            try right.event("message", .seconds(20)) { $0["text"]?.string == "20" }
            let texts = try right.events("message").compactMap { $0["text"]?.string }
            #expect(texts == (1...20).map(String.init))
            try left.event("path") { ["lan", "direct"].contains($0["path"]?.string) }
        }

        @Test func `one chat or pipe holds a home, whatever kind the second is`() throws {
            let alice = try User("alice", index: site.address)
            let chat = try alice.chat()
            try chat.wait(for: "index ok")
            let pipe = try ChildProcess.run(try alice.parley(["pipe"]))
            #expect(pipe.status == .exited(1))
            #expect(pipe.err.contains("\(chat.child.pid)") && pipe.out.isEmpty, "\(pipe.err)")
        }
    }
}
