// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText

/// Whom the words of a command mean, and which names are free: the same on the screen and in lines alone.
struct NameBook: Sendable {
    /// A peer, and what the user's name for it looks like.
    struct Entry: Sendable {
        var contact: Contact {
            didSet { if contact.name != oldValue.name { skeleton = contact.name.map { Skeleton($0) } } }
        }
        private(set) var skeleton: Skeleton?

        init(_ contact: Contact) {
            self.contact = contact
            skeleton = contact.name.map { Skeleton($0) }
        }
    }

    private static let columnLimit = 32
    /// Of a UUID, so many digits say whose it is.
    private static let digitMinimum = 4
    /// The most words of a line among which a peer's name is looked for.
    private static let wordLimit = 64

    /// The user's own.
    let me: PeerID
    let name: String
    var entries: [Entry] = []

    var contacts: [Contact] { entries.map(\.contact) }

    subscript(peer: PeerID) -> Contact? { entries.first { $0.contact.peer == peer }?.contact }

    /// Strangers who want to talk: the invited ones first, each kind as they came.
    var requests: [Contact] {
        let all = contacts.filter(\.isRequest)
        return all.filter(\.invited) + all.filter { !$0.invited }
    }

    // MARK: Whom words mean

    /// The peer that has this UUID or this name, or whose UUID alone begins so.
    func peer(_ text: String) -> Contact? {
        if let id = PeerID(text) { return self[id] }
        let lowered = text.lowercased()
        if let named = entries.first(where: { $0.contact.label.lowercased() == lowered }) { return named.contact }
        guard text.utf8.count >= Self.digitMinimum else { return nil }
        let fitting = entries.filter { $0.contact.peer.description.hasPrefix(lowered) }
        return fitting.count == 1 ? fitting.first?.contact : nil
    }

    /// The peer that a line begins with, and the words behind it, of which there is at least one. A name may hold
    /// blanks: the longest run of words that means a peer does.
    func leading(_ words: [String]) -> (contact: Contact, rest: [String])? {
        for count in (0..<min(words.count, Self.wordLimit)).dropFirst().reversed() {
            guard let contact = peer(words.prefix(count).joined(separator: " ")) else { continue }
            return (contact, Array(words.dropFirst(count)))
        }
        return nil
    }

    // MARK: Names

    /// A name that can be shown, is short enough, and means nobody but this peer.
    func checkedName(_ raw: String, for peer: PeerID?) throws(Refusal) -> String {
        let shown = DisplayText(raw, style: .stripped)
        guard PeerID(shown.string) == nil else { throw Refusal("a UUID is no name") }
        guard !shown.isEmpty, shown.columns <= Self.columnLimit else {
            throw Refusal("a name has 1 to \(Self.columnLimit) columns")
        }
        let lowered = shown.string.lowercased()
        let isTaken = entries.contains { $0.contact.peer != peer && $0.contact.label.lowercased() == lowered }
        guard !isTaken else { throw Refusal("\(shown) is somebody else already") }
        if let other = lookalike(of: shown.string, for: peer) {
            throw Refusal("\(shown) looks like \(DisplayText(other, style: .stripped)): choose another name")
        }
        return shown.string
    }

    /// What a peer without a name calls itself, if that could be its name here.
    func proposedName(for contact: Contact) -> String? {
        guard contact.accepted, contact.name == nil, let nickname = contact.nickname else { return nil }
        let words = nickname.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard let name = try? checkedName(words, for: contact.peer), Skeleton(name) != Skeleton(self.name) else {
            return nil
        }
        return name
    }

    /// Whom a peer's own name may be taken for.
    func warning(about contact: Contact) -> String? {
        guard let nickname = contact.nickname else { return nil }
        if Skeleton(nickname) == Skeleton(name) { return "looks like you" }
        return lookalike(of: nickname, for: contact.peer).map { "looks like \(DisplayText($0, style: .stripped))" }
    }

    /// The name of another contact that a name may be taken for.
    private func lookalike(of name: String, for peer: PeerID?) -> String? {
        let skeleton = Skeleton(name)
        guard !skeleton.isEmpty else { return nil }
        return entries.first {
            $0.contact.peer != peer && $0.contact.accepted && $0.skeleton == skeleton
        }?.contact.name
    }
}

extension Contact {
    /// Somebody who wants to talk and was not yet answered.
    var isRequest: Bool { !accepted && !blocked }

    /// What the peer calls itself, told from a name of the user's own by its words and quotes.
    func introduction(ascii: Bool = false) -> String? {
        guard let nickname else { return nil }
        let shown = DisplayText(nickname, style: .stripped).truncated(to: 32, ascii: ascii)
        return shown.isEmpty ? nil : "calls itself \"\(shown)\""
    }
}
