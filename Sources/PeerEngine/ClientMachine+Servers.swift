// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// Addresses of servers. One server may be known by several: it keeps one row for us, which would move to and fro if
// each of them had a registration. So one leads, and the others stand by.
extension ClientMachine {
    /// An address of a server that we register at.
    struct Server {
        /// As the user wrote it; several addresses may have one name.
        let name: String
        /// What it has to prove; `nil` when no key is pinned.
        let key: PeerKey?
        /// Its place among those that the user named, from 0; `nil` for one that somebody else named.
        let place: Int?
        var link: IndexLink
        /// Only for its relay, which a contact has and we have not; the user does not hear of it.
        var guest: Guest?
        /// While another address of the same server has the registration.
        var standby: Standby?
        /// Whether it passes on, as it last said.
        var isRelay = false

        struct Guest { var neededAt: Instant }
        /// Whether it is but named by a contact, and perhaps no index server at all: it is asked at growing pauses,
        /// whoever waits.
        var isUnmet: Bool { guest != nil && standby == nil && !isRelay }

        /// Where we are seen there by UDP, and at its second port.
        var sighting: Endpoint? { standby == nil ? link.sighting : standby?.sighting }
        var secondSighting: Endpoint? { standby == nil ? link.secondSighting : standby?.secondSighting }
        var secondEndpoint: Endpoint? { standby == nil ? link.secondEndpoint : standby?.secondEndpoint }
        /// Where a record may say that we are seen; `nil` while that is not sure.
        var seen: Endpoint? {
            guard let standby else { return link.lease?.seen }
            return standby.isReached ? standby.sighting : nil
        }
        /// Whether a record may name it as a relay of ours.
        var relays: Bool { standby.map { $0.isReached && $0.offers.relays } ?? (link.lease?.offers.relays == true) }
        var deadline: Instant { standby?.deadline ?? link.deadline }

        /// The network changed or this machine slept.
        mutating func verify(now: Instant) {
            link.verify(now: now)
            standby?.hurry(now: now)
        }
    }

    // MARK: Leading and standing by

    /// A server registered us: addresses that gave one token in one run share one row. The last one has it.
    mutating func unite(with index: Int) {
        guard let lease = servers[index].link.lease, lease.token.count >= ClientMachine.tellingToken else { return }
        let sharing = servers.indices.filter { place in
            servers[place].link.lease.map { $0.token == lease.token && $0.boot == lease.boot } ?? false
        }
        for other in sharing where servers[other].contradicts(servers[index]) { tellOfCopy(other, index) }
        let same = sharing.filter { !servers[$0].contradicts(servers[index]) }
        guard let best = same.max(by: { rank(of: $0) < rank(of: $1) }), same.count > 1 else { return }
        let leader = rank(of: best) > rank(of: index) ? best : index
        for place in same where place != leader && !servers[place].contradicts(servers[leader]) {
            standBy(place, for: leader, isReached: true)
        }
        if leader != index, let seen = servers[leader].link.lease?.seen {
            servers[leader].link.disown(now: now, seen: seen)
        }
    }

    /// Octets of a token that no two servers give by chance.
    private static let tellingToken = 8

    private mutating func standBy(_ index: Int, for leader: Int, isReached: Bool) {
        let old = servers[index].link
        let boot = old.lease?.boot ?? servers[leader].link.lease?.boot ?? ""
        release(old.server)
        servers[index].standby = Standby(
            of: servers[leader].link.server, at: old.server, offers: old.offers, boot: boot, sighting: old.sighting,
            isReached: isReached, now: now, random: random.split())
        // Whatever it knew was of a registration that is not its own any more.
        servers[index].link = IndexLink(
            server: old.server, name: old.name, pinned: servers[index].key, identity: configuration.identity,
            address: old.sighting ?? configuration.address, now: now, random: random.split())
        let address = servers[leader].link.server
        for place in servers.indices where servers[place].standby?.leader == old.server {
            servers[place].standby?.leader = address
        }
        if servers[index].guest == nil { tellStatus(of: servers[index].name) }
    }

    /// A link is done with: so are its calls and its tunnel, be it open or only asked for.
    mutating func release(_ server: Endpoint) {
        put(.tunnel(.close(server)))
        calls.forget(server: server)
    }

    /// Registers by an address that stood by.
    private mutating func lead(_ index: Int) {
        let former = servers[index].standby?.leader
        servers[index].standby = nil
        let publication = publication(without: servers[index].link.server)
        servers[index].link.publish(publication, now: now)
        guard let place = servers.firstIndex(where: { $0.link.server == former && $0.standby == nil }) else { return }
        standBy(place, for: index, isReached: servers[place].link.lease != nil)
    }

