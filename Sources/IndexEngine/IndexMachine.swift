// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
import Wire

/// The key that a server proves to those who pinned it.
public typealias ServerIdentity = Identity

/// The index server without its sockets: a datagram in, an answer or silence out.
///
/// Three rules hold for every datagram. What names no known request is never answered, or two servers could be set
/// answering each other. A source that has not proved its address gets no more bytes than it sent; only the seed's own
/// answers are larger, by little. Nobody but the key's owner can take or move a keyed row.
public struct IndexMachine: Sendable {
    /// What to do about one datagram.
    public struct Outcome: Equatable, Sendable {
        /// The answer to the datagram's source; `nil` for silence.
        public var reply: [UInt8]?
        /// For the log and, by `record(_:took:now:)`, for the statistics.
        public var event: IndexEvent
    }

    /// Seconds over which peers shall come back to a server that does not know them; with their keepalives 20 s apart,
    /// all are back within 25 s.
    static let spreadSeconds = 2

    public let info: ServerInfo
    private let started: Instant
    private let proof: AddressProof
    private let identity: Identity?
    private let leaseSeconds: Int
    private var registry: Registry
    private var statistics: IndexStatistics

    /// - Parameters:
    ///   - secret: 32 bytes from the system's secure random source, new at each start.
    ///   - identity: the server's own, for answers that shall prove it; without one they prove nothing.
    public init(
        info: ServerInfo, secret: [UInt8], identity: ServerIdentity? = nil, limits: Registry.Limits = Registry.Limits(),
        now: Instant
    ) {
        var info = info
        info.key = identity?.key.text
        self.info = info
        self.identity = identity
        started = now
        proof = AddressProof(secret: secret)
        leaseSeconds = limits.keyedLease.wholeSeconds
        registry = Registry(limits: limits)
        statistics = IndexStatistics(start: now)
    }

    // MARK: Requests

    /// Decides about one datagram.
    /// - Parameter generator: the source of the random UUIDs of seed peers.
    public mutating func handle(
        _ bytes: [UInt8], from source: Endpoint, now: Instant, wall: WallTime,
        using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        var exchange = Exchange(size: bytes.count, source: source, now: now, wall: wall)
        do throws(IndexRequest.Refusal) {
            let request = try IndexRequest(parsing: bytes)
            if request.wantsProof { exchange.prover = identity }
            switch request {
            case .query(let query): answer(query, &exchange)
            case .keepalive(let keepalive): answer(keepalive, &exchange)
            case .registration(let registration):
                if let signed = registration.signed {
                    register(signed, registration, &exchange)
                } else {
                    registerSeed(registration, &exchange, using: &generator)
                }
            }
        } catch {
            refuse(error, &exchange)
        }
        return exchange.outcome
    }

    private func answer(_ query: IndexRequest.Query, _ exchange: inout Exchange) {
        exchange.operation = .query
        guard let peer = query.peer else {
            exchange.target = .text(prefix(of: query.text, bytes: 40))
            exchange.result = .invalid
            return exchange.sendAsSeed(.answer(address: nil, text: query.text, record: nil), nonce: query.nonce)
        }
        exchange.target = .peer(peer)
        let found = registry.lookup(peer, now: exchange.now)
        exchange.result = found == nil ? .miss : .hit
        // The record travels only when the request was padded enough to pay for it.
        if let record = found?.record {
            let full = IndexReply.answer(address: found?.address, text: query.text, record: record)
            if exchange.send(full, nonce: query.nonce) { return }
        }
        exchange.sendAsSeed(.answer(address: found?.address, text: query.text, record: nil), nonce: query.nonce)
    }

    private mutating func answer(_ keepalive: IndexRequest.Keepalive, _ exchange: inout Exchange) {
        exchange.operation = .keepalive
        exchange.target = .peer(keepalive.peer)
        let reply: IndexReply
        if let row = registry.keyedRow(keepalive.peer, now: exchange.now),
            proof.accepts(token: keepalive.token, of: keepalive.peer)
        {
            if row.address == exchange.source {
                registry.renew(keepalive.peer, now: exchange.now)
                exchange.result = .alive
                reply = .alive(boot: info.boot, leaseSeconds: leaseSeconds)
            } else {
                exchange.result = .roamed
                reply = .moved(boot: info.boot, seen: exchange.source)
            }
        } else {
            exchange.result = .denied(.unknownLease)
            reply = .unknown(boot: info.boot, spreadSeconds: Self.spreadSeconds)
        }
        exchange.send(reply, nonce: keepalive.nonce)
    }

