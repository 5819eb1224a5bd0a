// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// A probe to be sent.
public struct Ping: Equatable, Sendable {
    public enum Destination: Equatable, Sendable {
        case route(Route)
        /// Whoever listens on this network.
        case lan
    }
    public var transaction: ProbeTransaction
    public var destination: Destination

    public init(_ transaction: ProbeTransaction, _ destination: Destination) {
        self.transaction = transaction
        self.destination = destination
    }
}

/// What a pong shows of the route that it came by.
public enum Answer: Equatable, Sendable {
    /// A ping went there and was answered: packets get there, and who answers reads them.
    case proof
    /// The ping went elsewhere: whoever answers may write any source there is, so the route is to be asked itself.
    case hint
}

/// Chooses the route of one session, below QUIC, which knows but one constant path: probes candidates, keeps the best
/// that answered, notices when it dies, and says by which route packets go now. Pure: it sees no bytes and reads no
/// clock.
public struct PathFinder: Sendable {
    let limits: PathLimits
    var own: Set<Endpoint>
    var random: RandomSource
    var trials: [CandidateTrial] = []
    /// Never probed, and why: for people.
    var skipped: [PathAttempt] = []

    /// The route in use.
    var current: Route?
    /// Only what answered a probe that was sent since then counts as alive.
    var epoch = Instant(nanoseconds: 0)
    /// Since when the route in use is in doubt.
    var doubt: Instant?
    /// Doubt lasted too long: there is no route.
    var gaveUp = false
    /// When it was taken.
    var taken = Instant(nanoseconds: 0)
    /// When it last proved good, or was taken.
    var settled = Instant(nanoseconds: 0)
    /// Since when an acknowledgement is due.
    var awaited: Instant?
    /// When the route in use is to be probed once, and since when that probe waits for its answer.
    var checkAt: Instant?
    var checkSince: Instant?
    /// By which the last packet came.
    var arrival: Route?
    var search: Search?
    var lan = LANSearch()
    /// When the next candidate may start.
    var nextStart = Instant(nanoseconds: 0)
    var punchAt: Instant?
    var rounds = 0
    /// When a new candidate last was a reason for more of them.
    var renewed: Instant?

    /// Probing what answered before, until it answers again.
    struct Search: Sendable {
        var since: Instant
        var next: Instant
    }

    /// - Parameters:
    ///   - own: this machine's port, at all its addresses: never probed.
    ///   - accepted: the route by which a session came in, which may be answered before it was probed.
    ///   - cameUnasked: whether nothing had been sent to `accepted` before.
    public init(
        own: Set<Endpoint>, accepted: Route? = nil, cameUnasked: Bool = false, limits: PathLimits,
        random: RandomSource, now: Instant
    ) {
        self.own = own
        self.limits = limits
        self.random = random
        nextStart = now
        settled = now
        taken = now
        guard let accepted, accepted.endpoint.isUnicast else { return }
        var trial = CandidateTrial(
            RemoteCandidate(accepted, accepted.isRelayed ? .relayed : .observed), sequence: nil, isVouched: true)
        trial.isOpen = cameUnasked
        trial.lastHeard = now
        trial.start(now: now, charge: accepted.isRelayed ? nil : .candidate)
        trials.append(trial)
        current = accepted
        arrival = accepted
    }

    // MARK: What is known

    /// More candidates; known ones stay as they are, and what comes beyond the limit is passed over. Relayed ones need
    /// no probe before packets: the relay gave the channel because both ends asked for it.
    public mutating func offer(_ new: [RemoteCandidate], sequence: UInt64, now: Instant) {
        for candidate in new.prefix(PathFinder.offerLimit) {
            if let index = index(of: candidate.route) {
                renew(index, sequence, now)
            } else if let reason = obstacle(to: candidate) {
                skip(candidate, reason)
            } else {
                add(candidate, sequence, now)
            }
        }
    }

