// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import Relaying
import Wire

extension IndexService {
    /// Whether datagrams are passed on.
    public var relays: Bool { relay != nil }

    /// Other rates from now on; how many channels there can be stays.
    public func setRelayRates(_ limits: RelayLimits) { relay?.setRates(limits) }

    /// Decides about a datagram for somebody else: from the registered address of one of a channel's two, to that of
    /// the other. No allocation, and two lookups beside the channel's.
    /// - Parameter leg: how it came.
    /// - Returns: where it goes; `nil` for nowhere, which is counted.
    public func route(_ bytes: Swift.Span<UInt8>, by leg: RelayLeg, now: Instant) -> RelayLeg? {
        guard let relay else { return nil }
        guard bytes.count <= RelayLimits.datagram, let channel = RelayDatagram.channel(of: bytes),
            let pair = relay.pair(of: channel, now: now), let (side, place) = way(in: pair, leg.remote, now)
        else {
            relay.refuse()
            return nil
        }
        switch relay.forward(channel, from: side, bytes: bytes.count, by: leg, now: now) {
        case .pass(let last?) where last.remote == place.endpoint: return last
        case .pass: return self.leg(to: place.endpoint, from: place.local)
        case .overQuota: return nil
        case .unknown:
            relay.refuse()
            return nil
        }
    }

    /// Which of the two is at an address, and where the other one is; `nil` when neither is, or the other one nowhere.
    private func way(
        in pair: PeerPair, _ source: Endpoint, _ now: Instant
    ) -> (side: PeerPair.Side, place: PeerPlace)? {
        let (first, second) = (registry.place(of: pair.first, now: now), registry.place(of: pair.second, now: now))
        if let second, first?.endpoint == source { return (.first, second) }
        if let first, second?.endpoint == source { return (.second, first) }
        return nil
    }

    /// The number of an address of this machine's that somebody wrote to: what `IndexMachine.handle` wants to know.
    public func number(of local: Endpoint.Address, interface: UInt32) -> UInt8 {
        locals.number(of: local, interface: interface)
    }

    /// The way to a registered peer, from the address that it last wrote to.
    func leg(to peer: Endpoint, from local: UInt8) -> RelayLeg {
        let place = locals[local]
        return RelayLeg(remote: peer, local: place?.address, interface: place?.interface ?? 0)
    }

    /// What displays see of the relay.
    func relayStatistics(calls: UInt64, tunnels: Int, wantsPairs: Bool, now: Instant) -> RelayStatistics {
        var statistics = RelayStatistics()
        statistics.calls = calls
        statistics.tunnels = tunnels
        guard let relay else { return statistics }
        let totals = relay.totals(now: now)
        statistics.isOffered = true
        statistics.channels = totals.channels
        statistics.capacity = relay.capacity
        statistics.bytes = totals.bytes
        statistics.datagrams = totals.datagrams
        statistics.overQuota = totals.overQuota
        statistics.refused = totals.refused
        statistics.displaced = totals.displaced
        statistics.bytesPerSecond = totals.bytesPerSecond
        guard wantsPairs else { return statistics }
        statistics.pairs = relay.busiest(RelayStatistics.pairLimit, now: now).map { use in
            func isTunnelled(_ peer: PeerID) -> Bool { registry.address(of: peer, now: now)?.isTunnel ?? false }
            return RelayPair(
                a: use.pair.first, b: use.pair.second, bytesPerSecond: use.bytesPerSecond, bytes: use.bytes,
                idle: use.idle, isTunnelledA: isTunnelled(use.pair.first), isTunnelledB: isTunnelled(use.pair.second))
        }
        return statistics
    }
}
