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
    /// No answer, or an answer that is none; the reason is one clause.
    case unreachable(String)
    /// It answers as the seed does: it knows no identities and gave us a name of its own.
    case noIdentities(assigned: PeerID)
}

/// Keeps one registration at one index server: asks for it, proves the address, keeps it alive, comes back after either
/// side was gone. Pure: datagrams and time in, datagrams and status out.
struct IndexLink {
    enum Action: Equatable {
        case send([UInt8])
        case status(IndexStatus)
        /// A record with this sequence left; a later one must be larger.
        case signed(sequence: UInt64)
    }

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

    /// When `advance` has something to do.
    var deadline: Instant {
        if let exchange { return exchange.repeatAt }
        switch phase {
        case .pause(let until): return until
        case .registered(_, _, let next), .named(_, let next): return next
        case .registering, .checking, .checkingName: return Instant(nanoseconds: .max)
        }
    }

    /// Does what is due.
    /// - Parameter sequence: of the last record of this identity, at whichever server.
    mutating func advance(now: Instant, wall: WallTime, sequence: inout UInt64) -> [Action] {
        guard now >= deadline else { return [] }
        if exchange != nil { return repeatExchange(now: now) }
        switch phase {
        case .pause:
            // A server that was only silent still knows the name; a new one for each silence would fill its table.
            if isSeed, let name = assigned.last { return check(name, now: now) }
            return register(cookie: nil, now: now, wall: wall, &sequence)
        case .registered(let lease, let since, _):
            guard now.since(since) < Timing.recordRefresh else {
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
        fault = pinned.flatMap { answer.fault(pinned: $0) }
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
            return receive(reply, roundTrip: now.since(exchange.sentAt), now: now, wall: wall, &sequence)
        }
    }

    private mutating func receive(
        _ reply: IndexReply, roundTrip: Span, now: Instant, wall: WallTime, _ sequence: inout UInt64
    ) -> [Action] {
        switch (phase, reply) {
        case (.registering(let cookie), .cookie(let proof, let seen, _)):
            // A second challenge in a row means that our proof was refused: wait instead of spinning.
            if cookie != nil { return fail("it refused our proof of address", now: now) }
            address = seen
            return register(cookie: proof, now: now, wall: wall, &sequence)
        case (.registering, .registered(let uuid, let lease?)) where uuid == identity.peer:
            isSeed = false
            return settle(lease, since: now, roundTrip, now: now)
        case (.registering, .failed(let reason)):
            // A clock that was ahead once has left a sequence that nobody takes; our clock may as well be behind, so only
            // a refusal starts it over.
            if sequence > UInt64(clamping: wall.milliseconds + PeerRecord.skewLimit) { sequence = 0 }
            return fail("it refused our registration (\(reason))", now: now)
        case (.checking(let lease, let since), .alive(let boot, _)) where boot == lease.boot:
            return settle(lease, since: since, roundTrip, now: now)
        case (.checking, .unknown(_, let spread)):
            exchange = nil
            let limit = max(0, min(spread, Timing.spreadLimit))
            phase = .pause(until: now + .milliseconds(Int.random(in: 0...limit * 1000, using: &random)))
            return []
        case (.checking, .moved(_, let seen)):
            address = seen
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
        return report(.unreachable("nobody listens there"))
    }

    // MARK: Requests

    private mutating func register(
        cookie: [UInt8]?, now: Instant, wall: WallTime, _ sequence: inout UInt64
    ) -> [Action] {
        sequence = PeerRecord.nextSequence(after: sequence, now: wall)
        let record = PeerRecord(key: identity.key, sequence: sequence, candidates: [Candidate(.reflexive, address)])
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
        exchange = Exchange(request: bytes, nonce: nonce, sentAt: now, repeatAt: now + Timing.retransmission[0])
        return [.send(bytes)]
    }

    private mutating func repeatExchange(now: Instant) -> [Action] {
        guard var current = exchange else { return [] }
        current.repeats += 1
        guard current.repeats <= repeatLimit else { return fail(current.failure, now: now) }
        current.repeatAt = now + Timing.retransmission[min(current.repeats, Timing.retransmission.count - 1)]
        exchange = current
        return [.send(current.request)]
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
        phase = .registered(lease, since: since, nextKeepalive: now + jittered(Timing.keepalive))
        return report(.ok(roundTrip))
    }

    /// The seed's server gives no lease, so it is asked for our name as often as another one gets a keepalive.
    private mutating func settle(as name: PeerID, now: Instant) -> [Action] {
        exchange = nil
        isSeed = true
        if assigned.last != name { assigned = assigned.suffix(IndexLink.nameLimit - 1) + [name] }
        phase = .named(name, nextCheck: now + jittered(Timing.keepalive))
        return report(.noIdentities(assigned: name))
    }

    private mutating func fail(_ reason: String, now: Instant) -> [Action] {
        exchange = nil
        phase = .pause(until: now + jittered(Timing.retry))
        return report(.unreachable(reason))
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
