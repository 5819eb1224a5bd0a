// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import TerminalKit
import Testing

extension EndToEnd {
    /// However a program with a screen ends, the terminal is as it was; whatever the terminal is, the program copes.
    @Suite(.timeLimit(.minutes(3))) struct TerminalRestoreTests {
        enum Program: String, CaseIterable, Sendable { case chat, dashboard }

        /// Starts a program with a screen, and returns when it is drawn.
        private func start(
            _ program: Program, size: Size = Size(columns: 80, rows: 24), options: [String] = [],
            environment: [String: String] = [:]
        ) throws -> Terminal {
            let terminal: Terminal
            switch program {
            case .chat:
                terminal = try User("alice", index: "none").chat(size, options: options, environment: environment)
            case .dashboard:
                terminal = try Terminal(try IndexSite().arguments() + options, size: size, environment: environment)
            }
            try terminal.wait(for: "a drawn screen") { $0.lines.filter { !$0.isEmpty }.count > 3 }
            return terminal
        }

        private func expectRestored(_ terminal: Terminal, _ status: Termination?, _ what: String) {
            let ended = terminal.waitForExit(.seconds(3))
            #expect(ended != nil && (status == nil || ended == status), "\(what): \(String(describing: ended))")
            #expect(terminal.leftovers == [], "\(what):\n\(terminal.screen)")
        }

        @Test func `quitting restores it`() throws {
            let chat = try start(.chat)
            try chat.type("/quit<enter>")
            expectRestored(chat, .exited(0), "/quit")
            let dashboard = try start(.dashboard)
            let asking = dashboard.screen
            try dashboard.type("q")
            try dashboard.wait(for: "a question") { $0 != asking && $0.contains("?") }
            #expect(dashboard.child.isRunning, "q asks before it stops the server")
            try dashboard.type("y")
            expectRestored(dashboard, .exited(0), "q, y")
        }

        @Test func `Ctrl+C twice on an empty line quits, once does not, and neither does Esc`() throws {
            let chat = try start(.chat)
            try chat.type("some text<c-c>")
            try chat.wait(for: "an empty line") { !$0.contains("some text") }
            try chat.type("<c-c><esc>")
            try chat.type("still here")
            try chat.wait(for: "still here")
            try chat.type("<c-c>")
            try chat.wait(for: "an empty line") { !$0.contains("still here") }
            try chat.type("<c-c><c-c>")
            expectRestored(chat, .exited(0), "Ctrl+C")
        }

        @Test(arguments: Program.allCases, [SIGTERM, SIGHUP, SIGINT])
        func `a signal that asks to end restores it`(program: Program, signal: Int32) throws {
            let terminal = try start(program)
            terminal.child.send(signal)
            expectRestored(terminal, nil, "\(program) signal \(signal)")
        }

        @Test(arguments: Program.allCases, [SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGTRAP])
        func `a crash restores it and stays a crash`(program: Program, signal: Int32) throws {
            let terminal = try start(program, environment: ["SWIFT_BACKTRACE": "enable=no"])
            terminal.child.send(signal)
            expectRestored(terminal, .signalled(signal), "\(program) signal \(signal)")
        }

        @Test(arguments: Program.allCases)
        func `a closed window ends the program`(program: Program) throws {
            let terminal = try start(program)
            terminal.hangUp()
            #expect(terminal.child.wait(.seconds(3)) != nil)
        }

        @Test func `without a terminal the chat says one sentence`() throws {
            let result = try ChildProcess.run(try User("alice", index: "none").parley(), limit: .seconds(5))
            #expect(result.status == .exited(2))
            #expect(result.err.split(separator: "\n").count == 1 && result.err.contains("terminal"), "\(result.err)")
            #expect(result.out.isEmpty)
        }

        @Test func `an unknown option is exit code 2`() throws {
            let result = try ChildProcess.run([try Executables.parley(), "--nonsense"], limit: .seconds(5))
            #expect(result.status == .exited(2), "\(result.err)")
            #expect(result.out.isEmpty && !result.err.isEmpty)
        }

        @Test(arguments: Program.allCases, ["nonsense", "dumb", ""])
        func `a strange TERM works or is refused in one sentence`(program: Program, term: String) throws {
            let arguments =
                switch program {
                case .chat: try User("alice", index: "none").parley()
                case .dashboard: try IndexSite().arguments()
                }
            let terminal = try Terminal(arguments, environment: ["TERM": term])
            try terminal.wait(for: "a screen or a sentence") { $0.lines.contains { !$0.isEmpty } }
            if terminal.child.wait(.seconds(1)) != nil {
                #expect(terminal.waitForExit() == .exited(2), "\(terminal.screen)")
                #expect(terminal.screen.lines.filter { !$0.isEmpty }.count <= 2, "\(terminal.screen)")
            } else {
                terminal.child.send(SIGTERM)
            }
            expectRestored(terminal, nil, "TERM=\(term)")
        }

        @Test(arguments: [["LANG": "C"], ["LANG": "", "LC_ALL": "POSIX"], ["LANG": "de_DE.UTF-8"]])
        func `typed text is right in any locale`(environment: [String: String]) throws {
            let chat = try start(.chat, environment: environment)
            try chat.type("größe 日本")
            try chat.wait(for: "größe 日本")
        }

        @Test(arguments: Program.allCases)
        func `NO_COLOR leaves colours out`(program: Program) throws {
            let terminal = try start(program, environment: ["NO_COLOR": "1"])
            terminal.child.send(SIGTERM)
            _ = terminal.waitForExit()
            #expect(colours(in: terminal.output) == [])
        }

        /// Parameters of SGR sequences that choose a colour; 39 and 49, the terminal's own, are none.
        private func colours(in output: [UInt8]) -> [Int] {
            String(decoding: output, as: UTF8.self).split(separator: "\u{1B}[").dropFirst().flatMap { sequence in
                let parameters = sequence.prefix { $0.isNumber || $0 == ";" }
                guard sequence.dropFirst(parameters.count).first == "m" else { return [Int]() }
                return parameters.split(separator: ";").compactMap { Int($0) }.filter {
                    (30...38).contains($0) || (40...48).contains($0) || (90...107).contains($0)
                }
            }
        }

        @Test(arguments: Program.allCases)
        func `ASCII is ASCII`(program: Program) throws {
            let terminal = try start(program, options: ["--ascii"])
            terminal.child.send(SIGTERM)
            _ = terminal.waitForExit()
            #expect(terminal.output.allSatisfy { $0 < 0x80 })
        }

        @Test(arguments: Program.allCases)
        func `a storm of sizes ends in the last one's screen`(program: Program) throws {
            let terminal = try start(program)
            if program == .chat { try terminal.type("kept through it all") }
            var chance = SplitMix64(seed: 7)
            for _ in 0..<200 {
                terminal.resize(Size(columns: Int(1 + chance.next() % 200), rows: Int(1 + chance.next() % 60)))
            }
            terminal.resize(Size(columns: 100, rows: 30))
            try terminal.wait(for: "a screen of 100x30") { screen in
                let drawn = screen.lines.last { !$0.isEmpty }
                return screen.lines.count == 30 && drawn != nil && !screen.lines[29].isEmpty
                    && (program != .chat || screen.contains("kept through it all"))
            }
            #expect(terminal.child.isRunning)
        }
    }
}
