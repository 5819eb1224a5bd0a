// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Traversal
internal import Wire

// This machine's own network: what happens to it, and how others see us.
extension ClientMachine {
    /// Contacts whose word on where they see us is kept.
    static let observerLimit = 16

    mutating func receive(_ event: NetworkEvent) {
        switch event {
        case .addresses(let addresses):
            // The same addresses again mean another gateway, behind which nothing need be as it was.
            let isFirst = !knowsAddresses
            knowsAddresses = true
            reachability.addresses = addresses.filter { !Endpoint(address: $0, port: 1).isLoopback }
            networkChanged(isFirst: isFirst)
        case .slept: networkChanged(isFirst: false)
        case .mapped(let endpoint, let by, let failures):
            reachability.mapped = endpoint.flatMap { $0.isUnicast ? $0 : nil }
            reachability.mappedBy = by
            reachability.mappingFailures = failures
            republish()
            noteReachability()
        }
    }

    /// Everything that was known of ways is in doubt.
    private mutating func networkChanged(isFirst: Bool) {
        order(.networkChanged(addresses: reachability.addresses))
        if !isFirst {
            observed = [:]
            (verifiedAt, verifyAt) = (now, nil)
            for index in servers.indices { servers[index].verify(now: now) }
            for peer in conversations.keys.sorted() { lookAgain(for: peer) }
        }
        noteReachability()
    }

    /// A session's route is in doubt. Perhaps the router gave us another outer port: relays pass on what comes from the
    /// one that they know, and the other side has to learn the new one. Or no UDP comes through any more.
    mutating func verifyServers() {
        // A doubt is told once: one that comes too soon after another one waits, and isn't lost.
        verifyAt = verifiedAt.map { max(now, $0 + Timing.verification) } ?? now
        advanceVerification()
    }

    mutating func advanceVerification() {
        guard let verifyAt, verifyAt <= now else { return }
        self.verifyAt = nil
        verifiedAt = now
        for index in servers.indices where servers[index].link.lease != nil { servers[index].link.doubt(now: now) }
    }

    private mutating func lookAgain(for peer: PeerID) {
        let now = now
        conversation(peer) { $0.exchange.restart(now: now) }
        if isWanted(peer), conversations[peer]?.link.isEmpty == true { hurry(peer) }
        placeCalls(for: peer)
    }

    // MARK: Tunnels

    mutating func receive(_ event: TunnelEvent) {
        switch event {
        case .opened(let server):
            guard let index = servers.firstIndex(where: { $0.link.server == server }) else { return release(server) }
            perform(servers[index].link.tunnelOpened(now: now, wall: wall, sequence: &sequence), at: index)
        case .closed(let server, let reason):
            guard let index = servers.firstIndex(where: { $0.link.server == server }) else { return }
            perform(servers[index].link.tunnelClosed(reason, now: now), at: index)
        }
    }

    /// Datagrams for a server take another way: what sessions knew of theirs is in doubt, and what the server said of
    /// calls was for the other one.
    mutating func changedWay(to server: Endpoint) {
        calls.forget(server: server)
        order(.networkChanged(addresses: reachability.addresses))
    }

    // MARK: How we are seen

    /// A server has us registered.
    mutating func registered(at index: Int) {
        servers[index].isRelay = servers[index].link.lease?.offers.relays == true
        unite(with: index)
        republish()
        for peer in conversations.keys.sorted() where conversations[peer]?.link.isEmpty == false {
            placeCalls(for: peer)
        }
    }

    func publication(without server: Endpoint) -> IndexLink.Publication {
        let relays = servers.filter { $0.guest == nil && $0.relays }.map(\.link.server)
        let seen = servers.filter { $0.guest == nil && $0.link.server != server }.compactMap(\.seen)
        return IndexLink.Publication(
            mapped: reachability.mapped, relays: relays.filter { $0 != server },
            seen: seen.filter { $0.isUnicast && !$0.isDiscard }, hidesAddress: configuration.relayOnly)
    }

    /// Records say what is so now.
    mutating func republish() {
        for index in servers.indices {
            servers[index].link.publish(publication(without: servers[index].link.server), now: now)
        }
    }

    /// A contact sees us there: one more place to tell others of.
    mutating func observed(_ endpoint: Endpoint, by peer: PeerID) {
        guard mayTalk(to: peer), endpoint.isUnicast, !endpoint.isDiscard, observed[peer] != endpoint,
            observed[peer] != nil || observed.count < ClientMachine.observerLimit
        else { return }
        observed[peer] = endpoint
        noteReachability()
    }

    /// There is no session with a contact any more: where it saw us holds no longer, and others may say where they do.
    mutating func forgetObservation(by peer: PeerID) {
        if observed.removeValue(forKey: peer) != nil { noteReachability() }
    }

    /// Tells what changed of how we are seen, to the user and to contacts.
    mutating func noteReachability() {
        let own = servers.filter { $0.guest == nil }
        let before = reachability.seen.map(\.endpoint)
        reachability.seen = own.compactMap { server in
            server.sighting.map { Reachability.Sighting(server.name, $0) }
        }
        // What contacts said of an outer port that servers no longer see is as old.
        let gone = Set(before).subtracting(reachability.seen.map(\.endpoint))
        if !gone.isEmpty { observed = observed.filter { !gone.contains($0.value) } }
        reachability.relays = own.filter { $0.link.lease?.offers.relays == true }.map(\.name)
        reachability.udpBlocked = own.contains(where: \.link.isTunnelled)
        reachability.mapping = .judge(
            own: reachability.addresses,
            servers: own.flatMap { [$0.sighting, $0.secondSighting] }.compactMap(\.self),
            peers: Array(observed.values))
        reachability.passing = passing
        guard reachability != toldReachability else { return }
        toldReachability = reachability
        tell(.reachability(reachability))
        for peer in conversations.keys.sorted() { tellCandidates(to: peer) }
        tellRelaying()
    }
}
