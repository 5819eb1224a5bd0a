// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// What our record says at this server.
extension IndexLink {
    /// Another record is to be had here, if this one says something else than the last.
    mutating func publish(_ new: Publication, now: Instant) {
        publication = new
        guard case .registered(let lease, let since, let next) = phase, isStale else { return }
        phase = .registered(lease, since: since, nextKeepalive: min(next, soonestRecord(now)))
    }

    var hidesAddress: Bool { publication.hidesAddress || way == .tunnel }

    var candidates: [Candidate] {
        let others = publication.relays.filter { $0 != server }
        let relays = ((offers.relays ? [server] : []) + others).prefix(IndexLink.relayLimit)
        let relayed = relays.map { Candidate(.relayed, $0) }
        guard !hidesAddress else { return relayed }
        let mapped = publication.mapped.flatMap { $0 == address ? nil : Candidate(.mapped, $0) }
        // What this server sees is of one family; the other one may have no router in the way.
        let other = publication.seen.first { $0.isV6 != address.isV6 && !$0.isLoopback }
        let reflexive = ([address] + (other.map { [$0] } ?? [])).map { Candidate(.reflexive, $0) }
        return (mapped.map { [$0] } ?? []) + reflexive + relayed
    }

    var isStale: Bool { signed.map { $0.candidates != candidates } ?? false }
    /// A server that promises one thing and then another is not asked without end.
    func soonestRecord(_ now: Instant) -> Instant { max(now, (signed?.at ?? now) + Timing.recordPause) }
}
