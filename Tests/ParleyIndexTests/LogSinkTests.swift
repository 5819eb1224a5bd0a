// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Model
import Reactor
import Support
import Testing

@testable import parley_index

@Suite(.timeLimit(.minutes(1))) struct LogSinkTests {
    private func pipe() -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        #expect(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    /// Reads until so many lines came, or nothing for five seconds.
    private func read(_ count: Int, from descriptor: Int32) -> String {
        var (bytes, lines, buffer) = ([UInt8](), 0, [UInt8](repeating: 0, count: 65_536))
        while lines < count {
            var place = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&place, 1, 5000) == 1 else { break }
            let taken = Glibc.read(descriptor, &buffer, buffer.count)
            guard taken > 0 else { break }
            bytes += buffer.prefix(taken)
            lines += buffer.prefix(taken).count { $0 == UInt8(ascii: "\n") }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private let lines = ["one\n", "two\n"].map { Array($0.utf8) }

    @Test func `a full disk costs the lines that it did not take, and no more`() {
        let (reading, writing) = pipe()
        let place = open("/dev/full", O_WRONLY)
        var sink = LogSink(place)
        #expect(sink.write(lines) == 0)
        // There is room again.
        #expect(dup2(writing, place) == place)
        #expect(sink.write(lines) == 2)
        #expect(read(2, from: reading) == "one\ntwo\n")
        [reading, writing, place].forEach { close($0) }
    }

    @Test func `a line that was cut short does not run into the next`() throws {
        let directory = try TemporaryDirectory()
        let file = open(directory.file("log"), O_WRONLY | O_CREAT, 0o600)
        // No file system has room behind the end of its largest file: six bytes fit.
        var (end, refused) = (0, Int.max)
        while refused - end > 1 {
            let middle = end + (refused - end) / 2
            if lseek(file, middle, SEEK_SET) == middle { end = middle } else { refused = middle }
        }
        #expect(lseek(file, end - 6, SEEK_SET) == end - 6)
        let (reading, writing) = pipe()
        var sink = LogSink(file)
        #expect(sink.write(lines) == 1)
        #expect(dup2(writing, file) == file)
        #expect(sink.write(lines) == 2)
        #expect(read(3, from: reading) == "\none\ntwo\n")
        [reading, writing, file].forEach { close($0) }
    }

    @Test func `a reader that is gone is not written to again`() {
        signal(SIGPIPE, SIG_IGN)
        let (reading, writing) = pipe()
        var sink = LogSink(writing)
        close(reading)
        #expect(sink.write(lines) == 0)
        let (other, replacement) = pipe()
        #expect(dup2(replacement, writing) == writing)
        #expect(sink.write(lines) == 0)
        [other, replacement, writing].forEach { close($0) }
    }

    @Test func `a full pipe that does not block is waited for`() async throws {
        let (reading, writing) = pipe()
        #expect(fcntl(writing, F_SETFL, O_NONBLOCK) == 0)
        let loop = try PollExecutor(name: "log")
        loop.start()
        let log = EventLog(ServerSettings(), to: writing, loop: loop)
        let text = String(repeating: "x", count: 100)
        for _ in 0..<5000 { log.say(.warn, "notice", text) }
        let task = Task { await log.run() }
        let written = read(5000, from: reading)
        #expect(written.split(separator: "\n").count { $0.hasSuffix(text) } == 5000)
        log.finish()
        await task.value
        loop.stop()
        [reading, writing].forEach { close($0) }
    }
}