    private mutating func registerSeed(
        _ registration: IndexRequest.Registration, _ exchange: inout Exchange,
        using generator: inout some RandomNumberGenerator
    ) {
        exchange.operation = .registration
        // A wildcard leads nowhere; its owner is where the datagram came from.
        let address =
            registration.address.isUnspecified
            ? Endpoint(address: exchange.source.address, port: registration.address.port) : registration.address
        guard address.isUnicast else { return exchange.deny(.badAddress, nonce: registration.nonce) }
        let peer = PeerID(high: generator.next(), low: generator.next()).stamped(version: 4)
        registry.addSeed(peer, at: address, now: exchange.now)
        exchange.target = .peer(peer)
        exchange.result = .seed
        exchange.sendAsSeed(.registered(uuid: peer, lease: nil), nonce: registration.nonce)
    }

    private mutating func register(
        _ signed: IndexRequest.Signed, _ registration: IndexRequest.Registration, _ exchange: inout Exchange
    ) {
        exchange.operation = .registration
        exchange.target = .peer(signed.peer)
        // The cookie comes first: a forged source costs one hash, never a signature.
        guard let cookie = signed.cookie, proof.accepts(cookie, from: exchange.source, now: exchange.now) else {
            exchange.result = .challenged
            let cookie = proof.cookie(for: exchange.source, now: exchange.now)
            exchange.send(.cookie(cookie, seen: exchange.source), nonce: registration.nonce)
            return
        }
        do throws(Refused) {
            let record = try Self.verified(signed, from: exchange.source, wall: exchange.wall)
            let row = Registry.Keyed(record: signed.record, sequence: record.sequence, address: exchange.source)
            exchange.result = registry.put(row, for: signed.peer, now: exchange.now)
        } catch {
            exchange.result = .denied(error.denial)
        }
        if case .denied(let denial) = exchange.result { return exchange.deny(denial, nonce: registration.nonce) }
        let lease = IndexReply.Lease(
            token: proof.token(for: signed.peer), seconds: leaseSeconds, boot: info.boot, seen: exchange.source)
        exchange.send(.registered(uuid: signed.peer, lease: lease), nonce: registration.nonce)
    }

    private struct Refused: Error { let denial: Denial }

    /// The record, if its key owns the peer ID and vouches for the source now.
    private static func verified(
        _ signed: IndexRequest.Signed, from source: Endpoint, wall: WallTime
    ) throws(Refused) -> PeerRecord {
        let record: PeerRecord
        do throws(PeerRecord.Fault) {
            record = try PeerRecord(verifying: signed.record)
        } catch {
            throw Refused(denial: error == .badSignature ? .badSignature : .badRecord)
        }
        guard signed.peer.isKeyed, record.key.peer == signed.peer else { throw Refused(denial: .wrongKey) }
        guard record.sequence <= UInt64(clamping: wall.milliseconds + PeerRecord.skewLimit) else {
            throw Refused(denial: .futureSequence)
        }
        guard record.isCurrent(at: wall) else { throw Refused(denial: .expiredRecord) }
        // Without this, anybody could register a record read in an answer, and lead others to himself.
        guard record.candidates.contains(where: { $0.endpoint == source }) else {
            throw Refused(denial: .foreignAddress)
        }
        return record
    }

    private func refuse(_ refusal: IndexRequest.Refusal, _ exchange: inout Exchange) {
        switch refusal {
        case .silent: exchange.result = .ignored
        case .queryWithoutID:
            exchange.operation = .query
            exchange.result = .invalid
            exchange.sendAsSeed(.invalidID, nonce: nil)
        case .malformed(let member, let nonce):
            exchange.result = .malformed
            exchange.fail("malformed \(member)", nonce: nonce)
        }
    }

    // MARK: Time

