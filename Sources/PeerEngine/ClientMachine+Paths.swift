// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Traversal
internal import Wire

// By which way packets go, what else there is, and how it is told.
extension ClientMachine {
    func currentPath(of peer: PeerID) -> PathKind { paths[peer]?.kind ?? .none }

    /// Tells a path to a contact when it is another one, takes another time, or is missing for another reason. Of
    /// strangers nothing is told or kept: there is no end to them.
    /// - Parameters:
    ///   - cause: what tells this reason from others, when its words don't.
    ///   - nextTry: when it is tried again.
    mutating func setPath(
        _ peer: PeerID, _ kind: PathKind, _ reason: Reason? = nil, cause: String? = nil, roundTrip: Span? = nil,
        nextTry: Instant? = nil
    ) {
        guard contacts[peer]?.accepted == true else { return }
        let pause = nextTry.map { ($0.since(now).nanoseconds + 999_999_999) / 1_000_000_000 }
        let note = PathNote(
            kind: kind, roundTrip: roundTrip, cause: reason.map { cause ?? $0.cause.rawValue }, pause: pause)
        guard paths.updateValue(note, forKey: peer) != note else { return }
        var told = reason
        if let reason, let pause { told = Reason(reason.cause, "\(reason.text); next try in \(pause) s") }
        tell(.path(peer, kind, roundTrip: roundTrip, reason: told))
    }

    /// Tells by which way the session that counts goes.
    mutating func tellPath(of peer: PeerID) {
        guard let session = conversations[peer]?.link.currentSession else { return }
        guard let report = session.report else {
            return setPath(
                peer, .none, Reason(.unreachable, "nothing comes through by any way; looking for another"),
                cause: "lost")
        }
        let why = report.kind == .relayed ? ladder(of: peer).whyRelayed : nil
        setPath(
            peer, report.kind, why.map { Reason(.network, $0) }, cause: why, roundTrip: session.roundTrip)
    }

    // MARK: What sessions tell

    mutating func pathChanged(_ id: SessionID, _ report: PathReport?) {
        guard let peer = owners[id], let session = conversations[peer]?.link[id], !session.isDialling else { return }
        let now = now
        conversation(peer) { $0.link.setReport(report, of: id) }
        if let report, !report.route.isRelayed, report.kind != .none { noteAddress(report.route.endpoint, of: peer) }
        guard conversations[peer]?.link.current == id else { return }
        // A direct way that is gone may come again by another round.
        if session.report?.route.isRelayed == false, report?.route.isRelayed ?? true {
            conversation(peer) { $0.exchange.restart(now: now) }
        }
        tellPath(of: peer)
        if report == nil {
            // The doubt that led here may be older than what took the way, and was answered by servers before it.
            verifyServers()
            placeCalls(for: peer)
        }
        advanceExchange(with: peer)
        wayChanged(of: peer)
    }

    mutating func attempted(_ id: SessionID, _ attempts: [PathAttempt]) {
        guard let peer = owners[id] else { return }
        conversation(peer) { $0.link.setAttempts(attempts, of: id) }
        if conversations[peer]?.link.current == id, currentPath(of: peer) == .relayed {
            tellPath(of: peer)
        }
    }

    // MARK: Addresses inside sessions

    /// Whether addresses are exchanged with a peer: both sides know each other, and we hide nothing.
    private func exchanges(with peer: PeerID) -> Bool { mayTalk(to: peer) && !configuration.relayOnly }

    /// Starts over with the session that counts now.
    mutating func beginExchange(with peer: PeerID) {
        guard let session = conversations[peer]?.link.current else { return }
        if conversations[peer]?.exchange.session != session {
            conversation(peer) { $0.exchange = CandidateExchange(session) }
        }
        tellCandidates(to: peer)
    }

    mutating func tellCandidates(to peer: PeerID) {
        guard exchanges(with: peer), let session = conversations[peer]?.link.current,
            conversations[peer]?.exchange.session == session
        else { return }
        let (mine, now) = (ownCandidates, now)
        carryOut(conversation(peer) { $0.exchange.tell(mine, now: now) }, with: peer)
    }

    /// A peer that has only now let us in passed over what we told it.
    mutating func retellCandidates(to peer: PeerID) {
        guard exchanges(with: peer), let session = conversations[peer]?.link.current,
            conversations[peer]?.exchange.session == session
        else { return }
        let (mine, now) = (ownCandidates, now)
        carryOut(conversation(peer) { $0.exchange.tellAgain(mine, now: now) }, with: peer)
        advanceExchange(with: peer)
    }

    private var ownCandidates: SessionFrame.Candidates {
        let port = configuration.address.port
        let host = reachability.addresses.map { Endpoint(address: $0, port: port) }.filter {
            $0.isUnicast && !$0.isLoopback && !$0.isLinkLocalV6
        }
        var reflexive: [Endpoint] = []
        let seen = reachability.seen.map(\.endpoint) + observed.sorted { $0.key < $1.key }.map(\.value)
        for endpoint in seen where !endpoint.isLoopback && !reflexive.contains(endpoint) && !host.contains(endpoint) {
            reflexive.append(endpoint)
        }
        return SessionFrame.Candidates(
            host: host, reflexive: Array(reflexive.prefix(4)), mapped: reachability.mapped.map { [$0] } ?? [])
    }

