// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

/// Asks the index servers where one peer is, until one knows or the time is over. Pure.
struct Lookup {
    enum Outcome: Equatable {
        case found(Endpoint, sequence: UInt64, by: Endpoint)
        /// The sentence says who was asked and what came.
        case failed(String)
    }

    let peer: PeerID
    let started: Instant
    private let servers: [Endpoint]
    private let query: [UInt8]
    private let nonce: String
    private let minimumSequence: UInt64
    private let acceptsPlainAddress: Bool
    private var attempts = 0
    private(set) var deadline: Instant
    private var answers: [Endpoint: String] = [:]

    /// - Parameters:
    ///   - minimumSequence: records older than this are refused.
    ///   - acceptsPlainAddress: whether an address without a signed record will do.
    init(
        peer: PeerID, servers: [Endpoint], minimumSequence: UInt64, acceptsPlainAddress: Bool, now: Instant,
        random: inout RandomSource
    ) {
        self.peer = peer
        self.servers = servers
        self.minimumSequence = minimumSequence
        self.acceptsPlainAddress = acceptsPlainAddress
        nonce = Base64URL.encode(random.octets(8))
        query = IndexRequest.query(.init(text: "\(peer)", nonce: nonce)).encoded()
        started = now
        deadline = now
    }

    /// Datagrams that are due, or the end.
    mutating func advance(now: Instant) -> (send: [Datagram], outcome: Outcome?) {
        guard now >= deadline else { return ([], nil) }
        guard now.since(started) < Timing.lookup, !servers.isEmpty else { return ([], .failed(failure)) }
        let pause = attempts < Timing.retransmission.count ? Timing.retransmission[attempts] : Timing.lookup
        attempts += 1
        deadline = min(now + pause, started + Timing.lookup)
        return (servers.map { Datagram(query, $0) }, nil)
    }

    /// Takes an answer about this peer; `nil` while the question stays open. "Unknown" does not end it: the peer may be
    /// starting at this moment.
    mutating func receive(
        address: Endpoint?, record: [UInt8]?, nonce: String?, from server: Endpoint, wall: WallTime
    ) -> Outcome? {
        guard servers.contains(server), nonce == nil || nonce == self.nonce else { return nil }
        // A server that knows identities echoes the nonce; without it only a seed's answer is believable.
        if peer.isKeyed, let record {
            guard nonce != nil else { return nil }
            return judge(record, from: server, wall: wall)
        }
        guard let address else {
            answers[server] = "does not know \(peer.shortDigits)"
            return nil
        }
        guard acceptsPlainAddress else {
            answers[server] = "gave an address without a signed record"
            return nil
        }
        guard address.isUnicast else {
            answers[server] = "gave an unusable address"
            return nil
        }
        return .found(address, sequence: 0, by: server)
    }

    private mutating func judge(_ octets: [UInt8], from server: Endpoint, wall: WallTime) -> Outcome? {
        do throws(PeerRecord.Fault) {
            let record = try PeerRecord(verifying: octets)
            if record.key.peer != peer {
                answers[server] = "gave another peer's record"
            } else if !record.isCurrent(at: wall) {
                answers[server] = "gave a record that is no longer valid, or not yet"
            } else if record.sequence < minimumSequence {
                answers[server] = "gave an older record than we have seen"
            } else if let endpoint = record.candidates.first(where: { $0.endpoint.isUnicast })?.endpoint {
                return .found(endpoint, sequence: record.sequence, by: server)
            } else {
                answers[server] = "gave a record without a usable address"
            }
        } catch {
            answers[server] = "gave a record that is broken or forged"
        }
        return nil
    }

    private var failure: String {
        guard !servers.isEmpty else { return "there is no index server to ask; name one with --index" }
        let parts = servers.map { "\($0) \(answers[$0] ?? "gave no answer")" }
        return "asked \(attempts) times in \(Timing.lookup.wholeSeconds) s: " + parts.joined(separator: ", ")
    }

    /// Whether some server answered that it does not know the peer.
    var isUnknownPeer: Bool { answers.values.contains { $0.hasPrefix("does not know") } }
}
