// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// One request at a time, repeated until it is answered.
extension IndexLink {
    mutating func start(_ request: IndexRequest, _ nonce: String?, now: Instant) -> [Action] {
        let bytes = request.encoded()
        lastStart = now
        var pauses = pauses
        let first = pauses.removeFirst()
        exchange = Exchange(
            request: bytes, nonce: nonce, sentAt: now, isDoubted: isDoubted, repeatAt: now + first, pauses: pauses,
            tunnelAt: way == .udp ? now + tunnelPatience : nil)
        isDoubted = false
        return [leaving(bytes)]
    }

    private var isChecking: Bool {
        switch phase {
        case .checking, .checkingName: true
        default: false
        }
    }

    /// Never empty.
    private var pauses: ArraySlice<Span> {
        // While the tunnel stands, a lost answer must not keep us from it.
        if way == .returning { return Timing.doubted.prefix(3) }
        if isDoubted { return Timing.doubted[...] }
        return isChecking ? Timing.retransmission.prefix(1 + Timing.keepaliveRepeats) : Timing.retransmission[...]
    }

    private var tunnelPatience: Span {
        if isDoubted { return doubtedPatience }
        return isChecking ? Timing.keepaliveTunnel : Timing.tunnel
    }

    /// A server that is far away is not silent.
    private var doubtedPatience: Span {
        guard case .ok(let roundTrip) = status else { return Timing.doubtedTunnel }
        return max(Timing.doubtedTunnel, Span(nanoseconds: min(2 * roundTrip.nanoseconds, Timing.tunnel.nanoseconds)))
    }

    /// What is asked already is asked as if it began now, and as one that is in doubt.
    mutating func hurryExchange(now: Instant) {
        guard var current = exchange else { return }
        current.isDoubted = true
        current.repeatAt = now
        current.pauses = Timing.doubted[...]
        let due = now + doubtedPatience
        if way == .udp { current.tunnelAt = min(current.tunnelAt ?? due, due) }
        exchange = current
    }

    private func leaving(_ bytes: [UInt8]) -> Action {
        way == .returning ? .sendByUDP(bytes, to: server) : .send(bytes)
    }

    mutating func repeatExchange(now: Instant) -> [Action] {
        guard var current = exchange else { return [] }
        guard let pause = current.pauses.popFirst() else { return fail(current.failure, now: now) }
        current.repeatAt = now + pause
        exchange = current
        return [leaving(current.request)]
    }

    /// The network says that nobody reads there. A hint: the request's repetitions go on.
    mutating func unreachable() -> [Action] {
        guard exchange != nil else { return [] }
        exchange?.failure = "nobody listens there"
        return report(.unreachable(withTunnel("nobody listens there")))
    }

    // MARK: What it says

    /// Reads what came from this server. Of a pinned one, an answer that does not prove the pinned key says nothing but
    /// that: it is read as a failure, whose reason lookups tell too.
    /// - Returns: `nil` for what is no answer of an index server.
    mutating func read(_ bytes: [UInt8]) -> (reply: IndexReply, nonce: String?)? {
        guard let answer = try? IndexAnswer(parsing: bytes) else {
            fault = "sent something that is no answer"
            return nil
        }
        // Nobody proves these: what they lead to is checked by other means.
        switch answer.reply {
        case .seen, .calling, .absent: return (answer.reply, answer.nonce)
        default: fault = pinned.flatMap { answer.fault(pinned: $0) }
        }
        return (fault.map { .failed(reason: $0) } ?? answer.reply, answer.nonce)
    }

    /// This server as lookups ask it.
    var asked: Lookup.Server {
        Lookup.Server(endpoint: server, name: name, isPinned: pinned != nil, fault: fault)
    }
}

extension IndexAnswer {
    /// Why it does not show that the server holds a key; `nil` when it does. One clause without a subject.
    fileprivate func fault(pinned key: PeerKey) -> String? {
        let unproven = "answered without proving the key that you pinned"
        guard let proof else { return unproven + ", for it proves no key" }
        guard proof.key == key.octets else { return unproven + ", but another one" }
        guard let nonce, key.verifies(proof.signature, over: reply.statement(nonce: nonce)) else { return unproven }
        return nil
    }
}
