// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Reactor
import SafeText
import TerminalKit
import Support
import Testing

@testable import CursesScreen

/// Curses' state is global, so there is one screen at a time, on its one thread.
@Suite(.serialized, .timeLimit(.minutes(1))) struct `Curses screen` {
    init() { Self.startOnce }

    private static let startOnce: Void = ScreenActor.executor.start()

    private typealias Events = AsyncStream<TerminalEvent>.Iterator

    /// A screen on a fresh terminal, closed again whatever happens.
    @ScreenActor private func withScreen(
        type: String = "xterm-256color", columns: Int = 80, rows: Int = 24, options: ScreenOptions = ScreenOptions(),
        _ body: @ScreenActor (CursesScreen, PseudoTerminal, inout Events) async throws -> Void
    ) async throws {
        let terminal = PseudoTerminal(columns: columns, rows: rows)
        var options = options
        options.terminalType = type
        (options.input, options.output) = (terminal.slave, terminal.slave)
        let screen = try CursesScreen(options)
        defer { screen.close() }
        let (events, continuation) = AsyncStream.makeStream(of: TerminalEvent.self)
        screen.onEvent = { continuation.yield($0) }
        var iterator = events.makeAsyncIterator()
        try await body(screen, terminal, &iterator)
    }

    private func frame(_ lines: [DisplayText], columns: Int = 80, rows: Int = 24, style: Style = .plain) -> Frame {
        var frame = Frame(size: Size(columns: columns, rows: rows))
        for (row, line) in lines.enumerated() { frame.put(line, column: 0, row: row, style: style) }
        return frame
    }

    @ScreenActor @Test func `it shows a frame, wide and combined clusters included`() async throws {
        try await withScreen { screen, terminal, _ in
            #expect(screen.size == Size(columns: 80, rows: 24))
            let lines: [DisplayText] = ["plain", "日本語 か\u{3099} e\u{301}", "🇫🇷 👍 end", "க்ஷி | ก็"]
            var shown = frame(lines)
            shown.cursor = Point(column: 5, row: 0)
            screen.draw(shown)
            for (row, line) in lines.enumerated() {
                let text = screen.text(row: row)
                #expect(text.unicodeScalars.starts(with: line.string.unicodeScalars), "\(text)")
            }
            await terminal.expect("plain")
            await terminal.expect("か\u{3099} e\u{301}")
        }
    }

    @ScreenActor @Test func `only what changed is sent`() async throws {
        try await withScreen { screen, terminal, _ in
            screen.draw(frame(["first", "second"]))
            await terminal.expect("second")
            terminal.forgetOutput()
            screen.draw(frame(["first", "second"]))
            screen.draw(frame(["first", "2nd"]))
            await terminal.expect("2nd")
            #expect(!terminal.output.contains("first"))
            terminal.forgetOutput()
            screen.redraw()
            await terminal.expect("2nd")
            #expect(terminal.output.contains("first"))
        }
    }

    @ScreenActor @Test func `a changed row with wide text is sent whole`() async throws {
        try await withScreen { screen, terminal, _ in
            screen.draw(frame(["日本 borders |"]))
            await terminal.expect("|")
            terminal.forgetOutput()
            screen.draw(frame(["本日 borders |"]))
            await terminal.expect("本日 borders |")
        }
    }

    @ScreenActor @Test func `styles reach the terminal, and colours only when wanted`() async throws {
        try await withScreen { screen, terminal, _ in
            screen.draw(frame(["red"], style: Style(.red, on: .standard, .bold)))
            await terminal.expect(";1m\u{1B}[31mred")
        }
        try await withScreen(options: ScreenOptions(noColor: true)) { screen, terminal, _ in
            screen.draw(frame(["red"], style: Style(.red, on: .blue, .bold)))
            await terminal.expect(";1mred")
            #expect(!terminal.output.contains("[31m"))
        }
    }

    @ScreenActor @Test func `an ASCII screen shows nothing else`() async throws {
        try await withScreen(options: ScreenOptions(ascii: true)) { screen, _, _ in
            screen.draw(frame(["a日é│ z"]))
            #expect(screen.text(row: 0).hasPrefix("a???? z"))
        }
    }

    @ScreenActor @Test func `a frame of another size is clipped, a wide cluster at the edge whole`() async throws {
        try await withScreen(columns: 5, rows: 2) { screen, _, _ in
            screen.draw(frame(["abcd日", "row", "beyond"]))
            #expect(screen.text(row: 0) == "abcd ")
            screen.draw(frame(["x"], columns: 2, rows: 1))
            #expect(screen.text(row: 0) == "x    ")
            #expect(screen.text(row: 1) == "     ")
        }
    }

    @ScreenActor
    @Test(arguments: [
        "xterm-256color", "screen-256color", "tmux-256color", "rxvt-unicode-256color", "linux",
    ])
    func `modified and plain keys arrive from any terminal`(_ type: String) async throws {
        try await withScreen(type: type) { screen, terminal, events in
            // The type's description may be missing on a small system; the sequences are defined all the same.
            let typed: [(String, Key)] = [
                ("\u{1B}[A", Key(.up)), ("\u{1B}OB", Key(.down)), ("\u{1B}[1;5C", Key(.right, .control)),
                ("\u{1B}[1;3D", Key(.left, .alt)), ("\u{1B}[5~", Key(.pageUp)), ("\u{1B}[5;3~", Key(.pageUp, .alt)),
                ("\u{1B}[H", Key(.home)), ("\u{1B}[1;2F", Key(.end, .shift)), ("\u{1B}[3~", Key(.delete)),
                ("\u{1B}[Z", Key(.tab, .shift)), ("\u{1B}OP", Key(.function(1))), ("\u{1B}[15~", Key(.function(5))),
                ("\u{1B}a", .alt("a")), ("\u{1B}9", .alt("9")), ("\u{1B}", Key(.escape)), ("\r", Key(.enter)),
                ("\u{7F}", Key(.backspace)), ("\u{B}", .control("k")), ("ü", .char("ü")),
            ]
            for (sequence, key) in typed {
                terminal.type(sequence)
                #expect(await events.next(isolation: ScreenActor.shared) == .key(key), "\(sequence.debugDescription)")
            }
        }
    }

    @ScreenActor @Test func `a paste comes as one, however long`() async throws {
        try await withScreen { _, terminal, events in
            await terminal.expect("\u{1B}[?2004h")
            terminal.type("\u{1B}[200~line 1\rline 2\r\u{1B}[201~")
            #expect(await events.next(isolation: ScreenActor.shared) == .paste("line 1\nline 2\n"))
            let long = String(repeating: "long 日本 ", count: 4000)
            // More than a terminal buffers: this thread has to read while another types.
            Task.detached { terminal.type("\u{1B}[200~\(long)\u{1B}[201~k") }
            #expect(await events.next(isolation: ScreenActor.shared) == .paste(long))
            #expect(await events.next(isolation: ScreenActor.shared) == .key(.char("k")))
        }
    }

    @ScreenActor @Test func `the wheel is reported, a click is not typed, and the mouse starts off`() async throws {
        try await withScreen { screen, terminal, events in
            #expect(!terminal.output.contains("?1000h"))
            screen.setMouse(true)
            await terminal.expect("?1006h")
            terminal.type("\u{1B}[<64;10;10M")
            #expect(await events.next(isolation: ScreenActor.shared) == .wheel(-3))
            terminal.type("\u{1B}[<65;10;10M")
            #expect(await events.next(isolation: ScreenActor.shared) == .wheel(3))
            terminal.type("\u{1B}[<0;10;10My")
            #expect(await events.next(isolation: ScreenActor.shared) == .key(.char("y")))
            screen.setMouse(false)
            await terminal.expect("?1000l")
        }
    }

    @ScreenActor @Test func `a resize is reported and the frame drawn anew`() async throws {
        try await withScreen { screen, terminal, events in
            screen.draw(frame(["before"]))
            await terminal.expect("before")
            terminal.forgetOutput()
            terminal.resize(columns: 40, rows: 12)
            kill(getpid(), SIGWINCH)
            #expect(await events.next(isolation: ScreenActor.shared) == .resize(Size(columns: 40, rows: 12)))
            #expect(screen.size == Size(columns: 40, rows: 12))
            await terminal.expect("before")
            // curses queued a KEY_RESIZE; it must not come out as a key.
            terminal.type("k")
            #expect(await events.next(isolation: ScreenActor.shared) == .key(.char("k")))
        }
    }

    @ScreenActor @Test func `termination signals are handed on`() async throws {
        try await withScreen { screen, _, _ in
            let (signals, continuation) = AsyncStream.makeStream(of: Int32.self)
            screen.onSignal = { continuation.yield($0) }
            var iterator = signals.makeAsyncIterator()
            for number in [SIGTERM, SIGHUP, SIGINT] {
                kill(getpid(), number)
                #expect(await iterator.next(isolation: ScreenActor.shared) == number)
            }
        }
    }

    @ScreenActor @Test func `a terminal that vanished is reported once and costs nothing more`() async throws {
        let terminal = PseudoTerminal(collects: false)
        var options = ScreenOptions()
        options.terminalType = "xterm-256color"
        (options.input, options.output) = (terminal.slave, terminal.slave)
        let screen = try CursesScreen(options)
        defer { screen.close() }
        let (events, continuation) = AsyncStream.makeStream(of: TerminalEvent.self)
        screen.onEvent = { continuation.yield($0) }
        var iterator = events.makeAsyncIterator()
        terminal.vanish()
        #expect(await iterator.next(isolation: ScreenActor.shared) == .hangup)
        for _ in 0..<20 { await Task.yield() }
        continuation.finish()
        #expect(await iterator.next(isolation: ScreenActor.shared) == nil)
    }

    @ScreenActor @Test func `closing puts modes, paste and screen back`() async throws {
        let before = UnsafeMutablePointer<termios>.allocate(capacity: 1)
        defer { before.deallocate() }
        let terminal = PseudoTerminal()
        before.pointee = terminal.modes
        var options = ScreenOptions()
        options.terminalType = "xterm-256color"
        (options.input, options.output) = (terminal.slave, terminal.slave)
        let screen = try CursesScreen(options)
        #expect(terminal.modes.c_lflag & UInt32(ICANON | ECHO | ISIG) == 0)
        #expect(terminal.modes.c_iflag & UInt32(IXON | ICRNL) == 0)
        screen.draw(frame(["x"]))
        screen.close()
        await terminal.expect("\u{1B}[?2004l")
        await terminal.expect("\u{1B}[?1049l")
        #expect(terminal.modes.c_lflag == before.pointee.c_lflag)
        #expect(terminal.modes.c_iflag == before.pointee.c_iflag)
        // All of it is harmless afterwards.
        screen.draw(frame(["y"]))
        screen.redraw()
        screen.bell()
        screen.close()
    }

    @ScreenActor @Test func `text is offered to the clipboard`() async throws {
        try await withScreen { screen, terminal, _ in
            #expect(screen.copyToClipboard("héllo"))
            await terminal.expect("\u{1B}]52;c;aMOpbGxv\u{7}")
            #expect(!screen.copyToClipboard(String(repeating: "x", count: 80_000)))
        }
    }

    @ScreenActor @Test func `no terminal, a dumb one and an unknown one`() async throws {
        var options = ScreenOptions()
        var pipeEnds: [Int32] = [-1, -1]
        #expect(pipe(&pipeEnds) == 0)
        defer { pipeEnds.forEach { close($0) } }
        (options.input, options.output) = (pipeEnds[0], pipeEnds[1])
        #expect(throws: ScreenError.notATerminal) { try CursesScreen(options) }
        let terminal = PseudoTerminal()
        (options.input, options.output) = (terminal.slave, terminal.slave)
        options.terminalType = "dumb"
        #expect(throws: ScreenError.tooSimple("dumb")) { try CursesScreen(options) }
        try await withScreen(type: "no-such-terminal") { screen, _, _ in
            #expect(
                screen.notices.map(\.string) == [
                    "The terminal type \"no-such-terminal\" is not known here: using xterm-256color."
                ])
            screen.draw(frame(["works"]))
            #expect(screen.text(row: 0).hasPrefix("works"))
        }
    }

    @ScreenActor @Test func `a full draw is quick`() async throws {
        try await withScreen(columns: 120, rows: 36) { screen, _, _ in
            let frames = ["x", "y"].map { letter in
                let line = DisplayText("日本 " + String(repeating: letter, count: 115))
                return frame(Array(repeating: line, count: 36), columns: 120, rows: 36)
            }
            screen.draw(frames[0])
            let start = PollExecutor.now()
            for round in 1...50 { screen.draw(frames[round % 2]) }
            let each = Double(PollExecutor.now() - start) / 50e6
            // A debug build takes a few times what a release does; this catches the order of magnitude.
            #expect(each < 20 * slowdown(), "\(each) ms a frame")
            print("a full draw of 120x36 takes \(each) ms")
        }
    }
}

@Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
func `base 64 by the test vectors of RFC 4648`(_ plain: String, _ encoded: String) {
    #expect(base64(Array(plain.utf8)) == encoded)
}
