// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Relaying
internal import Traversal
internal import Wire

// Contacts as relays: offering to be one.
extension ClientMachine {
    /// What others may expect of us.
    var passing: Reachability.Passing {
        guard !switchedOff.contains(.relay) else { return .off }
        return relayObstacle.map { .withheld($0) } ?? .offered(pairs: desk.pairs)
    }

    var isRelaying: Bool { if case .offered = passing { true } else { false } }

    /// Why not everybody gets through to us, as one clause.
    private var relayObstacle: String? {
        if configuration.relayOnly { return "your address is hidden" }
        if reachability.udpBlocked { return "this network lets no UDP through" }
        if let mapped = reachability.mapped, !mapped.isLocal { return nil }
        switch reachability.mapping {
        case .none:
            let isPublic = reachability.seen.contains { !$0.endpoint.isLocal }
            return isPublic ? nil : "nobody outside this network is known to get through to you"
        case .unknown: return "it is not known yet whether others get through to you"
        case .endpointIndependent, .destinationDependent:
            return "your router lets nobody in unasked, and opened no port"
        }
    }

    mutating func setRelaying(_ on: Bool) {
        noteReachability()
        guard on else { return }
        // Short enough for one line of a terminal.
        let meaning = "Contacts may now reach each other through you: you see who, never what."
        tell(.notice(relayObstacle.map { "Not offered yet: \($0)." } ?? meaning, about: nil))
    }

    /// Everybody who was told otherwise hears what is so now.
    mutating func tellRelaying() {
        if !isRelaying { finish(desk.closeAll(), "it does not pass on any more") }
        for peer in conversations.keys.sorted() { sayRelaying(to: peer) }
    }

    mutating func sayRelaying(to peer: PeerID) {
        guard mayTalk(to: peer), let session = conversations[peer]?.link.currentSession,
            session.isToldRelaying != isRelaying
        else { return }
        let isRelaying = isRelaying
        conversation(peer) { $0.link.noteRelaying(isRelaying, on: session.id) }
        send([.relaying(isRelaying)], on: session.id, to: peer)
    }

    /// A peer that has only now let us in passed over what we told it.
    mutating func saySoAgain(to peer: PeerID) {
        guard let session = conversations[peer]?.link.current else { return }
        conversation(peer) { $0.link.noteRelaying(false, on: session) }
        sayRelaying(to: peer)
    }

    mutating func forgetRelays(of peer: PeerID) {
        relaying.remove(peer)
        errands.forget(peer)
        guard desk.pairs > 0 || !desk.waiting.isEmpty else { return }
        desk.forget(peer)
        noteReachability()
    }

    /// Whether a session is wanted for the sake of others, or of a session with others.
    func isNeededToRelay(_ peer: PeerID) -> Bool { desk.awaits(peer) || errands.needs(peer) }

    /// The session with a contact, if no relay stands between.
    private func directSession(with peer: PeerID) -> SessionID? {
        guard mayTalk(to: peer), let session = conversations[peer]?.link.currentSession, session.endpoint != nil else {
            return nil
        }
        return session.id
    }

    mutating func receive(_ relay: SessionFrame.Relay, on session: PeerLink.Session, from peer: PeerID) {
        switch relay {
        case .wanted(let target): wanted(target, by: peer)
        case .opened(let target, let channel): answered(.open(channel), by: peer, for: target)
        case .refused(let target, let reason): answered(.refused(reason), by: peer, for: target)
        case .offered(let caller, let channel): offered(channel, by: peer, on: session, from: caller)
        }
    }

    /// A peer is reached by another way than before, or a session with it is a new one.
    mutating func wayChanged(of peer: PeerID) {
        serveWaiting()
        advanceRelays(for: peer)
        for other in errands.peers(by: peer) { advanceRelays(for: other) }
    }

    /// A session is gone, and what passed through it.
    mutating func relaysEnded(_ session: SessionID, of peer: PeerID) {
        if desk.pairs > 0 {
            desk.ended(session)
            noteReachability()
        }
        if conversations[peer]?.link.isEmpty != false { relayMissed(peer) }
        for other in errands.peers(by: peer) { advanceRelays(for: other) }
    }

    /// A contact does not pass on to anybody now.
    mutating func relayMissed(_ peer: PeerID) {
        errands.lost(peer, now: now)
        for other in errands.peers(by: peer) {
            verify(other)
            advanceRelays(for: other)
        }
    }

    /// Is the other side still there? What was lost shows sooner then.
    private mutating func verify(_ peer: PeerID) {
        if let session = conversations[peer]?.link.current { order(.probe(session)) }
    }
}

// MARK: - For others

