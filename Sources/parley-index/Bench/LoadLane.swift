// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Model

/// One connected socket of the load generator, with the requests that are under way on it.
final class LoadLane {
    private struct Slot {
        var request: Int
        var sent: UInt64
    }

    let descriptor: Int32
    private let isStream: Bool
    private let window: Int
    private let vectors: UnsafeMutablePointer<iovec>
    private let buffer: UnsafeMutableRawPointer
    /// Bytes of an answer that has not come whole, at the front of the buffer; streams alone.
    private var kept = 0

    private var script = BenchScript([])
    private var next = 0
    private var sent = 0
    /// In the order of sending. Answers come in that order too but for losses, so the first look nearly always fits.
    private var open: [Slot] = []
    /// What was given up as lost, in case that it comes all the same.
    private var late: [Slot] = []
    private var pause: UInt64 = 0
    private(set) var notBefore: UInt64 = 0

    private static let batch = Int(cp_load_batch)
    private static let answerSize = 2048

    /// - Parameter window: requests under way at a time, 1 or more.
    init?(_ server: Endpoint, isStream: Bool, window: Int) {
        let descriptor = connectedSocket(server, isStream ? SOCK_STREAM : SOCK_DGRAM)
        guard descriptor >= 0 else { return nil }
        (self.descriptor, self.isStream, self.window) = (descriptor, isStream, window)
        vectors = .allocate(capacity: Self.batch)
        buffer = .allocate(byteCount: Self.batch * Self.answerSize, alignment: 64)
    }

    deinit {
        close(descriptor)
        vectors.deallocate()
        buffer.deallocate()
    }

    /// Where it is bound.
    var local: Endpoint? { localEndpoint(descriptor) }

    var isQuiet: Bool { open.isEmpty }
    var isExhausted: Bool { script.limit.map { sent >= $0 } ?? false }

    /// - Parameter pause: nanoseconds between an answer and the next request.
    func begin(_ script: BenchScript, pause: UInt64) {
        self.script = script
        self.pause = pause
        (next, sent, notBefore, late) = (0, 0, 0, [])
        // Late answers of an earlier round.
        drain()
    }

    private func drain() {
        while read(descriptor, buffer, Self.answerSize) > 0 {}
        kept = 0
    }

    // MARK: Sending

    /// Sends as many requests as there is room for.
    func fill(_ now: UInt64) {
        guard now >= notBefore else { return }
        while sendBatch(now) == Self.batch {}
    }

    private func sendBatch(_ now: UInt64) -> Int {
        var count = 0
        while count < Self.batch, open.count < window, !isExhausted, script.count > 0 {
            let request = script.requests[next]
            vectors[count] = iovec(iov_base: .init(mutating: request.baseAddress), iov_len: request.count)
            open.append(Slot(request: next, sent: now))
            next = next + 1 < script.count ? next + 1 : 0
            sent += 1
            count += 1
        }
        guard count > 0 else { return 0 }
        let taken = write(count)
        takeBack(count - taken)
        return taken
    }

    /// - Returns: how many of the requests the system took.
    private func write(_ count: Int) -> Int {
        guard isStream else { return max(0, Int(cp_load_send(descriptor, vectors, Int32(count)))) }
        // A pipeline is far smaller than a socket's buffer: taken whole, or the connection is gone.
        let whole = (0..<count).reduce(0) { $0 + vectors[$1].iov_len }
        return writev(descriptor, vectors, Int32(count)) == whole ? count : 0
    }

    private func takeBack(_ count: Int) {
        guard count > 0 else { return }
        open.removeLast(count)
        sent -= count
        next = (next + script.count - count % script.count) % script.count
    }

    // MARK: Receiving

    /// Takes what is there into a round; what came after its end counts no more, unless it is wrong.
    func receive(_ now: UInt64, _ round: inout BenchRound, counts: Bool) {
        if isStream {
            receiveStream { settle($0, now, &round, counts) }
            return
        }
        var count = 0
        repeat {
            for index in 0..<Self.batch {
                vectors[index] = iovec(iov_base: buffer + index * Self.answerSize, iov_len: Self.answerSize)
            }
            count = Int(cp_load_receive(descriptor, vectors, Int32(min(Self.batch, max(1, open.count)))))
            for index in 0..<max(0, count) {
                let answer = UnsafeRawBufferPointer(start: vectors[index].iov_base, count: vectors[index].iov_len)
                settle(answer, now, &round, counts)
            }
        } while count == Self.batch
    }

    private func receiveStream(_ take: (UnsafeRawBufferPointer) -> Void) {
        let size = Self.batch * Self.answerSize
        let got = read(descriptor, buffer + kept, size - kept)
        guard got > 0 else { return }
        let end = kept + got
        var start = 0
        while start < end, let slot = open.first {
            let size = script.answerSize(slot.request)
            guard start + size <= end else { break }
            take(UnsafeRawBufferPointer(start: buffer + start, count: size))
            start += size
        }
        kept = end - start
        memmove(buffer, buffer + start, kept)
    }

    private func settle(
        _ answer: UnsafeRawBufferPointer, _ now: UInt64, _ round: inout BenchRound, _ counts: Bool
    ) {
        if let slot = open.firstIndex(where: { script.accepts(answer, for: $0.request) }) {
            notBefore = now + pause
            let sent = open.remove(at: slot).sent
            if counts { round.count((now - sent) / 1000) }
        } else if let slot = late.firstIndex(where: { script.accepts(answer, for: $0.request) }) {
            round.lost -= 1
            let sent = late.remove(at: slot).sent
            if counts { round.count((now - sent) / 1000) }
        } else {
            round.wrong += 1
            if !open.isEmpty { open.removeFirst() }
        }
    }

    /// Gives up what was sent before a moment. A connection loses nothing but all.
    func giveUp(sentBefore moment: UInt64, _ round: inout BenchRound) {
        guard !isStream || moment == .max else { return }
        let lost = open.prefix { $0.sent < moment }
        guard !lost.isEmpty else { return }
        late += lost
        round.lost += lost.count
        open.removeFirst(lost.count)
    }

    // MARK: One request

    /// Sends a request and waits for what comes back: at most three times two seconds.
    func ask(_ request: [UInt8]) -> [UInt8]? {
        for attempt in 0..<3 {
            drain()
            guard request.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) }) == request.count
            else { continue }
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 2000) == 1 else { continue }
            let count = read(descriptor, buffer, Self.answerSize)
            guard count > 0 else { continue }
            // The answers to earlier tries must not be taken for those to later requests.
            if attempt > 0 { _ = poll(nil, 0, 500) }
            return Array(UnsafeRawBufferPointer(start: buffer, count: count))
        }
        return nil
    }
}
