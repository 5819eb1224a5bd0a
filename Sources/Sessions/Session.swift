// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import PeerEngine
internal import Traversal
internal import Wire

/// One session of a `SessionTable`.
final class Session {
    let id: SessionID
    let quic: QuicConnection
    let started: Instant
    /// What our packets are marked with until the other side is known.
    private let mac: MAC1?
    private let limits: SessionLimits
    var path: Path
    /// IDs that lead packets here.
    var routes: Set<ConnectionID> = []
    /// The ID that the client chose for its first packets.
    var firstDestination: [UInt8]?
    /// Whether `up` was told.
    private(set) var isUp = false
    /// We are about to close it.
    private(set) var closing: (code: SessionCloseCode, by: Instant)?
    /// Packets of a dial that an address which is tried later gets first.
    private var opening: [[UInt8]] = []
    private var reader = FrameReader()
    private var unconsumed = UnconsumedFrames()
    private var violation: String?
    private var told: (roundTrip: Span, at: Instant)?
    private var heard: UInt64 = 0

    init(_ id: SessionID, _ quic: QuicConnection, path: Path, mac: MAC1?, limits: SessionLimits, now: Instant) {
        self.id = id
        self.quic = quic
        self.path = path
        self.mac = mac
        self.limits = limits
        started = now
        quic.events.data = { [unowned self] in take($1, of: $0, isLast: $2) }
        quic.events.streamClosed = { [unowned self] in lose($0) }
    }

    // MARK: Packets

    /// - Throws: when it was the session's last one.
    func read(
        _ packet: UnsafeBufferPointer<UInt8>, from source: Endpoint, now: Instant
    ) throws(QuicConnection.Failure) {
        try quic.read(packet, now: now)
        guard quic.progress != heard else { return }
        heard = quic.progress
        path.heard(from: source)
    }

    /// Writes what there is to say.
    func write(now: Instant, _ emit: (Datagram) -> Void) throws(QuicConnection.Failure) {
        if let next = path.start(now: now) { opening.forEach { emit(Datagram($0, next)) } }
        try quic.write(now: now, mac: currentMAC) { bytes in
            if path.chosen == nil, opening.count < Session.openingPackets { opening.append(bytes) }
            send(bytes, emit)
        }
        if path.chosen != nil { opening = [] }
    }

    /// To every address that may be the right one.
    func send(_ bytes: [UInt8], _ emit: (Datagram) -> Void) {
        for destination in path.destinations { emit(Datagram(bytes, destination)) }
    }

    private static let openingPackets = 1

    /// Needed until the other side has confirmed the handshake, which is when it knows us by our connection ID.
    var currentMAC: MAC1? { quic.isConfirmed ? nil : mac }

    // MARK: Frames

    private func take(_ bytes: UnsafeBufferPointer<UInt8>, of stream: Int64, isLast: Bool) {
        if stream != QuicConnection.chatStream {
            violation = violation ?? "it wrote to a stream that is not in use"
        } else if isLast {
            violation = violation ?? "it ended the stream of frames"
        } else {
            reader.append(bytes)
        }
    }

    private func lose(_ stream: Int64) {
        if stream == QuicConnection.chatStream { violation = violation ?? "it ended the stream of frames" }
    }

    /// The frames that may be handed on now.
    /// - Throws: the end of the session, when the other side sent what can't be.
    func takeFrames() throws(SessionFault) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        if let violation { throw SessionFault(violation) }
        while unconsumed.bytes < limits.window, unconsumed.count < limits.frames {
            switch reader.next() {
            case .frame(let frame):
                unconsumed.add(frame.count)
                frames.append(frame)
            case .incomplete: return frames
            case .invalid: throw SessionFault("a frame of its has an impossible length")
            }
        }
        return frames
    }

    func consume(_ bytes: Int) {
        quic.consume(unconsumed.consume(bytes), on: QuicConnection.chatStream)
    }

    /// Queues frames.
    /// - Returns: why it can't.
    func send(_ frames: [[UInt8]]) -> String? {
        for frame in frames {
            guard let header = FrameReader.header(of: frame) else { return "a frame has an impossible length" }
            guard quic.buffered + frame.count <= limits.buffered else { return "too much waits to be delivered" }
            guard quic.send(header, on: QuicConnection.chatStream), quic.send(frame, on: QuicConnection.chatStream)
            else { return "the stream of frames is over" }
        }
        return nil
    }

    // MARK: States

    /// The event that tells that it is up, once.
    /// - Throws: when it can't be.
    func takeUp() throws(SessionFault) -> SessionEvent? {
        guard !isUp, quic.isConfirmed else { return nil }
        guard let key = quic.peerKey, let binding = quic.binding, let endpoint = path.chosen else {
            throw SessionFault("its key is none")
        }
        if id.isDialled, quic.openStream() != QuicConnection.chatStream {
            throw SessionFault("it allows no stream of frames")
        }
        isUp = true
        return .up(id, key: key, at: .direct(endpoint), binding: binding)
    }

    /// The round trip, when it has changed by a quarter and a millisecond, at most once a second.
    func takeRoundTrip(now: Instant) -> SessionEvent? {
        guard isUp, let roundTrip = quic.roundTrip else { return nil }
        if let told {
            let (old, new) = (told.roundTrip.nanoseconds, roundTrip.nanoseconds)
            let change = old > new ? old - new : new - old
            guard change > max(old / 4, 1_000_000), now.since(told.at) >= .seconds(1) else { return nil }
        }
        told = (roundTrip, now)
        return .roundTrip(id, roundTrip)
    }

    func close(_ code: SessionCloseCode, now: Instant) {
        if closing == nil { closing = (code, now + limits.flush) }
    }

    /// Whether a closing session has nothing left to deliver, or no time left to.
    func hasFlushed(now: Instant) -> Bool {
        guard let closing else { return false }
        return !isUp || quic.buffered == 0 || closing.by <= now
    }

    /// The end that time has brought.
    func overdue(now: Instant) -> SessionEnd? {
        if let patience, patience.until <= now { return patience.end }
        return nil
    }

    private var patience: (until: Instant, end: SessionEnd)? {
        if isUp { return quic.unansweredSince.map { ($0 + limits.silence, .pathDied) } }
        if id.isDialled, heard == 0 { return (started + limits.firstAnswer, .noAnswer) }
        return (started + limits.handshake, .pathDied)
    }

    /// When something is to be done here even if nothing comes.
    var deadline: Instant? {
        [quic.expiry, patience?.until, path.deadline, closing?.by].compactMap { $0 }.min()
    }

    /// Whether the other side has shown that it is there.
    var wasAnswered: Bool { heard > 0 }
}

/// What the other side did that ends a session, as one clause.
struct SessionFault: Error {
    let clause: String
    init(_ clause: String) { self.clause = clause }
}
