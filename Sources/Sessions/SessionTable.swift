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
/// - A probe is answered with as many octets as it has, and only if it comes from somebody who knows our ID, or from
///   the other side of a session; directly while we do not hide, or through a relay that we are registered at. Nothing is
///   kept of it but for sessions, whose finders bound what they keep.
final class SessionTable {
    struct Output {
        var datagrams: [Datagram] = []
        /// For whoever listens on this network.
        var lanProbes: [[UInt8]] = []
        var events: [SessionEvent] = []
    }

    let limits: SessionLimits
    private let identity: QuicIdentity
    private let mac: MAC1
    private let retrySecret: [UInt8]
    private let protocolName: String
    private(set) var sessions: [SessionID: Session] = [:]
    /// By the IDs that packets are sent to.
    private var connections: [ConnectionID: Session] = [:]
    /// By the IDs that clients chose for their first packets.
    private var firstConnections: [[UInt8]: Session] = [:]
    /// By what probes are called.
    private var probed: [UInt64: Session] = [:]
    /// Of probes of whoever knows our ID.
    private let probeKey: ProbeKey
    private var budget: ProbeBudget
    private var asked = AskedAddresses()
    private var welcomes = Welcomes()
    private let localPort: UInt16
    /// This machine's addresses at the one port.
    private var own: Set<Endpoint>
    /// Whom datagrams as of a relay are taken from.
    private var relays: Set<Endpoint> = []
    /// Whether peers are spoken to through relays alone.
    private var isHidden = false
    private var passages: Passages
    private var farewells = Farewells()
    /// Sessions with something to look after.
    private var touched: Set<SessionID> = []
    private var deadlines: [SessionID: Instant] = [:]
    private var nextIncoming: UInt64 = 1
    private var random: RandomSource
    private var output = Output()

    init(
        identity: Identity, localPort: UInt16, limits: SessionLimits = SessionLimits(),
        protocolName: String = QuicConnection.protocolName, random: RandomSource = .system
    ) {
        self.limits = limits
        self.protocolName = protocolName
        self.localPort = localPort
        self.random = random
        self.identity = QuicIdentity(identity)
        mac = MAC1(dialled: identity.key)
        probeKey = .dialled(identity.key.peer)
        budget = ProbeBudget(limits: limits.path)
        passages = Passages(limits.relay)
        own = SessionTable.endpoints([], localPort)
        var secrets = RandomSource.system
        retrySecret = secrets.octets(Int(CQ_TOKEN_SECRET_SIZE))
    }

    /// Where datagrams would come back to this very port.
    private static func endpoints(_ addresses: [Endpoint.Address], _ port: UInt16) -> Set<Endpoint> {
        let loopback: [Endpoint.Address] = [.v4(0x7F00_0001), .v6(0, 1)]
        return Set((addresses + loopback).map { Endpoint(address: $0, port: port) })
    }

    // MARK: In

    func perform(_ commands: [SessionCommand], now: Instant) {
        for command in commands {
            switch command {
            case .dial(let id, let key, let plan): dial(id, key, plan, now)
            case .offer(let id, let candidates, let sequence):
                with(id) { $0.finder.offer(allowed(candidates), sequence: sequence, now: now) }
            case .punch(let id, let delay): with(id) { $0.finder.punch(at: now + delay, now: now) }
            case .welcome(let key, let endpoints, let reference, let sequence):
                if !isHidden { welcomes.add(key, at: endpoints, reference: reference, sequence: sequence, now: now) }
            case .relays(let relays): self.relays = relays
            case .networkChanged(let addresses): changeNetwork(addresses, now)
            case .hide(let isHidden):
                self.isHidden = isHidden
                if isHidden {
                    welcomes.removeAll()
                    passages.closeAll()
                }
            case .send(let id, let frames): send(frames, id, now)
            case .consumed(let id, let bytes): with(id) { $0.consume(bytes) }
            case .probe(let id): with(id) { if $0.isUp { $0.quic.probe() } }
            case .pass(let channel, let one, let other):
                guard !isHidden, let one = passageEnd(one), let other = passageEnd(other) else { continue }
                passages.open(channel, between: one, and: other)
            case .stopPassing(let channel): passages.close(channel)
            case .close(let id, let code): with(id) { $0.close(code, now: now) }
            }
        }
    }

