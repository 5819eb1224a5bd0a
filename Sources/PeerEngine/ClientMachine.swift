// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import Wire

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
    private var sequence: UInt64
    private var book = AddressBook()
    private var lookups: [PeerID: Lookup] = [:]
    private var lanes: [PeerID: Lane] = [:]
    private var paths: [PeerID: (kind: PathKind, cause: Reason.Cause?)] = [:]
    /// Contacts and strangers.
    public private(set) var contacts: ContactBook
    /// The messages of this run.
    public private(set) var log = RunLog()
    private var dropped: [DropReason: Int] = [:]

    public init(_ configuration: ClientConfiguration) {
        self.configuration = configuration
        random = configuration.random
        sequence = configuration.lastSequence
        contacts = ContactBook(configuration.contacts)
    }

    // MARK: Index servers

    /// Registers at a server from now on.
    /// - Parameters:
    ///   - name: as the user wrote it.
    ///   - key: what the server has to prove; `nil` to take whoever answers.
    public mutating func addIndex(_ name: String, at server: Endpoint, key: PeerKey? = nil, now: Instant) {
        guard !links.contains(where: { $0.link.server == server }) else { return }
        let link = IndexLink(
            server: server, name: name, pinned: key, identity: configuration.identity,
            address: configuration.address, now: now, random: random.split())
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
        for (peer, lane) in lanes where !waitsForLookup(peer, now: now) { consider(lane.next) }
        return earliest
    }

    /// Does what is due.
    public mutating func advance(now: Instant, wall: WallTime) -> [Action] {
        var actions: [Action] = []
        for index in links.indices {
            let due = links[index].link.advance(now: now, wall: wall, sequence: &sequence)
            actions += linkActions(due, at: index)
        }
        for peer in lookups.keys.sorted() { actions += advanceLookup(of: peer, now: now) }
        for peer in lanes.keys.sorted() { actions += drain(peer, now: now) }
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
            let (reply, nonce) = links[index].link.read(datagram.bytes)
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
            return linkReceive(reply, nonce, at: index, now: now, wall: wall)
        }
        let link = links[index].link
        let answer = Lookup.Answer(
            address: address, text: text, record: record, nonce: nonce, server: link.server, isSeed: link.isSeed)
        let asking = nonce.flatMap { nonce in lookups.first { $0.value.nonce == nonce }?.key }
        guard let peer = asking ?? PeerID(text), let outcome = lookups[peer]?.receive(answer, wall: wall) else {
            return linkReceive(reply, nonce, at: index, now: now, wall: wall)
        }
        return finishLookup(of: peer, outcome, now: now)
    }

    private mutating func linkReceive(
        _ reply: IndexReply, _ nonce: String?, at index: Int, now: Instant, wall: WallTime
    ) -> [Action] {
        let actions = links[index].link.receive(reply, nonce: nonce, now: now, wall: wall, sequence: &sequence)
        return linkActions(actions, at: index)
    }

    private mutating func unreachable(_ endpoint: Endpoint, now: Instant) -> [Action] {
        if let index = links.firstIndex(where: { $0.link.server == endpoint }) {
            return linkActions(links[index].link.unreachable(), at: index)
        }
        return book.doubt(endpoint).flatMap { peer in
            startLookup(peer, now: now)
            let text = "nobody reads at \(endpoint) any more, so the last message may be lost; looking it up again"
            return setPath(peer, .none, reason: Reason(.network, text))
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
        guard wire.destination == me || links.contains(where: { $0.link.assigned.contains(wire.destination) }) else {
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
        if book.heard(from: peer, at: endpoint, now: now) { startLookup(peer, now: now) }
        let message = Message(
            id: MessageID(using: &random), peer: peer, direction: .incoming, text: wire.text, created: wire.created,
            received: wall, state: .delivered, secure: false)
        if contact?.accepted == true { return show(message) }
        guard peer.isKeyed else {
            // Nothing authenticates such a peer, so there is nothing to accept; the user's option lets all of them in.
            guard contact != nil || contacts.note(peer) else { return tooManyStrangers() }
            return (contact == nil ? [.tell(.contacts(contacts.all))] : []) + show(message)
        }
        switch contacts.hold(message) {
        case .firstOfStranger:
            return [
                .tell(.contacts(contacts.all)),
                .tell(.request(message.peer, name: nil, text: message.text, invited: false)),
            ]
        case .held: return []
        case .dropped: return tooManyStrangers()
        }
    }

    private mutating func show(_ message: Message) -> [Action] {
        log.append(message)
        return [.tell(.message(message))]
    }

    private mutating func tooManyStrangers() -> [Action] {
        drop(.tooManyStrangers, "messages of strangers: too many wait for an answer already")
    }

    /// Counts, and says so the first time.
    private mutating func drop(_ reason: DropReason, _ what: String?) -> [Action] {
        dropped[reason, default: 0] += 1
        guard dropped[reason] == 1, let what else { return [] }
        return [.tell(.notice("Dropped \(what).", about: nil))]
    }

    /// The name that a server of the seed's kind gave us; it stays ours while the server is away.
    private var assignedName: PeerID? { links.first { $0.link.isSeed }?.link.assigned.last }

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
            return giveUp(peer, Reason(.user, "the contact was blocked")) + contactsChanged()
        case .remove(let peer):
            try require(peer)
            contacts.remove(peer)
            paths[peer] = nil
            return giveUp(peer, Reason(.user, "the contact was removed")) + contactsChanged()
        case .send(let peer, let text, let tag):
            guard !text.isEmpty else { throw CommandError("An empty message is not sent.") }
            let message = Message(
                id: MessageID(using: &random), peer: peer, direction: .outgoing, text: text, created: wall,
                received: wall, state: .queued, secure: false)
            let item = try item(for: message, tag: tag)
            log.append(message, tag: tag)
            return acceptIfNew(peer) + [.tell(.message(message)), queue(item, for: peer)]
        case .retry(let id):
            guard let message = log[id], message.direction == .outgoing, message.state == .failed else {
                throw CommandError("There is no failed message \(id).")
            }
            let item = try item(for: message, tag: log.tag(of: id))
            log.update(id, .queued, reason: nil)
            return acceptIfNew(message.peer) + [queue(item, for: message.peer)]
        case .cancel(let id):
            guard let peer = log[id]?.peer, let item = lanes[peer]?.remove(id) else {
                throw CommandError("No message \(id) waits to be sent.")
            }
            return [settle(item, of: peer, .failed, reason: Reason(.user, "cancelled"))]
        case .read(let peer, _):
            try require(peer)
            return []
        default: throw CommandError("not yet")
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

    /// Writing to someone is accepting them.
    private mutating func acceptIfNew(_ peer: PeerID) -> [Action] {
        contacts[peer]?.accepted == true ? [] : accept(peer, name: nil)
    }

    private mutating func accept(_ peer: PeerID, name: String?) -> [Action] {
        let held = contacts.accept(peer, name: name)
        return contactsChanged()
            + held.flatMap { show($0) }
    }

    private func contactsChanged() -> [Action] {
        [.tell(.contacts(contacts.all)), .saveContacts(contacts.all.filter { $0.accepted || $0.blocked })]
    }

    // MARK: Messages out

    /// The message as it will leave, if it may: nothing changes before that is clear.
    private func item(for message: Message, tag: String?) throws(CommandError) -> Lane.Item {
        let peer = message.peer
        try admit(peer)
        guard contacts[peer]?.blocked != true else {
            throw CommandError("\(peer.shortDigits) is blocked; accept it before writing to it.")
        }
        guard lanes[peer]?.isFull != true else {
            throw CommandError("\(Lane.limit) messages wait for \(peer.shortDigits) already; this one was not taken.")
        }
        let source = peer.isKeyed ? me : assignedName ?? me
        let wire = PeerMessage(source: source, destination: peer, text: message.text, created: message.created)
        do throws(WireError) { return Lane.Item(id: message.id, tag: tag, bytes: try wire.encoded()) } catch {
            throw CommandError("The message was not sent: as a datagram it would be too long. \(error)")
        }
    }

    private mutating func queue(_ item: Lane.Item, for peer: PeerID) -> Action {
        lanes[peer, default: Lane()].append(item)
        return .tell(.state(item.id, tag: item.tag, to: peer, .queued, reason: nil))
    }

    /// Sends what may go to one peer, or starts to look for it.
    private mutating func drain(_ peer: PeerID, now: Instant) -> [Action] {
        guard lanes[peer]?.items.isEmpty == false, !waitsForLookup(peer, now: now) else { return [] }
        let known = lookups[peer] == nil ? book.endpoint(of: peer, now: now) : book.lastEndpoint(of: peer)
        guard let endpoint = known else {
            startLookup(peer, now: now)
            return advanceLookup(of: peer, now: now)
        }
        let isNews = lanes[peer]?.lastUse.map { now.since($0) >= .seconds(1) } ?? true
        guard let items = lanes[peer]?.take(now: now), !items.isEmpty else { return [] }
        let news: [Action] = isNews ? [.tell(.lookup(peer, .cache, found: true, took: .zero))] : []
        return news + [.transmit(Transmission(peer: peer, endpoint: endpoint, items: items))]
    }

    /// Whether messages wait until more is known. An old address is better than none once a server had time to answer.
    private func waitsForLookup(_ peer: PeerID, now: Instant) -> Bool {
        guard let lookup = lookups[peer] else { return false }
        return !lookup.isLate(now: now) || book.lastEndpoint(of: peer) == nil
    }

    /// Takes the network's word on a transmission.
    public mutating func transmitted(_ transmission: Transmission, _ result: SendResult, now: Instant) -> [Action] {
        let peer = transmission.peer
        let taken = min(max(0, result.taken), transmission.items.count)
        var actions = transmission.items[..<taken].map { settle($0, of: peer, .sent, reason: nil) }
        var rest = transmission.items[taken...]
        if let failure = result.failure, let item = rest.popFirst() {
            let text = "this machine could not send to \(transmission.endpoint): \(failure)"
            actions.append(settle(item, of: peer, .failed, reason: Reason(.network, text)))
        }
        if !rest.isEmpty { lanes[peer]?.restore(rest, until: now + Timing.busySystem) }
        return taken > 0 ? actions + setPath(peer, .plaintext, reason: nil) : actions
    }

    private mutating func settle(
        _ item: Lane.Item, of peer: PeerID, _ state: DeliveryState, reason: Reason?
    ) -> Action {
        log.update(item.id, state, reason: reason?.text)
        return .tell(.state(item.id, tag: item.tag, to: peer, state, reason: reason))
    }

    /// Fails what waits for a peer.
    private mutating func fail(_ peer: PeerID, _ reason: Reason) -> [Action] {
        let items = lanes[peer]?.removeAll() ?? []
        lanes[peer] = nil
        return items.map { settle($0, of: peer, .failed, reason: reason) }
    }

    /// Fails what waits for a peer and looks for it no more.
    private mutating func giveUp(_ peer: PeerID, _ reason: Reason) -> [Action] {
        lookups[peer] = nil
        return fail(peer, reason)
    }

    // MARK: Lookups

    private mutating func startLookup(_ peer: PeerID, now: Instant) {
        guard lookups[peer] == nil else { return }
        lookups[peer] = Lookup(
            peer: peer, minimumSequence: book.sequence(of: peer), deadEndpoint: book.deadEndpoint(of: peer),
            own: configuration.address, now: now, random: &random)
    }

    private mutating func advanceLookup(of peer: PeerID, now: Instant) -> [Action] {
        let servers = links.map(\.link.asked)
        guard let (send, outcome) = lookups[peer]?.advance(now: now, servers: servers), let lookup = lookups[peer]
        else {
            return []
        }
        if servers.isEmpty, !configuration.hasIndex { return finishLookup(of: peer, .failed(lookup.reason), now: now) }
        if let outcome { return finishLookup(of: peer, outcome, now: now) }
        let isNews = !send.isEmpty && lookup.isLate(now: now) && book.lastEndpoint(of: peer) == nil
        return send.map { .send($0) } + (isNews ? setPath(peer, .none, reason: lookup.reason) : [])
    }

    private mutating func finishLookup(of peer: PeerID, _ outcome: Lookup.Outcome, now: Instant) -> [Action] {
        guard let lookup = lookups.removeValue(forKey: peer) else { return [] }
        let took = now.since(lookup.started)
        switch outcome {
        case .found(let endpoint, let sequence):
            book.learn(peer, endpoint, sequence: sequence, now: now)
            lanes[peer]?.noteUse(now: now)
            return [.tell(.lookup(peer, .index, found: true, took: took))]
                + setPath(peer, .plaintext, reason: nil) + drain(peer, now: now)
        case .failed(let reason):
            let news: [Action] = [.tell(.lookup(peer, .index, found: false, took: took))]
            // Nobody knows better than the old address, so it goes on as if it had been confirmed.
            guard !book.keep(peer, now: now) else { return news }
            return news + setPath(peer, .none, reason: reason) + fail(peer, reason)
        }
    }

    /// Tells a path when it is another one, or is missing for another kind of reason.
    private mutating func setPath(_ peer: PeerID, _ path: PathKind, reason: Reason?) -> [Action] {
        let known = paths.updateValue((path, reason?.cause), forKey: peer)
        guard known?.kind != path || known?.cause != reason?.cause else { return [] }
        return [.tell(.path(peer, path, roundTrip: nil, reason: reason))]
    }

    // MARK: For display

    /// Every contact with its path and what waits for it.
    public var peers: [PeerSummary] {
        contacts.all.map { contact in
            PeerSummary(
                contact: contact, path: paths[contact.peer]?.kind ?? .none,
                waiting: lanes[contact.peer]?.items.count ?? 0)
        }
    }
}
