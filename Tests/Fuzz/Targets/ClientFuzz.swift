// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Traversal
import Wire

/// A client among peers that say anything in any order, with a disk that takes its time: bytes are what happens.
///
/// What must hold whatever happens is what users are promised: nothing is shown or acknowledged before it is on disk,
/// nothing twice, nothing that its author did not send; and nothing is delivered without a receipt from its reader.
struct ClientFuzz {
    private struct Received: Hashable {
        let peer: PeerID
        let id: MessageID
    }

    /// A contact, a stranger, a blocked peer and one that somebody else's key was pinned for.
    private static let keys = (1...4).compactMap { Identity(seed: [UInt8](repeating: $0, count: 32))?.key }

    private static let identity = Identity(seed: [UInt8](repeating: 9, count: 32))

    private var rest: ArraySlice<UInt8>
    private var machine: ClientMachine
    private var now = Instant(nanoseconds: 3_600_000_000_000)
    private var wall = WallTime(milliseconds: 1_764_000_000_000)
    private var fault: String?

    /// Changes under way to the disk, and what is on it.
    private var pending: [StoreChange] = []
    private var received: Set<Received> = []
    private var queued: [MessageID: PeerID] = [:]
    private var settled: [MessageID: DeliveryState] = [:]
    private var sessions: [SessionID: PeerKey] = [:]
    private var dialled: [(SessionID, PeerKey)] = []
    private var incomingSessions: UInt64 = 1

    private var shown: Set<Received> = []
    private var acknowledged: Set<Received> = []
    private var told: [MessageID: DeliveryState] = [:]
    private var outgoing: [MessageID] = []

    init?(_ bytes: [UInt8]) {
        guard let identity = ClientFuzz.identity, ClientFuzz.keys.count == 4 else { return nil }
        rest = bytes[...]
        var saved = SavedState()
        let (contact, blocked, pinned) = (ClientFuzz.keys[0], ClientFuzz.keys[2], ClientFuzz.keys[3])
        saved.contacts = [
            Contact(peer: contact.peer, name: "contact", key: contact.octets, accepted: true, relays: true),
            Contact(peer: blocked.peer, name: "blocked", key: blocked.octets, accepted: false, blocked: true),
            Contact(peer: pinned.peer, name: "pinned", key: contact.octets, accepted: true),
        ]
        saved.addresses = [contact.peer: SavedAddress(endpoint: .loopback(4000), sequence: 1)]
        machine = ClientMachine(
            ClientConfiguration(
                identity: identity, address: .loopback(5000), saved: saved, name: "me", hasIndex: false,
                random: .seeded(UInt64(bytes.first ?? 0))))
    }

    /// Plays it to the end.
    /// - Returns: the promise that was broken.
    mutating func play() -> String? {
        while !rest.isEmpty, fault == nil { step() }
        return fault
    }

    // MARK: Input

    private mutating func octet() -> UInt8 { rest.popFirst() ?? 0 }
    private mutating func key() -> PeerKey { ClientFuzz.keys[Int(octet()) % ClientFuzz.keys.count] }

    /// One of few, so that repetitions are likely.
    private mutating func messageID() -> MessageID { MessageID(random: 0, UInt64(octet() % 8)) }

    private mutating func session() -> SessionID? {
        let ordered = sessions.keys.sorted { $0.number < $1.number }
        return ordered.isEmpty ? nil : ordered[Int(octet()) % ordered.count]
    }

