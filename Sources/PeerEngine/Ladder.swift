// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Traversal
internal import Wire

/// What is known of the ways to one peer, and how people are told. Pure.
struct Ladder {
    /// What came of asking where the peer is.
    enum Search: Equatable {
        case notAsked
        case asking
        /// Asked once more; what the last question came to stands meanwhile.
        case askingAgain(String)
        case found(by: String, took: Span)
        case failed(String)
    }

    var search = Search.notAsked
    var hasIndex = true
    var isRelayOnly = false
    /// Whether a session is being dialled or up.
    var isTrying = false
    /// Whether the last try came to nothing: until one does better, what came of it is what holds.
    var isRetry = false
    var report: PathReport?
    var attempts: [PathAttempt] = []
    /// Rounds of hole punching so far.
    var rounds = 0
    /// What each relay said, by its name.
    var calls: [(name: String, outcome: CallSheet.Outcome)] = []
    /// Servers at which we are registered, and those among them that pass on.
    var hasServer = false
    /// Contacts that were asked to pass on, by the names that the user gave them.
    var asked: [(name: String, outcome: RelayErrands.Outcome)] = []
    /// Which of them does.
    var via: String?
    var reachability = Reachability()

    var steps: [LadderStep] { [index, lan, mapping, direct, punch, relay, own] }

    // MARK: Rungs

    private var index: LadderStep {
        guard hasIndex else { return LadderStep(.index, .off, "no index server is named") }
        return switch search {
        case .notAsked: LadderStep(.index, .untried, "not asked: a good address is known")
        case .asking: LadderStep(.index, .trying, "asking where it is")
        case .askingAgain(let reason): LadderStep(.index, .failed, "\(reason); asked again")
        case .found(let server, let took): LadderStep(.index, .worked, "\(server) knew it after \(text(took))")
        case .failed(let reason): LadderStep(.index, .failed, reason)
        }
    }

    private var lan: LadderStep {
        if isRelayOnly { return hidden(.lan) }
        if let report, report.kind == .lan { return LadderStep(.lan, .worked, describe(report)) }
        let tries = attempts.filter { isDirect($0) && ($0.candidate.origin == .lan || $0.candidate.route.isLocal) }
        if !tries.isEmpty { return summary(.lan, tries) }
        guard isTrying || isRetry else { return LadderStep(.lan, .untried, "not searched yet") }
        if report != nil || isRetry { return LadderStep(.lan, .failed, "nobody answered on this network") }
        return LadderStep(.lan, .trying, "searching this network")
    }

    private var mapping: LadderStep {
        if isRelayOnly { return hidden(.mapping) }
        let tries = attempts.filter { isDirect($0) && $0.candidate.origin == .mapped }
        let theirs = tries.isEmpty ? "" : "; the other side's: \(summary(.mapping, tries).text)"
        if let mapped = reachability.mapped {
            let by = reachability.mappedBy.map { " by \($0)" } ?? ""
            return LadderStep(.mapping, .worked, "your router opened \(mapped)\(by)\(theirs)")
        }
        if !tries.isEmpty { return summary(.mapping, tries) }
        guard !reachability.mappingFailures.isEmpty else {
            return LadderStep(.mapping, .untried, "no router was asked for a port")
        }
        return LadderStep(.mapping, .failed, reachability.mappingFailures.joined(separator: "; "))
    }

    private var direct: LadderStep {
        if isRelayOnly { return hidden(.direct) }
        if let report, report.kind == .direct { return LadderStep(.direct, .worked, describe(report)) }
        let tries = attempts.filter { isDirect($0) && !$0.candidate.route.isLocal }
        guard tries.isEmpty else {
            return report?.kind == .punched
                ? LadderStep(.direct, .failed, "only after both sides tried at once")
                : summary(.direct, tries)
        }
        guard isTrying || isRetry else { return LadderStep(.direct, .untried, "not tried yet") }
        if report?.kind == .lan { return LadderStep(.direct, .untried, "not needed") }
        if hidesItself { return LadderStep(.direct, .off, "it tells no address: it may hide it") }
        let isOpen = report == nil && !isRetry
        return LadderStep(.direct, isOpen ? .trying : .failed, "no address of it is known outside this network")
    }

    private var punch: LadderStep {
        if isRelayOnly { return hidden(.punch) }
        if hidesItself { return LadderStep(.punch, .off, "it tells no address") }
        let limit = SessionFrame.Candidates.rounds
        switch report?.kind {
        case .punched?: return LadderStep(.punch, .worked, report.map(describe) ?? "")
        case .relayed? where rounds == 0, nil: return LadderStep(.punch, .untried, "begins once the two can talk")
        case .relayed?:
            let isOver = rounds >= limit && !attempts.contains { isDirect($0) && $0.isOpen }
            guard isOver else { return LadderStep(.punch, .trying, "round \(rounds) of \(limit)") }
            return LadderStep(.punch, .failed, "\(limit) rounds, no answer; again when something changes")
        default: return LadderStep(.punch, .untried, "not needed")
        }
    }

