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
                terminal = try IndexSite().dashboard(size, options: options, environment: environment)
            }
            try terminal.wait(for: "a drawn screen") { $0.lines.filter { !$0.isEmpty }.count > 3 }
            return terminal
        }

        private func expectRestored(_ terminal: Terminal, _ status: Termination?, _ what: String) {
            let ended = terminal.waitForExit()
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
            // Esc is a key by itself only when nothing follows at once.
            pause(until: .now + .milliseconds(500))
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
            expectRestored(terminal, .exited(128 + signal), "\(program) signal \(signal)")
        }

        @Test(arguments: Program.allCases, [SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGTRAP])
        func `a crash restores it and stays a crash`(program: Program, signal: Int32) throws {
            let terminal = try start(program, environment: ["SWIFT_BACKTRACE": "enable=no"])
            terminal.child.send(signal)
            expectRestored(terminal, .signalled(signal), "\(program) signal \(signal)")
        }

        @Test(arguments: Program.allCases)
        func `Ctrl+Z gives the terminal back to the shell, and fg takes it again`(program: Program) throws {
            let shell = try Terminal(
                ["bash", "--norc", "--noprofile", "-i"], size: Size(columns: 100, rows: 30),
                environment: ["PS1": "ready> ", "HISTFILE": "/dev/null"])
            try shell.wait(for: "ready>")
            let (user, site) = (try User("alice", index: "none"), try IndexSite())
            let line = program == .chat ? try user.parley() : try site.arguments()
            try shell.type(KeyScript(line.map { "'\($0)'" }.joined(separator: " ") + "; echo rc=$?<enter>"))
            let drawn = program == .chat ? "listening" : "registrations"
            try shell.wait(for: drawn)
            try shell.type("<c-z>")
            try shell.wait(for: "Stopped")
            #expect(shell.privateModes[1049] == false)
            shell.resize(Size(columns: 90, rows: 25))
            try shell.type("fg<enter>")
            try shell.wait(for: drawn)
            #expect(shell.screen == (try shell.redraw()) || program == .dashboard)
            try shell.type(program == .chat ? "/quit<enter>" : "qy")
            try shell.wait(for: "the prompt") { $0.lines.contains { $0.hasPrefix("ready>") } && !$0.contains(drawn) }
            try shell.type("echo again=$?<enter>")
            try shell.wait(for: "again=0")
        }

        @Test(arguments: Program.allCases)
        func `a closed window ends the program`(program: Program) throws {
            let terminal = try start(program)
            terminal.hangUp()
            #expect(terminal.child.wait() != nil)
        }

        @Test func `without a terminal the chat says one sentence`() throws {
            let result = try ChildProcess.run(try User("alice", index: "none").parley())
            #expect(result.status == .exited(2))
            #expect(result.err.split(separator: "\n").count == 1 && result.err.contains("terminal"), "\(result.err)")
            #expect(result.out.isEmpty)
        }

        @Test func `an unknown option is exit code 2`() throws {
            let result = try ChildProcess.run([try Executables.parley(), "--nonsense"])
            #expect(result.status == .exited(2), "\(result.err)")
            #expect(result.out.isEmpty && !result.err.isEmpty)
        }

        @Test(arguments: Program.allCases, ["nonsense", "dumb", "", "vt100", "linux"])
        func `a strange TERM works or is refused in one sentence`(program: Program, term: String) throws {
            let (user, site, environment) = (try User("alice", index: "none"), try IndexSite(), ["TERM": term])
            let terminal =
                program == .chat
                ? try user.chat(environment: environment) : try site.dashboard(environment: environment)
            try terminal.wait(for: "a screen or a sentence") { $0.lines.contains { !$0.isEmpty } }
            if terminal.child.wait(term == "dumb" ? .seconds(10) : .seconds(1)) != nil {
                #expect(term == "dumb" && terminal.waitForExit() == .exited(2), "\(terminal.screen)")
                #expect(terminal.screen.lines.filter { !$0.isEmpty }.count <= 2, "\(terminal.screen)")
            } else {
                #expect(term != "dumb")
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
        func `a storm of sizes in a flood ends in the last one's screen`(program: Program) throws {
            let peer = try DatagramSocket()
            let flood: @Sendable (Int) throws -> Void
            let terminal: Terminal
            switch program {
            case .chat:
                let alice = try User("alice", index: "none")
                let seed = SeedMessage(from: "0b8d26e4-6ef1-4b6a-9d3a-0f6f2f2b8b11", to: try alice.uuid())
                terminal = try alice.chat(options: ["--plaintext-peers"])
                try terminal.wait(for: "listening")
                flood = { try peer.send(seed.datagram("flood \($0) 日本語 é"), to: alice.port) }
                try terminal.type("/add 0b8d26e4-6ef1-4b6a-9d3a-0f6f2f2b8b11<enter>")
                try terminal.wait(for: "0b8d26e4")
                try flood(0)
                try terminal.wait(for: "flood 0")
                try terminal.type("kept through it all")
            case .dashboard:
                let site = try IndexSite()
                terminal = try site.dashboard()
                try site.waitUntilItAnswers()
                flood = { try peer.send(#"{"req_type":"query","queried_uuid":"f\#($0)"}"#, to: site.port) }
            }
            var chance = SplitMix64(seed: 7)
            for round in 1...200 {
                terminal.resize(Size(columns: Int(1 + chance.next() % 200), rows: Int(1 + chance.next() % 60)))
                for number in 0..<10 { try flood(round * 10 + number) }
                pause(until: .now + .milliseconds(2))
            }
            terminal.resize(Size(columns: 100, rows: 30))
            let last = program == .chat ? "flood 2009" : "f2009"
            try terminal.wait(for: "a screen of 100x30 with the last of the flood") { screen in
                screen.lines.count == 30 && !screen.lines[29].isEmpty && screen.contains(last)
                    && (program != .chat || screen.contains("kept through it all"))
            }
            // What was drawn piece by piece is what a drawing from nothing gives; the dashboard's clock goes on.
            let before = terminal.screen
            let after = try terminal.redraw()
            switch program {
            case .chat: #expect(before == after)
            case .dashboard:
                #expect(before.masked(numbers: true).dropFirst(3) == after.masked(numbers: true).dropFirst(3))
            }
            #expect(terminal.child.isRunning)
        }
    }
}
