// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What a datagram asked for.
public enum IndexOperation: String, Sendable, CaseIterable {
    case query
    case registration
    case keepalive
    /// To tell another peer that one wants to reach it.
    case call
    /// To be told one's own address.
    case seen
    /// Nothing that this server knows.
    case unknown
}

/// What became of a datagram.
public enum IndexResult: Hashable, Sendable {
    /// A query whose peer is registered.
    case hit
    /// A query whose peer isn't.
    case miss
    /// A query without a readable UUID.
    case invalid
    /// A keyed peer's first registration.
    case new
    /// The same peer from the same address.
    case renewed
    /// The same peer from another address.
    case moved
    /// A bare registration, which got a random UUID.
    case seed
    /// A signed registration whose source has to prove itself first.
    case challenged
    /// A registration or keepalive that was refused.
    case denied(Denial)
    /// A keepalive of a known lease.
    case alive
    /// A keepalive of a known lease from another address, which takes a new registration.
    case roamed
    /// A call of a peer that is registered.
    case called
    /// A call of a peer that isn't.
    case absent
    /// An address that was told to whoever is there.
    case seen
    /// A known request that made no sense.
    case malformed
    /// No request at all; never answered.
    case ignored
    /// Left unanswered because its source asks too much.
    case limited
    /// Left unanswered because the store is behind, failing, or still being read.
    case unready
}

/// Why a registration or a keepalive was refused.
public enum Denial: String, Sendable, CaseIterable {
    /// The address is no unicast address with a port.
    case badAddress = "bad_address"
    /// The record can't be read.
    case badRecord = "bad_record"
    /// The record's signature doesn't verify.
    case badSignature = "bad_signature"
    /// The record's key doesn't hash to the UUID, or the UUID is none that a key can own.
    case wrongKey = "wrong_key"
    /// A newer record is already here.
    case staleSequence = "stale_sequence"
    /// The record's sequence is more than 10 minutes ahead of this server's clock.
    case futureSequence = "future_sequence"
    /// The record's validity is over.
    case expiredRecord = "expired_record"
    /// The record lists addresses, but not the one that it came from.
    case foreignAddress = "foreign_address"
    /// The table of keyed peers is full.
    case full
    /// No lease has this token.
    case unknownLease = "unknown_lease"
    /// The registration could not be made durable.
    case storeFailed = "store_failed"
}

extension IndexResult {
    /// The word for logs, displays and metrics; a denial's is its reason.
    public var word: String {
        switch self {
        case .hit: "hit"
        case .miss: "miss"
        case .invalid: "invalid"
        case .new: "new"
        case .renewed: "renew"
        case .moved: "moved"
        case .seed: "seed"
        case .challenged: "proof"
        case .denied(let denial): denial.rawValue
        case .alive: "alive"
        case .roamed: "roamed"
        case .called: "called"
        case .absent: "absent"
        case .seen: "seen"
        case .malformed: "malformed"
        case .ignored: "ignored"
        case .limited: "limited"
        case .unready: "unready"
        }
    }

    /// Reads what `word` wrote.
    public init?(word: some StringProtocol) {
        let word = String(word)
        if let plain = IndexResult.plain.first(where: { $0.word == word }) {
            self = plain
        } else if let denial = Denial(rawValue: word) {
            self = .denied(denial)
        } else {
            return nil
        }
    }

    private static let plain: [IndexResult] = [
        .hit, .miss, .invalid, .new, .renewed, .moved, .seed, .challenged, .alive, .roamed, .called, .absent,
        .seen, .malformed, .ignored, .limited, .unready,
    ]

    /// Whether an operator should look: somebody erred, or tried something.
    public var isError: Bool {
        switch self {
        case .denied, .malformed, .ignored, .limited, .unready: true
        default: false
        }
    }
}

/// Whom a datagram was about.
public enum IndexTarget: Hashable, Sendable {
    case peer(PeerID)
    /// What stood in the UUID's place, unsanitised, at most 40 bytes of it.
    case text(String)
    case none
}

/// One handled datagram, as logs and displays tell it.
public struct IndexEvent: Hashable, Sendable {
    public var time: WallTime
    public var operation: IndexOperation
    public var source: Endpoint
    public var target: IndexTarget
    public var result: IndexResult

    public init(
        time: WallTime, operation: IndexOperation, source: Endpoint, target: IndexTarget, result: IndexResult
    ) {
        self.time = time
        self.operation = operation
        self.source = source
        self.target = target
        self.result = result
    }
}

extension Endpoint {
    /// The text form without the part that names one machine: the last octet of an IPv4 address and the lower half of
    /// an IPv6 address read `x`. Loopback names nobody and stays.
    public var masked: String {
        guard !isLoopback else { return description }
        switch address {
        case .v4(let bits): return "\(bits >> 24).\(bits >> 16 & 0xFF).\(bits >> 8 & 0xFF).x:\(port)"
        case .v6(let high, _):
            // Four zero groups at the end are always the longest run, so the text ends in `::`.
            return "[\(Endpoint.Address.v6(high, 0))x]:\(port)"
        }
    }
}
