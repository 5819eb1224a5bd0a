// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import Wire

/// Every decision of a peer, without sockets, locks and clocks: commands, datagrams, news of sessions, disk and
/// network, and time go in; actions come out.
///
/// This file holds the state and the ways in; the rest is in the extensions: commands, contacts, messages out and in,
/// and what the disk confirmed; sessions, paths and calls; servers, lookups, relays and this machine's own network; and
/// peers without a key.
public struct ClientMachine: Sendable {
    /// What the machine wants done, in order.
    public enum Action: Equatable, Sendable {
        /// Hand a datagram to the network; nobody waits for it.
        case send(Datagram)
        /// The same, past any tunnel.
        case sendByUDP(Datagram)
        /// Hand these messages to the network and tell `transmitted` what became of them.
        case transmit(Transmission)
        case session(SessionCommand)
        case tunnel(TunnelCommand)
        /// Make this durable, after everything before it, and say so to `committed`.
        case commit(StoreChange)
        case tell(ClientEvent)
    }

    /// Messages of one peer without a key that may leave now.
    public struct Transmission: Equatable, Sendable {
        public let peer: PeerID
        public let endpoint: Endpoint
        let messages: [Message]
        /// The messages on the wire.
        public let datagrams: [Datagram]
    }

    /// Own peer ID.
    public var me: PeerID { configuration.identity.peer }

    /// Index servers that invites may name in all.
    static let indexLimit = 16

    let configuration: ClientConfiguration
    /// Of this run: it tells the other side whether its session is with the same one.
    let instance: UInt64

    // The turn: when it is, and what comes of it.
    var random: RandomSource
    private(set) var now = Instant(nanoseconds: 0)
    private(set) var wall = WallTime(milliseconds: 0)
    private var actions: [Action] = []
    private var isStarted = false
    /// Bytes that sessions may bring again, at the end of this turn.
    var digested: [SessionID: Int] = [:]

    // Index servers, and what was told of them.
    var servers: [Server] = []
    /// Those that invites named.
    var indexes: [String]
    /// Of the last record that was signed.
    var sequence: UInt64
    /// What was last told of each server's name.
    var toldStatuses: [String: IndexStatus] = [:]
    /// Pairs of servers of which was told that one copies the other.
    var toldCopies: Set<[String]> = []

    // Finding peers: where they are, and who is asked or called.
    var book = AddressBook()
    var lookups: [PeerID: Lookup] = [:]
    var calls = CallSheet()
    /// How fast servers may tell us of calls.
    var callPace = Pacer(rate: 20, burst: 20)

    // Relays: servers', and what contacts pass on for us, and we for them.
    var toldRelays: Set<Endpoint> = []
    var desk = RelayDesk()
    var errands = RelayErrands()
    /// Contacts that pass on, as they said in this run.
    var relaying: Set<PeerID> = []

    // Who may talk to us.
    /// Contacts and strangers.
    public internal(set) var contacts: ContactBook
    /// Strangers whose requests the user dropped: who asks every few seconds would be back at once, so they are not
    /// listed again in this run.
    var ignored: Set<PeerID> = []
    /// The most of them remembered; past it, one of the others may ask again.
    static let ignoredLimit = 1_000
    var inviteSecret: [UInt8]

    // Talking: with each peer, on which session, by which way.
    var conversations: [PeerID: Conversation] = [:]
    /// What waits for peers without a key.
    var lanes: [PeerID: Lane] = [:]
    var owners: [SessionID: PeerID] = [:]
    var lastSession: UInt64 = 0
    var paths: [PeerID: PathNote] = [:]

    // Messages: their numbers, and what is not on disk yet.
    /// Counters of outgoing messages.
    var counters: [PeerID: UInt64]
    /// Counters of the messages that came and were not seen.
    var incoming = Remembered<UInt64>(limit: 20_000)
    /// Failed messages, to be tried again.
    var given = Remembered<Message>(limit: 1000)
    var journal = Journal()
    /// Strangers whose requests are on disk, and will be told in a moment.
    var requested: [PeerID] = []

    // The user: what it set, and what it looks at.
    var switchedOff: Set<ChatSetting>
    /// The conversation on the screen.
    var opened: PeerID?
    var isUserActive = false
    var watched: Watch?

    // This machine's network, and how others see it.
    var reachability = Reachability()
    var toldReachability = Reachability()
    var knowsAddresses = false
    /// Where contacts see us with whom there is a session.
    var observed: [PeerID: Endpoint] = [:]
    /// When servers were last asked out of turn whether they have us registered.
    var verifiedAt: Instant?
    /// When they are to be asked again.
    var verifyAt: Instant?

