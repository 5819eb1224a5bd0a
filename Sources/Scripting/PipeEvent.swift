// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import PeerEngine
public import Wire

/// The lines that `parley pipe`, `parley log` and the control socket write.
public enum PipeEvent {
    /// The first line, once the port is open. Where it listens is told as the chat tells it, a wildcard address
    /// included.
    /// - Parameter invite: `nil` for a program that lets nobody in.
    public static func ready(_ peer: PeerID, invite: Invite?, listen: Endpoint) -> JSONObject {
        [
            "event": "ready", "uuid": .string("\(peer)"), "invite": invite.map { .string($0.text) } ?? .null,
            "listen": .string("\(listen)"),
        ]
    }

    /// The line for an event; `nil` for one that scripts do not see.
    /// - Parameter name: the contact's name, if the event has a peer that has one.
    public static func line(for event: ClientEvent, name: (PeerID) -> String?) -> JSONObject? {
        switch event {
        case .index(let server, let status): index(server, status)
        case .message(let message):
            message.direction == .incoming ? line(for: message, name: name(message.peer)) : nil
        case .state(let id, let tag, let peer, let state, let reason):
            line(for: id, tag: tag, peer, state, reason)
        case .path(let peer, let kind, let roundTrip, let reason): path(peer, kind, roundTrip, reason)
        case .lookup(let peer, let source, let found, let took):
            [
                "event": "lookup", "peer": .string("\(peer)"), "source": .string(source.rawValue),
                "found": .bool(found), "ms": .number(rounded(took)),
            ]
        case .request(let peer, let name, let text, let invited):
            request(peer, name: name, text: text, invited: invited)
        case .notice, .contacts, .typing, .active, .readHere, .forgotten, .invite, .setting, .indexNamed, .ladder,
            .reachability:
            nil
        }
    }

    /// The peer list.
    public static func peers(_ peers: [PeerSummary]) -> JSONObject {
        [
            "event": "peers",
            "peers": .array(
                peers.map { summary in
                    .object([
                        "peer": .string("\(summary.contact.peer)"),
                        "name": summary.contact.name.map { .string($0) } ?? .null,
                        "accepted": .bool(summary.contact.accepted), "blocked": .bool(summary.contact.blocked),
                        "verified": .bool(summary.contact.verified), "path": .string(summary.path.rawValue),
                        "waiting": .integer(Int64(summary.waiting)),
                    ])
                }),
        ]
    }

    /// Who this is, as `parley id --json` says it.
    public static func id(_ invite: Invite) -> JSONObject {
        [
            "event": "id", "uuid": .string("\(invite.peer)"), "invite": .string(invite.text),
            "key": .string(invite.key.hex), "digits": .string(invite.key.digits),
        ]
    }

    /// The answer to `why`, a member for each step in the order of the rungs.
    public static func why(_ peer: PeerID, _ path: PathKind, _ steps: [LadderStep]) -> JSONObject {
        [
            "event": "why", "peer": .string("\(peer)"), "path": .string(path.rawValue),
            "steps": .array(
                steps.map { step in
                    .object([
                        "rung": .string(step.rung.rawValue), "state": .string(step.state.rawValue),
                        "text": .string(step.text),
                    ])
                }),
        ]
    }

    /// One line of `parley log --json`.
    public static func logLine(_ message: Message) -> JSONObject {
        [
            "id": .string("\(message.id)"), "peer": .string("\(message.peer)"),
            "direction": .string(message.direction.rawValue), "text": .string(message.text),
            "created": time(message.created), "received": time(message.received),
            "state": .string(message.state.rawValue), "secure": .bool(message.secure),
        ]
    }

    private static func path(
        _ peer: PeerID, _ kind: PathKind, _ roundTrip: Span?, _ reason: Reason?
    ) -> JSONObject {
        var object: JSONObject = ["event": "path", "peer": .string("\(peer)"), "path": .string(kind.rawValue)]
        object["rtt_ms"] = roundTrip.map { .number(rounded($0)) }
        return withReason(reason, object)
    }

    private static func request(_ peer: PeerID, name: String?, text: String, invited: Bool) -> JSONObject {
        var object: JSONObject = ["event": "request", "peer": .string("\(peer)")]
        object["name"] = name.map { .string($0) }
        object["text"] = .string(text)
        object["invited"] = .bool(invited)
        return object
    }

    private static func index(_ server: String, _ status: IndexStatus) -> JSONObject? {
        var object: JSONObject = ["event": "index", "server": .string(server)]
        switch status {
        case .connecting: return nil
        case .ok(let roundTrip):
            object["state"] = "ok"
            object["rtt_ms"] = .number(rounded(roundTrip))
        case .sameServer(let name):
            object["state"] = "ok"
            object["rtt_ms"] = .null
            object["reason"] = .string("the same server as \(name)")
        case .unreachable(let reason):
            object["state"] = "unreachable"
            object["rtt_ms"] = .null
            object["reason"] = .string(reason)
        case .noIdentities:
            object["state"] = "ok"
            object["rtt_ms"] = .null
            object["reason"] = "it knows no identities"
        }
        return object
    }

    private static func line(for message: Message, name: String?) -> JSONObject {
        var object: JSONObject = [
            "event": "message", "from": .string("\(message.peer)"), "id": .string("\(message.id)"),
            "text": .string(message.text), "created": time(message.created), "received": time(message.received),
            "secure": .bool(message.secure),
        ]
        object["name"] = name.map { .string($0) }
        return object
    }

    private static func line(
        for id: MessageID, tag: String?, _ peer: PeerID, _ state: DeliveryState, _ reason: Reason?
    ) -> JSONObject {
        var object: JSONObject = ["event": "state", "id": .string("\(id)")]
        object["tag"] = tag.map { .string($0) }
        object["to"] = .string("\(peer)")
        object["state"] = .string(state.rawValue)
        return withReason(reason, object)
    }

    private static func withReason(_ reason: Reason?, _ object: JSONObject) -> JSONObject {
        guard let reason else { return object }
        var object = object
        object["reason"] = .string(reason.text)
        object["cause"] = .string(reason.cause.rawValue)
        return object
    }

    private static func time(_ time: WallTime?) -> JSONValue { time.map { .string($0.rfc3339) } ?? .null }

    /// Milliseconds with three decimals.
    private static func rounded(_ span: Span) -> Double { (span.milliseconds * 1000).rounded() / 1000 }
}
