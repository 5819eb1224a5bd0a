// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

extension PathFinder {
    /// Where packets of the session go now: none as long as nothing answered, two while the best one is in doubt.
    public var routes: [Route] {
        guard let current else { return [] }
        guard doubt != nil, let second = companion else { return [current] }
        return [current, second]
    }

    /// The route in use; `nil` while none answers.
    public var report: PathReport? {
        guard !gaveUp, let trial = inUse else { return nil }
        return PathReport(trial.route, kind(of: trial), roundTrip: trial.roundTrip)
    }

    /// Whether the route in use may be dead.
    public var isInDoubt: Bool { doubt != nil }

    var inUse: CandidateTrial? { current.flatMap { index(of: $0) }.map { trials[$0] } }

    func kind(of trial: CandidateTrial) -> PathKind {
        if trial.isRelayed { return .relayed }
        let endpoint = trial.route.endpoint
        if trial.candidate.origin == .lan || endpoint.isLocal || own.contains(where: { isNeighbour(endpoint, $0) }) {
            return .lan
        }
        return trial.isOpen || trial.candidate.origin == .mapped ? .direct : .punched
    }

    /// IPv6 hands each network 64 bits (RFC 4291, §2.5.4); of IPv4 the address alone does not tell.
    private func isNeighbour(_ one: Endpoint, _ other: Endpoint) -> Bool {
        if case (.v6(let left, _), .v6(let right, _)) = (one.address, other.address) { left == right } else { false }
    }

    /// What takes packets besides the route in doubt: a relay, or else what answered before.
    var companion: Route? {
        let others = trials.filter { $0.isUsable && $0.route != current }
        func fastest(_ trials: [CandidateTrial]) -> Route? {
            trials.min { ($0.roundTrip ?? .seconds(1)) < ($1.roundTrip ?? .seconds(1)) }?.route
        }
        return fastest(others.filter(\.isRelayed)) ?? fastest(others)
    }

    // MARK: Choosing

    /// A route answered: it may be the better one.
    mutating func weigh(_ route: Route, _ now: Instant) {
        guard let index = index(of: route) else { return }
        let trial = trials[index]
        guard let inUse else { return use(route, now) }
        if doubt != nil {
            if trial.answers(since: epoch), mayWin(trial, now) { use(route, now) }
        } else if route == current {
            if let checkSince, trial.answers(since: checkSince) { self.checkSince = nil }
        } else if isWorth(trial, insteadOf: inUse), mayWin(trial, now) {
            use(route, now)
        }
    }

    mutating func use(_ route: Route, _ now: Instant) {
        if route != current || wasDead(now) { taken = now }
        current = route
        doubt = nil
        gaveUp = false
        settled = now
        checkAt = nil
        checkSince = nil
    }

    /// Whether the route in use answered nothing for so long that what is due since then was lost with it: no sign that
    /// it loses packets from now on.
    private func wasDead(_ now: Instant) -> Bool {
        guard let doubt, let inUse else { return false }
        return gaveUp || now.since(doubt) >= patience(inUse)
    }

    private func isWorth(_ trial: CandidateTrial, insteadOf inUse: CandidateTrial) -> Bool {
        guard trial.isRelayed == inUse.isRelayed else { return inUse.isRelayed }
        guard let old = cost(inUse), let new = cost(trial) else { return inUse.roundTrip == nil }
        return new + limits.hysteresis.nanoseconds <= old && new <= old / 5 * 4
    }

    /// Nanoseconds of a round trip, with what IPv4 has to be better by.
    private func cost(_ trial: CandidateTrial) -> UInt64? {
        let isV4 = if case .v4 = trial.route.endpoint.address { true } else { false }
        return trial.roundTrip.map { $0.nanoseconds + (isV4 && !trial.isRelayed ? limits.v6Bonus.nanoseconds : 0) }
    }

    /// What loses packets gives way, as long as there is anything else.
    private func mayWin(_ trial: CandidateTrial, _ now: Instant) -> Bool {
        !trial.isDistrusted(now) || !hasAlternative(to: trial.route, now)
    }

    func hasAlternative(to route: Route, _ now: Instant) -> Bool {
        trials.contains { $0.isUsable && $0.route != route && !$0.isDistrusted(now) }
    }

    // MARK: Doubt

    /// Probes the route in use once: something suggests that it might be dead.
    mutating func check(now: Instant) {
        guard let inUse, doubt == nil, checkAt == nil, checkSince == nil else { return }
        if let confirmed = inUse.confirmed, now.since(confirmed) < .seconds(2) { return }
        checkAt = now
    }

    /// Everything that answered before is probed again; the first that answers is used.
    /// - Parameter since: from when on an answered probe is a sign of life.
    mutating func beginDoubt(since: Instant, now: Instant) {
        epoch = max(epoch, since)
        search = Search(since: now, next: now)
        checkAt = nil
        checkSince = nil
        guard current != nil else { return }
        doubt = now
        let alive = trials.filter { $0.route != current && $0.answers(since: epoch) && mayWin($0, now) }
        let direct = alive.filter { !$0.isRelayed }
        if let best = (direct.isEmpty ? alive : direct).min(by: { (cost($0) ?? .max) < (cost($1) ?? .max) }) {
            use(best.route, now)
        }
    }

    /// What follows from time alone.
    mutating func judge(now: Instant) {
        for index in trials.indices {
            guard let until = trials[index].distrustedUntil, until <= now else { continue }
            trials[index].distrustedUntil = nil
            trials[index].start(now: now, charge: nil)
        }
        guard let inUse, let index = index(of: inUse.route) else { return }
        if let doubt {
            guard !gaveUp, now >= doubt + limits.giveUp else { return }
            gaveUp = true
            for index in trials.indices { trials[index].distrustedUntil = nil }
        } else if let distrustDue, distrustDue <= now {
            trials[index].distrustedUntil = now + limits.distrusted
            beginDoubt(since: now, now: now)
        } else if let checkSince, checkSince + patience(inUse) <= now {
            beginDoubt(since: checkSince, now: now)
        } else if let doubtDue, doubtDue <= now {
            beginDoubt(since: now, now: now)
        }
    }

    /// When a due acknowledgement puts the route in use in doubt.
    var doubtDue: Instant? {
        guard doubt == nil, let inUse, let awaited else { return nil }
        return max(awaited, settled) + patience(inUse)
    }

    /// When a due acknowledgement makes a route that answers probes give way.
    var distrustDue: Instant? {
        guard doubt == nil, let inUse, let awaited, inUse.answers(since: awaited), inUse.distrustedUntil == nil,
            trials.contains(where: { $0.isUsable && $0.route != inUse.route && $0.distrustedUntil == nil })
        else { return nil }
        return max(awaited, taken) + max(limits.distrust, times(6, inUse.roundTrip))
    }

    func patience(_ trial: CandidateTrial) -> Span { max(limits.doubt, times(3, trial.roundTrip)) }

    private func times(_ factor: UInt64, _ span: Span?) -> Span { Span(nanoseconds: factor * (span?.nanoseconds ?? 0)) }
}
