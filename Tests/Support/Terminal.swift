// SPDX-License-Identifier: GPL-3.0-or-later
import CVTerm
import Glibc
public import Model
public import TerminalKit

/// A program on a real pty, with an emulator on the other side that a test can read and type into.
///
/// A thread of its own reads what the program prints, so the program never waits for the test, and every chunk has the
/// moment at which it came.
public final class Terminal: Sendable {
    fileprivate struct State {
        let emulator: Emulator
        var output: [UInt8] = []
        /// How much of the output the emulator has.
        var fed = 0
        /// Whether a frame has begun and not ended yet (synchronized output, private mode 2026).
        var isInFrame = false
        var ended = false
        var observer: (@Sendable ([UInt8], Instant) -> Void)?
    }

    /// A screen that did not become what a test waited for.
    public struct Unexpected: Error, CustomStringConvertible {
        public let description: String
    }

    public let child: Child
    private let state: Monitor<State>
    private let master: Monitor<Descriptor?>
    private let reader: Reader
    private let settingsBefore: termios
    private let companions: [any Sendable]

    /// Starts a program on a new pty.
    /// - Parameters:
    ///   - environment: laid over ``Child/environment``; an empty value removes a variable.
    ///   - companions: what must last as long as the program, such as its directory.
    public init(
        _ arguments: [String], size: Size = Size(columns: 80, rows: 24), environment: [String: String] = [:],
        directory: String? = nil, companions: [any Sendable] = []
    ) throws {
        self.companions = companions
        let (master, path) = try Terminal.openPty(size)
        guard let emulator = Emulator(size: size) else { throw SystemError("vterm_new", ENOMEM) }
        settingsBefore = try Terminal.settings(master)
        child = try Child(arguments, environment: environment, directory: directory, ownSession: true) { actions in
            // The first terminal that a session leader opens becomes its controlling terminal.
            posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }
        let state = Monitor(State(emulator: emulator))
        self.state = state
        self.master = Monitor(master)
        reader = try Reader(master) { [weak master] chunk, moment in
            let answer = state.withLock { $0.receive(chunk, moment) }
            if !answer.isEmpty { try? master?.write(answer, deadline: .now + .seconds(1)) }
        }
    }

