// SPDX-License-Identifier: GPL-3.0-or-later

/// The name of a message for life: 128 random bits, written as a UUID. Messages of the seed's wire carry none and get
/// one where they arrive.
public struct MessageID: Hashable, Sendable, CustomStringConvertible {
    private let bits: PeerID

    /// Takes 128 random bits; version and variant are stamped over them (UUIDv4).
    public init(random high: UInt64, _ low: UInt64) { bits = PeerID(high: high, low: low).stamped(version: 4) }

    /// A new ID from a source of chance.
    public init(using generator: inout some RandomNumberGenerator) {
        self.init(random: generator.next(), generator.next())
    }

    /// Reads the canonical UUID form.
    public init?(_ text: some StringProtocol) {
        guard let bits = PeerID(text) else { return nil }
        self.bits = bits
    }

    /// Takes 16 octets in network order; `nil` for any other count.
    public init?(octets: some Collection<UInt8>) {
        guard let bits = PeerID(octets: octets) else { return nil }
        self.bits = bits
    }

    /// The 16 octets in network order.
    public var octets: [UInt8] { bits.octets }

    /// The canonical lower-case UUID form.
    public var description: String { bits.description }
}

/// Whether a message came or went.
public enum Direction: String, Sendable {
    case incoming = "in"
    case outgoing = "out"
}

/// What is known of an outgoing message; only ever moves down this list.
public enum DeliveryState: String, Sendable {
    /// Kept here, not yet on its way.
    case queued
    /// Left this machine. The last that the seed's wire can tell.
    case sent
    /// On the other side's disk.
    case delivered
    /// Seen by the other side's user.
    case read
    /// Given up, with a reason.
    case failed

    /// Whether a message goes from here to there: onwards only, and what arrived can't fail any more; but what failed
    /// may be tried again.
    public func mayBecome(_ next: DeliveryState) -> Bool {
        switch (self, next) {
        case (.failed, .queued): true
        case (.delivered, .failed), (.read, .failed): false
        default: next.step > step
        }
    }

    private var step: Int {
        switch self {
        case .queued: 0
        case .sent: 1
        case .delivered: 2
        case .read: 3
        case .failed: 4
        }
    }
}

/// One message of a conversation.
public struct Message: Equatable, Sendable {
    public var id: MessageID
    /// The other side of the conversation.
    public var peer: PeerID
    public var direction: Direction
    /// As written, unsanitised: clean it where it is shown.
    public var text: String
    /// When its author says it was written; `nil` when unknown. Never trusted for order.
    public var created: WallTime?
    /// When it arrived here; for an outgoing message, when it was written.
    public var received: WallTime
    public var state: DeliveryState
    /// Why it failed or waits, as one clause.
    public var reason: String?
    /// Whether it travelled authenticated and encrypted.
    public var secure: Bool
    /// Its author's count of messages to this reader, from 1: order and gaps. 0 on the seed's wire, which has none.
    public var counter: UInt64
    /// The word by which a script knows an outgoing message.
    public var tag: String?

    public init(
        id: MessageID, peer: PeerID, direction: Direction, text: String, created: WallTime?, received: WallTime,
        state: DeliveryState, reason: String? = nil, secure: Bool, counter: UInt64 = 0, tag: String? = nil
    ) {
        self.id = id
        self.peer = peer
        self.direction = direction
        self.text = text
        self.created = created
        self.received = received
        self.state = state
        self.reason = reason
        self.secure = secure
        self.counter = counter
        self.tag = tag
    }
}

/// How two peers are joined right now.
public enum PathKind: String, Sendable {
    case lan, direct, punched, relayed, plaintext, none
}
