// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import TerminalKit
import Testing

extension EndToEnd {
    /// Whatever strangers write, no terminal, log or file gets more than text.
    @Suite(.timeLimit(.minutes(3))) struct HostileTextTests {
        /// Texts that do something to a terminal or a reader that takes them as they come.
        private static let texts: [String] =
            (0x00...0x1F).map { "c0 \($0) \(Unicode.Scalar(UInt8($0)))x" }
            + (0x7F...0x9F).map { "c1 \($0) \(Unicode.Scalar(UInt8($0)))x" }
            + [
                "\u{1B}[5;8mhidden", "\u{1B}[2J\u{1B}[99;99H", "\u{1B}[6n\u{1B}[c\u{1B}[21t", "\u{1B}c\u{1B}#8",
                "\u{1B}]0;title\u{07}", "\u{1B}]52;c;cm0gLXJmIC8=\u{07}",
                "\u{1B}]8;;http://a\u{1B}\\link\u{1B}]8;;\u{1B}\\",
                "\u{1B}P$q\"p\u{1B}\\", "\u{1B}_apc\u{1B}\\", "\u{1B}^pm\u{1B}\\", "\u{1B}Xsos\u{1B}\\",
                "\u{1B}[?2026h",
                "\u{9B}5;8mhidden", "\u{9D}0;title\u{9C}", "\u{90}dcs\u{9C}", "\u{9B}6n",
                "\u{1B}[200~pasted\r\u{1B}[201~", "%n%s%x", "a\r\nb\nc\u{2028}d\u{2029}e\u{85}f",
                "\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}\u{200E}\u{200F}\u{61C}bidi",
                "a\u{200B}b\u{200C}c\u{2060}d\u{FEFF}e\u{AD}f\u{180E}g\u{FFF9}h\u{E0041}i",
                "e" + String(repeating: "\u{301}", count: 60) + "!", "\u{301}\u{20DD}leading", "👩‍👩‍👧‍👦🏳️‍🌈日本語",
                "\u{FFFF}\u{FFFE}\u{10FFFF}",
            ]

        // MARK: What may be printed

        /// Final bytes of control sequences that curses sends here, and parameters of those with modes.
        private static let finals = Set("mHJKdGABCDPX@LMSTrbt")
        private static let modes: Set<String> = [
            "4", "?1", "?7", "?12", "?25", "?12;25", "?1049", "?1034", "?2004", "?2026",
        ]

        /// Sequences and scalars of a program's output that curses does not send by itself.
        /// - Parameter isData: whether noncharacters and the like may stand in it, which do nothing.
        private static func strange(in output: [UInt8], isData: Bool = false) -> [String] {
            var found: Set<String> = []
            var rest = Substring(String(decoding: output, as: UTF8.self)).unicodeScalars
            while let scalar = rest.popFirst() {
                switch scalar {
                case "\u{1B}":
                    guard let kind = rest.popFirst() else { continue }
                    switch kind {
                    case "[":
                        let parameters = String(
                            String.UnicodeScalarView(rest.prefix { (0x20...0x3F).contains($0.value) }))
                        rest = rest.dropFirst(parameters.unicodeScalars.count)
                        let final = rest.popFirst().map(Character.init) ?? "?"
                        if !isOurs(parameters, final) { found.insert("CSI \(parameters)\(final)") }
                    case "(": if rest.popFirst() != "B" { found.insert("ESC (") }
                    case "=", ">", "7", "8", "M": break
                    default: found.insert("ESC \(kind)")
                    }
                case "\u{07}", "\u{08}", "\t", "\n", "\r": break
                default:
                    switch scalar.properties.generalCategory {
                    case .unassigned where isData, .privateUse where isData: break
                    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse:
                        found.insert("U+\(String(scalar.value, radix: 16))")
                    default: break
                    }
                }
            }
            return found.sorted()
        }

        private static func isOurs(_ parameters: String, _ final: Character) -> Bool {
            switch final {
            case "h", "l": modes.contains(parameters)
            case "m": !["5", "8"].contains { parameters.split(separator: ";").first.map(String.init) == $0 }
            case "t": parameters == "22;0;0" || parameters == "23;0;0"
            default: finals.contains(final) && !parameters.hasPrefix("?")
            }
        }

        // MARK: Sinks

        @Test(arguments: [[String](), ["--ascii"]])
        func `the chat shows text alone`(options: [String]) throws {
            let alice = try User("alice", index: "none")
            let chat = try alice.chat(options: ["--plaintext-peers"] + options)
            try chat.wait(for: "listening")
            let peer = try DatagramSocket()
            let seed = SeedMessage(from: "0b8d26e4-6ef1-4b6a-9d3a-0f6f2f2b8b11", to: try alice.uuid())
            // Strangers in their list, before anybody is let in.
            for (number, text) in HostileTextTests.texts.enumerated().prefix(60) {
                let stranger = SeedMessage(
                    from: "0b8d26e4-6ef1-4b6a-9d3a-0f6f2f2b8c\(number + 10)", to: seed.to)
                try peer.send(stranger.datagram(text), to: alice.port)
            }
            try chat.wait(for: "60 requests")
            try chat.type("<a-r>")
            try chat.type(KeyScript(String(repeating: "<down>", count: 60) + "<esc>"))
            try peer.send(seed.datagram("first"), to: alice.port)
            try chat.wait(for: "61 requests")
            try chat.type("/add \(seed.from) seed<enter>")
            try chat.wait(for: "first")
            let door = try LineSocket(alice.home.file("control.sock"))
            for (number, text) in HostileTextTests.texts.enumerated() {
                try peer.send(seed.datagram(text), to: alice.port)
                try peer.send(seed.datagram("mark \(number)."), to: alice.port)
                let name = JSON.quoted(text)
                try door.send(#"{"command":"add","peer":"\#(seed.from)","name":\#(name)}"#)
                try chat.wait(for: "mark \(number).")
            }
            // Bytes that are no UTF-8: a control sequence of eight bits.
            try peer.send(
                Array(seed.datagram("raw ").utf8).flatMap { $0 == 0x20 ? [0x9B, 0x36, 0x6E] : [$0] }, to: alice.port)
            try peer.send(seed.datagram("the last"), to: alice.port)
            try chat.wait(for: "the last")
            let before = chat.screen
            #expect(try chat.redraw() == before)

            let log = try alice.run("log")
            #expect(log.status == .exited(0) && log.out.contains("the last"))
            #expect(HostileTextTests.strange(in: Array(log.out.utf8)) == [] && !log.out.contains("\u{1B}"))
            #expect(HostileTextTests.strange(in: Array(try alice.run("log", "--json").out.utf8), isData: true) == [])

            try chat.type("/quit<enter>")
            #expect(chat.waitForExit() == .exited(0))
            #expect(HostileTextTests.strange(in: chat.output) == [])
            if !options.isEmpty { #expect(chat.output.allSatisfy { $0 < 0x80 }) }
        }

        @Test func `the dashboard shows text alone`() throws {
            let site = try IndexSite()
            let dashboard = try site.dashboard(Size(columns: 120, rows: 36))
            try site.waitUntilItAnswers()
            let socket = try DatagramSocket()
            for (number, text) in HostileTextTests.texts.enumerated() {
                try socket.send(#"{"req_type":"query","queried_uuid":\#(JSON.quoted(text))}"#, to: site.port)
                try socket.send(#"{"req_type":"query","queried_uuid":"mark \#(number)."}"#, to: site.port)
                if number % 8 == 7 { try dashboard.wait(for: "mark \(number).") }
            }
            try dashboard.wait(for: "mark \(HostileTextTests.texts.count - 1).")
            dashboard.child.send(SIGTERM)
            #expect(dashboard.waitForExit() == .exited(128 + SIGTERM))
            #expect(HostileTextTests.strange(in: dashboard.output) == [])
        }

        @Test(arguments: ["text", "json"])
        func `the log has one line for each event, of text alone`(format: String) throws {
            let site = try IndexSite()
            let server = try ChildProcess(try site.arguments() + ["--headless", "--log-format", format])
            try site.waitUntilItAnswers()
            let socket = try DatagramSocket()
            let probes = try site.queries()
            for text in HostileTextTests.texts {
                _ = try socket.ask(#"{"req_type":"query","queried_uuid":\#(JSON.quoted(text))}"#, at: site.port)
            }
            #expect(try site.queries() == probes + HostileTextTests.texts.count)
            server.child.send(SIGTERM)
            #expect(server.wait() == .exited(128 + SIGTERM))
            let lines = server.lines.map(\.text)
            // One more says where it listens.
            #expect(lines.count == 1 + probes + HostileTextTests.texts.count)
            for line in lines {
                let strange = HostileTextTests.strange(in: Array(line.utf8), isData: format == "json")
                #expect(strange == [] && !line.contains("\u{1B}"), "\(line)")
                if format == "json" { #expect((try? JSON(line)) != nil, "\(line)") }
            }
        }
    }
}