    // What was not taken.
    var dropped: [DropReason: Int] = [:]

    public init(_ configuration: ClientConfiguration) {
        self.configuration = configuration
        let saved = configuration.saved
        var random = configuration.random
        instance = random.next()
        inviteSecret = saved.inviteSecret ?? random.octets(16)
        self.random = random
        sequence = saved.sequence
        counters = saved.counters
        switchedOff = saved.switchedOff
        indexes = saved.indexes
        for message in saved.failed { given.remember(message, of: message.id) }
        for (id, counter) in saved.unseen { incoming.remember(counter, of: id) }
        contacts = ContactBook(saved.contacts, held: saved.held)
        for (peer, address) in saved.addresses where peer.isKeyed { book.restore(peer, address) }
        restore(saved.outbox)
        for contact in saved.contacts where contact.accepted && contact.peer.isKeyed {
            // Whoever has never been met, or has not let us in yet, is still to be asked.
            if contact.key == nil || contact.inviteSecret != nil {
                conversation(contact.peer) { $0.introduces = true }
            }
        }
    }

    /// The invite to give away now.
    public var invite: Invite {
        Invite(key: configuration.identity.key, secret: inviteSecret, indexes: Array(configuration.indexes.prefix(4)))
    }

    /// Every contact with its path and what waits for it.
    public var peers: [PeerSummary] {
        contacts.all.map { contact in
            PeerSummary(
                contact: contact, path: paths[contact.peer]?.kind ?? .none,
                waiting: conversations[contact.peer]?.outbox.count ?? lanes[contact.peer]?.items.count ?? 0)
        }
    }

    // MARK: Ways in

    /// Registers at a server from now on; not at one that an invite named while we hide.
    /// - Parameters:
    ///   - name: as the user wrote it.
    ///   - key: what the server has to prove; `nil` to take whoever answers.
    ///   - place: its place among those that the user named, from 0; `nil` for one that an invite named.
    public mutating func addIndex(
        _ name: String, at server: Endpoint, key: PeerKey? = nil, place: Int?, now: Instant
    ) {
        let origin = place == nil ? Origin.invite : .user
        guard origin == .user || !configuration.relayOnly else { return }
        if let lesser = servers.firstIndex(where: { $0.link.server == server && $0.origin < origin }) {
            let former = servers.remove(at: lesser)
            release(server)
            if former.guest == nil, former.name != name { tell(.index(server: former.name, .sameServer(as: name))) }
        }
        if let other = servers.first(where: { $0.link.server == server }) {
            if other.name != name { tell(.index(server: name, .sameServer(as: other.name))) }
            return
        }
        let link = IndexLink(
            server: server, name: name, pinned: key, identity: configuration.identity,
            address: configuration.address, now: now, random: random.split())
        servers.append(Server(name: name, key: key, place: place, link: link))
        servers[servers.count - 1].link.publish(publication(without: server), now: now)
    }

    /// Takes what the network brought.
    public mutating func receive(_ event: DatagramEvent, now: Instant, wall: WallTime) -> [Action] {
        act(now, wall) { $0.receive(event) }
    }

    /// Takes what happened to a session.
    public mutating func receive(_ event: SessionEvent, now: Instant, wall: WallTime) -> [Action] {
        act(now, wall) { $0.receive(event) }
    }

    /// Takes what happened to this machine's network.
    public mutating func receive(_ event: NetworkEvent, now: Instant, wall: WallTime) -> [Action] {
        act(now, wall) { $0.receive(event) }
    }

    /// Takes what happened to a tunnel.
    public mutating func receive(_ event: TunnelEvent, now: Instant, wall: WallTime) -> [Action] {
        act(now, wall) { $0.receive(event) }
    }

    /// Does what a command says.
    public mutating func perform(
        _ command: ClientCommand, now: Instant, wall: WallTime
    ) throws(CommandError) -> [Action] {
        try act(now, wall) { machine throws(CommandError) in try machine.perform(command) }
    }

    /// Takes the network's word on a transmission.
    public mutating func transmitted(
        _ transmission: Transmission, _ result: SendResult, now: Instant, wall: WallTime
    ) -> [Action] {
        act(now, wall) { $0.transmitted(transmission, result) }
    }

