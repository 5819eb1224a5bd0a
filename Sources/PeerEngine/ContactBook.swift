// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Contacts and strangers of one user, in the order in which they came.
///
/// Strangers are bounded: past the limit a new one is not noted. Those without keys, whose names anybody can forge, are
/// counted apart from those with. What they wrote waits, bounded too, until they are accepted.
public struct ContactBook: Sendable {
    /// Strangers of either kind at most.
    public static let strangerLimit = 200
    /// Messages held for one stranger at most; the first ones stay, since they say what it wants.
    public static let heldLimit = 32
    /// Bytes of their texts.
    public static let heldBytes = 64 * 1024

    private var contacts: [PeerID: Contact] = [:]
    private var order: [PeerID] = []
    private var held: [PeerID: Held] = [:]

    /// What a stranger wrote.
    private struct Held {
        /// On disk.
        var messages: [Message] = []
        /// Those, and the ones on their way there.
        var count = 0
        var bytes = 0
    }

    /// Starts with saved contacts, and with what strangers among them wrote. What came in the open was shown at once.
    public init(_ saved: [Contact] = [], held: [Message] = []) {
        for contact in saved { insert(contact) }
        for message in held where message.peer.isKeyed && admit(message.text, of: message.peer) { hold(message) }
    }

    /// All of them, strangers included, in order.
    public var all: [Contact] { order.compactMap { contacts[$0] } }

    public subscript(peer: PeerID) -> Contact? { contacts[peer] }

    /// Changes a contact, if there is one.
    mutating func update(_ peer: PeerID, _ change: (inout Contact) -> Void) {
        guard var contact = contacts[peer] else { return }
        change(&contact)
        contacts[peer] = contact
    }

    /// Adds or accepts a contact; a name that another contact has gets a number. What it wrote is held until `release`.
    mutating func accept(_ peer: PeerID, name: String?) {
        var contact = contacts[peer] ?? Contact(peer: peer, accepted: true)
        if !contact.accepted { held[peer] = held[peer] ?? Held() }
        contact.accepted = true
        contact.blocked = false
        if let name { contact.name = unusedName(name, for: peer) }
        insert(contact)
    }

    /// Hands out what was held of a peer, oldest first.
    mutating func release(_ peer: PeerID) -> [Message] { held.removeValue(forKey: peer)?.messages ?? [] }

    /// Lets go of what was held of a peer; what it writes from now on is held still.
    mutating func forgetHeld(of peer: PeerID) { if held[peer] != nil { held[peer] = Held() } }

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

    /// Whether there is room for one more message of a stranger; if so, it is reserved.
    mutating func admit(_ text: String, of peer: PeerID) -> Bool {
        var its = held[peer] ?? Held()
        let bytes = text.utf8.count
        guard its.count < ContactBook.heldLimit, its.bytes + bytes <= ContactBook.heldBytes else { return false }
        its.count += 1
        its.bytes += bytes
        held[peer] = its
        return true
    }

    /// Keeps a stranger's message until the stranger is accepted.
    mutating func hold(_ message: Message) { held[message.peer, default: Held()].messages.append(message) }

    /// Whether messages of this peer have to wait behind those that are held.
    func isHolding(_ peer: PeerID) -> Bool { held[peer] != nil }

    /// The first text that is held of a peer.
    func firstHeld(of peer: PeerID) -> String? { held[peer]?.messages.first?.text }

    /// Lists a stranger.
    /// - Returns: false when there are too many already.
    mutating func note(_ peer: PeerID) -> Bool {
        guard contacts[peer] == nil else { return true }
        guard strangers(like: peer).count < ContactBook.strangerLimit else { return false }
        insert(Contact(peer: peer, accepted: false))
        return true
    }

    /// Who has to make room before an invited peer can be listed: the first stranger that was not invited itself.
    func displaced(by peer: PeerID) -> PeerID? {
        let strangers = strangers(like: peer)
        guard contacts[peer] == nil, strangers.count >= ContactBook.strangerLimit else { return nil }
        return strangers.first { !$0.invited }?.peer
    }

    /// Those that have a key, or have none, as this peer.
    private func strangers(like peer: PeerID) -> [Contact] {
        all.filter { !$0.accepted && !$0.blocked && $0.peer.isKeyed == peer.isKeyed }
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
