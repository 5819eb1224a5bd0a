// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
public import Model
internal import Wire

/// What is known of an index server.
public enum IndexStatus: Equatable, Sendable {
    /// Not heard from yet.
    case connecting
    /// Registered there; the round trip of the last exchange.
    case ok(Span)
    /// It is the server that has us registered by this other name, and answers.
    case sameServer(as: String)
    /// No answer, or an answer that is none; the reason is one clause.
    case unreachable(String)
    /// It answers as the seed does: it knows no identities and gave us a name of its own.
    case noIdentities(assigned: PeerID)
}

/// Keeps one registration at one index server: asks for it, proves the address, keeps it alive, comes back after either
/// side was gone; by UDP, or where none comes through by a tunnel. Pure: datagrams and time in, datagrams and status out.
struct IndexLink {
    enum Action: Equatable {
        case send([UInt8])
        /// Past the tunnel, to the server or to its second port.
        case sendByUDP([UInt8], to: Endpoint)
        case status(IndexStatus)
        /// A record with this sequence left; a later one must be larger.
        case signed(sequence: UInt64)
        case tunnel(TunnelCommand)
        /// It has us registered, and did not a moment ago or otherwise.
        case registered
        /// Something new is known of how we are seen.
        case sighted
        /// UDP comes through again.
        case returnedToUDP
    }

    /// What our record says besides where this server sees us.
    struct Publication: Equatable {
        var mapped: Endpoint?
        /// Servers that pass on what comes for us; this one need not be among them.
        var relays: [Endpoint] = []
        /// Where other servers see us.
        var seen: [Endpoint] = []
        /// Whether no address of ours is told.
        var hidesAddress = false
    }

    /// Relays that one record names at most.
    static let relayLimit = 4

    /// Names of a seed's server that are remembered: friends may still write to an older one.
    static let nameLimit = 8

    let server: Endpoint
    /// The server as the user wrote it.
    let name: String
    private(set) var status = IndexStatus.connecting
    /// The names that a server of the seed's kind gave us, the newest last.
    private(set) var assigned: [PeerID] = []
    /// Whether this server answers as the seed does, without nonces.
    private(set) var isSeed = false
    private let identity: Identity
    /// What the server has to prove; `nil` when the user pinned none.
    private let pinned: PeerKey?
    /// Whether somebody waits for what UDP may bring while there is a tunnel.
    var isWanted = false
    /// Where this server sees us by UDP, and at its second port.
    private(set) var sighting: Endpoint?
    private(set) var secondSighting: Endpoint?
    /// What it does beyond registrations.
    private(set) var offers = ServerOffers()
    /// What it promised; `nil` while we don't count as registered.
    private(set) var lease: IndexReply.Lease?
    private var publication = Publication()
    /// What the last record said, and when it was signed.
    private var signed: (candidates: [Candidate], at: Instant)?
    private var way = Way.udp
    /// Why there is no tunnel.
    private var tunnelFault: String?
    /// The last question whether UDP comes through.
    private var check: (nonce: String, at: Instant)?
    private var second: SecondQuestion?
    /// Failed attempts in a row: the pauses between them grow.
    private var failures = 0
    private var lastStart = Instant(nanoseconds: 0)
    /// What was wrong with the latest answer as such.
    private var fault: String?
    /// What we say about ourselves until the server tells what it sees.
    private var address: Endpoint
    private var phase: Phase
    private var exchange: Exchange?
    private var random: RandomSource

    private enum Phase {
        case pause(until: Instant)
        case registering(cookie: [UInt8]?)
        case registered(IndexReply.Lease, since: Instant, nextKeepalive: Instant)
        /// A keepalive is under way.
        case checking(IndexReply.Lease, since: Instant)
        /// Registered with a server of the seed's kind, which has no leases.
        case named(PeerID, nextCheck: Instant)
        /// Asks for our own name: a seed's server that was restarted does not know it.
        case checkingName(PeerID)
    }

