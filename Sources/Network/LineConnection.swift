// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Reactor

/// Lines in both directions over a connected socket, on a loop's thread.
///
/// Bounded: a line longer than `lineLimit` or an unread backlog beyond `backlogLimit` closes the connection.
public final class LineConnection: @unchecked Sendable {
    // Sendable: all of it lives on the loop's thread; `send`, `finish` and `close` check that they are called there.

    /// Bytes of one line.
    public static let lineLimit = 256 * 1024
    /// Bytes that may wait for a reader that is slow.
    public static let backlogLimit = 8 << 20

    /// A whole line without its newline.
    public var onLine: ([UInt8]) -> Void = { _ in }
    /// The other side closed, or broke a limit.
    public var onClose: () -> Void = {}

    private var descriptor: Int32
    private let loop: PollExecutor
    private var incoming: [UInt8] = []
    private var outgoing: [UInt8] = []
    private var closesWhenSent = false

    init(descriptor: Int32, loop: PollExecutor) {
        self.descriptor = descriptor
        self.loop = loop
        loop.watch(descriptor) { [weak self] in self?.ready($0) }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Sends a line; the newline is added.
    public func send(_ line: [UInt8]) {
        loop.checkIsolated()
        guard descriptor >= 0 else { return }
        guard outgoing.count + line.count < LineConnection.backlogLimit else { return closed() }
        outgoing += line
        outgoing.append(UInt8(ascii: "\n"))
        flush()
    }

    /// Closes once everything is sent.
    public func finish() {
        loop.checkIsolated()
        closesWhenSent = true
        flush()
    }

    /// Closes at once, without `onClose`.
    public func close() {
        loop.checkIsolated()
        guard descriptor >= 0 else { return }
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
    }

    private func closed() {
        guard descriptor >= 0 else { return }
        close()
        onClose()
    }

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard descriptor >= 0, !readiness.isDisjoint(with: [.readable, .hangup, .error]) else { return }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 { return take(buffer[..<count]) }
        if count == 0 || (errno != EAGAIN && errno != EINTR) { closed() }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        incoming += bytes
        var rest = incoming[...]
        while descriptor >= 0, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            guard end - rest.startIndex <= LineConnection.lineLimit else { return closed() }
            onLine(Array(rest[..<end]))
            rest = rest[(end + 1)...]
        }
        incoming = Array(rest)
        if incoming.count > LineConnection.lineLimit { closed() }
    }

    private func flush() {
        guard descriptor >= 0 else { return }
        while !outgoing.isEmpty {
            let count = Glibc.send(
                descriptor, outgoing, outgoing.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            guard count > 0 else {
                if count < 0, errno != EAGAIN, errno != EINTR { return closed() }
                break
            }
            outgoing.removeFirst(count)
        }
        loop.watchWritable(descriptor, !outgoing.isEmpty)
        if outgoing.isEmpty, closesWhenSent { closed() }
    }
}
