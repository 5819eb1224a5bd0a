// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// What peers say inside sessions.
extension ClientMachine {
    /// Bytes of messages that may wait for the disk. A session's window bounds what it brings, but not how often the
    /// peer comes anew while the disk is full.
    static let unsavedBytes = 32 * 1024 * 1024

    mutating func receive(_ frames: [[UInt8]], on id: SessionID) {
        guard let peer = owners[id] else { return }
        let now = now
        conversation(peer) { $0.link.use(id, now: now) }
        for frame in frames {
            // Any of them may have been a reason to close it.
            guard owners[id] == peer, let session = conversations[peer]?.link[id] else { return }
            if contacts[peer]?.accepted != true, conversation(peer, { $0.pace.take(1, now: now) }) == 0 {
                return close(id, .busy)
            }
            let isKept = receive(SessionFrame.read(frame), bytes: frame.count, on: session, from: peer)
            if !isKept, owners[id] != nil { digested[id, default: 0] += frame.count }
        }
    }

    /// - Returns: whether the frame counts as dealt with only later.
    private mutating func receive(
        _ reading: FrameReading, bytes: Int, on session: PeerLink.Session, from peer: PeerID
    ) -> Bool {
        switch (session.phase, reading) {
        case (.greeting, .frame(.hello(let hello))): greeted(peer, hello, on: session.id)
        case (.greeting, _): close(session.id, .protocolViolation)
        case (.dialling, _): break
        case (.settled, .frame(.message(let text))): return take(text, bytes: bytes, on: session, from: peer)
        case (.settled, .frame(let frame)): obey(frame, on: session, from: peer)
        case (.settled, .unknownType): drop(.unknownFrame, nil)
        case (.settled, .faulty(let error, let message)):
            drop(.badFrame, "a part of what \(contacts[peer]?.label ?? peer.shortDigits) sent: \(error)", about: peer)
            if let message, mayTalk(to: peer) { send(.refused(message, reason: "\(error)"), to: peer) }
        }
        return false
    }

    private mutating func obey(_ frame: SessionFrame, on session: PeerLink.Session, from peer: PeerID) {
        if case .contact(let proof, let name) = frame { return requested(by: peer, proof, name, on: session) }
        guard mayTalk(to: peer) else { return drop(.unsolicited, nil) }
        switch frame {
        case .accepted:
            acceptedByPeer(peer)
            flush(peer)
        case .receipt(let ids): acknowledged(ids, by: peer)
        case .read(let counter): readByPeer(peer, upTo: counter)
        case .typing(let on): setTyping(peer, on)
        case .active(let on): setActive(peer, on)
        case .refused(let id, let reason): refused(id, reason, by: peer)
        case .candidates(let candidates): heard(candidates, on: session, from: peer)
        case .punch(let round, let isAnswer): punched(round, isAnswer: isAnswer, on: session, from: peer)
        case .relaying(let on): heardRelaying(on, from: peer)
        case .relay(let relay): receive(relay, on: session, from: peer)
        case .hello, .message, .contact: drop(.unsolicited, nil)
        }
    }

    // MARK: Messages

    /// Takes a message to disk; a stranger's too, within its bounds.
    private mutating func take(
        _ text: SessionFrame.Text, bytes: Int, on session: PeerLink.Session, from peer: PeerID
    ) -> Bool {
        // What follows a dropped message must not overtake it when it is sent again, to a contact by then.
        guard !session.isLossy else { return false }
        guard journal.receivedBytes + bytes <= ClientMachine.unsavedBytes else {
            close(session.id, .busy)
            return false
        }
        if !mayTalk(to: peer) {
            guard listStranger(peer, on: session), contacts.admit(text.text, of: peer) else {
                // A session that is closed with its stranger is nobody's any more.
                conversations[peer]?.link.noteLoss(on: session.id)
                return false
            }
        }
        let message = Message(
            id: text.id, peer: peer, direction: .incoming, text: text.text, created: text.created, received: wall,
            state: .delivered, secure: true, counter: text.counter)
        commit(.receive(message), then: .received(message, by: session.id, bytes: bytes))
        return true
    }

    /// A message is on disk, or was before.
    mutating func received(_ message: Message, by session: SessionID?, bytes: Int, isNew: Bool) {
        let peer = message.peer
        if let session, owners[session] != nil { digested[session, default: 0] += bytes }
        guard let contact = contacts[peer], !contact.blocked else { return }
        if contacts.isHolding(peer) || !contact.accepted && peer.isKeyed {
            if isNew { contacts.hold(message) }
            return
        }
        if isNew { show(message) }
        if message.secure { conversation(peer) { $0.receipts.append(message.id) } }
    }

    mutating func show(_ message: Message) {
        tell(.message(message))
        guard message.secure else { return }
        incoming.remember(message.counter, of: message.id)
        setTyping(message.peer, false)
    }

    // MARK: Strangers

    private mutating func requested(
        by peer: PeerID, _ proof: [UInt8]?, _ name: String?, on session: PeerLink.Session
    ) {
        if mayTalk(to: peer) {
            if let name { change(peer) { $0.nickname = name } }
            return send([.accepted], on: session.id, to: peer)
        }
        let isInvited = proof.map { provesInvite($0, by: peer, on: session) } ?? false
        if isInvited, let other = contacts.displaced(by: peer) { remove(other) }
        guard listStranger(peer, name: name, on: session), isInvited, contacts[peer]?.invited == false else { return }
        contacts.update(peer) { $0.invited = true }
        if let contact = contacts[peer] { commit(.contact(contact), then: .requested(peer)) }
    }

    private func provesInvite(_ proof: [UInt8], by peer: PeerID, on session: PeerLink.Session) -> Bool {
        guard let key = conversations[peer]?.key else { return false }
        return InviteProof.verify(
            proof, secret: inviteSecret, binding: session.binding, prover: key, verifier: configuration.identity.key)
    }

    /// Lists a stranger, if there is room.
    private mutating func listStranger(_ peer: PeerID, name: String? = nil, on session: PeerLink.Session) -> Bool {
        if contacts[peer] != nil {
            if let name { change(peer) { $0.nickname = name } }
            return true
        }
        guard !ignored.contains(peer) else { return false }
        guard contacts.note(peer) else {
            close(session.id, .busy)
            tooManyStrangers()
            return false
        }
        let key = conversations[peer]?.key
        contacts.update(peer) { contact in
            contact.key = key?.octets
            contact.nickname = name
        }
        if let contact = contacts[peer] { commit(.contact(contact), then: .requested(peer)) }
        return true
    }

    // MARK: Signs of life

    mutating func setTyping(_ peer: PeerID, _ on: Bool) {
        let now = now
        guard let before = conversations[peer] else { return }
        conversation(peer) { $0.typingUntil = on ? now + Timing.typing : nil }
        if (before.typingUntil != nil) != on { tell(.typing(peer, on)) }
    }

    mutating func setActive(_ peer: PeerID, _ on: Bool) {
        guard let was = conversations[peer]?.isActive, was != on else { return }
        conversation(peer) { $0.isActive = on }
        tell(.active(peer, on))
    }
}
