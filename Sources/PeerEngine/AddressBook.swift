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
        /// The last moment at which the address was known to be good.
        var confirmed: Instant
        var used: Instant
        /// The last other address that something in the peer's name came from, and when.
        var rumour: (source: Endpoint, heard: Instant)?
    }

    private var entries: [PeerID: Entry] = [:]
    private let limit: Int

    /// - Parameter limit: entries at most, at least 1.
    public init(limit: Int = 4096) { self.limit = max(1, limit) }

    /// How many peers are known, with an address or without.
    public var count: Int { entries.count }

    /// The address of a peer; `nil` when none is known, or it has not been confirmed for `Timing.addressLife`.
    public mutating func endpoint(of peer: PeerID, now: Instant) -> Endpoint? {
        guard let entry = entries[peer], now.since(entry.confirmed) < Timing.addressLife else { return nil }
        entries[peer]?.used = now
        return entry.endpoint
    }

    /// The address however old it is: better than none when no index server answers.
    func lastEndpoint(of peer: PeerID) -> Endpoint? { entries[peer]?.endpoint }

    /// The address that was dropped because nobody reads there; an answer that names it again is no news.
    func deadEndpoint(of peer: PeerID) -> Endpoint? { entries[peer]?.dead }

    /// The sequence of the newest record seen of a peer, 0 for none.
    func sequence(of peer: PeerID) -> UInt64 { entries[peer]?.sequence ?? 0 }

    /// Learns an address from a lookup.
    mutating func learn(_ peer: PeerID, _ endpoint: Endpoint, sequence: UInt64, now: Instant) {
        if entries[peer] == nil, entries.count >= limit, let oldest = entries.min(by: { $0.value.used < $1.value.used })
        {
            entries[oldest.key] = nil
        }
        // A source that was asked about in vain is not worth a second question.
        let rumour = entries[peer].flatMap { $0.endpoint == endpoint ? $0.rumour : nil }
        entries[peer] = Entry(endpoint: endpoint, sequence: sequence, confirmed: now, used: now, rumour: rumour)
    }

    /// Nobody knew better: goes on with the address for another while, or lets a dead one be tried again.
    /// - Returns: whether there is an address.
    mutating func keep(_ peer: PeerID, now: Instant) -> Bool {
        entries[peer]?.dead = nil
        guard entries[peer]?.endpoint != nil else { return false }
        entries[peer]?.confirmed = now
        return true
    }

    /// A datagram in the peer's name came from `source`. From the known address it confirms it; from another one the peer
    /// may have moved, or have two addresses, or someone lies: the address stays, but is worth a question. The seed's
    /// programs send from any port, so of an unkeyed peer the source says nothing.
    /// - Returns: whether to look the peer up again; once per source, and not often whatever strangers send.
    mutating func heard(from peer: PeerID, at source: Endpoint, now: Instant) -> Bool {
        guard var entry = entries[peer] else { return false }
        if entry.dead == source {
            entry.endpoint = source
            entry.dead = nil
            entries[peer] = entry
        }
        guard let known = entry.endpoint else { return false }
        guard known != source, peer.isKeyed else {
            entries[peer]?.confirmed = now
            return false
        }
        if let rumour = entry.rumour, rumour.source == source || now.since(rumour.heard) < Timing.rumour {
            return false
        }
        entries[peer]?.rumour = (source, now)
        return true
    }

    /// Drops the address of whoever lives at an endpoint; it takes a lookup to reach them again. Their sequences stay,
    /// so that an older record is still refused.
    /// - Returns: the peers concerned, in the order of their IDs.
    mutating func doubt(_ endpoint: Endpoint) -> [PeerID] {
        let peers = entries.filter { $0.value.endpoint == endpoint }.map(\.key).sorted()
        for peer in peers {
            entries[peer]?.endpoint = nil
            entries[peer]?.dead = endpoint
        }
        return peers
    }
}
