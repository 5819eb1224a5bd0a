// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Traversal
internal import Wire

/// Telling each other addresses inside one session, and opening both routers at one moment where these alone don't help
/// (DCUtR). Pure.
///
/// The dialler asks for a round, the other side answers. Each begins when the answer has crossed: the dialler as it
/// comes, the other side half a round trip after it left.
struct CandidateExchange {
    enum Action: Equatable {
        case send(SessionFrame)
        case offer([RemoteCandidate])
        case punch(after: Span)
    }

    private(set) var session: SessionID?
    /// Rounds that were begun since something changed.
    private(set) var round = 0
    private var told: SessionFrame.Candidates?
    private var theirs: SessionFrame.Candidates?
    /// When the rounds began to count; `nil` until the other side told its addresses.
    private var start: Instant?
    /// When the round under way was asked for.
    private var askedAt: Instant?
    /// How often a peer may make us look somewhere.
    private var pace = Pacer(rate: 1, burst: 8)

    init(_ session: SessionID? = nil) { self.session = session }

    /// Our addresses, if they are others than those that were told.
    mutating func tell(_ mine: SessionFrame.Candidates, now: Instant) -> [Action] {
        guard session != nil, mine != told ?? SessionFrame.Candidates() else { return [] }
        told = mine
        restart(now: now)
        return [.send(.candidates(mine))]
    }

    /// The other side looks at addresses only from now on: what it was told before is lost.
    mutating func tellAgain(_ mine: SessionFrame.Candidates, now: Instant) -> [Action] {
        told = nil
        let actions = tell(mine, now: now)
        if actions.isEmpty { restart(now: now) }
        return actions
    }

    /// The other side's addresses.
    /// - Parameter isUsable: whether probes may be sent there.
    /// - Returns: `nil` when it tells too often.
    mutating func heard(
        _ candidates: SessionFrame.Candidates, now: Instant, isUsable: (Endpoint) -> Bool
    ) -> [Action]? {
        guard pace.take(1, now: now) > 0 else { return nil }
        guard candidates != theirs else { return [] }
        theirs = candidates
        start = now
        restart(now: now)
        func remote(_ endpoints: [Endpoint], _ origin: RemoteCandidate.Origin) -> [RemoteCandidate] {
            endpoints.filter(isUsable).map { RemoteCandidate(.direct($0), origin) }
        }
        let all =
            remote(candidates.mapped, .mapped) + remote(candidates.reflexive, .reflexive)
            + remote(candidates.host, .host)
        return all.isEmpty ? [] : [.offer(Array(all.prefix(SessionFrame.Candidates.limit)))]
    }

    /// Something changed: another three rounds may help.
    mutating func restart(now: Instant) {
        round = 0
        askedAt = nil
        if start != nil { start = now }
    }

    /// - Parameter needsPunch: whether we dialled, and packets don't go directly.
    mutating func advance(now: Instant, needsPunch: Bool) -> [Action] {
        guard needsPunch, let due = deadline(needsPunch: needsPunch), due <= now else { return [] }
        round += 1
        askedAt = now
        return [.send(.punch(round: round, isAnswer: false))]
    }

    func deadline(needsPunch: Bool) -> Instant? {
        guard needsPunch, session != nil, let start, round < SessionFrame.Candidates.rounds else { return nil }
        return start + Timing.punches[min(round, Timing.punches.count - 1)]
    }

    /// The other side asks for a round, or answers.
    /// - Parameter roundTrip: of the session, as far as it is known.
    /// - Returns: `nil` for what was not to be expected.
    mutating func punch(_ number: Int, isAnswer: Bool, roundTrip: Span?, now: Instant) -> [Action]? {
        guard let session else { return nil }
        if isAnswer {
            guard session.isDialled, number == round, askedAt != nil else { return nil }
            askedAt = nil
            return [.punch(after: .zero)]
        }
        guard !session.isDialled, pace.take(1, now: now) > 0 else { return nil }
        round = number
        let crossing = Span(nanoseconds: (roundTrip?.nanoseconds ?? 0) / 2)
        return [.send(.punch(round: number, isAnswer: true)), .punch(after: min(crossing, .seconds(1)))]
    }
}
