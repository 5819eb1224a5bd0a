// SPDX-License-Identifier: GPL-3.0-or-later

/// What is known of an index server.
public enum IndexStatus: Equatable, Sendable {
    /// Not heard from yet.
    case connecting
    /// Registered there; the round trip of the last exchange.
    case ok(Span)
    /// It is the server that has us registered by this other name, and answers.
    case sameServer(as: String)
    /// No answer, or an answer that is none; the reason is one clause.
    case unreachable(String)
    /// It answers as the seed does: it knows no identities and gave us a name of its own.
    case noIdentities(assigned: PeerID)

    /// Whether it has our identity registered, by this name or another.
    public var isWorking: Bool {
        switch self {
        case .ok, .sameServer: true
        case .connecting, .unreachable, .noIdentities: false
        }
    }
}
