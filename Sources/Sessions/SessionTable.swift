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
///   the other side of a session; directly while we do not hide, or through a relay that we are registered at. Nothing
///   is kept of it but for sessions, whose finders bound what they keep.
final class SessionTable {
    struct Output {
        var datagrams: [Datagram] = []
        /// For whoever listens on this network.
        var lanProbes: [[UInt8]] = []
        var events: [SessionEvent] = []
    }

    let limits: SessionLimits
    // What is not private is for the extensions in the files beside this one alone.
    let identity: QuicIdentity
    let mac: MAC1
    let retrySecret: [UInt8]
    let protocolName: String
    var sessions: [SessionID: Session] = [:]
    /// By the IDs that packets are sent to.
    var connections: [ConnectionID: Session] = [:]
    /// By the IDs that clients chose for their first packets.
    var firstConnections: [[UInt8]: Session] = [:]
    /// By what probes are called.
    var probed: [UInt64: Session] = [:]
    /// Of probes of whoever knows our ID.
    let probeKey: ProbeKey
    var budget: ProbeBudget
    var asked = AskedAddresses()
    private var welcomes = Welcomes()
    private let localPort: UInt16
    /// This machine's addresses at the one port.
    var own: Set<Endpoint>
    /// Whom datagrams as of a relay are taken from.
    private var relays: Set<Endpoint> = []
    /// Whether peers are spoken to through relays alone.
    var isHidden = false
    var passages: Passages
    var farewells = Farewells()
    /// Sessions with something to look after.
    var touched: Set<SessionID> = []
    var deadlines: [SessionID: Instant] = [:]
    var nextIncoming: UInt64 = 1
    var random: RandomSource
    var output = Output()

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
            case .widen(let id): with(id) { $0.widen() }
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

    func post(_ bytes: [UInt8], _ route: Route) {
        if route.isRelayed || !isHidden { output.datagrams.append(route.datagram(bytes)) }
    }
}