    /// How datagrams get to the server.
    private enum Way: Equatable {
        case udp
        /// A tunnel was asked for; UDP is tried on.
        case opening
        case tunnel
        /// UDP has answered: the registration goes back there before the tunnel is closed.
        case returning
    }

    /// To the second port: where do you see me?
    private struct SecondQuestion {
        var nonce: String
        var endpoint: Endpoint
        var tries = 0
        var due: Instant
    }

    /// One request and its repetitions.
    private struct Exchange {
        var request: [UInt8]
        /// `nil` for a request of the seed's, whose answers carry none.
        var nonce: String?
        var sentAt: Instant
        var repeats = 0
        var repeatAt: Instant
        /// What the network said meanwhile.
        var failure = "no answer"
        /// When it is time for a tunnel; `nil` when one was asked for.
        var tunnelAt: Instant?
    }

    init(
        server: Endpoint, name: String? = nil, pinned: PeerKey? = nil, identity: Identity, address: Endpoint,
        now: Instant, random: RandomSource
    ) {
        self.server = server
        self.name = name ?? "\(server)"
        self.pinned = pinned
        self.identity = identity
        self.address = address
        self.random = random
        phase = .pause(until: now)
    }

    /// Whether the server is reached by a tunnel alone.
    var isTunnelled: Bool { way == .tunnel || way == .returning }
    /// The server's second port, if it has one.
    var secondEndpoint: Endpoint? { offers.secondPort.map { Endpoint(address: server.address, port: $0) } }

    /// When `advance` has something to do.
    var deadline: Instant {
        [mainDeadline, exchange?.tunnelAt, second?.due, checkDeadline].compactMap { $0 }.min() ?? mainDeadline
    }

    private var mainDeadline: Instant {
        if let exchange { return exchange.repeatAt }
        switch phase {
        case .pause(let until): return until
        case .registered(_, _, let next), .named(_, let next): return next
        case .registering, .checking, .checkingName: return Instant(nanoseconds: .max)
        }
    }

    private var checkDeadline: Instant? {
        guard way == .tunnel, let check else { return nil }
        return check.at + (isWanted ? Timing.wantedCheck : Timing.idleCheck)
    }

    /// Does what is due.
    /// - Parameter sequence: of the last record of this identity, at whichever server.
    mutating func advance(now: Instant, wall: WallTime, sequence: inout UInt64) -> [Action] {
        askBeside(now: now) + advanceRegistration(now: now, wall: wall, &sequence)
    }

    /// What goes on beside the registration: tunnels, and questions where we are seen.
    private mutating func askBeside(now: Instant) -> [Action] {
        var actions: [Action] = []
        if let due = exchange?.tunnelAt, due <= now { actions += askForTunnel() }
        if let due = checkDeadline, due <= now { actions.append(askUDP(now: now)) }
        if var question = second, question.due <= now {
            actions.append(.sendByUDP(IndexRequest.seen(nonce: question.nonce).encoded(), to: question.endpoint))
            question.due = now + Timing.retransmission[min(question.tries, Timing.retransmission.count - 1)]
            question.tries += 1
            second = question.tries < Timing.retransmission.count ? question : nil
        }
        return actions
    }

    private mutating func advanceRegistration(
        now: Instant, wall: WallTime, _ sequence: inout UInt64
    ) -> [Action] {
        guard now >= mainDeadline else { return [] }
        if exchange != nil { return repeatExchange(now: now) }
        switch phase {
        case .pause:
            // A server that was only silent still knows the name; a new one for each silence would fill its table.
            if isSeed, let name = assigned.last { return check(name, now: now) }
            return register(cookie: nil, now: now, wall: wall, &sequence)
        case .registered(let lease, let since, _):
            guard now.since(since) < Timing.recordRefresh, !isStale else {
                return register(cookie: nil, now: now, wall: wall, &sequence)
            }
            phase = .checking(lease, since: since)
            let nonce = newNonce()
            let keepalive = IndexRequest.Keepalive(
                peer: identity.peer, token: lease.token, nonce: nonce, wantsProof: pinned != nil)
            return start(.keepalive(keepalive), nonce, now: now)
        case .named(let name, _): return check(name, now: now)
        case .registering, .checking, .checkingName: return []
        }
    }

