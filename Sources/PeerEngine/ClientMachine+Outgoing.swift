// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

// Messages out: on disk first, then on their way, then settled.
extension ClientMachine {
    /// Bytes of text that may wait for receipts, in all.
    static let waitingBytes = 16 * 1024 * 1024

    /// Takes up what waited at the end of the last run.
    mutating func restore(_ outbox: [Message]) {
        for message in outbox {
            guard message.peer.isKeyed else {
                lanes[message.peer, default: Lane()].append(message)
                continue
            }
            conversation(message.peer) { $0.outbox.append(message, isOnDisk: true) }
            counters[message.peer] = max(counters[message.peer] ?? 0, message.counter)
        }
    }

    // MARK: Commands

    mutating func send(to peer: PeerID, text: String, tag: String?) throws(CommandError) {
        guard !text.isEmpty else { throw CommandError("An empty message is not sent.") }
        var message = Message(
            id: MessageID(using: &random), peer: peer, direction: .outgoing, text: text, created: wall, received: wall,
            state: .queued, secure: peer.isKeyed, tag: tag)
        try check(message)
        if contacts[peer]?.accepted != true { accept(peer, name: nil) }
        if peer.isKeyed {
            // A damaged disk gives any number.
            message.counter = min(counters[peer] ?? 0, .max - 1) + 1
            counters[peer] = message.counter
            conversation(peer) { $0.outbox.append(message, isOnDisk: false) }
        }
        commit(.queue(message), then: .queued(message, isNew: true))
    }

    mutating func retry(_ id: MessageID) throws(CommandError) {
        if let peer = conversations.first(where: { $0.value.outbox.contains(id) })?.key { return hurry(peer) }
        guard var message = given[id] else { throw CommandError("There is no failed message \(id).") }
        try check(message)
        given.forget(id)
        if contacts[message.peer]?.accepted != true { accept(message.peer, name: nil) }
        message.state = .queued
        message.reason = nil
        if message.peer.isKeyed { conversation(message.peer) { $0.outbox.append(message, isOnDisk: false) } }
        commit(.advance(id, of: message.peer, .queued, reason: nil), then: .queued(message, isNew: false))
    }

    mutating func cancel(_ id: MessageID) throws(CommandError) {
        for peer in conversations.keys {
            guard let (message, wasSent) = conversations[peer]?.outbox.remove(id) else { continue }
            let text = wasSent ? "cancelled, but it was on its way already and may arrive" : "cancelled"
            return settle(message, .failed, Reason(.user, text))
        }
        for peer in lanes.keys {
            guard let message = lanes[peer]?.remove(id) else { continue }
            return settle(message, .failed, Reason(.user, "cancelled"))
        }
        throw CommandError("No message \(id) waits to be sent.")
    }

    /// Refuses what can't be sent: nothing changes before that is clear.
    private func check(_ message: Message) throws(CommandError) {
        let peer = message.peer
        try admit(peer)
        let contact = contacts[peer]
        guard contact?.blocked != true else {
            throw CommandError("\(peer.shortDigits) is blocked; accept it before writing to it.")
        }
        if let alarm = contact?.alarm { throw CommandError("Nothing is sent to \(peer.shortDigits): \(alarm).") }
        if journal.isBroken, let trouble = journal.trouble { throw CommandError("It can't be saved. \(trouble)") }
        let waiting = conversations[peer]?.outbox.count ?? lanes[peer]?.items.count ?? 0
        guard waiting < Outbox.limit else {
            throw CommandError("\(Outbox.limit) messages wait for \(peer.shortDigits) already; this one was not taken.")
        }
        guard peer.isKeyed else { return try checkLength(message) }
        guard message.text.utf8.count <= WireLimits.text else {
            throw CommandError(
                "The message was not sent: it is too long, \(message.text.utf8.count) bytes of \(WireLimits.text).")
        }
        let bytes = conversations.values.reduce(0) { $0 + $1.outbox.bytes }
        guard bytes + message.text.utf8.count <= ClientMachine.waitingBytes else {
            throw CommandError("More than 16 MiB of text wait to be delivered already; this message was not taken.")
        }
    }

