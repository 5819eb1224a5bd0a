// SPDX-License-Identifier: GPL-3.0-or-later
internal import CQuic
internal import Identity
internal import Model
internal import PeerEngine
internal import Traversal
internal import Wire

/// Packets: whom sessions are dialled with, and from whom they are accepted.
extension SessionTable {
    /// Those that may be used.
    func allowed(_ candidates: [RemoteCandidate]) -> [RemoteCandidate] {
        candidates.filter { $0.route.isRelayed || !isHidden }
    }

    func dial(_ id: SessionID, _ key: PeerKey, _ plan: DialPlan, _ now: Instant) {
        guard id.isDialled, sessions[id] == nil else { return }
        guard sessions.count < limits.sessions else {
            return output.events.append(.closed(id, .failed("too many sessions are open")))
        }
        guard
            let quic = QuicConnection(
                dial: key, identity: identity, limits: limits, now: now, protocolName: protocolName)
        else { return output.events.append(.closed(id, .failed("there is no memory for it"))) }
        var finder = PathFinder(own: own, limits: limits.path, random: random.split(), now: now)
        finder.offer(allowed(plan.candidates), sequence: plan.sequence, now: now)
        if plan.searchesLAN, !isHidden { finder.searchLAN(now: now) }
        add(
            Session(
                id, quic, finder: finder, probes: SessionProbes(dialled: key, reference: plan.reference),
                mac: MAC1(dialled: key), limits: limits, now: now))
    }

    func takePacket(_ bytes: [UInt8], by route: Route, _ now: Instant) {
        let isDial = bytes.first == DatagramTag.dial
        guard !isDial || mac.isRight(bytes) else { return }
        let overhead = SessionDatagram.overhead(isDial ? mac : nil)
        bytes.withUnsafeBufferPointer { bytes in
            guard bytes.count > overhead else { return }
            take(UnsafeBufferPointer(rebasing: bytes[overhead...]), by: route, mayBegin: isDial, now)
        }
    }

    private func take(_ packet: UnsafeBufferPointer<UInt8>, by route: Route, mayBegin: Bool, _ now: Instant) {
        guard let header = PacketHeader(packet) else { return }
        let known =
            header.connection.flatMap { connections[$0] }
            ?? (header.isLong && mayBegin ? firstConnections[header.destination] : nil)
        if let known { return read(packet, known, by: route, now) }
        if let last = header.connection.flatMap({ farewells.answer(to: $0, now: now) }) {
            return output.datagrams.append(last)
        }
        if mayBegin, header.isLong { accept(packet, header, by: route, now) }
    }

    private func accept(
        _ packet: UnsafeBufferPointer<UInt8>, _ header: PacketHeader, by route: Route, _ now: Instant
    ) {
        guard cq_packet_is_first(packet.baseAddress, packet.count), route.endpoint.isUnicast else { return }
        let halfOpen = sessions.values.count { !$0.isUp && !$0.id.isDialled }
        guard sessions.count < limits.sessions, halfOpen < limits.halfOpen else { return }
        let answersRetry = isRetryAnswered(packet, route.endpoint, now)
        guard answersRetry || halfOpen < limits.halfOpenWithoutRetry else { return retry(packet, route, now) }
        guard
            let quic = QuicConnection(
                accept: packet, from: route.endpoint, retrySecret: answersRetry ? retrySecret : nil,
                identity: identity, limits: limits, now: now, protocolName: protocolName)
        else { return }
        let finder = PathFinder(
            own: own, accepted: route, cameUnasked: isUnasked(route, now), limits: limits.path, random: random.split(),
            now: now)
        let session = Session(
            SessionID(nextIncoming), quic, finder: finder, probes: SessionProbes(), mac: nil, limits: limits, now: now)
        nextIncoming += 2
        add(session)
        session.firstDestination = header.destination
        firstConnections[header.destination] = session
        read(packet, session, by: route, now)
        // It only looked like a first packet.
        if !session.wasAnswered { remove(session, .pathDied) }
    }

    private func isRetryAnswered(_ packet: UnsafeBufferPointer<UInt8>, _ source: Endpoint, _ now: Instant) -> Bool {
        var client = cq_address(source)
        let lifetime = limits.retryLifetime.nanoseconds
        return cq_retry_is_answered(
            packet.baseAddress, packet.count, &client, retrySecret, lifetime, now.nanoseconds)
    }

    private func retry(_ packet: UnsafeBufferPointer<UInt8>, _ route: Route, _ now: Instant) {
        var client = cq_address(route.endpoint)
        let answer = SessionDatagram.make(nil, capacity: Int(CQ_PACKET_SIZE)) { destination in
            cq_retry_write(
                destination.baseAddress, destination.count, packet.baseAddress, packet.count, &client, retrySecret,
                now.nanoseconds)
        }
        if let answer { post(answer, route) }
    }
}
