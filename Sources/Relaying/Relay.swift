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
        public var bytesPerSecond: UInt64 = 0
    }

    /// Channels at most.
    public let capacity: Int
    private let tables: [Lock<RelayTable>]
    private let secret: UInt64
    private let total: RelayBudget
    /// Held while a channel is opened: a pair has one, and all together are no more than there may be.
    private let opening = Lock(())
    private let refused = Atomic<UInt64>(0)

    private static let tableCount = 16

    /// - Parameter secret: scatters peers over the tables.
    public init(_ limits: RelayLimits, secret: UInt64) {
        capacity = max(1, limits.channels)
        self.secret = secret
        let total = RelayBudget(limits)
        self.total = total
        tables = (0..<Self.tableCount).map { number in
            Lock(
                RelayTable(limits, total: total, tag: UInt64(number), tagMask: UInt64(Self.tableCount - 1)))
        }
    }

    /// Other rates from now on. Capacities stay.
    public func setRates(_ limits: RelayLimits) {
        total.setRate(limits)
        for table in tables { table.withLock { $0.setRates(limits) } }
    }

    // MARK: Channels

    /// The channel of two peers: the one that they have, or a new one.
    public func open(
        from caller: PeerID, to callee: PeerID, now: Instant, using generator: inout some RandomNumberGenerator
    ) -> RelayChannel {
        let pair = PeerPair(caller, callee)
        return opening.withLock { _ in
            let (own, other) = (table(of: caller), table(of: callee))
            let isTheirs = other !== own && other.withLock { $0.channel(of: pair, now: now) != nil }
            if !isTheirs { makeRoom(for: pair, in: own, now) }
            let opener = isTheirs ? callee : caller
            return (isTheirs ? other : own).withLock {
                $0.open(pair, by: opener, now: now, using: &generator)
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

    /// Lets the channel go that is silent for longest, in whichever table, when there is none left for a pair.
    private func makeRoom(for pair: PeerPair, in own: Lock<RelayTable>, _ now: Instant) {
        guard own.withLock({ $0.channel(of: pair, now: now) == nil }) else { return }
        var count = 0
        var oldest: (use: Instant, table: Lock<RelayTable>)?
        for table in tables {
            let (size, use) = table.withLock { table in
                table.removeIdle(now: now)
                return (table.count, table.oldestUse)
            }
            count += size
            if let use, use < oldest?.use ?? Instant(nanoseconds: .max) { oldest = (use, table) }
        }
        if count >= capacity { oldest?.table.withLock { $0.removeOldest() } }
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
