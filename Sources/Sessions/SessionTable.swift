// SPDX-License-Identifier: GPL-3.0-or-later
internal import CQuic
internal import Identity
internal import Model
internal import PeerEngine
internal import Traversal
internal import Wire

/// All sessions of one port: packets, commands and the time in; packets, events and the next deadline out. It waits for
/// nothing and reads no clock. Not for two threads at a time.
///
/// What a stranger costs:
/// - A datagram without the right `mac1` that leads to no session is dropped without an answer, whatever it holds.
/// - With it, up to `halfOpen` handshakes may be open, for as long as `handshake`; from `halfOpenWithoutRetry` on a
///   source must first prove that it receives what is sent to it. QUIC itself answers at most three times as many bytes
///   as came, until then (RFC 9000, §8.1).
/// - An incoming session is spoken of only once it is up.
final class SessionTable {
    struct Output {
        var datagrams: [Datagram] = []
        var events: [SessionEvent] = []
    }

    let limits: SessionLimits
    private let identity: QuicIdentity
    private let mac: MAC1
    private let retrySecret: [UInt8]
    private let protocolName: String
    private(set) var sessions: [SessionID: Session] = [:]
    private var routes: [ConnectionID: Session] = [:]
    /// By the IDs that clients chose for their first packets.
    private var firstRoutes: [[UInt8]: Session] = [:]
    private var farewells = Farewells()
    /// Sessions with something to look after.
    private var touched: Set<SessionID> = []
    private var deadlines: [SessionID: Instant] = [:]
    private var nextIncoming: UInt64 = 1
    private var output = Output()

    init(
        identity: Identity, limits: SessionLimits = SessionLimits(),
        protocolName: String = QuicConnection.protocolName
    ) {
        self.limits = limits
        self.protocolName = protocolName
        self.identity = QuicIdentity(identity)
        mac = MAC1(dialled: identity.key)
        var random = RandomSource.system
        retrySecret = random.octets(Int(CQ_TOKEN_SECRET_SIZE))
    }

    // MARK: In

    func perform(_ commands: [SessionCommand], now: Instant) {
        for command in commands {
            switch command {
            case .dial(let id, let key, let plan): dial(id, key, plan.candidates.map(\.route.endpoint), now)
            case .offer, .punch, .welcome, .networkChanged, .hide: break
            case .send(let id, let frames): send(frames, id, now)
            case .consumed(let id, let bytes): with(id) { $0.consume(bytes) }
            case .probe(let id): with(id) { if $0.isUp { $0.quic.probe() } }
            case .close(let id, let code): with(id) { $0.close(code, now: now) }
            }
        }
    }

    /// Takes datagrams of sessions; others are none of its business.
    func receive(_ datagrams: some Sequence<Datagram>, now: Instant) {
        for datagram in datagrams {
            let isDial = datagram.bytes.first == SessionDatagram.dialTag
            guard isDial || datagram.bytes.first == SessionDatagram.plainTag else { continue }
            guard !isDial || mac.isRight(datagram.bytes) else { continue }
            let overhead = SessionDatagram.overhead(isDial ? mac : nil)
            datagram.bytes.withUnsafeBufferPointer { bytes in
                guard bytes.count > overhead else { return }
                let packet = UnsafeBufferPointer(rebasing: bytes[overhead...])
                take(packet, from: datagram.endpoint, mayBegin: isDial, now: now)
            }
        }
    }

    /// The network says that nobody reads there, which anybody can make it say.
    func hint(unreachable endpoint: Endpoint, now: Instant) {
        for session in sessions.values where session.path.deadline != nil {
            session.path.hint(unreachable: endpoint, now: now)
            touched.insert(session.id)
        }
    }

    /// Does what is due.
    func advance(to now: Instant) {
        farewells.expire(now: now)
        for (id, deadline) in deadlines where deadline <= now {
            guard let session = sessions[id] else { continue }
            touched.insert(id)
            guard let expiry = session.quic.expiry, expiry <= now else { continue }
            do { try session.quic.expire(now: now) } catch { fail(session, error, now) }
        }
    }

