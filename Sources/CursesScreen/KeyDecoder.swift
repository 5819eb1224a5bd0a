// SPDX-License-Identifier: GPL-3.0-or-later
import TerminalKit

/// Turns what ncurses reads into events: bytes that it left alone, and codes of the sequences it knew.
///
/// A pure machine. The wheel it reads by itself: curses would leave half of a report as typed text whenever the mouse
/// is off. Escape sequences that nobody knows vanish whole, so that no `;55M` is ever typed into a message;
/// bytes are decoded here, because ncurses loses a character that two reads split.
struct KeyDecoder {
    /// What one read gave.
    enum Token: Equatable {
        case byte(UInt8)
        case key(Key)
        case pasteStart, pasteEnd
        /// A code that means nothing to us, such as ncurses' own about a resize.
        case unknown
    }

    /// The most of one paste that is kept, in UTF-8 bytes.
    static let pasteLimit = 256 * 1024
    /// A sequence or a paste whose rest doesn't come for so long, in nanoseconds, is over.
    static let patience: UInt64 = 250_000_000

    private enum State {
        case ground
        /// After ESC: Alt, or the start of a sequence.
        case escape
        /// After ESC [: its parameters are being collected.
        case control
        /// After ESC [ M, the old mouse report: button, column and row follow, a byte each.
        case mouse(taken: Int)
        /// After ESC [ [, a function key of the Linux console.
        case console
        /// After ESC O.
        case single
        /// OSC, DCS and their kind, up to BEL or ESC \.
        case string(introducer: UInt8, isEmpty: Bool, sawEscape: Bool)
        case paste
    }

    private var state = State.ground
    private var utf8 = UTF8Assembler()
    private var isAlt = false
    private var parameters: [UInt8] = []
    private var pasted: [UInt8] = []
    /// Whether a burst of typing with a newline inside counts as pasted: for terminals that do not mark pastes. On
    /// others it would hold back what a fast typist or a script sends.
    var guessesPastes = false
    private var last: UInt64 = 0
    private var events: [TerminalEvent] = []

    /// Takes one token, read at a moment of the monotonic clock in nanoseconds.
    mutating func feed(_ token: Token, at now: UInt64) {
        if now > last, now - last > Self.patience { abandon() }
        last = now
        if case .paste = state { return feedPaste(token) }
        switch token {
        case .byte(let byte): feed(byte)
        case .key(var key):
            if case .escape = state { key.modifiers.insert(.alt) }
            interrupt()
            events.append(.key(key))
        case .pasteStart:
            interrupt()
            state = .paste
        case .pasteEnd, .unknown: break
        }
    }

    /// Says that nothing more waits to be read, and takes the events so far.
    mutating func quiet() -> [TerminalEvent] {
        switch state {
        case .escape: finish(Key(.escape))
        case .control where parameters.isEmpty: finish(.alt("["))
        case .single: finish(.alt("O"))
        case .string(let introducer, isEmpty: true, _): finish(.alt(Character(Unicode.Scalar(introducer))))
        default: break
        }
        defer { events = [] }
        return guessesPastes ? coalesced(events) : events
    }

    private mutating func finish(_ key: Key) {
        state = .ground
        events.append(.key(key))
    }

    /// A known key ends whatever was being read.
    private mutating func interrupt() {
        state = .ground
        isAlt = false
        utf8 = UTF8Assembler()
    }

    private mutating func abandon() {
        if case .paste = state { endPaste() }
        interrupt()
    }

    private mutating func feed(_ byte: UInt8) {
        switch state {
        case .ground: byte == 0x1B ? (state = .escape) : type(byte)
        case .escape: feedEscape(byte)
        case .control: feedControl(byte)
        case .mouse(let taken):
            if taken == 0 { turnWheel(button: Int(byte) - 32) }
            state = taken < 2 ? .mouse(taken: taken + 1) : .ground
        case .console, .single: state = .ground
        case .string(let introducer, _, let sawEscape):
            if byte == 0x07 || sawEscape && byte == UInt8(ascii: "\\") {
                state = .ground
            } else {
                state = .string(introducer: introducer, isEmpty: false, sawEscape: byte == 0x1B)
            }
        case .paste: break
        }
    }

    private mutating func feedEscape(_ byte: UInt8) {
        switch byte {
        case 0x1B: events.append(.key(Key(.escape)))
        case UInt8(ascii: "["):
            state = .control
            parameters = []
        case UInt8(ascii: "O"): state = .single
        case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"):
            state = .string(introducer: byte, isEmpty: true, sawEscape: false)
        default:
            state = .ground
            isAlt = true
            type(byte)
        }
    }

    private mutating func feedControl(_ byte: UInt8) {
        switch byte {
        case 0x1B: state = .escape
        case UInt8(ascii: "M") where parameters.isEmpty: state = .mouse(taken: 0)
        case UInt8(ascii: "[") where parameters.isEmpty: state = .console
        case 0x20...0x3F where parameters.count < 64: parameters.append(byte)
        default:
            state = .ground
            if byte == UInt8(ascii: "M"), parameters.first == UInt8(ascii: "<") {
                let button = parameters.dropFirst().prefix { $0 != UInt8(ascii: ";") }
                turnWheel(button: Int(String(decoding: button, as: UTF8.self)) ?? 0)
            }
        }
    }

