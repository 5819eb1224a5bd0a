// SPDX-License-Identifier: GPL-3.0-or-later
import CNcurses
import CPosix
import Glibc
import Reactor
public import SafeText
public import TerminalKit

/// The terminal: shows frames, reports keys, and is left as it was found, whatever ends the program.
///
/// There is one at a time. It watches the terminal on `ScreenActor.executor` and draws only what changed.
@ScreenActor public final class CursesScreen {
    /// Keys, pastes, sizes. A typed cluster comes scalar by scalar, each as a `.character`: whoever edits lines puts
    /// marks to their base, as appending to a `String` does by itself.
    public var onEvent: (TerminalEvent) -> Void = { _ in }
    /// SIGTERM, SIGHUP, SIGINT or SIGQUIT came: close within two seconds and exit with 128 plus the number. (Ctrl+C and
    /// Ctrl+\ are keys and don't come here.)
    public var onSignal: (Int32) -> Void = { _ in }
    /// The terminal's size; at least 1x1.
    public private(set) var size = Size(columns: 80, rows: 24)
    /// What the user should know: a fallback that was taken.
    public private(set) var notices: [DisplayText] = []

    private let options: ScreenOptions
    private let executor: PollExecutor
    private let handle: OpaquePointer
    private let window: UnsafeMutablePointer<WINDOW>
    /// Keys are read from a pad of its own: reading from the screen's window would refresh it.
    private let pad: UnsafeMutablePointer<WINDOW>
    private let files: TerminalFiles
    private let signals: Int32
    private let resetText: String
    private let isPlain: Bool
    private let keys: KeyTable
    private var writer: CellWriter
    private var decoder = KeyDecoder()
    private var shown: Frame?
    private var wantsMouse = false
    private var isOpen = true

    /// Takes the terminal over: full screen, raw keys.
    public init(_ options: ScreenOptions = ScreenOptions()) throws(ScreenError) {
        guard isatty(options.input) == 1, isatty(options.output) == 1 else { throw .notATerminal }
        let type = options.terminalType ?? getenv("TERM").map { String(cString: $0) } ?? ""
        guard type != "dumb" else { throw .tooSimple(type) }
        _ = cp_set_utf8_locale()
        guard cp_terminal_save(options.output) == 0 else { throw .system(errno) }
        // Before newterm: curses keeps handlers that it finds.
        signals = cp_signals_catch()
        guard signals >= 0 else { throw .system(errno) }
        let terminal: Terminal
        do throws(ScreenError) { terminal = try Self.openTerminal(type, options) } catch {
            cp_signals_release()
            throw error
        }
        self.options = options
        executor = ScreenActor.executor
        (files, handle, window, pad) = (terminal.files, terminal.handle, terminal.window, terminal.pad)
        if terminal.isFallback {
            notices.append(DisplayText("The terminal type \"\(type)\" is not known here: using \(Self.fallbackType)."))
        }
        isPlain = Self.plainTypes.contains { type.hasPrefix($0) }
        decoder.guessesPastes = isPlain
        resetText =
            Self.frameEnd + Self.pasteOff + Self.mouseOff
            + ["rmkx", "cnorm", "sgr0", "rmcup"].map(Terminfo.unpadded).joined()
        Self.setModes(window, pad)
        keys = KeyTable()
        writer = CellWriter(palette: Palette(wantsColor: !options.noColor), ascii: options.ascii)
        arm()
        querySize()
        listen()
    }

    /// What curses makes of a terminal.
    private struct Terminal {
        let files: TerminalFiles
        let handle: OpaquePointer
        let window: UnsafeMutablePointer<WINDOW>
        let pad: UnsafeMutablePointer<WINDOW>
        let isFallback: Bool
    }

    private static func openTerminal(_ type: String, _ options: ScreenOptions) throws(ScreenError) -> Terminal {
        let files = try TerminalFiles(input: options.input, output: options.output)
        let known = type.isEmpty ? nil : newterm(type, files.output, files.input)
        guard let handle = known ?? newterm(fallbackType, files.output, files.input) else {
            files.close()
            throw .unknownType(type)
        }
        set_term(handle)
        guard let window = cn_standard_screen(), let pad = newpad(1, 1), Terminfo.string("cup") != nil else {
            endwin()
            delscreen(handle)
            files.close()
            throw .tooSimple(type)
        }
        return Terminal(files: files, handle: handle, window: window, pad: pad, isFallback: known == nil)
    }

