// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model

/// What a client is told at its start.
public struct ClientConfiguration: Sendable {
    public var identity: Identity
    /// Where the user says that peers may write; what an index server sees takes its place.
    public var address: Endpoint
    /// Whether peers without a key may be talked to.
    public var allowsPlaintextPeers: Bool
    /// What the last run left behind.
    public var saved: SavedState
    /// What the user calls itself; told to contacts only.
    public var name: String?
    /// The index servers that an invite names, four at most.
    public var indexes: [Invite.IndexHint]
    /// Whether index servers will be named; without any, a peer that is not in the address book is given up at once.
    public var hasIndex: Bool
    /// Whether peers are spoken to through relays alone, so that none of them learns our address.
    public var relayOnly: Bool
    public var random: RandomSource

    public init(
        identity: Identity, address: Endpoint, allowsPlaintextPeers: Bool = false, saved: SavedState = SavedState(),
        name: String? = nil, indexes: [Invite.IndexHint] = [], hasIndex: Bool = true, relayOnly: Bool = false,
        random: RandomSource = .system
    ) {
        self.identity = identity
        self.address = address
        self.allowsPlaintextPeers = allowsPlaintextPeers
        self.saved = saved
        self.name = name
        self.indexes = indexes
        self.hasIndex = hasIndex
        self.relayOnly = relayOnly
        self.random = random
    }
}
