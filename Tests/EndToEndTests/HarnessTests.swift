// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import TerminalKit
import Testing

/// Everything that starts programs, one after the other: they share two cores and a clock.
@Suite(.serialized) struct EndToEnd {}

extension EndToEnd {
    /// The harness against programs that are known to work.
    @Suite(.timeLimit(.minutes(1))) struct HarnessTests {
        private let prompt = ["PS1": "ready> ", "HISTFILE": "/dev/null"]

        private func shell(size: Size = Size(columns: 80, rows: 24)) throws -> Terminal {
            let terminal = try Terminal(["bash", "--norc", "--noprofile"], size: size, environment: prompt)
            try terminal.wait(for: "ready>")
            return terminal
        }

        @Test func `what is typed comes back on the screen and moves the cursor`() throws {
            let terminal = try Terminal(["cat"])
            try terminal.type("hello 日本<enter>")
            let screen = try terminal.wait(.seconds(5), for: "both echoes") {
                $0.lines.filter { $0 == "hello 日本" }.count == 2
            }
            #expect(screen.cursor == Point(column: 0, row: 2))
            #expect(terminal.cell(column: 6, row: 0).width == 2)
            try terminal.type("<c-d>")
            #expect(terminal.waitForExit() == .exited(0))
            #expect(terminal.leftovers == [])
        }

        @Test func `colours and attributes are read from cells`() throws {
            let terminal = try Terminal(["printf", #"\033[1;31mred\033[0m \033[7mreverse\033[0m\n"#])
            try terminal.wait(for: "reverse")
            let (red, reverse) = (terminal.cell(column: 0, row: 0), terminal.cell(column: 4, row: 0))
            #expect(red.text == "r" && red.bold && red.foreground == 1 && red.background == nil)
            #expect(reverse.text == "r" && reverse.reverse && reverse.foreground == nil)
        }

        @Test func `the program hears of a new size`() throws {
            let terminal = try shell()
            terminal.resize(Size(columns: 100, rows: 30))
            try terminal.type("stty size<enter>")
            try terminal.wait(for: "30 100")
        }

        @Test func `a program that ends badly leaves traces that are found`() throws {
            let terminal = try shell()
            try terminal.type(#"printf '\033[?1049h\033[?25l\033[?2004h'; stty -echo; exec true<enter>"#)
            #expect(terminal.waitForExit() == .exited(0))
            let left = terminal.leftovers
            #expect(left.contains("alternate screen still on") && left.contains("cursor hidden"))
            #expect(left.contains("bracketed paste still on") && left.contains { $0.hasPrefix("c_lflag") })
        }

        @Test func `a signal shows in the exit status`() throws {
            let terminal = try Terminal(["cat"])
            terminal.child.send(SIGTERM)
            #expect(terminal.waitForExit() == .signalled(SIGTERM))
        }

        @Test func `a closed pty hangs its program up`() throws {
            let terminal = try Terminal(["cat"])
            try terminal.type("up<enter>")
            try terminal.wait(for: "up")
            terminal.hangUp()
            #expect(terminal.child.wait(.seconds(5)) == .signalled(SIGHUP))
        }

        @Test func `keys arrive as a terminal sends them`() throws {
            let terminal = try Terminal(["bash", "-c", "stty raw -echo; echo go; exec od -An -tx1 -N 31"])
            try terminal.wait(for: "go")
            try terminal.type("<up><c-left><a-1><pgup><del><s-tab><f5><c-n><esc>é")
            let expected =
                "1b 4f 41 1b 5b 31 3b 35 44 1b 31 1b 5b 35 7e 1b 5b 33 7e 1b 5b 5a 1b 5b 31 35 7e 0e 1b c3 a9"
            let bytes = try terminal.wait(.seconds(5), for: "31 bytes") { $0.contains("c3 a9") }.lines.dropFirst()
            #expect(bytes.flatMap { $0.split(separator: " ") }.joined(separator: " ") == expected)
        }

        @Test func `a paste is bracketed and its newlines are carriage returns`() {
            #expect(KeyScript.pasteBytes("a\nb") == Array("\u{1B}[200~a\rb\u{1B}[201~".utf8))
        }

        @Test func `a key script reads names, modifiers and plain text`() {
            let script: KeyScript = "a<enter><c-n><a-1><s-tab><c-right><lt><oops>"
            #expect(
                script.keys == [
                    .char("a"), Key(.enter), .control("n"), .alt("1"), Key(.tab, .shift), Key(.right, .control),
                    .char("<"), .char("<"), .char("o"), .char("o"), .char("p"), .char("s"), .char(">"),
                ])
        }

        @Test func `a failed wait shows the screen`() throws {
            let terminal = try shell()
            let error = #expect(throws: Terminal.Unexpected.self) { try terminal.wait(for: "never", .milliseconds(50)) }
            #expect(error?.description.contains("ready>") == true)
        }

        @Test func `the echo of a key is timed`() throws {
            let terminal = try shell()
            let span = try terminal.time(from: "xyzzy", until: "ready> xyzzy")
            #expect(span > .zero && span < .seconds(10))
        }

        @Test func `lines of a program come in order, each with its moment`() throws {
            let process = try ChildProcess(["cat"])
            let start = Instant.now
            try process.send("one")
            try process.write("tw")
            try process.write("o\nthree")
            #expect(try process.nextLine().text == "one")
            let two = try process.line("two") { $0 == "two" }
            #expect(two.moment > start)
            process.closeInput()
            #expect(try process.nextLine().text == "three")
            #expect(process.wait() == .exited(0))
            #expect(throws: ChildProcess.Missing.self) { try process.nextLine() }
        }

        @Test func `a program that nobody reads does not block`() throws {
            let result = try ChildProcess.run(["bash", "-c", "seq 100000; echo oops >&2; exit 3"])
            #expect(result.status == .exited(3))
            #expect(result.out.hasSuffix("\n100000\n"))
            #expect(result.err == "oops\n")
        }

        @Test func `two sockets exchange datagrams`() throws {
            for family in [DatagramSocket.Family.v4, .v6] {
                let (left, right) = (try DatagramSocket(family), try DatagramSocket(family))
                try left.send("hello", to: right.port)
                #expect(try right.receive() == Array("hello".utf8))
                #expect(try right.receive(.zero) == nil)
            }
        }

        @Test func `a golden's difference names the lines`() throws {
            #expect(Golden.difference(expected: ["a", "b"], got: ["a", "b"]) == nil)
            let text = try #require(Golden.difference(expected: ["a", "b"], got: ["a", "c", "d"]))
            #expect(text.hasSuffix("Diff:\n2 -b\n2 +c\n3 -(no line)\n3 +d"))
        }

        @Test func `a masked screen keeps what a run can't change`() throws {
            let terminal = try Terminal([
                "printf", #"14:31:07.112  bob  0.4 ms  127.0.0.1:50001\nSun 22 Nov 2026 ──── 2 new\n"#,
            ])
            let screen = try terminal.wait(for: "2 new")
            #expect(screen.masked(["bob": "<BOB>"]).prefix(2) == ["#time  <BOB>  # ms  127.0.0.1:#", "#date ── 2 new"])
            #expect(screen.masked(numbers: true)[1] == "#date ── # new")
        }

        @Test func `chance is the same for the same seed`() {
            var generator = SplitMix64(seed: 1_234_567)
            // The reference implementation's first outputs for this seed.
            #expect(
                (0..<3).map { _ in generator.next() } == [
                    6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                ])
        }

        @Test func `JSON is read and quoted`() throws {
            let value = try JSON(#"{"a":[1,true,null],"b":"x\u001b"}"#)
            #expect(value["a"]?.array == [.number(1), .bool(true), .null])
            #expect(try JSON(JSON.quoted("q\"\\\u{1B}é")).string == "q\"\\\u{1B}é")
        }
    }
}