extension ClientMachine {
    private mutating func wanted(_ target: PeerID, by asker: PeerID) {
        let now = now
        guard conversation(asker, { $0.askPace.take(1, now: now) }) > 0 else { return drop(.unsolicited, nil) }
        guard isRelaying else { return refuse(asker, target, "it passes nothing on now") }
        guard target != asker, target.isKeyed, mayTalk(to: target) else {
            return refuse(asker, target, "it has no such contact")
        }
        guard !serve(asker, target) else { return }
        if let reason = desk.wait(asker, for: target, now: now) { return refuse(asker, target, reason) }
        conversation(target) { _ in }
        if conversations[target]?.link.isEmpty == true { hurry(target) }
    }

    private mutating func refuse(_ asker: PeerID, _ target: PeerID, _ reason: String) {
        send(.relay(.refused(to: target, reason: reason)), to: asker)
    }

    /// Opens a channel, if both can be reached without a relay.
    /// - Returns: whether the ask has its answer.
    private mutating func serve(_ asker: PeerID, _ target: PeerID) -> Bool {
        guard let one = directSession(with: asker), let other = directSession(with: target) else { return false }
        let pair = PeerPair(asker, target)
        let ends = pair.first == asker ? RelayDesk.Ends(first: one, second: other) : .init(first: other, second: one)
        guard let (channel, isNews) = desk.open(pair, by: asker, between: ends, now: now, using: &random) else {
            refuse(asker, target, "it passes on for too many already")
            return true
        }
        if isNews { order(.pass(channel, between: ends.first, and: ends.second)) }
        send([.relay(.opened(to: target, channel))], on: one, to: asker)
        send([.relay(.offered(from: asker, channel))], on: other, to: target)
        if isNews { noteReachability() }
        return true
    }

    private mutating func serveWaiting() {
        for ask in desk.waiting where serve(ask.asker, ask.target) { desk.settle(ask.asker, for: ask.target) }
    }

    mutating func advanceDesk() {
        guard let deadline = desk.deadline, deadline <= now else { return }
        finish(desk.expire(now: now), "it can't reach the other side")
        noteReachability()
    }

    private mutating func finish(_ over: (asks: [RelayDesk.Ask], channels: [RelayChannel]), _ reason: String) {
        for ask in over.asks { refuse(ask.asker, ask.target, reason) }
        for channel in over.channels { order(.stopPassing(channel)) }
    }
}

// MARK: - For us

extension ClientMachine {
    mutating func heardRelaying(_ on: Bool, from peer: PeerID) {
        let now = now
        guard conversation(peer, { $0.offerPace.take(1, now: now) }) > 0 else { return drop(.unsolicited, nil) }
        noteRelaying(on, of: peer)
        if !on { relayMissed(peer) }
    }

    /// What a contact said of itself.
    mutating func noteRelaying(_ on: Bool, of peer: PeerID) {
        conversation(peer) { $0.relays = on }
        guard mayTalk(to: peer) else { return }
        if on { relaying.insert(peer) } else { relaying.remove(peer) }
        change(peer) { $0.relays = on }
    }

    /// Where contacts that pass on send from: at any of their ways, since each side chooses its own.
    var contactRelays: Set<Endpoint> {
        guard !relaying.isEmpty, !configuration.relayOnly else { return [] }
        var endpoints: Set<Endpoint> = []
        for peer in relaying {
            guard mayTalk(to: peer), let session = conversations[peer]?.link.currentSession else { continue }
            if let endpoint = session.endpoint { endpoints.insert(endpoint) }
            for attempt in session.attempts {
                if case (.direct(let endpoint), .answered) = (attempt.candidate.route, attempt.state) {
                    endpoints.insert(endpoint)
                }
            }
        }
        return endpoints
    }

    /// Who may be asked to pass on to a peer: those first with whom there is a session.
    private func relays(for peer: PeerID) -> [PeerID] {
        let all = contacts.all.filter { $0.relays && $0.peer != peer && mayTalk(to: $0.peer) }.map(\.peer)
        return all.filter { directSession(with: $0) != nil } + all.filter { directSession(with: $0) == nil }
    }

    /// The session that a way is sought for: one that is dialled, or has none any more.
    private func apartSession(of peer: PeerID) -> PeerLink.Session? {
        guard let link = conversations[peer]?.link else { return nil }
        if let current = link.currentSession { return current.isLost ? current : nil }
        return link.sessions.last { $0.isDialling }
    }

    private func way(to peer: PeerID) -> RelayErrands.Way {
        guard let session = conversations[peer]?.link.currentSession, let report = session.report else {
            return isSought(peer) ? .apart(isTrying: apartSession(of: peer) != nil) : .unwanted
        }
        if case .relayed(_, let channel) = report.route { return .relayed(channel) }
        return .direct
    }

