// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

extension PathFinder {
    /// Candidates that are looked at in one offer.
    static let offerLimit = 32
    static let skippedLimit = 8
    /// However much comes from somewhere, it makes no more than one probe in this time.
    private static let provocation = Span.milliseconds(20)

    func index(of route: Route) -> Int? { trials.firstIndex { $0.route == route } }

    /// Why it is not to be probed at all; one clause.
    func obstacle(to candidate: RemoteCandidate) -> String? {
        let endpoint = candidate.route.endpoint
        if !endpoint.isUnicast { return "packets may not go there" }
        if candidate.route.isRelayed {
            return isFullOfRelays(for: endpoint) && staleRelay == nil ? "there are enough relays already" : nil
        }
        if endpoint.isLinkLocalV6 { return "a link-local address needs an interface" }
        if own.contains(endpoint) { return "it is this machine" }
        return nil
    }

    mutating func skip(_ candidate: RemoteCandidate, _ reason: String) {
        guard skipped.count < PathFinder.skippedLimit, !skipped.contains(where: { $0.candidate == candidate }) else {
            return
        }
        skipped.append(PathAttempt(candidate, .skipped(reason)))
    }

    mutating func add(_ candidate: RemoteCandidate, _ sequence: UInt64, _ now: Instant) {
        let isRelayed = candidate.route.isRelayed
        var trial = CandidateTrial(candidate, sequence: sequence, isVouched: isRelayed)
        if isRelayed {
            // Two peers have one channel at a relay: whoever names another one means that the last is gone.
            let relay = candidate.route.endpoint
            trials.removeAll { $0.isRelayed && $0.route.endpoint == relay && $0.route != current }
            if isFullOfRelays(for: relay), let staleRelay { trials.remove(at: staleRelay) }
            trial.start(now: now, charge: nil)
            if current == nil { use(candidate.route, now) }
        } else {
            guard makeRoom() else { return skip(candidate, "there are enough addresses already") }
            trial.isWaiting = true
            renewRounds(now)
            if !trials.contains(where: \.isWaiting) { nextStart = max(nextStart, now) }
        }
        trials.append(trial)
    }

    private func isFullOfRelays(for relay: Endpoint) -> Bool {
        let others = Set(trials.lazy.filter(\.isRelayed).map(\.route.endpoint)).subtracting([relay])
        return others.count >= limits.relays
    }

    /// A relay that brought nothing, or brings nothing any more, makes room for another.
    private var staleRelay: Int? {
        trials.firstIndex { $0.isRelayed && $0.route != current && $0.burst == nil && $0.unanswered >= 2 }
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
    mutating func renew(_ index: Int, _ sequence: UInt64, _ now: Instant) {
        guard sequence > trials[index].sequence ?? 0 else { return }
        trials[index].sequence = sequence
        if trials[index].isGivenUp { trials[index].start(now: now, charge: charge(trials[index])) }
    }

    /// A new candidate is a reason to punch anew, but whoever names one after the other gets no more rounds by it.
    private mutating func renewRounds(_ now: Instant) {
        guard rounds > 0, renewed.map({ now.since($0) >= ProbeBudget.renewal }) ?? true else { return }
        rounds = 0
        renewed = now
    }

    /// On which allowance of the budget it is probed; `nil` for what needs none.
    func charge(_ trial: CandidateTrial, punches: Bool = false) -> CandidateTrial.Charge? {
        guard trial.candidate.origin != .last, trial.candidate.origin != .relayed else { return nil }
        return punches ? .punch : .candidate
    }

    func hasSent(to address: Endpoint.Address) -> Bool {
        trials.contains {
            !$0.isRelayed && $0.route.endpoint.address == address && ($0.sent > 0 || ($0.isVouched && !$0.isOpen))
        }
    }

    /// Something came from where nothing was known to be: probes it, if there is room. Strangers can't get here, but
    /// whoever can copy packets can make them come from anywhere.
    mutating func observe(_ route: Route, as origin: RemoteCandidate.Origin = .observed, now: Instant) {
        guard route.endpoint.isUnicast, route.isRelayed || !own.contains(route.endpoint) else { return }
        let candidate = RemoteCandidate(route, origin)
        func isUnproved(_ trial: CandidateTrial) -> Bool { trial.candidate.origin == origin && !trial.isUsable }
        if trials.count(where: isUnproved) >= limits.observed {
            // Each gets a second to answer.
            guard
                let index = trials.firstIndex(where: {
                    isUnproved($0) && ($0.isGivenUp || ($0.lastSent.map { now.since($0) >= .seconds(1) } ?? false))
                })
            else { return }
            trials.remove(at: index)
        }
        var trial = CandidateTrial(candidate, sequence: nil)
        trial.lastHeard = now
        trial.start(now: now, charge: .candidate)
        trials.append(trial)
    }

    /// Somebody is there now: the time to probe it is now (RFC 8445, §7.3.1.4).
    mutating func provoke(_ index: Int, _ now: Instant) {
        guard !trials[index].answers(since: epoch) else { return }
        if let last = trials[index].lastSent, now.since(last) < PathFinder.provocation { return }
        if !trials[index].hasAnswered { trials[index].sequence = nil }
        if trials[index].burst == nil {
            trials[index].start(now: now, charge: charge(trials[index]))
        } else {
            trials[index].burst?.next = now
        }
    }

    /// An answer to what was asked elsewhere names a route: only its own answer shows that the other side is there.
    mutating func follow(_ route: Route, as origin: RemoteCandidate.Origin, _ now: Instant) {
        if let index = index(of: route) {
            provoke(index, now)
        } else {
            observe(route, as: origin, now: now)
        }
    }

    /// Of the routes that showed themselves and answered, those that did last stay.
    mutating func forgetStale(_ origin: RemoteCandidate.Origin) {
        guard origin == .observed || origin == .lan else { return }
        func isKept(_ trial: CandidateTrial) -> Bool { trial.candidate.origin == origin && trial.hasAnswered }
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