    /// Buttons 64 and 65 are the wheel; shift, alt and control add 4, 8 and 16.
    private mutating func turnWheel(button: Int) {
        switch button & ~28 {
        case 64: events.append(.wheel(-3))
        case 65: events.append(.wheel(3))
        default: break
        }
    }

    /// A byte that is not part of a sequence.
    private mutating func type(_ byte: UInt8) {
        for scalar in utf8.feed(byte) {
            var key = Self.key(typing: scalar)
            if isAlt { key.modifiers.insert(.alt) }
            isAlt = false
            events.append(.key(key))
        }
    }

    private static func key(typing scalar: Unicode.Scalar) -> Key {
        switch scalar.value {
        case 0x09: Key(.tab)
        case 0x0D: Key(.enter)
        case 0x08, 0x7F: Key(.backspace)
        case 0x00: .control(" ")
        case 0x01...0x1A: .control(Character(Unicode.Scalar(UInt8(scalar.value) + 0x60)))
        case 0x1B...0x1F: .control(Character(Unicode.Scalar(UInt8(scalar.value) + 0x40)))
        default: .char(Character(scalar))
        }
    }

    // MARK: Paste

    private mutating func feedPaste(_ token: Token) {
        switch token {
        case .byte(let byte): if pasted.count < Self.pasteLimit { pasted.append(byte) }
        case .pasteEnd: endPaste()
        // A paste that contains a key's sequence must not press it.
        case .key, .pasteStart, .unknown: break
        }
    }

    private mutating func endPaste() {
        state = .ground
        if pasted.count == Self.pasteLimit { dropCutCharacter() }
        let text = Self.normalizingNewlines(pasted)
        pasted = []
        if !text.isEmpty { events.append(.paste(text)) }
    }

    private mutating func dropCutCharacter() {
        let tail = pasted.suffix(4).reversed().prefix { $0 & 0xC0 == 0x80 }.count
        guard let lead = pasted.dropLast(tail).last, lead >= 0xC0 else { return }
        if tail + 1 < UTF8Assembler.length(lead: lead) { pasted.removeLast(tail + 1) }
    }

    /// Terminals send a pasted newline as a carriage return.
    private static func normalizingNewlines(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var previous: UInt8 = 0
        for byte in bytes {
            if byte == 0x0D {
                out.append(0x0A)
            } else if byte != 0x0A || previous != 0x0D {
                out.append(byte)
            }
            previous = byte
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Makes one paste of a burst of typing with a newline inside it: nobody types a line and the start of the next
    /// within one read, but a terminal without bracketed paste sends just that.
    private func coalesced(_ events: [TerminalEvent]) -> [TerminalEvent] {
        guard events.count > 2 else { return events }
        var out: [TerminalEvent] = []
        var run: [TerminalEvent] = []
        var text = ""
        var hasInnerNewline = false
        var endsInNewline = false
        func flush() {
            out += hasInnerNewline ? [.paste(text)] : run
            (run, text, hasInnerNewline, endsInNewline) = ([], "", false, false)
        }
        for event in events {
            guard let typed = Self.typedText(event) else {
                flush()
                out.append(event)
                continue
            }
            run.append(event)
            text.append(typed)
            if typed == "\n" { endsInNewline = text.utf8.count > 1 } else if endsInNewline { hasInnerNewline = true }
        }
        flush()
        return out
    }

    private static func typedText(_ event: TerminalEvent) -> Character? {
        guard case .key(let key) = event else { return nil }
        switch (key.code, key.modifiers) {
        case (.character(let character), []): return character
        case (.character("j"), .control), (.enter, []): return "\n"
        case (.tab, []): return "\t"
        default: return nil
        }
    }
}

/// Puts the bytes of UTF-8 characters together, however they were split; each broken one becomes U+FFFD.
struct UTF8Assembler {
    private var bytes: [UInt8] = []
    private var expected = 0

    mutating func feed(_ byte: UInt8) -> [Unicode.Scalar] {
        guard !bytes.isEmpty else { return start(byte) }
        guard byte & 0xC0 == 0x80 else {
            bytes = []
            return ["\u{FFFD}"] + start(byte)
        }
        bytes.append(byte)
        guard bytes.count == expected else { return [] }
        defer { bytes = [] }
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
        return [scalars.count == 1 ? scalars.first ?? "\u{FFFD}" : "\u{FFFD}"]
    }

    private mutating func start(_ byte: UInt8) -> [Unicode.Scalar] {
        expected = Self.length(lead: byte)
        switch expected {
        case 1: return [Unicode.Scalar(byte)]
        case 2...4: bytes = [byte]
        default: return ["\u{FFFD}"]
        }
        return []
    }

    /// How many bytes a character takes by its first; 0 for what can't be one.
    static func length(lead: UInt8) -> Int {
        switch lead {
        case 0x00...0x7F: 1
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 0
        }
    }
}
