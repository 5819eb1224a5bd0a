// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Wire

/// An index server that passes on, knows calls, and says where it sees whom: the protocol's rules in memory, without
/// limits.
final class RelayServer {
    struct Row {
        var source: Endpoint
        var record: [UInt8]
        var token: [UInt8]
    }

    let boot: String
    var relays: Bool
    private let second: UInt16?
    private(set) var rows: [PeerID: Row] = [:]
    private(set) var calls: [(caller: PeerID, callee: PeerID)] = []
    private(set) var refused = 0
    private var cookies: [Endpoint: [UInt8]] = [:]
    private var channels: [Set<PeerID>: RelayChannel] = [:]
    private var chance = SplitMix64(seed: 11)
    /// Where it sees a datagram come from at its second port.
    var translation: (Endpoint) -> Endpoint = { $0 }
    /// Where it sees whom, other than at its own address, since a router was restarted.
    var rebound: [Endpoint: Endpoint] = [:]
    /// Whether registrations get no answer, as of a server that has too much to do.
    var isOverloaded = false
    /// From whom nothing comes through.
    var shutOut: Set<Endpoint> = []

    init(boot: String, relays: Bool, second: UInt16?) {
        self.boot = boot
        self.relays = relays
        self.second = second
    }

    /// Forgets whom it knew, as a restart does.
    func forget() { rows = [:] }
    func forget(_ peer: PeerID) { rows[peer] = nil }

    /// What leaves for whom.
    func take(_ datagram: Datagram, at place: Endpoint, wall: WallTime) -> [Datagram] {
        guard !shutOut.contains(datagram.endpoint), let request = try? IndexRequest(parsing: datagram.bytes) else {
            return []
        }
        let outer = rebound[datagram.endpoint] ?? datagram.endpoint
        let source = place.port == second ? translation(outer) : outer
        func answer(_ reply: IndexReply, _ nonce: String?) -> [Datagram] {
            [Datagram(reply.encoded(nonce: nonce), datagram.endpoint)]
        }
        let offers = ServerOffers(relays: relays, secondPort: second)
        switch request {
        case .seen(let nonce): return answer(.seen(source), nonce)
        case .registration where isOverloaded: return []
        case .registration(let registration):
            guard let signed = registration.signed, let record = try? PeerRecord(verifying: signed.record),
                record.key.peer == signed.peer
            else { return answer(.failed(reason: "no record"), registration.nonce) }
            let cookie = cookies[source] ?? chance.bytes(16)
            cookies[source] = cookie
            guard signed.cookie == cookie else {
                return answer(.cookie(cookie, seen: source, offers: offers), registration.nonce)
            }
            let isAt = record.candidates.contains { $0.endpoint == source }
            guard isAt || record.binding == PeerRecord.binding(to: cookie) else {
                refused += 1
                return answer(.failed(reason: "another address"), registration.nonce)
            }
            let token = chance.bytes(16)
            rows[signed.peer] = Row(source: source, record: signed.record, token: token)
            let lease = IndexReply.Lease(token: token, seconds: 7200, boot: boot, seen: source, offers: offers)
            return answer(.registered(uuid: signed.peer, lease: lease), registration.nonce)
        case .keepalive(let keepalive):
            guard let row = rows[keepalive.peer], row.token == keepalive.token else {
                return answer(.unknown(boot: boot, spreadSeconds: 2), keepalive.nonce)
            }
            guard row.source == source else { return answer(.moved(boot: boot, seen: source), keepalive.nonce) }
            return answer(.alive(boot: boot, leaseSeconds: 7200), keepalive.nonce)
        case .query(let query):
            let row = query.peer.flatMap { rows[$0] }
            let names = row.map { PeerRecord.namesAddress(verified: $0.record) } ?? false
            return answer(
                .answer(address: names ? row?.source : nil, text: query.text, record: row?.record), query.nonce)
        case .call(let call):
            guard let row = rows[call.caller], row.token == call.token else {
                return answer(.unknown(boot: boot, spreadSeconds: 2), call.nonce)
            }
            guard row.source == source else { return answer(.moved(boot: boot, seen: source), call.nonce) }
            guard let callee = rows[call.callee] else { return answer(.absent, call.nonce) }
            calls.append((call.caller, call.callee))
            let channel = relays ? self.channel(call.caller, call.callee) : nil
            let names = PeerRecord.namesAddress(verified: row.record)
            let notice = IndexNotice.call(
                .init(
                    caller: call.caller, address: names ? row.source : nil, record: row.record,
                    reference: call.reference, channel: channel))
            return answer(.calling(channel: channel), call.nonce) + [Datagram(notice.encoded(), callee.source)]
        }
    }

    private func channel(_ one: PeerID, _ other: PeerID) -> RelayChannel {
        let channel = channels[[one, other]] ?? RelayChannel(chance.next())
        channels[[one, other]] = channel
        return channel
    }

    /// Where it would send what comes from `source` in a channel.
    func other(than source: Endpoint, in channel: RelayChannel) -> Endpoint? {
        guard relays, let pair = channels.first(where: { $0.value == channel })?.key else { return nil }
        let ends = pair.compactMap { rows[$0]?.source }
        return ends.count == 2 && ends.contains(source) ? ends.first { $0 != source } : nil
    }
}
