// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// UUID to address: asked first, and the index only on a miss.
///
/// Bounded: beyond the limit the entry that was used longest ago goes, and is looked up again when needed.
public struct AddressBook: Sendable {
    private struct Entry {
        /// `nil` when nobody reads there any more.
        var endpoint: Endpoint?
        /// Where nobody read when we last wrote there.
        var dead: Endpoint?
        /// Of the record it came from; 0 for an address without one.
        var sequence: UInt64
        /// Whether a session was there: others only say where a peer is, and may say what they like.
        var isReached: Bool
        /// The last moment at which the address was known to be good.
        var confirmed: Instant
        var used: Instant
    }

    private var entries: [PeerID: Entry] = [:]
    private let limit: Int

    /// - Parameter limit: entries at most, at least 1.
    public init(limit: Int = 4096) { self.limit = max(1, limit) }

    /// How many peers are known, with an address or without.
    public var count: Int { entries.count }

    /// Takes an address of the last run: it was reached, but is not confirmed.
    mutating func restore(_ peer: PeerID, _ saved: SavedAddress) {
        guard entries.count < limit else { return }
        let never = Instant(nanoseconds: 0)
        entries[peer] = Entry(
            endpoint: saved.endpoint, sequence: saved.sequence, isReached: saved.endpoint != nil, confirmed: never,
            used: never)
    }

    /// The address of a peer; `nil` when none is known, or it has not been confirmed for `Timing.addressLife`.
    public mutating func endpoint(of peer: PeerID, now: Instant) -> Endpoint? {
        guard let entry = entries[peer], now.since(entry.confirmed) < Timing.addressLife else { return nil }
        entries[peer]?.used = now
        return entry.endpoint
    }

    /// The address however old it is: better than none when no index server answers.
    func lastEndpoint(of peer: PeerID) -> Endpoint? { entries[peer]?.endpoint }

    /// Where a session with the peer was last, however long ago.
    func reachedEndpoint(of peer: PeerID) -> Endpoint? {
        entries[peer].flatMap { $0.isReached ? $0.endpoint : nil }
    }

    /// The address that was dropped because nobody reads there; an answer that names it again is no news.
    func deadEndpoint(of peer: PeerID) -> Endpoint? { entries[peer]?.dead }

    /// The sequence of the newest record seen of a peer, 0 for none.
    func sequence(of peer: PeerID) -> UInt64 { entries[peer]?.sequence ?? 0 }

    /// Learns an address from a lookup or a session; `nil` for a peer that is reached through relays alone.
    /// - Parameter isReached: whether a session was there.
    mutating func learn(
        _ peer: PeerID, _ endpoint: Endpoint?, sequence: UInt64, isReached: Bool = false, now: Instant
    ) {
        if entries[peer] == nil, entries.count >= limit, let oldest = entries.min(by: { $0.value.used < $1.value.used })
        {
            entries[oldest.key] = nil
        }
        entries[peer] = Entry(
            endpoint: endpoint, sequence: sequence, isReached: isReached, confirmed: now, used: now)
    }

    /// Nobody knew better: goes on with the address for another while, or lets a dead one be tried again.
    /// - Returns: whether there is an address.
    mutating func keep(_ peer: PeerID, now: Instant) -> Bool {
        entries[peer]?.dead = nil
        guard entries[peer]?.endpoint != nil else { return false }
        entries[peer]?.confirmed = now
        return true
    }

    /// A datagram in the name of a peer without a key came from `source`. It confirms the address, wherever it came
    /// from: the seed's programs send from any port, so the source says nothing.
    mutating func heard(from peer: PeerID, at source: Endpoint, now: Instant) {
        guard var entry = entries[peer] else { return }
        if entry.dead == source {
            entry.endpoint = source
            entry.dead = nil
        }
        if entry.endpoint != nil { entry.confirmed = now }
        entries[peer] = entry
    }

    /// What of a peer is worth keeping for the next run: where it was reached, not where it was said to be.
    func saved(_ peer: PeerID) -> SavedAddress? {
        entries[peer].map { SavedAddress(endpoint: $0.isReached ? $0.endpoint : nil, sequence: $0.sequence) }
    }

    /// Drops the address of whoever without a key lives at an endpoint; it takes a lookup to reach them again. Their
    /// sequences stay, so that an older record is still refused.
    /// - Returns: the peers concerned, in the order of their IDs.
    mutating func doubt(_ endpoint: Endpoint) -> [PeerID] {
        let peers = entries.filter { $0.value.endpoint == endpoint && !$0.key.isKeyed }.map(\.key).sorted()
        for peer in peers {
            entries[peer]?.endpoint = nil
            entries[peer]?.dead = endpoint
        }
        return peers
    }
}