    /// Reads what came from this server. Of a pinned one, an answer that does not prove the pinned key says nothing but
    /// that: it is read as a failure, whose reason lookups tell too.
    /// - Returns: `nil` for what is no answer of an index server.
    mutating func read(_ bytes: [UInt8]) -> (reply: IndexReply, nonce: String?)? {
        guard let answer = try? IndexAnswer(parsing: bytes) else {
            fault = "sent something that is no answer"
            return nil
        }
        // Nobody proves these: what they lead to is checked by other means.
        switch answer.reply {
        case .seen, .calling, .absent: return (answer.reply, answer.nonce)
        default: fault = pinned.flatMap { answer.fault(pinned: $0) }
        }
        return (fault.map { .failed(reason: $0) } ?? answer.reply, answer.nonce)
    }

    /// This server as lookups ask it.
    var asked: Lookup.Server {
        Lookup.Server(endpoint: server, name: name, isPinned: pinned != nil, fault: fault)
    }

    /// Takes an answer from this server; one that belongs to no request of ours is ignored.
    mutating func receive(
        _ reply: IndexReply, nonce: String?, now: Instant, wall: WallTime, sequence: inout UInt64
    ) -> [Action] {
        if case .seen(let seen) = reply { return udpAnswered(seen, nonce, now: now, wall: wall, &sequence) }
        guard let exchange else { return [] }
        // A hint, since anybody can answer without proof: the request's repetitions go on.
        if let fault {
            guard nonce == nil || nonce == exchange.nonce else { return [] }
            self.exchange?.failure = fault
            return report(.unreachable(fault))
        }
        switch (phase, reply) {
        // The seed's servers echo no nonce, and give a name of their own.
        case (.registering, .registered(let name, nil)) where nonce == nil:
            return settle(as: name, now: now)
        case (.checkingName(let name), .answer(let address, let text, _)) where PeerID(text) == name:
            if address != nil { return settle(as: name, now: now) }
            return register(cookie: nil, now: now, wall: wall, &sequence)
        default:
            guard let nonce, nonce == exchange.nonce else { return [] }
            // Sooner than the tunnel was open.
            let closing = closeUnneededTunnel()
            return closing + receive(reply, roundTrip: now.since(exchange.sentAt), now: now, wall: wall, &sequence)
        }
    }

    private mutating func receive(
        _ reply: IndexReply, roundTrip: Span, now: Instant, wall: WallTime, _ sequence: inout UInt64
    ) -> [Action] {
        switch (phase, reply) {
        case (.registering(let cookie), .cookie(let proof, let seen, let offers)):
            // A second challenge in a row means that our proof was refused: wait instead of spinning.
            if cookie != nil { return fail("it refused our proof of address", now: now) }
            noteSeen(at: seen)
            if lease == nil { self.offers = offers }
            return register(cookie: proof, now: now, wall: wall, &sequence)
        case (.registering, .registered(let uuid, let lease?)) where uuid == identity.peer:
            isSeed = false
            offers = lease.offers
            noteSeen(at: lease.seen)
            askSecondPort(now: now)
            return settle(lease, since: now, roundTrip, now: now) + [.registered]
        case (.registering, .failed(let reason)):
            // A clock that was ahead once has left a sequence that nobody takes; our clock may as well be behind, so only
            // a refusal starts it over.
            if sequence > UInt64(clamping: wall.milliseconds + PeerRecord.skewLimit) { sequence = 0 }
            return fail("it refused our registration (\(reason))", now: now)
        case (.checking(let lease, let since), .alive(let boot, _)) where boot == lease.boot:
            return settle(lease, since: since, roundTrip, now: now)
        case (.checking, .unknown(_, let spread)):
            exchange = nil
            lease = nil
            let limit = max(0, min(spread, Timing.spreadLimit))
            phase = .pause(until: now + .milliseconds(Int.random(in: 0...limit * 1000, using: &random)))
            return []
        case (.checking, .moved(_, let seen)):
            noteSeen(at: seen)
            return register(cookie: nil, now: now, wall: wall, &sequence)
        case (.checking, _):
            return register(cookie: nil, now: now, wall: wall, &sequence)
        default:
            return []
        }
    }