    /// The first changes that were to be committed are durable.
    /// - Parameter effects: whether each had an effect, in their order.
    public mutating func committed(_ effects: [Bool], now: Instant, wall: WallTime) -> [Action] {
        act(now, wall) { $0.committed(effects) }
    }

    /// Changes could not be made durable; if that may pass they will be tried again, else nothing more is saved.
    public mutating func commitFailed(_ error: StoreError, now: Instant, wall: WallTime) -> [Action] {
        act(now, wall) { $0.commitFailed(error) }
    }

    /// Does what is due.
    public mutating func advance(now: Instant, wall: WallTime) -> [Action] {
        act(now, wall) { $0.advance() }
    }

    /// Changes that are not on disk yet.
    public var unsaved: Int { journal.count }

    private mutating func act<Failure: Error>(
        _ now: Instant, _ wall: WallTime, _ body: (inout ClientMachine) throws(Failure) -> Void
    ) throws(Failure) -> [Action] {
        (self.now, self.wall) = (now, wall)
        if !isStarted {
            isStarted = true
            start()
        }
        // A command that is refused has done nothing; what the start led to waits for the next turn then.
        try body(&self)
        for (session, bytes) in digested.sorted(by: { $0.key.number < $1.key.number }) {
            order(.consumed(session, bytes: bytes))
        }
        digested = [:]
        tellRelays()
        tellLadder()
        defer { actions = [] }
        return actions
    }

    // MARK: Ways out

    mutating func put(_ action: Action) { actions.append(action) }
    mutating func tell(_ event: ClientEvent) { actions.append(.tell(event)) }
    mutating func order(_ command: SessionCommand) { actions.append(.session(command)) }

    mutating func commit(_ change: StoreChange, then consequence: Journal.Consequence = .none) {
        guard !journal.isBroken else { return }
        journal.append(consequence)
        actions.append(.commit(change))
    }

    mutating func conversation<Result>(_ peer: PeerID, _ change: (inout Conversation) -> Result) -> Result {
        let me = me
        return change(&conversations[peer, default: Conversation(me: me, peer: peer)])
    }

    // MARK: Time

    private mutating func start() {
        if configuration.saved.inviteSecret == nil { commit(.inviteSecret(inviteSecret)) }
        let port = configuration.address.port
        if configuration.saved.port != port { commit(.port(port)) }
        giveUpForbidden()
        tellOfUnaskedInvites()
        if configuration.relayOnly { order(.hide(true)) }
    }

    private mutating func advance() {
        dropGuests()
        advanceVerification()
        let isTunnelled = servers.contains(where: \.link.isTunnelled)
        let isWanted = isTunnelled && conversations.contains { self.isWanted($0.key) || $0.value.link.current != nil }
        for index in servers.indices where servers[index].standby == nil {
            servers[index].link.isWanted = isWanted
            let due = servers[index].link.advance(now: now, wall: wall, sequence: &sequence)
            perform(due, at: index)
        }
        advanceStandbys()
        for datagram in calls.advance(now: now) { put(.send(datagram)) }
        advanceDesk()
        for peer in lookups.keys.sorted() { advanceLookup(of: peer) }
        for peer in lanes.keys.sorted() { drain(peer) }
        for peer in conversations.keys.sorted() { advanceConversation(with: peer) }
    }

    /// When `advance` has something to do; `nil` while nothing is under way.
    public func deadline(now: Instant) -> Instant? {
        guard isStarted else { return now }
        var earliest: Instant?
        func consider(_ instant: Instant?) {
            if let instant { earliest = min(earliest ?? instant, instant) }
        }
        servers.forEach { consider($0.deadline) }
        consider(guestDeadline)
        consider(verifyAt)
        consider(calls.deadline)
        consider(desk.deadline)
        consider(watched?.deadline)
        lookups.values.forEach { consider($0.deadline) }
        for (peer, lane) in lanes where !waitsForLookup(peer, now: now) { consider(lane.next) }
        conversations.keys.forEach { consider(deadline(of: $0)) }
        return earliest
    }
}

/// The last thing that was told about how a peer is reached.
struct PathNote: Equatable, Sendable {
    var kind: PathKind
    var roundTrip: Span?
    /// What tells one reason from another.
    var cause: String?
    /// Seconds to the next try when it was told.
    var pause: UInt64?
}

/// Why something that came is not taken: counted, and told the first time.
enum DropReason: Hashable {
    case malformed, notForUs, ownName, plaintextPeer, keyedInTheOpen, tooManyStrangers, diskIsBusy
    case badFrame, unknownFrame, unsolicited, badCall, tooManyCalls
}
