// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model
internal import Wire

/// Tells peers through index servers that we dial them, until each server has answered. Pure.
///
/// One call a peer and server is kept, the newest: contacts times servers bound it.
struct CallSheet {
    /// What a server made of a call.
    enum Outcome: Equatable {
        case asking
        /// The other side was told; the channel that the two have there, if the server relays.
        case told(RelayChannel?)
        /// The other side is not registered there.
        case absent
        case refused(String)
        case noAnswer
    }

    struct Name: Hashable {
        var peer: PeerID
        var server: Endpoint
    }

    /// What an answer means.
    struct Answer: Equatable {
        var name: Name
        var session: SessionID
        var outcome: Outcome
    }

    private struct Call {
        var session: SessionID
        var nonce: String
        var bytes: [UInt8]
        var startedAt: Instant
        var tries = 1
        var outcome = Outcome.asking
        /// The server does not know us, or not here: once it does, the peer is called anew.
        var isVoid = false
        var repeatAt: Instant
    }

    private var calls: [Name: Call] = [:]
    /// Those without an answer.
    private var open: Set<Name> = []

    /// Whether an answer with this nonce is one to a call.
    func expects(_ nonce: String, from server: Endpoint) -> Bool {
        open.contains { $0.server == server && calls[$0]?.nonce == nonce }
    }

    /// When a server may be called about a peer for this session; `nil` when it need not be.
    /// - Parameter isLost: whether the session has no way left, so that an earlier answer is worth nothing.
    func due(_ name: Name, for session: SessionID, isLost: Bool) -> Instant? {
        guard let call = calls[name] else { return Instant(nanoseconds: 0) }
        guard call.session != session || isLost || call.isVoid else { return nil }
        return call.startedAt + Timing.callPause
    }

    /// - Returns: the datagram for the server.
    mutating func start(
        _ name: Name, for session: SessionID, from caller: PeerID, token: [UInt8], reference: UInt64, now: Instant,
        using random: inout RandomSource
    ) -> Datagram {
        let nonce = Base64URL.encode(random.octets(8))
        let request = IndexRequest.call(
            .init(caller: caller, token: token, callee: name.peer, reference: reference, nonce: nonce))
        let call = Call(
            session: session, nonce: nonce, bytes: request.encoded(), startedAt: now, repeatAt: now + Timing.calls[0])
        calls[name] = call
        open.insert(name)
        return Datagram(call.bytes, name.server)
    }

    /// Calls that are due again.
    mutating func advance(now: Instant) -> [Datagram] {
        guard let deadline, deadline <= now else { return [] }
        let due = open.filter { name in calls[name].map { $0.repeatAt <= now } ?? true }
        return due.sorted { ($0.peer, $0.server.port) < ($1.peer, $1.server.port) }.compactMap { name in
            guard var call = calls[name], call.tries < Timing.calls.count else {
                calls[name]?.outcome = .noAnswer
                open.remove(name)
                return nil
            }
            call.repeatAt = now + Timing.calls[call.tries]
            call.tries += 1
            calls[name] = call
            return Datagram(call.bytes, name.server)
        }
    }

    /// When `advance` has something to do.
    var deadline: Instant? { open.lazy.compactMap { calls[$0]?.repeatAt }.min() }

    /// Takes an answer; `nil` for one to no call.
    mutating func receive(_ reply: IndexReply, nonce: String, from server: Endpoint) -> Answer? {
        guard let name = open.first(where: { $0.server == server && calls[$0]?.nonce == nonce }),
            let call = calls[name]
        else { return nil }
        let outcome: Outcome
        switch reply {
        case .calling(let channel): outcome = .told(channel)
        case .absent: outcome = .absent
        case .failed(let reason): outcome = .refused(reason)
        case .unknown, .moved:
            outcome = .refused("we are not registered there")
            calls[name]?.isVoid = true
        default: return nil
        }
        open.remove(name)
        calls[name]?.outcome = outcome
        return Answer(name: name, session: call.session, outcome: outcome)
    }

    /// What servers said about a peer, by their addresses.
    func outcomes(of peer: PeerID) -> [Endpoint: Outcome] {
        var outcomes: [Endpoint: Outcome] = [:]
        for (name, call) in calls where name.peer == peer { outcomes[name.server] = call.outcome }
        return outcomes
    }

    mutating func forget(_ peer: PeerID) { keep { $0.peer != peer } }
    mutating func forget(server: Endpoint) { keep { $0.server != server } }

    private mutating func keep(where isKept: (Name) -> Bool) {
        calls = calls.filter { isKept($0.key) }
        open = open.filter(isKept)
    }
}
