// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

extension SessionFrame {
    /// Words between two contacts and a third that passes on for them, in the session of each with it.
    public enum Relay: Equatable, Sendable {
        /// The sender can't reach this peer, and asks the receiver to pass on.
        case wanted(to: PeerID)
        /// The sender passes on to this peer what comes in this channel.
        case opened(to: PeerID, RelayChannel)
        /// It does not, for a reason of one clause.
        case refused(to: PeerID, reason: String)
        /// This peer asked for the receiver; what it sends comes in this channel, and so may what is for it.
        case offered(from: PeerID, RelayChannel)
    }
}

extension SessionFrame.Relay {
    var object: JSONObject {
        var object: JSONObject = ["type": "relay"]
        switch self {
        case .wanted(let peer): object["to"] = .string("\(peer)")
        case .opened(let peer, let channel):
            object["to"] = .string("\(peer)")
            object["channel"] = .string(channel.text)
        case .refused(let peer, let reason):
            object["to"] = .string("\(peer)")
            object["reason"] = .string(clipped(reason))
        case .offered(let peer, let channel):
            object["from"] = .string("\(peer)")
            object["channel"] = .string(channel.text)
        }
        return object
    }

    init(_ object: JSONObject) throws(WireError) {
        func peer(_ name: String) throws(WireError) -> PeerID {
            guard let peer = object.string(name).flatMap({ PeerID($0) }) else { throw .badMember(name) }
            return peer
        }
        func channel() throws(WireError) -> RelayChannel {
            guard let channel = object.string("channel").flatMap({ RelayChannel(text: $0) }) else {
                throw .badMember("channel")
            }
            return channel
        }
        if object["from"] != nil {
            self = .offered(from: try peer("from"), try channel())
        } else if object["channel"] != nil {
            self = .opened(to: try peer("to"), try channel())
        } else if let reason = object.string("reason") {
            self = .refused(to: try peer("to"), reason: clipped(reason))
        } else {
            self = .wanted(to: try peer("to"))
        }
    }
}
