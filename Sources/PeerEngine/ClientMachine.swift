// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import Wire

/// What a client is told at its start.
public struct ClientConfiguration: Sendable {
    public var identity: Identity
    /// Where the user says that peers may write; what an index server sees takes its place.
    public var address: Endpoint
    /// Whether peers without a key may be talked to.
    public var allowsPlaintextPeers: Bool
    public var contacts: [Contact]
    /// The sequence of the last record that this identity signed.
    public var lastSequence: UInt64
    public var random: RandomSource

    public init(
        identity: Identity, address: Endpoint, allowsPlaintextPeers: Bool = false, contacts: [Contact] = [],
        lastSequence: UInt64 = 0, random: RandomSource = .system
    ) {
        self.identity = identity
        self.address = address
        self.allowsPlaintextPeers = allowsPlaintextPeers
        self.contacts = contacts
        self.lastSequence = lastSequence
        self.random = random
    }
}

/// Every decision of the seed's `Client`, without its sockets, locks and clocks: commands, datagrams and time in, actions
/// out.
public struct ClientMachine: Sendable {
    /// What the machine wants done.
    public enum Action: Equatable, Sendable {
        /// Hand a datagram to the network; nobody waits for it.
        case send(Datagram)
        /// Hand these messages to the network and tell `transmitted` what became of them.
        case transmit(Transmission)
        case tell(ClientEvent)
        /// Keep the contact list.
        case saveContacts([Contact])
        /// Keep this: the next record must carry a larger one.
        case saveSequence(UInt64)
    }

    /// Messages of one peer that may leave now.
    public struct Transmission: Equatable, Sendable {
        public let peer: PeerID
        public let endpoint: Endpoint
        let items: [Lane.Item]
        /// The messages as datagrams.
        public var datagrams: [Datagram] { items.map { Datagram($0.bytes, endpoint) } }
    }

    /// Own peer ID.
    public var me: PeerID { configuration.identity.peer }

    private let configuration: ClientConfiguration
    private var random: RandomSource
    private var links: [(name: String, link: IndexLink)] = []
    private var book = AddressBook()
    private var lookups: [PeerID: Lookup] = [:]
    private var lanes: [PeerID: Lane] = [:]
    private var paths: [PeerID: PathKind] = [:]
    /// Lookups that ended without an address, with whether a server said that it does not know the peer.
    private(set) public var unknownPeers: Set<PeerID> = []
    /// Contacts and strangers.
    public private(set) var contacts: ContactBook
    /// The messages of this run.
    public private(set) var log = RunLog()
    private var dropped: [DropReason: Int] = [:]

    public init(_ configuration: ClientConfiguration) {
        self.configuration = configuration
        random = configuration.random
        contacts = ContactBook(configuration.contacts)
    }

    // MARK: Index servers

    /// Registers at a server from now on.
    /// - Parameter name: as the user wrote it.
    public mutating func addIndex(_ name: String, at server: Endpoint, now: Instant) {
        guard !links.contains(where: { $0.link.server == server }) else { return }
        let link = IndexLink(
            server: server, identity: configuration.identity, address: configuration.address,
            lastSequence: configuration.lastSequence, now: now, random: random.split())
        links.append((name, link))
    }

    // MARK: Time

    /// When `advance` has something to do; `nil` while nothing is under way.
    public func deadline(now: Instant) -> Instant? {
        var earliest: Instant?
        func consider(_ instant: Instant?) {
            if let instant { earliest = min(earliest ?? instant, instant) }
        }
        links.forEach { consider($0.link.deadline) }
        lookups.values.forEach { consider($0.deadline) }
        for (peer, lane) in lanes where lookups[peer] == nil { consider(lane.next(now: now)) }
        return earliest
    }

    /// Does what is due.
    public mutating func advance(now: Instant, wall: WallTime) -> [Action] {
        var actions: [Action] = []
        for index in links.indices {
            actions += linkActions(links[index].link.advance(now: now, wall: wall), at: index)
        }
        for peer in Array(lookups.keys) {
            guard let (send, outcome) = lookups[peer]?.advance(now: now) else { continue }
            actions += send.map { .send($0) }
            if let outcome { actions += finishLookup(of: peer, outcome, now: now) }
        }
        for peer in Array(lanes.keys) where lookups[peer] == nil { actions += drain(peer, now: now) }
        return actions
    }

