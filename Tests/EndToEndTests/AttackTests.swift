// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// What others on the network try against running programs.
    @Suite(.timeLimit(.minutes(4))) struct AttackTests {
        private let site: IndexSite
        private let server: ChildProcess

        init() throws {
            site = try IndexSite()
            server = try site.startHeadless()
        }

        // MARK: Probes

        /// Packets of somebody who does not know who lives at a port.
        private static func probes(_ chance: inout SplitMix64) -> [[UInt8]] {
            // RFC 9000: a client's Initial, version negotiation bait, and every first octet there is.
            func initial(version: [UInt8], size: Int, chance: inout SplitMix64) -> [UInt8] {
                let head = [0xC3] + version + [8] + chance.bytes(8) + [8] + chance.bytes(8) + [0]
                return head + [0x44, 0x9E] + chance.bytes(size - head.count - 2)
            }
            var probes: [[UInt8]] = []
            for version: [UInt8] in [
                [0, 0, 0, 1], [0x6B, 0x33, 0x43, 0xCF], [0x1A, 0x2A, 0x3A, 0x4A], [0, 0, 0, 0],
            ] {
                for size in [1200, 1232, 1452] {
                    let packet = initial(version: version, size: size, chance: &chance)
                    probes += [packet] + (0...255).map { [UInt8($0)] + packet }
                }
            }
            for first in UInt8.min...UInt8.max {
                for size in [0, 1, 16, 40, 1216, 9000] { probes.append([first] + chance.bytes(size)) }
            }
            probes += [
                [], Array("{".utf8), Array("{}".utf8), Array(#"{"status":"OK"}"#.utf8),
                Array(#"{"req_type":"query","queried_uuid":"x"}"#.utf8), [UInt8](repeating: 0, count: 60_000),
            ]
            return probes
        }

        @Test func `a port says nothing to whoever does not know who lives there`() throws {
            var chance = SplitMix64(seed: 0xA1)
            let (alice, bob) = (try User("alice", index: site.address), try User("bob", index: site.address))
            let (left, right) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, right)
            let prober = try DatagramSocket()
            for probe in AttackTests.probes(&chance) { try prober.send(probe, to: bob.port) }
            #expect(try prober.receive(.seconds(1)) == nil)
            // The prober would have heard something: an index server answers it.
            #expect(try prober.ask(#"{"req_type":"query"}"#, at: site.port) != nil)

            try left.command("send", ["to": "bob", "text": "still there"])
            #expect(try right.event("message")["text"]?.string == "still there")
            #expect(try right.events("error").isEmpty && right.events("request").isEmpty)
        }

        @Test func `whoever took a peer's place gets probes alone, and a probe no more than its size`() throws {
            let alice = try User("alice", index: site.address)
            var bob = try User("bob", index: site.address)
            let (left, first) = (try Pipe(alice), try Pipe(bob))
            try introduced(left, first)
            try left.command("send", ["to": "bob", "text": "hello"])
            try left.event("state") { $0["state"]?.string == "delivered" }
            first.process.child.send(SIGKILL)
            _ = first.process.wait()
            let lookout = try DatagramSocket(port: bob.port)
            try left.command("send", ["to": "bob", "text": "is anybody there"])
            // What belongs to a session that has just died comes first; then she looks for him anew.
            var probes: [[UInt8]] = []
            let end = Instant.now + .seconds(12)
            while Instant.now < end, let next = try lookout.receive(.seconds(2)) {
                #expect(!String(decoding: next, as: UTF8.self).contains("anybody"))
                #expect(next.first != 2, "she dials an address that did not answer")
                if next.first == 3 { probes.append(next) }
            }
            #expect(!probes.isEmpty && probes.allSatisfy { $0.count == 64 })

            bob.port = try DatagramSocket.freePort()
            let second = try Pipe(bob)
            try second.waitForIndex()
            // A probe that was seen is answered by who is meant, with as many octets; a changed one by nobody.
            let thief = try DatagramSocket()
            let seen = try #require(probes.last)
            try thief.send(seen, to: bob.port)
            let answer = try thief.receive(.seconds(2))
            #expect((answer?.count ?? 0) <= seen.count)
            var changed = seen
            changed[30] ^= 1
            let meddler = try DatagramSocket()
            try meddler.send(changed, to: bob.port)
            #expect(try meddler.receive(.seconds(1)) == nil)
            // The message in question arrives once Bob's new place is known.
            #expect(try second.event("message", .seconds(30))["text"]?.string == "is anybody there")
        }

        // MARK: Registrations

        /// What a program registers with, read by an index server of ours that then tells it to go on.
        private func registration(of user: User, at socket: DatagramSocket) throws -> (request: JSON, port: UInt16) {
            let pipe = try Pipe(user)
            defer { pipe.process.child.send(SIGKILL) }
            for _ in 0..<20 {
                guard let (bytes, port) = try socket.next(.seconds(5)) else { break }
                let request = try JSON(String(decoding: bytes, as: UTF8.self))
                guard request["record"] != nil else { continue }
                if request["cookie"] != nil { return (request, port) }
                let answer = JSON.object([
                    "status": .string("cookie"), "cookie": .string("AAAAAAAAAAAAAAAAAAAAAA"),
                    "seen": .string("127.0.0.1:\(port)"), "nonce": request["nonce"] ?? .null,
                ])
                try socket.send(answer.text, to: port)
            }
            throw ChildProcess.Missing(description: "no registration with a record came")
        }

        @Test func `a registration that was seen, changed or stolen takes nobody's place`() throws {
            let evil = try DatagramSocket()
            let (seen, _) = try registration(of: try User("alice", index: "127.0.0.1:\(evil.port)"), at: evil)
            let (other, _) = try registration(of: try User("bob", index: "127.0.0.1:\(evil.port)"), at: evil)
            let thief = try DatagramSocket()

            /// Registers from the thief's own address, which it can prove.
            func register(_ request: JSON) throws -> JSON {
                let first = try JSON(try #require(try thief.ask(request.with("cookie", nil).text, at: site.port)))
                guard let cookie = first["cookie"] else { return first }
                return try JSON(try #require(try thief.ask(request.with("cookie", cookie).text, at: site.port)))
            }
            #expect(try register(seen)["reason"]?.string == "foreign_address", "replayed from elsewhere")
            let record = try #require(seen["record"]?.string)
            let middle = record.index(record.startIndex, offsetBy: 60)
            let flipped = record.replacingCharacters(in: middle...middle, with: record[middle] == "A" ? "B" : "A")
            #expect(try register(seen.with("record", .string(flipped)))["reason"]?.string == "bad_signature")
            #expect(try register(seen.with("uuid", other["uuid"]))["reason"]?.string == "wrong_key")
            #expect(try register(seen.with("record", other["record"]))["reason"]?.string == "wrong_key")
            #expect(try register(seen.with("record", .string(String(record.dropLast(8)))))["status"]?.string == "error")
            #expect(try site.registered().isEmpty)
            // A registration in the open gets an ID of its own, never one that was asked for.
            let plain = try register(seen.with("record", nil).with("addr", .string("127.0.0.1:\(thief.port)")))
            #expect(plain["status"]?.string == "OK" && plain["uuid"] != seen["uuid"])
        }

        // MARK: An index server that lies

        /// One lie and what must not come of it.
        struct Falsehood: Sendable, CustomTestStringConvertible {
            let testDescription: String
            /// What the user is told of it.
            let words: String
            /// - Parameters:
            ///   - trap: an address where somebody else listens.
            ///   - other: the honest answer about another peer.
            let answers: @Sendable (_ query: JSON, _ honest: JSON, _ trap: String, _ other: JSON) -> [JSON?]

            init(
                _ name: String, told words: String,
                _ answers: @escaping @Sendable (JSON, JSON, String, JSON) -> [JSON?]
            ) {
                (testDescription, self.words, self.answers) = (name, words, answers)
            }
        }

        private static func cut(_ value: JSON?, _ change: (String) -> String) -> JSON? {
            value?.string.map { .string(change($0)) }
        }

        static let falsehoods: [Falsehood] = [
            Falsehood("silence", told: "gave no answer") { _, _, _, _ in [] },
            Falsehood("garbage", told: "gave no answer") { _, _, _, _ in [nil] },
            Falsehood("a known peer is unknown", told: "does not know") { _, honest, _, _ in
                [honest.with("record", nil).with("address", .string("nil"))]
            },
            Falsehood("an address and no record", told: "without a signed record") { _, honest, trap, _ in
                [honest.with("record", nil).with("address", .string(trap))]
            },
            Falsehood("another's record under the right ID", told: "another peer's record") { _, honest, _, other in
                [honest.with("record", other["record"]).with("address", other["address"])]
            },
            Falsehood("another's whole answer", told: "about another peer") { query, _, _, other in
                [other.with("nonce", query["nonce"])]
            },
            Falsehood("a record with a bit changed", told: "broken or forged") { _, honest, trap, _ in
                [
                    honest.with("address", .string(trap)).with(
                        "record",
                        cut(honest["record"]) { record in
                            let spot = record.index(record.startIndex, offsetBy: 70)
                            return record.replacingCharacters(in: spot...spot, with: record[spot] == "A" ? "B" : "A")
                        })
                ]
            },
            Falsehood("half a record", told: "record") { _, honest, trap, _ in
                [
                    honest.with("address", .string(trap)).with(
                        "record", cut(honest["record"]) { String($0.dropLast(40)) })
                ]
            },
            Falsehood("a record with more behind it", told: "broken or forged") { _, honest, trap, _ in
                [honest.with("address", .string(trap)).with("record", cut(honest["record"]) { $0 + "AAAAAAAA" })]
            },
            Falsehood("an answer of 1,900 bytes", told: "record") { _, honest, trap, _ in
                [
                    honest.with("address", .string(trap)).with(
                        "record", cut(honest["record"]) { $0 + String(repeating: "A", count: 1600) })
                ]
            },
            Falsehood("the right answer to another question", told: "not asked") { _, honest, _, _ in
                [honest.with("nonce", .string("not yours"))]
            },
            Falsehood("members of wrong kinds", told: "record") { _, honest, _, _ in
                [
                    honest.with("record", .number(7)), honest.with("address", .array([])),
                    honest.with("uuid", .bool(true)),
                ]
            },
        ]

        @Test(arguments: falsehoods)
        func `a lie reaches nobody it should not, is told, and ends with the liar`(lie: Falsehood) throws {
            let liar = try LyingIndex(before: site.port)
            let (bob, carol) = (
                try Pipe(try User("bob", index: site.address)), try Pipe(try User("carol", index: site.address))
            )
            let alice = try Pipe(try User("alice", index: liar.address))
            for pipe in [bob, carol, alice] { try pipe.waitForIndex() }
            let trap = try DatagramSocket()
            let (question, target) = (try DatagramSocket(), "127.0.0.1:\(trap.port)")
            let pad = String(repeating: "x", count: 600)
            let query = #"{"req_type":"query","queried_uuid":"\#(carol.uuid)","pad":"\#(pad)"}"#
            let other = try JSON(try #require(try question.ask(query, at: site.port)))
            try #require(other["record"]?.string != nil, "the honest answer carries a record")
            liar.tell { query, honest in
                lie.answers(query, honest, target, other).map { Array(($0?.text ?? "\u{1}{no json").utf8) }
            }

            try bob.command("add", ["peer": alice.uuid, "name": "alice"])
            try alice.command("add", ["peer": bob.uuid, "name": "bob"])
            try alice.command("send", ["to": "bob", "text": "for Bob alone", "tag": "x"])
            let path = try alice.event("path", .seconds(20)) {
                $0["path"]?.string == "none" && $0["reason"]?.string?.contains(lie.words) == true
            }
            #expect(path["peer"]?.string == bob.uuid)
            let states = try alice.events("state").compactMap { $0["state"]?.string }
            #expect(states == ["queued"])
            #expect(try bob.events("message").isEmpty)

            liar.tell(nil)
            try alice.event("state", .seconds(20)) { $0["tag"]?.string == "x" && $0["state"]?.string == "delivered" }
            #expect(try bob.event("message")["text"]?.string == "for Bob alone")
            #expect(try carol.events("message").isEmpty && carol.events("request").isEmpty)
            while let caught = try trap.receive(.zero) {
                #expect(caught.first != UInt8(ascii: "{"))
                #expect(!String(decoding: caught, as: UTF8.self).contains("for Bob"))
            }
        }

        @Test func `an older record of the right peer does not bring it back to its old place`() throws {
            let liar = try LyingIndex(before: site.port)
            var bob = try User("bob", index: site.address)
            var right = try Pipe(bob)
            try right.waitForIndex()
            let pad = String(repeating: "x", count: 600)
            let query = #"{"req_type":"query","queried_uuid":"\#(right.uuid)","pad":"\#(pad)"}"#
            let old = try JSON(try #require(try DatagramSocket().ask(query, at: site.port)))
            try right.command("quit")
            #expect(right.process.wait() == .exited(0))
            let oldPort = bob.port
            bob.port = try DatagramSocket.freePort()
            right = try Pipe(bob)
            try right.waitForIndex()

            let alice = try Pipe(try User("alice", index: liar.address))
            try alice.waitForIndex()
            try alice.command("add", ["peer": right.uuid, "name": "bob"])
            try right.command("add", ["peer": alice.uuid, "name": "alice"])
            try alice.command("send", ["to": "bob", "text": "one"])
            try right.event("message", .seconds(20)) { $0["text"]?.string == "one" }
            liar.tell { query, _ in [Array(old.with("nonce", query["nonce"]).text.utf8)] }
            let trap = try DatagramSocket(port: oldPort)

            // Bob moves again without a word; his last place is asked, then the index, which lies.
            right.process.child.send(SIGKILL)
            _ = right.process.wait()
            try alice.command("send", ["to": "bob", "text": "two"])
            let path = try alice.event("path", .seconds(30)) { $0["path"]?.string == "none" }
            #expect(path["reason"]?.string?.isEmpty == false)
            pause(until: .now + .seconds(3))
            #expect(try trap.receive(.zero) == nil, "the old place was believed")
            bob.port = try DatagramSocket.freePort()
            right = try Pipe(bob)
            try right.waitForIndex()
            liar.tell(nil)
            try right.event("message", .seconds(30)) { $0["text"]?.string == "two" }
        }

        // MARK: Downgrade

        @Test(arguments: [[String](), ["--plaintext-peers"]])
        func `a keyed peer is never talked to in the open, whatever an index says`(options: [String]) throws {
            let liar = try LyingIndex(before: site.port)
            let bob = try Pipe(try User("bob", index: site.address))
            let alice = try Pipe(try User("alice", index: liar.address), options: options)
            for pipe in [bob, alice] { try pipe.waitForIndex() }
            let listener = try DatagramSocket()
            liar.tell { _, honest in
                [Array(honest.with("record", nil).with("address", .string("127.0.0.1:\(listener.port)")).text.utf8)]
            }
            try alice.command("send", ["to": bob.uuid, "text": "for Bob alone", "tag": "x"])
            try alice.event("path", .seconds(20)) { $0["path"]?.string == "none" }
            while let caught = try listener.receive(.seconds(1)) { #expect(caught.first != UInt8(ascii: "{")) }
            #expect(!(try alice.events("path").contains { $0["path"]?.string == "plaintext" }))
            #expect(try !alice.events("state").contains { ["sent", "delivered"].contains($0["state"]?.string) })
        }

        @Test(arguments: [[String](), ["--plaintext-peers"]])
        func `a datagram in a keyed peer's name is not shown`(options: [String]) throws {
            let alice = try User("alice", index: site.address)
            let left = try Pipe(alice, options: options)
            let right = try Pipe(try User("bob", index: site.address))
            try introduced(left, right)
            let forger = try DatagramSocket()
            let forged = SeedMessage(from: right.uuid, to: left.uuid)
            for number in 1...3 { try forger.send(forged.datagram("forged \(number)"), to: alice.port) }
            try right.command("send", ["to": "alice", "text": "genuine"])
            let message = try left.event("message")
            #expect(message["text"]?.string == "genuine" && message["secure"]?.bool == true)
            #expect(try left.events("message").count == 1)
            #expect(try alice.log().compactMap { $0["text"]?.string } == ["genuine"])
        }
    }
}
