// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import PeerEngine
internal import Traversal

/// What one session reads, tells and writes.
extension SessionTable {
    func add(_ session: Session) {
        sessions[session.id] = session
        touched.insert(session.id)
        register(session)
        connect(session.quic.id, to: session)
        session.quic.events.idAdded = { [unowned self, unowned session] in connect($0, to: session) }
        session.quic.events.idRemoved = { [unowned self, unowned session] id in
            session.connectionIDs.remove(id)
            connections[id] = nil
        }
    }

    private func connect(_ id: ConnectionID, to session: Session) {
        session.connectionIDs.insert(id)
        connections[id] = session
    }

    func with(_ id: SessionID, _ body: (Session) -> Void) {
        guard let session = sessions[id], session.closing == nil else { return }
        touched.insert(id)
        body(session)
    }

    func send(_ frames: [[UInt8]], _ id: SessionID, _ now: Instant) {
        with(id) { session in
            guard session.isUp, let reason = session.send(frames) else { return }
            bidFarewell(session, .done, .failed(reason), now)
        }
    }

    func read(
        _ packet: UnsafeBufferPointer<UInt8>, _ session: Session, by route: Route, _ now: Instant
    ) {
        touched.insert(session.id)
        do {
            try session.read(packet, from: route, now: now)
        } catch {
            fail(session, error, now)
        }
    }

    /// Brings a session up to date, then writes for it.
    func attend(_ session: Session, _ now: Instant) {
        do throws(SessionFault) {
            if let up = try session.takeUp() {
                register(session)
                output.events.append(up)
            }
            if session.isUp, session.closing == nil {
                let frames = try session.takeFrames()
                if !frames.isEmpty { output.events.append(.frames(session.id, frames)) }
            }
        } catch {
            return bidFarewell(session, .protocolViolation, .protocolViolation(error.clause), now)
        }
        let pings = session.duePings(now: now, budget: &budget)
        output.events += session.takeRouteEvents(now: now)
        if let change = session.takeRoundTrip(now: now) { output.events.append(change) }
        if let closing = session.closing, session.hasFlushed(now: now) {
            return bidFarewell(session, closing.code, .closedHere(closing.code), now)
        }
        if let end = session.overdue(now: now) {
            return remove(session, session.closing.map { .closedHere($0.code) } ?? end)
        }
        do throws(QuicConnection.Failure) {
            try session.write(now: now) { post($0, $1) }
        } catch {
            return fail(session, error, now)
        }
        for ping in pings { send(ping, of: session, now) }
    }
}