    /// Comes before the key table: curses reads the keys of the terminal when it is told to look out for them.
    private static func setModes(_ window: UnsafeMutablePointer<WINDOW>, _ pad: UnsafeMutablePointer<WINDOW>) {
        raw()
        noecho()
        nonl()
        set_escdelay(25)
        // Curses would leave a frame half drawn when a key comes meanwhile, and nothing would draw the other half.
        typeahead(-1)
        keypad(pad, true)
        nodelay(pad, true)
        meta(pad, true)
        idlok(window, true)
    }

    private func listen() {
        executor.watch(options.input) { [weak self] readiness in
            ScreenActor.assumeIsolated { self?.takeInput(readiness) }
        }
        executor.watch(signals) { [weak self] _ in
            ScreenActor.assumeIsolated { self?.takeSignals() }
        }
    }

    /// Gives the terminal back. Everything is a no-op afterwards.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        executor.unwatch(options.input)
        executor.unwatch(signals)
        disarm()
        delwin(pad)
        delscreen(handle)
        files.close()
        cp_signals_release()
        onEvent = { _ in }
        onSignal = { _ in }
    }

    // MARK: Drawing

    /// Shows a frame; only what differs from the last one reaches the terminal. A frame of another size is clipped.
    public func draw(_ frame: Frame) {
        guard isOpen else { return }
        if let shown, shown.size != frame.size {
            werase(window)
            self.shown = nil
        }
        var hasChanged = false
        for row in 0..<min(size.rows, frame.size.rows) {
            let cells = frame.row(row, columns: size.columns)
            let old = shown?.row(row, columns: size.columns)
            if cells == old { continue }
            hasChanged = true
            writer.write(cells, row: Int32(row), of: window)
            // Where a terminal's idea of a cluster's width differs from ours, it is the whole row that has shifted.
            if cells.contains(where: \.isFragile) || old?.contains(where: \.isFragile) == true {
                wredrawln(window, Int32(row), 1)
            }
        }
        guard hasChanged || shown == nil || shown?.cursor != frame.cursor else { return }
        shown = frame
        // Curses writes a large frame in pieces; the marks keep a terminal from showing the first of them alone.
        if !isPlain { files.emit(Self.frameStart) }
        place(cursor: frame.cursor)
        wnoutrefresh(window)
        doupdate()
        if !isPlain { files.emit(Self.frameEnd) }
    }

    /// Draws everything anew after asking for the size again: Ctrl+L.
    public func redraw() {
        guard isOpen else { return }
        reportSizeIfChanged()
        repaint()
    }

    /// Rings, or flashes where there is no bell.
    public func bell() {
        guard isOpen else { return }
        beep()
    }

    /// Whether the wheel is reported. It costs the terminal's own selection, so it starts off.
    public func setMouse(_ on: Bool) {
        guard isOpen else { return }
        wantsMouse = on
        files.emit(on ? Self.mouseOn : Self.mouseOff)
    }

    /// Asks the terminal to put text on the clipboard (OSC 52); whether it does is its own affair.
    /// - Returns: false when the text is longer than terminals take.
    @discardableResult
    public func copyToClipboard(_ text: String) -> Bool {
        guard isOpen, text.utf8.count <= 74_000 else { return false }
        files.emit("\u{1B}]52;c;\(base64(text.utf8))\u{07}")
        return true
    }

    // MARK: Stopping and going on

    /// Stops the program as Ctrl+Z does in a shell, and comes back to a full redraw.
    public func suspend() {
        guard isOpen else { return }
        disarm()
        cp_stop_process_group()
        let caught = CaughtSignals.take()
        resume()
        caught.endings.forEach { onSignal($0) }
    }

    private func resume() {
        // After someone else had the terminal nothing is known about its modes.
        reset_prog_mode()
        arm()
        reportSizeIfChanged()
        repaint()
    }

    // MARK: Input

    private func takeInput(_ readiness: Readiness) {
        guard isOpen else { return }
        let count = readTokens()
        for event in decoder.quiet() {
            onEvent(event)
            guard isOpen else { return }
        }
        let isOver = count == 0 && readiness.contains(.readable) && hasNothingToRead
        guard isOver || !readiness.isDisjoint(with: [.hangup, .error]) else {
            if count == Self.mostTokens { Task { takeInput(.readable) } }
            return
        }
        executor.unwatch(options.input)
        onEvent(.hangup)
    }

    /// How much of a long paste is read before other work gets its turn. What curses has read ahead wakes nobody, so
    /// the rest is asked for.
    private static let mostTokens = 16_384

    private func readTokens() -> Int {
        let now = PollExecutor.now()
        for count in 0..<Self.mostTokens {
            let code = wgetch(pad)
            guard code != ERR else { return count }
            decoder.feed(token(code), at: now)
        }
        return Self.mostTokens
    }

    private func token(_ code: Int32) -> KeyDecoder.Token {
        switch code {
        case 0...255: return .byte(UInt8(code))
        case KeyTable.pasteStart: return .pasteStart
        case KeyTable.pasteEnd: return .pasteEnd
        default: return keys[code].map { .key($0) } ?? .unknown
        }
    }

    /// Readable and yet empty is end of file.
    private var hasNothingToRead: Bool {
        var input = pollfd(fd: options.input, events: Int16(POLLIN), revents: 0)
        var byteCount: Int32 = 0
        return cp_poll(&input, 1, 0) > 0 && ioctl(options.input, UInt(FIONREAD), &byteCount) == 0 && byteCount == 0
    }

    // MARK: Signals and size

    private func takeSignals() {
        guard isOpen else { return }
        let caught = CaughtSignals.take()
        if caught.contains(SIGTSTP) { suspend() } else if caught.contains(SIGCONT) { resume() }
        if caught.contains(SIGWINCH), reportSizeIfChanged() { repaint() }
        caught.endings.forEach { onSignal($0) }
    }

    /// - Returns: whether it changed.
    @discardableResult
    private func reportSizeIfChanged() -> Bool {
        let old = size
        querySize()
        guard size != old else { return false }
        onEvent(.resize(size))
        return true
    }

    private func querySize() {
        var reported = winsize()
        if ioctl(options.output, UInt(TIOCGWINSZ), &reported) == 0, reported.ws_row > 0, reported.ws_col > 0 {
            // Queues a KEY_RESIZE, which the decoder ignores.
            resizeterm(min(Int32(reported.ws_row), 1000), min(Int32(reported.ws_col), 1000))
        }
        size = Size(columns: Int(cn_columns()), rows: Int(cn_lines()))
    }

    /// Draws the last frame from nothing: a terminal that changed its size may have moved any row.
    private func repaint() {
        guard isOpen else { return }
        clearok(window, true)
        let last = shown
        shown = nil
        if let last {
            werase(window)
            draw(last)
        }
    }

    private func place(cursor: Point?) {
        if let cursor, (0..<size.columns).contains(cursor.column), (0..<size.rows).contains(cursor.row) {
            wmove(window, Int32(cursor.row), Int32(cursor.column))
            curs_set(1)
        } else {
            curs_set(0)
        }
    }

    /// What curses believes to stand in a row: for tests.
    func text(row: Int) -> String {
        var buffer = [wchar_t](repeating: 0, count: size.columns * Int(CN_MOST_SCALARS) + 1)
        mvwinnwstr(window, Int32(row), 0, &buffer, Int32(buffer.count - 1))
        let scalars = buffer.prefix { $0 != 0 }.compactMap { Unicode.Scalar(UInt32(bitPattern: $0)) }
        return String(String.UnicodeScalarView(scalars))
    }

    // MARK: Modes

    private static let fallbackType = "xterm-256color"
    private static let pasteOn = "\u{1B}[?2004h"
    private static let pasteOff = "\u{1B}[?2004l"
    /// Synchronized output: whatever comes between these is shown at once.
    private static let frameStart = "\u{1B}[?2026h"
    private static let frameEnd = "\u{1B}[?2026l"
    /// Beginnings of terminal types that know neither bracketed paste nor synchronized output.
    private static let plainTypes = ["linux", "vt", "ansi", "cons25", "sun"]
    private static let mouseOn = "\u{1B}[?1000h\u{1B}[?1006h"
    private static let mouseOff = "\u{1B}[?1006l\u{1B}[?1000l"

    /// From here on a crash restores the terminal.
    private func arm() {
        resetText.withCString { cp_terminal_arm($0, resetText.utf8.count) }
        files.emit(Self.pasteOn)
        if wantsMouse { files.emit(Self.mouseOn) }
    }

    private func disarm() {
        files.emit(Self.pasteOff + (wantsMouse ? Self.mouseOff : ""))
        endwin()
        cp_terminal_disarm()
    }
}

extension Frame {
    fileprivate func row(_ row: Int, columns: Int) -> ArraySlice<Cell> {
        let start = row * size.columns
        return row < size.rows ? cells[start..<start + min(columns, size.columns)] : []
    }
}

extension Cell {
    /// Whether terminals may disagree on its width.
    fileprivate var isFragile: Bool { width == 2 || cluster.unicodeScalars.count > 1 }
}
