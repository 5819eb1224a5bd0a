// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// One index server that a user names twice.
    @Suite(.timeLimit(.minutes(2))) struct ServersTests {
        private let site: IndexSite
        private let server: ChildProcess

        init() throws {
            site = try IndexSite()
            server = try site.startHeadless(listen: "[::]:\(site.port)")
        }

        private func user(_ name: String, _ indexes: [String]) throws -> User {
            var user = try User(name, index: site.address)
            user.host = "[::]"
            user.indexes = indexes
            return user
        }

        private struct Row: Equatable {
            var address: String?
            var registrations, roams: Int
        }

        private func row(of uuid: String) throws -> Row {
            let snapshot = try site.snapshot()
            let rows = (snapshot["registrations"]?.array ?? []).filter { $0["uuid"]?.string == uuid }
            #expect(rows.count <= 1)
            func total(_ name: String) -> Int { snapshot[name].map(IndexSite.sum) ?? -1 }
            return Row(
                address: rows.first?["address"]?.string, registrations: total("registrations_total"),
                roams: total("roams_total"))
        }

        @Test(arguments: [["127.0.0.1", "[::1]"]] + (soak > 1 ? [["localhost"]] : []))
        func `a server by two addresses has one row, which stays`(hosts: [String]) throws {
            let names = hosts.map { "\($0):\(site.port)" }
            let alice = try Pipe(try user("alice", names))
            let uuid = alice.uuid
            try alice.event("index") { $0["state"]?.string == "ok" }
            if names.count > 1 {
                let silent = try alice.event("index") { $0["reason"]?.string?.hasPrefix("the same server as") == true }
                #expect(silent["state"]?.string == "ok")
            }
            pause(until: .now + .seconds(5))
            let first = try row(of: uuid)
            #expect(first.address != nil && (1...4).contains(first.registrations) && first.roams == 0, "\(first)")
            // The time of a keepalive at least.
            pause(until: .now + .seconds(soak > 1 ? 45 : 20))
            #expect(try row(of: uuid) == first)
            try alice.command("quit")
            #expect(alice.process.wait(.seconds(3)) == .exited(0))
        }

        @Test func `who is registered by IPv6 is found by who knows IPv4 alone`() throws {
            let (v4, v6) = ("127.0.0.1:\(site.port)", "[::1]:\(site.port)")
            let (alice, bob) = (try Pipe(try user("alice", [v4, v6])), try Pipe(try user("bob", [v4])))
            try introduced(alice, bob)
            try bob.command("send", ["to": "alice", "text": "hello"])
            try alice.event("message") { $0["text"]?.string == "hello" }
            for pipe in [alice, bob] { try pipe.command("quit") }
        }
    }
}
