// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText

/// What the words behind a command come to. Where none names a peer, the open conversation's is meant.
extension NameBook {
    /// Whom `/add` would add.
    enum Addition: Equatable {
        case invite(String, name: String?)
        case peer(PeerID, name: String?)
        /// A contact already; with a name if that is to be another one.
        case known(Contact, rename: String?)
    }

    func addition(_ words: [String], ownInvite: String?) throws(Refusal) -> Addition {
        guard let word = words.first else { throw .usage(.add) }
        let raw = words.count > 1 ? words.dropFirst().joined(separator: " ") : nil
        if let invite = InputLine.invite(word)?.word {
            guard invite != ownInvite else { throw Refusal("that is your own invite: give it to a friend") }
            // Whose invite it is will only be seen when it is read: the name must be nobody's.
            return .invite(invite, name: try checked(raw, for: nil))
        }
        guard let peer = PeerID(word) else {
            let shown = DisplayText(word, style: .stripped).truncated(to: 20, ascii: true)
            throw Refusal("\(shown) is no invite and no UUID")
        }
        guard peer != me else { throw Refusal("that is your own UUID") }
        let name = try checked(raw, for: peer)
        guard let known = self[peer], known.accepted, !known.blocked else { return .peer(peer, name: name) }
        return .known(known, rename: name == known.name ? nil : name)
    }

    private func checked(_ raw: String?, for peer: PeerID?) throws(Refusal) -> String? {
        guard let raw else { return nil }
        return try checkedName(raw, for: peer)
    }

    /// Whom `/nick` names, and how.
    func naming(_ words: [String], open: PeerID?) throws(Refusal) -> ChatEffect {
        guard !words.isEmpty else { throw .usage(.nick) }
        let named = leading(words)
        guard let peer = named?.contact.peer ?? open else { throw Refusal("name whom? \(Command.nick.usage)") }
        return .rename(peer, try checkedName((named?.rest ?? words).joined(separator: " "), for: peer))
    }

    /// Whose conversation `/go` opens: by a number of the list, or else a name.
    func destination(_ words: [String], list: [PeerID]) throws(Refusal) -> Contact {
        let word = words.joined(separator: " ")
        let numbered = Int(word).flatMap { 1 <= $0 && $0 <= list.count ? self[list[$0 - 1]] : nil }
        guard let contact = numbered ?? peer(word) else { throw .nobody }
        guard !contact.blocked else { throw .blocked }
        return contact
    }

    /// Whom a command is about that takes nothing but a peer.
    func meant(_ words: [String], open: PeerID?) throws(Refusal) -> Contact {
        guard words.isEmpty else {
            guard let contact = peer(words.joined(separator: " ")) else { throw .nobody }
            return contact
        }
        guard let open else { throw Refusal("whom? open a conversation or give a name") }
        // Whoever was added a moment ago may be on the way into the book.
        return self[open] ?? Contact(peer: open, accepted: true)
    }

    /// Whom `/accept` lets in.
    func accepting(_ words: [String], open: PeerID?) throws(Refusal) -> Contact {
        let contact = try asking(words, open: open)
        guard !contact.blocked else { throw .blocked }
        guard contact.isRequest else { throw Refusal("already a contact") }
        return contact
    }

    /// Whose request `/ignore` drops.
    func ignoring(_ words: [String], open: PeerID?) throws(Refusal) -> Contact {
        let contact = try asking(words, open: open)
        guard contact.isRequest else { throw Refusal("that is no request") }
        return contact
    }

    /// Without a name, beside a contact's conversation, the one request there is.
    private func asking(_ words: [String], open: PeerID?) throws(Refusal) -> Contact {
        guard words.isEmpty, open.flatMap({ self[$0] })?.isRequest != true else { return try meant(words, open: open) }
        let requests = requests
        guard let only = requests.first else {
            guard open != nil else { throw Refusal("no requests") }
            return try meant(words, open: open)
        }
        guard requests.count == 1 else {
            throw Refusal("\(requests.count) requests: /requests lists them, or give a name")
        }
        return only
    }

    /// Whom `/block` silences.
    func blocking(_ words: [String], open: PeerID?) throws(Refusal) -> Contact {
        let contact = try meant(words, open: open)
        guard !contact.blocked else { throw Refusal("blocked already: /add takes the block away") }
        return contact
    }

    /// Whose digits `/verify` compares.
    func verifying(_ words: [String], open: PeerID?) throws(Refusal) -> Contact {
        let contact = try meant(words, open: open)
        guard contact.peer.isKeyed else { throw Refusal("a peer without a key: there is nothing to compare") }
        return contact
    }

    /// Whom `/plaintext` lets be talked to in the open, or no longer.
    func plaintext(_ words: [String], open: PeerID?) throws(Refusal) -> (peer: PeerID, isAllowed: Bool) {
        guard let last = words.last, let isAllowed = Bool(switch: last) else { throw .usage(.plaintext) }
        // Without this, a peer without a key can't be added in the first place.
        if isAllowed, words.count == 2, let peer = words.first.flatMap({ PeerID($0) }), !peer.isKeyed {
            return (peer, true)
        }
        let contact = try meant(Array(words.dropLast()), open: open)
        guard !contact.peer.isKeyed else {
            throw Refusal("\(contact.label) has a key: nothing to it ever goes in the open")
        }
        return (contact.peer, isAllowed)
    }
}

extension Command {
    /// Whether `/invite` is to make a new one.
    static func renewsInvite(_ words: [String]) throws(Refusal) -> Bool {
        guard let word = words.first else { return false }
        guard word.lowercased() == "new", words.count == 1 else { throw .usage(.invite) }
        return true
    }

    /// What `/set` switches, and how.
    static func switching(_ words: [String]) throws(Refusal) -> ChatEffect {
        guard words.count == 2, let setting = ChatSetting(rawValue: words[0].lowercased()),
            let isOn = Bool(switch: words[1])
        else {
            let names = ChatSetting.allCases.map(\.rawValue).joined(separator: ", ")
            throw Refusal("usage: \(Command.set.usage) with one of \(names)")
        }
        return .set(setting, isOn)
    }
}

extension Contact {
    /// What it means that the peer is blocked from now on.
    var blockedSentence: String { "\(label) is blocked: nothing of it is taken any more, until you /add it" }
}

extension Refusal {
    static let nobody = Refusal("nobody of that name: /peers lists all")
    static let blocked = Refusal("blocked: /add takes the block away")
}

extension Bool {
    /// Reads `on` and `off`.
    fileprivate init?(switch word: String) {
        switch word.lowercased() {
        case "on": self = true
        case "off": self = false
        default: return nil
        }
    }
}
