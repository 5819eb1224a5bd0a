// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// UUID to address: asked first, and the index only on a miss.
///
/// Bounded: beyond the limit the entry that was used longest ago goes, and is looked up again when needed.
public struct AddressBook: Sendable {
    struct Entry: Equatable {
        /// `nil` when the last one stopped working.
        var endpoint: Endpoint?
        /// Of the record it came from; 0 for an address without one.
        var sequence: UInt64
        /// The last moment at which the address was known to be good.
        var confirmed: Instant
        var used: Instant
    }

    private var entries: [PeerID: Entry] = [:]
    private let limit: Int

    /// - Parameter limit: entries at most, at least 1.
    public init(limit: Int = 4096) { self.limit = max(1, limit) }

    /// How many addresses are known.
    public var count: Int { entries.count }

    /// The address of a peer; `nil` when none is known or it has not been confirmed for `Timing.addressLife`.
    public mutating func endpoint(of peer: PeerID, now: Instant) -> Endpoint? {
        guard var entry = entries[peer], now.since(entry.confirmed) < Timing.addressLife else { return nil }
        entry.used = now
        entries[peer] = entry
        return entry.endpoint
    }

    /// The sequence of the newest record seen of a peer, 0 for none.
    func sequence(of peer: PeerID) -> UInt64 { entries[peer]?.sequence ?? 0 }

    /// Learns an address from a lookup.
    mutating func learn(_ peer: PeerID, _ endpoint: Endpoint, sequence: UInt64, now: Instant) {
        if entries[peer] == nil, entries.count >= limit, let oldest = entries.min(by: { $0.value.used < $1.value.used }) {
            entries[oldest.key] = nil
        }
        entries[peer] = Entry(endpoint: endpoint, sequence: sequence, confirmed: now, used: now)
    }

    /// A datagram in the peer's name came from `source`. From the known address it confirms it; from another one the peer
    /// may have moved, or someone lies: the address is doubted, not replaced. The seed's programs send from any port, so
    /// of an unkeyed peer it says nothing.
    mutating func heard(from peer: PeerID, at source: Endpoint, now: Instant) {
        guard let known = entries[peer]?.endpoint else { return }
        if known == source || !peer.isKeyed { entries[peer]?.confirmed = now } else { forgetAddress(of: peer) }
    }

    /// Doubts whoever lives at an endpoint; they are looked up again.
    /// - Returns: the peers concerned.
    mutating func doubt(_ endpoint: Endpoint) -> [PeerID] {
        let peers = entries.filter { $0.value.endpoint == endpoint }.map(\.key)
        peers.forEach { forgetAddress(of: $0) }
        return peers
    }

    /// Keeps the sequence, so that an older record is still refused.
    private mutating func forgetAddress(of peer: PeerID) {
        entries[peer]?.endpoint = nil
    }
}
