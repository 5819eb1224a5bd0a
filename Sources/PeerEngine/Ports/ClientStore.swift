// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// One thing that is on disk before anything is built on it.
public enum StoreChange: Equatable, Sendable {
    /// A new outgoing message: history and outbox.
    case queue(Message)
    /// A message that came. Takes effect unless one with this ID came from this peer before, forgotten ones included.
    case receive(Message)
    /// What became of an outgoing message.
    case advance(MessageID, of: PeerID, DeliveryState, reason: String?)
    /// Takes the text of one message away; its ID stays known, so that it can't come again.
    case erase(MessageID, of: PeerID)
    /// Takes the texts of a whole conversation away; outgoing messages that wait are given up with them.
    case forget(PeerID)
    /// Adds a contact or stranger, or replaces what is known of it.
    case contact(Contact)
    /// Removes a contact and the texts of its conversation.
    case remove(PeerID)
    /// The user saw everything up to this message.
    case read(PeerID, upTo: MessageID)
    /// The peer saw everything of ours up to this counter.
    case readByPeer(PeerID, upTo: UInt64)
    case draft(PeerID, String)
    /// Where a peer was last reached and the newest record of it.
    case address(PeerID, SavedAddress)
    /// The next record must carry a larger one.
    case sequence(UInt64)
    case port(UInt16)
    /// The 16 octets that our invite carries from now on.
    case inviteSecret([UInt8])
    case setting(ChatSetting, Bool)
    /// An index server that an invite named, as `HOST:PORT[#KEY]`: where its giver can be found.
    case index(String)
}

/// Where a peer was last reached.
public struct SavedAddress: Equatable, Sendable {
    public var endpoint: Endpoint?
    /// Of the newest record seen; an older one is refused. 0 for none.
    public var sequence: UInt64
    public init(endpoint: Endpoint?, sequence: UInt64) {
        self.endpoint = endpoint
        self.sequence = sequence
    }
}

/// Everything that the engine needs from the last run.
public struct SavedState: Equatable, Sendable {
    /// Contacts and strangers in the order in which they came.
    public var contacts: [Contact] = []
    /// Outgoing messages without receipt (with keys) or that have not left (without), per peer by counter.
    public var outbox: [Message] = []
    /// The newest outgoing messages that failed, oldest first: they can be tried again.
    public var failed: [Message] = []
    /// Counters of the newest incoming messages that the user has not seen, for telling their authors.
    public var unseen: [MessageID: UInt64] = [:]
    /// Messages of strangers, oldest first.
    public var held: [Message] = []
    /// The last counter given to an outgoing message, per peer.
    public var counters: [PeerID: UInt64] = [:]
    public var addresses: [PeerID: SavedAddress] = [:]
    public var sequence: UInt64 = 0
    public var port: UInt16?
    public var inviteSecret: [UInt8]?
    /// Those that are off.
    public var switchedOff = ChatSetting.offAtFirst
    /// Index servers that invites named, in the order in which they came.
    public var indexes: [String] = []

    public init() {}
}

/// Why changes are not on disk: one sentence that says what happened and what to do.
public struct StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    /// Whether trying again later may help, as with a full disk.
    public let mayPass: Bool
    public init(_ description: String, mayPass: Bool) {
        self.description = description
        self.mayPass = mayPass
    }
}

/// The storage seam: a database, or memory in a test.
public protocol ClientStore: Sendable {
    /// Makes changes durable in their order, all or none: when it returns they survive a power cut.
    /// - Returns: for each change whether it had an effect; false for a message that came before.
    func commit(_ changes: [StoreChange]) async throws(StoreError) -> [Bool]
}