    mutating func heard(_ candidates: SessionFrame.Candidates, on session: PeerLink.Session, from peer: PeerID) {
        guard exchanges(with: peer), conversations[peer]?.exchange.session == session.id else { return }
        let isOnLoopback = session.report?.route.endpoint.isLoopback == true && session.report?.route.isRelayed == false
        let (own, now) = (ownEndpoints, now)
        let actions = conversation(peer) {
            $0.exchange.heard(candidates, now: now) { endpoint in
                endpoint.isUsable(besides: own) && (!endpoint.isLoopback || isOnLoopback)
            }
        }
        guard let actions else { return drop(.unsolicited, nil) }
        carryOut(actions, with: peer)
        advanceExchange(with: peer)
    }

    mutating func punched(_ round: Int, isAnswer: Bool, on session: PeerLink.Session, from peer: PeerID) {
        guard exchanges(with: peer), conversations[peer]?.exchange.session == session.id else { return }
        let (roundTrip, now) = (paths[peer]?.roundTrip, now)
        let actions = conversation(peer) {
            $0.exchange.punch(round, isAnswer: isAnswer, roundTrip: roundTrip, now: now)
        }
        guard let actions else { return drop(.unsolicited, nil) }
        carryOut(actions, with: peer)
    }

    /// Whether rounds of hole punching are ours to ask for.
    private func needsPunch(_ peer: PeerID) -> Bool {
        guard exchanges(with: peer), let session = conversations[peer]?.link.currentSession else { return false }
        return session.id.isDialled && session.report?.route.isRelayed == true
    }

    func exchangeDeadline(of peer: PeerID) -> Instant? {
        conversations[peer]?.exchange.deadline(needsPunch: needsPunch(peer))
    }

    mutating func advanceExchange(with peer: PeerID) {
        guard conversations[peer] != nil else { return }
        let (needsPunch, now) = (needsPunch(peer), now)
        carryOut(conversation(peer) { $0.exchange.advance(now: now, needsPunch: needsPunch) }, with: peer)
    }

    private mutating func carryOut(_ actions: [CandidateExchange.Action], with peer: PeerID) {
        guard let session = conversations[peer]?.exchange.session else { return }
        for action in actions {
            switch action {
            case .send(let frame): send([frame], on: session, to: peer)
            case .offer(let candidates): order(.offer(session, candidates, sequence: 0))
            case .punch(let span): order(.punch(session, after: span))
            }
        }
    }

    // MARK: The ladder

    func ladder(of peer: PeerID) -> Ladder {
        let conversation = conversations[peer]
        let session = conversation?.link.currentSession ?? conversation?.link.sessions.last
        let outcomes = calls.outcomes(of: peer)
        let isRetry = conversation.map { $0.link.failures > 0 && $0.link.current == nil } ?? false
        return Ladder(
            search: search(for: peer, again: isRetry),
            hasIndex: configuration.hasIndex || !servers.isEmpty, isRelayOnly: configuration.relayOnly,
            isTrying: session != nil, isRetry: isRetry, report: session?.report,
            attempts: (isRetry ? nil : session?.attempts) ?? conversation?.link.lastAttempts ?? [],
            rounds: conversation?.exchange.round ?? 0,
            calls: servers.compactMap { server in
                outcomes[server.link.server].map { (name: server.name, outcome: $0) }
            },
            hasServer: servers.contains { $0.link.lease != nil }, asked: askedRelays(for: peer),
            via: relayName(to: peer), reachability: reachability)
    }

    private func search(for peer: PeerID, again: Bool) -> Ladder.Search {
        let last = conversations[peer]?.search ?? .notAsked
        guard lookups[peer] != nil else { return last }
        return switch last {
        case .failed(let reason): .askingAgain(reason)
        case .found where again: last
        default: .asking
        }
    }

    mutating func watch(_ peer: PeerID?) {
        watched = peer.map { Watch(peer: $0) }
    }

    /// Tells the ladder that is watched, if it is another one and it is time.
    mutating func tellLadder() {
        guard var watch = watched else { return }
        let steps = ladder(of: watch.peer).steps
        guard steps != watch.told else {
            watched?.isDue = false
            return
        }
        watch.isDue = true
        if watch.toldAt.map({ now.since($0) >= Timing.ladder }) ?? true {
            watch.isDue = false
            watch.told = steps
            watch.toldAt = now
            tell(.ladder(watch.peer, steps))
        }
        watched = watch
    }
}

/// Whose ladder is told, and what was told of it.
struct Watch: Sendable {
    var peer: PeerID
    var told: [LadderStep]?
    var toldAt: Instant?
    /// Whether there is news that had to wait.
    var isDue = false

    var deadline: Instant? { isDue ? toldAt.map { $0 + Timing.ladder } : nil }
}