    /// When somebody may be asked to pass on to a peer: a moment after it was dialled without an answer, or at once
    /// when the way of a session is lost. Nobody is asked so that somebody else can be asked.
    private func nextErrand(for peer: PeerID) -> (at: Instant, relays: [PeerID])? {
        guard !configuration.relayOnly, isSought(peer), let session = apartSession(of: peer),
            !(session.isDialling && session.hasAnswer)
        else { return nil }
        let start = session.isDialling ? session.cameUp + Timing.relayAsk : Instant(nanoseconds: 0)
        let moments = relays(for: peer).compactMap { relay in
            errands.mayBegin(relay, for: peer).map { (relay: relay, at: max(start, $0)) }
        }
        guard let first = moments.map(\.at).min() else { return nil }
        return (first, moments.filter { $0.at <= max(first, now) }.map(\.relay))
    }

    func relayDeadline(of peer: PeerID) -> Instant? {
        [nextErrand(for: peer)?.at, errands.deadline(of: peer)].compactMap { $0 }.min()
    }

    mutating func advanceRelays(for peer: PeerID) {
        errands.settle(peer, way(to: peer), now: now)
        if let next = nextErrand(for: peer), next.at <= now {
            for relay in next.relays where errands.mayBegin(relay, for: peer) != nil {
                errands.begin(relay, for: peer, now: now)
                conversation(relay) { _ in }
            }
        }
        let asked = errands.errands(for: peer).map(\.relay)
        let sessions = asked.reduce(into: [:]) { $0[$1] = directSession(with: $1) }
        for ask in errands.due(for: peer, by: sessions, now: now) {
            send([.relay(.wanted(to: peer))], on: ask.session, to: ask.relay)
        }
        for relay in asked where sessions[relay] == nil && errands.needs(relay) { seek(relay) }
    }

    /// Whoever waits for the one behind a contact waits for the contact.
    private mutating func seek(_ relay: PeerID) {
        guard conversations[relay]?.link.isEmpty == true, lookups[relay] == nil else { return }
        hurry(relay)
    }

    private mutating func answered(_ outcome: RelayErrands.Outcome, by relay: PeerID, for peer: PeerID) {
        guard errands.answered(by: relay, for: peer, outcome, now: now) else { return drop(.unsolicited, nil) }
        if case .open(let channel) = outcome { take(channel, by: relay, to: peer) }
        advanceRelays(for: peer)
    }

    /// Somebody wants to reach us through a contact. Of strangers nothing is noted: what they send comes all the same.
    private mutating func offered(
        _ channel: RelayChannel, by relay: PeerID, on session: PeerLink.Session, from caller: PeerID
    ) {
        let now = now
        guard !configuration.relayOnly, session.endpoint != nil, caller != relay, mayTalk(to: caller),
            conversation(relay, { $0.offerPace.take(1, now: now) }) > 0,
            errands.noteOffer(channel, by: relay, for: caller, now: now)
        else { return drop(.unsolicited, nil) }
        conversation(caller) { _ in }
        take(channel, by: relay, to: caller)
        advanceRelays(for: caller)
    }

    /// Uses a channel for a session that has no way. One that has needs none, and nobody shall draw it to itself by a
    /// word.
    private mutating func take(_ channel: RelayChannel, by relay: PeerID, to peer: PeerID) {
        guard let candidate = candidate(channel, by: relay) else { return }
        if let session = apartSession(of: peer) {
            order(.offer(session.id, [candidate], sequence: 0))
        } else if isSought(peer), conversations[peer]?.link.isEmpty == true {
            hurry(peer)
        }
    }

    private func candidate(_ channel: RelayChannel, by relay: PeerID) -> RemoteCandidate? {
        guard let endpoint = conversations[relay]?.link.currentSession?.endpoint, isUsable(endpoint) else { return nil }
        return RemoteCandidate(.relayed(by: endpoint, channel), .relayed)
    }

    /// What contacts have open for a peer.
    func relayCandidates(of peer: PeerID) -> [RemoteCandidate] {
        errands.errands(for: peer).compactMap { errand in
            if case .open(let channel) = errand.outcome { candidate(channel, by: errand.relay) } else { nil }
        }
    }

    /// A way through a contact is in doubt: perhaps our outer port is another one, which the contact has to learn.
    mutating func verifyRelay(to peer: PeerID) {
        if let relay = relayInUse(to: peer) { verify(relay) }
    }

    private func relayInUse(to peer: PeerID) -> PeerID? {
        if case .relayed(let channel) = way(to: peer) { errands.relay(of: channel, for: peer) } else { nil }
    }

    // MARK: For people

    func askedRelays(for peer: PeerID) -> [(name: String, outcome: RelayErrands.Outcome)] {
        errands.errands(for: peer).map { (contacts[$0.relay]?.label ?? $0.relay.shortDigits, $0.outcome) }
    }

    /// The contact that passes on to a peer.
    func relayName(to peer: PeerID) -> String? { relayInUse(to: peer).flatMap { contacts[$0]?.label } }
}
