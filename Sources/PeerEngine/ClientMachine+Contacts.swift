// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// Who may talk to us, and to whom we say so.
extension ClientMachine {
    /// Refuses peers that can't be talked to.
    func admit(_ peer: PeerID) throws(CommandError) {
        guard peer != me else { throw CommandError("\(peer) is your own ID.") }
        guard peer.isKeyed || allowsPlaintext(with: peer) else { throw plaintextRefusal(peer) }
    }

    func require(_ peer: PeerID) throws(CommandError) {
        guard contacts[peer] != nil else { throw CommandError("\(peer) is no contact.") }
    }

    /// Changes a contact, and keeps it if it is another one then.
    mutating func change(_ peer: PeerID, _ change: (inout Contact) -> Void) {
        let before = contacts[peer]
        contacts.update(peer, change)
        if let contact = contacts[peer], contact != before { commit(.contact(contact), then: .contacts) }
    }

    // MARK: Letting in

    mutating func add(_ invite: Invite, name: String?) throws(CommandError) {
        let peer = invite.key.peer
        try admit(peer)
        if let pinned = contacts[peer]?.key, pinned != invite.key.octets {
            throw CommandError("\(peer.shortDigits) is known with another key; remove it before you add it again.")
        }
        accept(peer, name: name) { contact in
            contact.key = invite.key.octets
            contact.inviteSecret = invite.secret
        }
        for hint in invite.indexes.prefix(Invite.hintLimit) { learn(hint) }
    }

    /// Where a friend registers is where it is found, and where it finds us.
    private mutating func learn(_ hint: Invite.IndexHint) {
        let isKnown = configuration.indexes.contains { $0.server == hint.server }
        guard configuration.hasIndex, !isKnown, !indexes.contains(hint.text) else { return }
        guard !configuration.relayOnly else { return tellOfUnasked([hint.text]) }
        guard indexes.count < ClientMachine.indexLimit else { return }
        indexes.append(hint.text)
        commit(.index(hint.text))
        tell(.indexNamed(hint))
    }

    /// Names the servers that are not asked while we hide: each would see our address, and may be a contact's own.
    private mutating func tellOfUnasked(_ hints: [String]) {
        let rest = hints.count > 3 ? " and \(hints.count - 3) more" : ""
        let names = hints.prefix(3).joined(separator: ", ") + rest
        tell(
            .notice(
                "With --relay-only no index server is asked that only an invite names, since it would see your address: "
                    + "\(names). Start with --index and its name to use one that you trust.", about: nil))
    }

    /// Tells which servers of earlier invites are not asked in this run.
    mutating func tellOfUnaskedInvites() {
        let unnamed = indexes.filter { text in
            !configuration.indexes.contains { $0.server == Invite.IndexHint(text)?.server }
        }
        if configuration.relayOnly, configuration.hasIndex, !unnamed.isEmpty { tellOfUnasked(unnamed) }
    }

    mutating func accept(_ peer: PeerID, name: String?, _ change: (inout Contact) -> Void = { _ in }) {
        ignored.remove(peer)
        contacts.accept(peer, name: name)
        contacts.update(peer, change)
        // Whoever called before it was a contact has shown its key, and where it lives.
        let caller = conversations[peer]
        contacts.update(peer) { $0.key = $0.key ?? caller?.key?.octets }
        guard let contact = contacts[peer] else { return }
        commit(.contact(contact), then: .accepted(peer))
        guard peer.isKeyed else { return }
        if caller?.relays == true { noteRelaying(true, of: peer) }
        if let endpoint = caller?.link.sessions.lazy.compactMap(\.endpoint).last { noteAddress(endpoint, of: peer) }
        conversation(peer) { $0.introduces = !$0.acceptsUs }
        pursue(peer)
    }

