// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

// What the user asks for.
extension ClientMachine {
    mutating func perform(_ command: ClientCommand) throws(CommandError) {
        switch command {
        case .add(let peer, let name):
            try admit(peer)
            accept(peer, name: name)
        case .addInvite(let invite, let name): try add(invite, name: name)
        case .renewInvite: renewInvite()
        case .rename(let peer, let name):
            try require(peer)
            contacts.rename(peer, name)
            if let contact = contacts[peer] { commit(.contact(contact), then: .contacts) }
        case .verify(let peer, let verified): try verify(peer, verified)
        case .allowPlaintext(let peer, let allowed): try setPlaintext(peer, allowed)
        case .ignore(let peer): try ignore(peer)
        case .send(let peer, let text, let tag): try send(to: peer, text: text, tag: tag)
        case .accept(let peer):
            try admit(peer)
            accept(peer, name: nil)
        case .block(let peer):
            guard peer != me else { throw CommandError("\(peer) is your own ID.") }
            block(peer)
        case .remove(let peer):
            try require(peer)
            remove(peer)
        case .forget(let peer): forget(peer)
        case .erase(let id, let peer): erase(id, of: peer)
        case .retry(let id): try retry(id)
        case .cancel(let id): try cancel(id)
        case .read(let peer, let id):
            try require(peer)
            commit(.read(peer, upTo: id), then: .seen(peer, id, counter: incoming[id]))
        case .open(let peer): open(peer)
        case .typing(let peer, let on): sayTyping(on, to: peer)
        case .active(let on): setUserActive(on)
        case .draft(let peer, let text): commit(.draft(peer, text))
        case .set(let setting, let on): set(setting, on)
        case .explain(let peer): watch(peer)
        }
    }

    private mutating func verify(_ peer: PeerID, _ verified: Bool) throws(CommandError) {
        try require(peer)
        guard contacts[peer]?.key != nil || !verified else {
            throw CommandError("The key of \(peer.shortDigits) is not known yet; there is nothing to compare.")
        }
        change(peer) { $0.verified = verified }
    }

    private mutating func ignore(_ peer: PeerID) throws(CommandError) {
        guard let contact = contacts[peer], !contact.accepted, !contact.blocked else {
            throw CommandError("\(peer) has no request that waits.")
        }
        remove(peer)
        if ignored.count >= ClientMachine.ignoredLimit { ignored.removeFirst() }
        ignored.insert(peer)
    }

    private mutating func forget(_ peer: PeerID) {
        let waiting = takeWaiting(for: peer)
        for message in waiting { given.forget(message.id) }
        contacts.forgetHeld(of: peer)
        commit(.forget(peer), then: .forgotten(peer, waiting))
    }

    /// A message that waits is taken back with its text.
    private mutating func erase(_ id: MessageID, of peer: PeerID) {
        if let waiting = conversations[peer]?.outbox.remove(id)?.message ?? lanes[peer]?.remove(id) {
            settle(waiting, .failed, Reason(.user, "deleted"))
        }
        given.forget(id)
        commit(.erase(id, of: peer), then: .tell(.forgotten(peer, id)))
    }

    private mutating func open(_ peer: PeerID?) {
        opened = peer
        if let peer, peer.isKeyed, mayTalk(to: peer) { hurry(peer) }
    }

    private mutating func set(_ setting: ChatSetting, _ on: Bool) {
        if setting == .presence, !on { for peer in conversations.keys.sorted() { sayActive(false, to: peer) } }
        if on { switchedOff.remove(setting) } else { switchedOff.insert(setting) }
        commit(.setting(setting, on), then: .tell(.setting(setting, on)))
        if setting == .presence, on, isUserActive {
            for peer in conversations.keys.sorted() { sayActive(true, to: peer) }
        }
        if setting == .relay { setRelaying(on) }
    }

    // MARK: What contacts are told of the user

    private mutating func setUserActive(_ on: Bool) {
        guard on != isUserActive else { return }
        isUserActive = on
        for peer in conversations.keys.sorted() { sayActive(on, to: peer) }
    }

    private mutating func sayTyping(_ on: Bool, to peer: PeerID) {
        guard !switchedOff.contains(.typing), mayTalk(to: peer), let conversation = conversations[peer],
            conversation.link.current != nil
        else { return }
        let (said, now) = (conversation.saidTyping, now)
        guard on != (said?.on ?? false) || on && said.map({ now.since($0.at) >= Timing.typingRepeat }) ?? true else {
            return
        }
        self.conversation(peer) { $0.saidTyping = (on, now) }
        send(.typing(on), to: peer)
    }

    mutating func sayActive(_ on: Bool, to peer: PeerID) {
        guard !switchedOff.contains(.presence), mayTalk(to: peer) else { return }
        send(.active(on), to: peer)
    }

    /// Tells a contact how far the user saw, once.
    mutating func tellSeen(_ peer: PeerID) {
        guard !switchedOff.contains(.readReceipts), mayTalk(to: peer), let conversation = conversations[peer],
            conversation.seen > conversation.toldSeen, conversation.link.current != nil
        else { return }
        self.conversation(peer) { $0.toldSeen = $0.seen }
        send(.read(upTo: conversation.seen), to: peer)
    }
}
