// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Queues

/// Reads the first line of a descriptor, as `--passphrase-fd` names it; without its newline.
public func readPassphrase(descriptor: Int32) throws(ProgramFailure) -> [UInt8] {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while line.count < passphraseLimit {
        let count = read(descriptor, &byte, 1)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else {
            throw ProgramFailure(
                .badIdentity,
                "The passphrase can't be read from descriptor \(descriptor): \(systemReason(errno)).")
        }
        guard count > 0, byte != UInt8(ascii: "\n") else { return line }
        line.append(byte)
    }
    throw ProgramFailure(.badIdentity, "A passphrase has at most \(passphraseLimit) bytes.")
}

/// Asks on the terminal, without showing what is typed. Ctrl+U begins anew; Ctrl+C and Ctrl+D give up.
/// - Throws: `.badIdentity` when there is no terminal to ask on, or the user gave up.
public func askPassphrase(_ prompt: String) throws(ProgramFailure) -> [UInt8] {
    let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
    guard terminal >= 0 else {
        throw ProgramFailure(
            .badIdentity, "There is no terminal to ask for the passphrase on; use --passphrase-fd.")
    }
    defer { close(terminal) }
    var before = termios()
    guard tcgetattr(terminal, &before) == 0 else {
        throw ProgramFailure(.badIdentity, "The terminal can't be told to hide a passphrase; use --passphrase-fd.")
    }
    var hidden = before
    hidden.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
    let interruption = Interruption()
    tcsetattr(terminal, TCSAFLUSH, &hidden)
    defer {
        tcsetattr(terminal, TCSAFLUSH, &before)
        writeAll([UInt8(ascii: "\n")], to: terminal)
        interruption.end()
    }
    writeAll(Array(prompt.utf8), to: terminal)
    guard let line = readHidden(terminal) else { throw ProgramFailure(.badIdentity, "No passphrase was given.") }
    return line
}

private let passphraseLimit = 1024

/// - Returns: `nil` when the user gave up, or a signal came.
private func readHidden(_ terminal: Int32) -> [UInt8]? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(terminal, &byte, 1) == 1 {
        switch byte {
        case 0x0A, 0x0D: return line
        case 0x03, 0x04: return nil
        case 0x15: line = []
        case 0x08, 0x7F:
            // A whole character of UTF-8.
            while let last = line.popLast(), last & 0xC0 == 0x80 {}
        default: if line.count < passphraseLimit { line.append(byte) }
        }
    }
    return nil
}

/// While it lasts, a signal that would end the program interrupts a read instead, so that the terminal is put back
/// first; then it does what it came for.
private struct Interruption {
    private static let signals = [SIGTERM, SIGHUP, SIGQUIT, SIGINT]
    private var before: [(number: Int32, action: sigaction)] = []

    init() {
        for number in Interruption.signals {
            var (new, old) = (sigaction(), sigaction())
            new.__sigaction_handler.sa_handler = { number in pending = number }
            if sigaction(number, &new, &old) == 0 { before.append((number, old)) }
        }
    }

    func end() {
        for entry in before {
            var action = entry.action
            sigaction(entry.number, &action, nil)
        }
        let number = pending
        pending = 0
        if number != 0 { raise(number) }
    }
}

/// The last signal that came; written by a handler, read when it can't run any more.
private nonisolated(unsafe) var pending: Int32 = 0
