// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Traversal
internal import Wire

// Sessions: when they are wanted, how they are tried, which one counts.
extension ClientMachine {
    /// Sessions of strangers at once, at most; the one that was idle longest makes room.
    static let strangerSessions = 32

    /// Whether anything may be said to a peer by ourselves.
    func mayTalk(to peer: PeerID) -> Bool {
        guard let contact = contacts[peer] else { return false }
        return contact.accepted && !contact.blocked && contact.alarm == nil
    }

    /// Whether there is a use for a session: packets flow only where there is a conversation.
    func isWanted(_ peer: PeerID) -> Bool {
        isSought(peer) || conversations[peer] != nil && mayTalk(to: peer) && isNeededToRelay(peer)
    }

    /// Whether it is wanted for the peer's own sake.
    func isSought(_ peer: PeerID) -> Bool {
        guard let conversation = conversations[peer], mayTalk(to: peer) else { return false }
        return !conversation.outbox.isEmpty || opened == peer || conversation.introduces
    }

    // MARK: Time

    func deadline(of peer: PeerID) -> Instant? {
        guard let conversation = conversations[peer] else { return nil }
        let isWanted = isWanted(peer)
        var times = [
            conversation.link.expiry(isWanted: isWanted, isStranger: contacts[peer]?.accepted != true),
            conversation.typingUntil, exchangeDeadline(of: peer), callDeadline(of: peer),
            relayDeadline(of: peer),
        ]
        if conversation.link.current != nil { times.append(conversation.outbox.deadline) }
        if isWanted, mayTry(peer) { times.append(conversation.link.nextTry) }
        return times.compactMap { $0 }.min()
    }

    mutating func advanceConversation(with peer: PeerID) {
        guard let conversation = conversations[peer] else { return }
        let isStranger = contacts[peer]?.accepted != true
        for closing in conversation.link.expired(now: now, isWanted: isWanted(peer), isStranger: isStranger) {
            close(closing.id, closing.code)
        }
        if let until = conversation.typingUntil, until <= now { setTyping(peer, false) }
        repeatOverdue(peer)
        advanceExchange(with: peer)
        placeCalls(for: peer)
        advanceRelays(for: peer)
        pursue(peer)
    }

    // MARK: Trying

    /// Tries to reach a peer if there is a use for it and it is time.
    mutating func pursue(_ peer: PeerID) {
        guard isWanted(peer), mayTry(peer), let link = conversations[peer]?.link, link.nextTry <= now else { return }
        let isCertain = link.failures == 0 && book.endpoint(of: peer, now: now) != nil
        if let key = knownKey(of: peer), canDial(peer) {
            if isCertain { tell(.lookup(peer, .cache, found: true, took: .zero)) }
            dial(peer, key)
            if isCertain { return }
        }
        search(peer)
    }

    /// Asks where a peer is, for the try that is under way.
    private mutating func search(_ peer: PeerID) {
        conversation(peer) { $0.link.noteSearch() }
        startLookup(peer)
        advanceLookup(of: peer)
    }

    /// A hint that nobody reads where a peer is dialled: it may be elsewhere. Each probe may bring one, and a try is
    /// worth one question.
    mutating func doubt(_ endpoint: Endpoint) {
        for peer in conversations.keys.sorted() {
            guard let link = conversations[peer]?.link, !link.isSearched, link.dialled.contains(endpoint) else {
                continue
            }
            search(peer)
        }
    }

    /// Whether a try would do more than what is under way already.
    private func mayTry(_ peer: PeerID) -> Bool {
        guard conversations[peer]?.link.isEmpty == true else { return false }
        return lookups[peer] == nil || knownKey(of: peer) != nil && canDial(peer)
    }

    /// Whether a dial may lead anywhere before an index server has answered.
    private func canDial(_ peer: PeerID) -> Bool {
        !configuration.relayOnly || conversations[peer]?.record?.relays.isEmpty == false
            || servers.contains { $0.link.lease?.offers.relays == true }
    }

    private func knownKey(of peer: PeerID) -> PeerKey? {
        contacts[peer]?.key.flatMap { PeerKey(octets: $0) } ?? conversations[peer]?.key
    }

