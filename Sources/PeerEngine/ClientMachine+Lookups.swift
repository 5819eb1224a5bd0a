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
        if let index = servers.firstIndex(where: { $0.link.server == datagram.endpoint }) {
            if readNotice(datagram.bytes, at: index) || readCall(datagram.bytes, at: index) { return }
            if let (reply, nonce) = read(datagram.bytes, at: index) { return receive(reply, nonce, at: index) }
        }
        if let index = servers.firstIndex(where: { $0.secondEndpoint == datagram.endpoint }) {
            return receiveFromSecondPort(datagram.bytes, at: index)
        }
        // Anybody can send anything here, late answers and probes among it: no news for people.
        guard let object = try? JSONObject(parsing: datagram.bytes), let message = try? PeerMessage(object) else {
            return drop(.malformed, nil)
        }
        receive(message, from: datagram.endpoint)
    }

    /// - Returns: whether it was one.
    private mutating func readNotice(_ bytes: [UInt8], at index: Int) -> Bool {
        guard bytes.count <= IndexNotice.sizeLimit, let object = try? JSONObject(parsing: bytes),
            let notice = IndexNotice(object)
        else { return false }
        receive(notice, at: index)
        return true
    }

    /// Answers to calls are not proven; what they lead to is.
    /// - Returns: whether it was one.
    private mutating func readCall(_ bytes: [UInt8], at index: Int) -> Bool {
        guard calls.deadline != nil, let answer = try? IndexAnswer(parsing: bytes), let nonce = answer.nonce,
            calls.expects(nonce, from: servers[index].link.server)
        else { return false }
        called(answer.reply, nonce: nonce, at: index)
        return true
    }

    private mutating func read(_ bytes: [UInt8], at index: Int) -> (IndexReply, String?)? {
        var link = servers[index].link
        let answer = link.read(bytes)
        // What is wrong with an address that stands by is the server's fault once it leads.
        if servers[index].standby == nil { servers[index].link = link }
        return answer.map { ($0.reply, $0.nonce) }
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
        guard servers[index].standby == nil else { return standbyReceive(reply, nonce, at: index) }
        perform(
            servers[index].link.receive(reply, nonce: nonce, now: now, wall: wall, sequence: &sequence), at: index)
    }

    mutating func perform(_ actions: [IndexLink.Action], at index: Int) {
        for action in actions {
            switch action {
            case .send(let bytes): put(.send(Datagram(bytes, servers[index].link.server)))
            case .sendByUDP(let bytes, let endpoint): put(.sendByUDP(Datagram(bytes, endpoint)))
            case .status: if servers[index].guest == nil { tellStatus(of: servers[index].name) }
            case .signed(let sequence): commit(.sequence(sequence))
            case .tunnel(let command): put(.tunnel(command))
            case .registered: registered(at: index)
            case .sighted: break
            case .changedWay: changedWay(to: servers[index].link.server)
            }
        }
        if !actions.isEmpty { noteReachability() }
    }

    /// A hint: anybody can forge it, so it starts questions and ends nothing.
    private mutating func unreachable(_ endpoint: Endpoint) {
        if let index = servers.firstIndex(where: { $0.link.server == endpoint }) {
            return perform(servers[index].link.unreachable(), at: index)
        }
        doubt(endpoint)
        for peer in book.doubt(endpoint) {
            startLookup(peer)
            let text = "nobody reads at \(endpoint) any more, so the last message may be lost; looking it up again"
            setPath(peer, .none, Reason(.network, text))
        }
    }

    // MARK: Lookups

    mutating func startLookup(_ peer: PeerID) {
        guard lookups[peer] == nil else { return }
        hurryServers()
        lookups[peer] = Lookup(
            peer: peer, minimumSequence: book.sequence(of: peer), deadEndpoint: book.deadEndpoint(of: peer),
            own: configuration.address, now: now, random: &random)
    }

    mutating func advanceLookup(of peer: PeerID) {
        let asked = asked
        guard let (send, outcome) = lookups[peer]?.advance(now: now, servers: asked), let lookup = lookups[peer]
        else { return }
        if asked.isEmpty, !configuration.hasIndex { return finishLookup(of: peer, .failed(withoutIndex(peer))) }
        if let outcome { return finishLookup(of: peer, outcome) }
        for datagram in send { put(.send(datagram)) }
        if !send.isEmpty, lookup.isLate(now: now), book.lastEndpoint(of: peer) == nil, currentPath(of: peer) == .none {
            setPath(peer, .none, lookup.reason)
        }
    }

    /// Why a peer is not found where no index server is wanted.
    private func withoutIndex(_ peer: PeerID) -> Reason {
        let rest = peer.isKeyed && !configuration.relayOnly ? ", so it is looked for on this network alone" : ""
        return Reason(.noAnswer, "no index server is in use" + rest)
    }

    private mutating func finishLookup(of peer: PeerID, _ outcome: Lookup.Outcome) {
        guard let lookup = lookups.removeValue(forKey: peer) else { return }
        let took = now.since(lookup.started)
        switch outcome {
        case .found(let endpoint, let sequence):
            // Where a peer with a key was reached last is better than where others see it.
            let reached = peer.isKeyed ? book.reachedEndpoint(of: peer) : nil
            book.learn(peer, reached ?? endpoint, sequence: sequence, isReached: reached != nil, now: now)
            tell(.lookup(peer, .index, found: true, took: took))
            conversations[peer]?.search = .found(by: lookup.answeredBy ?? "an index server", took: took)
            if let record = lookup.record { found(record, of: peer) } else { found(peer) }
        case .failed(let reason):
            if lookup.hasAsked { tell(.lookup(peer, .index, found: false, took: took)) }
            conversations[peer]?.search = .failed(reason.text)
            if peer.isKeyed { notFound(peer, reason) } else { giveUp(peer, reason) }
        }
    }

    // MARK: What is not taken

    /// Counts, and says so the first time.
    mutating func drop(_ reason: DropReason, _ what: String?, about peer: PeerID? = nil) {
        dropped[reason, default: 0] += 1
        guard dropped[reason] == 1, let what else { return }
        tell(.notice("Dropped \(what).", about: peer))
    }
}
