// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

/// Asks the index servers where one peer is, until one knows or the time is over. Pure.
struct Lookup {
    enum Outcome: Equatable {
        /// The address is `nil` for a peer that hides it behind relays.
        case found(Endpoint?, sequence: UInt64)
        /// The reason says who was asked and what came.
        case failed(Reason)
    }

    /// Whom to ask.
    struct Server: Equatable {
        var endpoint: Endpoint
        /// As the user wrote it.
        var name: String
        /// Whether it has to prove a key.
        var isPinned = false
        /// What is wrong with its latest answer, if it proved nothing; one clause without a subject.
        var fault: String?
    }

    /// What a server said: an address, a signed record, or neither when it does not know the peer.
    struct Answer {
        var address: Endpoint?
        /// Whom it is about; `nil` to take it to be the peer that was asked for.
        var text: String?
        var record: [UInt8]?
        var nonce: String?
        var server: Endpoint
        /// Whether the server is one of the seed's kind, which echoes no nonce.
        var isSeed = false
    }

    let peer: PeerID
    let started: Instant
    /// When `advance` has something to do.
    private(set) var deadline: Instant
    private let query: [UInt8]
    private let provenQuery: [UInt8]
    /// What an answer has to echo.
    let nonce: String
    private let minimumSequence: UInt64
    private let deadEndpoint: Endpoint?
    private let own: Endpoint?
    private var attempts = 0
    private var asked: [Server] = []
    private var answers: [Endpoint: String] = [:]
    private var isUnknownPeer = false
    /// What will do when nobody knows better.
    private var best: Outcome?
    /// The newest record among the answers: what `found` rests on.
    private(set) var record: PeerRecord?
    /// Who gave the answer that counts, as the user wrote it.
    private(set) var answeredBy: String?

    /// - Parameters:
    ///   - minimumSequence: records older than this are refused.
    ///   - deadEndpoint: where nobody reads, unless a record newer than that says otherwise.
    ///   - own: where we are, and so nobody else.
    init(
        peer: PeerID, minimumSequence: UInt64 = 0, deadEndpoint: Endpoint? = nil, own: Endpoint? = nil, now: Instant,
        random: inout RandomSource
    ) {
        self.peer = peer
        self.minimumSequence = minimumSequence
        self.deadEndpoint = deadEndpoint
        self.own = own
        nonce = Base64URL.encode(random.octets(8))
        query = IndexRequest.query(.init(text: "\(peer)", nonce: nonce)).encoded()
        provenQuery = IndexRequest.query(.init(text: "\(peer)", nonce: nonce, wantsProof: true)).encoded()
        started = now
        deadline = now
    }

    /// Datagrams that are due, or the end.
    /// - Parameter servers: whom to ask; they may become more while the lookup lasts.
    mutating func advance(now: Instant, servers: [Server]) -> (send: [Datagram], outcome: Outcome?) {
        guard now >= deadline else { return ([], nil) }
        asked = asked.map { old in servers.first { $0.endpoint == old.endpoint } ?? old }
        if let best { return ([], best) }
        let end = started + Timing.lookup
        guard now < end else { return ([], .failed(reason)) }
        guard !servers.isEmpty else {
            deadline = min(now + Timing.retransmission[0], end)
            return ([], nil)
        }
        let pause = attempts < Timing.retransmission.count ? Timing.retransmission[attempts] : Timing.lookup
        attempts += 1
        asked += servers.filter { new in !asked.contains { $0.endpoint == new.endpoint } }
        deadline = min(now + pause, end)
        return (servers.map { Datagram($0.isPinned ? provenQuery : query, $0.endpoint) }, nil)
    }

