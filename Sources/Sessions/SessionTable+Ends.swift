// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import PeerEngine
internal import Traversal

/// How sessions end.
extension SessionTable {
    func fail(_ session: Session, _ failure: QuicConnection.Failure, _ now: Instant) {
        if session.isUp, session.closing == nil, let frames = try? session.takeFrames(), !frames.isEmpty {
            // What came before the end came.
            output.events.append(.frames(session.id, frames))
        }
        let last = session.quic.farewell(failure, now: now, mac: session.currentMAC)
        part(session, last, session.closing.map { .closedHere($0.code) } ?? failure.end, now)
    }

    func bidFarewell(_ session: Session, _ code: SessionCloseCode, _ end: SessionEnd, _ now: Instant) {
        let last = session.quic.farewell(code, now: now, mac: session.currentMAC)
        part(session, last, end, now)
    }

    private func part(_ session: Session, _ last: [UInt8]?, _ end: SessionEnd, _ now: Instant) {
        if let last, session.wasAnswered {
            let routes = session.finder.routes
            for route in routes { post(last, route) }
            if let route = routes.first, route.isRelayed || !isHidden {
                farewells.add(session.connectionIDs, route.datagram(last), until: now + limits.linger)
            }
        }
        remove(session, end)
    }

    func remove(_ session: Session, _ end: SessionEnd) {
        if session.isUp || session.id.isDialled {
            if let attempts = session.takeLastAttempts() { output.events.append(attempts) }
            output.events.append(.closed(session.id, end))
        }
        sessions[session.id] = nil
        passages.close(with: session.id)
        deadlines[session.id] = nil
        for id in session.connectionIDs { connections[id] = nil }
        for reference in session.probes.references where probed[reference] === session { probed[reference] = nil }
        if let first = session.firstDestination { firstConnections[first] = nil }
    }
}