    // MARK: Out

    /// Everything that is to be sent and told by now.
    func takeOutput(now: Instant) -> Output {
        for id in touched {
            guard let session = sessions[id] else { continue }
            attend(session, now)
            deadlines[id] = sessions[id] == nil ? nil : session.deadline
        }
        touched.removeAll(keepingCapacity: true)
        defer { output = Output() }
        return output
    }

    /// When `advance` is due; `nil` for never. Good after `takeOutput`.
    var deadline: Instant? { [deadlines.values.min(), farewells.deadline].compactMap { $0 }.min() }

    /// Ends all sessions at once.
    func closeAll(_ code: SessionCloseCode, now: Instant) {
        for session in sessions.values { bidFarewell(session, code, .closedHere(code), now) }
    }

    // MARK: Dialling and accepting

    private func dial(_ id: SessionID, _ key: PeerKey, _ endpoints: [Endpoint], _ now: Instant) {
        guard id.isDialled, sessions[id] == nil else { return }
        guard sessions.count < limits.sessions else {
            return output.events.append(.closed(id, .failed("too many sessions are open")))
        }
        guard let path = Path(dialled: endpoints, limits: limits, now: now) else {
            return output.events.append(.closed(id, .noAnswer))
        }
        guard
            let quic = QuicConnection(
                dial: key, identity: identity, limits: limits, now: now, protocolName: protocolName)
        else { return output.events.append(.closed(id, .failed("there is no memory for it"))) }
        add(Session(id, quic, path: path, mac: MAC1(dialled: key), limits: limits, now: now))
    }

    private func take(
        _ packet: UnsafeBufferPointer<UInt8>, from source: Endpoint, mayBegin: Bool, now: Instant
    ) {
        guard let header = PacketHeader(packet) else { return }
        let known =
            header.connection.flatMap { routes[$0] }
            ?? (header.isLong && mayBegin ? firstRoutes[header.destination] : nil)
        if let known { return read(packet, known, from: source, now) }
        if let last = header.connection.flatMap({ farewells.answer(to: $0, now: now) }) {
            return output.datagrams.append(last)
        }
        if mayBegin, header.isLong { accept(packet, header, from: source, now) }
    }

    private func accept(
        _ packet: UnsafeBufferPointer<UInt8>, _ header: PacketHeader, from source: Endpoint, _ now: Instant
    ) {
        guard cq_packet_is_first(packet.baseAddress, packet.count), source.isUnicast else { return }
        let halfOpen = sessions.values.count { !$0.isUp && !$0.id.isDialled }
        guard sessions.count < limits.sessions, halfOpen < limits.halfOpen else { return }
        let answersRetry = isRetryAnswered(packet, source, now)
        guard answersRetry || halfOpen < limits.halfOpenWithoutRetry else { return retry(packet, source, now) }
        guard
            let quic = QuicConnection(
                accept: packet, from: source, retrySecret: answersRetry ? retrySecret : nil, identity: identity,
                limits: limits, now: now, protocolName: protocolName)
        else { return }
        let session = Session(
            SessionID(nextIncoming), quic, path: Path(accepted: source), mac: nil, limits: limits, now: now)
        nextIncoming += 2
        add(session)
        session.firstDestination = header.destination
        firstRoutes[header.destination] = session
        read(packet, session, from: source, now)
        // It only looked like a first packet.
        if !session.wasAnswered { remove(session, .pathDied) }
    }

    private func isRetryAnswered(_ packet: UnsafeBufferPointer<UInt8>, _ source: Endpoint, _ now: Instant) -> Bool {
        var client = cq_address(source)
        let lifetime = limits.retryLifetime.nanoseconds
        return cq_retry_is_answered(
            packet.baseAddress, packet.count, &client, retrySecret, lifetime, now.nanoseconds)
    }

