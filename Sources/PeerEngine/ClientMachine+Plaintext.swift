// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

// Peers without a key: the seed's wire, in the open, where the user allows it.
extension ClientMachine {
    /// Whether a peer without a key may be talked to: never while we hide, for what it gets comes from our address.
    func allowsPlaintext(with peer: PeerID) -> Bool {
        guard !configuration.relayOnly else { return false }
        return configuration.allowsPlaintextPeers || contacts[peer]?.allowsPlaintext == true
    }

    /// What a user reads who wants to talk to one that may not be talked to.
    func plaintextRefusal(_ peer: PeerID) -> CommandError {
        let rest =
            configuration.relayOnly
            ? "it could only be written to from your own address, which --relay-only hides."
            : "anyone on the way can read and forge what is said with it. Start with --plaintext-peers, or allow this "
                + "peer, to talk to it all the same."
        return CommandError("\(peer) has no key: \(rest)")
    }

    /// The name that a server of the seed's kind gave us; it stays ours while the server is away.
    private var assignedName: PeerID? { servers.first { $0.link.isSeed }?.link.assigned.last }

    // MARK: In

    mutating func receive(_ wire: PeerMessage, from endpoint: Endpoint) {
        let peer = wire.source
        guard wire.destination == me || servers.contains(where: { $0.link.assigned.contains(wire.destination) }) else {
            return drop(.notForUs, "a message for \(wire.destination) that came here")
        }
        guard peer != me else { return drop(.ownName, "a message in our own name from \(endpoint)") }
        guard !peer.isKeyed else {
            return drop(
                .keyedInTheOpen,
                "a message in the open in the name of \(peer.shortDigits), which has a key and so never sends any",
                about: peer)
        }
        let contact = contacts[peer]
        guard contact?.blocked != true else { return }
        guard allowsPlaintext(with: peer) else {
            let reason =
                configuration.relayOnly
                ? "with --relay-only such messages are not taken" : "--plaintext-peers lets such messages in"
            return drop(.plaintextPeer, "a message from \(peer.shortDigits), a peer without a key; \(reason)")
        }
        guard journal.trouble == nil, !journal.isBroken else {
            return drop(.diskIsBusy, "messages in the open: they can't be saved")
        }
        book.heard(from: peer, at: endpoint, now: now)
        // Nothing authenticates such a peer, so there is nothing to accept; the user's choice lets it in.
        guard contacts.note(peer) else { return tooManyStrangers() }
        if contact == nil, let noted = contacts[peer] { commit(.contact(noted), then: .contacts) }
        let message = Message(
            id: MessageID(using: &random), peer: peer, direction: .incoming, text: wire.text, created: wire.created,
            received: wall, state: .delivered, secure: false)
        commit(.receive(message), then: .received(message, by: nil, bytes: 0))
    }

    mutating func tooManyStrangers() {
        drop(.tooManyStrangers, "messages of strangers: too many wait for an answer already")
    }

    // MARK: Out

    /// Refuses a message that would be too long as a datagram.
    func checkLength(_ message: Message) throws(CommandError) {
        do throws(WireError) { _ = try wire(message).encoded() } catch {
            throw CommandError("The message was not sent: as a datagram it would be too long. \(error)")
        }
    }

    private func wire(_ message: Message) -> PeerMessage {
        PeerMessage(
            source: assignedName ?? me, destination: message.peer, text: message.text, created: message.created)
    }

    /// Sends what may go to one peer, or starts to look for it.
    mutating func drain(_ peer: PeerID) {
        guard lanes[peer]?.items.isEmpty == false, !waitsForLookup(peer, now: now) else { return }
        let known = lookups[peer] == nil ? book.endpoint(of: peer, now: now) : book.lastEndpoint(of: peer)
        guard let endpoint = known else {
            startLookup(peer)
            return advanceLookup(of: peer)
        }
        let isNews = lanes[peer]?.lastUse.map { now.since($0) >= .seconds(1) } ?? true
        guard let messages = lanes[peer]?.take(now: now), !messages.isEmpty else { return }
        if isNews { tell(.lookup(peer, .cache, found: true, took: .zero)) }
        // Every message was measured when it was queued.
        let datagrams = messages.map { Datagram((try? wire($0).encoded()) ?? [], endpoint) }
        put(.transmit(Transmission(peer: peer, endpoint: endpoint, messages: messages, datagrams: datagrams)))
    }

    /// What the last run left for peers that this one does not allow is not sent.
    mutating func giveUpForbidden() {
        let text = "talking in the open is not allowed in this run"
        let reason = Reason(.user, configuration.relayOnly ? text + ", which hides your address" : text)
        for peer in lanes.keys.sorted() where !allowsPlaintext(with: peer) {
            for message in takeWaiting(for: peer) { settle(message, .failed, reason) }
        }
    }

    /// Whether messages wait until more is known. An old address is better than none once a server had time to answer.
    func waitsForLookup(_ peer: PeerID, now: Instant) -> Bool {
        guard let lookup = lookups[peer] else { return false }
        return !lookup.isLate(now: now) || book.lastEndpoint(of: peer) == nil
    }

    mutating func transmitted(_ transmission: Transmission, _ result: SendResult) {
        let peer = transmission.peer
        let taken = min(max(0, result.taken), transmission.messages.count)
        for message in transmission.messages[..<taken] { settle(message, .sent) }
        var rest = transmission.messages[taken...]
        if let failure = result.failure, let message = rest.popFirst() {
            let text = "this machine could not send to \(transmission.endpoint): \(failure)"
            settle(message, .failed, Reason(.network, text))
        }
        if !rest.isEmpty { lanes[peer]?.restore(rest, until: now + Timing.busySystem) }
        if taken > 0 { setPath(peer, .plaintext) }
    }

    // MARK: Lookups

    mutating func found(_ peer: PeerID) {
        lanes[peer]?.noteUse(now: now)
        setPath(peer, .plaintext)
        drain(peer)
    }

    /// Nobody knows where the peer is; if there is an old address, it goes on as if it had been confirmed.
    mutating func giveUp(_ peer: PeerID, _ reason: Reason) {
        guard !book.keep(peer, now: now) else { return }
        setPath(peer, .none, reason)
        for message in lanes[peer]?.removeAll() ?? [] { settle(message, .failed, reason) }
        lanes[peer] = nil
    }
}
