// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// Conversations over a line that loses, repeats, reorders and delays, and what somebody on that line sees.
    @Suite(.timeLimit(.minutes(4 * soak)), .enabled(if: BadLine.isPossible, BadLine.needs)) struct BadLineTests {
        /// 10,000 messages on twenty lines when there is time, else a slice.
        private static let count = soak > 1 ? 10_000 : 500

        @Test(arguments: 1...UInt64(soak))
        func `every message arrives once and in order, however bad the line`(seed: UInt64) throws {
            let line = try BadLine(.rough, seed: seed)
            let index = try line.startIndex(.near)
            let (alice, bob) = (
                try line.user("alice", .near, index: index.address), try line.user("bob", .far, index: index.address)
            )
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            let start = Instant.now
            let writer = Thread {
                for number in 1...BadLineTests.count { try? left.command("send", ["to": "bob", "text": "\(number)"]) }
            }
            writer.start()
            let last = "\(BadLineTests.count)"
            try right.event("message", .seconds(200)) { $0["text"]?.string == last }
            let span = Instant.now.since(start)
            let outgoing = try #require(try alice.log().last)
            try left.event("state", .seconds(60)) {
                $0["id"] == outgoing["id"] && $0["state"]?.string == "delivered"
            }
            var ledger = Ledger()
            ledger.add(sender: left.process)
            ledger.add(receiver: right.process)
            try ledger.close(sender: alice, receiver: bob)
            #expect(ledger.faults == [])
            #expect(ledger.shown.first?.count == BadLineTests.count)
            for counters in try line.end() {
                #expect(
                    counters.lost * 100 > counters.read * 20, "the line was not as bad as it should be: \(counters)")
            }
            print("\(BadLineTests.count) messages over a rough line, seed \(seed): \(Int(span.milliseconds)) ms")
        }

        @Test func `the line loses, repeats and reorders as it was told, the same for the same seed`() throws {
            let requests = 2000
            var outcomes: [[Int]] = []
            for _ in 0..<2 {
                let line = try BadLine(BadLine.Faults(loss: 30, duplicate: 10, reorder: 25), seed: 7)
                let index = try line.startIndex(.far)
                let control = index.data.file("control.sock")
                #expect(holds(within: .seconds(10)) { access(control, R_OK) == 0 })
                let target = index.address.replacingOccurrences(of: ":", with: "/")
                let script =
                    #"exec 3>/dev/udp/\#(target); for i in {1..\#(requests)}; do printf '{"req_type":"query"}' >&3; done; sleep 0.5"#
                #expect(try ChildProcess.run(line.launcher(.near) + ["bash", "-c", script]).status == .exited(0))
                let top = [try Executables.parleyIndex(), "top", "--control", control, "--once", "--json"]
                var arrived = -1
                _ = try holds(within: .seconds(3)) {
                    let before = arrived
                    let text = try ChildProcess.run(top).out
                    arrived = try JSON(text)["queries_total"].map(IndexSite.sum) ?? -1
                    return arrived > 0 && arrived == before
                }
                let counters = try #require(try line.end().first)
                #expect(counters.read == requests)
                #expect(arrived == requests - counters.lost + counters.duplicated)
                #expect(abs(counters.lost - requests * 30 / 100) < requests / 25, "\(counters)")
                #expect(abs(counters.duplicated - requests * 7 / 100) < requests / 25, "\(counters)")
                outcomes.append([counters.lost, counters.duplicated, counters.reordered])
            }
            #expect(outcomes.first == outcomes.last)
        }

        @Test func `a line that is cut for seven seconds is noticed, and the conversation heals`() throws {
            let line = try BadLine(BadLine.Faults(delay: 5))
            let index = try line.startIndex(.near)
            let (left, right) = (
                try Pipe(try line.user("alice", .near, index: index.address)),
                try Pipe(try line.user("bob", .far, index: index.address))
            )
            try introduced(left, right)
            try left.command("send", ["to": "bob", "text": "before"])
            try right.event("message")
            try line.cut(true)
            let start = Instant.now
            try left.command("send", ["to": "bob", "text": "into the cut"])
            let path = try left.event("path", .seconds(20)) { $0["path"]?.string == "none" }
            #expect(path["reason"]?.string?.isEmpty == false)
            #expect(Instant.now.since(start).isWithin(.seconds(6)))
            pause(until: start + .seconds(7))
            try line.cut(false)
            let mended = Instant.now
            try right.event("message", .seconds(30)) { $0["text"]?.string == "into the cut" }
            print("healed after \(Int(Instant.now.since(mended).milliseconds)) ms")
            #expect(Instant.now.since(mended).isWithin(.seconds(10)))
        }

        // MARK: What is seen on the line

        private static let canary = "canary-4f1d-sings"

        /// Everything that must not be seen of two users.
        private func secrets(_ users: [User]) throws -> Secrets {
            var secrets = Secrets()
            secrets.add(text: BadLineTests.canary, as: "text")
            for user in users {
                let identity = try user.identity()
                let uuid = try #require(identity["uuid"]?.string)
                secrets.add(text: user.name, as: "nickname")
                secrets.add(text: uuid, as: "peer ID")
                secrets.add(text: uuid.uppercased(), as: "peer ID")
                secrets.add(octets: try octets(uuid.filter { $0 != "-" }), as: "octets of a peer ID")
                secrets.add(octets: try octets(try #require(identity["key"]?.string)), as: "key")
            }
            return secrets
        }

        private func octets(_ hex: String) throws -> [UInt8] {
            try stride(from: 0, to: hex.count, by: 2).map { offset in
                try #require(UInt8(hex.dropFirst(offset).prefix(2), radix: 16), "no hexadecimal: \(hex)")
            }
        }

        @Test func `whoever sees every packet sees no text, name, peer ID or key`() throws {
            let folder = try TemporaryDirectory()
            let line = try BadLine(BadLine.Faults(), pcap: folder.file("line.pcap"))
            let index = try line.startIndex(.near)
            let users = [
                try line.user("alice-0f3a", .near, index: index.address),
                try line.user("bob-7c21", .far, index: index.address),
            ]
            let (left, right) = (try Pipe(users[0]), try Pipe(users[1]))
            try introduced(left, right)
            for number in 1...20 {
                try left.command("send", ["to": "bob", "text": "\(BadLineTests.canary) \(number)"])
                try right.command("send", ["to": "alice", "text": "\(BadLineTests.canary) \(number)"])
            }
            let long = String(repeating: BadLineTests.canary, count: 2000)
            try left.command("send", ["to": "bob", "text": long])
            try right.event("message") { $0["text"]?.string == long }
            for pipe in [left, right] {
                try pipe.command("quit")
                #expect(pipe.process.wait() == .exited(0))
            }
            _ = try line.end()
            let indexPort = try #require(index.address.split(separator: ":").last.flatMap { UInt16($0) })
            let seen = try Capture(readingFrom: folder.file("line.pcap")).without(port: indexPort)
            #expect(seen.count > 50, "\(seen.count) datagrams between the peers")
            #expect(try secrets(users).seen(in: seen) == [:])
        }

        @Test func `the same search finds everything in a conversation of the original kind`() throws {
            let folder = try TemporaryDirectory()
            let line = try BadLine(BadLine.Faults(), pcap: folder.file("line.pcap"))
            let alice = try line.user("alice-0f3a", .near, index: "none")
            let pipe = try Pipe(alice, options: ["--plaintext-peers"])
            let identity = try alice.identity()
            let key = try #require(identity["key"]?.string)
            let uuid = try #require(identity["uuid"]?.string)
            let seed = SeedMessage(from: "0b8d26e4-6ef1-4b6a-9d3a-0f6f2f2b8b11", to: uuid)
            let text = "\(BadLineTests.canary) \(alice.name) \(key)"
            let script = "printf '%s' \(quotedForShell(seed.datagram(text))) > /dev/udp/\(alice.host)/\(alice.port)"
            #expect(try ChildProcess.run(line.launcher(.far) + ["bash", "-c", script]).status == .exited(0))
            #expect(try pipe.event("message")["text"]?.string == text)
            // And octets as such, shifted in base64.
            for (shift, bytes) in [("a", try octets(key)), ("", try octets(uuid.filter { $0 != "-" }))] {
                let base64 = Data(Array(shift.utf8) + bytes + [9]).base64EncodedString()
                // One write, whatever the octets: printf takes some of them for its own.
                let datagram = folder.file("octets")
                try Data(Array("x".utf8) + bytes + Array("y\(base64)".utf8)).write(to: URL(filePath: datagram))
                let script = "cat \(quotedForShell(datagram)) > /dev/udp/\(alice.host)/\(alice.port)"
                #expect(try ChildProcess.run(line.launcher(.far) + ["bash", "-c", script]).status == .exited(0))
            }
            try pipe.command("quit")
            #expect(pipe.process.wait() == .exited(0))
            _ = try line.end()
            let found = try secrets([alice]).seen(in: Capture(readingFrom: folder.file("line.pcap")).datagrams)
            #expect(
                Set(found.keys) == [
                    "text", "nickname", "peer ID", "key", "key in hexadecimal", "key in base64", "octets of a peer ID",
                    "octets of a peer ID in base64",
                ])
        }

        private func quotedForShell(_ text: String) -> String {
            "'" + text.replacingOccurrences(of: "'", with: #"'\''"#) + "'"
        }
    }
}
