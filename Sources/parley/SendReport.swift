// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
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
            case "sent", "delivered", "read": return .success(.ok)
            case "failed": return .failure(failure(line.string("cause"), line.string("reason") ?? "no reason given"))
            default: return nil
            }
        default: return nil
        }
    }

    /// The end of the time that the user gave.
    func late(_ wait: Duration) -> ProgramFailure {
        let (cause, reason) = seen.withLock { ($0.cause, $0.reason) }
        let why = reason ?? "it still waits"
        return cause == nil
            ? ProgramFailure(.notDelivered, "The message did not leave within \(wait): \(why).") : failure(cause, why)
    }

    private func failure(_ cause: String?, _ reason: String) -> ProgramFailure {
        let status: Status =
            switch cause.flatMap(Reason.Cause.init(rawValue:)) {
            case .unknownPeer: .noSuchPeer
            case .noAnswer: .indexUnreachable
            case .user, .refused, .alarm: .refused
            case .unreachable: .notDelivered
            case .network, .disk, nil: .failure
            }
        return ProgramFailure(status, "The message was not sent: \(reason).")
    }

    private func refusal(_ message: String) -> ProgramFailure {
        ProgramFailure(message.contains("is no UUID and no contact") ? .noSuchPeer : .refused, message)
    }
}
