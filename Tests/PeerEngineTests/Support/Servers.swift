// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Relaying
import Support
import Wire

extension IndexMachine {
    /// The answer to a datagram; nothing stands between it and the sender.
    func answer(
        _ bytes: [UInt8], from source: Endpoint, now: Instant, wall: WallTime,
        using generator: inout some RandomNumberGenerator
    ) -> [UInt8]? {
        var reply: [UInt8] = []
        let outcome = handle(bytes.span, from: source, now: now, wall: wall, reply: &reply, using: &generator)
        return outcome.verdict == .silence ? nil : reply
    }
}

/// An index server of ours, with an empty memory at first.
final class IndexProgram {
    private let service: IndexService
    private var chance = SplitMix64(seed: 5)

    init(
        boot: String = "boot-1", secret: UInt8 = 0, identity: Identity? = nil, relay: RelayLimits? = nil, now: Instant
    ) {
        let info = ServerInfo(version: "test", listen: "\(World.index)", boot: boot)
        service = IndexService(
            info: info, secret: Array(boot.utf8) + [secret], identity: identity, relay: relay, now: now)
    }

    func answer(_ datagram: Datagram, _ now: Instant, _ wall: WallTime) -> [UInt8]? {
        service.makeMachine().answer(datagram.bytes, from: datagram.endpoint, now: now, wall: wall, using: &chance)
    }

    /// Registered keyed peers.
    func count(now: Instant, wall: WallTime) -> Int {
        service.snapshot(for: SnapshotRequest(), now: now, wall: wall).use.keyed
    }

    /// Whether a seed program's query finds a peer.
    func knows(_ peer: PeerID, now: Instant, wall: WallTime) -> Bool {
        let query = Array(#"{"req_type":"query","queried_uuid":"\#(peer)"}"#.utf8)
        let reply = answer(Datagram(query, .loopback(9)), now, wall)
        guard let reply, case .answer(let address?, _, _)? = try? IndexReply.parse(reply).reply else { return false }
        return address.port != 0
    }
}

/// The first index server: random names, no nonces, nothing of ours.
final class SeedProgram {
    private var addresses: [PeerID: String] = [:]
    private(set) var registrations = 0
    private(set) var queries = 0
    private var chance: SplitMix64

    init(seed: UInt64 = 3) { chance = SplitMix64(seed: seed) }

    func answer(_ datagram: Datagram, _: Instant, _: WallTime) -> [UInt8]? {
        guard let object = try? JSONObject(parsing: datagram.bytes) else { return nil }
        switch object.string("req_type") {
        case "registration":
            guard let address = object.string("addr") else { return nil }
            registrations += 1
            let name = PeerID(high: chance.next(), low: chance.next()).stamped(version: 4)
            addresses[name] = address
            return Array(#"{"status":"OK","uuid":"\#(name)"}"#.utf8)
        case "query":
            queries += 1
            let text = object.string("queried_uuid") ?? ""
            let address = PeerID(text).flatMap { addresses[$0] } ?? "nil"
            return Array(#"{"address":"\#(address)","uuid":"\#(text)"}"#.utf8)
        default: return nil
        }
    }
}