    /// The network says that nobody reads there. A hint: the request's repetitions go on.
    mutating func unreachable() -> [Action] {
        guard exchange != nil else { return [] }
        exchange?.failure = "nobody listens there"
        return report(.unreachable(withTunnel("nobody listens there")))
    }

    // MARK: From outside

    /// Another record is to be had here, if this one says something else than the last.
    mutating func publish(_ new: Publication, now: Instant) {
        publication = new
        guard case .registered(let lease, let since, let next) = phase, isStale else { return }
        phase = .registered(lease, since: since, nextKeepalive: min(next, soonestRecord(now)))
    }

    /// Somebody waits for what this server may say: a pause ends.
    mutating func hurry(now: Instant) {
        guard case .pause(let until) = phase, exchange == nil else { return }
        phase = .pause(until: min(until, max(now, lastStart + Timing.hurry)))
    }

    /// The network changed or this machine slept: whether we are registered is asked at once.
    mutating func verify(now: Instant) {
        failures = 0
        if way == .tunnel, let nonce = check?.nonce { check = (nonce, Instant(nanoseconds: 0)) }
        if exchange != nil {
            exchange?.repeats = 0
            exchange?.repeatAt = now
            return
        }
        switch phase {
        case .pause: phase = .pause(until: now)
        case .registered(let lease, let since, _): phase = .registered(lease, since: since, nextKeepalive: now)
        case .named(let name, _): phase = .named(name, nextCheck: now)
        case .registering, .checking, .checkingName: break
        }
    }

    /// It said that it does not know us, or knows us elsewhere, in answer to something else than a keepalive.
    mutating func disown(now: Instant, seen: Endpoint?) {
        guard lease != nil else { return }
        // Nobody is called there until it has us registered again.
        lease = nil
        guard exchange == nil else { return }
        if let seen { noteSeen(at: seen) }
        phase = .pause(until: now)
    }

    // MARK: Tunnels

    mutating func tunnelOpened(now: Instant, wall: WallTime, sequence: inout UInt64) -> [Action] {
        guard way == .opening else { return way == .udp ? [.tunnel(.close(server))] : [] }
        way = .tunnel
        tunnelFault = nil
        failures = 0
        second = nil
        secondSighting = nil
        sighting = nil
        exchange = nil
        check = (newNonce(), now)
        return register(cookie: nil, now: now, wall: wall, &sequence) + [.sighted]
    }

    mutating func tunnelClosed(_ reason: String, now: Instant) -> [Action] {
        switch way {
        case .udp: return []
        case .opening:
            way = .udp
            tunnelFault = reason
            guard exchange == nil, case .unreachable(let said) = status, case .pause = phase else { return [] }
            return report(.unreachable(withTunnel(said)))
        case .tunnel, .returning:
            way = .udp
            return fail("the TLS connection ended: \(reason)", now: now) + [.sighted]
        }
    }

    private mutating func askForTunnel() -> [Action] {
        exchange?.tunnelAt = nil
        guard way == .udp, !isSeed else { return [] }
        way = .opening
        return [.tunnel(.open(server, key: pinned?.octets))]
    }

    private mutating func closeUnneededTunnel() -> [Action] {
        exchange?.tunnelAt = nil
        guard way == .opening else { return [] }
        way = .udp
        return [.tunnel(.close(server))]
    }

    private mutating func askUDP(now: Instant) -> Action {
        let nonce = newNonce()
        check = (nonce, now)
        return .sendByUDP(IndexRequest.seen(nonce: nonce).encoded(), to: server)
    }

