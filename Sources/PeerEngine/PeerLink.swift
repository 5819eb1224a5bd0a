// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Traversal

/// The sessions with one peer: which of them counts, and when the next one is tried. Pure.
struct PeerLink {
    enum Phase: Equatable {
        case dialling([RemoteCandidate])
        /// Up; the other side has to greet until then.
        case greeting(until: Instant)
        case settled(instance: UInt64)
    }

    struct Session {
        let id: SessionID
        var phase: Phase
        /// What our probes are called by while it is dialled.
        var reference: UInt64?
        /// The way that its packets take; `nil` while none is known to work.
        var report: PathReport?
        /// How long that way takes, once it is known; it may be before the session counts.
        var roundTrip: Span?
        /// What became of each way.
        var attempts: [PathAttempt] = []
        var binding: [UInt8] = []
        var cameUp: Instant
        /// When a frame last came or went.
        var lastUse: Instant
        /// Whether a message was dropped on it: those behind it must not overtake it.
        var isLossy = false
        /// Whether the other side was told that we pass on.
        var isToldRelaying = false

        /// The ways by which it is dialled.
        var dialled: [RemoteCandidate] {
            if case .dialling(let candidates) = phase { candidates } else { [] }
        }
        var instance: UInt64? { if case .settled(let instance) = phase { instance } else { nil } }
        var isSettled: Bool { instance != nil }
        /// Whether it is up, and nothing comes through.
        var isLost: Bool { !isDialling && report == nil }
        /// Where the other side is, if no relay stands between.
        var endpoint: Endpoint? { report.flatMap { $0.route.isRelayed ? nil : $0.route.endpoint } }
        /// Whether any of its ways answered.
        var hasAnswer: Bool { attempts.contains { if case .answered = $0.state { true } else { false } } }
        var isDialling: Bool { if case .dialling = phase { true } else { false } }
    }

    /// A session to be closed, and what the other side is told.
    struct Closing: Equatable {
        var id: SessionID
        var code: SessionCloseCode
    }

    /// Sessions of one peer that may be up without a greeting.
    static let greetingLimit = 4

    /// Whether our peer ID is the lower one.
    let isLower: Bool
    private(set) var sessions: [Session] = []
    /// The session that we send on.
    private(set) var current: SessionID?
    private(set) var failures = 0
    private(set) var nextTry = Instant(nanoseconds: 0)
    /// Whether index servers were asked for this try already: once is enough, however many hints come that nobody reads
    /// where we dial.
    private(set) var isSearched = false
    /// When a session was last settled.
    private(set) var lastUp: Instant?

    init(isLower: Bool) { self.isLower = isLower }

    subscript(id: SessionID) -> Session? { sessions.first { $0.id == id } }

    var currentSession: Session? { current.flatMap { self[$0] } }
    var isEmpty: Bool { sessions.isEmpty }
    /// Where we are dialling.
    var dialled: [Endpoint] { sessions.flatMap { $0.dialled.map(\.route.endpoint) } }
    /// The session that is being dialled.
    var dialling: SessionID? { sessions.last { $0.isDialling }?.id }
    /// What became of the ways of the session that ended last.
    private(set) var lastAttempts: [PathAttempt] = []

    // MARK: Life of a session

    mutating func dial(_ id: SessionID, at candidates: [RemoteCandidate], reference: UInt64? = nil, now: Instant) {
        sessions.append(
            Session(id: id, phase: .dialling(candidates), reference: reference, cameUp: now, lastUse: now))
    }

    /// Further ways to a session that is being dialled.
    /// - Returns: those that are new.
    mutating func offer(_ candidates: [RemoteCandidate], to id: SessionID) -> [RemoteCandidate] {
        guard let index = sessions.firstIndex(where: { $0.id == id }) else { return [] }
        let known = sessions[index].dialled
        let new = candidates.filter { candidate in !known.contains { $0.route == candidate.route } }
        if sessions[index].isDialling { sessions[index].phase = .dialling(known + new) }
        return new
    }

    mutating func setReport(_ report: PathReport?, of id: SessionID) {
        guard let index = sessions.firstIndex(where: { $0.id == id }) else { return }
        if sessions[index].report?.route != report?.route { sessions[index].roundTrip = nil }
        sessions[index].roundTrip = report?.roundTrip ?? sessions[index].roundTrip
        sessions[index].report = report
    }

    mutating func setRoundTrip(_ span: Span, of id: SessionID) {
        if let index = sessions.firstIndex(where: { $0.id == id }) { sessions[index].roundTrip = span }
    }

    mutating func setAttempts(_ attempts: [PathAttempt], of id: SessionID) {
        if let index = sessions.firstIndex(where: { $0.id == id }) { sessions[index].attempts = attempts }
    }

