// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Contacts and strangers of one user, in the order in which they came.
///
/// Strangers are bounded: past the limit a new one is not noted. What they wrote waits, bounded too, until they are
/// accepted.
public struct ContactBook: Sendable {
    /// Strangers at most.
    public static let strangerLimit = 200
    /// Messages held for one stranger at most; the first ones stay, since they say what it wants.
    public static let heldLimit = 32

    private var contacts: [PeerID: Contact] = [:]
    private var order: [PeerID] = []
    private var held: [PeerID: [Message]] = [:]

    /// Starts with saved contacts.
    public init(_ saved: [Contact] = []) {
        for contact in saved { insert(contact) }
    }

    /// All of them, strangers included, in order.
    public var all: [Contact] { order.compactMap { contacts[$0] } }

    public subscript(peer: PeerID) -> Contact? { contacts[peer] }

    /// What a user means by a UUID or a name; names compare exactly, then without regard to case if that is unambiguous.
    public func resolve(_ text: String) -> PeerID? {
        if let peer = PeerID(text) { return peer }
        if let exact = all.first(where: { $0.name == text }) { return exact.peer }
        let folded = all.filter { $0.name?.lowercased() == text.lowercased() }
        return folded.count == 1 ? folded.first?.peer : nil
    }

    /// Adds or accepts a contact; a name that another contact has gets a number.
    /// - Returns: the messages that waited for it.
    mutating func accept(_ peer: PeerID, name: String?) -> [Message] {
        var contact = contacts[peer] ?? Contact(peer: peer, accepted: true)
        contact.accepted = true
        contact.blocked = false
        if let name { contact.name = unusedName(name, for: peer) }
        insert(contact)
        return held.removeValue(forKey: peer) ?? []
    }

    mutating func rename(_ peer: PeerID, _ name: String) {
        let unused = unusedName(name, for: peer)
        contacts[peer]?.name = unused
    }

    mutating func block(_ peer: PeerID) {
        var contact = contacts[peer] ?? Contact(peer: peer, accepted: false)
        contact.blocked = true
        contact.accepted = false
        insert(contact)
        held[peer] = nil
    }

    mutating func remove(_ peer: PeerID) {
        contacts[peer] = nil
        held[peer] = nil
        order.removeAll { $0 == peer }
    }

    /// How a stranger's message was taken.
    enum Reception: Equatable { case firstOfStranger, held, dropped }

    /// Keeps a stranger's message until the stranger is accepted.
    mutating func hold(_ message: Message) -> Reception {
        if contacts[message.peer] == nil {
            guard note(message.peer) else { return .dropped }
            held[message.peer] = [message]
            return .firstOfStranger
        }
        guard held[message.peer, default: []].count < ContactBook.heldLimit else { return .dropped }
        held[message.peer, default: []].append(message)
        return .held
    }

    /// Lists a stranger.
    /// - Returns: false when there are too many already.
    mutating func note(_ peer: PeerID) -> Bool {
        let strangers = contacts.values.count { !$0.accepted && !$0.blocked }
        guard contacts[peer] != nil || strangers < ContactBook.strangerLimit else { return false }
        if contacts[peer] == nil { insert(Contact(peer: peer, accepted: false)) }
        return true
    }

    private mutating func insert(_ contact: Contact) {
        if contacts.updateValue(contact, forKey: contact.peer) == nil { order.append(contact.peer) }
    }

    private func unusedName(_ wanted: String, for peer: PeerID) -> String {
        let taken = Set(contacts.values.filter { $0.peer != peer }.compactMap(\.name))
        guard taken.contains(wanted) else { return wanted }
        return (2...(taken.count + 2)).lazy.map { "\(wanted)-\($0)" }.first { !taken.contains($0) } ?? wanted
    }
}
