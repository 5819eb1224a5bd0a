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

/// Chooses the route of one session, below QUIC, which knows but one constant path: probes candidates, keeps the best that
/// answered, notices when it dies, and says by which route packets go now. Pure: it sees no bytes and reads no clock.
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
    private let welcomed: Set<Endpoint.Address>

    /// Probing what answered before, until it answers again.
    struct Search: Sendable {
        var since: Instant
        var next: Instant
    }

    /// - Parameters:
    ///   - own: this machine's port, at all its addresses: never probed.
    ///   - accepted: the route by which a session came in, which may be answered before it was probed.
    ///   - cameUnasked: whether nothing had been sent to `accepted` before.
    ///   - welcomed: where probes were sent because of a call, before there was a session.
    public init(
        own: Set<Endpoint>, accepted: Route? = nil, cameUnasked: Bool = false, welcomed: [Endpoint] = [],
        limits: PathLimits, random: RandomSource, now: Instant
    ) {
        self.own = own
        self.limits = limits
        self.random = random
        nextStart = now
        settled = now
        taken = now
        self.welcomed = Set(welcomed.prefix(PathFinder.offerLimit).map(\.address))
        guard let accepted, accepted.endpoint.isUnicast else { return }
        var trial = CandidateTrial(
            RemoteCandidate(accepted, accepted.isRelayed ? .relayed : .observed), isVouched: true)
        trial.isOpen = cameUnasked
        trial.lastHeard = now
        trial.start(now: now, isCharged: !accepted.isRelayed)
        trials.append(trial)
        current = accepted
        arrival = accepted
    }

    // MARK: What is known

    /// More candidates; known ones stay as they are, and what comes beyond the limit is passed over. Relayed ones need no probe
    /// before packets: the relay gave the channel because both ends asked for it.
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
            if !trials[index].hasAnswered { trials[index].start(now: now, isCharged: isCharged(trials[index])) }
        }
        beginDoubt(since: now, now: now)
    }

    // MARK: What arrives

    /// An authentic ping of the other side's.
    /// - Returns: whether it came before anything had been sent to that address, be it for the first time or again.
    public mutating func pinged(from route: Route, now: Instant) -> Bool {
        let isUnasked = !route.isRelayed && !hasSent(to: route.endpoint.address)
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
    /// - Returns: whether it answers a ping of ours.
    @discardableResult
    public mutating func ponged(
        _ transaction: ProbeTransaction, from route: Route, wasUnasked: Bool, now: Instant
    ) -> Bool {
        if let index = index(of: route), trials[index].awaits(transaction) {
            let isFirst = !trials[index].hasAnswered
            _ = trials[index].answer(transaction, epoch: epoch, now: now)
            if wasUnasked { trials[index].isOpen = true }
            weigh(route, now)
            if isFirst { forgetStale() }
            return true
        }
        if let sent = lan.sent(transaction) {
            foundOnLAN(route, sent: sent, now)
            return true
        }
        guard trials.contains(where: { $0.awaits(transaction) }) else { return false }
        // The answer came by another way than the question: a way to be asked itself.
        observe(route, now: now)
        return true
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

extension PathFinder {
    /// Candidates that are looked at in one offer.
    static let offerLimit = 32
    static let skippedLimit = 8
    /// However much comes from somewhere, it makes no more than one probe in this time.
    private static let provocation = Span.milliseconds(20)

    func index(of route: Route) -> Int? { trials.firstIndex { $0.route == route } }

    /// Why it is not to be probed at all; one clause.
    private func obstacle(to candidate: RemoteCandidate) -> String? {
        let endpoint = candidate.route.endpoint
        if !endpoint.isUnicast { return "packets may not go there" }
        if candidate.route.isRelayed {
            return trials.count(where: \.isRelayed) >= limits.relays ? "there are enough relays already" : nil
        }
        if endpoint.isLinkLocalV6 { return "a link-local address needs an interface" }
        if own.contains(endpoint) { return "it is this machine" }
        return nil
    }

    private mutating func skip(_ candidate: RemoteCandidate, _ reason: String) {
        guard skipped.count < PathFinder.skippedLimit, !skipped.contains(where: { $0.candidate == candidate }) else {
            return
        }
        skipped.append(PathAttempt(candidate, .skipped(reason)))
    }

    private mutating func add(_ candidate: RemoteCandidate, _ sequence: UInt64, _ now: Instant) {
        let isRelayed = candidate.route.isRelayed
        var trial = CandidateTrial(candidate, sequence: sequence, isVouched: isRelayed)
        if isRelayed {
            trial.start(now: now, isCharged: false)
            if current == nil { use(candidate.route, now) }
        } else {
            guard makeRoom() else { return skip(candidate, "there are enough addresses already") }
            trial.isWaiting = true
            rounds = 0
            if !trials.contains(where: \.isWaiting) { nextStart = max(nextStart, now) }
        }
        trials.append(trial)
    }

    private mutating func makeRoom() -> Bool {
        func isTold(_ trial: CandidateTrial) -> Bool { !trial.isRelayed && trial.candidate.origin.isTold }
        guard trials.count(where: isTold) >= limits.candidates else { return true }
        guard let index = trials.firstIndex(where: { isTold($0) && $0.isGivenUp && $0.route != current }) else {
            return false
        }
        trials.remove(at: index)
        return true
    }

    /// A later record names it again: it may be tried again.
    private mutating func renew(_ index: Int, _ sequence: UInt64, _ now: Instant) {
        guard sequence > trials[index].sequence else { return }
        trials[index].sequence = sequence
        if trials[index].isGivenUp { trials[index].start(now: now, isCharged: isCharged(trials[index])) }
    }

    /// Whether the budget is asked before it is probed.
    func isCharged(_ trial: CandidateTrial) -> Bool {
        trial.candidate.origin != .last && trial.candidate.origin != .relayed
    }

    private func hasSent(to address: Endpoint.Address) -> Bool {
        welcomed.contains(address)
            || trials.contains {
                !$0.isRelayed && $0.route.endpoint.address == address && ($0.sent > 0 || ($0.isVouched && !$0.isOpen))
            }
    }

    /// Something came from where nothing was known to be: probes it, if there is room. Strangers can't get here, but whoever
    /// can copy packets can make them come from anywhere.
    private mutating func observe(_ route: Route, now: Instant) {
        guard route.endpoint.isUnicast, route.isRelayed || !own.contains(route.endpoint) else { return }
        let candidate = RemoteCandidate(route, .observed)
        func isUnproved(_ trial: CandidateTrial) -> Bool {
            trial.candidate.origin == .observed && !trial.isUsable
        }
        if trials.count(where: isUnproved) >= limits.observed {
            // Each gets a second to answer.
            guard
                let index = trials.firstIndex(where: {
                    isUnproved($0) && ($0.isGivenUp || ($0.lastSent.map { now.since($0) >= .seconds(1) } ?? false))
                })
            else { return }
            trials.remove(at: index)
        }
        var trial = CandidateTrial(candidate)
        trial.lastHeard = now
        trial.start(now: now, isCharged: true)
        trials.append(trial)
    }

    /// Somebody is there now: the time to probe it is now (RFC 8445, §7.3.1.4).
    private mutating func provoke(_ index: Int, _ now: Instant) {
        guard !trials[index].answers(since: epoch) else { return }
        if let last = trials[index].lastSent, now.since(last) < PathFinder.provocation { return }
        if !trials[index].hasAnswered { trials[index].sequence = 0 }
        if trials[index].burst == nil {
            trials[index].start(now: now, isCharged: isCharged(trials[index]))
        } else {
            trials[index].burst?.next = now
        }
    }

    private mutating func foundOnLAN(_ route: Route, sent: Instant, _ now: Instant) {
        guard !route.isRelayed, route.endpoint.isUnicast, !own.contains(route.endpoint) else { return }
        if index(of: route) == nil {
            guard trials.count(where: { $0.candidate.origin == .lan }) < limits.observed else { return }
            trials.append(CandidateTrial(RemoteCandidate(route, .lan)))
        }
        guard let index = index(of: route) else { return }
        trials[index].confirm(sent: sent, epoch: epoch, now: now)
        weigh(route, now)
    }

    /// Of the routes that were seen and answered, those that did last stay.
    private mutating func forgetStale() {
        func isKept(_ trial: CandidateTrial) -> Bool { trial.candidate.origin == .observed && trial.hasAnswered }
        while trials.count(where: isKept) > limits.observed {
            let stale = trials.indices.filter { isKept(trials[$0]) && trials[$0].route != current }
                .min { (trials[$0].confirmed ?? epoch) < (trials[$1].confirmed ?? epoch) }
            guard let stale else { return }
            trials.remove(at: stale)
        }
    }
}

extension RemoteCandidate.Origin {
    /// Whether somebody told it, instead of it having shown itself.
    var isTold: Bool { self != .lan && self != .observed && self != .relayed }
}