    private func retry(_ packet: UnsafeBufferPointer<UInt8>, _ source: Endpoint, _ now: Instant) {
        var client = cq_address(source)
        let answer = SessionDatagram.make(nil, capacity: Int(CQ_PACKET_SIZE)) { destination in
            cq_retry_write(
                destination.baseAddress, destination.count, packet.baseAddress, packet.count, &client, retrySecret,
                now.nanoseconds)
        }
        if let answer { output.datagrams.append(Datagram(answer, source)) }
    }

    // MARK: One session

    private func add(_ session: Session) {
        sessions[session.id] = session
        touched.insert(session.id)
        route(session.quic.id, to: session)
        session.quic.events.idAdded = { [unowned self, unowned session] in route($0, to: session) }
        session.quic.events.idRemoved = { [unowned self, unowned session] id in
            session.routes.remove(id)
            routes[id] = nil
        }
    }

    private func route(_ id: ConnectionID, to session: Session) {
        session.routes.insert(id)
        routes[id] = session
    }

    private func with(_ id: SessionID, _ body: (Session) -> Void) {
        guard let session = sessions[id], session.closing == nil else { return }
        touched.insert(id)
        body(session)
    }

    private func send(_ frames: [[UInt8]], _ id: SessionID, _ now: Instant) {
        with(id) { session in
            guard session.isUp, let reason = session.send(frames) else { return }
            bidFarewell(session, .done, .failed(reason), now)
        }
    }

    private func read(
        _ packet: UnsafeBufferPointer<UInt8>, _ session: Session, from source: Endpoint, _ now: Instant
    ) {
        touched.insert(session.id)
        do {
            try session.read(packet, from: source, now: now)
        } catch {
            fail(session, error, now)
        }
    }

    /// Brings a session up to date, then writes for it.
    private func attend(_ session: Session, _ now: Instant) {
        do throws(SessionFault) {
            if let up = try session.takeUp() { output.events.append(up) }
            if session.isUp, session.closing == nil {
                let frames = try session.takeFrames()
                if !frames.isEmpty { output.events.append(.frames(session.id, frames)) }
            }
        } catch {
            return bidFarewell(session, .protocolViolation, .protocolViolation(error.clause), now)
        }
        if let change = session.takeRoundTrip(now: now) { output.events.append(change) }
        if let closing = session.closing, session.hasFlushed(now: now) {
            return bidFarewell(session, closing.code, .closedHere(closing.code), now)
        }
        if let end = session.overdue(now: now) {
            return remove(session, session.closing.map { .closedHere($0.code) } ?? end)
        }
        do throws(QuicConnection.Failure) {
            try session.write(now: now) { output.datagrams.append($0) }
        } catch {
            fail(session, error, now)
        }
    }

    // MARK: Ends

    private func fail(_ session: Session, _ failure: QuicConnection.Failure, _ now: Instant) {
        if session.isUp, session.closing == nil, let frames = try? session.takeFrames(), !frames.isEmpty {
            // What came before the end came.
            output.events.append(.frames(session.id, frames))
        }
        let last = session.quic.farewell(failure, now: now, mac: session.currentMAC)
        part(session, last, session.closing.map { .closedHere($0.code) } ?? failure.end, now)
    }

    private func bidFarewell(_ session: Session, _ code: SessionCloseCode, _ end: SessionEnd, _ now: Instant) {
        let last = session.quic.farewell(code, now: now, mac: session.currentMAC)
        part(session, last, end, now)
    }

    private func part(_ session: Session, _ last: [UInt8]?, _ end: SessionEnd, _ now: Instant) {
        if let last, session.wasAnswered, let endpoint = session.path.chosen {
            let datagram = Datagram(last, endpoint)
            output.datagrams.append(datagram)
            farewells.add(session.routes, datagram, until: now + limits.linger)
        }
        remove(session, end)
    }

    private func remove(_ session: Session, _ end: SessionEnd) {
        if session.isUp || session.id.isDialled { output.events.append(.closed(session.id, end)) }
        sessions[session.id] = nil
        deadlines[session.id] = nil
        for id in session.routes { routes[id] = nil }
        if let first = session.firstDestination { firstRoutes[first] = nil }
    }
}
