// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// One candidate, what was sent to it and what came of it.
struct CandidateTrial: Sendable {
    /// What the budget is asked for.
    enum Charge {
        case candidate
        /// A round at a moment that both sides agreed on.
        case punch
    }

    /// Probes in quick succession, ever slower.
    struct Burst: Sendable {
        var next: Instant
        var tries = 0
        var answers = 0
        /// What each of them costs; `nil` for nothing.
        let charge: Charge?

        /// Answers that suffice to know how fast a route is.
        static let wanted = 3
    }

    struct Pending: Sendable {
        var transaction: ProbeTransaction
        var sent: Instant
        /// An answer to it came by another route.
        var isEchoed = false
    }

    let candidate: RemoteCandidate
    /// Of the record that named it, for the budget; 0 for none, `nil` once it showed itself.
    var sequence: UInt64?
    /// Whether packets may go there before it answered a probe: a relay that gave a channel, or where a session came
    /// from.
    let isVouched: Bool
    /// Whether it waits for its turn.
    var isWaiting = false
    var burst: Burst?

    private(set) var sent = 0
    private(set) var lastSent: Instant?
    /// Probes since the last answer.
    private(set) var unanswered = 0
    private var pending: [Pending] = []
    /// When the latest of the probes that were answered had been sent.
    private(set) var confirmed: Instant?
    /// Smoothed as in RFC 6298.
    private(set) var roundTrip: Span?

    /// The last packet or probe that came from there.
    var lastHeard: Instant?
    /// Whether one side was reached there before it had sent anything.
    var isOpen = false
    /// The network said that nobody reads there.
    var isHinted = false
    /// The budget had nothing left for it.
    var isRefused = false
    /// Answers probes, but seems to lose packets: until then, others come first.
    var distrustedUntil: Instant?

    init(_ candidate: RemoteCandidate, sequence: UInt64?, isVouched: Bool = false) {
        self.candidate = candidate
        self.sequence = sequence
        self.isVouched = isVouched
    }

    var route: Route { candidate.route }
    var isRelayed: Bool { candidate.route.isRelayed }
    var hasAnswered: Bool { confirmed != nil }
    /// Whether packets may go there.
    var isUsable: Bool { isVouched || hasAnswered }
    /// Nothing more is tried, and nothing came of it.
    var isGivenUp: Bool { !hasAnswered && !isWaiting && burst == nil }
    /// The last moment at which something went or came.
    var lastSign: Instant? { [lastSent, lastHeard].compactMap { $0 }.max() }

    func answers(since epoch: Instant) -> Bool { confirmed.map { $0 >= epoch } ?? false }
    func isDistrusted(_ now: Instant) -> Bool { distrustedUntil.map { now < $0 } ?? false }

    /// Begins to probe at once.
    mutating func start(now: Instant, charge: Charge?) {
        isWaiting = false
        isRefused = false
        burst = Burst(next: now, charge: hasAnswered ? nil : charge)
    }

    /// Whether a probe is due; ends a burst that has run its course.
    mutating func isDue(now: Instant, tries: Int) -> Bool {
        guard let burst, burst.next <= now else { return false }
        guard burst.tries < tries else {
            self.burst = nil
            return false
        }
        return true
    }

    /// One more probe to there.
    mutating func ping(now: Instant, random: inout RandomSource) -> Ping {
        let transaction = ProbeTransaction(using: &random)
        if pending.count >= CandidateTrial.pendingLimit { pending.removeFirst() }
        pending.append(Pending(transaction: transaction, sent: now))
        sent += 1
        unanswered += 1
        lastSent = now
        if var burst, burst.next <= now {
            // From the last one, not from the first: a late caller makes no salvo of those that it missed.
            burst.next = now + CandidateTrial.gaps[min(burst.tries, CandidateTrial.gaps.count - 1)]
            burst.tries += 1
            self.burst = burst
        }
        return Ping(transaction, .route(route))
    }

    /// Whether a transaction is one of its probes that is not answered yet.
    func awaits(_ transaction: ProbeTransaction) -> Bool { pending.contains { $0.transaction == transaction } }

    /// An answer to one of its probes; a second answer to the same changes nothing.
    mutating func answer(_ transaction: ProbeTransaction, epoch: Instant, now: Instant) -> Bool {
        guard let index = pending.firstIndex(where: { $0.transaction == transaction }) else { return false }
        confirm(sent: pending.remove(at: index).sent, epoch: epoch, now: now)
        return true
    }

    /// An answer to one of its probes came by another route.
    /// - Returns: whether it is the first one.
    mutating func echo(_ transaction: ProbeTransaction) -> Bool {
        guard let index = pending.firstIndex(where: { $0.transaction == transaction && !$0.isEchoed }) else {
            return false
        }
        pending[index].isEchoed = true
        return true
    }

    /// It answered a probe that was sent then.
    mutating func confirm(sent: Instant, epoch: Instant, now: Instant) {
        let sample = min(now.since(sent), CandidateTrial.roundTripLimit)
        if let roundTrip, answers(since: epoch) {
            self.roundTrip = Span(nanoseconds: (roundTrip.nanoseconds * 7 + sample.nanoseconds) / 8)
        } else {
            // What was measured before the route was lost says nothing about it now.
            roundTrip = sample
        }
        confirmed = max(confirmed ?? sent, sent)
        unanswered = 0
        isHinted = false
        lastHeard = now
        isWaiting = false
        burst?.answers += 1
        if let burst, burst.answers >= Burst.wanted { self.burst = nil }
    }

    private static let pendingLimit = 16
    private static let roundTripLimit = Span.seconds(10)
    /// Between one probe of a burst and the next: they leave at about 0, 100, 200, 400, 700, 1000, 1400, 1900, 2500 and
    /// 3200 ms.
    private static let gaps: [Span] = [100, 100, 200, 300, 300, 400, 500, 600, 700, 700].map { .milliseconds($0) }
}

extension RemoteCandidate {
    /// The order in which candidates are tried.
    var rank: Int {
        let isV4 = if case .v4 = route.endpoint.address { 1 } else { 0 }
        return origin.rawValue * 2 + isV4
    }
}
