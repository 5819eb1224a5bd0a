// SPDX-License-Identifier: GPL-3.0-or-later

/// A peer that the user knows, or that has written to the user.
public struct Contact: Equatable, Sendable {
    public let peer: PeerID
    /// The user's own name for the peer; `nil` until given. Never what the peer calls itself.
    public var name: String?
    /// Whether the user wants its messages. A stranger's wait until then.
    public var accepted: Bool
    /// Whether everything from it is dropped.
    public var blocked: Bool
    /// Whether the user compared its key's digits.
    public var verified: Bool

    public init(peer: PeerID, name: String? = nil, accepted: Bool, blocked: Bool = false, verified: Bool = false) {
        self.peer = peer
        self.name = name
        self.accepted = accepted
        self.blocked = blocked
        self.verified = verified
    }

    /// The name, or the first digits of the ID.
    public var label: String { name ?? peer.shortDigits }
}
