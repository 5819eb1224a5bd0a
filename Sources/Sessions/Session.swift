// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import PeerEngine
internal import Traversal
internal import Wire

/// One session of a `SessionTable`.
///
/// QUIC itself knows one constant path. Which routes its packets take is the finder's choice: none before one answered
/// an authentic probe, two while the best one is in doubt. Packets that come by other routes are read, for they are
/// authentic too, but draw nothing there: whoever can copy a packet must not be able to draw the session to itself.
final class Session {
    let id: SessionID
    let quic: QuicConnection
    let started: Instant
    var finder: PathFinder
    private(set) var probes: SessionProbes
    /// What our packets are marked with until the other side is known.
    private let mac: MAC1?
    private let limits: SessionLimits
    /// IDs that lead packets here.
    var connectionIDs: Set<ConnectionID> = []
    /// The ID that the client chose for its first packets.
    var firstDestination: [UInt8]?
    /// Whether `up` was told.
    private(set) var isUp = false
    /// We are about to close it.
    private(set) var closing: (code: SessionCloseCode, by: Instant)?
    /// The first packets of a dial, and the routes that got them: one that joins before the first answer gets them too.
    private var opening: [[UInt8]] = []
    private var opened: Set<Route> = []
    private var reader = FrameReader()
    private var unconsumed = UnconsumedFrames()
    /// Bytes of frames that may be handed on and wait.
    private lazy var window = limits.window
    private var violation: String?
    private var heard: UInt64 = 0
    /// By which the last authentic packet with something new came.
    private var lastRoute: Route?
    /// Where the other side sees us.
    private var seen: Endpoint?
    private var told = Told()
    private var meter = RoundTripMeter()
    /// When attempts that changed may be told.
    private var attemptsDue: Instant?
    /// When what waits for an acknowledgement was last sent again because a route had answered.
    private var hurried: Instant?
    private var isToHurry = false

    /// What was told last.
    private struct Told {
        var roundTrip: (span: Span, at: Instant)?
        var path: PathReport?
        var attempts: (all: [PathAttempt], at: Instant)?
        var observed: Endpoint?
        var doubt = false
    }

    init(
        _ id: SessionID, _ quic: QuicConnection, finder: PathFinder, probes: SessionProbes, mac: MAC1?,
        limits: SessionLimits, now: Instant
    ) {
        self.id = id
        self.quic = quic
        self.finder = finder
        self.probes = probes
        self.mac = mac
        self.limits = limits
        started = now
        quic.events.data = { [unowned self] in take($1, of: $0, isLast: $2) }
        quic.events.streamClosed = { [unowned self] in lose($0) }
    }

    // MARK: Packets

    /// - Throws: when it was the session's last one.
    func read(
        _ packet: UnsafeBufferPointer<UInt8>, from route: Route, now: Instant
    ) throws(QuicConnection.Failure) {
        try quic.read(packet, now: now)
        guard quic.progress != heard else { return }
        heard = quic.progress
        meter.take(quic.roundTrip)
        lastRoute = route
        finder.heard(from: route, now: now)
    }

    /// Whether QUIC has begun: a dial waits for a route, so that no timer of its runs before.
    private var hasBegun: Bool { !id.isDialled || !opened.isEmpty }

    func expire(now: Instant) throws(QuicConnection.Failure) {
        if hasBegun, let expiry = quic.expiry, expiry <= now { try quic.expire(now: now) }
    }

    /// Writes what there is to say.
    func write(now: Instant, _ emit: (_ bytes: [UInt8], Route) -> Void) throws(QuicConnection.Failure) {
        let routes = finder.routes
        if id.isDialled, heard == 0 {
            for route in routes where opened.insert(route).inserted { opening.forEach { emit($0, route) } }
        } else {
            opening = []
        }
        guard hasBegun else { return }
        var wrote = false
        func writeAll() throws(QuicConnection.Failure) {
            try quic.write(now: now, mac: currentMAC) { bytes in
                wrote = true
                if id.isDialled, heard == 0, opening.count < Session.openingPackets { opening.append(bytes) }
                for route in routes { emit(bytes, route) }
            }
        }
        try writeAll()
        guard isToHurry else { return }
        isToHurry = false
        wrote = false
        for _ in 0..<Session.timersBeforeResending where !wrote {
            try quic.hurry(now: now)
            try writeAll()
        }
    }

    private static let openingPackets = 1
    /// The pause between packets, a delayed acknowledgement and the one that is meant.
    private static let timersBeforeResending = 3

