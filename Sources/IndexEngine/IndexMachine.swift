// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
public import Model
import Wire

/// The index server without its sockets: a datagram in, an answer or silence out.
///
/// Three rules hold for every datagram. What names no known request is never answered, or two servers could be set
/// answering each other. A source that has not proved its address gets no more bytes than it sent; only the seed's own
/// answers are larger, by little. Nobody but the key's owner can take or move a keyed row.
public struct IndexMachine: Sendable {
    /// What goes back to the source.
    public enum Verdict: Equatable, Sendable {
        case silence
        /// The reply, now. A change that comes with it is written some time; nobody waits for it.
        case reply
        /// The reply, once the change is durable; if it can't be made so, `Outcome.failure` instead.
        case replyWhenDurable
        /// Memory does not hold all rows: look for this peer in the store, hand what is there to
        /// `IndexService.restore`, and handle the datagram again as final.
        case askStore(PeerID)
    }

    /// What to do about one datagram, beside the reply.
    public struct Outcome: Equatable, Sendable {
        public var verdict: Verdict
        /// For the log and the statistics.
        public var event: IndexEvent
        /// What the store shall do.
        public var change: RegistryChange?
        /// What somebody else is told.
        public var notice: Notice?
        /// Who gets an answer when the change could not be made durable; `nil` for silence.
        var failing: Failing?

        /// The answer when the change could not be made durable; empty for silence.
        public var failure: [UInt8] {
            failing.map { Exchange.failure(Denial.storeFailed.rawValue, nonce: $0.nonce, size: $0.size) } ?? []
        }
    }

    /// What an error is written from.
    struct Failing: Equatable, Sendable {
        var nonce: String?
        /// Bytes of the request, which the answer must not exceed.
        var size: Int
    }

    let service: IndexService

    init(_ service: IndexService) { self.service = service }

    // MARK: Requests

    /// Decides about one datagram.
    /// - Parameters:
    ///   - source: where the answer goes, and what proofs and rows are about.
    ///   - origin: where the datagram really came from, if that is another address: what is limited, and displayed.
    ///   - local: which of this machine's addresses it was sent to, as `IndexService.number` has it; 0 if that is not
    ///     known.
    ///   - isFinal: whether the store was asked already, so that memory holds all there is of the peer in question.
    ///   - reply: where the answer is written; what was in it goes.
    ///   - generator: the source of the random UUIDs of seed peers.
    public func handle(
        _ bytes: Swift.Span<UInt8>, from source: Endpoint, origin: Endpoint? = nil, to local: UInt8 = 0, now: Instant,
        wall: WallTime, isFinal: Bool = false, reply: inout [UInt8], using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        var exchange = Exchange(
            size: bytes.count, source: source, origin: origin, local: local, now: now, wall: wall, isFinal: isFinal,
            buffer: &reply)
        defer { swap(&reply, &exchange.reply) }
        // What was asked of the store first was admitted then.
        if isFinal || service.limiter.admits(exchange.origin, .requests, now: now) {
            if !answerScanned(bytes, &exchange, using: &generator) { decode(bytes, &exchange, using: &generator) }
        } else {
            answerOwner(bytes, &exchange)
        }
        return exchange.outcome
    }