    /// Takes datagrams of sessions; others are none of its business.
    func receive(_ datagrams: some Sequence<Datagram>, now: Instant) {
        for datagram in datagrams {
            if let channel = RelayDatagram.channel(of: datagram.bytes.span), passages.contains(channel) {
                passOn(datagram, in: channel, now)
                continue
            }
            guard let (bytes, route) = Route.unwrap(datagram), isOpen(to: route) else { continue }
            switch bytes.first {
            case DatagramTag.session, DatagramTag.dial: takePacket(bytes, by: route, now)
            case DatagramTag.probe: takeProbe(bytes, by: route, now)
            default: continue
            }
        }
    }

    private func passageEnd(_ id: SessionID) -> Passages.End? {
        guard let session = sessions[id], session.isUp else { return nil }
        return session.quic.peerKey.map { Passages.End(session: id, contact: $0) }
    }

    /// From one session's other side to another's: none of our own business.
    private func passOn(_ datagram: Datagram, in channel: RelayChannel, _ now: Instant) {
        let onward = passages.pass(datagram, in: channel, now: now) { sessions[$0]?.finder }
        if let onward { output.datagrams.append(onward) }
    }

    /// Anybody can wrap what he sends as a relay does; it means something only where we have channels.
    private func isOpen(to route: Route) -> Bool { route.isRelayed ? relays.contains(route.endpoint) : !isHidden }

    /// The network says that nobody reads there, which anybody can make it say.
    func hint(unreachable endpoint: Endpoint, now: Instant) {
        for session in sessions.values
        where session.finder.attempts.contains(where: { $0.candidate.route.endpoint == endpoint }) {
            session.finder.unreachable(endpoint, now: now)
            touched.insert(session.id)
        }
    }

    /// Does what is due.
    func advance(to now: Instant) {
        farewells.expire(now: now)
        for (id, deadline) in deadlines where deadline <= now {
            guard let session = sessions[id] else { continue }
            touched.insert(id)
            do { try session.expire(now: now) } catch { fail(session, error, now) }
        }
    }

