// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// A terminal as newterm(3) wants it: two C streams, over descriptors of their own, so that closing them leaves the
/// standard ones alone.
struct TerminalFiles {
    let input: UnsafeMutablePointer<FILE>
    let output: UnsafeMutablePointer<FILE>

    init(input: Int32, output: Int32) throws(ScreenError) {
        guard let reader = Self.open(input, "r") else { throw .system(errno) }
        guard let writer = Self.open(output, "w") else {
            let code = errno
            fclose(reader)
            throw .system(code)
        }
        self.input = reader
        self.output = writer
    }

    private static func open(_ descriptor: Int32, _ mode: String) -> UnsafeMutablePointer<FILE>? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { return nil }
        if let file = fdopen(copy, mode) { return file }
        Glibc.close(copy)
        return nil
    }

    func close() {
        fclose(input)
        fclose(output)
    }

    /// Writes a sequence that curses has no name for. Its own output is flushed after every update.
    func emit(_ sequence: String) {
        fputs(sequence, output)
        fflush(output)
    }
}
