// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model

// Which of the addresses that share a row has the registration. That two of them give one token shows less than it
// seems: anybody can pass on to a server what we send, and give its answers for his own.
extension ClientMachine {
    /// The greater leads.
    struct Rank: Comparable {
        let origin: Origin
        let isProven: Bool
        /// Its place among those of one origin.
        let place: Int
        let byUDP: Bool

        static func < (one: Rank, other: Rank) -> Bool {
            if one.origin != other.origin { return one.origin < other.origin }
            if one.isProven != other.isProven { return other.isProven }
            if one.place != other.place { return one.place > other.place }
            return !one.byUDP && other.byUDP
        }
    }

    /// Who named an address of a server.
    enum Origin: Comparable { case contact, invite, user }

    /// What the user named leads before what others did, a proven key before none, and of several servers the first.
    /// Only of addresses that are named as one does it matter how they are reached.
    func rank(of index: Int, byUDP: Bool? = nil) -> Rank {
        let server = servers[index]
        let places = servers.indices.filter { servers[$0].isNamedAs(server) }.map { servers[$0].place ?? $0 }
        return Rank(
            origin: server.origin, isProven: server.key != nil, place: places.min() ?? index,
            byUDP: byUDP ?? !server.link.isTunnelled)
    }

    /// Of two that prove different keys, one gives the other's answers.
    mutating func tellOfCopy(_ one: Int, _ other: Int) {
        let names = [servers[one].name, servers[other].name].sorted()
        guard toldCopies.insert(names).inserted else { return }
        tell(
            .notice(
                "The index servers \(names[0]) and \(names[1]) prove different keys, yet share one registration: one of "
                    + "them passes yours on to the other. Name only the one that you trust.", about: nil))
    }
}

extension ClientMachine.Server {
    var origin: ClientMachine.Origin { guest != nil ? .contact : place == nil ? .invite : .user }

    /// Whether whoever named both meant one server: by one name, or by one key, which both prove.
    func isNamedAs(_ other: Self) -> Bool {
        guard origin == other.origin else { return false }
        return key == other.key && key != nil || name == other.name && (key == nil || other.key == nil)
    }

    /// Whether they can't be one server, and neither has more weight.
    func contradicts(_ other: Self) -> Bool {
        guard origin == other.origin, let key, let its = other.key else { return false }
        return key != its
    }
}
