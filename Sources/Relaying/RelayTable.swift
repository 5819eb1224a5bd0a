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
/// A channel that was silent for long is as good as none. Among those that are not, room is made by the network that
/// asked for the most, if that is more than its share; there and elsewhere by the channel that was silent longest of
/// those not in use, and only then by one in use. A datagram costs a lookup and a few assignments, and no memory.
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

    /// How much a channel is worth keeping: the least makes room.
    struct Rank: Comparable {
        /// Both have sent in it, and one within the last minute: a session is silent for ten seconds at most.
        var isInUse: Bool
        var used: Instant

        static func < (one: Rank, other: Rank) -> Bool {
            one.isInUse == other.isInUse ? one.used < other.used : other.isInUse
        }
    }

    private struct Slot {
        var channel: RelayChannel
        var pair: PeerPair
        var opener: PeerPair.Side
        /// Where its opener's network is counted.
        var place: Int32
        /// Whether both have sent.
        var isAnswered = false
        /// When everything is paid that the pair has sent.
        var paid = Instant(nanoseconds: 0)
        /// When it has had its share of what all may send.
        var share = Instant(nanoseconds: 0)
        var used: Instant
        var bytes: UInt64 = 0
        var rate = SecondMeter()
        var legs: (first: RelayLeg?, second: RelayLeg?) = (nil, nil)

        var openerID: PeerID { opener == .first ? pair.first : pair.second }
        /// The number of its list among two, and among two for each place.
        var list: Int { isAnswered ? 1 : 0 }
        var listOfPlace: Int { 2 * Int(place) + list }
    }

    private static let inUse = Span.seconds(60)

    private var limits: RelayLimits
    private var quota: ByteQuota
    private let total: RelayBudget
    private let shares: RelayShares
    private let tag: (bits: UInt64, mask: UInt64)
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var numbers: [RelayChannel: Int] = [:]
    private var pairs: [PeerPair: Int] = [:]
    private var opened: [PeerID: [Int]] = [:]
    private var order = UseOrder(lists: 2)
    private var orderOfPlaces = UseOrder(lists: 2 * RelayShares.places)

    /// What all channels together carried, those that are gone too.
    private(set) var bytes: UInt64 = 0
    private(set) var datagrams: UInt64 = 0
    private(set) var overQuota: UInt64 = 0
    /// Channels in use that made room for others.
    private(set) var displaced: UInt64 = 0
    private var rate = SecondMeter()

    /// - Parameters:
    ///   - total: what all pairs may send, of other tables too.
    ///   - shares: how many channels each network has, in other tables too.
    ///   - tag: bits that each channel's number shall have.
    public init(
        _ limits: RelayLimits, total: RelayBudget, shares: RelayShares, tag: UInt64 = 0, tagMask: UInt64 = 0
    ) {
        self.limits = limits
        self.total = total
        self.shares = shares
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
    /// - Parameters:
    ///   - opener: who of the two asks. A channel counts among those that it asked for: nobody can use up what another
    ///     one may have.
    ///   - network: the one that the opener is in; nor can many in one network.
    public mutating func open(
        _ pair: PeerPair, by opener: PeerID, in network: UInt64, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) -> RelayChannel {
        removeIdle(now: now)
        if let slot = pairs[pair] {
            touch(slot, now)
            return slots[slot].channel
        }
        if hasAll(opener), let least = opened[opener]?.min(by: { rank($0, now) < rank($1, now) }) {
            displace(least, now)
        }
        let place = shares.place(of: network)
        if count >= max(1, limits.channels) { removeLeast(of: shares.debtor(for: place), now: now) }
        var channel: RelayChannel
        repeat { channel = RelayChannel(generator.next() & ~tag.mask | tag.bits) } while numbers[channel] != nil
        let side: PeerPair.Side = opener == pair.first ? .first : .second
        insert(
            Slot(channel: channel, pair: pair, opener: side, place: Int32(truncatingIfNeeded: place), used: now))
        return channel
    }

    /// Whether a peer has as many channels as it may ask for: the next costs its own.
    func hasAll(_ opener: PeerID) -> Bool { opened[opener]?.count ?? 0 >= max(1, limits.channelsPerPeer) }

    /// Forgets all that are silent for too long.
    public mutating func removeIdle(now: Instant) {
        for list in 0...1 { while let slot = order.oldest(in: list), isIdle(slot, now) { remove(slot) } }
    }

    /// The rank of the channel that would make room, of one place or of all; `nil` without any.
    func least(of place: Int?, now: Instant) -> Rank? { leastSlot(of: place, now).map { rank($0, now) } }

    /// Lets the channel go that is the least worth keeping, of one place or of all.
    mutating func removeLeast(of place: Int?, now: Instant) {
        if let slot = leastSlot(of: place, now) { displace(slot, now) }
    }

    private func leastSlot(of place: Int?, _ now: Instant) -> Int? {
        let heads = (0...1).compactMap { list in
            place.map { orderOfPlaces.oldest(in: 2 * $0 + list) } ?? order.oldest(in: list)
        }
        return heads.min { rank($0, now) < rank($1, now) }
    }

    private func rank(_ slot: Int, _ now: Instant) -> Rank {
        let used = slots[slot].used
        return Rank(isInUse: slots[slot].isAnswered && now.since(used) < Self.inUse, used: used)
    }

    private mutating func displace(_ slot: Int, _ now: Instant) {
        if rank(slot, now).isInUse { displaced &+= 1 }
        remove(slot)
    }

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
        let onward: RelayLeg?
        switch side {
        case .first: (onward, slots[slot].legs.first) = (slots[slot].legs.second, leg)
        case .second: (onward, slots[slot].legs.second) = (slots[slot].legs.first, leg)
        }
        if onward != nil, !slots[slot].isAnswered {
            unlist(slot)
            slots[slot].isAnswered = true
            list(slot)
        }
        return .pass(onward)
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
        opened[new.openerID, default: []].append(slot)
        list(slot)
        shares.add(Int(new.place))
    }

    private mutating func remove(_ slot: Int) {
        let gone = slots[slot]
        unlist(slot)
        shares.remove(Int(gone.place))
        numbers[gone.channel] = nil
        pairs[gone.pair] = nil
        opened[gone.openerID]?.removeAll { $0 == slot }
        if opened[gone.openerID]?.isEmpty == true { opened[gone.openerID] = nil }
        free.append(slot)
    }

    private mutating func touch(_ slot: Int, _ now: Instant) {
        // Loops read the clock apart: time goes on only.
        slots[slot].used = max(slots[slot].used, now)
        order.touch(slot, in: slots[slot].list)
        orderOfPlaces.touch(slot, in: slots[slot].listOfPlace)
    }

    private mutating func list(_ slot: Int) {
        order.append(slot, to: slots[slot].list)
        orderOfPlaces.append(slot, to: slots[slot].listOfPlace)
    }

    private mutating func unlist(_ slot: Int) {
        order.remove(slot, from: slots[slot].list)
        orderOfPlaces.remove(slot, from: slots[slot].listOfPlace)
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
