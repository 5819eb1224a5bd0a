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
    public var contacts: [Contact]
    /// Whether index servers will be named; without any, a peer that is not in the address book is given up at once.
    public var hasIndex: Bool
    /// The sequence of the last record that this identity signed.
    public var lastSequence: UInt64
    public var random: RandomSource

    public init(
        identity: Identity, address: Endpoint, allowsPlaintextPeers: Bool = false, contacts: [Contact] = [],
        hasIndex: Bool = true, lastSequence: UInt64 = 0, random: RandomSource = .system
    ) {
        self.identity = identity
        self.address = address
        self.allowsPlaintextPeers = allowsPlaintextPeers
        self.contacts = contacts
        self.hasIndex = hasIndex
        self.lastSequence = lastSequence
        self.random = random
    }
}
