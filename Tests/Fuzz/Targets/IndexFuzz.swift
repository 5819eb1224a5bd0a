// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import Synchronization

/// An index server that is fed one datagram after the other and keeps what they leave behind, as a real one does.
///
/// What must hold whatever comes is what the rest of the network is promised: nobody gets more bytes than they sent but
/// for the few of the seed's own answers, and what names no request gets none.
final class IndexFuzz: Sendable {
    /// One for the process; its clock stands still, so that cookies and tokens of the corpus stay good.
    static let shared = IndexFuzz()

    static let home = Endpoint.loopback(50_001)
    static let now = Instant(nanoseconds: 3_600_000_000_000)
    static let wall = WallTime(milliseconds: 1_764_000_000_000)
    /// How much larger than their requests the seed's answers may be: by the longest address of each family.
    private static let (excessV4, excessV6) = (17, 33)

    /// Tables so small that they are full.
    private static var limits: IndexLimits {
        var limits = IndexLimits()
        (limits.keyed, limits.seeds) = (100, 1000)
        return limits
    }

    private let service = IndexService(
        info: ServerInfo(version: "1", listen: "[::]:50000", boot: "1a2b3c4d"),
        secret: [UInt8](repeating: 7, count: 32), limits: limits, now: now)
    private let count = Atomic<UInt32>(0)

    /// Hands it in from where the corpus' peers live, and from a neighbourhood that never asked before.
    /// - Returns: the promise that was broken.
    func fault(in bytes: [UInt8]) -> String? {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        let stranger = Endpoint(address: .v4(0x0B00_0001 &+ number << 8), port: 4000)
        return fault(in: bytes, from: IndexFuzz.home, number) ?? fault(in: bytes, from: stranger, number)
    }

    private func fault(in bytes: [UInt8], from source: Endpoint, _ number: UInt32) -> String? {
        var reply: [UInt8] = []
        var random = RandomSource.seeded(UInt64(number) << 32 | UInt64(source.port))
        let outcome = service.makeMachine().handle(
            bytes.span, from: source, now: IndexFuzz.now, wall: IndexFuzz.wall, reply: &reply, using: &random)
        service.record([HandledEvent(event: outcome.event, took: .microseconds(1), now: IndexFuzz.now)])
        let result = outcome.event.result
        if case .askStore = outcome.verdict { return "there is no store to ask" }
        if outcome.failure.count > bytes.count { return "a failure of \(outcome.failure.count) for \(bytes.count)" }
        guard outcome.verdict != .silence else { return nil }
        if outcome.event.operation == .unknown, result != .malformed { return "it answered what is no request" }
        if reply.isEmpty { return "an answer of nothing" }
        let isSeeds = outcome.event.operation == .query || result == .seed
        let excess = !isSeeds ? 0 : reply.contains(UInt8(ascii: "[")) ? IndexFuzz.excessV6 : IndexFuzz.excessV4
        return reply.count <= bytes.count + excess ? nil : "\(reply.count) octets for \(bytes.count), \(result)"
    }
}
