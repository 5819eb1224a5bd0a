// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc

/// Where a log's lines go. It may block, and what goes wrong once may go well the next time.
struct LogSink {
    private let descriptor: Int32
    /// Whether a later line may still arrive anywhere.
    private var hasReader = true
    /// Whether the last line written was cut short.
    private var isTorn = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Writes lines, each with its newline, until one fails.
    /// - Returns: how many are whole at their end.
    mutating func write(_ lines: [[UInt8]]) -> Int {
        guard hasReader else { return 0 }
        // What follows a line that was cut short begins a line of its own.
        if isTorn {
            guard writeAll([UInt8(ascii: "\n")]) == 1 else { return 0 }
            isTorn = false
        }
        let bytes = Array(lines.joined())
        let written = writeAll(bytes)
        guard written < bytes.count else { return lines.count }
        isTorn = written > 0 && bytes[written - 1] != UInt8(ascii: "\n")
        return bytes.prefix(written).count { $0 == UInt8(ascii: "\n") }
    }

    /// - Returns: how many bytes were taken, fewer than there are only after an error.
    private mutating func writeAll(_ bytes: [UInt8]) -> Int {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count == 0 || !mayGoOn(after: errno) {
                break
            }
        }
        return bytes.count - rest.count
    }

    private mutating func mayGoOn(after code: Int32) -> Bool {
        switch code {
        case EINTR: return true
        case EAGAIN:
            // Whoever shares the pipe may have made it non-blocking; a reader that is behind catches up.
            var place = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            return poll(&place, 1, -1) > 0 || errno == EINTR
        case EPIPE, EBADF:
            hasReader = false
            return false
        default: return false
        }
    }
}
