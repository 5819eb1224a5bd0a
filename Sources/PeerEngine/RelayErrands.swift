// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

/// What contacts are asked to pass on for us, by whom it is for. Pure.
///
/// A channel is asked for again for as long as it carries a session of ours, so that whoever passes on neither forgets
/// it nor lets the session with us go.
struct RelayErrands {
    enum Outcome: Equatable {
        case asking
        case open(RelayChannel)
        /// One clause of who was asked.
        case refused(String)
        case noAnswer
    }

    /// By which way we reach the one that an errand is for.
    enum Way: Equatable {
        case direct
        case relayed(RelayChannel)
        /// By none; whether a session is being tried, or has lost its way.
        case apart(isTrying: Bool)
        /// By none, and we want nothing of it.
        case unwanted
    }

    struct Errand: Equatable {
        /// Who is asked.
        let relay: PeerID
        fileprivate(set) var outcome = Outcome.asking
        fileprivate let startedAt: Instant
        /// The session by which the ask left last, and when.
        fileprivate var sent: Sent?
        /// Whether the last ask has no answer yet.
        fileprivate var isAwaited = false
        fileprivate var isInUse = false
        fileprivate var isNeeded = false
        /// When it came to nothing.
        fileprivate var endedAt: Instant?

        fileprivate struct Sent: Equatable {
            var session: SessionID
            var at: Instant
        }

        fileprivate var isOver: Bool { endedAt != nil }

        fileprivate mutating func take(_ new: Outcome, now: Instant) {
            outcome = new
            switch new {
            case .asking, .open: endedAt = nil
            case .refused, .noAnswer: (endedAt, isNeeded, isInUse) = (now, false, false)
            }
        }
        /// When the ask leaves again, if its session stays.
        fileprivate var repeatAt: Instant? {
            guard let sent else { return nil }
            if case .open = outcome { return sent.at + (isInUse ? Timing.relayRepeat : Timing.relayPause) }
            return nil
        }
    }

    /// Contacts that are asked for one peer at a time.
    static let limit = 2

    private var errands: [PeerID: [Errand]] = [:]

    func errands(for peer: PeerID) -> [Errand] { errands[peer] ?? [] }

    /// Whom somebody was asked to pass on to.
    func peers(by relay: PeerID) -> [PeerID] {
        errands.filter { $0.value.contains { $0.relay == relay } }.keys.sorted()
    }

    /// Whether a session with a contact is wanted for it to pass on.
    func needs(_ relay: PeerID) -> Bool { errands.values.contains { $0.contains { $0.relay == relay && $0.isNeeded } } }

    /// Whose channel that is.
    func relay(of channel: RelayChannel, for peer: PeerID) -> PeerID? {
        errands[peer]?.first { $0.outcome == .open(channel) }?.relay
    }

    // MARK: Asking

    /// When a contact may be asked to pass on to a peer; `nil` while it is, or others are.
    func mayBegin(_ relay: PeerID, for peer: PeerID) -> Instant? {
        let all = errands(for: peer)
        guard all.count(where: { !$0.isOver }) < RelayErrands.limit else { return nil }
        guard let last = all.first(where: { $0.relay == relay }) else { return Instant(nanoseconds: 0) }
        return last.endedAt.map { $0 + Timing.relayPause }
    }

    mutating func begin(_ relay: PeerID, for peer: PeerID, now: Instant) {
        put(Errand(relay: relay, startedAt: now, isNeeded: true), for: peer)
    }

    /// A contact passes on from a peer, which asked for it.
    /// - Returns: whether there is room to note it.
    mutating func noteOffer(_ channel: RelayChannel, by relay: PeerID, for peer: PeerID, now: Instant) -> Bool {
        if let index = errands[peer]?.firstIndex(where: { $0.relay == relay && !$0.isOver }) {
            errands[peer]?[index].take(.open(channel), now: now)
            return true
        }
        guard errands(for: peer).count(where: { !$0.isOver }) < RelayErrands.limit else { return false }
        put(Errand(relay: relay, outcome: .open(channel), startedAt: now), for: peer)
        return true
    }

