// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// For what keeps the store in step with memory.
extension IndexService {
    /// Everybody whose lease runs.
    public func peers(now: Instant) -> [PeerID] {
        var peers: [PeerID] = []
        registry.forEachLive(now: now) { peer, _, _, _ in peers.append(peer) }
        return peers
    }

    /// What the store shall hold of a peer by now; `nil` when memory holds nothing of it.
    public func change(of peer: PeerID, now: Instant, wall: WallTime) -> RegistryChange? {
        registry.stored(peer, now: now, wall: wall).map { .put($0) }
    }
}