    // MARK: Network

    /// Takes what the network brought.
    public mutating func receive(_ event: DatagramEvent, now: Instant, wall: WallTime) -> [Action] {
        switch event {
        case .received(let datagram): receive(datagram, now: now, wall: wall)
        case .unreachable(let endpoint): unreachable(endpoint, now: now)
        }
    }

    private mutating func receive(_ datagram: Datagram, now: Instant, wall: WallTime) -> [Action] {
        if let index = links.firstIndex(where: { $0.link.server == datagram.endpoint }),
            let (reply, nonce) = try? IndexReply.parse(datagram.bytes)
        {
            return receive(reply, nonce, at: index, now: now, wall: wall)
        }
        do throws(WireError) {
            let message = try PeerMessage(JSONObject(parsing: datagram.bytes))
            return receive(message, from: datagram.endpoint, now: now, wall: wall)
        } catch {
            return drop(.malformed, "a datagram from \(datagram.endpoint) that is no message: \(error)")
        }
    }

    private mutating func receive(
        _ reply: IndexReply, _ nonce: String?, at index: Int, now: Instant, wall: WallTime
    ) -> [Action] {
        guard case .answer(let address, let text, let record) = reply else {
            return linkActions(links[index].link.receive(reply, nonce: nonce, now: now, wall: wall), at: index)
        }
        let server = links[index].link.server
        guard let peer = PeerID(text),
            let outcome = lookups[peer]?.receive(
                address: address, record: record, nonce: nonce, from: server, wall: wall)
        else { return [] }
        return finishLookup(of: peer, outcome, now: now)
    }

    private mutating func unreachable(_ endpoint: Endpoint, now: Instant) -> [Action] {
        if let index = links.firstIndex(where: { $0.link.server == endpoint }) {
            return linkActions(links[index].link.unreachable(now: now), at: index)
        }
        return book.doubt(endpoint).flatMap { peer in
            startLookup(peer, now: now)
            let reason = "nobody reads at \(endpoint) any more, so the last message may be lost; looking it up again"
            return setPath(peer, .none, reason: reason)
        }
    }

    private mutating func linkActions(_ actions: [IndexLink.Action], at index: Int) -> [Action] {
        actions.map { action in
            switch action {
            case .send(let bytes): .send(Datagram(bytes, links[index].link.server))
            case .status(let status): .tell(.index(server: links[index].name, status))
            case .signed(let sequence): .saveSequence(sequence)
            }
        }
    }

    // MARK: Messages in

    private enum DropReason: Hashable {
        case malformed, notForUs, ownName, blocked, plaintextPeer, tooManyStrangers
    }

    private mutating func receive(
        _ wire: PeerMessage, from endpoint: Endpoint, now: Instant, wall: WallTime
    ) -> [Action] {
        let peer = wire.source
        guard wire.destination == me || wire.destination == assignedName else {
            return drop(.notForUs, "a message for \(wire.destination) that came here")
        }
        guard peer != me else { return drop(.ownName, "a message in our own name from \(endpoint)") }
        let contact = contacts[peer]
        guard contact?.blocked != true else { return drop(.blocked, nil) }
        guard peer.isKeyed || configuration.allowsPlaintextPeers else {
            return drop(
                .plaintextPeer,
                "a message from \(peer.shortDigits), a peer without a key; --plaintext-peers lets such messages in")
        }
        book.heard(from: peer, at: endpoint, now: now)
        let message = Message(
            id: MessageID(using: &random), peer: peer, direction: .incoming, text: wire.text, created: wire.created,
            received: wall, state: .delivered, secure: false)
        if contact?.accepted == true || !peer.isKeyed {
            var actions: [Action] = []
            if contact == nil {
                guard case .firstOfStranger = contacts.hold(message) else { return drop(.tooManyStrangers, nil) }
                actions.append(.tell(.contacts(contacts.all)))
            }
            log.append(message)
            return actions + [.tell(.message(message))]
        }
        switch contacts.hold(message) {
        case .firstOfStranger: return [.tell(.contacts(contacts.all)), .tell(.request(message))]
        case .held: return []
        case .dropped: return drop(.tooManyStrangers, "messages of strangers: too many wait for an answer already")
        }
    }

