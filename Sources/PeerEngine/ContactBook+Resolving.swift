// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Whom a user means by a text.
public enum PeerReading: Equatable, Sendable {
    case one(PeerID)
    /// Those whom it fits, in the order in which they came.
    case several([Contact])
    case nobody
}

extension ContactBook {
    /// Characters of a beginning at least.
    private static let prefixLimit = 4

    /// What a user means by a UUID, a name or the beginning of either.
    ///
    /// Names compare exactly, then without regard to case, then by their beginnings together with those of IDs, with
    /// hyphens or without. Strangers count only where no contact fits, and only by their IDs.
    public func read(_ text: String) -> PeerReading {
        if let peer = PeerID(text) { return .one(peer) }
        if let exact = all.first(where: { $0.name == text }) { return .one(exact.peer) }
        let wanted = text.lowercased()
        let folded = all.filter { $0.name?.lowercased() == wanted }
        guard folded.isEmpty else { return PeerReading(folded) }
        guard wanted.count >= ContactBook.prefixLimit else { return .nobody }
        let digits = wanted.filter { $0 != "-" }
        let mayBeID = digits.utf8.count >= ContactBook.prefixLimit && digits.utf8.allSatisfy(\.isHexDigit)
        func begins(_ contact: Contact) -> Bool {
            mayBeID && contact.peer.description.filter { $0 != "-" }.hasPrefix(digits)
        }
        let contacts = all.filter { $0.accepted && (begins($0) || $0.name?.lowercased().hasPrefix(wanted) == true) }
        return PeerReading(contacts.isEmpty ? all.filter(begins) : contacts)
    }

    /// - Throws: one sentence that says why it is nobody, or whom it may be.
    public func resolve(_ text: String) throws(UnclearPeer) -> PeerID {
        switch read(text) {
        case .one(let peer): return peer
        case .several(let contacts):
            let choices = contacts.prefix(5).map { contact in
                contact.name.map { "\($0) (\(contact.peer.shortDigits))" } ?? "\(contact.peer)"
            }
            let more = contacts.count > choices.count ? " and others" : ""
            throw UnclearPeer("'\(text)' may be \(choices.joined(separator: ", "))\(more): write more of it.")
        case .nobody: throw UnclearPeer("'\(text)' is no UUID and no contact's name, nor the beginning of one.")
        }
    }
}

/// Why a text names no one peer: one sentence for the user.
public struct UnclearPeer: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

extension PeerReading {
    fileprivate init(_ found: [Contact]) {
        self = found.isEmpty ? .nobody : found.count == 1 ? .one(found[0].peer) : .several(found)
    }
}

extension UInt8 {
    fileprivate var isHexDigit: Bool { (0x30...0x39).contains(self) || (0x61...0x66).contains(self) }
}
