// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// How often callers may have a peer told of them: once a second for a pair, and 20 times a second for one peer,
/// whoever calls; half of those for callers of one network, however many IDs it makes. In tables of fixed size; when a
/// place is wanted twice, the one that is nearer to being free is given up.
struct NoticeLimiter {
    private static let pairCost: UInt64 = 1_000_000_000
    private static let calleeCost: UInt64 = 50_000_000
    private static let calleeBurst: UInt64 = 20
    private static let networkCost: UInt64 = 100_000_000
    private static let networkBurst: UInt64 = 10

    private let secret: UInt64
    private var pairs = Table(size: 4096)
    private var callees = Table(size: 4096)
    private var networks = Table(size: 4096)

    /// - Parameter secret: scatters peers over the tables.
    init(secret: UInt64) { self.secret = secret }

    /// Enters a notice to `callee` of `caller`, unless there were too many.
    /// - Parameter source: where the call came from.
    mutating func admits(_ caller: PeerID, from source: Endpoint, to callee: PeerID, now: Instant) -> Bool {
        let pair = pairs.place(of: mixed(PeerID(high: caller.high ^ ~callee.low, low: caller.low ^ callee.high)))
        let peer = callees.place(of: mixed(callee))
        guard pairs[pair] <= now.nanoseconds else { return false }
        let next = max(callees[peer], now.nanoseconds) &+ Self.calleeCost
        guard next <= now.nanoseconds &+ Self.calleeCost * Self.calleeBurst else { return false }
        // On this machine there is no other network to be kept free for.
        if !source.isLoopback {
            let key = source.address.prefix.key
            let network = networks.place(of: mixed(PeerID(high: callee.high ^ key, low: callee.low ^ ~key)))
            let next = max(networks[network], now.nanoseconds) &+ Self.networkCost
            guard next <= now.nanoseconds &+ Self.networkCost * Self.networkBurst else { return false }
            networks[network] = next
        }
        pairs[pair] = now.nanoseconds &+ Self.pairCost
        callees[peer] = next
        return true
    }

    private func mixed(_ peer: PeerID) -> UInt64 {
        let product = (peer.high ^ secret).multipliedFullWidth(by: peer.low ^ secret.byteSwapped)
        return product.high ^ product.low
    }

    private struct Table {
        private var tags: [UInt64]
        private var moments: [UInt64]

        init(size: Int) {
            tags = Array(repeating: 0, count: size)
            moments = tags
        }

        subscript(place: Int) -> UInt64 {
            get { moments[place] }
            set { moments[place] = newValue }
        }

        /// Where a tag is, or from now on shall be.
        mutating func place(of tag: UInt64) -> Int {
            let mask = tags.count - 1
            let (first, second) = (Int(truncatingIfNeeded: tag) & mask, Int(truncatingIfNeeded: tag >> 32) & mask)
            if tags[first] == tag { return first }
            if tags[second] == tag { return second }
            let place = moments[first] <= moments[second] ? first : second
            (tags[place], moments[place]) = (tag, 0)
            return place
        }
    }
}