    private var relay: LadderStep {
        if let report, report.kind == .relayed { return LadderStep(.relay, .worked, describe(report)) }
        guard hasServer || !calls.isEmpty || !asked.isEmpty else {
            return LadderStep(.relay, hasIndex ? .untried : .off, "no index server has us registered")
        }
        guard !calls.isEmpty || !asked.isEmpty else { return LadderStep(.relay, .untried, "not asked yet") }
        let words =
            calls.map { "\($0.name) \(text($0.outcome))" }
            + asked.map { "asked \($0.name) to relay: \(text($0.outcome))" }
        let said = words.joined(separator: ", ")
        let state: LadderStep.State =
            if isReady {
                report != nil ? .worked : isRetry ? .failed : .trying
            } else if calls.contains(where: { $0.outcome == .asking })
                || asked.contains(where: { $0.outcome == .asking })
            {
                isRetry ? .failed : .trying
            } else if asked.isEmpty, calls.allSatisfy({ $0.outcome == .told(nil) }) {
                .off
            } else {
                .failed
            }
        return LadderStep(.relay, state, said)
    }

    /// Whether a server or a contact has a channel for us.
    private var isReady: Bool {
        calls.contains { if case .told(_?) = $0.outcome { true } else { false } }
            || asked.contains { if case .open = $0.outcome { true } else { false } }
    }

    private var own: LadderStep {
        if reachability.udpBlocked {
            return LadderStep(.own, .failed, "this network lets no UDP through; index servers are reached by TLS")
        }
        return switch reachability.mapping {
        case .unknown: LadderStep(.own, .untried, "how your router maps ports is not known")
        case .none: LadderStep(.own, .worked, "no router stands between: your address is your own")
        case .endpointIndependent: LadderStep(.own, .worked, "your router keeps one port for everybody")
        case .destinationDependent: LadderStep(.own, .failed, "your router takes another port for each other side")
        }
    }

    // MARK: Words

    /// Why packets go through a relay; one clause that a title has room for.
    var whyRelayed: String {
        if isRelayOnly { return "your address is hidden" }
        if reachability.udpBlocked { return "this network lets no UDP through" }
        let tries = attempts.filter(isDirect)
        guard !tries.isEmpty else { return "the other side may hide its address" }
        if rounds < SessionFrame.Candidates.rounds || tries.contains(where: \.isOpen) {
            return "looking for a direct way"
        }
        if reachability.mapping == .destinationDependent { return "your router is strict, and theirs lets nothing in" }
        return tries.count == 1 ? "its address does not answer" : "none of its \(tries.count) addresses answers"
    }

    /// Whether we talk, and it still told no address.
    private var hidesItself: Bool { report?.kind == .relayed && !attempts.contains(where: isDirect) }

    private func isDirect(_ attempt: PathAttempt) -> Bool { !attempt.candidate.route.isRelayed }

    private func hidden(_ rung: LadderStep.Rung) -> LadderStep { LadderStep(rung, .off, "your address is hidden") }

    private func describe(_ report: PathReport) -> String {
        let time = report.roundTrip.map { ", \(text($0))" } ?? ""
        guard report.kind == .relayed else { return "\(report.route)\(time)" }
        return "\(via.map { "relayed by \($0)" } ?? "\(report.route)")\(time): \(whyRelayed)"
    }

    /// The best of some attempts, and how many there are.
    private func summary(_ rung: LadderStep.Rung, _ tries: [PathAttempt]) -> LadderStep {
        for attempt in tries {
            if case .answered(let roundTrip, _) = attempt.state {
                return LadderStep(rung, .worked, "\(attempt.candidate.route), \(text(roundTrip))")
            }
        }
        // Beside a way that works, or once all was sent that is sent at once, nothing is waited for.
        let isSettled = report.map { $0.kind != .relayed } ?? false
        let isOpen = isTrying && !isRetry && !isSettled && tries.contains(where: \.isOpen)
        let said = tries.prefix(3).map { "\($0.candidate.route): \(text($0.state, isOpen: isOpen))" }
            .joined(separator: ", ")
        let more = tries.count > 3 ? " and \(tries.count - 3) more" : ""
        return LadderStep(rung, isOpen ? .trying : .failed, said + more)
    }

    private func text(_ state: PathAttempt.State, isOpen: Bool) -> String {
        switch state {
        case .waiting: isOpen ? "not its turn yet" : "not asked"
        case .probing(let count) where isOpen: "asked \(count == 1 ? "once" : "\(count) times") so far"
        case .probing(let count): "no answer to \(count == 1 ? "one probe" : "\(count) probes")"
        case .answered(let roundTrip, _): text(roundTrip)
        case .silent: "silent by now"
        case .failed(let count, let reason): reason ?? "no answer to \(count) probes"
        case .skipped(let reason): reason
        }
    }

    private func text(_ outcome: CallSheet.Outcome) -> String {
        switch outcome {
        case .asking: "is asked"
        case .told(_?): "stands by"
        case .told(nil): "told it, and passes nothing on"
        case .absent: "has it not registered"
        case .refused(let reason): "refused\(reason.isEmpty ? "" : ": \(reason)")"
        case .noAnswer: "gave no answer"
        }
    }

    private func text(_ outcome: RelayErrands.Outcome) -> String {
        switch outcome {
        case .asking: "no answer yet"
        case .open: "stands by"
        case .refused(let reason): reason.isEmpty ? "refused" : reason
        case .noAnswer: "no answer"
        }
    }

    private func text(_ span: Span) -> String {
        span.milliseconds < 10 ? "\((span.milliseconds * 10).rounded() / 10) ms" : "\(Int(span.milliseconds)) ms"
    }
}

extension PathAttempt {
    /// Probes after which nobody need wait for an answer any more, though one may come.
    private static let patience = 10

    /// Whether something may still come of it.
    fileprivate var isOpen: Bool {
        switch state {
        case .waiting: true
        case .probing(let count): count < PathAttempt.patience
        default: false
        }
    }
}

extension Route {
    var isLocal: Bool { !isRelayed && endpoint.isLocal }
}