    /// Searches this network by multicast, too.
    public mutating func searchLAN(now: Instant) { lan.start(now: now) }

    /// One more round over all candidates that did not answer, at a moment that both sides agreed on.
    public mutating func punch(at start: Instant, now: Instant) {
        guard rounds < limits.rounds else { return }
        rounds += 1
        punchAt = max(start, now)
    }

    /// This machine's addresses changed, or it slept: everything is in doubt, and tried again at once.
    public mutating func networkChanged(own: Set<Endpoint>, now: Instant) {
        self.own = own
        rounds = 0
        trials.removeAll { !$0.isRelayed && own.contains($0.route.endpoint) }
        if let current, index(of: current) == nil {
            self.current = nil
            doubt = nil
            if let next = companion { use(next, now) }
        }
        for index in trials.indices {
            trials[index].distrustedUntil = nil
            if !trials[index].hasAnswered { trials[index].start(now: now, charge: charge(trials[index])) }
        }
        beginDoubt(since: now, now: now)
    }

    // MARK: What arrives

    /// An authentic ping of the other side's.
    /// - Parameter wasAsked: whether something had been sent to that address past this finder, as because of a call.
    /// - Returns: whether it came before anything had been sent to that address, be it for the first time or again.
    public mutating func pinged(from route: Route, wasAsked: Bool = false, now: Instant) -> Bool {
        let isUnasked = !route.isRelayed && !wasAsked && !hasSent(to: route.endpoint.address)
        if index(of: route) == nil { observe(route, now: now) }
        guard let index = index(of: route) else { return isUnasked }
        if isUnasked { trials[index].isOpen = true }
        trials[index].lastHeard = now
        provoke(index, now)
        // The other side looks for ways: perhaps because it hears nothing by ours.
        if route != current { check(now: now) }
        return trials[index].isOpen
    }

    /// An authentic pong.
    /// - Returns: `nil` when it answers no ping of ours, or one whose answer is known.
    @discardableResult
    public mutating func ponged(
        _ transaction: ProbeTransaction, from route: Route, wasUnasked: Bool, now: Instant
    ) -> Answer? {
        if let index = index(of: route), trials[index].awaits(transaction) {
            let isFirst = !trials[index].hasAnswered
            _ = trials[index].answer(transaction, epoch: epoch, now: now)
            if wasUnasked { trials[index].isOpen = true }
            weigh(route, now)
            if isFirst { forgetStale(trials[index].candidate.origin) }
            return .proof
        }
        if lan.awaits(transaction, now: now) {
            if !route.isRelayed { follow(route, as: .lan, now) }
            return .hint
        }
        guard let asked = trials.firstIndex(where: { $0.awaits(transaction) }) else { return nil }
        // One question leads to one more way at most.
        guard trials[asked].echo(transaction) else { return nil }
        follow(route, as: .observed, now)
        return .hint
    }

    /// An authentic packet of the session that brought something new.
    public mutating func heard(from route: Route, now: Instant) {
        defer { arrival = route }
        if let index = index(of: route) {
            trials[index].lastHeard = now
            if doubt != nil { return provoke(index, now) }
            guard route != current, route != arrival else { return }
            provoke(index, now)
        } else {
            observe(route, now: now)
        }
        // The other side changed its way: perhaps ours is dead.
        check(now: now)
    }

    /// The network says that nobody reads there, which anybody can make it say.
    public mutating func unreachable(_ endpoint: Endpoint, now: Instant) {
        guard let index = index(of: .direct(endpoint)) else { return }
        trials[index].isHinted = true
        // Only neighbours can forge it on this network, and they can do worse.
        guard current == .direct(endpoint), kind(of: trials[index]) == .lan, doubt == nil,
            now.since(settled) >= limits.doubt
        else { return }
        beginDoubt(since: now, now: now)
    }

    /// Since when an acknowledgement is due; `nil` when none is.
    public mutating func awaits(since: Instant?, now: Instant) { awaited = since.map { min($0, now) } }
}
