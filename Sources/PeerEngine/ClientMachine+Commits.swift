// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

// What the disk says, and what is built on it.
extension ClientMachine {
    mutating func committed(_ effects: [Bool]) {
        if journal.worked() { tell(.notice("Saving works again.", about: nil)) }
        var touched: Set<PeerID> = []
        for hasEffect in effects {
            guard let consequence = journal.popFirst() else { break }
            if let peer = apply(consequence, hasEffect) { touched.insert(peer) }
        }
        for peer in touched.sorted() {
            sendReceipts(to: peer)
            flush(peer)
            pursue(peer)
        }
        for peer in requested { tellRequest(of: peer) }
        requested = []
    }

    /// - Returns: the peer that there may be something to send to now.
    private mutating func apply(_ consequence: Journal.Consequence, _ hasEffect: Bool) -> PeerID? {
        switch consequence {
        case .none: return nil
        case .tell(let event): tell(event)
        case .contacts: tell(.contacts(contacts.all))
        case .queued(let message, let isNew):
            queued(message, isNew: isNew)
            return message.peer
        case .received(let message, let session, let bytes):
            received(message, by: session, bytes: bytes, isNew: hasEffect)
            return message.peer
        case .accepted(let peer):
            accepted(peer)
            return peer
        case .requested(let peer):
            tell(.contacts(contacts.all))
            if !requested.contains(peer) { requested.append(peer) }
        case .seen(let peer, let id, let counter):
            tell(.readHere(peer, upTo: id))
            guard let counter, peer.isKeyed, contacts[peer] != nil else { return nil }
            conversation(peer) { $0.seen = max($0.seen, counter) }
            tellSeen(peer)
        case .delivered(let message): delivered(message)
        case .readByPeer(let peer, let counter): read(by: peer, upTo: counter)
        case .removed(let peer, let messages):
            gaveUp(messages, "the contact was removed")
            tell(.forgotten(peer, nil))
            tell(.contacts(contacts.all))
        case .forgotten(let peer, let messages):
            gaveUp(messages, "the conversation was forgotten")
            tell(.forgotten(peer, nil))
        }
        return nil
    }

    private mutating func gaveUp(_ messages: [Message], _ why: String) {
        for message in messages {
            tell(.state(message.id, tag: message.tag, to: message.peer, .failed, reason: Reason(.user, why)))
        }
    }

    private mutating func delivered(_ message: Message) {
        let peer = message.peer
        tell(.state(message.id, tag: message.tag, to: peer, .delivered, reason: nil))
        guard conversations[peer] != nil else { return }
        conversation(peer) { $0.noteDelivered(message) }
        // Its being read was told before its receipt came.
        if let counter = conversations[peer]?.readByPeer, message.counter <= counter {
            commit(.readByPeer(peer, upTo: counter), then: .readByPeer(peer, counter))
        }
    }

    private mutating func read(by peer: PeerID, upTo counter: UInt64) {
        guard conversations[peer] != nil else { return }
        for message in conversation(peer, { $0.takeRead(upTo: counter) }) {
            tell(.state(message.id, tag: message.tag, to: peer, .read, reason: nil))
        }
    }

    /// Tells a contact which messages are on disk, whatever session they came by.
    mutating func sendReceipts(to peer: PeerID) {
        guard let ids = conversations[peer]?.receipts, !ids.isEmpty else { return }
        conversation(peer) { $0.receipts = [] }
        guard mayTalk(to: peer), let session = conversations[peer]?.link.current else { return }
        let frames = stride(from: 0, to: ids.count, by: WireLimits.receipts).map { start in
            SessionFrame.receipt(Array(ids[start...].prefix(WireLimits.receipts)))
        }
        send(frames, on: session, to: peer)
    }

    private mutating func tellRequest(of peer: PeerID) {
        guard let contact = contacts[peer], !contact.accepted, !contact.blocked else { return }
        let text = contacts.firstHeld(of: peer) ?? ""
        tell(.request(peer, name: contact.nickname, text: text, invited: contact.invited))
    }

    mutating func commitFailed(_ error: StoreError) {
        guard journal.failed(error) else { return }
        tell(.notice(error.description, about: nil))
    }
}
