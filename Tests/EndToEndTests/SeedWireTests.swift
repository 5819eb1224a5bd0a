// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// The index server, spoken to as the original programs speak: one JSON object a datagram, byte by byte.
    @Suite(.timeLimit(.minutes(3))) struct SeedWireTests {
        private let site: IndexSite
        private let server: ChildProcess

        init() throws {
            site = try IndexSite()
            server = try site.startHeadless()
        }

        private func fixture(_ name: String) throws -> String {
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            return try String(contentsOf: root.appendingPathComponent("assets/\(name)"), encoding: .utf8)
        }

        /// The UUID out of `{"status":"OK","uuid":"…"}`, compared byte by byte with exactly that.
        private func register(_ request: String, _ socket: DatagramSocket, port: UInt16? = nil) throws -> String {
            let answer = try #require(try socket.ask(request, at: port ?? site.port))
            let uuid = try #require(try JSON(answer)["uuid"]?.string)
            #expect(answer == #"{"status":"OK","uuid":"\#(uuid)"}"#)
            #expect(PeerID(uuid)?.version == 4 && PeerID(uuid)?.hasStandardVariant == true)
            return uuid
        }

        @Test func `both original request files are answered to the byte`() throws {
            let socket = try DatagramSocket()
            let uuid = try register(try fixture("registration_request.json"), socket)
            let query = try fixture("query_request.json")
            let asked = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
            #expect(try socket.ask(query, at: site.port) == #"{"address":"nil","uuid":"\#(asked)"}"#)
            let hit = query.replacingOccurrences(of: asked, with: uuid)
            #expect(try socket.ask(hit, at: site.port) == #"{"address":"127.0.0.1:50001","uuid":"\#(uuid)"}"#)
        }

        @Test func `each bare registration gets a UUID of its own`() throws {
            let socket = try DatagramSocket()
            let request = #"{"req_type":"registration","addr":"127.0.0.1:50001"}"#
            let first = try register(request, socket)
            let second = try register(request, try DatagramSocket())
            #expect(first != second)
        }

        @Test func `a UUID is found without regard to case and comes back as sent`() throws {
            let socket = try DatagramSocket()
            let uuid = try register(#"{"req_type":"registration","addr":"192.0.2.7:50007"}"#, socket).uppercased()
            let answer = try socket.ask(#"{"req_type":"query","queried_uuid":"\#(uuid)"}"#, at: site.port)
            #expect(answer == #"{"address":"192.0.2.7:50007","uuid":"\#(uuid)"}"#)
        }

        @Test(arguments: [
            (#"{"req_type":"query","queried_uuid":"no uuid at all"}"#, #"{"address":"nil","uuid":"no uuid at all"}"#),
            (#"{"req_type":"query","queried_uuid":""}"#, #"{"address":"nil","uuid":""}"#),
            (#"{"req_type":"query"}"#, #"{"address":"nil","id":"invalid_uuid"}"#),
            (#"{"req_type":"query","queried_uuid":7}"#, #"{"address":"nil","id":"invalid_uuid"}"#),
            (#"{"req_type":"query","queried_uuid":null,"more":[{}]}"#, #"{"address":"nil","id":"invalid_uuid"}"#),
            (#"{ "queried_uuid" : "x" , "req_type" : "query" }"#, #"{"address":"nil","uuid":"x"}"#),
        ])
        func `a query that finds nothing says so`(request: String, answer: String) throws {
            #expect(try DatagramSocket().ask(request, at: site.port) == answer)
        }

        @Test(arguments: [
            #"{"req_type":"registration"}"#, #"{"req_type":"registration","addr":5}"#,
            #"{"req_type":"registration","addr":"nowhere"}"#, #"{"req_type":"registration","addr":"127.0.0.1:0"}"#,
            #"{"req_type":"registration","addr":"127.0.0.1:99999"}"#,
        ])
        func `a registration that can't be is refused in few bytes`(request: String) throws {
            let answer = try #require(try DatagramSocket().ask(request, at: site.port))
            #expect(try JSON(answer)["uuid"] == nil && JSON(answer)["status"]?.string != "OK")
            #expect(answer.utf8.count <= request.utf8.count, "\(answer)")
        }

        @Test(arguments: [
            "", "{", "not JSON", "[]", "{}", #""query""#, #"{"req_type":"answer","queried_uuid":"x"}"#,
            #"{"req_type":1}"#, #"{"address":"nil","uuid":"x"}"#, #"{"status":"OK","uuid":"x"}"#, "\u{0}\u{1}\u{2}",
        ])
        func `what is no request gets no answer`(datagram: String) throws {
            let socket = try DatagramSocket()
            try socket.send(datagram, to: site.port)
            // The answer to a request sent later shows that the earlier one was seen and passed over.
            try socket.send(#"{"req_type":"query","queried_uuid":"after"}"#, to: site.port)
            let answer = try socket.receive().map { String(decoding: $0, as: UTF8.self) }
            #expect(answer == #"{"address":"nil","uuid":"after"}"#)
        }

        @Test func `both families are served by one wildcard socket`() throws {
            let site = try IndexSite()
            let server = try site.startHeadless(listen: "[::]:\(site.port)", family: .v6)
            let (four, six) = (try DatagramSocket(.v4), try DatagramSocket(.v6))
            let uuid = try register(#"{"req_type":"registration","addr":"[::1]:50006"}"#, six, port: site.port)
            let answer = #"{"address":"[::1]:50006","uuid":"\#(uuid)"}"#
            let query = #"{"req_type":"query","queried_uuid":"\#(uuid)"}"#
            #expect(try six.ask(query, at: site.port) == answer)
            #expect(try four.ask(query, at: site.port) == answer)
            #expect(server.child.isRunning)
        }

        @Test func `pieces of junk by the ten thousand stop nothing`() throws {
            let socket = try DatagramSocket()
            var chance = SplitMix64(seed: 2026)
            let valid = Array(try fixture("registration_request.json").utf8)
            for number in 0..<10_000 * soak {
                try socket.send(junk(&chance, valid), to: site.port)
                // Whatever it answers is read, and now and then a question makes sure that it keeps up.
                if number % 500 == 499 { try expectAnswer(socket, "junk \(number)") }
            }
            #expect(server.child.isRunning, "\(server.transcript)")
        }

        private func junk(_ chance: inout SplitMix64, _ valid: [UInt8]) -> [UInt8] {
            switch chance.next() % 3 {
            case 0: return chance.bytes(Int(chance.next() % 1500))
            case 1: return Array(valid.prefix(Int(chance.next() % UInt64(valid.count))))
            default:
                var bytes = valid
                for _ in 0..<4 {
                    bytes[Int(chance.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: chance.next())
                }
                return bytes
            }
        }

        private func expectAnswer(_ socket: DatagramSocket, _ text: String) throws {
            let expected = Array(#"{"address":"nil","uuid":"\#(text)"}"#.utf8)
            let deadline = Instant.now + .seconds(20)
            try socket.send(#"{"req_type":"query","queried_uuid":"\#(text)"}"#, to: site.port)
            while .now < deadline {
                guard let answer = try socket.receive(.milliseconds(500)) else {
                    try socket.send(#"{"req_type":"query","queried_uuid":"\#(text)"}"#, to: site.port)
                    continue
                }
                if answer == expected { return }
            }
            Issue.record("no answer to “\(text)”; \(server.transcript)")
        }

        @Test func `it ends within two seconds of SIGTERM`() throws {
            server.child.send(SIGTERM)
            server.expectEnd(.exited(128 + SIGTERM), within: .seconds(2))
        }
    }
}
