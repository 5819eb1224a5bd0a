// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model

/// A file descriptor that closes itself.
final class Descriptor: Sendable {
    let raw: Int32

    init(_ raw: Int32) { self.raw = raw }

    /// Takes what a system call returned; throws its errno.
    init(checking raw: Int32, _ call: String) throws {
        guard raw >= 0 else { throw SystemError(call, errno) }
        self.raw = raw
    }

    deinit { close(raw) }

    /// Both ends of a pipe, closed in children.
    static func pipe() throws -> (reading: Descriptor, writing: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw SystemError("pipe", errno) }
        let pair = (reading: Descriptor(ends[0]), writing: Descriptor(ends[1]))
        pair.reading.closeOnExec()
        pair.writing.closeOnExec()
        return pair
    }

    func closeOnExec() { _ = fcntl(raw, F_SETFD, FD_CLOEXEC) }

    func neverBlock() { _ = fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) | O_NONBLOCK) }

    /// Writes everything, waiting for room; throws when there is none by the deadline or nobody reads any more.
    func write(_ bytes: [UInt8], deadline: Instant) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard try isReady(POLLOUT, deadline: deadline) else { throw SystemError("write", ETIMEDOUT) }
            let count = rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count < 0, errno != EAGAIN, errno != EINTR { throw SystemError("write", errno) }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Whether it became readable or writable by the deadline.
    func isReady(_ events: Int32, deadline: Instant) throws -> Bool {
        var request = pollfd(fd: raw, events: Int16(events), revents: 0)
        while true {
            let count = poll(&request, 1, deadline.pollTimeout)
            if count >= 0 { return count > 0 }
            guard errno == EINTR else { throw SystemError("poll", errno) }
        }
    }
}

/// A system call that failed.
public struct SystemError: Error, CustomStringConvertible {
    public let call: String
    public let code: Int32

    init(_ call: String, _ code: Int32) {
        self.call = call
        self.code = code
    }

    public var description: String { "\(call): \(String(cString: strerror(code)))" }
}

/// A thread that reads a descriptor to its end, so that no program under test ever waits for the test to read.
final class Reader: Sendable {
    private let stop: Descriptor
    private let ended = Monitor(false)

    /// - Parameter receive: called on the reading thread with each chunk and the moment it was read; `nil` at the end.
    init(_ source: Descriptor, receive: @escaping @Sendable (ArraySlice<UInt8>?, Instant) -> Void) throws {
        let (wake, stop) = try Descriptor.pipe()
        self.stop = stop
        Thread.detachNewThread { [ended] in
            Reader.run(source, wake, receive)
            receive(nil, .now)
            ended.withLock { $0 = true }
        }
    }

    /// Ends the thread, and returns when it has.
    func cancel() {
        try? stop.write([0], deadline: .now + .seconds(1))
        _ = ended.wait(until: .now + .seconds(10)) { $0 ? true : nil }
    }

    deinit { cancel() }

    private static func run(
        _ source: Descriptor, _ wake: Descriptor, _ receive: (ArraySlice<UInt8>?, Instant) -> Void
    ) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var requests = [source, wake].map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
        while true {
            guard poll(&requests, 2, -1) > 0 else {
                if errno == EINTR { continue }
                return
            }
            if requests[1].revents != 0 { return }
            let count = buffer.withUnsafeMutableBytes { read(source.raw, $0.baseAddress, $0.count) }
            let moment = Instant.now
            if count > 0 {
                receive(buffer[..<count], moment)
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                return  // EIO: the last program on the other side of the pty is gone
            }
        }
    }
}
