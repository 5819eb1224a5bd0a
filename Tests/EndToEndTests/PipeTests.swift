// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// `parley pipe` and the subcommands beside it, as another program drives them.
    @Suite(.timeLimit(.minutes(4))) struct PipeTests {
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

        @Test func `ready is the first line and names a keyed UUID and the port`() throws {
            let pipe = try Pipe(alice)
            #expect(PeerID(pipe.uuid)?.isKeyed == true)
            #expect(pipe.ready["listen"]?.string == "127.0.0.1:\(alice.port)")
            #expect(pipe.ready["invite"]?.string?.hasPrefix("parley:") == true)
            let index = try pipe.event("index") { $0["state"]?.string == "ok" }
            #expect(index["server"]?.string?.hasPrefix(site.address) == true)
            #expect((index["rtt_ms"]?.number ?? -1) >= 0)
            #expect(try site.registered().contains(pipe.uuid))
        }

        @Test func `the identity is the same at each start, and its files are the user's alone`() throws {
            let first = try Pipe(alice)
            try first.command("quit")
            #expect(first.process.wait() == .exited(0))
            #expect(try Pipe(alice).uuid == first.uuid)
            var status = stat()
            #expect(stat(alice.home.file("identity"), &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            #expect(stat(alice.home.path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o700)
        }

        @Test func `a message goes from one to the other and says what became of it`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            try left.command("send", ["to": "bob", "text": "grüße \u{202E}日本\u{1B}[31m", "tag": "x1"])
            let message = try right.event("message")
            #expect(message["from"]?.string == left.uuid)
            #expect(message["text"]?.string == "grüße \u{202E}日本\u{1B}[31m")
            #expect(message["secure"]?.bool == true)
            #expect(message["created"]?.string != nil && message["received"]?.string?.hasSuffix("Z") == true)
            try left.event("state") { $0["tag"]?.string == "x1" && $0["state"]?.string == "delivered" }
            let states = try left.events("state").filter { $0["tag"]?.string == "x1" }
            #expect(states.compactMap { $0["state"]?.string } == ["queued", "sent", "delivered"])
            // Nothing is marked read by itself.
            try right.command("read", ["peer": left.uuid, "id": try #require(message["id"]?.string)])
            try left.event("state") { $0["tag"]?.string == "x1" && $0["state"]?.string == "read" }
            #expect(states.allSatisfy { $0["to"]?.string == right.uuid && $0["id"]?.string != nil })
            let lookups = try left.events("lookup")
            #expect(lookups.contains { $0["source"]?.string == "index" && $0["found"]?.bool == true })
            #expect(try right.events("request").isEmpty && left.events("request").isEmpty)
        }

        @Test func `control and format characters are escaped on the line`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            try left.command("send", ["to": right.uuid, "text": "a\u{1B}b\u{202E}c\u{9B}d"])
            try right.event("message")
            let line = try #require(right.process.lines.last { $0.text.contains("\"message\"") }?.text)
            #expect(line.contains(#"\u001b"#) && line.lowercased().contains(#"\u202e"#) && line.contains(#"\u009b"#))
            #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .format || $0.value < 0x20 })
        }

        @Test func `a stranger is one request, and its messages follow when accepted`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try left.waitForIndex()
            try left.command("add", ["peer": right.uuid, "name": "bob"])
            for number in 1...3 { try left.command("send", ["to": "bob", "text": "knock \(number)"]) }
            let request = try right.event("request")
            #expect(request["peer"]?.string == left.uuid)
            #expect(request["invited"]?.bool == false)
            try left.event("state") { $0["state"]?.string == "sent" }
            try right.command("accept", ["peer": left.uuid])
            let texts = try (1...3).map { _ in try right.event("message")["text"]?.string }
            #expect(texts == ["knock 1", "knock 2", "knock 3"])
            #expect(try right.events("request").count == 1)
        }

        @Test func `a cached address is asked first, the index only once`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            for number in 1...50 { try left.command("send", ["to": "bob", "text": "\(number)"]) }
            try right.event("message") { $0["text"]?.string == "50" }
            let before = try site.queries()
            for number in 51...100 { try left.command("send", ["to": "bob", "text": "\(number)"]) }
            try right.event("message") { $0["text"]?.string == "100" }
            #expect(try site.queries() == before)
            let fromIndex = try left.events("lookup").filter { $0["source"]?.string == "index" }
            #expect(fromIndex.count == 1)
        }

        @Test(arguments: [
            "not json", "[]", #"{"command":7}"#, #"{"command":"dance"}"#,
            #"{"command":"send","to":"nobody","text":"x"}"#,
            #"{"command":"send","text":"x"}"#, #"{"command":"add","peer":"no uuid","name":"x"}"#,
            "{\"command\":\"peers\"",
            #"{"command":"accept"}"#, "\u{0}",
        ])
        func `a bad line is one error and nothing else`(line: String) throws {
            let pipe = try Pipe(alice)
            try pipe.waitForIndex()
            try pipe.process.send(line)
            let error = try pipe.event("error")
            #expect(error["message"]?.string?.isEmpty == false)
            try pipe.command("peers")
            #expect(try pipe.event("peers")["peers"]?.array?.isEmpty == true)
            #expect(try pipe.events("error").count == 1)
        }

        @Test func `end of input quits within two seconds, and so does SIGTERM`() throws {
            let pipe = try Pipe(alice)
            pipe.process.closeInput()
            pipe.process.expectEnd(.exited(0), within: .seconds(2))
            let other = try Pipe(bob)
            other.process.child.send(SIGTERM)
            other.process.expectEnd(.exited(128 + SIGTERM), within: .seconds(2))
        }

        @Test func `send, id and log work beside a running pipe`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            let sent = try alice.run("send", "bob", "from the shell", "--json")
            #expect(sent.status == .exited(0), "\(sent.out)\(sent.err)")
            #expect(try right.event("message")["text"]?.string == "from the shell")
            #expect(try alice.uuid() == left.uuid)
            // Without words of its own it says what the running program says.
            var asking = alice
            asking.indexes = []
            #expect(try asking.identity()["invite"]?.string == left.ready["invite"]?.string)
            let log = try bob.run("log", "alice", "--json")
            #expect(log.status == .exited(0))
            let last = try JSON(try #require(log.out.split(separator: "\n").last))
            #expect(last["text"]?.string == "from the shell")
            #expect(last["direction"]?.string == "in" && last["peer"]?.string == left.uuid)
            #expect(last["secure"]?.bool == true)
            let outgoing = try JSON(try #require(try alice.run("log", "--json").out.split(separator: "\n").last))
            #expect(outgoing["direction"]?.string == "out" && outgoing["state"]?.string == "delivered")
            // The beginnings of IDs do.
            let short = try alice.run("send", String(right.uuid.prefix(8)), "by its first digits")
            #expect(short.status == .exited(0), "\(short.out)\(short.err)")
            #expect(try right.event("message")["text"]?.string == "by its first digits")
            #expect(try bob.run("log", String(left.uuid.prefix(4))).out.contains("by its first digits"))
        }

        @Test func `the default server is in no invite, and who has named none is told`() throws {
            var lonely = alice
            lonely.indexes = []
            let result = try lonely.run("id")
            #expect(result.status == .exited(0) && result.err.contains("names no index server"))
            lonely.indexes = ["none"]
            #expect(try result.out == lonely.run("id").out)
            lonely.indexes = []
            let pipe = try Pipe(lonely)
            #expect(result.out.contains(try #require(pipe.ready["invite"]?.string)))
        }

        @Test(arguments: ["host:99999", "foo bar:9", "host:", ":5", "#zz", ""])
        func `a bad index name is refused at once`(name: String) throws {
            var careless = alice
            careless.indexes = [name]
            for subcommand in [["id"], ["pipe"], []] {
                let result = try ChildProcess.run(try careless.parley(subcommand), limit: .seconds(5))
                #expect(result.status == .exited(2) && result.out.isEmpty, "\(result.err)")
                #expect(result.err.contains("'\(name)' is no HOST:PORT"))
            }
        }

        @Test func `what was typed a moment before a crash is there after it`() throws {
            let friend = try bob.uuid()
            do {
                let chat = try alice.chat()
                try chat.wait(for: "index ok")
                try chat.type("/add \(friend) bob<enter>")
                try chat.wait(for: "bob")
                try chat.type("half a sentence")
                try chat.wait(for: "half a sentence")
                pause(until: .now + .milliseconds(2000))
                chat.child.send(SIGKILL)
                #expect(chat.waitForExit() == .signalled(SIGKILL))
            }
            let again = try alice.chat()
            try again.wait(for: "half a sentence")
            again.child.send(SIGTERM)
            _ = again.waitForExit()
        }

        @Test func `a second instance says who holds the home`() throws {
            let first = try Pipe(alice)
            let second = try ChildProcess.run(try alice.parley(["pipe"]))
            #expect(second.status == .exited(1))
            #expect(second.err.contains("\(first.process.child.pid)"), "\(second.err)")
            #expect(second.out.isEmpty)
        }

        @Test func `sending to nobody is exit code 3`() throws {
            let result = try alice.run("send", "nobody", "hello")
            #expect(result.status == .exited(3), "\(result.err)")
            #expect(result.err.split(separator: "\n").count == 1)
        }

        @Test func `an unreachable index is exit code 4`() throws {
            var lonely = try User("lonely", index: "127.0.0.1:\(try DatagramSocket.freePort())")
            lonely.indexes = ["127.0.0.1:\(try DatagramSocket.freePort())"]
            let result = try lonely.run("send", try bob.uuid(), "hello", "--wait", "20s", limit: .seconds(25))
            #expect(result.status == .exited(4), "\(result.err)")
            #expect(result.err.contains(lonely.indexes[0]), "it names who was asked: \(result.err)")
        }

        @Test func `messages by the ten thousand arrive each way, in order`() throws {
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            // More than 20,000 may not wait for one peer.
            let count = 10_000 * min(soak, 2)
            for (pipe, friend) in [(left, "bob"), (right, "alice")] {
                Thread.detachNewThread {
                    for number in 0..<count { try? pipe.command("send", ["to": friend, "text": "\(number)"]) }
                }
            }
            for pipe in [right, left] {
                try pipe.event("message", .seconds(30 * soak)) { $0["text"]?.string == "\(count - 1)" }
                let numbers = try pipe.events("message").compactMap { $0["text"]?.string.flatMap { Int($0) } }
                #expect(numbers == Array(0..<count), "\(numbers.count) came")
            }
        }
    }
}
