// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
internal import Queues
internal import Synchronization
public import Wire

/// A relay's channels, for all its threads: tables behind locks of their own, each held for about a lookup. A channel's
/// number says which table it is in; a pair's channel is in the table of the one that asked for it.
public final class Relay: Sendable {
    /// What it did since its start, and does now.
    public struct Totals: Equatable, Sendable {
        public var channels = 0
        public var bytes: UInt64 = 0
        public var datagrams: UInt64 = 0
        public var overQuota: UInt64 = 0
        public var refused: UInt64 = 0
        /// Channels in use that made room for others.
        public var displaced: UInt64 = 0
        public var bytesPerSecond: UInt64 = 0
    }

    /// Channels at most.
    public let capacity: Int
    private let tables: [Lock<RelayTable>]
    private let secret: UInt64
    private let total: RelayBudget
    private let shares: RelayShares
    /// Held while a channel is opened: a pair has one, and all together are no more than there may be.
    private let opening = Lock(())
    private let refused = Atomic<UInt64>(0)

    private static let tableCount = 16

    /// - Parameter secret: scatters peers over the tables, and networks over their places.
    public init(_ limits: RelayLimits, secret: UInt64) {
        capacity = max(1, limits.channels)
        self.secret = secret
        let total = RelayBudget(limits)
        self.total = total
        let shares = RelayShares(limits, secret: secret)
        self.shares = shares
        tables = (0..<Self.tableCount).map { number in
            let (tag, mask) = (UInt64(number), UInt64(Self.tableCount - 1))
            return Lock(RelayTable(limits, total: total, shares: shares, tag: tag, tagMask: mask))
        }
    }

    /// Other rates from now on. Capacities stay.
    public func setRates(_ limits: RelayLimits) {
        total.setRate(limits)
        for table in tables { table.withLock { $0.setRates(limits) } }
    }

    // MARK: Channels

    /// The channel of two peers: the one that they have, or a new one.
    /// - Parameter network: a number for the caller's network.
    public func open(
        from caller: PeerID, to callee: PeerID, in network: UInt64, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) -> RelayChannel {
        let pair = PeerPair(caller, callee)
        return opening.withLock { _ in
            let (own, other) = (table(of: caller), table(of: callee))
            let isTheirs = other !== own && other.withLock { $0.channel(of: pair, now: now) != nil }
            if !isTheirs { makeRoom(for: pair, of: caller, in: network, own, now) }
            let opener = isTheirs ? callee : caller
            return (isTheirs ? other : own).withLock {
                $0.open(pair, by: opener, in: network, now: now, using: &generator)
            }
        }
    }

    /// The pair that has a channel.
    public func pair(of channel: RelayChannel, now: Instant) -> PeerPair? {
        table(of: channel).withLock { $0.pair(of: channel, now: now) }
    }

    private func table(of channel: RelayChannel) -> Lock<RelayTable> {
        tables[Int(truncatingIfNeeded: channel.number) & (Self.tableCount - 1)]
    }

    private func table(of peer: PeerID) -> Lock<RelayTable> {
        let product = (peer.high ^ secret).multipliedFullWidth(by: peer.low ^ secret.byteSwapped | 1)
        return tables[Int(truncatingIfNeeded: product.high ^ product.low) & (Self.tableCount - 1)]
    }

    /// Lets the channel go that is the least worth keeping, in whichever table, when there is none left for a pair.
    private func makeRoom(
        for pair: PeerPair, of caller: PeerID, in network: UInt64, _ own: Lock<RelayTable>, _ now: Instant
    ) {
        guard shares.count >= capacity, own.withLock({ $0.channel(of: pair, now: now) == nil && !$0.hasAll(caller) })
        else { return }
        for table in tables { table.withLock { $0.removeIdle(now: now) } }
        guard shares.count >= capacity else { return }
        let place = shares.debtor(for: shares.place(of: network))
        var least: (rank: RelayTable.Rank, table: Lock<RelayTable>)?
        for table in tables {
            guard let rank = table.withLock({ $0.least(of: place, now: now) }) else { continue }
            if least.map({ rank < $0.rank }) ?? true { least = (rank, table) }
        }
        least?.table.withLock { $0.removeLeast(of: place, now: now) }
    }

    // MARK: Datagrams

    /// Enters a datagram of so many octets that one of the two sent, and says whether it goes on.
    public func forward(
        _ channel: RelayChannel, from side: PeerPair.Side, bytes: Int, by leg: RelayLeg, now: Instant
    ) -> RelayTable.Verdict {
        table(of: channel).withLock { $0.forward(channel, from: side, bytes: bytes, by: leg, now: now) }
    }

    /// Counts a datagram that is nobody's.
    public func refuse() { refused.add(1, ordering: .relaxed) }

    // MARK: Displays

    public func totals(now: Instant) -> Totals {
        var totals = Totals()
        totals.refused = refused.load(ordering: .relaxed)
        for table in tables {
            table.withLock { table in
                table.removeIdle(now: now)
                totals.channels += table.count
                totals.bytes &+= table.bytes
                totals.datagrams &+= table.datagrams
                totals.overQuota &+= table.overQuota
                totals.displaced &+= table.displaced
                totals.bytesPerSecond &+= table.bytesPerSecond(now: now)
            }
        }
        return totals
    }

    /// The busiest pairs first. A walk over all channels: not on a loop that serves.
    public func busiest(_ limit: Int, now: Instant) -> [RelayTable.Use] {
        let all = tables.flatMap { table in table.withLock { $0.uses(now: now) } }
        return Array(all.sorted { ($0.bytesPerSecond, $0.bytes) > ($1.bytesPerSecond, $1.bytes) }.prefix(limit))
    }
}