    /// UDP comes through: the registration goes back to it.
    private mutating func udpAnswered(
        _ seen: Endpoint, _ nonce: String?, now: Instant, wall: WallTime, _ sequence: inout UInt64
    ) -> [Action] {
        guard way == .tunnel, let nonce, nonce == check?.nonce else { return [] }
        way = .returning
        noteSeen(at: seen)
        exchange = nil
        return register(cookie: nil, now: now, wall: wall, &sequence)
    }

    /// Both reasons in one clause.
    private func withTunnel(_ reason: String) -> String {
        guard let tunnelFault, !reason.contains(tunnelFault) else { return reason }
        return "\(reason) by UDP, and none by TLS: \(tunnelFault)"
    }

    // MARK: Where we are seen

    /// What a server sees through a tunnel is no address of ours.
    private mutating func noteSeen(at seen: Endpoint) {
        guard way != .tunnel else { return }
        address = seen
        sighting = seen
    }

    private mutating func askSecondPort(now: Instant) {
        second = nil
        guard way != .tunnel, let endpoint = secondEndpoint else { return secondSighting = nil }
        second = SecondQuestion(nonce: newNonce(), endpoint: endpoint, due: now)
    }

    /// Reads what came from the second port.
    mutating func receiveFromSecondPort(_ bytes: [UInt8]) -> [Action] {
        guard let answer = try? IndexAnswer(parsing: bytes), case .seen(let seen) = answer.reply,
            let nonce = answer.nonce, nonce == second?.nonce
        else { return [] }
        second = nil
        secondSighting = seen
        return [.sighted]
    }

    // MARK: Requests

    private var hidesAddress: Bool { publication.hidesAddress || way == .tunnel }

    private var candidates: [Candidate] {
        let others = publication.relays.filter { $0 != server }
        let relays = ((offers.relays ? [server] : []) + others).prefix(IndexLink.relayLimit)
        let relayed = relays.map { Candidate(.relayed, $0) }
        guard !hidesAddress else { return relayed }
        let mapped = publication.mapped.flatMap { $0 == address ? nil : Candidate(.mapped, $0) }
        // What this server sees is of one family; the other one may have no router in the way.
        let other = publication.seen.first { $0.isV6 != address.isV6 && !$0.isLoopback }
        let reflexive = ([address] + (other.map { [$0] } ?? [])).map { Candidate(.reflexive, $0) }
        return (mapped.map { [$0] } ?? []) + reflexive + relayed
    }

    private var isStale: Bool { signed.map { $0.candidates != candidates } ?? false }
    /// A server that promises one thing and then another is not asked without end.
    private func soonestRecord(_ now: Instant) -> Instant { max(now, (signed?.at ?? now) + Timing.recordPause) }

    private mutating func register(
        cookie: [UInt8]?, now: Instant, wall: WallTime, _ sequence: inout UInt64
    ) -> [Action] {
        sequence = PeerRecord.nextSequence(after: sequence, now: wall)
        signed = (candidates, now)
        let binding = hidesAddress ? cookie.map { PeerRecord.binding(to: $0) } : nil
        let record = PeerRecord(key: identity.key, sequence: sequence, candidates: candidates, binding: binding)
        guard let octets = try? record.signed(by: identity) else {
            return fail("this machine could not sign a record", now: now)
        }
        phase = .registering(cookie: cookie)
        let nonce = newNonce()
        let signed = IndexRequest.Signed(peer: identity.peer, record: octets, cookie: cookie)
        let registration = IndexRequest.Registration(
            address: address, signed: signed, nonce: nonce, wantsProof: pinned != nil)
        return [.signed(sequence: sequence)] + start(.registration(registration), nonce, now: now)
    }

    /// Asks a seed's server for the name that it gave us.
    private mutating func check(_ name: PeerID, now: Instant) -> [Action] {
        phase = .checkingName(name)
        return start(.query(.init(text: "\(name)")), nil, now: now)
    }

    private mutating func newNonce() -> String { Base64URL.encode(random.octets(8)) }