    // MARK: On their way

    /// An outgoing message is on disk.
    mutating func queued(_ message: Message, isNew: Bool) {
        if isNew { tell(.message(message)) }
        tell(.state(message.id, tag: message.tag, to: message.peer, .queued, reason: nil))
        let peer = message.peer
        if peer.isKeyed {
            // It may have been taken back meanwhile.
            conversations[peer]?.outbox.release(message.id)
        } else if contacts[peer]?.accepted == true, allowsPlaintext(with: peer) {
            lanes[peer, default: Lane()].append(message)
            drain(peer)
        } else {
            settle(message, .failed, Reason(.user, "the contact is gone"))
        }
    }

    /// Sends what may leave on the session that there is.
    mutating func flush(_ peer: PeerID) {
        guard let conversation = conversations[peer], let session = conversation.link.current, mayTalk(to: peer)
        else { return }
        let (window, now) = (conversation.acceptsUs ? Outbox.window : Outbox.strangersWindow, now)
        let taken = self.conversation(peer) { $0.outbox.take(within: window, now: now) }
        guard !taken.isEmpty else { return }
        send(taken.map { frame($0.message) }, on: session, to: peer)
        for (message, isFirst) in taken where isFirst {
            tell(.state(message.id, tag: message.tag, to: peer, .sent, reason: nil))
        }
    }

    /// Sends again what has been without a receipt for long.
    mutating func repeatOverdue(_ peer: PeerID) {
        guard let session = conversations[peer]?.link.current, mayTalk(to: peer),
            let overdue = conversations[peer]?.outbox.takeOverdue(now: now), !overdue.isEmpty
        else { return }
        send(overdue.map { frame($0) }, on: session, to: peer)
    }

    private func frame(_ message: Message) -> SessionFrame {
        .message(.init(id: message.id, counter: message.counter, created: message.created, text: message.text))
    }

    // MARK: Settled

    /// The other side has messages on disk. What was not sent to it, or has its receipt, is nothing to it.
    mutating func acknowledged(_ ids: [MessageID], by peer: PeerID) {
        for id in ids {
            guard let message = conversations[peer]?.outbox.acknowledge(id, now: now) else {
                drop(.unsolicited, nil)
                continue
            }
            commit(.advance(id, of: peer, .delivered, reason: nil), then: .delivered(message))
            // Only whoever has let us in gives receipts.
            if conversations[peer]?.acceptsUs == false { acceptedByPeer(peer) }
        }
        flush(peer)
    }

    /// The other side can't take a message.
    mutating func refused(_ id: MessageID, _ reason: String, by peer: PeerID) {
        guard let message = conversations[peer]?.outbox.acknowledge(id, now: now) else {
            return drop(.unsolicited, nil)
        }
        settle(message, .failed, Reason(.refused, "the other side refused it: \(reason)"))
        flush(peer)
    }

    /// The other side's user saw our messages up to a counter.
    mutating func readByPeer(_ peer: PeerID, upTo counter: UInt64) {
        guard counter <= counters[peer] ?? 0, let known = conversations[peer]?.readByPeer else {
            return drop(.unsolicited, nil)
        }
        guard counter > known else { return }
        conversation(peer) { $0.readByPeer = counter }
        commit(.readByPeer(peer, upTo: counter), then: .readByPeer(peer, counter))
    }

    /// Makes an end of a message durable, then tells it.
    mutating func settle(_ message: Message, _ state: DeliveryState, _ reason: Reason? = nil) {
        if state == .failed { given.remember(message, of: message.id) }
        commit(
            .advance(message.id, of: message.peer, state, reason: reason?.text),
            then: .tell(.state(message.id, tag: message.tag, to: message.peer, state, reason: reason)))
    }

    /// Takes out everything that waits for a peer.
    mutating func takeWaiting(for peer: PeerID) -> [Message] {
        let messages = (conversations[peer]?.outbox.removeAll() ?? []) + (lanes[peer]?.removeAll() ?? [])
        lanes[peer] = nil
        for message in messages { given.remember(message, of: message.id) }
        return messages
    }
}
