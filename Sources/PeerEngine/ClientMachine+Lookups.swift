// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// Index servers, and what they say of where peers are.
extension ClientMachine {
    mutating func receive(_ event: DatagramEvent) {
        switch event {
        case .received(let datagram): receive(datagram)
        case .unreachable(let endpoint): unreachable(endpoint)
        }
    }

    private mutating func receive(_ datagram: Datagram) {
        if let index = servers.firstIndex(where: { $0.link.server == datagram.endpoint }),
            let (reply, nonce) = servers[index].link.read(datagram.bytes)
        {
            return receive(reply, nonce, at: index)
        }
        do throws(WireError) {
            receive(try PeerMessage(JSONObject(parsing: datagram.bytes)), from: datagram.endpoint)
        } catch {
            drop(.malformed, "a datagram from \(datagram.endpoint) that is no message: \(error)")
        }
    }

    private mutating func receive(_ reply: IndexReply, _ nonce: String?, at index: Int) {
        guard case .answer(let address, let text, let record) = reply else {
            return linkReceive(reply, nonce, at: index)
        }
        let link = servers[index].link
        let answer = Lookup.Answer(
            address: address, text: text, record: record, nonce: nonce, server: link.server, isSeed: link.isSeed)
        let asking = nonce.flatMap { nonce in lookups.first { $0.value.nonce == nonce }?.key }
        guard let peer = asking ?? PeerID(text), let outcome = lookups[peer]?.receive(answer, wall: wall) else {
            return linkReceive(reply, nonce, at: index)
        }
        finishLookup(of: peer, outcome)
    }

    private mutating func linkReceive(_ reply: IndexReply, _ nonce: String?, at index: Int) {
        perform(
            servers[index].link.receive(reply, nonce: nonce, now: now, wall: wall, sequence: &sequence), at: index)
    }

    mutating func perform(_ actions: [IndexLink.Action], at index: Int) {
        for action in actions {
            switch action {
            case .send(let bytes): put(.send(Datagram(bytes, servers[index].link.server)))
            case .status(let status): tell(.index(server: servers[index].name, status))
            case .signed(let sequence): commit(.sequence(sequence))
            }
        }
    }

    /// A hint: anybody can forge it, so it starts questions and ends nothing.
    private mutating func unreachable(_ endpoint: Endpoint) {
        if let index = servers.firstIndex(where: { $0.link.server == endpoint }) {
            return perform(servers[index].link.unreachable(), at: index)
        }
        for (peer, conversation) in conversations where conversation.link.dialled.contains(endpoint) {
            startLookup(peer)
        }
        for peer in book.doubt(endpoint) {
            startLookup(peer)
            let text = "nobody reads at \(endpoint) any more, so the last message may be lost; looking it up again"
            setPath(peer, .none, Reason(.network, text))
        }
    }

    // MARK: Lookups

    mutating func startLookup(_ peer: PeerID) {
        guard lookups[peer] == nil else { return }
        lookups[peer] = Lookup(
            peer: peer, minimumSequence: book.sequence(of: peer), deadEndpoint: book.deadEndpoint(of: peer),
            own: configuration.address, now: now, random: &random)
    }

    mutating func advanceLookup(of peer: PeerID) {
        let asked = servers.map(\.link.asked)
        guard let (send, outcome) = lookups[peer]?.advance(now: now, servers: asked), let lookup = lookups[peer]
        else { return }
        if asked.isEmpty, !configuration.hasIndex { return finishLookup(of: peer, .failed(lookup.reason)) }
        if let outcome { return finishLookup(of: peer, outcome) }
        for datagram in send { put(.send(datagram)) }
        if !send.isEmpty, lookup.isLate(now: now), book.lastEndpoint(of: peer) == nil, currentPath(of: peer) == .none {
            setPath(peer, .none, lookup.reason)
        }
    }

    private mutating func finishLookup(of peer: PeerID, _ outcome: Lookup.Outcome) {
        guard let lookup = lookups.removeValue(forKey: peer) else { return }
        let took = now.since(lookup.started)
        switch outcome {
        case .found(let endpoint, let sequence):
            book.learn(peer, endpoint, sequence: sequence, now: now)
            tell(.lookup(peer, .index, found: true, took: took))
            if let record = lookup.record { found(record, of: peer) } else { found(peer) }
        case .failed(let reason):
            tell(.lookup(peer, .index, found: false, took: took))
            if peer.isKeyed { notFound(peer, reason) } else { giveUp(peer, reason) }
        }
    }

    // MARK: Paths

    func currentPath(of peer: PeerID) -> PathKind { paths[peer]?.kind ?? .none }

    /// Tells a path to a contact when it is another one, takes another time, or is missing for another reason. Of
    /// strangers nothing is told or kept: there is no end to them.
    /// - Parameters:
    ///   - cause: what tells this reason from others, when its words don't.
    ///   - nextTry: when it is tried again.
    mutating func setPath(
        _ peer: PeerID, _ kind: PathKind, _ reason: Reason? = nil, cause: String? = nil, roundTrip: Span? = nil,
        nextTry: Instant? = nil
    ) {
        guard contacts[peer]?.accepted == true else { return }
        let note = PathNote(kind: kind, roundTrip: roundTrip, cause: reason.map { cause ?? $0.cause.rawValue })
        guard paths.updateValue(note, forKey: peer) != note else { return }
        var told = reason
        if let reason, let nextTry {
            let seconds = (nextTry.since(now).nanoseconds + 999_999_999) / 1_000_000_000
            told = Reason(reason.cause, "\(reason.text); next try in \(seconds) s")
        }
        tell(.path(peer, kind, roundTrip: roundTrip, reason: told))
    }

    // MARK: What is not taken

    /// Counts, and says so the first time.
    mutating func drop(_ reason: DropReason, _ what: String?, about peer: PeerID? = nil) {
        dropped[reason, default: 0] += 1
        guard dropped[reason] == 1, let what else { return }
        tell(.notice("Dropped \(what).", about: peer))
    }
}
