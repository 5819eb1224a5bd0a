// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Traversal
internal import Wire

// Calls: whom we dial learns of it through an index server, and gets a relay's channel with us; and so do we.
extension ClientMachine {
    /// Servers that are told of one dial at most.
    static let callLimit = 4
    /// Relays of others at a time.
    static let guestLimit = 4

    // MARK: Ours

    /// Where to call about a peer: relays that its record names first.
    private func callServers(for peer: PeerID) -> [Int] {
        let named = conversations[peer]?.record?.relays ?? []
        let ready = servers.indices.filter { servers[$0].link.lease != nil }
        let preferred = ready.filter { named.contains(servers[$0].link.server) }
        let others = ready.filter { !preferred.contains($0) && servers[$0].guest == nil }
        return Array((preferred + others).prefix(ClientMachine.callLimit))
    }

    /// The session that calls are made for: one that is dialled, has no way any more, or has one that needs UDP where
    /// that doesn't pass.
    private func callSession(of peer: PeerID) -> PeerLink.Session? {
        guard let link = conversations[peer]?.link else { return nil }
        if let current = link.currentSession {
            let needsUDP = current.report?.route.isRelayed == false && servers.contains { $0.link.hasTunnelledLease }
            return current.isLost || needsUDP ? current : nil
        }
        return link.sessions.last { $0.isDialling }
    }

    mutating func placeCalls(for peer: PeerID) {
        guard let session = callSession(of: peer), mayTalk(to: peer) else { return }
        for index in callServers(for: peer) {
            let name = CallSheet.Name(peer: peer, server: servers[index].link.server)
            guard let due = calls.due(name, for: session.id, isLost: session.isLost), due <= now,
                let token = servers[index].link.lease?.token
            else { continue }
            let reference = session.reference ?? random.next()
            put(
                .send(
                    calls.start(
                        name, for: session.id, from: me, token: token, reference: reference, now: now, using: &random)))
        }
    }

    func callDeadline(of peer: PeerID) -> Instant? {
        guard let session = callSession(of: peer), mayTalk(to: peer) else { return nil }
        return callServers(for: peer).compactMap { index in
            calls.due(
                .init(peer: peer, server: servers[index].link.server), for: session.id, isLost: session.isLost)
        }.min()
    }

    /// An answer to a call.
    mutating func called(_ reply: IndexReply, nonce: String, at index: Int) {
        let server = servers[index].link.server
        guard let answer = calls.receive(reply, nonce: nonce, from: server) else { return }
        switch reply {
        case .unknown: servers[index].link.disown(now: now, seen: nil)
        case .moved(_, let seen): servers[index].link.disown(now: now, seen: seen)
        default: break
        }
        guard case .told(let channel?) = answer.outcome else { return }
        offerRelay(server, channel, to: answer.name.peer, on: answer.session)
    }

    private mutating func offerRelay(
        _ server: Endpoint, _ channel: RelayChannel, to peer: PeerID, on session: SessionID
    ) {
        // The session that it was asked for may have lost against another one.
        let link = conversations[peer]?.link
        guard let id = link?[session]?.id ?? link?.current ?? link?.sessions.last?.id else { return }
        order(.offer(id, [RemoteCandidate(.relayed(by: server, channel), .relayed)], sequence: 0))
    }

    // MARK: Others'