    /// A contact is on disk: what it wrote is told, and it hears that it was let in.
    mutating func accepted(_ peer: PeerID) {
        tell(.contacts(contacts.all))
        let held = contacts.release(peer)
        for message in held { show(message) }
        guard peer.isKeyed, mayTalk(to: peer) else { return }
        conversation(peer) { $0.receipts += held.map(\.id) }
        tellPath(of: peer)
        beginExchange(with: peer)
        widen(peer)
        announce(peer)
        sayRelaying(to: peer)
        sendReceipts(to: peer)
        // What was dropped there comes again on another session, in order.
        for session in conversations[peer]?.link.sessions ?? [] where session.isLossy { close(session.id, .done) }
    }

    /// Lets more wait of what a contact sends.
    mutating func widen(_ peer: PeerID) {
        if mayTalk(to: peer), let session = conversations[peer]?.link.current { order(.widen(session)) }
    }

    /// Tells a peer that we have accepted it: as a request, unless it has accepted us.
    mutating func announce(_ peer: PeerID) {
        guard mayTalk(to: peer), let conversation = conversations[peer], let session = conversation.link.currentSession
        else { return }
        guard !conversation.acceptsUs else {
            send([.accepted], on: session.id, to: peer)
            return acceptedByPeer(peer)
        }
        let proof = contacts[peer]?.inviteSecret.flatMap { secret in
            conversation.key.map { key in
                InviteProof.make(
                    secret: secret, binding: session.binding, prover: configuration.identity.key, verifier: key)
            }
        }
        send([.contact(proof: proof, name: configuration.name)], on: session.id, to: peer)
        self.conversation(peer) { $0.introduces = false }
    }

    /// The peer has let us in: its invite has served, and it looks at our addresses from now on.
    mutating func acceptedByPeer(_ peer: PeerID) {
        let isNews = conversations[peer]?.acceptsUs != true
        conversation(peer) { conversation in
            conversation.acceptsUs = true
            conversation.introduces = false
        }
        change(peer) { $0.inviteSecret = nil }
        guard isNews else { return }
        retellCandidates(to: peer)
        saySoAgain(to: peer)
    }

    // MARK: Keeping out

    mutating func block(_ peer: PeerID) {
        contacts.block(peer)
        guard let contact = contacts[peer] else { return }
        commit(.contact(contact), then: .contacts)
        let reason = Reason(.user, "the contact was blocked")
        for message in takeWaiting(for: peer) { settle(message, .failed, reason) }
        leave(peer)
    }

    mutating func remove(_ peer: PeerID) {
        contacts.remove(peer)
        let waiting = takeWaiting(for: peer)
        for message in waiting { given.forget(message.id) }
        commit(.remove(peer), then: .removed(peer, waiting))
        leave(peer)
    }

    /// Ends everything that is under way with a peer.
    private mutating func leave(_ peer: PeerID) {
        lookups[peer] = nil
        calls.forget(peer)
        observed[peer] = nil
        forgetRelays(of: peer)
        closeAll(peer, .refused)
        conversations[peer] = nil
        paths[peer] = nil
        if opened == peer { opened = nil }
    }

    mutating func setPlaintext(_ peer: PeerID, _ allowed: Bool) throws(CommandError) {
        guard !peer.isKeyed else {
            throw CommandError("\(peer.shortDigits) has a key; it is never talked to in the open.")
        }
        guard !allowed || !configuration.relayOnly else { throw plaintextRefusal(peer) }
        if allowed, contacts[peer]?.accepted != true { return accept(peer, name: nil) { $0.allowsPlaintext = true } }
        try require(peer)
        change(peer) { $0.allowsPlaintext = allowed }
        guard !allowsPlaintext(with: peer) else { return }
        let reason = Reason(.user, "talking in the open is no longer allowed")
        for message in takeWaiting(for: peer) { settle(message, .failed, reason) }
    }

    // MARK: Invites

    mutating func renewInvite() {
        inviteSecret = random.octets(16)
        commit(.inviteSecret(inviteSecret), then: .tell(.invite(invite)))
    }
}