    private static func openPty(_ size: Size) throws -> (master: Descriptor, path: String) {
        var master: Int32 = -1
        var slave: Int32 = -1
        var window = winsize(
            ws_row: UInt16(clamping: size.rows), ws_col: UInt16(clamping: size.columns), ws_xpixel: 0, ws_ypixel: 0)
        guard openpty(&master, &slave, nil, nil, &window) == 0 else { throw SystemError("openpty", errno) }
        let (ours, theirs) = (Descriptor(master), Descriptor(slave))
        ours.closeOnExec()
        theirs.closeOnExec()
        ours.neverBlock()
        var name = [CChar](repeating: 0, count: 128)
        guard ttyname_r(theirs.raw, &name, name.count) == 0 else { throw SystemError("ttyname", errno) }
        return withExtendedLifetime(theirs) {
            (ours, String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
    }

    // MARK: Writing

    /// Types keys.
    public func type(_ keys: KeyScript) throws { try write(keys.bytes) }

    /// Pastes text in one piece.
    public func paste(_ text: String) throws { try write(KeyScript.pasteBytes(text)) }

    /// Writes bytes as if typed.
    public func write(_ bytes: [UInt8]) throws {
        guard let master = master.withLock({ $0 }) else { throw Unexpected(description: "the pty is closed") }
        try master.write(bytes, deadline: .now + .seconds(10))
    }

    /// Gives the window another size; the program hears of it by SIGWINCH.
    public func resize(_ size: Size) {
        state.withLock { $0.emulator.resize(size) }
        master.withLock { master in
            if let master { _ = cv_set_winsize(master.raw, Int32(clamping: size.rows), Int32(clamping: size.columns)) }
        }
    }

    /// Takes the terminal away, as closing the window does: the kernel sends SIGHUP.
    public func hangUp() {
        reader.cancel()
        master.withLock { $0 = nil }
    }

    // MARK: Reading

    /// What it shows now.
    public var screen: ScreenText { state.withLock { $0.emulator.text } }

    /// How a cell looks now.
    public func cell(column: Int, row: Int) -> EmulatedCell {
        state.withLock { $0.emulator.cell(Point(column: column, row: row)) }
    }

    /// Every byte that the program printed.
    public var output: [UInt8] { state.withLock { $0.output } }

    /// Waits until the screen is as wished, asking after everything the program prints but within no half frame; the
    /// wish of a program that has ended is asked once more.
    @discardableResult
    public func wait(
        _ limit: Span = .seconds(10), for what: String, until fits: (ScreenText) -> Bool
    ) throws -> ScreenText {
        let found: ScreenText?? = state.wait(until: .now + limit) { state in
            guard !state.isInFrame || state.ended else { return nil }
            let text = state.emulator.text
            return fits(text) ? .some(text) : state.ended ? .some(nil) : nil
        }
        if case .some(.some(let text)) = found { return text }
        let end = child.wait(.zero).map { "ended: \($0)" } ?? "still running"
        throw Unexpected(description: "waited for \(what); program \(end); screen:\n\(screen)")
    }

    /// Waits until some row contains a text.
    @discardableResult
    public func wait(for text: String, _ limit: Span = .seconds(10)) throws -> ScreenText {
        try wait(limit, for: "“\(text)”") { $0.contains(text) }
    }

    /// Types Ctrl+L, and returns what the screen shows once it is drawn anew from nothing.
    public func redraw(_ limit: Span = .seconds(5)) throws -> ScreenText {
        let clear = Array("\u{1B}[2J".utf8)
        let before = state.withLock { $0.output.count }
        try type("<c-l>")
        let found: ScreenText? = state.wait(until: .now + limit) { state in
            guard !state.isInFrame, contains(Array(state.output[before...]), clear) else { return nil }
            return state.emulator.text
        }
        guard let found else { throw Unexpected(description: "Ctrl+L drew nothing; screen:\n\(screen)") }
        return found
    }

    /// Calls back on the reading thread after each frame, or each chunk of a program that marks no frames, with the
    /// whole screen as UTF-8 and the moment at which the last of it came.
    public func observe(_ observer: (@Sendable ([UInt8], Instant) -> Void)?) {
        state.withLock { $0.observer = observer }
    }

    /// Types keys and measures how long it takes until the screen shows a text that it does not show yet.
    public func time(from keys: KeyScript, until text: String, _ limit: Span = .seconds(10)) throws -> Span {
        let needle = Array(text.utf8)
        let sighting = Monitor<Instant?>(nil)
        observe { screen, moment in
            if contains(screen, needle) { sighting.withLock { if $0 == nil { $0 = moment } } }
        }
        defer { observe(nil) }
        let start = Instant.now
        try type(keys)
        guard let moment = sighting.wait(until: start + limit, for: { $0 }) else {
            throw Unexpected(description: "typed \(keys), waited for “\(text)”; screen:\n\(screen)")
        }
        return moment.since(start)
    }

    // MARK: Afterwards

    /// Waits for the program's end, and for everything it printed.
    public func waitForExit(_ limit: Span = .seconds(10)) -> Termination? {
        guard let status = child.wait(limit) else { return nil }
        _ = state.wait(until: .now + .seconds(2)) { $0.ended ? true : nil }
        return status
    }

    /// The private modes that the program left set or reset, by number (`ESC [ ? … h` and `l`).
    public var privateModes: [Int: Bool] { modes(in: output) }

    /// What the program left changed on the terminal; empty when it restored everything.
    public var leftovers: [String] {
        var left: [String] = []
        let modes = privateModes
        if modes[1049] ?? false { left.append("alternate screen still on") }
        if !(modes[25] ?? true) { left.append("cursor hidden") }
        if modes[2026] ?? false { left.append("a frame never ended") }
        if modes[2004] ?? false { left.append("bracketed paste still on") }
        for mouse in [1000, 1002, 1003, 1006] where modes[mouse] ?? false {
            left.append("mouse mode \(mouse) still on")
        }
        if modes[1] ?? false { left.append("cursor keys in application mode") }
        do {
            guard let master = master.withLock({ $0 }) else { return left + ["the pty is closed"] }
            let after = try Terminal.settings(master)
            for (name, path) in Terminal.settingNames where settingsBefore[keyPath: path] != after[keyPath: path] {
                let (before, now) = (settingsBefore[keyPath: path], after[keyPath: path])
                left.append("\(name) was \(String(before, radix: 16)), is \(String(now, radix: 16))")
            }
        } catch {
            left.append("\(error)")
        }
        return left
    }

    private static let settingNames: [(String, any KeyPath<termios, tcflag_t> & Sendable)] = [
        ("c_iflag", \.c_iflag), ("c_oflag", \.c_oflag), ("c_cflag", \.c_cflag), ("c_lflag", \.c_lflag),
    ]

    private static func settings(_ master: Descriptor) throws -> termios {
        var settings = termios()
        guard tcgetattr(master.raw, &settings) == 0 else { throw SystemError("tcgetattr", errno) }
        return settings
    }
}

extension Terminal.State {
    /// The terminal's answer to what came.
    fileprivate mutating func receive(_ chunk: ArraySlice<UInt8>?, _ moment: Instant) -> [UInt8] {
        guard let chunk else {
            ended = true
            return []
        }
        output += chunk
        var answer: [UInt8] = []
        while let mark = nextFrameMark() {
            answer += feed(upTo: mark.end)
            isInFrame = mark.starts
            if !isInFrame { observer?(emulator.utf8, moment) }
        }
        guard fed < output.count else { return answer }
        answer += feed(upTo: output.count)
        if !isInFrame { observer?(emulator.utf8, moment) }
        return answer
    }

    private mutating func feed(upTo end: Int) -> [UInt8] {
        defer { fed = end }
        return emulator.feed(output[fed..<end])
    }

    /// The first mark that ends in what the emulator has not got yet; it may have begun before.
    private func nextFrameMark() -> (end: Int, starts: Bool)? {
        let prefix = Array("\u{1B}[?2026".utf8)
        var place = max(0, fed - prefix.count)
        while let escape = output[place...].firstIndex(of: 0x1B) {
            place = escape + 1
            let end = escape + prefix.count + 1
            guard end > fed, end <= output.count, output[escape...].starts(with: prefix) else { continue }
            switch output[end - 1] {
            case UInt8(ascii: "h"): return (end, true)
            case UInt8(ascii: "l"): return (end, false)
            default: continue
            }
        }
        return nil
    }
}

/// Whether bytes contain others; by libc, because a test looks at every frame.
public func contains(_ bytes: [UInt8], _ needle: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { hay in
        needle.withUnsafeBytes { memmem(hay.baseAddress, hay.count, $0.baseAddress, $0.count) != nil }
    }
}

/// The last word of a terminal's output on each private mode (DECSET and DECRST, xterm's control sequences).
func modes(in output: [UInt8]) -> [Int: Bool] {
    var modes: [Int: Bool] = [:]
    var rest = output[...]
    while let escape = rest.firstIndex(of: 0x1B) {
        rest = rest[(escape + 1)...]
        guard rest.starts(with: "[?".utf8) else { continue }
        let parameters = rest.dropFirst(2).prefix { (0x30...0x3B).contains($0) }
        rest = rest[parameters.endIndex...]
        guard let final = rest.first, final == UInt8(ascii: "h") || final == UInt8(ascii: "l") else { continue }
        for number in parameters.split(separator: UInt8(ascii: ";")) {
            if let mode = Int(String(decoding: number, as: UTF8.self)) { modes[mode] = final == UInt8(ascii: "h") }
        }
    }
    return modes
}