    /// Counts, and says so the first time.
    private mutating func drop(_ reason: DropReason, _ what: String?) -> [Action] {
        dropped[reason, default: 0] += 1
        guard dropped[reason] == 1, let what else { return [] }
        return [.tell(.notice("Dropped \(what).", about: nil))]
    }

    /// The name that a server of the seed's kind gave us.
    private var assignedName: PeerID? {
        for (_, link) in links { if case .noIdentities(let assigned) = link.status { return assigned } }
        return nil
    }

    // MARK: Commands

    /// Does what a command says.
    public mutating func perform(
        _ command: ClientCommand, now: Instant, wall: WallTime
    ) throws(CommandError) -> [Action] {
        switch command {
        case .add(let peer, let name):
            try admit(peer)
            return accept(peer, name: name)
        case .accept(let peer):
            try admit(peer)
            return accept(peer, name: nil)
        case .rename(let peer, let name):
            try require(peer)
            contacts.rename(peer, name)
            return contactsChanged()
        case .block(let peer):
            contacts.block(peer)
            return contactsChanged()
        case .remove(let peer):
            try require(peer)
            contacts.remove(peer)
            return fail(peer, "the contact was removed") + contactsChanged()
        case .send(let peer, let text, let tag):
            try admit(peer)
            let accepted = contacts[peer]?.accepted == true ? [] : accept(peer, name: nil)
            return accepted + (try queue(text, to: peer, tag: tag, now: now, wall: wall))
        case .retry(let id):
            guard let message = log[id], message.state == .failed else {
                throw CommandError("There is no failed message \(id).")
            }
            return try queue(message.text, to: message.peer, tag: nil, now: now, wall: wall)
        case .cancel(let id):
            guard let peer = log[id]?.peer, let item = lanes[peer]?.remove(id) else {
                throw CommandError("No message \(id) waits to be sent.")
            }
            return [settle(item, of: peer, .failed, reason: "cancelled")]
        case .read(let peer, _):
            try require(peer)
            return []
        }
    }

    /// Refuses peers that can't be talked to.
    private func admit(_ peer: PeerID) throws(CommandError) {
        guard peer != me else { throw CommandError("\(peer) is your own ID.") }
        guard peer.isKeyed || configuration.allowsPlaintextPeers else {
            throw CommandError(
                "\(peer) has no key: anyone on the way can read and forge what is said with it. "
                    + "Start with --plaintext-peers to allow that.")
        }
    }

    private func require(_ peer: PeerID) throws(CommandError) {
        guard contacts[peer] != nil else { throw CommandError("\(peer) is no contact.") }
    }

    private mutating func accept(_ peer: PeerID, name: String?) -> [Action] {
        let held = contacts.accept(peer, name: name)
        return contactsChanged()
            + held.map { message in
                log.append(message)
                return .tell(.message(message))
            }
    }

    private func contactsChanged() -> [Action] {
        [.tell(.contacts(contacts.all)), .saveContacts(contacts.all.filter { $0.accepted || $0.blocked })]
    }

    // MARK: Messages out

    private mutating func queue(
        _ text: String, to peer: PeerID, tag: String?, now: Instant, wall: WallTime
    ) throws(CommandError) -> [Action] {
        guard !text.isEmpty else { throw CommandError("An empty message is not sent.") }
        guard lanes[peer]?.isFull != true else {
            throw CommandError("\(Lane.limit) messages wait for \(peer.shortDigits) already; this one was not taken.")
        }
        let source = peer.isKeyed ? me : assignedName ?? me
        let bytes: [UInt8]
        do throws(WireError) {
            bytes = try PeerMessage(source: source, destination: peer, text: text, created: wall).encoded()
        } catch {
            throw CommandError("The message was not sent: as a datagram it would be too long. \(error)")
        }
        let message = Message(
            id: MessageID(using: &random), peer: peer, direction: .outgoing, text: text, created: wall, received: wall,
            state: .queued, secure: false)
        log.append(message)
        lanes[peer, default: Lane()].append(.init(id: message.id, tag: tag, bytes: bytes))
        return [
            .tell(.message(message)), .tell(.state(message.id, tag: tag, to: peer, .queued, reason: nil)),
        ]
    }