    private mutating func start(_ request: IndexRequest, _ nonce: String?, now: Instant) -> [Action] {
        let bytes = request.encoded()
        lastStart = now
        exchange = Exchange(request: bytes, nonce: nonce, sentAt: now, repeatAt: now + Timing.retransmission[0])
        if case .registering = phase, way == .udp { exchange?.tunnelAt = now + Timing.tunnel }
        return [leaving(bytes)]
    }

    private func leaving(_ bytes: [UInt8]) -> Action {
        way == .returning ? .sendByUDP(bytes, to: server) : .send(bytes)
    }

    private mutating func repeatExchange(now: Instant) -> [Action] {
        guard var current = exchange else { return [] }
        current.repeats += 1
        guard current.repeats <= repeatLimit else { return fail(current.failure, now: now) }
        current.repeatAt = now + Timing.retransmission[min(current.repeats, Timing.retransmission.count - 1)]
        exchange = current
        // So that it is known by the end whether there is another way.
        let asking = if case .checking = phase, current.repeats == repeatLimit { askForTunnel() } else { [Action]() }
        return [leaving(current.request)] + asking
    }

    private var repeatLimit: Int {
        switch phase {
        case .checking, .checkingName: Timing.keepaliveRepeats
        default: Timing.retransmission.count - 1
        }
    }

    // MARK: Ends of an exchange

    private mutating func settle(
        _ lease: IndexReply.Lease, since: Instant, _ roundTrip: Span, now: Instant
    ) -> [Action] {
        exchange = nil
        failures = 0
        tunnelFault = nil
        self.lease = lease
        let next = now + jittered(Timing.keepalive)
        phase = .registered(lease, since: since, nextKeepalive: isStale ? soonestRecord(now) : next)
        let told = report(.ok(roundTrip))
        guard way == .returning else { return told }
        way = .udp
        return told + [.tunnel(.close(server)), .returnedToUDP]
    }

    /// The seed's server gives no lease, so it is asked for our name as often as another one gets a keepalive.
    private mutating func settle(as name: PeerID, now: Instant) -> [Action] {
        exchange = nil
        failures = 0
        isSeed = true
        if assigned.last != name { assigned = assigned.suffix(IndexLink.nameLimit - 1) + [name] }
        phase = .named(name, nextCheck: now + jittered(Timing.keepalive))
        return report(.noIdentities(assigned: name))
    }

    private mutating func fail(_ reason: String, now: Instant) -> [Action] {
        exchange = nil
        // UDP answered one question and then no more: the tunnel still stands.
        if way == .returning {
            way = .tunnel
            phase = .pause(until: now)
            return []
        }
        lease = nil
        let doubled = Timing.retry.nanoseconds << UInt64(min(failures, 10))
        phase = .pause(until: now + jittered(Span(nanoseconds: min(doubled, Timing.retryLimit.nanoseconds))))
        failures += 1
        return report(.unreachable(withTunnel(reason)))
    }

    private mutating func report(_ new: IndexStatus) -> [Action] {
        // The round trip changes each time; the state is what is told.
        let isSame = if case (.ok, .ok) = (status, new) { true } else { status == new }
        status = new
        return isSame ? [] : [.status(new)]
    }

    /// Less up to a fifth, so that peers that started together do not stay together.
    private mutating func jittered(_ span: Span) -> Span {
        Span(nanoseconds: span.nanoseconds - UInt64.random(in: 0...span.nanoseconds / 5, using: &random))
    }
}

extension IndexAnswer {
    /// Why it does not show that the server holds a key; `nil` when it does. One clause without a subject.
    fileprivate func fault(pinned key: PeerKey) -> String? {
        let unproven = "answered without proving the key that you pinned"
        guard let proof else { return unproven + ", for it proves no key" }
        guard proof.key == key.octets else { return unproven + ", but another one" }
        guard let nonce, key.verifies(proof.signature, over: reply.statement(nonce: nonce)) else { return unproven }
        return nil
    }
}
