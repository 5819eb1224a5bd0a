// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PeerEngine

/// What a machine has on its disk: a `ClientStore`'s rules in memory.
struct Disk {
    private struct Name: Hashable {
        var peer: PeerID
        var id: MessageID
    }

    private(set) var contacts: [Contact] = []
    private(set) var outgoing: [Message] = []
    private(set) var incoming: [Message] = []
    private var known: Set<Name> = []
    private var places: [MessageID: Int] = [:]
    private var state = SavedState()

    init(contacts: [Contact] = []) { self.contacts = contacts }

    /// What the engine gets at its next start.
    var saved: SavedState {
        var saved = state
        saved.contacts = contacts
        saved.outbox = outgoing.filter { $0.state == .queued || $0.state == .sent && $0.peer.isKeyed }
        let strangers = Set(contacts.filter { !$0.accepted && !$0.blocked }.map(\.peer))
        saved.held = incoming.filter { strangers.contains($0.peer) }
        return saved
    }

    mutating func apply(_ change: StoreChange) -> Bool {
        switch change {
        case .queue(let message):
            places[message.id] = outgoing.count
            outgoing.append(message)
            state.counters[message.peer] = max(state.counters[message.peer] ?? 0, message.counter)
        case .receive(let message):
            guard known.insert(Name(peer: message.peer, id: message.id)).inserted else { return false }
            incoming.append(message)
        case .advance(let id, _, let new, let reason):
            guard let place = places[id] else { return false }
            outgoing[place].state = new
            outgoing[place].reason = reason
        case .erase(let id, let peer):
            incoming.removeAll { $0.id == id && $0.peer == peer }
        case .forget(let peer): forget(peer)
        case .contact(let contact):
            if let index = contacts.firstIndex(where: { $0.peer == contact.peer }) {
                contacts[index] = contact
            } else {
                contacts.append(contact)
            }
        case .remove(let peer):
            contacts.removeAll { $0.peer == peer }
            forget(peer)
        case .readByPeer(let peer, let counter):
            for index in outgoing.indices
            where outgoing[index].peer == peer && outgoing[index].counter <= counter
                && outgoing[index].state == .delivered
            {
                outgoing[index].state = .read
            }
        case .address(let peer, let address): state.addresses[peer] = address
        case .sequence(let sequence): state.sequence = sequence
        case .port(let port): state.port = port
        case .inviteSecret(let secret): state.inviteSecret = secret
        case .setting(let setting, true): state.switchedOff.remove(setting)
        case .setting(let setting, false): state.switchedOff.insert(setting)
        case .index(let server): state.indexes.append(server)
        case .read, .draft: break
        }
        return true
    }

    private mutating func forget(_ peer: PeerID) {
        incoming.removeAll { $0.peer == peer }
        outgoing.removeAll { $0.peer == peer }
        places = Dictionary(uniqueKeysWithValues: outgoing.enumerated().map { ($1.id, $0) })
    }
}