    /// Dials by every way that is known, searches this network, and asks the relays; more ways may be offered later.
    private mutating func dial(_ peer: PeerID, _ key: PeerKey) {
        lastSession += 2
        let id = SessionID(lastSession)
        owners[id] = peer
        let (now, reference, candidates) = (now, random.next() as UInt64, remoteCandidates(of: peer))
        conversation(peer) { $0.link.dial(id, at: candidates, reference: reference, now: now) }
        let plan = DialPlan(
            candidates, sequence: book.sequence(of: peer), reference: reference,
            searchesLAN: !configuration.relayOnly)
        order(.dial(id, key: key, plan))
        hurryServers()
        addGuests(for: peer)
        placeCalls(for: peer)
    }

    /// Where a peer may be reached: where it was reached last, what its record says, and through contacts. Only the
    /// first is free of the budget of probes, so an address that a lookup brought must never pass for it.
    private func remoteCandidates(of peer: PeerID) -> [RemoteCandidate] {
        guard !configuration.relayOnly else { return [] }
        let last = book.reachedEndpoint(of: peer).map { RemoteCandidate(.direct($0), .last) }
        let found = last == nil ? book.lastEndpoint(of: peer).map { [Candidate(.reflexive, $0)] } : nil
        let named = conversations[peer]?.record?.addresses ?? found ?? []
        let others = named.filter { $0.endpoint != last?.route.endpoint && isUsable($0.endpoint) }
        return (last.map { [$0] } ?? [])
            + others.map { RemoteCandidate(.direct($0.endpoint), $0.kind == .mapped ? .mapped : .reflexive) }
            + relayCandidates(of: peer)
    }

    /// Tries now, since the user waits.
    mutating func hurry(_ peer: PeerID) {
        let now = now
        conversation(peer) { $0.link.hurry(now: now) }
        if let session = conversations[peer]?.link.current { order(.probe(session)) }
        pursue(peer)
    }

    /// A record of the peer says where it is.
    mutating func found(_ record: PeerRecord, of peer: PeerID) {
        if let pinned = contacts[peer]?.key, pinned != record.key.octets { return raiseAlarm(peer) }
        let now = now
        let isNews = conversations[peer]?.record?.sequence != record.sequence
        conversation(peer) { conversation in
            conversation.key = record.key
            conversation.record = record
            conversation.notFound = nil
        }
        if let saved = book.saved(peer) { commit(.address(peer, saved)) }
        guard isWanted(peer), let link = conversations[peer]?.link, link.sessions.allSatisfy(\.isDialling) else {
            return
        }
        addGuests(for: peer)
        guard let id = link.dialling else {
            // What was tried in vain a moment ago waits for its turn.
            guard isNews || link.nextTry <= now else { return }
            conversation(peer) { $0.link.tried(now: now) }
            return dial(peer, record.key)
        }
        let candidates = remoteCandidates(of: peer)
        let new = conversation(peer) { $0.link.offer(candidates, to: id) }
        if !new.isEmpty { order(.offer(id, new, sequence: record.sequence)) }
        placeCalls(for: peer)
    }

    /// Nobody says where the peer is.
    mutating func notFound(_ peer: PeerID, _ reason: Reason) {
        conversations[peer]?.notFound = reason
        guard isWanted(peer), conversations[peer]?.link.isEmpty == true else { return }
        postpone(peer, reason)
        relayMissed(peer)
    }

    private mutating func postpone(_ peer: PeerID, _ reason: Reason, cause: String? = nil) {
        guard let conversation = conversations[peer] else { return }
        let wasThere = conversation.link.lastUp.map { now.since($0) < Timing.recently } ?? false
        let isUrgent = opened == peer || wasThere && !conversation.outbox.isEmpty
        conversations[peer]?.link.postpone(isUrgent: isUrgent, now: now, using: &random)
        setPath(peer, .none, reason, cause: cause, nextTry: conversations[peer]?.link.nextTry)
    }

    // MARK: What happens

    mutating func receive(_ event: SessionEvent) {
        switch event {
        case .up(let id, let key, let route, let binding): cameUp(id, key, at: route, binding)
        case .frames(let id, let frames): receive(frames, on: id)
        case .roundTrip(let id, let span):
            guard let peer = owners[id] else { return }
            conversations[peer]?.link.setRoundTrip(span, of: id)
            if conversations[peer]?.link.current == id { tellPath(of: peer) }
        case .path(let id, let report): pathChanged(id, report)
        case .doubt(let id):
            guard let peer = owners[id] else { return }
            verifyServers()
            verifyRelay(to: peer)
        case .attempts(let id, let attempts): attempted(id, attempts)
        case .observed(let id, let endpoint): if let peer = owners[id] { observed(endpoint, by: peer) }
        case .closed(let id, let end): ended(id, end)
        }
    }

