// SPDX-License-Identifier: GPL-3.0-or-later

/// Everything counted since the server's start.
public struct IndexCounters: Equatable, Sendable {
    public var hits: UInt64 = 0
    public var misses: UInt64 = 0
    public var invalidQueries: UInt64 = 0
    public var newRegistrations: UInt64 = 0
    public var renewals: UInt64 = 0
    public var moves: UInt64 = 0
    public var seedRegistrations: UInt64 = 0
    /// Signed registrations that were asked for a cookie first.
    public var challenges: UInt64 = 0
    /// Keepalives that renewed a lease.
    public var keepalives: UInt64 = 0
    /// Keepalives of a known lease from another address.
    public var roams: UInt64 = 0
    /// Calls of peers that are registered.
    public var calls: UInt64 = 0
    /// Calls of peers that are not.
    public var absences: UInt64 = 0
    /// Peers that were told where they are seen.
    public var sightings: UInt64 = 0
    /// Known requests that made no sense.
    public var malformed: UInt64 = 0
    /// Datagrams without a known request type.
    public var ignored: UInt64 = 0
    /// Datagrams that the kernel dropped before the server read them.
    public var receiveDrops: UInt64 = 0
    /// Answers that could not be sent.
    public var sendErrors: UInt64 = 0
    /// Datagrams left unanswered because their source asked too much.
    public var limited: UInt64 = 0
    /// Datagrams left unanswered because the store is behind, failing, or still being read.
    public var unready: UInt64 = 0
    private var denials: [UInt64] = Array(repeating: 0, count: Denial.allCases.count)

    public init() {}

    /// Refusals for one reason.
    public subscript(denial: Denial) -> UInt64 {
        get { denials[denial.index] }
        set { denials[denial.index] = newValue }
    }

    /// All queries, answered with an address or not.
    public var queries: UInt64 { hits &+ misses &+ invalidQueries }
    /// All registrations that were granted.
    public var registrations: UInt64 { newRegistrations &+ renewals &+ moves &+ seedRegistrations }
    /// All refusals.
    public var denied: UInt64 { denials.reduce(0, &+) }
    /// Everything that somebody did wrong, here or there.
    public var errors: UInt64 { malformed &+ ignored &+ denied &+ sendErrors }

    /// All handled datagrams.
    public var datagrams: UInt64 {
        queries &+ registrations &+ challenges &+ keepalives &+ roams &+ denied &+ malformed &+ ignored &+ limited
            &+ unready &+ calls &+ absences &+ sightings
    }

    /// Counts one datagram.
    mutating func count(_ result: IndexResult) {
        switch result {
        case .hit: hits &+= 1
        case .miss: misses &+= 1
        case .invalid: invalidQueries &+= 1
        case .new: newRegistrations &+= 1
        case .renewed: renewals &+= 1
        case .moved: moves &+= 1
        case .seed: seedRegistrations &+= 1
        case .challenged: challenges &+= 1
        case .denied(let denial): self[denial] &+= 1
        case .alive: keepalives &+= 1
        case .roamed: roams &+= 1
        case .called: calls &+= 1
        case .absent: absences &+= 1
        case .seen: sightings &+= 1
        case .malformed: malformed &+= 1
        case .ignored: ignored &+= 1
        case .limited: limited &+= 1
        case .unready: unready &+= 1
        }
    }
}

extension Denial {
    /// Its place in `allCases`.
    var index: Int {
        switch self {
        case .badAddress: 0
        case .badRecord: 1
        case .badSignature: 2
        case .wrongKey: 3
        case .staleSequence: 4
        case .futureSequence: 5
        case .expiredRecord: 6
        case .foreignAddress: 7
        case .full: 8
        case .unknownLease: 9
        case .storeFailed: 10
        }
    }
}