    private mutating func put(_ errand: Errand, for peer: PeerID) {
        errands[peer, default: []].removeAll { $0.relay == errand.relay }
        errands[peer]?.append(errand)
    }

    /// Takes an answer.
    /// - Returns: whether it was waited for.
    mutating func answered(by relay: PeerID, for peer: PeerID, _ outcome: Outcome, now: Instant) -> Bool {
        guard let index = errands[peer]?.firstIndex(where: { $0.relay == relay && $0.isAwaited }) else { return false }
        errands[peer]?[index].take(outcome, now: now)
        errands[peer]?[index].isAwaited = false
        return true
    }

    /// The asks that are due.
    /// - Parameter sessions: those with contacts by which no relay stands.
    mutating func due(
        for peer: PeerID, by sessions: [PeerID: SessionID], now: Instant
    ) -> [(relay: PeerID, session: SessionID)] {
        var asks: [(relay: PeerID, session: SessionID)] = []
        for (index, errand) in errands(for: peer).enumerated() where errand.isNeeded {
            guard let id = sessions[errand.relay] else {
                errands[peer]?[index].sent = nil
                continue
            }
            if errand.sent?.session == id {
                guard let again = errand.repeatAt, again <= now else { continue }
            }
            errands[peer]?[index].sent = .init(session: id, at: now)
            errands[peer]?[index].isAwaited = true
            asks.append((errand.relay, id))
        }
        return asks
    }

    // MARK: What becomes of them

    /// What is still needed, by the way that a peer is reached now.
    mutating func settle(_ peer: PeerID, _ way: Way, now: Instant) {
        guard var all = errands[peer] else { return }
        for index in all.indices {
            if all[index].outcome == .asking, all[index].startedAt + Timing.relayAnswer <= now {
                all[index].take(.noAnswer, now: now)
            }
            let wasInUse = all[index].isInUse
            switch (way, all[index].outcome) {
            case (.relayed(let used), .open(let its)) where used == its:
                (all[index].isInUse, all[index].isNeeded) = (true, true)
            case (.apart(let isTrying), .open): (all[index].isInUse, all[index].isNeeded) = (false, isTrying)
            case (.apart, .asking): all[index].isNeeded = true
            default: (all[index].isInUse, all[index].isNeeded) = (false, false)
            }
            // It carries nothing any more: perhaps it is forgotten there.
            if wasInUse, !all[index].isInUse { all[index].sent = nil }
        }
        all.removeAll { isDone($0, way, now) }
        errands[peer] = all.isEmpty ? nil : all
    }

    /// Whether there is nothing to be known of it any more. What was offered is used in a moment.
    private func isDone(_ errand: Errand, _ way: Way, _ now: Instant) -> Bool {
        switch way {
        case .apart: false
        case .relayed: !errand.isInUse
        case .direct, .unwanted: errand.isOver || errand.startedAt + Timing.relayRepeat <= now
        }
    }

    /// Nobody answers at a contact: what it was asked for is asked of others.
    mutating func lost(_ relay: PeerID, now: Instant) {
        for (peer, all) in errands {
            for index in all.indices where all[index].relay == relay && !all[index].isOver {
                errands[peer]?[index].take(.noAnswer, now: now)
                errands[peer]?[index].isAwaited = false
            }
        }
    }

    mutating func forget(_ peer: PeerID) {
        errands[peer] = nil
        for other in errands.keys { errands[other]?.removeAll { $0.relay == peer } }
    }

    /// When `settle` or `due` has something to say of a peer by time alone.
    func deadline(of peer: PeerID) -> Instant? {
        errands(for: peer).compactMap { errand in
            if errand.outcome == .asking { return errand.startedAt + Timing.relayAnswer }
            return errand.isNeeded ? errand.repeatAt : nil
        }.min()
    }
}