    /// A session came up and waits for the greeting.
    /// - Returns: the sessions that have to make room for it.
    mutating func cameUp(_ id: SessionID, at route: Route, binding: [UInt8], now: Instant) -> [Closing] {
        let attempts = self[id]?.attempts ?? []
        isSearched = false
        sessions.removeAll { $0.id == id }
        sessions.append(
            Session(
                id: id, phase: .greeting(until: now + Timing.greeting),
                report: PathReport(route, route.isRelayed ? .relayed : route.isLocal ? .lan : .direct),
                attempts: attempts, binding: binding, cameUp: now, lastUse: now))
        let ungreeted = sessions.filter { if case .greeting = $0.phase { true } else { false } }
        return ungreeted.dropLast(PeerLink.greetingLimit).map { Closing(id: $0.id, code: .busy) }
    }

    /// The other side's greeting arrived: the session is settled, and one of two settled ones stays.
    mutating func greeted(_ id: SessionID, instance: UInt64, now: Instant) -> [Closing] {
        guard let index = sessions.firstIndex(where: { $0.id == id }), !sessions[index].isSettled else { return [] }
        sessions[index].phase = .settled(instance: instance)
        let session = sessions[index]
        lastUp = now
        var closings: [Closing] = []
        for other in sessions where other.id != id && other.isSettled {
            let loser = loser(between: session, other)
            closings.append(Closing(id: loser, code: .superseded))
            guard loser != id else { return closings }
        }
        current = id
        return closings
    }

    /// Which of two settled sessions goes: that of a run that is over, the older one, or, when both sides dialled at
    /// once, the one whose client has the higher peer ID; both sides come to the same answer.
    private func loser(between new: Session, _ old: Session) -> SessionID {
        guard new.instance == old.instance, new.id.isDialled != old.id.isDialled else { return old.id }
        let apart = max(new.cameUp.since(old.cameUp), old.cameUp.since(new.cameUp))
        guard apart < Timing.simultaneous else { return old.id }
        return new.id.isDialled == isLower ? old.id : new.id
    }

    /// A session ended.
    /// - Returns: it, and whether it was the one that we send on; another settled one takes its place.
    mutating func ended(_ id: SessionID, now: Instant) -> (session: Session, wasCurrent: Bool)? {
        guard let index = sessions.firstIndex(where: { $0.id == id }) else { return nil }
        let session = sessions.remove(at: index)
        lastAttempts = session.attempts
        if sessions.isEmpty { isSearched = false }
        if session.isSettled {
            lastUp = now
            if now.since(session.cameUp) >= Timing.steady { failures = 0 }
        }
        guard current == id else { return (session, false) }
        current = sessions.last { $0.isSettled }?.id
        return (session, true)
    }

    mutating func use(_ id: SessionID, now: Instant) {
        if let index = sessions.firstIndex(where: { $0.id == id }) { sessions[index].lastUse = now }
    }

    mutating func noteRelaying(_ isTold: Bool, on id: SessionID) {
        if let index = sessions.firstIndex(where: { $0.id == id }) { sessions[index].isToldRelaying = isTold }
    }

    mutating func noteLoss(on id: SessionID) {
        if let index = sessions.firstIndex(where: { $0.id == id }) { sessions[index].isLossy = true }
    }

    // MARK: Time

    /// Sessions whose time is over.
    /// - Parameters:
    ///   - isWanted: whether we have a use for one.
    ///   - isStranger: whose sessions go when they are idle, whoever dialled.
    func expired(now: Instant, isWanted: Bool, isStranger: Bool) -> [Closing] {
        sessions.compactMap { session in
            guard let end = end(of: session, isWanted: isWanted, isStranger: isStranger), end <= now else { return nil }
            return Closing(id: session.id, code: session.isSettled ? .done : .protocolViolation)
        }
    }

    /// When `expired` has something to say.
    func expiry(isWanted: Bool, isStranger: Bool) -> Instant? {
        sessions.compactMap { end(of: $0, isWanted: isWanted, isStranger: isStranger) }.min()
    }

    /// Whoever dialled closes when idle: the other side may still want it, and can't know.
    private func end(of session: Session, isWanted: Bool, isStranger: Bool) -> Instant? {
        switch session.phase {
        case .dialling: return nil
        case .greeting(let until): return until
        case .settled:
            guard !isWanted, session.id.isDialled || isStranger else { return nil }
            return session.lastUse + Timing.idle
        }
    }

    /// Nothing came of the last try.
    /// - Parameter isUrgent: whether somebody waits at the screen, or the peer was there a while ago.
    mutating func postpone(isUrgent: Bool, now: Instant, using random: inout RandomSource) {
        let limit = isUrgent ? Timing.urgentRetry : Timing.idleRetry
        let doubled = Timing.firstRetry.nanoseconds << UInt64(min(failures, 10))
        let pause = min(doubled, limit.nanoseconds)
        failures += 1
        isSearched = false
        nextTry = now + Span(nanoseconds: pause - UInt64.random(in: 0...pause / 3, using: &random))
    }

    /// Index servers were asked where the peer is.
    mutating func noteSearch() { isSearched = true }

    /// A better address is tried although a pause was due.
    mutating func tried(now: Instant) { nextTry = max(nextTry, now) }

    /// Somebody waits: tries now, and soon again.
    mutating func hurry(now: Instant) {
        failures = 0
        nextTry = now
    }
}
