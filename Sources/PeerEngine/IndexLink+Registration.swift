// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// The registration: asked for, kept alive, and had anew.
extension IndexLink {
    mutating func advanceRegistration(
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

    mutating func register(
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

    // MARK: Answers

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
            // A clock that was ahead once has left a sequence that nobody takes; our clock may as well be behind, so
            // only a refusal starts it over.
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

    // MARK: Ends of an exchange

    private mutating func settle(
        _ lease: IndexReply.Lease, since: Instant, _ roundTrip: Span, now: Instant
    ) -> [Action] {
        exchange = nil
        failures = 0
        tunnelFault = nil
        self.lease = lease
        let next = now + jittered(way == .tunnel ? Timing.tunnelKeepalive : Timing.keepalive)
        phase = .registered(lease, since: since, nextKeepalive: isStale ? soonestRecord(now) : next)
        return report(.ok(roundTrip)) + settleWay()
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

    mutating func fail(_ reason: String, now: Instant) -> [Action] {
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

    // MARK: From outside

    /// Somebody waits for what this server may say: a pause ends.
    mutating func hurry(now: Instant) {
        guard case .pause(let until) = phase, exchange == nil else { return }
        phase = .pause(until: min(until, max(now, lastStart + Timing.hurry)))
    }

    /// Sessions are in doubt: perhaps nothing comes through.
    mutating func doubt(now: Instant) {
        // However many doubt, a question that is asked already comes to its end.
        if exchange?.isDoubted != true { verify(now: now) }
    }

    /// The network changed or this machine slept: whether we are registered is asked at once.
    mutating func verify(now: Instant) {
        failures = 0
        if way == .tunnel { hurryCheck() }
        guard exchange == nil else { return hurryExchange(now: now) }
        isDoubted = true
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
}
