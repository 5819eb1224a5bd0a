// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// For a store that lost what it held.
extension IndexService {
    /// Everybody whose lease runs.
    public func peers(now: Instant) -> [PeerID] {
        var peers: [PeerID] = []
        registry.forEachLive(now: now) { peer, _, _, _ in peers.append(peer) }
        return peers
    }

    /// What the store shall hold of these peers.
    public func changes(of peers: some Sequence<PeerID>, now: Instant, wall: WallTime) -> [RegistryChange] {
        peers.compactMap { registry.stored($0, now: now, wall: wall).map { .put($0) } }
    }
}
