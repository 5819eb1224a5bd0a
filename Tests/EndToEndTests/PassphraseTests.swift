// SPDX-License-Identifier: GPL-3.0-or-later
import Support
import Testing

extension EndToEnd {
    /// A passphrase without anybody at a terminal.
    @Suite(.timeLimit(.minutes(1))) struct PassphraseTests {
        private let alice: User

        init() throws { alice = try User("alice", index: "none") }

        /// Runs a subcommand with lines behind `--passphrase-fd 0`.
        private func run(_ subcommand: String, _ lines: String) throws -> ChildProcess.Result {
            let script = "printf '\(lines)' | \"$@\" --passphrase-fd 0"
            return try ChildProcess.run(["bash", "-c", script, "bash"] + (try alice.parley([subcommand])))
        }

        @Test func `a script sets a passphrase, changes it, and opens the identity by it alone`() throws {
            let uuid = try alice.uuid()
            #expect(try run("passphrase", "one\\n").status == .exited(0))
            #expect(try run("passphrase", "two\\nthree\\n").status == .exited(7))
            #expect(try run("passphrase", "one\\ntwo\\n").status == .exited(0))
            #expect(try run("id", "one\\n").status == .exited(7))
            #expect(try run("id", "two\\n").out.contains(uuid))
        }

        @Test func `without a terminal and a descriptor the sentence is about that`() throws {
            _ = try alice.uuid()
            let result = try ChildProcess.run(["setsid", "-w"] + (try alice.parley(["passphrase"])))
            #expect(result.status == .exited(7))
            #expect(result.err.contains("no terminal") && result.err.contains("--passphrase-fd"), "\(result.err)")
        }
    }
}