    mutating func advanceStandbys() {
        for index in servers.indices where servers[index].standby != nil {
            guard let leader = leader(of: index) else {
                lead(index)
                continue
            }
            let link = servers[leader].link
            let isLost = if case .unreachable = link.status { link.lease == nil } else { false }
            servers[index].standby?.note(trouble: isLost, now: now)
            if servers[index].standby?.shouldLead == true {
                lead(index)
                continue
            }
            let (me, wantsProof) = (me, servers[index].key != nil)
            let due = servers[index].standby?.advance(peer: me, lease: link.lease, wantsProof: wantsProof, now: now)
            for datagram in due?.send ?? [] { put(.send(datagram)) }
            if let outcome = due?.outcome { settle(outcome, at: index) }
        }
    }

    private func leader(of index: Int) -> Int? {
        servers.firstIndex { $0.standby == nil && $0.link.server == servers[index].standby?.leader }
    }

    /// Which of a server's addresses has the registration.
    func registration(of index: Int) -> Int { servers[index].standby == nil ? index : leader(of: index) ?? index }

    mutating func standbyReceive(_ reply: IndexReply, _ nonce: String?, at index: Int) {
        let lease = leader(of: index).flatMap { servers[$0].link.lease }
        guard let outcome = servers[index].standby?.receive(reply, nonce: nonce, lease: lease, now: now) else { return }
        settle(outcome, at: index)
    }

    private mutating func settle(_ outcome: Standby.Outcome, at index: Int) {
        if let leader = leader(of: index), outcome == .answered {
            let isBetter = rank(of: index, byUDP: true) > rank(of: leader)
            if isBetter || servers[index].standby?.shouldLead == true { return lead(index) }
        }
        if outcome == .parted { servers[index].standby = nil }
        if servers[index].guest == nil { tellStatus(of: servers[index].name) }
        republish()
        noteReachability()
    }

    /// Reads what came from a server's second port.
    mutating func receiveFromSecondPort(_ bytes: [UInt8], at index: Int) {
        guard servers[index].standby != nil else {
            return perform(servers[index].link.receiveFromSecondPort(bytes), at: index)
        }
        if servers[index].standby?.receiveFromSecondPort(bytes) == true { noteReachability() }
    }

    /// Somebody waits for what servers may say.
    mutating func hurryServers() {
        for index in servers.indices where !servers[index].isUnmet { servers[index].link.hurry(now: now) }
    }

    // MARK: Relays

    /// Whom datagrams as of a relay are taken from.
    var relays: Set<Endpoint> { contactRelays.union(servers.lazy.filter(\.isRelay).map(\.link.server)) }

    mutating func tellRelays() {
        let relays = relays
        guard relays != toldRelays else { return }
        toldRelays = relays
        order(.relays(relays))
    }

    // MARK: What others see

    /// Whom lookups ask: each server once, as long as one of its addresses has us registered. One that was not named as
    /// the same is asked whoever leads: whoever passes on our registration need not pass on what we ask.
    var asked: [Lookup.Server] {
        let own = servers.filter { $0.guest == nil }
        let leading = own.filter { $0.link.lease != nil }
        return own.filter { server in
            server.link.lease != nil
                || !leading.contains { leader in
                    leader.isNamedAs(server)
                        && (leader.name == server.name || leader.link.server == server.standby?.leader)
                }
        }.map(\.link.asked)
    }

    /// Tells what is known of a name, if it is something else than before.
    mutating func tellStatus(of name: String) {
        let own = servers.indices.filter { servers[$0].name == name && servers[$0].guest == nil }
        let all = own.map { status(of: $0) }
        func isWorking(_ status: IndexStatus) -> Bool {
            switch status {
            case .ok, .noIdentities: true
            default: false
            }
        }
        func isAlias(_ status: IndexStatus) -> Bool {
            if case .sameServer(let other) = status { other != name } else { false }
        }
        guard let status = all.first(where: isWorking) ?? all.first(where: isAlias) ?? all.first else { return }
        let told = toldStatuses.updateValue(status, forKey: name)
        // The round trip changes each time; the state is what is told.
        let isSame = if case (.ok, .ok) = (told, status) { true } else { told == status }
        if !isSame { tell(.index(server: name, status)) }
    }

    private func status(of index: Int) -> IndexStatus {
        guard let standby = servers[index].standby else { return servers[index].link.status }
        guard standby.isReached else { return .unreachable("no answer") }
        return .sameServer(as: leader(of: index).map { servers[$0].name } ?? "\(standby.leader)")
    }
}
