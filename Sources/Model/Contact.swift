// SPDX-License-Identifier: GPL-3.0-or-later

/// A peer that the user knows, or that has written to the user.
public struct Contact: Equatable, Sendable {
    public let peer: PeerID
    /// The user's own name for the peer; `nil` until given. Never what the peer calls itself.
    public var name: String?
    /// What the peer calls itself, said inside a session. Unsanitised, proves nothing, and never replaces `name`.
    public var nickname: String?
    /// The 32 octets of the key that the peer is pinned to; `nil` until one was seen, and for peers without a key.
    public var key: [UInt8]?
    /// Whether the user wants its messages. A stranger's wait until then.
    public var accepted: Bool
    /// Whether everything from it is dropped.
    public var blocked: Bool
    /// Whether the user compared its key's digits.
    public var verified: Bool
    /// Whether a stranger proved our invite's secret, so that its request is shown at once.
    public var invited: Bool
    /// Whether the user lets this peer, which has no key, be talked to in the open.
    public var allowsPlaintext: Bool
    /// Whether the peer passes on for contacts of its own, as it said last.
    public var relays: Bool
    /// The secret of the peer's invite, to be proven to it until it has accepted us.
    public var inviteSecret: [UInt8]?
    /// Why nothing is sent to the peer any more, as one clause: its identity is in doubt.
    public var alarm: String?

    public init(
        peer: PeerID, name: String? = nil, nickname: String? = nil, key: [UInt8]? = nil, accepted: Bool,
        blocked: Bool = false, verified: Bool = false, invited: Bool = false, allowsPlaintext: Bool = false,
        relays: Bool = false, inviteSecret: [UInt8]? = nil, alarm: String? = nil
    ) {
        self.peer = peer
        self.name = name
        self.nickname = nickname
        self.key = key
        self.accepted = accepted
        self.blocked = blocked
        self.verified = verified
        self.invited = invited
        self.allowsPlaintext = allowsPlaintext
        self.relays = relays
        self.inviteSecret = inviteSecret
        self.alarm = alarm
    }

    /// The name, or the first digits of the ID.
    public var label: String { name ?? peer.shortDigits }
}