    /// Reads any request, whatever JSON it is written in.
    private func decode(
        _ bytes: Swift.Span<UInt8>, _ exchange: inout Exchange, using generator: inout some RandomNumberGenerator
    ) {
        do throws(IndexRequest.Refusal) {
            let request = try IndexRequest(parsing: bytes.withUnsafeBufferPointer { Array($0) })
            if request.wantsProof, let identity = service.identity {
                guard admitsCostly(&exchange) else { return }
                exchange.prover = identity
            }
            switch request {
            case .query(let query): answer(query, &exchange)
            case .keepalive(let keepalive): answer(keepalive, &exchange)
            case .call(let call): answer(call, &exchange, using: &generator)
            case .seen(let nonce): answerSeen(nonce, &exchange)
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
    }

    /// Whether a source may have what costs a signature or a row.
    func admitsCostly(_ exchange: inout Exchange, isProven: Bool = false) -> Bool {
        let kind = isProven ? SourceLimiter.Kind.proven : .registrations
        guard !exchange.isFinal, !service.limiter.admits(exchange.origin, kind, now: exchange.now) else { return true }
        exchange.result = .limited
        return false
    }

    private func answer(_ query: IndexRequest.Query, _ exchange: inout Exchange) {
        guard let peer = query.peer else {
            exchange.operation = .query
            exchange.target = .text(prefix(of: query.text, bytes: 40))
            exchange.result = .invalid
            return exchange.sendAsSeed(.answer(address: nil, text: query.text, record: nil), nonce: query.nonce)
        }
        guard let found = find(peer, &exchange) else { return }
        // The record travels only when the request was padded enough to pay for it.
        if let record = found?.record {
            let full = IndexReply.answer(address: found?.told, text: query.text, record: record)
            if exchange.send(full, nonce: query.nonce) { return }
        }
        exchange.sendAsSeed(.answer(address: found?.told, text: query.text, record: nil), nonce: query.nonce)
    }

    /// Looks a peer up.
    /// - Returns: `nil` when the store has to be asked first.
    func find(_ peer: PeerID, _ exchange: inout Exchange) -> Registry.Found?? {
        exchange.operation = .query
        exchange.target = .peer(peer)
        let found = service.registry.lookup(peer, now: exchange.now)
        guard found != nil || exchange.isFinal || service.missesAreFinal else {
            exchange.ask(peer)
            return nil
        }
        exchange.result = found == nil ? .miss : .hit
        return .some(found)
    }

    private func answer(_ keepalive: IndexRequest.Keepalive, _ exchange: inout Exchange) {
        let isOwner = service.proof.accepts(token: keepalive.token, of: keepalive.peer)
        exchange.send(renew(keepalive.peer, isOwner: isOwner, &exchange), nonce: keepalive.nonce)
    }

    /// Renews a lease, or says why not.
    func renew(_ peer: PeerID, isOwner: Bool, _ exchange: inout Exchange) -> IndexReply {
        exchange.operation = .keepalive
        exchange.target = .peer(peer)
        let boot = service.info.boot
        let renewal =
            isOwner
            ? service.registry.renew(peer, from: exchange.source, to: exchange.local, now: exchange.now) : .unknown
        switch renewal {
        case .renewed(let isDue):
            exchange.result = .alive
            if isDue {
                exchange.change = service.registry.stored(peer, now: exchange.now, wall: exchange.wall).map { .put($0) }
            }
            return .alive(boot: boot, leaseSeconds: service.leaseSeconds)
        case .elsewhere:
            exchange.result = .roamed
            return .moved(boot: boot, seen: exchange.source)
        case .unknown:
            exchange.result = .denied(.unknownLease)
            return .unknown(boot: boot, spreadSeconds: service.spreadSeconds(now: exchange.now))
        }
    }

    private func registerSeed(
        _ registration: IndexRequest.Registration, _ exchange: inout Exchange,
        using generator: inout some RandomNumberGenerator
    ) {
        guard let row = addSeed(registration.address, &exchange, using: &generator) else {
            return exchange.result == .limited ? () : exchange.deny(.badAddress, nonce: registration.nonce)
        }
        exchange.sendAsSeed(.registered(uuid: row.peer, lease: nil), nonce: registration.nonce)
        exchange.store(row)
    }

    /// Registers a seed peer under a new UUID.
    /// - Returns: `nil` when its source asks too much or its address leads nowhere.
    func addSeed(
        _ wanted: Endpoint, _ exchange: inout Exchange, using generator: inout some RandomNumberGenerator
    ) -> StoredRegistration? {
        exchange.operation = .registration
        guard admitsCostly(&exchange) else { return nil }
        // A wildcard leads nowhere; its owner is where the datagram came from.
        let address =
            wanted.isUnspecified ? Endpoint(address: exchange.source.address, port: wanted.port) : wanted
        guard address.isUnicast else { return nil }
        let peer = PeerID(high: generator.next(), low: generator.next()).stamped(version: 4)
        service.registry.addSeed(peer, at: address, now: exchange.now)
        exchange.target = .peer(peer)
        exchange.result = .seed
        return StoredRegistration(
            peer: peer, address: address, registered: exchange.wall, expires: exchange.wall + service.seedLease)
    }

    private func register(
        _ signed: IndexRequest.Signed, _ registration: IndexRequest.Registration, _ exchange: inout Exchange
    ) {
        exchange.operation = .registration
        exchange.target = .peer(signed.peer)
        // The cookie comes first: a forged source costs one hash, and no check of a signature.
        guard let cookie = signed.cookie, service.proof.accepts(cookie, from: exchange.source, now: exchange.now) else {
            exchange.result = .challenged
            let cookie = service.proof.cookie(for: exchange.source, now: exchange.now)
            exchange.send(
                .cookie(cookie, seen: exchange.source, offers: service.offers), nonce: registration.nonce)
            return
        }
        guard admitsCostly(&exchange, isProven: true) else { return }
        // An older record must not take the place of one that is still to be read.
        guard
            exchange.isFinal || service.missesAreFinal
                || service.registry.lookup(signed.peer, now: exchange.now) != nil
        else { return exchange.ask(signed.peer) }
        do throws(Refused) {
            let record = try Self.verified(signed, proving: cookie, from: exchange.source, wall: exchange.wall)
            let row = Registry.Keyed(
                record: signed.record, sequence: record.sequence, address: exchange.source,
                local: exchange.local)
            exchange.result = service.registry.put(row, for: signed.peer, now: exchange.now)
        } catch {
            exchange.result = .denied(error.denial)
        }
        if case .denied(let denial) = exchange.result { return exchange.deny(denial, nonce: registration.nonce) }
        let lease = IndexReply.Lease(
            token: service.proof.token(for: signed.peer), seconds: service.leaseSeconds, boot: service.info.boot,
            seen: exchange.source, offers: service.offers)
        exchange.send(.registered(uuid: signed.peer, lease: lease), nonce: registration.nonce)
        exchange.store(service.registry.stored(signed.peer, now: exchange.now, wall: exchange.wall))
        exchange.failing = Failing(nonce: registration.nonce, size: exchange.size)
    }

    private struct Refused: Error { let denial: Denial }

    /// The record, if its key owns the peer ID and vouches for the source now.
    private static func verified(
        _ signed: IndexRequest.Signed, proving cookie: [UInt8], from source: Endpoint, wall: WallTime
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
        // Without this, anybody could register a record read in an answer, and lead others to himself. One that names
        // no address was signed for the cookie, and so for the source that the cookie is about.
        let isBound = record.binding.map { $0 == PeerRecord.binding(to: cookie) } ?? false
        guard isBound || record.candidates.contains(where: { $0.endpoint == source }) else {
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