    /// Needed until the other side has confirmed the handshake, which is when it knows us by our connection ID.
    var currentMAC: MAC1? { quic.isConfirmed ? nil : mac }

    // MARK: Routes

    /// An answer to a probe came.
    func take(_ pong: Probe, from route: Route, budget: inout ProbeBudget, now: Instant) {
        guard finder.ponged(pong.transaction, from: route, wasUnasked: pong.wasUnasked, now: now) == .proof else {
            return
        }
        if case .direct(let endpoint) = route {
            budget.answered(endpoint)
            seen = pong.observed ?? seen
        }
        // The route works, so what was lost on it or on another one need not wait for its timer.
        if isUp, finder.routes.contains(route), let since = quic.unansweredSince {
            let patience = max(Session.shortestPatience, Span(nanoseconds: (meter.value ?? .zero).nanoseconds * 2))
            if now.since(since) > patience, now.since(hurried ?? started) > patience { hurry(now) }
        }
    }

    private static let shortestPatience = Span.milliseconds(50)

    private func hurry(_ now: Instant) {
        hurried = now
        isToHurry = true
    }

    /// Lets the finder know what QUIC knows.
    /// - Returns: the probes that are due.
    func duePings(now: Instant, budget: inout ProbeBudget) -> [Ping] {
        guard probes.areKeyed else { return [] }
        finder.awaits(since: hasBegun ? quic.unansweredSince : nil, now: now)
        return finder.duePings(now: now, budget: &budget)
    }

    /// What changed about routes, as far as it is time to tell it.
    func takeRouteEvents(now: Instant) -> [SessionEvent] {
        var events: [SessionEvent] = []
        if isUp {
            if finder.isInDoubt, !told.doubt { events.append(.doubt(id)) }
            told.doubt = finder.isInDoubt
            let (old, new) = (told.path, finder.report)
            if old?.route != new?.route || old?.kind != new?.kind {
                told.path = new
                events.append(.path(id, new))
                if old?.route != new?.route {
                    meter.restart(new?.roundTrip)
                    told.roundTrip = new?.roundTrip.map { ($0, now) }
                }
                if new != nil, quic.unansweredSince != nil { hurry(now) }
            }
            if let seen, seen != told.observed {
                told.observed = seen
                events.append(.observed(id, seen))
            }
        }
        let attempts = finder.attempts
        attemptsDue = nil
        guard isUp || id.isDialled, attempts != told.attempts?.all ?? [] else { return events }
        if let told = told.attempts, now < told.at + limits.attempts {
            attemptsDue = told.at + limits.attempts
            return events
        }
        told.attempts = (attempts, now)
        return events + [.attempts(id, attempts)]
    }

    /// What became of each way, if that was not told yet: for the end.
    func takeLastAttempts() -> SessionEvent? {
        let attempts = finder.attempts
        return attempts == told.attempts?.all ?? [] ? nil : .attempts(id, attempts)
    }

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
        while unconsumed.bytes < window, unconsumed.count < limits.frames {
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

    /// Lets as much wait as a contact may send.
    func widen() {
        guard window < limits.contactWindow else { return }
        quic.consume(limits.contactWindow - window, on: QuicConnection.chatStream)
        window = limits.contactWindow
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
        guard let key = quic.peerKey, let binding = quic.binding, let route = lastRoute else {
            throw SessionFault("its key is none")
        }
        if id.isDialled, quic.openStream() != QuicConnection.chatStream {
            throw SessionFault("it allows no stream of frames")
        }
        isUp = true
        probes.up(binding: binding, isClient: id.isDialled)
        return .up(id, key: key, at: route, binding: binding)
    }

    /// The round trip, when it has changed by a quarter and a millisecond, at most once a second.
    func takeRoundTrip(now: Instant) -> SessionEvent? {
        guard isUp, let roundTrip = meter.value else { return nil }
        if let told = told.roundTrip {
            let (old, new) = (told.span.nanoseconds, roundTrip.nanoseconds)
            let change = old > new ? old - new : new - old
            guard change > max(old / 4, 1_000_000), now.since(told.at) >= .seconds(1) else { return nil }
        }
        told.roundTrip = (roundTrip, now)
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
        [
            hasBegun ? quic.expiry : nil, probes.areKeyed ? finder.deadline : nil, patience?.until, attemptsDue,
            closing?.by,
        ].compactMap { $0 }.min()
    }

    /// Whether the other side has shown that it is there.
    var wasAnswered: Bool { heard > 0 }
}

/// What the other side did that ends a session, as one clause.
struct SessionFault: Error {
    let clause: String
    init(_ clause: String) { self.clause = clause }
}
