// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Traversal

/// Probes of ways: who is answered, who is asked.
extension SessionTable {
    func takeProbe(_ bytes: [UInt8], by route: Route, _ now: Instant) {
        guard route.endpoint.isUnicast, let claim = Probe.peek(bytes) else { return }
        let session = probed[claim.reference]
        switch claim.kind {
        case .ping:
            if let session, let ping = session.probes.ping(from: bytes) {
                return answer(ping, by: route, of: session, now) { session.probes.encoded($0) }
            }
            guard let ping = Probe(bytes, key: probeKey) else { return }
            answer(ping, by: route, of: session, now) { $0.encoded(probeKey) }
        case .pong:
            guard let session, let pong = session.probes.pong(from: bytes) else { return }
            touched.insert(session.id)
            session.take(pong, from: route, budget: &budget, now: now)
        }
    }

    /// To the very route that it came by, with as many octets.
    private func answer(
        _ ping: Probe, by route: Route, of session: Session?, _ now: Instant, _ encode: (Probe) -> [UInt8]?
    ) {
        var isUnasked = isUnasked(route, now)
        if let session {
            touched.insert(session.id)
            isUnasked = session.finder.pinged(from: route, wasAsked: !isUnasked, now: now)
        }
        let pong = Probe(
            .pong, reference: ping.reference, transaction: ping.transaction,
            observed: route.isRelayed ? nil : route.endpoint, wasUnasked: isUnasked)
        if let bytes = encode(pong) { post(bytes, route) }
    }

    func isUnasked(_ route: Route, _ now: Instant) -> Bool {
        !route.isRelayed && !asked.contains(route.endpoint.address, now: now)
    }

    func ask(_ bytes: [UInt8], _ route: Route, _ now: Instant) {
        if !route.isRelayed { asked.add(route.endpoint.address, now: now) }
        post(bytes, route)
    }

    func send(_ ping: Ping, of session: Session, _ now: Instant) {
        guard let bytes = session.probes.ping(ping.transaction) else { return }
        switch ping.destination {
        case .route(let route):
            // A session's own finder knows what was sent where.
            if session.isUp { post(bytes, route) } else { ask(bytes, route, now) }
        case .lan: if !isHidden { output.lanProbes.append(bytes) }
        }
    }

    func register(_ session: Session) {
        for reference in session.probes.references { probed[reference] = session }
    }
}
