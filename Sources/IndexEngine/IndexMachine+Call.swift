// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
public import Model
public import Relaying
import Wire

extension IndexMachine {
    /// Something for somebody who did not ask.
    public struct Notice: Equatable, Sendable {
        public var bytes: [UInt8]
        /// To a registered address, so one that proved that it reads what is sent there.
        public var leg: RelayLeg
        public var destination: Endpoint { leg.remote }
    }

    /// Tells a peer that another one wants to reach it, and gives the two a channel if this server relays.
    func answer(
        _ call: IndexRequest.Call, _ exchange: inout Exchange, using generator: inout some RandomNumberGenerator
    ) {
        exchange.operation = .call
        exchange.target = .peer(call.callee)
        guard let caller = owner(of: call, &exchange), admitsCostly(&exchange, isProven: true) else { return }
        let callee = service.registry.lookup(call.callee, now: exchange.now)
        guard callee != nil || exchange.isFinal || service.missesAreFinal else { return exchange.ask(call.callee) }
        // A peer without a key can neither check who calls nor answer him.
        guard let callee, call.callee.isKeyed, call.callee != call.caller else {
            exchange.result = .absent
            exchange.send(.absent, nonce: call.nonce)
            return
        }
        // Also for a callee that is told of too many calls to hear of this one: what comes in the channel, it hears.
        let channel = service.relay?.open(
            from: call.caller, to: call.callee, in: exchange.origin.address.prefix.key, now: exchange.now,
            using: &generator)
        exchange.result = .called
        exchange.send(.calling(channel: channel), nonce: call.nonce)
        guard service.notices(call.caller, from: exchange.origin, to: call.callee, now: exchange.now) else { return }
        let notice = IndexNotice.call(
            .init(
                caller: call.caller, address: caller.told, record: caller.record, reference: call.reference,
                channel: channel))
        exchange.notice = Notice(bytes: notice.encoded(), leg: service.leg(to: callee.address, from: callee.local))
    }

    /// The caller's row, if the call holds its token and comes from its address; else says why not, as to a keepalive.
    private func owner(of call: IndexRequest.Call, _ exchange: inout Exchange) -> Registry.Found? {
        let boot = service.info.boot
        guard service.proof.accepts(token: call.token, of: call.caller),
            let row = service.registry.lookup(call.caller, now: exchange.now)
        else {
            exchange.result = .denied(.unknownLease)
            let spread = service.spreadSeconds(now: exchange.now)
            exchange.send(.unknown(boot: boot, spreadSeconds: spread), nonce: call.nonce)
            return nil
        }
        guard row.address == exchange.source else {
            exchange.result = .roamed
            exchange.send(.moved(boot: boot, seen: exchange.source), nonce: call.nonce)
            return nil
        }
        return row
    }

    /// Says where somebody is seen.
    func answerSeen(_ nonce: String, _ exchange: inout Exchange) {
        exchange.operation = .seen
        exchange.result = .seen
        exchange.send(.seen(exchange.source), nonce: nonce)
    }

    /// Decides about a datagram to the second port, which tells where somebody is seen and nothing else.
    /// - Parameter reply: where the answer is written; what was in it goes.
    public func handleSeen(
        _ bytes: Swift.Span<UInt8>, from source: Endpoint, now: Instant, wall: WallTime, reply: inout [UInt8]
    ) -> Outcome {
        var exchange = Exchange(size: bytes.count, source: source, now: now, wall: wall, buffer: &reply)
        defer { swap(&reply, &exchange.reply) }
        guard service.limiter.admits(source, .requests, now: now) else {
            exchange.result = .limited
            return exchange.outcome
        }
        if case .seen(let nonce)? = try? IndexRequest(parsing: bytes.withUnsafeBufferPointer { Array($0) }) {
            answerSeen(nonce, &exchange)
        }
        return exchange.outcome
    }
}

extension Registry.Found {
    /// The address as anybody may hear it: a record that names none hides it, and a tunnel's leads nowhere.
    var told: Endpoint? {
        guard let record else { return address }
        return PeerRecord.namesAddress(verified: record) && !address.isTunnel ? address : nil
    }
}

extension Endpoint {
    /// Whether it stands for a tunnel to this server: the discard prefix (RFC 6666), in which no machine is.
    public var isTunnel: Bool {
        if case .v6(0x0100_0000_0000_0000, _) = address { true } else { false }
    }
}
