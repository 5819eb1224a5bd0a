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

    let server: Endpoint
    private(set) var status = IndexStatus.connecting
    private let identity: Identity
    /// What we say about ourselves until the server tells what it sees.
    private var address: Endpoint
    private var phase: Phase
    private var exchange: Exchange?
    private var lastSequence: UInt64
    private var random: RandomSource

    private enum Phase {
        /// Registers at this moment.
        case pause(until: Instant, cookie: [UInt8]?)
        case registering(cookie: [UInt8]?)
        case registered(IndexReply.Lease, since: Instant, nextKeepalive: Instant)
        case checking(IndexReply.Lease, since: Instant)
    }

    /// One request and its repetitions.
    private struct Exchange {
        var request: [UInt8]
        var nonce: String
        var sentAt: Instant
        var repeats = 0
        var repeatAt: Instant
    }

    init(
        server: Endpoint, identity: Identity, address: Endpoint, lastSequence: UInt64, now: Instant, random: RandomSource
    ) {
        self.server = server
        self.identity = identity
        self.address = address
        self.lastSequence = lastSequence
        self.random = random
        phase = .pause(until: now, cookie: nil)
    }

    /// When `advance` has something to do.
    var deadline: Instant {
        if let exchange { return exchange.repeatAt }
        switch phase {
        case .pause(let until, _): return until
        case .registered(_, _, let next): return next
        case .registering, .checking: return Instant(nanoseconds: .max)
        }
    }

    mutating func advance(now: Instant, wall: WallTime) -> [Action] {
        guard now >= deadline else { return [] }
        if exchange != nil { return repeatExchange(now: now) }
        switch phase {
        case .pause(_, let cookie): return register(cookie: cookie, now: now, wall: wall)
        case .registered(let lease, let since, _):
            if now.since(since) >= Timing.recordRefresh { return register(cookie: nil, now: now, wall: wall) }
            phase = .checking(lease, since: since)
            let nonce = newNonce()
            return start(.keepalive(.init(peer: identity.peer, token: lease.token, nonce: nonce)), nonce, now: now)
        case .registering, .checking: return []
        }
    }

    /// Takes an answer from this server; one that belongs to no request of ours is ignored.
    mutating func receive(_ reply: IndexReply, nonce: String?, now: Instant, wall: WallTime) -> [Action] {
        guard let exchange else { return [] }
        // The seed's servers echo no nonce, and give a name of their own.
        if case .registered(let uuid, nil) = reply, nonce == nil, case .registering = phase {
            return settleAtSeed(uuid, now: now)
        }
        guard nonce == exchange.nonce else { return [] }
        let roundTrip = now.since(exchange.sentAt)
        switch (phase, reply) {
        case (.registering(let cookie), .cookie(let proof, let seen)):
            // A second challenge in a row means that our proof was refused: wait instead of spinning.
            if cookie != nil { return fail("it refused our proof of address", now: now) }
            address = seen
            return register(cookie: proof, now: now, wall: wall)
        case (.registering, .registered(let uuid, let lease?)) where uuid == identity.peer:
            self.exchange = nil
            phase = .registered(lease, since: now, nextKeepalive: now + jittered(Timing.keepalive))
            return report(.ok(roundTrip))
        case (.registering, .failed(let reason)):
            return fail("it refused our registration (\(reason))", now: now)
        case (.checking(let lease, let since), .alive(let boot, _)) where boot == lease.boot:
            self.exchange = nil
            phase = .registered(lease, since: since, nextKeepalive: now + jittered(Timing.keepalive))
            return report(.ok(roundTrip))
        case (.checking, .unknown(_, let spread)):
            self.exchange = nil
            let pause = Span.milliseconds(Int.random(in: 0...max(0, min(spread, 60)) * 1000, using: &random))
            phase = .pause(until: now + pause, cookie: nil)
            return []
        case (.checking, .moved(_, let seen)):
            address = seen
            return register(cookie: nil, now: now, wall: wall)
        case (.checking, _):
            return register(cookie: nil, now: now, wall: wall)
        default:
            return []
        }
    }

    /// The network says that nobody reads there. A hint: the request's repetitions go on.
    mutating func unreachable(now: Instant) -> [Action] {
        guard exchange != nil else { return [] }
        return report(.unreachable("nobody listens there"))
    }

    private mutating func register(cookie: [UInt8]?, now: Instant, wall: WallTime) -> [Action] {
        lastSequence = PeerRecord.nextSequence(after: lastSequence, now: wall)
        let record = PeerRecord(
            key: identity.key, sequence: lastSequence, candidates: [Candidate(.reflexive, address)])
        guard let octets = try? record.signed(by: identity) else {
            return fail("this machine could not sign a record", now: now)
        }
        phase = .registering(cookie: cookie)
        let nonce = newNonce()
        let signed = IndexRequest.Signed(peer: identity.peer, record: octets, cookie: cookie)
        let registration = IndexRequest.Registration(address: address, signed: signed, nonce: nonce)
        return [.signed(sequence: lastSequence)] + start(.registration(registration), nonce, now: now)
    }

    private mutating func newNonce() -> String { Base64URL.encode(random.octets(8)) }

    private mutating func start(_ request: IndexRequest, _ nonce: String, now: Instant) -> [Action] {
        let bytes = request.encoded()
        exchange = Exchange(request: bytes, nonce: nonce, sentAt: now, repeatAt: now + Timing.retransmission[0])
        return [.send(bytes)]
    }

    private mutating func repeatExchange(now: Instant) -> [Action] {
        guard var current = exchange else { return [] }
        current.repeats += 1
        let limit = if case .checking = phase { Timing.keepaliveRepeats } else { Timing.retransmission.count - 1 }
        guard current.repeats <= limit else { return fail("no answer", now: now) }
        current.repeatAt = now + Timing.retransmission[min(current.repeats, Timing.retransmission.count - 1)]
        exchange = current
        return [.send(current.request)]
    }

    private mutating func fail(_ reason: String, now: Instant) -> [Action] {
        exchange = nil
        phase = .pause(until: now + jittered(Timing.retry), cookie: nil)
        return report(.unreachable(reason))
    }

    /// The seed's server keeps what it got, without a lease: told again at each keepalive, so that its restart is noticed.
    private mutating func settleAtSeed(_ assigned: PeerID, now: Instant) -> [Action] {
        exchange = nil
        phase = .pause(until: now + Timing.recordRefresh, cookie: nil)
        return report(.noIdentities(assigned: assigned))
    }

    private mutating func report(_ new: IndexStatus) -> [Action] {
        // The round trip changes each time; the state is what is told.
        let isSame = switch (status, new) {
        case (.ok, .ok): true
        default: status == new
        }
        status = new
        return isSame ? [] : [.status(new)]
    }

    /// Less up to a fifth, so that peers that started together do not stay together.
    private mutating func jittered(_ span: Span) -> Span {
        Span(nanoseconds: span.nanoseconds - UInt64.random(in: 0...span.nanoseconds / 5, using: &random))
    }
}
