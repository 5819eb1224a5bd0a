// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

/// Another address of a server that has us registered: now and then asked whether it answers and where it sees us, and
/// left alone otherwise, for the server keeps one row. Pure.
struct Standby {
    enum Outcome: Equatable {
        case answered
        /// No answer, and the time for one is over.
        case silent
        /// It is another server by now.
        case parted
    }

    /// The address that has the registration.
    var leader: Endpoint
    /// What the server does beyond registrations.
    let offers: ServerOffers
    /// Whether the last question was answered.
    private(set) var isReached: Bool
    /// Where we are seen there, and at the second port.
    private(set) var sighting: Endpoint?
    private(set) var secondSighting: Endpoint?
    private let server: Endpoint
    /// The run of the server in which it is known to be the same.
    private var boot: String
    private var answeredAt: Instant?
    /// Since when the leader gets no answer.
    private var troubledSince: Instant?
    private var question: Question?
    /// Of what was asked at the second port and not answered yet.
    private var secondNonce: String?
    private var next: Instant
    private var failures = 0
    private var random: RandomSource

    private struct Question {
        var nonce: String
        var request: [UInt8]
        /// Whether the answer shows that it is the same server.
        var tests: String?
        var tries = 0
        var due: Instant
    }

    /// - Parameters:
    ///   - boot: the run of the server in which both addresses gave one token.
    ///   - sighting: where we were seen there so far.
    init(
        of leader: Endpoint, at server: Endpoint, offers: ServerOffers, boot: String, sighting: Endpoint?,
        isReached: Bool, now: Instant, random: RandomSource
    ) {
        self.leader = leader
        self.server = server
        self.offers = offers
        self.boot = boot
        self.sighting = sighting
        self.isReached = isReached
        self.random = random
        next = now
    }

    var secondEndpoint: Endpoint? { offers.secondPort.map { Endpoint(address: server.address, port: $0) } }

    /// Whether it answered since the leader got no answer.
    var shouldLead: Bool {
        guard isReached, let troubledSince, let answeredAt else { return false }
        return answeredAt >= troubledSince
    }

    /// When `advance` has something to do.
    var deadline: Instant { question?.due ?? next }

    /// The leader gets no answer, or does.
    mutating func note(trouble: Bool, now: Instant) {
        guard trouble else { return troubledSince = nil }
        guard troubledSince == nil else { return }
        troubledSince = now
        hurry(now: now)
    }

    /// Asks at once.
    mutating func hurry(now: Instant) {
        failures = 0
        question = nil
        next = now
    }

    /// Does what is due.
    /// - Parameters:
    ///   - lease: of the leader; `nil` while it has none.
    ///   - wantsProof: whether the server has to prove a key.
    mutating func advance(
        peer: PeerID, lease: IndexReply.Lease?, wantsProof: Bool, now: Instant
    ) -> (send: [Datagram], outcome: Outcome?) {
        guard deadline <= now else { return ([], nil) }
        guard var current = question else { return (ask(peer, lease, wantsProof, now), nil) }
        guard current.tries < Standby.tries else {
            question = nil
            isReached = false
            let doubled = Timing.keepalive.nanoseconds << UInt64(min(failures, 4))
            schedule(after: Span(nanoseconds: min(doubled, Timing.retryLimit.nanoseconds)), now)
            failures += 1
            return ([], .silent)
        }
        current.due = now + Timing.retransmission[current.tries]
        current.tries += 1
        question = current
        return ([Datagram(current.request, server)], nil)
    }

    private mutating func ask(_ peer: PeerID, _ lease: IndexReply.Lease?, _ wantsProof: Bool, _ now: Instant)
        -> [Datagram]
    {
        let nonce = Base64URL.encode(random.octets(8))
        let seen = IndexRequest.seen(nonce: nonce).encoded()
        // A server that was started anew is the same if it knows the token that the leader has since.
        let test = lease.flatMap { $0.boot == boot ? nil : $0 }
        let request = test.map {
            IndexRequest.keepalive(.init(peer: peer, token: $0.token, nonce: nonce, wantsProof: wantsProof)).encoded()
        }
        question = Question(
            nonce: nonce, request: request ?? seen, tests: test?.boot, tries: 1, due: now + Timing.retransmission[0])
        let first = Datagram(request ?? seen, server)
        guard secondSighting == nil, let secondEndpoint else { return [first] }
        secondNonce = nonce
        return [first, Datagram(seen, secondEndpoint)]
    }

    /// Takes an answer; `nil` for one to no question.
    mutating func receive(_ reply: IndexReply, nonce: String?, lease: IndexReply.Lease?, now: Instant) -> Outcome? {
        guard let question, nonce == question.nonce else { return nil }
        switch (reply, question.tests) {
        case (.seen(let seen), nil): note(seen)
        case (.moved(let its, let seen), let boot?) where its == boot:
            self.boot = boot
            note(seen)
        case (.alive(let its, _), let boot?) where its == boot:
            self.boot = boot
            if let seen = lease?.seen { note(seen) }
        case (.moved, _?), (.alive, _?), (.unknown, _?):
            self.question = nil
            return .parted
        default: return nil
        }
        self.question = nil
        isReached = true
        answeredAt = now
        failures = 0
        schedule(after: Timing.keepalive, now)
        return .answered
    }

    /// Takes what came from the second port.
    /// - Returns: whether it answers a question.
    mutating func receiveFromSecondPort(_ bytes: [UInt8]) -> Bool {
        guard let answer = try? IndexAnswer(parsing: bytes), case .seen(let seen) = answer.reply,
            let nonce = answer.nonce, nonce == secondNonce
        else { return false }
        secondNonce = nil
        secondSighting = seen
        return true
    }

    private mutating func note(_ seen: Endpoint) {
        if seen != sighting { secondSighting = nil }
        sighting = seen
    }

    /// Less up to a fifth, as keepalives are.
    private mutating func schedule(after span: Span, _ now: Instant) {
        let less = UInt64.random(in: 0...span.nanoseconds / 5, using: &random)
        next = now + Span(nanoseconds: span.nanoseconds - less)
    }

    /// Of one question.
    private static let tries = 3
}
