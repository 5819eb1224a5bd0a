// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Relaying
import Support
import Wire

/// A machine, a clock and a source of chance under the test's control.
struct IndexHarness {
    /// What came of one datagram.
    struct Outcome {
        var reply: [UInt8]?
        var event: IndexEvent
        var verdict: IndexMachine.Verdict
        var change: RegistryChange?
        var failure: [UInt8]
        var notice: IndexMachine.Notice?
    }

    let service: IndexService
    let machine: IndexMachine
    var now = Instant(nanoseconds: 1_000_000_000_000)
    var wall = WallTime(milliseconds: 1_795_000_000_000)
    var generator = SplitMix64(seed: 7)

    static let info = ServerInfo(version: "1.0", listen: "[::]:50000", control: nil, boot: "1a2b3c4d")
    static let secret = [UInt8](repeating: 9, count: 32)

    init(
        identity: Identity? = nil, limits: IndexLimits = IndexLimits(), relay: RelayLimits? = nil,
        secondPort: UInt16? = nil, isLoading: Bool = false
    ) {
        service = IndexService(
            info: Self.info, secret: Self.secret, identity: identity, limits: limits, relay: relay,
            secondPort: secondPort, isLoading: isLoading, now: now)
        machine = service.makeMachine()
    }

    /// Hands in a datagram, counts it, and returns what came of it. A durable answer counts as one.
    mutating func send(
        _ bytes: [UInt8], from source: Endpoint, origin: Endpoint? = nil, to local: UInt8 = 0, isFinal: Bool = false
    ) -> Outcome {
        var reply: [UInt8] = []
        let outcome = machine.handle(
            bytes.span, from: source, origin: origin, to: local, now: now, wall: wall, isFinal: isFinal, reply: &reply,
            using: &generator)
        service.record([HandledEvent(event: outcome.event, took: .microseconds(100), now: now)])
        let answers = outcome.verdict == .reply || outcome.verdict == .replyWhenDurable
        return Outcome(
            reply: answers ? reply : nil, event: outcome.event, verdict: outcome.verdict, change: outcome.change,
            failure: outcome.failure, notice: outcome.notice)
    }

    mutating func send(_ text: String, from source: Endpoint = .loopback(40_000)) -> Outcome {
        send(Array(text.utf8), from: source)
    }

    /// Sends a request; the reply, read back.
    mutating func ask(_ request: IndexRequest, from source: Endpoint) throws -> IndexReply? {
        try send(request.encoded(), from: source).reply.map { try IndexReply.parse($0).reply }
    }

    mutating func advance(_ span: Span) {
        now = now + span
        wall = WallTime(milliseconds: wall.milliseconds + Int64(span.nanoseconds / 1_000_000))
    }

    /// A record as `identity` would sign it now.
    func record(
        _ identity: Identity, at endpoint: Endpoint? = nil, sequence: UInt64? = nil, validity: UInt32 = PeerRecord.day
    ) throws -> [UInt8] {
        try PeerRecord(
            key: identity.key, sequence: sequence ?? UInt64(wall.milliseconds), validity: validity,
            candidates: endpoint.map { [Candidate(.reflexive, $0)] } ?? []
        ).signed(by: identity)
    }

    /// The registration of a record, cookie asked for and brought back.
    mutating func register(_ peer: PeerID, record: [UInt8], from source: Endpoint) throws -> IndexReply? {
        var signed = IndexRequest.Signed(peer: peer, record: record)
        let first = try ask(.registration(.init(address: source, signed: signed)), from: source)
        guard case .cookie(let cookie, _, _)? = first else { return first }
        signed.cookie = cookie
        return try ask(.registration(.init(address: source, signed: signed)), from: source)
    }

    mutating func register(_ identity: Identity, from source: Endpoint) throws -> IndexReply? {
        try register(identity.peer, record: record(identity, at: source), from: source)
    }

    /// Sweeps all shards; what the store shall do.
    func sweep() -> [RegistryChange] {
        var changes: [RegistryChange] = []
        while true {
            let swept = service.sweep(now: now)
            changes += swept.changes
            if !swept.isMore { return changes }
        }
    }

    mutating func snapshot(_ request: SnapshotRequest = SnapshotRequest()) -> IndexSnapshot {
        service.snapshot(for: request, now: now, wall: wall)
    }
}

func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
