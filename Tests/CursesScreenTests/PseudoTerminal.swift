// SPDX-License-Identifier: GPL-3.0-or-later
import CursesScreen
import Glibc
import Queues
import Reactor
import TerminalKit
import Testing

/// The far end of a terminal: types into it and collects what it is sent.
final class PseudoTerminal: Sendable {
    let master: Int32
    let slave: Int32
    private let collected = Lock<[UInt8]>([])
    private let arrivals: AsyncStream<Void>

    /// - Parameter collects: without it nobody reads, the terminal takes 4 kB at most, and it can `vanish`.
    init(columns: Int = 80, rows: Int = 24, collects: Bool = true) {
        // What openpty(3) does, which Swift's Glibc does not show: unlock (TIOCSPTLCK), then ask for the number
        // (TIOCGPTN).
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (unlocked, number) = (Int32(0), Int32(-1))
        #expect(ioctl(master, 0x4004_5431, &unlocked) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
        slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        arrivals = stream
        resize(columns: columns, rows: rows)
        guard collects else { return }
        let (master, collected) = (master, collected)
        // A thread of its own: drawing blocks when nobody reads, and tests draw from the screen's thread.
        let reader = Thread {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(master, &chunk, chunk.count)
                guard count > 0 else { break }
                let bytes = chunk.prefix(count)
                collected.withLock { $0 += bytes }
                continuation.yield()
            }
            continuation.finish()
            close(master)
        }
        reader.start()
    }

    /// Ends the reader, which closes the other side.
    deinit { close(slave) }

    /// What closing the window does.
    func vanish() { close(master) }

    func resize(columns: Int, rows: Int) {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        #expect(ioctl(master, UInt(TIOCSWINSZ), &size) == 0)
    }

    func type(_ text: String) { type(Array(text.utf8)) }

    func type(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Everything sent so far.
    var output: String { String(decoding: collected.withLock { $0 }, as: UTF8.self) }

    func forgetOutput() { collected.withLock { $0 = [] } }

    /// Waits until the output contains a text.
    func expect(_ text: String) async {
        if output.contains(text) { return }
        for await _ in arrivals where output.contains(text) { return }
        Issue.record("the terminal was never sent \(text.debugDescription), but \(output.debugDescription)")
    }

    var modes: termios {
        var modes = termios()
        tcgetattr(slave, &modes)
        return modes
    }
}

/// A closure on a detached pthread.
private final class Thread: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Thread>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        pthread_detach(thread)
    }
}
