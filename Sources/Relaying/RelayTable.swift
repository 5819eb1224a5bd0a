// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import Wire

/// Two peers, in an order that doesn't depend on who calls whom.
public struct PeerPair: Hashable, Sendable {
    public let first: PeerID
    public let second: PeerID

    public init(_ one: PeerID, _ other: PeerID) { (first, second) = one < other ? (one, other) : (other, one) }

    /// One of the two.
    public enum Side: Sendable { case first, second }
}

/// A way from a relay to a peer: its address, and the one of ours that it last wrote to, since its NAT or firewall lets
/// nothing else in.
public struct RelayLeg: Equatable, Sendable {
    public var remote: Endpoint
    /// `nil` when the system did not tell, or nothing came from there yet.
    public var local: Endpoint.Address?
    /// Tells link-local addresses of several interfaces apart.
    public var interface: UInt32

    public init(remote: Endpoint, local: Endpoint.Address? = nil, interface: UInt32 = 0) {
        self.remote = remote
        self.local = local
        self.interface = interface
    }
}

/// Which channel is whose, and how much each may carry: a relay without its addresses and sockets.
///
/// A channel that was silent for long is as good as none, and among those that are not the one that was silent longest
/// makes room. A datagram costs a lookup and a few assignments, and no memory.
public struct RelayTable: Sendable {
    /// What becomes of a datagram.
    public enum Verdict: Equatable, Sendable {
        /// It goes on; the leg is the receiver's, if it ever sent anything in this channel.
        case pass(RelayLeg?)
        case overQuota
        /// No such channel.
        case unknown
    }

    /// What one pair does.
    public struct Use: Equatable, Sendable {
        public var pair: PeerPair
        public var bytes: UInt64
        public var bytesPerSecond: UInt64
        public var idle: Span
    }

    private struct Slot {
        var channel: RelayChannel
        var pair: PeerPair
        var opener: PeerID
        /// When everything is paid that the pair has sent.
        var paid = Instant(nanoseconds: 0)
        /// When it has had its share of what all may send.
        var share = Instant(nanoseconds: 0)
        var used: Instant
        var bytes: UInt64 = 0
        var rate = SecondMeter()
        var legs: (first: RelayLeg?, second: RelayLeg?) = (nil, nil)
        /// The neighbours in the order of last use: the one silent for longer, and the other.
        var older = RelayTable.none, newer = RelayTable.none
    }

    private static let none = -1

    private var limits: RelayLimits
    private var quota: ByteQuota
    private let total: RelayBudget
    private let tag: (bits: UInt64, mask: UInt64)
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var numbers: [RelayChannel: Int] = [:]
    private var pairs: [PeerPair: Int] = [:]
    private var opened: [PeerID: [Int]] = [:]
    private var oldest = RelayTable.none
    private var newest = RelayTable.none

    /// What all channels together carried, those that are gone too.
    private(set) var bytes: UInt64 = 0
    private(set) var datagrams: UInt64 = 0
    private(set) var overQuota: UInt64 = 0
    private var rate = SecondMeter()

    /// - Parameters:
    ///   - total: what all pairs may send, of other tables too.
    ///   - tag: bits that each channel's number shall have.
    public init(_ limits: RelayLimits, total: RelayBudget, tag: UInt64 = 0, tagMask: UInt64 = 0) {
        self.limits = limits
        self.total = total
        self.tag = (tag & tagMask, tagMask)
        quota = ByteQuota(perSecond: limits.bytesPerSecond, burst: limits.burst)
    }

    /// Other rates from now on. Capacities stay.
    public mutating func setRates(_ new: RelayLimits) {
        limits.bytesPerSecond = new.bytesPerSecond
        limits.burst = new.burst
        quota = ByteQuota(perSecond: new.bytesPerSecond, burst: new.burst)
    }

    public var count: Int { numbers.count }

    // MARK: Channels

    /// The channel that a pair has.
    public func channel(of pair: PeerPair, now: Instant) -> RelayChannel? {
        pairs[pair].flatMap { isIdle($0, now) ? nil : slots[$0].channel }
    }

    /// The pair that has a channel.
    public func pair(of channel: RelayChannel, now: Instant) -> PeerPair? {
        numbers[channel].flatMap { isIdle($0, now) ? nil : slots[$0].pair }
    }

    /// The channel of a pair: the one that it has, or a new one.
    /// - Parameter opener: who of the two asks. A channel counts among those that it asked for: nobody can use up what
    ///   another one may have.
    public mutating func open(
        _ pair: PeerPair, by opener: PeerID, now: Instant, using generator: inout some RandomNumberGenerator
    ) -> RelayChannel {
        removeIdle(now: now)
        if let slot = pairs[pair] {
            touch(slot, now)
            return slots[slot].channel
        }
        let own = opened[opener, default: []]
        if own.count >= max(1, limits.channelsPerPeer), let eldest = own.min(by: { slots[$0].used < slots[$1].used }) {
            remove(eldest)
        }
        if count >= max(1, limits.channels) { removeOldest() }
        var channel: RelayChannel
        repeat { channel = RelayChannel(generator.next() & ~tag.mask | tag.bits) } while numbers[channel] != nil
        insert(Slot(channel: channel, pair: pair, opener: opener, used: now))
        return channel
    }

