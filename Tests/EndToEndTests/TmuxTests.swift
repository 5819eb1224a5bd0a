// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support
import Testing

extension EndToEnd {
    /// One look through another terminal than the emulator.
    @Suite(.timeLimit(.minutes(1))) struct TmuxTests {
        @Test func `the chat works inside tmux`() throws {
            let directory = try TemporaryDirectory()
            let user = try User("alice", index: "none")
            let command = try user.parley().map { "'\($0)'" }.joined(separator: " ")
            let tmux = ["tmux", "-S", directory.file("socket"), "-f", "/dev/null"]
            func run(_ arguments: String...) throws -> ChildProcess.Result {
                try ChildProcess.run(tmux + arguments, environment: ["TERM": ""], limit: .seconds(10))
            }
            let start = try run("new-session", "-d", "-s", "chat", "-x", "80", "-y", "24", command)
            #expect(start.status == .exited(0), "\(start.err)")
            defer { _ = try? run("kill-server") }

            try wait(for: "a drawn screen", run) { $0.split(separator: "\n").count > 3 }
            _ = try run("send-keys", "-t", "chat", "-l", "größe 日本 typed in tmux")
            try wait(for: "the typed text", run) { $0.contains("größe 日本 typed in tmux") }
            _ = try run("send-keys", "-t", "chat", "C-c", "C-c", "C-c")
            try wait(for: "the end", run) { $0.isEmpty }
        }

        private func wait(
            for what: String, _ run: (String...) throws -> ChildProcess.Result, until fits: (String) -> Bool
        ) throws {
            let deadline = Instant.now + .seconds(10)
            var shown = ""
            while .now < deadline {
                // tmux has no way to tell that a pane changed: look again and again.
                shown = try run("capture-pane", "-p", "-t", "chat").out
                if fits(shown) { return }
                pause(until: .now + .milliseconds(50))
            }
            Issue.record("waited for \(what):\n\(shown)")
        }
    }
}
