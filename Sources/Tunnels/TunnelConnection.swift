// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Model
internal import Network
internal import Reactor
internal import Wire

/// One end of a tunnel: TCP, TLS in it, datagrams in that. It lives on a loop's thread.
///
/// Whatever the other side does, it holds at most `TunnelLimits.buffered` octets to send and one datagram that has not
/// wholly come, and takes a bounded number of records a turn.
final class TunnelConnection {
    private enum Stage { case connecting, handshaking, open, closed }

    /// How long the other side may leave something unacknowledged: a connection that leads nowhere is found out within
    /// 15 s of being used.
    static let patience = Span.seconds(13)
    private static let recordsPerTurn = 4

    /// Both sides agree, and the key is the one that was pinned.
    var onOpen: () -> Void = {}
    /// At least one.
    var onDatagrams: ([[UInt8]]) -> Void = { _ in }
    /// It is over, for a reason of one clause. Once, and not after `close`.
    var onEnd: (String) -> Void = { _ in }

    /// When `expire` will end it, in nanoseconds of `PollExecutor.now()`.
    private(set) var deadline: UInt64
    /// Datagrams that `send` did not take.
    private(set) var dropped = 0
    /// Octets that wait to be sent.
    var waiting: Int { outgoing.count - sent }

    private let descriptor: Int32
    private let tls: TLSStream
    private let loop: PollExecutor
    private let limits: TunnelLimits
    private let isServer: Bool
    private let pin: [UInt8]?
    private var stage: Stage
    private var incoming = StreamFraming()
    private var outgoing: [UInt8] = []
    /// Octets of `outgoing` that TLS has taken.
    private var sent = 0
    /// Length of the record that TLS is in the middle of.
    private var unfinished: Int?
    /// Whether reading waits for the socket to take something first.
    private var readsWhenWritable = false

    /// The server's end of an accepted connection.
    convenience init(
        accepted descriptor: Int32, _ credentials: TLSCredentials, _ limits: TunnelLimits, _ loop: PollExecutor
    ) {
        TCP.tune(descriptor, patience: Self.patience)
        self.init(descriptor, credentials, isServer: true, pin: nil, limits, loop, stage: .handshaking)
    }

    /// The client's end of one that is being made.
    /// - Parameter pin: the key that the server must hold; `nil` for any.
    convenience init(
        connecting descriptor: Int32, pin: [UInt8]?, _ credentials: TLSCredentials, _ limits: TunnelLimits,
        _ loop: PollExecutor
    ) {
        self.init(descriptor, credentials, isServer: false, pin: pin, limits, loop, stage: .connecting)
        loop.watchWritable(descriptor, true)
    }

    private init(
        _ descriptor: Int32, _ credentials: TLSCredentials, isServer: Bool, pin: [UInt8]?, _ limits: TunnelLimits,
        _ loop: PollExecutor, stage: Stage
    ) {
        self.descriptor = descriptor
        self.isServer = isServer
        self.pin = pin
        self.limits = limits
        self.loop = loop
        self.stage = stage
        tls = TLSStream(descriptor, credentials: credentials, isServer: isServer)
        deadline = PollExecutor.now() &+ limits.handshake.nanoseconds
        loop.watch(descriptor) { [weak self] in self?.ready($0) }
    }

    deinit { if stage != .closed { Glibc.close(descriptor) } }

    // MARK: Use

    /// Takes a datagram to send at the next `flush`; drops it, and counts that, if it is none of ours or too much
    /// waits.
    func send(_ datagram: [UInt8]) {
        guard stage == .open, let frame = StreamFraming.frame(datagram),
            waiting + frame.count <= limits.buffered
        else {
            dropped += 1
            return
        }
        outgoing += frame
    }