    /// When the channel that is silent for longest was used; `nil` without any.
    public var oldestUse: Instant? { oldest == Self.none ? nil : slots[oldest].used }

    /// Forgets the channel that is silent for longest.
    public mutating func removeOldest() { if oldest != Self.none { remove(oldest) } }

    /// Forgets all that are silent for too long.
    public mutating func removeIdle(now: Instant) { while oldest != Self.none, isIdle(oldest, now) { remove(oldest) } }

    private func isIdle(_ slot: Int, _ now: Instant) -> Bool { now.since(slots[slot].used) >= limits.idle }

    // MARK: Datagrams

    /// Enters a datagram of so many octets that one of the two sent.
    /// - Parameter leg: how it came.
    public mutating func forward(
        _ channel: RelayChannel, from side: PeerPair.Side, bytes count: Int, by leg: RelayLeg, now: Instant
    ) -> Verdict {
        guard let slot = numbers[channel], !isIdle(slot, now) else { return .unknown }
        touch(slot, now)
        guard let paid = quota.pay(count, after: slots[slot].paid, now: now),
            total.take(count, share: &slots[slot].share, now: now)
        else {
            slots[slot].paid = quota.settled(slots[slot].paid, now: now)
            overQuota &+= 1
            return .overQuota
        }
        slots[slot].paid = paid
        slots[slot].bytes &+= UInt64(count)
        if slots[slot].rate.add(count, now) { total.countSender(now: now) }
        bytes &+= UInt64(count)
        datagrams &+= 1
        _ = rate.add(count, now)
        switch side {
        case .first:
            slots[slot].legs.first = leg
            return .pass(slots[slot].legs.second)
        case .second:
            slots[slot].legs.second = leg
            return .pass(slots[slot].legs.first)
        }
    }

    // MARK: Displays

    /// What all together sent in the last whole second.
    public func bytesPerSecond(now: Instant) -> UInt64 { rate.last(now) }

    /// What each pair does.
    public func uses(now: Instant) -> [Use] {
        numbers.values.lazy.map { slots[$0] }.map { slot in
            Use(
                pair: slot.pair, bytes: slot.bytes, bytesPerSecond: slot.rate.last(now), idle: now.since(slot.used))
        }
    }

    // MARK: The order of last use

    private mutating func insert(_ new: Slot) {
        let slot = free.popLast() ?? slots.count
        if slot == slots.count { slots.append(new) } else { slots[slot] = new }
        numbers[new.channel] = slot
        pairs[new.pair] = slot
        opened[new.opener, default: []].append(slot)
        append(slot)
    }

    private mutating func remove(_ slot: Int) {
        let gone = slots[slot]
        unlink(slot)
        numbers[gone.channel] = nil
        pairs[gone.pair] = nil
        opened[gone.opener]?.removeAll { $0 == slot }
        if opened[gone.opener]?.isEmpty == true { opened[gone.opener] = nil }
        free.append(slot)
    }

    private mutating func touch(_ slot: Int, _ now: Instant) {
        // Loops read the clock apart: time goes on only.
        slots[slot].used = max(slots[slot].used, now)
        guard slot != newest else { return }
        unlink(slot)
        append(slot)
    }

    private mutating func append(_ slot: Int) {
        (slots[slot].older, slots[slot].newer) = (newest, Self.none)
        if newest == Self.none { oldest = slot } else { slots[newest].newer = slot }
        newest = slot
    }

    private mutating func unlink(_ slot: Int) {
        let (older, newer) = (slots[slot].older, slots[slot].newer)
        if older == Self.none { oldest = newer } else { slots[older].newer = newer }
        if newer == Self.none { newest = older } else { slots[newer].older = older }
    }
}

/// Octets of the last whole second, and of the one under way.
struct SecondMeter: Sendable {
    private var second: UInt64 = 0
    private var (current, previous): (UInt64, UInt64) = (0, 0)

    /// - Returns: whether these are the first of their second.
    mutating func add(_ count: Int, _ now: Instant) -> Bool {
        let number = now.nanoseconds / 1_000_000_000
        let isFirst = number > second
        if isFirst {
            previous = number == second + 1 ? current : 0
            (second, current) = (number, 0)
        }
        current &+= UInt64(count)
        return isFirst
    }

    func last(_ now: Instant) -> UInt64 {
        let number = now.nanoseconds / 1_000_000_000
        return number <= second ? previous : number == second + 1 ? current : 0
    }
}
