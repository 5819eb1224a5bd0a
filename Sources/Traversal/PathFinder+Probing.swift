// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

extension PathFinder {
    /// The probes that are due.
    public mutating func duePings(now: Instant, budget: inout ProbeBudget) -> [Ping] {
        judge(now: now)
        startWaiting(now)
        startPunching(now)
        var pings = searchPings(now)
        for index in trials.indices where trials[index].isDue(now: now, tries: limits.tries) {
            if let ping = burstPing(index, now, &budget) { pings.append(ping) }
        }
        if let ping = checkPing(now) { pings.append(ping) }
        if let ping = lan.ping(now: now, random: &random) { pings.append(ping) }
        return pings
    }

    /// When `duePings` or `routes` may change by time alone.
    public var deadline: Instant? {
        var moments = [search?.next, lan.next, punchAt, checkAt, doubtDue, distrustDue, keepaliveDue]
        moments += trials.map { $0.burst?.next }
        if trials.contains(where: \.isWaiting) { moments.append(nextStart) }
        if let doubt, !gaveUp { moments.append(doubt + limits.giveUp) }
        if let checkSince, let inUse, doubt == nil { moments.append(checkSince + patience(inUse)) }
        return moments.compactMap { $0 }.min()
    }

    /// The next in order, one after the other.
    private mutating func startWaiting(_ now: Instant) {
        guard nextStart <= now,
            let index = trials.indices.filter({ trials[$0].isWaiting })
                .min(by: { trials[$0].candidate.rank < trials[$1].candidate.rank })
        else { return }
        trials[index].start(now: now, charge: charge(trials[index]))
        nextStart = now + limits.stagger
    }

    private mutating func startPunching(_ now: Instant) {
        guard let punchAt, punchAt <= now else { return }
        self.punchAt = nil
        for index in trials.indices where !trials[index].isRelayed && !trials[index].hasAnswered {
            trials[index].start(now: now, charge: charge(trials[index], punches: true))
        }
    }

    private mutating func burstPing(_ index: Int, _ now: Instant, _ budget: inout ProbeBudget) -> Ping? {
        guard isGranted(trials[index], now, &budget) else {
            trials[index].burst = nil
            trials[index].isRefused = true
            return nil
        }
        return trials[index].ping(now: now, random: &random)
    }

    private func isGranted(_ trial: CandidateTrial, _ now: Instant, _ budget: inout ProbeBudget) -> Bool {
        guard !trial.hasAnswered else { return true }
        return switch trial.burst?.charge {
        case .candidate?: budget.take(trial.route.endpoint, sequence: trial.sequence, now: now)
        case .punch?: budget.takePunch(trial.route.endpoint, now: now)
        case nil: true
        }
    }

    // MARK: Searching

    /// Probes to what answered before and no longer does, or may no longer.
    private mutating func searchPings(_ now: Instant) -> [Ping] {
        guard let search, search.next <= now else { return [] }
        let age = now.since(search.since)
        let missed = trials.indices.filter { isMissed(trials[$0], age, now) }
        guard !missed.isEmpty else {
            self.search = nil
            return []
        }
        let isPatient = doubt != nil || age < .seconds(60)
        self.search?.next =
            now + (age < limits.eager ? limits.search : isPatient ? limits.patientSearch : limits.lateSearch)
        return missed.map { trials[$0].ping(now: now, random: &random) }
    }

    private func isMissed(_ trial: CandidateTrial, _ age: Span, _ now: Instant) -> Bool {
        guard trial.isUsable, !trial.answers(since: epoch) || trial.isDistrusted(now) else { return false }
        if doubt != nil || age < limits.eager { return true }
        return !trial.isRelayed && inUse?.isRelayed != false
    }

    // MARK: The route in use

    /// When a direct route in use that brings nothing is probed, so that the routers on the way keep it open.
    private var keepaliveDue: Instant? {
        guard doubt == nil, checkSince == nil, let inUse, !inUse.isRelayed else { return nil }
        return (inUse.lastSign ?? settled) + limits.keepalive
    }

    private mutating func checkPing(_ now: Instant) -> Ping? {
        guard let due = [checkAt, keepaliveDue].compactMap({ $0 }).min(), due <= now,
            let index = current.flatMap({ index(of: $0) })
        else { return nil }
        checkAt = nil
        checkSince = now
        return trials[index].ping(now: now, random: &random)
    }
}
