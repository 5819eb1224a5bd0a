// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
internal import Model
internal import Wire

// The way to the server: UDP, or where none comes through a tunnel.
extension IndexLink {
    /// Whether the server is reached by a tunnel alone.
    var isTunnelled: Bool { way == .tunnel || way == .returning }

    var checkDeadline: Instant? {
        guard way == .tunnel, let check else { return nil }
        return check.at + min(check.pause, isWanted ? Timing.wantedCheck : Timing.idleCheck)
    }

    mutating func advanceTunnel(now: Instant) -> [Action] {
        var actions: [Action] = []
        if let due = exchange?.tunnelAt, due <= now { actions += askForTunnel() }
        if let due = checkDeadline, due <= now { actions.append(askUDP(now: now)) }
        return actions
    }

    mutating func tunnelOpened(now: Instant, wall: WallTime, sequence: inout UInt64) -> [Action] {
        guard way == .opening else { return way == .udp ? [.tunnel(.close(server))] : [] }
        way = .tunnel
        tunnelFault = nil
        failures = 0
        second = nil
        secondSighting = nil
        sighting = nil
        exchange = nil
        check = UDPCheck(nonce: newNonce(), at: now, pause: Timing.firstCheck)
        return register(cookie: nil, now: now, wall: wall, &sequence) + [.sighted]
    }

    mutating func tunnelClosed(_ reason: String, now: Instant) -> [Action] {
        switch way {
        case .udp: return []
        case .opening:
            way = .udp
            tunnelFault = reason
            guard exchange == nil, case .unreachable(let said) = status, case .pause = phase else { return [] }
            return report(.unreachable(withTunnel(said)))
        case .tunnel, .returning:
            way = .udp
            return fail("the TLS connection ended: \(reason)", now: now) + [.sighted]
        }
    }

    mutating func askForTunnel() -> [Action] {
        exchange?.tunnelAt = nil
        guard way == .udp, !isSeed else { return [] }
        way = .opening
        return [.tunnel(.open(server, key: pinned?.octets))]
    }

    mutating func closeUnneededTunnel() -> [Action] {
        exchange?.tunnelAt = nil
        guard way == .opening else { return [] }
        way = .udp
        return [.tunnel(.close(server))]
    }

    private mutating func askUDP(now: Instant) -> Action {
        let nonce = newNonce()
        let pause = check.map { min($0.pause.nanoseconds * 2, Timing.idleCheck.nanoseconds) }
        check = UDPCheck(nonce: nonce, at: now, pause: pause.map { Span(nanoseconds: $0) } ?? Timing.firstCheck)
        return .sendByUDP(IndexRequest.seen(nonce: nonce).encoded(), to: server)
    }

    /// Asks now, and soon again.
    mutating func hurryCheck() {
        check?.at = Instant(nanoseconds: 0)
        check?.pause = Timing.firstCheck
    }

    /// The server has us registered by the way in use.
    mutating func settleWay() -> [Action] {
        let isBack = way == .returning
        if isBack { way = .udp }
        let closing = isBack ? [Action.tunnel(.close(server))] : []
        guard hasTunnelledLease != isTunnelled else { return closing }
        hasTunnelledLease = isTunnelled
        return closing + [.changedWay]
    }

    /// UDP comes through: the registration goes back to it.
    mutating func udpAnswered(
        _ seen: Endpoint, _ nonce: String?, now: Instant, wall: WallTime, _ sequence: inout UInt64
    ) -> [Action] {
        guard way == .tunnel, let nonce, nonce == check?.nonce else { return [] }
        way = .returning
        noteSeen(at: seen)
        exchange = nil
        return register(cookie: nil, now: now, wall: wall, &sequence)
    }

    /// Both reasons in one clause.
    func withTunnel(_ reason: String) -> String {
        guard let tunnelFault, !reason.contains(tunnelFault) else { return reason }
        return "\(reason) by UDP, and none by TLS: \(tunnelFault)"
    }
}
