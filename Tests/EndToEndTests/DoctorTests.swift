// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Model
import Support
import Testing

extension EndToEnd {
    /// `parley doctor`: always an answer, and nothing changed by it.
    @Suite(.timeLimit(.minutes(2))) struct DoctorTests {
        private func examine(_ user: User, _ options: String...) throws -> ChildProcess.Result {
            try examine(user, options)
        }

        /// Runs it, and holds it to its time.
        private func examine(
            _ user: User, _ options: [String], by launcher: [String] = []
        ) throws -> ChildProcess.Result {
            let start = Instant.now
            let result = try ChildProcess.run(
                launcher + [try Executables.parley(), "doctor", "--home", user.homePath] + options)
            #expect(Instant.now.since(start).isWithin(.seconds(8)))
            return result
        }

        private func check(_ topic: String, in report: JSON) throws -> (mark: String, text: String) {
            let checks = try #require(report["checks"]?.array)
            let check = try #require(checks.first { $0["topic"]?.string == topic }, "\(topic): \(report)")
            return (try #require(check["mark"]?.string), try #require(check["text"]?.string))
        }

        private func files(_ user: User) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: user.homePath).sorted()
        }

        @Test func `beside a running chat it says that all is well, and where the server sees us`() throws {
            let site = try IndexSite()
            let index = try site.startHeadless()
            let user = try User("alice", index: site.address)
            let pipe = try Pipe(user)
            try pipe.waitForIndex()
            let result = try examine(user, "--index", site.address, "--json")
            #expect(result.status == .exited(0), "\(result.out)\(result.err)")
            let report = try JSON(result.out)
            #expect(report["ok"] == .bool(true))
            #expect(try check("home", in: report).text.hasSuffix("ID \(pipe.uuid)"))
            #expect(try check("history", in: report).mark == "ok")
            let server = try check("index", in: report)
            #expect(server.mark == "ok")
            #expect(server.text.contains("sees us at 127.0.0.1:"))
            #expect(report["nat"]?.string == "not seen from outside")
            #expect(try site.registered() == [pipe.uuid])
            let text = try examine(user, "--index", site.address).out
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 160 })
            #expect(text.contains("ok  index"))
            withExtendedLifetime(index) {}
        }

        @Test func `an empty home stays empty, and a machine without a network is told so`() throws {
            let user = try User("alice", index: "none")
            let result = try examine(user, "--index", "none", "--json")
            #expect(result.status == .exited(0), "\(result.out)\(result.err)")
            #expect(try files(user) == [])
            #expect(try JSON(result.out)["advice"]?.string?.contains("--index") == true)
        }

        @Test(.enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
        func `without a network it says so at once`() throws {
            let user = try User("alice", index: "none")
            let place = try NetworkNamespace()
            let result = try examine(
                user, ["--index", "25.0.113.9:7777", "--index", "nowhere.invalid", "--json"], by: place.launcher)
            #expect(result.status == .exited(1))
            let report = try JSON(result.out)
            #expect(try check("network", in: report).text.contains("no address"))
            for way in ["PCP", "NAT-PMP", "UPnP"] { #expect(try check(way, in: report).text.contains("no router")) }
            #expect(try check("index", in: report).mark == "x")
        }

        @Test func `what is broken is marked, with what would help`() throws {
            let user = try User("alice", index: "none")
            try "not an identity".write(toFile: user.homePath + "/identity", atomically: true, encoding: .utf8)
            try "not a database".write(toFile: user.homePath + "/history.sqlite", atomically: true, encoding: .utf8)
            let before = try files(user)
            let port = try DatagramSocket.freePort()
            let result = try examine(user, "--index", "127.0.0.1:\(port)", "--json")
            #expect(result.status == .exited(1))
            let report = try JSON(result.out)
            #expect(report["ok"] == .bool(false))
            for topic in ["home", "history", "index"] { #expect(try check(topic, in: report).mark == "x", "\(topic)") }
            #expect(try files(user) == before)
        }

        @Test func `foreign text is shown, not obeyed`() throws {
            let user = try User("alice", index: "none")
            let result = try examine(user, "--index", "a\u{1B}[31m\u{202E}b.invalid:1")
            let text = result.out + result.err
            #expect(result.status == .exited(2))
            #expect(!text.contains("\u{1B}") && !text.contains("\u{202E}"))
            #expect(text.contains("b.invalid"))
        }

        @Test(.enabled(if: NatLab.isPossible, NatLab.needs))
        func `it judges by what it measured, and by its options`() async throws {
            let lab = try NatLab(.firewall, .udpBlocked)
            let index = try lab.indexServer()
            let relay = "the relay of index \(NatLab.index)"
            let cases: [(node: NatLab.Node, options: [String], summary: String)] = [
                (
                    .a, [],
                    "People reach you directly if no firewall stands between, and after a punch if one does; else by relay."
                ),
                (.a, ["--relay-only"], "People reach you through \(relay) alone, as --relay-only has it."),
                (.b, [], "People reach you through \(relay)."),
            ]
            try await atOnce(cases) { node, options, summary in
                let user = try User("alice", index: "none")
                let result = try examine(
                    user, options + ["--index", NatLab.index, "--json"], by: lab.launcher(node))
                #expect(result.status == .exited(0), "\(result.out)\(result.err)")
                let report = try JSON(result.out)
                #expect(report["summary"]?.string == summary, "\(node) \(options)")
                let text = try check("index", in: report).text
                #expect(text.contains("relays") && text.contains(NatLab.index), "\(text)")
                #expect(text.contains("tunnel") == (node == .b), "\(text)")
                let asks = try check(options.isEmpty ? "PCP" : "open port", in: report)
                #expect(asks.mark == "-" && asks.text.contains(options.first ?? "not there"))
            }
            withExtendedLifetime(index) {}
        }

        @Test(.enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
        func `of a server's name every address is asked`() throws {
            let site = try IndexSite()
            let index = try site.startHeadless()
            let user = try User("alice", index: "none")
            // A machine of the same kind that knows the name.
            let hosts = site.data.file("hosts")
            try "127.0.0.1 both.test\n::1 both.test\n".write(toFile: hosts, atomically: true, encoding: .utf8)
            let launcher = ["unshare", "-m", "sh", "-ec", "mount --bind \(hosts) /etc/hosts; exec \"$@\"", "sh"]
            let port = try #require(site.address.split(separator: ":").last)
            let result = try examine(user, ["--index", "both.test:\(port)", "--json"], by: launcher)
            #expect(result.status == .exited(0), "\(result.out)\(result.err)")
            let lines = try #require(try JSON(result.out)["checks"]?.array).filter { $0["topic"]?.string == "index" }
            // It listens at the one of IPv4.
            #expect(Set(lines.compactMap { $0["mark"]?.string }) == ["ok", "!"], "\(result.out)")
            #expect(lines.allSatisfy { $0["text"]?.string?.hasPrefix("both.test:\(port) (") == true })
            withExtendedLifetime(index) {}
        }

        @Test func `on a terminal it says at once what it waits for, and elsewhere it doesn't`() throws {
            let user = try User("alice", index: "none")
            let start = Instant.now
            let program = [try Executables.parley(), "doctor", "--home", user.homePath, "--index", "127.0.0.1:1"]
            // `script` gives it a terminal.
            let shown = try ChildProcess(["script", "-qec", program.joined(separator: " "), "/dev/null"])
            let line = try shown.line("what it waits for") { $0.hasPrefix("asking the router and 1 index server...") }
            #expect(line.moment.since(start).isWithin(.seconds(1)))
            _ = try shown.line("the verdict") { $0.contains("No index server answers") }
            #expect(try examine(user, "--index", "none").err.isEmpty)
        }

        @Test func `a server that answers anything at all is survived`() async throws {
            let answers = [#"{"status":"cookie","cookie":"AAAA","seen":"25.0.0.1:9","second":7}"#, "junk", "{", ""]
            try await atOnce(answers, survives)
        }

        private func survives(_ answer: String) throws {
            let server = try DatagramSocket()
            let port = server.port
            let isDone = Flag()
            let thread = Thread {
                while !isDone.value {
                    if let (_, from) = try? server.next(.milliseconds(100)) { try? server.send(answer, to: from) }
                }
            }
            thread.start()
            defer { isDone.value = true }
            let user = try User("alice", index: "none")
            let result = try examine(user, "--index", "127.0.0.1:\(port)", "--json")
            #expect(try JSON(result.out)["checks"]?.array?.isEmpty == false, "\(answer)")
        }
    }
}

private final class Flag: @unchecked Sendable {
    private let lock = NSLock()
    private var flag = false
    var value: Bool {
        get { lock.withLock { flag } }
        set { lock.withLock { flag = newValue } }
    }
}