    /// Sends what may go to one peer, or starts to look for it.
    private mutating func drain(_ peer: PeerID, now: Instant) -> [Action] {
        guard let lane = lanes[peer], !lane.items.isEmpty else { return [] }
        guard let endpoint = book.endpoint(of: peer, now: now) else {
            startLookup(peer, now: now)
            guard let (send, outcome) = lookups[peer]?.advance(now: now) else { return [] }
            return send.map { .send($0) } + (outcome.map { finishLookup(of: peer, $0, now: now) } ?? [])
        }
        let isNews = lane.lastUse.map { now.since($0) >= .seconds(1) } ?? true
        guard let items = lanes[peer]?.take(now: now), !items.isEmpty else { return [] }
        var actions: [Action] = []
        if isNews { actions.append(.tell(.lookup(peer, .cache, found: true, took: .zero))) }
        return actions + [.transmit(Transmission(peer: peer, endpoint: endpoint, items: items))]
    }

    /// Takes the network's word on a transmission.
    public mutating func transmitted(_ transmission: Transmission, _ result: SendResult, now: Instant) -> [Action] {
        let peer = transmission.peer
        let taken = min(max(0, result.taken), transmission.items.count)
        var actions = transmission.items[..<taken].map { settle($0, of: peer, .sent, reason: nil) }
        var rest = transmission.items[taken...]
        if let failure = result.failure, let item = rest.popFirst() {
            let reason = "this machine could not send to \(transmission.endpoint): \(failure)"
            actions.append(settle(item, of: peer, .failed, reason: reason))
        }
        lanes[peer]?.restore(rest)
        if taken > 0 { actions += setPath(peer, .plaintext, reason: nil) }
        return actions
    }

    private mutating func settle(
        _ item: Lane.Item, of peer: PeerID, _ state: DeliveryState, reason: String?
    ) -> Action {
        log.update(item.id, state, reason: reason)
        return .tell(.state(item.id, tag: item.tag, to: peer, state, reason: reason))
    }

    /// Gives up what waits for a peer.
    private mutating func fail(_ peer: PeerID, _ reason: String) -> [Action] {
        let items = lanes[peer]?.removeAll() ?? []
        lanes[peer] = nil
        return items.map { settle($0, of: peer, .failed, reason: reason) }
    }

    // MARK: Lookups

    private mutating func startLookup(_ peer: PeerID, now: Instant) {
        guard lookups[peer] == nil else { return }
        lookups[peer] = Lookup(
            peer: peer, servers: links.map(\.link.server), minimumSequence: book.sequence(of: peer),
            acceptsPlainAddress: configuration.allowsPlaintextPeers, now: now, random: &random)
    }

    private mutating func finishLookup(of peer: PeerID, _ outcome: Lookup.Outcome, now: Instant) -> [Action] {
        guard let lookup = lookups.removeValue(forKey: peer) else { return [] }
        let took = now.since(lookup.started)
        switch outcome {
        case .found(let endpoint, let sequence, _):
            book.learn(peer, endpoint, sequence: sequence, now: now)
            unknownPeers.remove(peer)
            return [.tell(.lookup(peer, .index, found: true, took: took))]
                + setPath(peer, .plaintext, reason: nil) + drain(peer, now: now)
        case .failed(let reason):
            if lookup.isUnknownPeer { unknownPeers.insert(peer) }
            return [.tell(.lookup(peer, .index, found: false, took: took))]
                + setPath(peer, .none, reason: reason) + fail(peer, reason)
        }
    }

    private mutating func setPath(_ peer: PeerID, _ path: PathKind, reason: String?) -> [Action] {
        guard paths.updateValue(path, forKey: peer) != path else { return [] }
        return [.tell(.path(peer, path, reason: reason))]
    }

    // MARK: For display

    /// Every contact with its path and what waits for it.
    public var peers: [PeerSummary] {
        contacts.all.map { contact in
            PeerSummary(
                contact: contact, path: paths[contact.peer] ?? .none, waiting: lanes[contact.peer]?.items.count ?? 0)
        }
    }
}