    private mutating func step() {
        switch octet() % 14 {
        case 0:
            let id = SessionID(incomingSessions)
            incomingSessions += 2
            cameUp(id, key())
        case 1:
            guard !dialled.isEmpty else { return }
            let (id, right) = dialled.removeFirst()
            let other = key()
            cameUp(id, octet() % 4 == 0 ? other : right)
        case 2: frames([Array(take(Int(octet())))])
        case 3, 4, 5: frames([frame().encoded()])
        case 6:
            guard let id = session() else { return }
            sessions[id] = nil
            apply(machine.receive(.closed(id, .pathDied), now: now, wall: wall))
        case 7, 8: diskWrites(Int(octet() % 8))
        case 9:
            // What failed stays pending and is written later.
            apply(machine.commitFailed(StoreError("full", mayPass: true), now: now, wall: wall))
        case 12: pathChanges()
        case 13:
            let event: NetworkEvent =
                octet() % 3 == 0 ? .slept : .addresses([.v4(0xC0A8_0000 + UInt32(octet()))])
            apply(machine.receive(event, now: now, wall: wall))
        case 10: pass(Span.milliseconds(Int(octet()) * Int(octet())))
        default:
            guard let actions = try? machine.perform(command(), now: now, wall: wall) else { return }
            apply(actions)
        }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func frame() -> SessionFrame {
        let kind = octet()
        if kind >= 252 { return relayFrame() }
        return switch kind % 13 {
        case 10, 11:
            .candidates(.init(host: [Endpoint(address: .v4(0x0A00_0000 + UInt32(octet())), port: 9), .loopback(22)]))
        case 12: .punch(round: Int(octet() % 3) + 1, isAnswer: octet() % 2 == 0)
        case 0, 1: .hello(.init(instance: UInt64(octet() % 2), contact: octet() % 2 == 0, name: "n"))
        case 2: .contact(proof: [UInt8](repeating: octet(), count: 32), name: nil)
        case 3: .accepted
        case 4, 5: .message(.init(id: messageID(), counter: UInt64(octet() % 8) + 1, created: nil, text: "t"))
        case 6: .receipt(outgoing.isEmpty ? [messageID()] : [outgoing[Int(octet()) % outgoing.count]])
        case 7: .read(upTo: UInt64(octet()) + 1)
        case 8: .typing(octet() % 2 == 0)
        default: .refused(outgoing.isEmpty ? messageID() : outgoing[Int(octet()) % outgoing.count], reason: "no")
        }
    }

    private mutating func relayFrame() -> SessionFrame {
        let (peer, channel) = (key().peer, RelayChannel(UInt64(octet() % 4)))
        return switch octet() % 5 {
        case 0: .relay(.wanted(to: peer))
        case 1: .relay(.opened(to: peer, channel))
        case 2: .relay(.refused(to: peer, reason: "no"))
        case 3: .relay(.offered(from: peer, channel))
        default: .relaying(octet() % 2 == 0)
        }
    }

    private mutating func command() -> ClientCommand {
        let peer = key().peer
        return switch octet() % 12 {
        case 0, 1, 2: .send(to: peer, text: "hello", tag: nil)
        case 3: .accept(peer)
        case 4: .block(peer)
        case 5: .remove(peer)
        case 6: .read(peer, messageID())
        case 7: .open(octet() % 2 == 0 ? peer : nil)
        case 8: outgoing.last.map { .retry($0) } ?? .active(true)
        case 9: outgoing.first.map { .cancel($0) } ?? .active(false)
        case 10: .ignore(peer)
        default: .forget(peer)
        }
    }

    // MARK: The world

    /// A session finds another way, or none.
    private mutating func pathChanges() {
        guard let id = session() else { return }
        let route: Route =
            octet() % 2 == 0 ? .direct(.loopback(4000)) : .relayed(by: .loopback(5001), RelayChannel(7))
        let report = octet() % 3 == 0 ? nil : PathReport(route, route.isRelayed ? .relayed : .lan)
        apply(machine.receive(.path(id, report), now: now, wall: wall))
        apply(machine.receive(.observed(id, .loopback(UInt16(octet()) + 1)), now: now, wall: wall))
    }

    private mutating func cameUp(_ id: SessionID, _ key: PeerKey) {
        sessions[id] = key
        let binding = [UInt8](repeating: UInt8(truncatingIfNeeded: id.number), count: 32)
        apply(machine.receive(.up(id, key: key, at: .direct(.loopback(4000)), binding: binding), now: now, wall: wall))
    }

    private mutating func frames(_ frames: [[UInt8]]) {
        guard let id = session(), let key = sessions[id] else { return }
        for frame in frames {
            if case .frame(.receipt(let ids)) = SessionFrame.read(frame) {
                for message in ids { acknowledged.insert(Received(peer: key.peer, id: message)) }
            }
        }
        apply(machine.receive(.frames(id, frames), now: now, wall: wall))
    }

    private mutating func diskWrites(_ count: Int) {
        let batch = Array(pending.prefix(count))
        pending.removeFirst(batch.count)
        let effects = batch.map { change -> Bool in
            switch change {
            case .receive(let message): return received.insert(Received(peer: message.peer, id: message.id)).inserted
            case .queue(let message): queued[message.id] = message.peer
            case .advance(let id, _, let state, _): settled[id] = state
            default: break
            }
            return true
        }
        apply(machine.committed(effects, now: now, wall: wall))
    }

    private mutating func pass(_ span: Span) {
        let end = now + span
        wall = WallTime(milliseconds: wall.milliseconds + Int64(span.nanoseconds / 1_000_000))
        var turns = 0
        while let due = machine.deadline(now: now), due <= end {
            now = max(now, due)
            apply(machine.advance(now: now, wall: wall))
            turns += 1
            if turns > 10_000 { return fault = "it is always due at \(now)" }
        }
        now = end
    }

    // MARK: Promises

    private mutating func apply(_ actions: [ClientMachine.Action]) {
        for action in actions {
            switch action {
            case .commit(let change):
                if case .queue(let message) = change { outgoing.append(message.id) }
                pending.append(change)
            case .session(let command): obey(command)
            case .tell(let event): check(event)
            case .send(let datagram), .sendByUDP(let datagram):
                fault = fault ?? "a datagram to \(datagram.endpoint), with no index"
            case .tunnel: fault = fault ?? "a tunnel, with no index"
            case .transmit: fault = fault ?? "something in the open"
            }
        }
    }

    private mutating func obey(_ command: SessionCommand) {
        switch command {
        case .dial(let id, let key, _):
            dialled.append((id, key))
        case .close(let id, _):
            sessions[id] = nil
            dialled.removeAll { $0.0 == id }
        case .send(let id, let frames):
            guard let key = sessions[id] else { return fault = "frames on session \(id), which is not up" }
            for frame in frames { check(SessionFrame.read(frame), to: key.peer) }
        case .consumed(_, let bytes): if bytes < 0 { fault = "\(bytes) bytes consumed" }
        case .widen(let id):
            if let key = sessions[id], !isFriend(key.peer) { fault = "more may wait of a stranger's" }
        case .offer(let id, let candidates, _): check(candidates, on: id)
        case .punch(let id, _):
            if let key = sessions[id], !isFriend(key.peer) { fault = "a stranger had us punch holes" }
        case .welcome: fault = "a call, with no index"
        case .pass: fault = "somebody had us pass on, who reach nobody"
        case .probe, .networkChanged, .hide, .relays, .stopPassing: break
        }
    }

    private func isFriend(_ peer: PeerID) -> Bool {
        let contact = machine.contacts.all.first { $0.peer == peer }
        return contact?.accepted == true && contact?.blocked == false
    }

    /// Nobody but a contact names places to be probed, and none of our own.
    private mutating func check(_ candidates: [RemoteCandidate], on id: SessionID) {
        if let key = sessions[id], !isFriend(key.peer) { fault = "a stranger named places to be probed" }
        let own = candidates.contains { $0.route == .direct(.loopback(5000)) }
        if own || candidates.count > SessionFrame.Candidates.limit { fault = "it would probe \(candidates)" }
    }

    private mutating func check(_ reading: FrameReading, to peer: PeerID) {
        guard case .frame(let frame) = reading else { return fault = "it sent what it can't read" }
        let isFriend = isFriend(peer)
        switch frame {
        case .hello(let hello): if !isFriend, hello.name != nil || hello.relays { fault = "a stranger was told a name" }
        case .message(let message):
            if queued[message.id] != peer { fault = "\(message.id) was sent before it was on disk, or to another" }
        case .receipt(let ids):
            if !isFriend { fault = "a receipt to a stranger" }
            for id in ids where !received.contains(Received(peer: peer, id: id)) {
                fault = "a receipt for \(id), which is not on disk"
            }
        case .accepted, .read, .typing, .active, .contact, .candidates, .punch, .relaying, .relay:
            if !isFriend { fault = "something automatic to a stranger: \(frame)" }
        case .refused: break
        }
    }

    private mutating func check(_ event: ClientEvent) {
        switch event {
        case .message(let message) where message.direction == .incoming:
            let received = Received(peer: message.peer, id: message.id)
            if !self.received.contains(received) { fault = "\(message.id) was shown before it was on disk" }
            if !shown.insert(received).inserted { fault = "\(message.id) was shown twice" }
            let contact = machine.contacts.all.first { $0.peer == message.peer }
            if contact?.accepted != true || contact?.blocked == true { fault = "a stranger's message was shown" }
        case .state(let id, _, let peer, let state, _):
            if queued[id] != peer { fault = "\(id) is \(state) and not on disk" }
            if state == .delivered {
                if !acknowledged.contains(Received(peer: peer, id: id)) {
                    fault = "\(id) is delivered without a receipt"
                }
                if settled[id] != .delivered { fault = "\(id) is told as delivered and not on disk as such" }
            }
            if told[id] == .delivered, state != .read { fault = "\(id) went from delivered to \(state)" }
            told[id] = state
        default: break
        }
    }
}
