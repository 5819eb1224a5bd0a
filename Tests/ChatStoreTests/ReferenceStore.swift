// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Model
import PeerEngine

/// What the store promises, said in the simplest way: lists in memory, read from end to end.
struct ReferenceStore {
    struct Key: Hashable {
        var peer: PeerID
        var id: MessageID
    }

    var contacts: [Contact] = []
    var messages: [StoredMessage] = []
    var forgotten: Set<Key> = []
    var seen: [PeerID: Int64] = [:]
    var drafts: [PeerID: String] = [:]
    var state = SavedState()
    private var next: Int64 = 1

    mutating func apply(_ change: StoreChange) -> Bool {
        switch change {
        case .queue(let message):
            guard add(message) else { return false }
            state.counters[message.peer] = max(message.counter, state.counters[message.peer] ?? 0)
            return true
        case .receive(let message):
            return !forgotten.contains(Key(peer: message.peer, id: message.id)) && add(message)
        case .advance(let id, let peer, let new, let reason):
            return update { message in
                guard message.id == id, message.peer == peer, message.direction == .outgoing else { return }
                let order: [DeliveryState] = [.queued, .sent, .delivered, .read, .failed]
                let down = (order.firstIndex(of: new) ?? 0) > (order.firstIndex(of: message.state) ?? 0)
                let lie = [.delivered, .read].contains(message.state) && new == .failed
                let again = message.state == .failed && new == .queued
                guard message.state == new || again || (down && !lie) else { return }
                message.state = new
                message.reason = reason
            }
        case .erase(let id, let peer): return drop { $0.peer == peer && $0.id == id }
        case .forget(let peer): return drop { $0.peer == peer }
        case .contact(let contact):
            guard let index = contacts.firstIndex(where: { $0.peer == contact.peer }) else {
                contacts.append(contact)
                return true
            }
            defer { contacts[index] = contact }
            return contacts[index] != contact
        case .remove(let peer):
            let before = (contacts.count, drafts[peer], state.addresses[peer]?.endpoint)
            contacts.removeAll { $0.peer == peer }
            let wrote = drop { $0.peer == peer }
            drafts[peer] = nil
            if let record = state.addresses[peer]?.sequence {
                state.addresses[peer] = record == 0 ? nil : SavedAddress(endpoint: nil, sequence: record)
            }
            return wrote || before != (contacts.count, nil, nil)
        case .read(let peer, let id):
            guard let place = messages.last(where: { $0.message.peer == peer && $0.message.id == id })?.sequence,
                place > seen[peer] ?? 0
            else { return false }
            seen[peer] = place
            return true
        case .readByPeer(let peer, let counter):
            return update { message in
                guard message.peer == peer, message.direction == .outgoing, message.counter >= 1,
                    message.counter <= counter, [.sent, .delivered].contains(message.state)
                else { return }
                message.state = .read
                message.reason = nil
            }
        case .draft(let peer, let text):
            defer { drafts[peer] = text.isEmpty ? nil : text }
            return drafts[peer] ?? "" != text
        case .address(let peer, let address):
            let old = state.addresses[peer]
            let new = SavedAddress(endpoint: address.endpoint, sequence: max(address.sequence, old?.sequence ?? 0))
            state.addresses[peer] = new == SavedAddress(endpoint: nil, sequence: 0) ? nil : new
            return state.addresses[peer] != old
        case .sequence(let number):
            defer { state.sequence = max(state.sequence, number) }
            return number > state.sequence
        case .port(let port):
            defer { state.port = port }
            return state.port != port
        case .inviteSecret(let secret):
            defer { state.inviteSecret = secret }
            return state.inviteSecret != secret
        case .setting(let setting, true): return state.switchedOff.remove(setting) != nil
        case .setting(let setting, false): return state.switchedOff.insert(setting).inserted
        case .index(let server):
            guard !state.indexes.contains(server) else { return false }
            state.indexes.append(server)
            return true
        }
    }

    var saved: SavedState {
        var saved = state
        saved.counters = state.counters.filter { $0.value > 0 }
        saved.contacts = contacts
        let strangers = Set(contacts.filter { !$0.accepted && !$0.blocked && $0.peer.isKeyed }.map(\.peer))
        saved.held = messages.map(\.message).filter { $0.direction == .incoming && strangers.contains($0.peer) }
        saved.failed = messages.map(\.message).filter { $0.direction == .outgoing && $0.state == .failed }
        for stored in messages where stored.message.direction == .incoming && stored.message.peer.isKeyed {
            guard stored.sequence > seen[stored.message.peer] ?? 0 else { continue }
            saved.unseen[stored.message.id] = stored.message.counter
        }
        saved.outbox = messages.filter { waits($0.message) }
            .sorted { ($0.message.counter, $0.sequence) < ($1.message.counter, $1.sequence) }.map(\.message)
        return saved
    }

    func waits(_ message: Message) -> Bool {
        message.direction == .outgoing
            && (message.state == .queued || message.state == .sent && message.peer.isKeyed)
    }

    private mutating func add(_ message: Message) -> Bool {
        let known = messages.contains {
            ($0.message.peer, $0.message.id, $0.message.direction) == (message.peer, message.id, message.direction)
        }
        guard !known else { return false }
        messages.append(StoredMessage(sequence: next, message: message))
        next += 1
        return true
    }

    private mutating func drop(_ goes: (Message) -> Bool) -> Bool {
        let count = messages.count
        for message in messages.map(\.message) where goes(message) && message.direction == .incoming {
            forgotten.insert(Key(peer: message.peer, id: message.id))
        }
        messages.removeAll { goes($0.message) }
        return messages.count < count
    }

    private mutating func update(_ change: (inout Message) -> Void) -> Bool {
        var effect = false
        for (index, stored) in messages.enumerated() {
            var message = stored.message
            change(&message)
            guard message != stored.message else { continue }
            messages[index] = StoredMessage(sequence: stored.sequence, message: message)
            effect = true
        }
        return effect
    }
}

extension SavedState {
    /// With the outbox in an order that does not depend on when a peer was first met; each peer's own order stays.
    var sorted: SavedState {
        var sorted = self
        sorted.outbox = Dictionary(grouping: outbox, by: \.peer).sorted { $0.key < $1.key }.flatMap(\.value)
        return sorted
    }
}
