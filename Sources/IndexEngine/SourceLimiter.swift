// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Queues
import Synchronization

/// Limits per source prefix in a table of fixed size, by the generic cell rate algorithm (ITU-T I.371): a prefix is one
/// moment, at which all that it asked is paid for, and may run ahead of now by its burst.
///
/// When a table's two places for a prefix are both taken, the one that is nearer to being paid is given up: a flood
/// from many forged prefixes makes the limits forget. One that forges a single prefix uses up what its neighbours there
/// may ask without proof; registrations and keepalives that prove their address or lease are counted apart.
final class SourceLimiter: Sendable {
    /// What is limited apart.
    enum Kind: Int, CaseIterable {
        /// Every datagram.
        case requests
        /// What costs a signature or a row, from a source that proved nothing.
        case registrations
        /// Registrations from a source that proved its address: nobody else can use this up.
        case proven
    }

    private static let stripes = 32
    private static let slots = 128

    fileprivate struct Slot {
        var prefix: UInt64 = 0
        /// When everything is paid, in nanoseconds of the server's clock; one moment for each kind.
        var paid: (requests: UInt64, registrations: UInt64, proven: UInt64) = (0, 0, 0)

        var latest: UInt64 { max(paid.requests, paid.registrations, paid.proven) }

        subscript(kind: Kind) -> UInt64 {
            get {
                switch kind {
                case .requests: paid.requests
                case .registrations: paid.registrations
                case .proven: paid.proven
                }
            }
            set {
                switch kind {
                case .requests: paid.requests = newValue
                case .registrations: paid.registrations = newValue
                case .proven: paid.proven = newValue
                }
            }
        }
    }

    fileprivate struct Rule {
        /// Nanoseconds that one costs, and how far ahead the moment may lie.
        var cost, ahead: UInt64

        init(_ rate: IndexLimits.Rate) {
            cost = 1_000_000_000 / UInt64(rate.perSecond)
            ahead = cost * UInt64(rate.burst)
        }
    }

    fileprivate struct Rules {
        var requests, registrations: Rule
        var limitsLoopback: Bool

        init(_ limits: IndexLimits) {
            requests = Rule(limits.requests)
            registrations = Rule(limits.registrations)
            limitsLoopback = limits.limitsLoopback
        }
    }

    fileprivate struct Stripe {
        var rules: Rules
        var slots = Array(repeating: Slot(), count: SourceLimiter.slots)
    }

    private let secret: UInt64
    private let limitsLoopback: Atomic<Bool>
    private let table: [Lock<Stripe>]

    /// - Parameter secret: scatters prefixes over the table.
    init(_ limits: IndexLimits, secret: UInt64) {
        self.secret = secret
        limitsLoopback = Atomic(limits.limitsLoopback)
        let rules = Rules(limits)
        table = (0..<Self.stripes).map { _ in Lock(Stripe(rules: rules)) }
    }

    /// Other limits from now on.
    func set(_ limits: IndexLimits) {
        limitsLoopback.store(limits.limitsLoopback, ordering: .relaxed)
        let rules = Rules(limits)
        for stripe in table { stripe.withLock { $0.rules = rules } }
    }

    /// Enters one datagram, unless its source has asked too much.
    func admits(_ source: Endpoint, _ kind: Kind, now: Instant) -> Bool {
        if source.isLoopback, !limitsLoopback.load(ordering: .relaxed) { return true }
        let prefix = source.address.prefix.key
        let hash = PeerHash(PeerID(high: prefix, low: ~prefix), secret: secret)
        return table[hash.shard(Self.stripes - 1)].withLock { stripe in
            let (first, second) = (hash.slot(Self.slots - 1), hash.slot(Self.slots * Self.slots - 1) / Self.slots)
            let place = stripe.place(prefix, first, second)
            let rule = kind == .requests ? stripe.rules.requests : stripe.rules.registrations
            // What was run up under stricter limits is forgotten down to these.
            let paid = min(stripe.slots[place][kind], now.nanoseconds &+ rule.ahead)
            stripe.slots[place][kind] = paid
            let next = max(paid, now.nanoseconds) &+ rule.cost
            guard next <= now.nanoseconds &+ rule.ahead else { return false }
            stripe.slots[place][kind] = next
            return true
        }
    }
}

extension SourceLimiter.Stripe {
    /// Where a prefix is, or from now on shall be.
    fileprivate mutating func place(_ prefix: UInt64, _ first: Int, _ second: Int) -> Int {
        if slots[first].prefix == prefix { return first }
        if slots[second].prefix == prefix { return second }
        let place = slots[first].latest <= slots[second].latest ? first : second
        slots[place] = SourceLimiter.Slot(prefix: prefix)
        return place
    }
}

extension Endpoint.Address {
    /// The first address of the group that is counted and limited together: an IPv4 /24, an IPv6 /48, the least that a
    /// site is given (RFC 6177).
    var prefix: Endpoint.Address {
        switch self {
        case .v4(let bits): .v4(bits & 0xFFFF_FF00)
        case .v6(let high, _): .v6(high & 0xFFFF_FFFF_FFFF_0000, 0)
        }
    }

    /// A prefix in eight bytes, never 0; IPv4 is written below the bits that an IPv6 prefix uses.
    var key: UInt64 {
        switch self {
        case .v4(let bits): UInt64(bits >> 8) << 1 | 1
        case .v6(let high, _): high | 2
        }
    }
}
