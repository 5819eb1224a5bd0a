// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// Takes an event in and says what is to be done.
public func update(_ state: inout ChatState, _ event: ChatEvent) -> [ChatEffect] { state.handle(event) }

extension ChatState {
    mutating func handle(_ event: ChatEvent) -> [ChatEffect] {
        switch event {
        case .terminal(let event): return handle(event)
        case .clock(let now, let offset): tick(now, offset)
        case .contacts(let contacts): take(contacts)
        case .message(let message): return receive(message)
        case .messageState(let id, _, let state, let reason): advance(id, to: state, reason)
        case .path(let peer, let path, _, let reason): setPath(peer, path, reason)
        case .index(let server, let status): setIndex(server, status)
        case .listening(let endpoint): listen = endpoint
        case .notice(let text, let peer): note(text, about: peer)
        case .failed(let text, let effect): fail(text, effect)
        case .pause, .restored, .history, .found, .seen, .forgotten, .request, .digits, .typing, .active, .invite,
            .setting:
            break
        }
        return []
    }

    private mutating func handle(_ event: TerminalEvent) -> [ChatEffect] {
        switch event {
        case .key(let key): return press(key)
        case .paste(let text): paste(text)
        case .resize(let size): self.size = size
        case .wheel(let lines): turnWheel(max(-100, min(100, lines)))
        case .hangup: return [.quit]
        }
        return []
    }

    private mutating func turnWheel(_ lines: Int) {
        guard overlay != nil else { return scroll(by: lines) }
        for _ in 0..<abs(lines) where overlay != nil { _ = press(Key(lines < 0 ? .up : .down)) }
    }

    // MARK: The engine's events

    private mutating func tick(_ now: WallTime, _ offset: Int) {
        self.now = now
        self.offset = offset
        flash?.minutes += 1
        if let flash, flash.minutes > 2 { self.flash = nil }
    }

    private mutating func take(_ contacts: [Contact]) {
        var places: [PeerID: Int] = [:]
        for (place, conversation) in conversations.enumerated() { places[conversation.peer] = place }
        var gone = Set(conversations.lazy.filter(\.listed).map(\.peer))
        for contact in contacts {
            gone.remove(contact.peer)
            if let place = places[contact.peer] {
                conversations[place].update(contact)
            } else {
                places[contact.peer] = conversations.count
                conversations.append(Conversation(contact, listed: true))
            }
        }
        if !gone.isEmpty {
            conversations.removeAll { gone.contains($0.peer) }
            outgoing = outgoing.filter { !gone.contains($0.value.peer) }
        }
        sortConversations(asIn: contacts)
        settleCurrent()
    }

    /// Contacts in the order of the address book, then strangers in the order in which they came.
    private mutating func sortConversations(asIn contacts: [Contact]) {
        var ranks: [PeerID: Int] = [:]
        for (rank, contact) in contacts.enumerated() where contact.accepted { ranks[contact.peer] = rank }
        let order = conversations.indices.sorted {
            let left = ranks[conversations[$0].peer] ?? .max
            let right = ranks[conversations[$1].peer] ?? .max
            return (left, $0) < (right, $1)
        }
        guard !order.elementsEqual(conversations.indices) else { return }
        conversations = order.map { conversations[$0] }
    }

    /// Opens what was waited for; closes what is no longer shown; starts with the first contact.
    private mutating func settleCurrent() {
        if let peer = awaited, let index = index(of: peer), conversations[index].contact.accepted {
            awaited = nil
            open(peer)
        }
        if let index = currentIndex, !conversations[index].isShown { leave() }
        if currentIndex == nil {
            current = nil
            if let first = conversations.first(where: { $0.isShown && $0.contact.accepted }) { open(first.peer) }
        }
    }

    private mutating func receive(_ message: Message) -> [ChatEffect] {
        if let place = outgoing[message.id] {
            guard let index = index(of: place.peer) else { return [] }
            conversations[index].advance(place.sequence, to: message.state, reason: message.reason)
            return []
        }
        guard let index = conversationIndex(for: message.peer) else { return [] }
        let isCurrent = message.peer == current
        let seen = isCurrent && conversations[index].anchor == nil
        let named =
            !seen && conversations[index].contact.accepted && message.direction == .incoming && names(message.text)
        let isNews =
            !isCurrent && conversations[index].unread == 0 || named && conversations[index].mentions == 0
        let (sequence, dropped) = conversations[index].append(message, seen: seen, names: named)
        if let dropped { outgoing[dropped.id] = nil }
        if message.direction == .outgoing { outgoing[message.id] = (message.peer, sequence) }
        let wakes = message.direction == .incoming && conversations[index].contact.accepted && isNews
        return wakes ? [.bell] : []
    }

    /// The conversation of a peer. A stranger's is made, in the place of the oldest untouched one when there are too
    /// many.
    private mutating func conversationIndex(for peer: PeerID) -> Int? {
        if let index = index(of: peer) { return conversations[index].contact.blocked ? nil : index }
        let strangers = conversations.indices.filter { conversations[$0].isRequest }
        if strangers.count >= Self.requestLimit {
            guard let oldest = strangers.first(where: { isUntouched(conversations[$0]) }) else { return nil }
            let peer = conversations.remove(at: oldest).peer
            outgoing = outgoing.filter { $0.value.peer != peer }
        }
        conversations.append(Conversation(Contact(peer: peer, accepted: false), listed: false))
        return conversations.count - 1
    }

    private func isUntouched(_ conversation: Conversation) -> Bool {
        conversation.peer != current && conversation.draft.editor.isEmpty && conversation.waiting == 0
    }

    private mutating func advance(_ id: MessageID, to state: DeliveryState, _ reason: String?) {
        guard let place = outgoing[id], let index = index(of: place.peer) else { return }
        conversations[index].advance(place.sequence, to: state, reason: reason)
    }

    private mutating func setPath(_ peer: PeerID, _ path: PathKind, _ reason: String?) {
        guard let index = index(of: peer) else { return }
        conversations[index].path = path
        conversations[index].pathReason = reason
    }

    private mutating func setIndex(_ server: String, _ status: IndexStatus) {
        if let place = indexes.firstIndex(where: { $0.server == server }) {
            indexes[place].status = status
        } else if indexes.count < Self.indexLimit {
            indexes.append((server, status))
        }
    }

    private mutating func note(_ text: String, about peer: PeerID?) {
        guard let peer, let index = index(of: peer) else {
            flash = Flash(text: text, isError: false)
            return
        }
        if let dropped = conversations[index].note(text, at: now) { outgoing[dropped.id] = nil }
        if peer != current { flash = Flash(text: "\(conversations[index].contact.label): \(text)", isError: false) }
    }

    private mutating func fail(_ text: String, _ effect: ChatEffect?) {
        flash = Flash(text: text, isError: true)
        switch effect {
        case .send(let peer, let text):
            // A line already begun is not disturbed: the refused one then waits behind ↑.
            guard let index = index(of: peer), conversations[index].draft.editor.isEmpty else { return }
            conversations[index].draft.editor.replace(with: text.hasPrefix("/") ? "/" + text : text)
        case .add(let peer, let name):
            if awaited == peer { awaited = nil }
            guard draft.editor.isEmpty else { return }
            draft.editor.replace(with: "/add \(peer)" + (name.map { " " + $0 } ?? ""))
        default: break
        }
    }
}