    private func changeNetwork(_ addresses: [Endpoint.Address], _ now: Instant) {
        own = SessionTable.endpoints(addresses, localPort)
        for session in sessions.values {
            session.finder.networkChanged(own: own, now: now)
            touched.insert(session.id)
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
        for datagram in welcomes.due(now: now, budget: &budget, random: &random) {
            ask(datagram.bytes, .direct(datagram.endpoint), now)
        }
        defer { output = Output() }
        return output
    }

    /// When `advance` is due; `nil` for never. Good after `takeOutput`.
    var deadline: Instant? {
        [deadlines.values.min(), farewells.deadline, welcomes.deadline].compactMap { $0 }.min()
    }

    /// Ends all sessions at once.
    func closeAll(_ code: SessionCloseCode, now: Instant) {
        for session in sessions.values { bidFarewell(session, code, .closedHere(code), now) }
    }

    private func post(_ bytes: [UInt8], _ route: Route) {
        if route.isRelayed || !isHidden { output.datagrams.append(route.datagram(bytes)) }
    }

    // MARK: Probes

    private func takeProbe(_ bytes: [UInt8], by route: Route, _ now: Instant) {
        guard route.endpoint.isUnicast, let claim = Probe.peek(bytes) else { return }
        let session = probed[claim.reference]
        switch claim.kind {
        case .ping:
            if let session, let ping = session.probes.ping(from: bytes) {
                return answer(ping, by: route, of: session, now) { session.probes.encoded($0) }
            }
            guard let ping = Probe(bytes, key: probeKey) else { return }
            answer(ping, by: route, of: session, now) { $0.encoded(probeKey) }
        case .pong:
            guard let session, let pong = session.probes.pong(from: bytes) else { return }
            touched.insert(session.id)
            session.take(pong, from: route, budget: &budget, now: now)
        }
    }

    /// To the very route that it came by, with as many octets.
    private func answer(
        _ ping: Probe, by route: Route, of session: Session?, _ now: Instant, _ encode: (Probe) -> [UInt8]?
    ) {
        var isUnasked = isUnasked(route, now)
        if let session {
            touched.insert(session.id)
            isUnasked = session.finder.pinged(from: route, wasAsked: !isUnasked, now: now)
        }
        let pong = Probe(
            .pong, reference: ping.reference, transaction: ping.transaction,
            observed: route.isRelayed ? nil : route.endpoint, wasUnasked: isUnasked)
        if let bytes = encode(pong) { post(bytes, route) }
    }

    private func isUnasked(_ route: Route, _ now: Instant) -> Bool {
        !route.isRelayed && !asked.contains(route.endpoint.address, now: now)
    }

    private func ask(_ bytes: [UInt8], _ route: Route, _ now: Instant) {
        if !route.isRelayed { asked.add(route.endpoint.address, now: now) }
        post(bytes, route)
    }

    private func send(_ ping: Ping, of session: Session, _ now: Instant) {
        guard let bytes = session.probes.ping(ping.transaction) else { return }
        switch ping.destination {
        case .route(let route):
            // A session's own finder knows what was sent where.
            if session.isUp { post(bytes, route) } else { ask(bytes, route, now) }
        case .lan: if !isHidden { output.lanProbes.append(bytes) }
        }
    }

    private func register(_ session: Session) {
        for reference in session.probes.references { probed[reference] = session }
    }

    // MARK: Dialling and accepting

    /// Those that may be used.
    private func allowed(_ candidates: [RemoteCandidate]) -> [RemoteCandidate] {
        candidates.filter { $0.route.isRelayed || !isHidden }
    }

    private func dial(_ id: SessionID, _ key: PeerKey, _ plan: DialPlan, _ now: Instant) {
        guard id.isDialled, sessions[id] == nil else { return }
        guard sessions.count < limits.sessions else {
            return output.events.append(.closed(id, .failed("too many sessions are open")))
        }
        guard
            let quic = QuicConnection(
                dial: key, identity: identity, limits: limits, now: now, protocolName: protocolName)
        else { return output.events.append(.closed(id, .failed("there is no memory for it"))) }
        var finder = PathFinder(own: own, limits: limits.path, random: random.split(), now: now)
        finder.offer(allowed(plan.candidates), sequence: plan.sequence, now: now)
        if plan.searchesLAN, !isHidden { finder.searchLAN(now: now) }
        add(
            Session(
                id, quic, finder: finder, probes: SessionProbes(dialled: key, reference: plan.reference),
                mac: MAC1(dialled: key), limits: limits, now: now))
    }

    private func takePacket(_ bytes: [UInt8], by route: Route, _ now: Instant) {
        let isDial = bytes.first == DatagramTag.dial
        guard !isDial || mac.isRight(bytes) else { return }
        let overhead = SessionDatagram.overhead(isDial ? mac : nil)
        bytes.withUnsafeBufferPointer { bytes in
            guard bytes.count > overhead else { return }
            take(UnsafeBufferPointer(rebasing: bytes[overhead...]), by: route, mayBegin: isDial, now)
        }
    }

    private func take(_ packet: UnsafeBufferPointer<UInt8>, by route: Route, mayBegin: Bool, _ now: Instant) {
        guard let header = PacketHeader(packet) else { return }
        let known =
            header.connection.flatMap { connections[$0] }
            ?? (header.isLong && mayBegin ? firstConnections[header.destination] : nil)
        if let known { return read(packet, known, by: route, now) }
        if let last = header.connection.flatMap({ farewells.answer(to: $0, now: now) }) {
            return output.datagrams.append(last)
        }
        if mayBegin, header.isLong { accept(packet, header, by: route, now) }
    }

    private func accept(
        _ packet: UnsafeBufferPointer<UInt8>, _ header: PacketHeader, by route: Route, _ now: Instant
    ) {
        guard cq_packet_is_first(packet.baseAddress, packet.count), route.endpoint.isUnicast else { return }
        let halfOpen = sessions.values.count { !$0.isUp && !$0.id.isDialled }
        guard sessions.count < limits.sessions, halfOpen < limits.halfOpen else { return }
        let answersRetry = isRetryAnswered(packet, route.endpoint, now)
        guard answersRetry || halfOpen < limits.halfOpenWithoutRetry else { return retry(packet, route, now) }
        guard
            let quic = QuicConnection(
                accept: packet, from: route.endpoint, retrySecret: answersRetry ? retrySecret : nil,
                identity: identity, limits: limits, now: now, protocolName: protocolName)
        else { return }
        let finder = PathFinder(
            own: own, accepted: route, cameUnasked: isUnasked(route, now), limits: limits.path, random: random.split(),
            now: now)
        let session = Session(
            SessionID(nextIncoming), quic, finder: finder, probes: SessionProbes(), mac: nil, limits: limits, now: now)
        nextIncoming += 2
        add(session)
        session.firstDestination = header.destination
        firstConnections[header.destination] = session
        read(packet, session, by: route, now)
        // It only looked like a first packet.
        if !session.wasAnswered { remove(session, .pathDied) }
    }

    private func isRetryAnswered(_ packet: UnsafeBufferPointer<UInt8>, _ source: Endpoint, _ now: Instant) -> Bool {
        var client = cq_address(source)
        let lifetime = limits.retryLifetime.nanoseconds
        return cq_retry_is_answered(
            packet.baseAddress, packet.count, &client, retrySecret, lifetime, now.nanoseconds)
    }

    private func retry(_ packet: UnsafeBufferPointer<UInt8>, _ route: Route, _ now: Instant) {
        var client = cq_address(route.endpoint)
        let answer = SessionDatagram.make(nil, capacity: Int(CQ_PACKET_SIZE)) { destination in
            cq_retry_write(
                destination.baseAddress, destination.count, packet.baseAddress, packet.count, &client, retrySecret,
                now.nanoseconds)
        }
        if let answer { post(answer, route) }
    }

    // MARK: One session

    private func add(_ session: Session) {
        sessions[session.id] = session
        touched.insert(session.id)
        register(session)
        connect(session.quic.id, to: session)
        session.quic.events.idAdded = { [unowned self, unowned session] in connect($0, to: session) }
        session.quic.events.idRemoved = { [unowned self, unowned session] id in
            session.connectionIDs.remove(id)
            connections[id] = nil
        }
    }

    private func connect(_ id: ConnectionID, to session: Session) {
        session.connectionIDs.insert(id)
        connections[id] = session
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
        _ packet: UnsafeBufferPointer<UInt8>, _ session: Session, by route: Route, _ now: Instant
    ) {
        touched.insert(session.id)
        do {
            try session.read(packet, from: route, now: now)
        } catch {
            fail(session, error, now)
        }
    }

    /// Brings a session up to date, then writes for it.
    private func attend(_ session: Session, _ now: Instant) {
        do throws(SessionFault) {
            if let up = try session.takeUp() {
                register(session)
                output.events.append(up)
            }
            if session.isUp, session.closing == nil {
                let frames = try session.takeFrames()
                if !frames.isEmpty { output.events.append(.frames(session.id, frames)) }
            }
        } catch {
            return bidFarewell(session, .protocolViolation, .protocolViolation(error.clause), now)
        }
        let pings = session.duePings(now: now, budget: &budget)
        output.events += session.takeRouteEvents(now: now)
        if let change = session.takeRoundTrip(now: now) { output.events.append(change) }
        if let closing = session.closing, session.hasFlushed(now: now) {
            return bidFarewell(session, closing.code, .closedHere(closing.code), now)
        }
        if let end = session.overdue(now: now) {
            return remove(session, session.closing.map { .closedHere($0.code) } ?? end)
        }
        do throws(QuicConnection.Failure) {
            try session.write(now: now) { post($0, $1) }
        } catch {
            return fail(session, error, now)
        }
        for ping in pings { send(ping, of: session, now) }
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
        if let last, session.wasAnswered {
            let routes = session.finder.routes
            for route in routes { post(last, route) }
            if let route = routes.first, route.isRelayed || !isHidden {
                farewells.add(session.connectionIDs, route.datagram(last), until: now + limits.linger)
            }
        }
        remove(session, end)
    }

    private func remove(_ session: Session, _ end: SessionEnd) {
        if session.isUp || session.id.isDialled {
            if let attempts = session.takeLastAttempts() { output.events.append(attempts) }
            output.events.append(.closed(session.id, end))
        }
        sessions[session.id] = nil
        passages.close(with: session.id)
        deadlines[session.id] = nil
        for id in session.connectionIDs { connections[id] = nil }
        for reference in session.probes.references where probed[reference] === session { probed[reference] = nil }
        if let first = session.firstDestination { firstConnections[first] = nil }
    }
}