    /// A server where we are registered says that somebody wants to reach us. Nothing proves that but the caller's
    /// record.
    mutating func receive(_ notice: IndexNotice, at index: Int) {
        guard case .call(let call) = notice else { return }
        // It may speak by another of its addresses than the one that we registered at.
        let index = registration(of: index)
        let server = servers[index].link.server
        guard servers[index].link.lease != nil else { return drop(.unsolicited, nil) }
        guard callPace.take(1, now: now) > 0 else { return drop(.tooManyCalls, "calls: too many came at once") }
        guard let octets = call.record, let record = try? PeerRecord(verifying: octets),
            record.key.peer == call.caller, call.caller != me, record.isCurrent(at: wall),
            record.sequence >= book.sequence(of: call.caller)
        else { return drop(.badCall, "a call whose record is missing, forged or old", about: nil) }
        let contact = contacts[call.caller]
        guard contact?.blocked != true, contact?.alarm == nil, !ignored.contains(call.caller),
            contact?.key.map({ $0 == record.key.octets }) ?? true
        else { return }
        if let channel = call.channel, let id = conversations[call.caller]?.link.sessions.last?.id {
            offerRelay(server, channel, to: call.caller, on: conversations[call.caller]?.link.current ?? id)
        }
        guard !configuration.relayOnly, let address = call.address else { return }
        let named = record.candidates.filter { $0.kind != .relayed && $0.endpoint.address == address.address }
        let endpoints = ([address] + named.map(\.endpoint).filter { $0 != address }).filter {
            isUsable($0) && (!$0.isLoopback || server.isLoopback)
        }
        guard !endpoints.isEmpty else { return }
        order(
            .welcome(
                record.key, at: Array(endpoints.prefix(2)), reference: call.reference, sequence: record.sequence))
    }

    /// Whether probes may be sent there at somebody's word.
    func isUsable(_ endpoint: Endpoint) -> Bool { endpoint.isUsable(besides: ownEndpoints) }

    /// This machine's port, wherever it is seen.
    var ownEndpoints: [Endpoint] {
        let port = configuration.address.port
        return [configuration.address] + reachability.addresses.map { Endpoint(address: $0, port: port) }
            + reachability.seen.map(\.endpoint) + (reachability.mapped.map { [$0] } ?? [])
    }

    // MARK: Guests

    /// Registers at relays that a contact is at and we are not, so that the two have one in common. Not when we hide:
    /// the relay could be the contact itself.
    mutating func addGuests(for peer: PeerID) {
        guard !configuration.relayOnly, mayTalk(to: peer), let record = conversations[peer]?.record else { return }
        let isOnLoopback = servers.contains { $0.link.server.isLoopback }
        let known = Set(servers.map(\.link.server))
        guard known.isDisjoint(with: record.relays) else { return }
        for relay in record.relays.prefix(2) where isUsable(relay) && (!relay.isLoopback || isOnLoopback) {
            guard servers.count(where: { $0.guest != nil }) < ClientMachine.guestLimit else { return }
            let link = IndexLink(
                server: relay, identity: configuration.identity, address: configuration.address, now: now,
                random: random.split())
            servers.append(
                Server(name: "\(relay)", key: nil, place: nil, link: link, guest: .init(neededAt: now)))
            servers[servers.count - 1].link.publish(publication(without: relay), now: now)
        }
    }

    /// Lets go of guests that nobody needed for a while.
    mutating func dropGuests() {
        guard servers.contains(where: { $0.guest != nil }) else { return }
        let needed = Set(
            conversations.keys.filter { isWanted($0) || conversations[$0]?.link.current != nil }
                .flatMap { conversations[$0]?.record?.relays ?? [] })
        for index in servers.indices where servers[index].guest != nil && needed.contains(servers[index].link.server) {
            servers[index].guest?.neededAt = now
        }
        let gone = servers.filter { $0.guest.map { now.since($0.neededAt) >= Timing.guest } ?? false }
        guard !gone.isEmpty else { return }
        for server in gone { release(server.link.server) }
        servers.removeAll { server in gone.contains { $0.link.server == server.link.server } }
    }

    var guestDeadline: Instant? { servers.compactMap { $0.guest.map { $0.neededAt + Timing.guest } }.min() }
}

extension Endpoint {
    /// Whether probes may be sent there at somebody's word, if it is none of our own.
    func isUsable(besides own: [Endpoint]) -> Bool { isUnicast && !isDiscard && !own.contains(self) }
}

extension PeerRecord {
    /// Where it can be reached without a relay.
    var addresses: [Candidate] { candidates.filter { $0.kind != .relayed && $0.endpoint.isUnicast } }
    /// Relays at which it is registered.
    var relays: [Endpoint] { candidates.filter { $0.kind == .relayed && $0.endpoint.isUnicast }.map(\.endpoint) }
}