    /// Sends what the socket takes; the rest follows by itself.
    func flush() {
        guard stage == .open else { return }
        while sent < outgoing.count {
            let count = unfinished ?? min(TLSStream.record, outgoing.count - sent)
            switch tls.write(outgoing.span.extracting(sent..<sent + count)) {
            case .done(let written):
                sent += min(written, count)
                unfinished = nil
            case .wantsWrite, .wantsRead:
                unfinished = count
                compact()
                return loop.watchWritable(descriptor, true)
            case .ended: return end("the other side closed the connection")
            case .failed(let reason): return end(reason)
            }
        }
        compact()
        loop.watchWritable(descriptor, readsWhenWritable)
    }

    /// Ends it if its time is over.
    func expire(now: UInt64) {
        guard deadline <= now else { return }
        end(stage == .open ? "nothing came for \(limits.idle.wholeSeconds) s" : "connection timed out")
    }

    /// Closes at once, without `onEnd`.
    func close() {
        guard stage != .closed else { return }
        if stage == .open { tls.finish() }
        stage = .closed
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
        outgoing = []
    }

    // MARK: What the socket says

    private func end(_ reason: String) {
        guard stage != .closed else { return }
        close()
        onEnd(reason)
    }

    private func ready(_ readiness: Readiness) {
        switch stage {
        case .connecting:
            if !readiness.isDisjoint(with: [.writable, .error, .hangup]) { connected() }
        case .handshaking: shakeHands()
        case .open:
            if readiness.contains(.writable) { flush() }
            if readsWhenWritable || !readiness.isDisjoint(with: [.readable, .error, .hangup]) { read() }
        case .closed: break
        }
    }

    private func connected() {
        if let error = TCP.error(of: descriptor) { return end(error.description) }
        TCP.tune(descriptor, patience: Self.patience)
        stage = .handshaking
        shakeHands()
    }

    private func shakeHands() {
        switch tls.handshake() {
        case .done: agreed()
        case .wantsRead: loop.watchWritable(descriptor, false)
        case .wantsWrite: loop.watchWritable(descriptor, true)
        case .ended: end("the other side closed the connection")
        case .failed(let reason): end(reason)
        }
    }

    private func agreed() {
        if !isServer {
            guard let key = tls.peerKey else { return end("the server showed no key of its own") }
            guard pin == nil || pin == key else { return end("the server holds another key than the one you pinned") }
        }
        stage = .open
        prolong()
        loop.watchWritable(descriptor, false)
        onOpen()
    }

    /// A server forgets who is silent; a client's index link notices by itself when nothing is answered.
    private func prolong() { deadline = isServer ? PollExecutor.now() &+ limits.idle.nanoseconds : .max }

    private func read() {
        guard stage == .open else { return }
        readsWhenWritable = false
        var datagrams: [[UInt8]] = []
        let reason = take(&datagrams)
        if !datagrams.isEmpty {
            // Whole datagrams count: who sends an octet now and then is as good as silent.
            prolong()
            onDatagrams(datagrams)
        }
        if let reason { end(reason) }
    }

    /// Takes so many records and what datagrams they complete.
    /// - Returns: why it is over, if it is.
    private func take(_ datagrams: inout [[UInt8]]) -> String? {
        for _ in 0..<Self.recordsPerTurn {
            let outcome = tls.read { incoming.append($0) }
            do throws(StreamFraming.Fault) {
                while let datagram = try incoming.next() { datagrams.append(datagram) }
            } catch { return "the other side sent what is no datagram" }
            switch outcome {
            case .done: continue
            case .wantsRead: return nil
            case .wantsWrite:
                readsWhenWritable = true
                loop.watchWritable(descriptor, true)
                return nil
            case .ended: return "the other side closed the connection"
            case .failed(let reason): return reason
            }
        }
        return nil
    }

    private func compact() {
        guard sent > 0 else { return }
        if sent == outgoing.count {
            outgoing.removeAll(keepingCapacity: outgoing.capacity <= TLSStream.record)
        } else {
            outgoing.removeFirst(sent)
        }
        sent = 0
    }
}
