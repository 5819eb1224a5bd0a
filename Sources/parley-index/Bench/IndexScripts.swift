// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Identity
import Model
import Network
import Wire

/// What the load generator says to an index server, and what that has to answer.
struct IndexScripts {
    let generator: LoadGenerator

    /// Registered peers to ask for.
    static let peers = 10_000
    /// Signed registrations that are made ready for each second; a faster server has a shorter round.
    private static let signedPerSecond = 20_000
    private static let signedLimit = 300_000

    /// Bytes of a record with one IPv4 address.
    static let recordSize = 121

    /// A script for each socket.
    func scripts(_ kind: BenchLoad.Kind, seconds: Int) throws(ProgramFailure) -> [BenchScript] {
        switch kind {
        case .queries: same(BenchScript(try queries()))
        case .keepalives: try keepalives()
        case .registrations, .durable: same(BenchScript((0..<1024).map(registration)))
        case .mixed: same(BenchScript(try mixed()))
        case .relay: try relayed()
        case .signed: try signed(min(seconds * Self.signedPerSecond, Self.signedLimit))
        }
    }

    private func same(_ script: BenchScript) -> [BenchScript] { Array(repeating: script, count: generator.count) }

    // MARK: The seed's requests

    func registration(_ number: Int) -> BenchScript.Exchange {
        .registration(IndexRequest.registration(.init(address: address(number))).encoded())
    }

    func queries() throws(ProgramFailure) -> [BenchScript.Exchange] {
        var exchanges: [BenchScript.Exchange] = []
        for number in 0..<Self.peers {
            guard case .registered(let peer, _) = try ask(registration(number).request, from: 0) else {
                throw ProgramFailure(.failure, "The server did not register a peer.")
            }
            exchanges.append(
                .init(
                    request: IndexRequest.query(.init(text: "\(peer)")).encoded(),
                    answer: IndexReply.answer(address: address(number), text: "\(peer)", record: nil).encoded(),
                    rule: .exactly))
        }
        return exchanges
    }

    /// One in ten is a registration.
    private func mixed() throws(ProgramFailure) -> [BenchScript.Exchange] {
        try queries().enumerated().map { $0.offset % 10 == 9 ? registration($0.offset) : $0.element }
    }

    // MARK: Signed registrations