    private mutating func cameUp(_ id: SessionID, _ key: PeerKey, at route: Route, _ binding: [UInt8]) {
        let peer = key.peer
        guard id.isDialled ? owners[id] == peer : owners[id] == nil else { return close(id, .done) }
        let contact = contacts[peer]
        guard peer != me, contact?.blocked != true, contact?.alarm == nil else { return close(id, .refused) }
        if let pinned = contact?.key, pinned != key.octets {
            close(id, .refused)
            return raiseAlarm(peer)
        }
        if contact?.accepted != true { makeRoomForStranger() }
        owners[id] = peer
        let now = now
        let closings = conversation(peer) { conversation in
            conversation.key = key
            return conversation.link.cameUp(id, at: route, binding: binding, now: now)
        }
        if let contact { noteMeeting(contact, key, at: route) }
        greet(peer, on: id)
        for closing in closings { close(closing.id, closing.code) }
    }

    /// The greeting tells a name, and that we pass on, only to whom we have accepted.
    private mutating func greet(_ peer: PeerID, on id: SessionID) {
        let isContact = mayTalk(to: peer)
        let relays = isContact && isRelaying
        conversation(peer) { $0.link.noteRelaying(relays, on: id) }
        let name = isContact ? configuration.name : nil
        send(
            [.hello(.init(instance: instance, contact: isContact, name: name, relays: relays))], on: id, to: peer)
    }

    /// Pins the key, and remembers the address.
    private mutating func noteMeeting(_ contact: Contact, _ key: PeerKey, at route: Route) {
        let peer = contact.peer
        if contact.key == nil { change(peer) { $0.key = key.octets } }
        if !route.isRelayed { noteAddress(route.endpoint, of: peer) }
    }

    mutating func noteAddress(_ endpoint: Endpoint, of peer: PeerID) {
        let isNews = book.reachedEndpoint(of: peer) != endpoint
        book.learn(peer, endpoint, sequence: book.sequence(of: peer), isReached: true, now: now)
        if isNews, let saved = book.saved(peer) { commit(.address(peer, saved)) }
    }

    private mutating func makeRoomForStranger() {
        let strangers = owners.filter { contacts[$0.value]?.accepted != true }
        guard strangers.count >= ClientMachine.strangerSessions else { return }
        let sessions = strangers.compactMap { id, peer in conversations[peer]?.link[id] }
        let oldest = sessions.min { ($0.lastUse, $0.id.number) < ($1.lastUse, $1.id.number) }
        if let oldest { close(oldest.id, .busy) }
    }

    /// The other side greeted: which session counts from now on?
    mutating func greeted(_ peer: PeerID, _ hello: SessionFrame.Hello, on id: SessionID) {
        let now = now
        let former = conversations[peer]?.link.current
        let closings = conversation(peer) { conversation in
            conversation.acceptsUs = hello.contact
            return conversation.link.greeted(id, instance: hello.instance, now: now)
        }
        if contacts[peer] != nil, let name = hello.name { change(peer) { $0.nickname = name } }
        noteRelaying(hello.relays, of: peer)
        let isCurrent = conversations[peer]?.link.current == id
        if isCurrent, former != nil { conversation(peer) { $0.sessionLost() } }
        for closing in closings { close(closing.id, closing.code) }
        if isCurrent { resume(peer) }
    }

    /// There is a session to send on, and it is a new one.
    private mutating func resume(_ peer: PeerID) {
        guard conversations[peer]?.link.current != nil else { return }
        tellPath(of: peer)
        beginExchange(with: peer)
        widen(peer)
        announce(peer)
        tellSeen(peer)
        if isUserActive { sayActive(true, to: peer) }
        sayRelaying(to: peer)
        flush(peer)
        wayChanged(of: peer)
    }

    // MARK: Ends

    /// Closes a session, whether we know it or not.
    mutating func close(_ id: SessionID, _ code: SessionCloseCode) {
        order(.close(id, code))
        ended(id, .closedHere(code))
    }