    /// When `expire(now:)` may have something to do; `nil` while nothing is registered. It is never urgent: a lookup sees
    /// no expired row anyway.
    public var nextExpiry: Instant? { registry.nextExpiry }

    /// Gives back the memory of rows whose lease is over, a bounded number at a time.
    /// - Returns: whether to call again soon.
    public mutating func expire(now: Instant) -> Bool {
        registry.removeExpired(now: now, limit: 1024)
        return registry.nextExpiry.map { $0 <= now } ?? false
    }

    // MARK: Displays

    /// Enters a handled datagram into the statistics.
    /// - Parameter took: from reading it to having its answer.
    public mutating func record(_ event: IndexEvent, took: Span, now: Instant) {
        statistics.record(event, took: took, now: now)
    }

    /// Counts datagrams that the kernel dropped unread, and answers that it did not take.
    public mutating func recordLosses(receiveDrops: UInt64 = 0, sendErrors: UInt64 = 0) {
        statistics.counters.receiveDrops &+= receiveDrops
        statistics.counters.sendErrors &+= sendErrors
    }

    /// The server as a display asked to see it.
    public mutating func snapshot(
        for request: SnapshotRequest, residentBytes: UInt64? = nil, now: Instant, wall: WallTime
    ) -> IndexSnapshot {
        var snapshot = IndexSnapshot(
            time: wall, uptime: now.since(started), server: info, use: registry.use, residentBytes: residentBytes,
            page: registry.page(request.rows, now: now))
        statistics.describe(&snapshot, feedAfter: request.feedAfter, now: now)
        return snapshot
    }
}

/// One datagram on its way to an outcome.
private struct Exchange {
    let size: Int
    let source: Endpoint
    let now: Instant
    let wall: WallTime
    var operation = IndexOperation.unknown
    var target = IndexTarget.none
    var result = IndexResult.ignored
    /// Who signs the answer. A signature takes about 16 µs, so only those get one who ask.
    var prover: Identity?
    private var reply: [UInt8]?

    init(size: Int, source: Endpoint, now: Instant, wall: WallTime) {
        self.size = size
        self.source = source
        self.now = now
        self.wall = wall
    }

    var outcome: IndexMachine.Outcome {
        let event = IndexEvent(time: wall, operation: operation, source: source, target: target, result: result)
        return IndexMachine.Outcome(reply: reply, event: event)
    }

    /// Answers, with a proof if one is wanted and there is room, unless that would be larger than the request.
    @discardableResult
    mutating func send(_ answer: IndexReply, nonce: String?) -> Bool {
        let bytes = answer.encoded(nonce: nonce)
        guard bytes.count <= size else { return false }
        reply = proven(answer, nonce, room: size - bytes.count) ?? bytes
        return true
    }

    /// Answers as the seed does, whose answers may be a little larger than its requests.
    mutating func sendAsSeed(_ answer: IndexReply, nonce: String?) {
        let bytes = answer.encoded(nonce: nonce)
        reply = proven(answer, nonce, room: size - bytes.count) ?? bytes
    }

    private func proven(_ answer: IndexReply, _ nonce: String?, room: Int) -> [UInt8]? {
        guard let prover, let nonce, room >= IndexProof.encodedSize,
            let signature = try? prover.sign(answer.statement(nonce: nonce))
        else { return nil }
        return answer.encoded(nonce: nonce, proof: IndexProof(signature: signature, key: prover.key.octets))
    }

    mutating func deny(_ denial: Denial, nonce: String?) {
        result = .denied(denial)
        fail(denial.rawValue, nonce: nonce)
    }

    /// Says why, or if there is no room that something was wrong, or nothing.
    mutating func fail(_ reason: String, nonce: String?) {
        guard !send(.failed(reason: reason), nonce: nonce) else { return }
        let bare = (["status": "error"] as JSONObject).encoded()
        if bare.count <= size { reply = bare }
    }
}

/// As many whole characters as fit.
private func prefix(of text: String, bytes limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var scalars = String.UnicodeScalarView()
    var size = 0
    for scalar in text.unicodeScalars {
        size += UTF8.width(scalar)
        guard size <= limit else { break }
        scalars.append(scalar)
    }
    return String(scalars)
}
