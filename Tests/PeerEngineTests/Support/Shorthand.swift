// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Traversal

extension SessionCommand {
    /// A dial to addresses of which nothing else is known.
    static func dial(_ id: SessionID, key: PeerKey, at endpoints: [Endpoint]) -> SessionCommand {
        let candidates = endpoints.map { RemoteCandidate(.direct($0), .reflexive) }
        return .dial(id, key: key, DialPlan(candidates, reference: id.number))
    }
}

extension SessionEvent {
    static func up(_ id: SessionID, key: PeerKey, at endpoint: Endpoint, binding: [UInt8]) -> SessionEvent {
        .up(id, key: key, at: .direct(endpoint), binding: binding)
    }
}