    /// Takes an answer about this peer; `nil` while the question stays open. "Unknown" does not end it: the peer may be
    /// starting at this moment.
    mutating func receive(_ answer: Answer, wall: WallTime) -> Outcome? {
        guard asked.contains(where: { $0.endpoint == answer.server }) else { return nil }
        // Only the nonce shows that an answer is not a guess of somebody off the path. A seed's server echoes none.
        guard answer.nonce == nonce || (answer.nonce == nil && answer.isSeed) else {
            if answers[answer.server] == nil { _ = note("answered a question that was not asked", answer) }
            return nil
        }
        if let text = answer.text, PeerID(text) != peer { return note("answered about another peer", answer) }
        guard answer.address != nil || answer.record != nil else {
            isUnknownPeer = true
            return note("does not know \(peer.shortDigits)", answer)
        }
        return peer.isKeyed ? judge(record: answer, wall: wall) : judge(address: answer)
    }

    /// Nobody vouches for the address of a peer without a key: the user chose to talk to such peers.
    private mutating func judge(address answer: Answer) -> Outcome? {
        guard let address = answer.address, address.isUnicast else { return note("gave an unusable address", answer) }
        guard address != own else { return note("gave our own address", answer) }
        guard address != deadEndpoint else { return note("gave the address where nobody reads any more", answer) }
        answeredBy = name(of: answer.server)
        return .found(address, sequence: 0)
    }

    /// Only a record of the peer's own key tells where a keyed peer is.
    private mutating func judge(record answer: Answer, wall: WallTime) -> Outcome? {
        guard let octets = answer.record else { return note("gave an address without a signed record", answer) }
        guard octets.count <= PeerRecord.sizeLimit else { return note("gave a record that is too long", answer) }
        guard let record = try? PeerRecord(verifying: octets) else {
            return note("gave a record that is broken or forged", answer)
        }
        guard record.key.peer == peer else { return note("gave another peer's record", answer) }
        guard record.isCurrent(at: wall) else {
            let isAhead = record.sequence > UInt64(clamping: wall.milliseconds)
            return note("gave a record that is \(isAhead ? "from the future" : "no longer valid")", answer)
        }
        guard record.sequence >= minimumSequence else { return note("gave an older record than we have seen", answer) }
        let addresses = record.addresses.map(\.endpoint)
        guard !addresses.isEmpty || !record.relays.isEmpty else {
            return note("gave a record without a usable address", answer)
        }
        let endpoint = addresses.first { $0 != own }
        guard endpoint != nil || !record.relays.isEmpty else { return note("gave our own address", answer) }
        guard endpoint == nil || endpoint != deadEndpoint || record.sequence > minimumSequence else {
            return note("gave the address where nobody reads any more", answer)
        }
        return decide(record, endpoint, answer.server)
    }

    /// A record that is known already ends the question only when no other server knows better, or says so soon: one
    /// that keeps serving an old record must not drown out the others.
    private mutating func decide(_ record: PeerRecord, _ endpoint: Endpoint?, _ server: Endpoint) -> Outcome? {
        answers[server] = "gave no newer record than we have seen"
        if record.sequence >= self.record?.sequence ?? 0 {
            self.record = record
            answeredBy = name(of: server)
        }
        let found = Outcome.found(endpoint, sequence: record.sequence)
        guard record.sequence == minimumSequence, !asked.allSatisfy({ answers[$0.endpoint] != nil }) else {
            return found
        }
        best = found
        return nil
    }

    private func name(of server: Endpoint) -> String? { asked.first { $0.endpoint == server }?.name }

    private mutating func note(_ what: String, _ answer: Answer) -> Outcome? {
        answers[answer.server] = what
        return nil
    }

    /// Who was asked, how often, and what came.
    var reason: Reason {
        guard !asked.isEmpty else {
            return Reason(.noAnswer, "there is no index server to ask: no address of one is known")
        }
        let parts = asked.map { "\($0.name) \(answers[$0.endpoint] ?? $0.fault ?? "gave no answer")" }
        let times = "asked \(attempts == 1 ? "once" : "\(attempts) times")"
        return Reason(isUnknownPeer ? .unknownPeer : .noAnswer, "\(times): " + parts.joined(separator: ", "))
    }

    /// Whether there was anybody to ask.
    var hasAsked: Bool { !asked.isEmpty }

    /// Whether a server had time to answer, so that people should hear what it waits for.
    func isLate(now: Instant) -> Bool { now.since(started) >= Timing.retransmission[0] }
}