    mutating func closeAll(_ peer: PeerID, _ code: SessionCloseCode) {
        for session in conversations[peer]?.link.sessions ?? [] { close(session.id, code) }
    }

    private mutating func ended(_ id: SessionID, _ end: SessionEnd) {
        guard let peer = owners.removeValue(forKey: id),
            let (session, wasCurrent) = conversations[peer]?.link.ended(id, now: now)
        else { return }
        digested[id] = nil
        defer {
            if conversations[peer]?.link.isEmpty != false { forgetObservation(by: peer) }
            relaysEnded(id, of: peer)
        }
        if wasCurrent { lost(peer, end) }
        guard let link = conversations[peer]?.link, link.current == nil else { return }
        guard link.isEmpty else {
            // The other side ended this one because the other is up there: it will be here in a moment.
            if end != .closedByPeer(.superseded) { setPath(peer, .none) }
            return
        }
        guard isWanted(peer) else {
            if currentPath(of: peer) != .none { setPath(peer, .none) }
            if contacts[peer]?.accepted != true { conversations[peer] = nil }
            return
        }
        // Whoever has no address to dial has a better reason.
        if end == .noAnswer, session.dialled.isEmpty,
            let reason = lookups[peer]?.reason ?? conversations[peer]?.notFound
        {
            return postpone(peer, reason)
        }
        let (reason, cause) = reason(for: end, of: session)
        postpone(peer, reason, cause: cause)
    }

    /// The session that we sent on is gone.
    private mutating func lost(_ peer: PeerID, _ end: SessionEnd) {
        conversation(peer) { conversation in
            conversation.sessionLost()
            // A contact request has no receipt: the session may have taken it along.
            if end == .pathDied, !conversation.acceptsUs { conversation.introduces = true }
        }
        setTyping(peer, false)
        setActive(peer, false)
        resume(peer)
    }

    /// Why a session ended, and by which words that differs from other reasons.
    private func reason(for end: SessionEnd, of session: PeerLink.Session) -> (Reason, String) {
        let place: String
        if session.isDialling {
            let places = session.dialled.prefix(3).map { "\($0.route)" }
            place = places.isEmpty ? "any address" : places.joined(separator: " and ")
        } else {
            place = session.report.map { "\($0.route)" } ?? "the peer"
        }
        let reason =
            switch end {
            case .noAnswer: Reason(.unreachable, "nobody answers at \(place)")
            case .pathDied: Reason(.unreachable, "the connection to \(place) broke off")
            case .closedByPeer(.refused): Reason(.refused, "the other side does not want to talk")
            case .closedByPeer(.busy): Reason(.unreachable, "the other side has too many connections")
            case .closedByPeer, .closedHere: Reason(.unreachable, "the connection was closed")
            case .handshakeFailed(let clause):
                Reason(.unreachable, "whoever is at \(place) is not this peer: \(clause)")
            case .protocolViolation(let clause): Reason(.unreachable, "the other side broke the protocol: \(clause)")
            case .failed(let clause): Reason(.network, "this machine could not connect: \(clause)")
            }
        return (reason, reason.text)
    }

    /// Another key for a peer that is pinned to one: nothing more is sent until the user removes and adds it again.
    mutating func raiseAlarm(_ peer: PeerID) {
        guard contacts[peer]?.alarm == nil else { return }
        change(peer) { $0.alarm = "another key appeared for its ID, and somebody may be posing as it" }
        lookups[peer] = nil
        closeAll(peer, .refused)
        let label = contacts[peer]?.label ?? peer.shortDigits
        let text = "Another key appeared for \(label): somebody may be posing as it. Nothing more is sent to it."
        tell(.notice(text, about: peer))
        setPath(peer, .none, Reason(.alarm, "its identity is in doubt"))
    }

    // MARK: Frames

    mutating func send(_ frames: [SessionFrame], on id: SessionID, to peer: PeerID) {
        let now = now
        conversation(peer) { $0.link.use(id, now: now) }
        order(.send(id, frames: frames.map { $0.encoded() }))
    }

    /// Sends on the session that counts, if there is one.
    mutating func send(_ frame: SessionFrame, to peer: PeerID) {
        if let session = conversations[peer]?.link.current { send([frame], on: session, to: peer) }
    }
}
