// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Support
import Testing

extension EndToEnd {
    /// What an operator writes down, and what the programs make of it.
    @Suite(.timeLimit(.minutes(2))) struct IndexConfigTests {
        private let home: TemporaryDirectory
        private let site: IndexSite

        init() throws {
            (home, site) = (try TemporaryDirectory(), try IndexSite())
        }

        /// Nobody's settings but the test's.
        private var environment: [String: String] { ["HOME": home.path, "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""] }

        private func configure(_ text: String) throws -> String {
            let path = home.file("index.toml")
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            return path
        }

        private func run(_ arguments: String..., more: [String: String] = [:]) throws -> ChildProcess.Result {
            try ChildProcess.run(
                [try Executables.parleyIndex()] + arguments, environment: environment.merging(more) { $1 })
        }

        @Test func `a file that is in order says so, and nothing is written`() throws {
            let data = home.file("data/below")
            let file = try configure("listen = '\(site.address)'\ndata_dir = '\(data)'\nmetrics = 'none'")
            let result = try run("check", "--config", file)
            #expect(result.status == .exited(0), "\(result.err)")
            #expect(result.out.hasSuffix("The settings are in order.\n") && result.err == "")
            #expect(access(home.file("data"), F_OK) != 0)
        }

        @Test func `each fault is a sentence with its line`() throws {
            let file = try configure(
                "lissten = 5\nlog_level = 'loud'\ndata_dir = '/dev/null/x'\nnonsense\nlisten = '\(site.address)'")
            let result = try run("check", "--config", file)
            #expect(result.status == .exited(1))
            let sentences = result.err.split(separator: "\n").map { $0.replacing("parley-index: ", with: "") }
            #expect(
                sentences == [
                    "\(file):4: a '=' and a value must follow 'nonsense'.",
                    "\(file):2: log_level must be error, warn, info or debug, not 'loud'.",
                    "\(file):1: unknown key 'lissten'; did you mean 'listen'?",
                    "The data directory /dev/null/x can't be made: /dev/null is no directory.",
                ])
            #expect(try run("serve", "--config", file).status == .exited(2))
            #expect(try run("check", "--config", home.file("none.toml")).status == .exited(1))
            #expect(try run("check", "--log-level", "loud").status == .exited(2))
            #expect(try run("check", "--lissten", "5").status == .exited(2))
        }

        @Test func `a flag outranks the environment, and that the user's file`() throws {
            try FileManager.default.createDirectory(
                atPath: home.file(".config/parley-index"), withIntermediateDirectories: true)
            let file = home.file(".config/parley-index/config.toml")
            try "loops = 1\nlog_level = 'warn'\nlisten = 7".write(toFile: file, atomically: false, encoding: .utf8)
            let shown = try run(
                "check", "--show", "--listen", site.address,
                more: ["PARLEY_INDEX_LISTEN": "8", "PARLEY_INDEX_LOG_LEVEL": "error"])
            let lines = shown.out.split(separator: "\n").map { $0.replacing(/\s+#/, with: " #") }
            #expect(lines.contains("listen = \"\(site.address)\" # --listen"))
            #expect(lines.contains("log_level = \"error\" # PARLEY_INDEX_LOG_LEVEL"))
            #expect(lines.contains("loops = 1 # \(file):1"))
            #expect(lines.contains("data_dir = \"\(home.path)/.local/share/parley-index\" # default"))
        }

        @Test func `a server runs by its file, warns of what it does not know, and is found by it`() throws {
            let file = try configure(
                "listen = '\(site.address)'\ndata_dir = '\(site.data.path)'\nstore = 'memory'\nheadless = true\n"
                    + "log_format = 'json'\nlog_levle = 'warn'")
            let server = try ChildProcess(
                [try Executables.parleyIndex(), "--config", file], environment: environment)
            try site.waitUntilItAnswers()
            #expect(
                try server.errorLine(containing: "unknown key")
                    == "parley-index: \(file):6: unknown key 'log_levle'; did you mean 'log_level'?")
            #expect(try JSON(server.nextLine().text)["event"]?.string == "start")
            let top = try run("top", "--config", file, "--once", "--json")
            #expect(top.status == .exited(0), "\(top.err)")
            // Its own port is no fault.
            let check = try run("check", "--config", file, "--store", "sqlite")
            #expect(check.err == "" || check.err.contains("unknown key"))
            #expect(check.out.contains("is held by the parley-index"))
            #expect(check.out.contains("uses it right now."))
            // Somebody else's is.
            let other = try run("check", "--listen", site.address, "--data-dir", home.path)
            #expect(other.status == .exited(1))
            #expect(other.err.contains("taken by another program"))
            server.child.send(SIGTERM)
            #expect(server.wait() == .exited(128 + SIGTERM))
        }

        @Test func `a log level leaves out what matters less`() throws {
            let server = try ChildProcess(
                try site.arguments() + ["--headless", "--log-level", "warn", "--log-format", "json"],
                environment: environment)
            try site.waitUntilItAnswers()
            let socket = try DatagramSocket()
            try socket.send("no request at all", to: site.port)
            let line = try JSON(server.line("the junk") { $0.contains("ignored") }.text)
            #expect(line["level"]?.string == "warn" && line["op"]?.string == "unknown")
            #expect(line["src"]?.string?.hasPrefix("127.0.0.1:") == true && line["dur_us"]?.number != nil)
            server.child.send(SIGTERM)
            #expect(server.wait() == .exited(128 + SIGTERM))
            #expect(!server.lines.contains { $0.text.contains("\"query\"") })
        }
    }
}
