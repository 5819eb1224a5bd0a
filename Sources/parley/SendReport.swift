// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model
import PeerEngine
import Queues
import Scripting
import Wire

/// What has become of one message, from the lines about it.
final class SendReport: Sendable {
    private struct Seen {
        var state: JSONObject?
        var cause: String?
        var reason: String?
    }

    private let seen = Lock(Seen())

    /// The last `state` line.
    var lastState: JSONObject? { seen.withLock { $0.state } }

    /// Takes a line; returns the verdict if it is one.
    func take(_ line: JSONObject, tag: String) -> Result<Status, ProgramFailure>? {
        switch line.string("event") {
        case "error" where line.string("tag") == tag:
            return .failure(refusal(line.string("message") ?? ""))
        case "path":
            seen.withLock { ($0.cause, $0.reason) = (line.string("cause"), line.string("reason")) }
            return nil
        case "state" where line.string("tag") == tag:
            seen.withLock { $0.state = line }
            switch line.string("state") {
            // Nothing further can be known of a message to a peer without a key.
            case "sent" where line.string("to").flatMap({ PeerID($0) })?.isKeyed == false: return .success(.ok)
            case "delivered", "read": return .success(.ok)
            case "failed": return .failure(failure(line.string("cause"), line.string("reason") ?? "no reason given"))
            default: return nil
            }
        default: return nil
        }
    }

    /// The end of the time that the user gave.
    func late(_ wait: Duration) -> ProgramFailure {
        let (cause, reason) = seen.withLock { ($0.cause, $0.reason) }
        let why = reason ?? "the other side has not said that it has it"
        let sentence = "Not delivered within \(wait.shown): \(why). The message is kept and goes out when parley runs."
        return ProgramFailure(cause == nil ? .notDelivered : status(cause), sentence)
    }

    private func failure(_ cause: String?, _ reason: String) -> ProgramFailure {
        ProgramFailure(status(cause), "The message was not sent: \(reason).")
    }

    private func status(_ cause: String?) -> Status {
        switch cause.flatMap(Reason.Cause.init(rawValue:)) {
        case .unknownPeer: .noSuchPeer
        case .noAnswer: .indexUnreachable
        case .user, .refused, .alarm: .refused
        case .unreachable: .notDelivered
        case .network, .disk, nil: .failure
        }
    }

    private func refusal(_ message: String) -> ProgramFailure {
        ProgramFailure(message.contains("is no UUID and no contact") ? .noSuchPeer : .refused, message)
    }
}