    /// New records in each request, so that each signature has to be checked. A socket has keys of its own: a record
    /// counts only from an address that it lists.
    /// - Parameter keys: how many different ones, at most one a request.
    func signed(_ count: Int, keys: Int = 2048) throws(ProgramFailure) -> [BenchScript] {
        var scripts: [BenchScript] = []
        for lane in 0..<generator.count {
            let (cookie, seen) = try proof(lane)
            let identities = (0..<max(1, keys / generator.count)).map { _ in Identity() }
            var exchanges: [BenchScript.Exchange] = []
            for number in 0..<(count / generator.count) where !Task.isCancelled {
                let identity = identities[number % identities.count]
                let record = try record(of: identity, at: seen, step: number / identities.count)
                let signed = IndexRequest.Signed(peer: identity.peer, record: record, cookie: cookie)
                exchanges.append(
                    .init(
                        request: IndexRequest.registration(.init(address: seen, signed: signed)).encoded(),
                        answer: Array(#"{"status":"OK","uuid":"\#(identity.peer)","token":""#.utf8), rule: .beginning))
            }
            scripts.append(BenchScript(exchanges, limit: exchanges.count))
        }
        return scripts
    }

    /// The keepalives of 64 peers a socket.
    private func keepalives() throws(ProgramFailure) -> [BenchScript] {
        var scripts: [BenchScript] = []
        for lane in 0..<generator.count {
            let (cookie, seen) = try proof(lane)
            var exchanges: [BenchScript.Exchange] = []
            for _ in 0..<64 where !Task.isCancelled {
                let (peer, lease) = try register(at: seen, cookie, lane)
                exchanges.append(
                    .init(
                        request: IndexRequest.keepalive(.init(peer: peer, token: lease.token)).encoded(),
                        answer: IndexReply.alive(boot: lease.boot, leaseSeconds: lease.seconds).encoded(),
                        rule: .exactly))
            }
            scripts.append(BenchScript(exchanges))
        }
        return scripts
    }

    /// Datagrams of a session's size in the channels of eight pairs a socket. Both of a pair are at that socket, so
    /// what is passed on comes back as it was.
    private func relayed() throws(ProgramFailure) -> [BenchScript] {
        var scripts: [BenchScript] = []
        for lane in 0..<generator.count {
            let (cookie, seen) = try proof(lane)
            var exchanges: [BenchScript.Exchange] = []
            for pair in 0..<8 where !Task.isCancelled {
                let caller = try register(at: seen, cookie, lane)
                let callee = try register(at: seen, cookie, lane)
                let call = IndexRequest.call(
                    .init(caller: caller.peer, token: caller.lease.token, callee: callee.peer, reference: 0)
                ).encoded()
                // The first brings the notice, too, which is for the same socket; the second comes too soon for
                // another.
                _ = generator.ask(call, from: lane)
                guard case .calling(let channel?) = try ask(call, from: lane) else {
                    throw ProgramFailure(.failure, "The server does not relay.")
                }
                for number in 0..<16 {
                    var inside = [UInt8](
                        repeating: UInt8(truncatingIfNeeded: number), count: WireLimits.sessionDatagram)
                    (inside[0], inside[1]) = (DatagramTag.session, UInt8(truncatingIfNeeded: pair))
                    let datagram = RelayDatagram.wrap(inside, in: channel)
                    exchanges.append(.init(request: datagram, answer: datagram, rule: .exactly))
                }
            }
            scripts.append(BenchScript(exchanges))
        }
        return scripts
    }

    private func register(
        at seen: Endpoint, _ cookie: [UInt8], _ lane: Int
    ) throws(ProgramFailure) -> (peer: PeerID, lease: IndexReply.Lease) {
        let identity = Identity()
        let signed = IndexRequest.Signed(
            peer: identity.peer, record: try record(of: identity, at: seen, step: 0), cookie: cookie)
        let request = IndexRequest.registration(.init(address: seen, signed: signed)).encoded()
        guard case .registered(_, let lease?) = try ask(request, from: lane) else {
            throw ProgramFailure(.failure, "The server gave no lease.")
        }
        return (identity.peer, lease)
    }

    /// A socket's proof of address, and the address.
    private func proof(_ lane: Int) throws(ProgramFailure) -> (cookie: [UInt8], seen: Endpoint) {
        let identity = Identity()
        let record = try record(of: identity, at: address(lane), step: 0)
        let request = IndexRequest.registration(
            .init(address: address(lane), signed: .init(peer: identity.peer, record: record)))
        guard case .cookie(let cookie, let seen, _) = try ask(request.encoded(), from: lane) else {
            throw ProgramFailure(.failure, "The server gave no cookie.")
        }
        return (cookie, seen)
    }

    /// - Parameter step: makes it newer than those of lower steps.
    private func record(of identity: Identity, at endpoint: Endpoint, step: Int) throws(ProgramFailure) -> [UInt8] {
        let sequence = UInt64(clamping: Clocks.system.wall().milliseconds) + UInt64(step)
        do {
            return try PeerRecord(key: identity.key, sequence: sequence, candidates: [Candidate(.reflexive, endpoint)])
                .signed(by: identity)
        } catch { throw ProgramFailure(.failure, "A record could not be signed: \(error)") }
    }

    // MARK: One request

    private func ask(_ request: [UInt8], from lane: Int) throws(ProgramFailure) -> IndexReply {
        guard let answer = generator.ask(request, from: lane) else {
            throw ProgramFailure(.indexUnreachable, "The server does not answer.")
        }
        guard let (reply, _) = try? IndexReply.parse(answer) else {
            throw ProgramFailure(.failure, "The server's answer makes no sense.")
        }
        return reply
    }

    /// Addresses for documentation (RFC 5737) that differ from one another.
    private func address(_ number: Int) -> Endpoint {
        Endpoint(address: .v4(0xC000_0200 | UInt32(number % 250 + 1)), port: UInt16(1024 + number % 60_000))
    }
}
