// SPDX-License-Identifier: GPL-3.0-or-later
internal import DequeModule
internal import Identity
internal import Model

/// What is going on with one peer that has a key.
struct Conversation {
    /// Delivered messages whose being read is still to be told, at most.
    static let unreadLimit = 10_000

    var link: PeerLink
    var outbox = Outbox()
    /// The key that it proved or that a record names.
    var key: PeerKey?
    /// The newest record of it in this run.
    var record: PeerRecord?
    /// What came of the last lookup.
    var search = Ladder.Search.notAsked
    /// Why nobody knew where it is, until somebody does.
    var notFound: Reason?
    /// Addresses told inside the session that counts.
    var exchange = CandidateExchange()

    // MARK: Being contacts

    /// Whether the peer has accepted us, as far as it said.
    var acceptsUs = false
    /// Whether a contact request is still to be made.
    var introduces = false

    // MARK: Receipts

    /// Messages whose receipt is to be sent.
    var receipts: [MessageID] = []

    // MARK: Reading

    /// The highest counter that the user saw, and the highest that the peer was told on this session.
    var seen: UInt64 = 0
    var toldSeen: UInt64 = 0
    /// Up to where the peer's user saw.
    var readByPeer: UInt64 = 0
    /// Delivered in this run and not yet read; without their texts, since a reader may never say so.
    private var unread: Deque<Message> = []

    // MARK: Signs of life

    /// Until when the peer counts as writing.
    var typingUntil: Instant?
    var isActive = false
    /// What we last said about writing, and when.
    var saidTyping: (on: Bool, at: Instant)?
    /// How fast a stranger may send frames.
    var pace = Pacer.stranger

    // MARK: Relays

    /// Whether the peer said last that it passes on.
    var relays = false
    /// How fast a contact may ask us to pass on, and tell us of others who asked it.
    var askPace = Pacer(rate: 1, burst: 4)
    var offerPace = Pacer(rate: 2, burst: 16)

    init(me: PeerID, peer: PeerID) { link = PeerLink(isLower: me < peer) }

    /// The session that we sent on is gone, and with it perhaps what was said last.
    mutating func sessionLost() {
        outbox.sessionLost()
        saidTyping = nil
        toldSeen = 0
    }

    mutating func noteDelivered(_ message: Message) {
        if unread.count >= Conversation.unreadLimit { unread.removeFirst() }
        var message = message
        message.text = ""
        unread.append(message)
    }

    /// The delivered messages that are read by now.
    mutating func takeRead(upTo counter: UInt64) -> [Message] {
        let read = Array(unread.filter { $0.counter <= counter })
        if !read.isEmpty { unread.removeAll { $0.counter <= counter } }
        return read
    }
}
