// SPDX-License-Identifier: GPL-3.0-or-later
internal import DequeModule
internal import Model

/// Changes on their way to disk, in order, and what each leads to once it is there.
struct Journal {
    enum Consequence {
        /// Nothing is built on it.
        case none
        case tell(ClientEvent)
        /// An outgoing message may be told and may leave.
        case queued(Message, isNew: Bool)
        /// A message came, by a session or in the open; so many bytes of the session's window are free again.
        case received(Message, by: SessionID?, bytes: Int)
        /// The contact list is to be told.
        case contacts
        /// What was held of a stranger is to be told.
        case accepted(PeerID)
        /// A stranger's request is to be told.
        case requested(PeerID)
        /// The user saw everything up to a message; its counter, if it is known.
        case seen(PeerID, MessageID, counter: UInt64?)
        /// The peer saw everything up to a counter.
        case readByPeer(PeerID, UInt64)
        /// A message has its receipt.
        case delivered(Message)
        /// A contact is gone, and the messages that waited for it with it.
        case removed(PeerID, [Message])
        /// A conversation's texts are gone, and the messages that waited with them.
        case forgotten(PeerID, [Message])
    }

    private var pending: Deque<Consequence> = []

    /// Bytes of the messages among them that sessions brought.
    private(set) var receivedBytes = 0
    /// Changes that are not on disk yet.
    var count: Int { pending.count }
    /// What the disk said the last time; `nil` while it works.
    private(set) var trouble: String?
    /// Whether nothing more will be saved in this run.
    private(set) var isBroken = false

    mutating func append(_ consequence: Consequence) {
        pending.append(consequence)
        if case .received(_, _, let bytes) = consequence { receivedBytes += bytes }
    }

    mutating func popFirst() -> Consequence? {
        let first = pending.popFirst()
        if case .received(_, _, let bytes)? = first { receivedBytes -= bytes }
        return first
    }

    /// The disk refused.
    /// - Returns: whether that is news.
    mutating func failed(_ error: StoreError) -> Bool {
        defer { trouble = error.description }
        if !error.mayPass {
            isBroken = true
            (pending, receivedBytes) = ([], 0)
        }
        return trouble == nil || isBroken
    }

    /// The disk took changes.
    /// - Returns: whether it had refused before.
    mutating func worked() -> Bool {
        defer { trouble = nil }
        return trouble != nil
    }
}
