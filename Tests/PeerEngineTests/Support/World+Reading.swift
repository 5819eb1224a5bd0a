// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Wire

/// What tests ask of a world.
extension World {
    /// An index server of ours at the usual place.
    @discardableResult
    mutating func startIndex(boot: String = "boot-1") -> IndexProgram {
        let program = IndexProgram(boot: boot, now: now)
        addServer { program.answer($0, $1, $2) }
        return program
    }

    /// Texts of the messages shown at a place, from one peer or from all.
    func shown(at place: Endpoint, from peer: PeerID? = nil) -> [String] {
        (events[place] ?? []).compactMap { event in
            guard case .message(let message) = event, message.direction == .incoming,
                peer == nil || message.peer == peer
            else { return nil }
            return message.text
        }
    }

    /// States told, in order.
    func states(at place: Endpoint, tag: String? = nil) -> [DeliveryState] {
        (events[place] ?? []).compactMap { event in
            guard case .state(_, let itsTag, _, let state, _) = event, tag == nil || itsTag == tag else { return nil }
            return state
        }
    }

    func lastFailure(at place: Endpoint) -> Reason? {
        (events[place] ?? []).reversed().lazy.compactMap { event in
            guard case .state(_, _, _, .failed, let reason) = event else { return nil }
            return reason
        }.first
    }

    /// Index states told, in order.
    func statuses(at place: Endpoint) -> [IndexStatus] {
        (events[place] ?? []).compactMap { if case .index(_, let status) = $0 { status } else { nil } }
    }

    func isRegistered(_ place: Endpoint) -> Bool {
        if case .ok? = statuses(at: place).last { true } else { false }
    }

    func paths(at place: Endpoint) -> [PathKind] {
        (events[place] ?? []).compactMap { if case .path(_, let kind, _, _) = $0 { kind } else { nil } }
    }

    /// The last thing told of how others reach a place.
    func reachability(at place: Endpoint) -> Reachability? {
        (events[place] ?? []).reversed().lazy.compactMap { if case .reachability(let seen) = $0 { seen } else { nil } }
            .first
    }

    func ladders(at place: Endpoint) -> [[LadderStep]] {
        (events[place] ?? []).compactMap { if case .ladder(_, let steps) = $0 { steps } else { nil } }
    }

    func pathReasons(at place: Endpoint, _ kind: PathKind) -> [String] {
        (events[place] ?? []).compactMap { event in
            if case .path(_, kind, _, let reason) = event { reason?.text } else { nil }
        }
    }

    func notices(at place: Endpoint) -> [String] {
        (events[place] ?? []).compactMap { if case .notice(let text, _) = $0 { text } else { nil } }
    }

    /// Requests of strangers, in order.
    func requests(at place: Endpoint) -> [(peer: PeerID, name: String?, text: String, invited: Bool)] {
        (events[place] ?? []).compactMap { event in
            guard case .request(let peer, let name, let text, let invited) = event else { return nil }
            return (peer, name, text, invited)
        }
    }

    /// Types of the frames that left a place.
    func frames(from place: Endpoint, to other: Endpoint? = nil) -> [String] {
        net.sent.filter { $0.from == place && (other == nil || $0.to == other) }.compactMap { sent in
            (try? JSONObject(parsing: sent.frame))?.string("type")
        }
    }

    func lookups(at place: Endpoint, _ source: LookupSource) -> Int {
        (events[place] ?? []).count { if case .lookup(_, source, _, _) = $0 { true } else { false } }
    }

    /// IDs of messages that were queued at a place.
    func outgoing(at place: Endpoint) -> [MessageID] {
        (events[place] ?? []).compactMap { event in
            guard case .message(let message) = event, message.direction == .outgoing else { return nil }
            return message.id
        }
    }

    /// Seconds after `start` at which requests of a kind left a place, whoever they were for.
    func requestTimes(_ kind: String, from place: Endpoint, since start: Instant) -> [Double] {
        traffic.filter { $0.from == place && $0.at >= start && World.kind(of: $0.datagram) == kind }
            .map { $0.at.since(start).seconds }
    }

    /// `registration`, `query` or `keepalive`; `nil` for anything else.
    static func kind(of datagram: Datagram) -> String? {
        (try? JSONObject(parsing: datagram.bytes))?.string("req_type")
    }

    /// A message on the seed's wire, brought by the network.
    mutating func bring(
        _ text: String, from peer: PeerID, at source: Endpoint, for destination: PeerID, to place: Endpoint
    ) throws {
        let message = PeerMessage(source: peer, destination: destination, text: text, created: wall)
        deliver(.received(Datagram(try message.encoded(), source)), to: place)
    }
}
