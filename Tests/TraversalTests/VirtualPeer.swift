// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Traversal
import Wire

/// What packets that are no probes say; on the wire they are a number.
enum Content {
    case register(name: String)
    case call(from: String, to: String, reference: UInt64)
    case called(by: String, at: Endpoint, reference: UInt64, channel: RelayChannel)
    case calling(channel: RelayChannel)
    case session(SessionPacket)
}

struct SessionPacket {
    enum Frame {
        case hello
        case candidates([RemoteCandidate])
        case punch(round: Int, isAnswer: Bool)
        case message(Int)
    }
    /// Frames that arrived in order.
    var acknowledged: Int
    var first: Int
    var frames: [Frame]
}

/// The texts behind the numbers.
final class Contents {
    private var all: [Content] = []
    func bytes(_ tag: UInt8, _ content: Content) -> [UInt8] {
        all.append(content)
        return [tag] + RelayChannel(UInt64(all.count - 1)).octets
    }
    func number(_ bytes: [UInt8]) -> Int { bytes.dropFirst().reduce(0) { $0 << 8 | Int($1) } }
    subscript(bytes: [UInt8]) -> Content { all[number(bytes)] }
}

/// An index server that relays.
final class VirtualServer {
    static let endpoint = Endpoint(address: .v4(0xCB00_710A), port: 50_000)
    private let network: VirtualNetwork
    private let contents: Contents
    private(set) var seen: [String: Endpoint] = [:]
    private var channels: [String: RelayChannel] = [:]
    private var ends: [RelayChannel: (String, String)] = [:]
    var relays = true
    private(set) var relayed = 0

    init(_ network: VirtualNetwork, _ contents: Contents) {
        self.network = network
        self.contents = contents
        network.internet.hosts[VirtualServer.endpoint.address] = { [unowned self] in receive($0) }
    }

    private func receive(_ packet: Packet) {
        if let (channel, _) = RelayDatagram.unwrap(packet.bytes) {
            guard relays, let (one, other) = ends[channel] else { return }
            let target = seen[one] == packet.source ? other : seen[other] == packet.source ? one : nil
            guard let target, let to = seen[target] else { return }
            relayed += 1
            return send(packet.bytes, to)
        }
        switch contents[packet.bytes] {
        case .register(let name): seen[name] = packet.source
        case .call(let caller, let callee, let reference):
            seen[caller] = packet.source
            guard let there = seen[callee] else { return }
            let pair = [caller, callee].sorted().joined(separator: "-")
            let channel = channels[pair] ?? RelayChannel(network.random.next())
            channels[pair] = channel
            ends[channel] = (caller, callee)
            send(contents.bytes(0x7B, .calling(channel: channel)), packet.source)
            let notice = Content.called(by: caller, at: packet.source, reference: reference, channel: channel)
            send(contents.bytes(0x7B, notice), there)
        default: break
        }
    }

    private func send(_ bytes: [UInt8], _ to: Endpoint) {
        let packet = Packet(source: VirtualServer.endpoint, destination: to, bytes: bytes)
        network.carry(packet, in: network.internet) { _ in }
    }
}

/// A peer's transport and engine, as small as can be: calls, welcomes, a reliable stream, candidates, punching.
final class VirtualPeer {
    let name: String
    let id: PeerID
    private(set) var endpoint: Endpoint
    private(set) var segment: Segment
    private let network: VirtualNetwork
    private let contents: Contents
    private var random: RandomSource

    var finder: PathFinder?
    var budget = ProbeBudget()
    var limits = PathLimits()
    private var reference: UInt64 = 0
    private var target: PeerID?
    private var keys: SessionProbeKeys?
    private var isDialler = false
    private var hasChannel = false
    var searchesLAN = false
    var punches = true
    var tellsCandidates = true
    /// Octets of a session packet that do not pass here.
    var loses: ((Route) -> Bool)?

    private var unacknowledged: [(frame: SessionPacket.Frame, sent: Instant?)] = []
    private var acknowledged = 0
    private var received = 0
    private var numbers: Set<Int> = []
    private var retransmission: Instant?
    private var lastRoutes: [Route] = []
    private var wake: Instant?
    private var punchBegan: Instant?

    /// Messages that came, and when.
    private(set) var messages: [(number: Int, at: Instant)] = []
    /// Each change of the kind in use.
    private(set) var history: [(kind: PathKind?, at: Instant)] = []
    private var sentTo: Set<Endpoint.Address> = []
    private var heardFrom: Set<Endpoint> = []
    /// Session packets that went to an address that had never answered.
    private(set) var stray = 0
    /// Moments at which something was due that did not get done.
    private(set) var spins = 0
    private(set) var pingCount = 0

    init(
        _ name: String, at endpoint: Endpoint, in segment: Segment, _ network: VirtualNetwork, _ contents: Contents
    ) {
        self.name = name
        self.endpoint = endpoint
        self.segment = segment
        self.network = network
        self.contents = contents
        random = network.random.split()
        id = PeerID(high: random.next(), low: random.next()).stamped(version: 8)
        attach()
    }

    private func attach() {
        segment.hosts[endpoint.address] = { [unowned self] in receive($0) }
        if let uplink = segment.uplink, uplink.behaviour.mapping == .none {
            uplink.outside.gateways[endpoint.address] = uplink
        }
    }

    /// Another address, perhaps behind another gateway.
    func move(to endpoint: Endpoint, in segment: Segment) {
        self.segment.hosts[self.endpoint.address] = nil
        (self.endpoint, self.segment) = (endpoint, segment)
        attach()
        finder?.networkChanged(own: [endpoint], now: network.now)
        renew()
    }

    /// Registers anew, and tells the other side where it is now.
    func renew() {
        register()
        network.after(.milliseconds(400)) { [self] in
            guard finder != nil else { return }
            reflexive = seenByServer?()
            tellCandidates()
            for round in 1...3 {
                network.after(.seconds(round - 1)) { [weak self] in self?.punch(round: round) }
            }
        }
        poll()
    }
    var seenByServer: (() -> Endpoint?)?

    private func tellCandidates() {
        guard tellsCandidates else { return }
        let seen = reflexive.map { [RemoteCandidate(.direct($0), .reflexive)] } ?? []
        say(.candidates([RemoteCandidate(.direct(endpoint), .host)] + seen))
    }

    func register() { send(contents.bytes(0x7B, .register(name: name)), to: VirtualServer.endpoint) }

    // MARK: Dialling

    func dial(_ other: VirtualPeer, _ candidates: [RemoteCandidate], sequence: UInt64 = 1) {
        isDialler = true
        target = other.id
        reference = random.next()
        forgetSession()
        var finder = PathFinder(own: [endpoint], limits: limits, random: random.split(), now: network.now)
        finder.offer(candidates, sequence: sequence, now: network.now)
        if searchesLAN { finder.searchLAN(now: network.now) }
        self.finder = finder
        call(other.name)
        say(.hello)
        poll()
    }

    private func forgetSession() {
        keys = nil
        hasChannel = false
        unacknowledged = []
        (acknowledged, received) = (0, 0)
        lastRoutes = []
    }

    private func call(_ name: String) {
        guard !hasChannel, finder != nil else { return }
        send(
            contents.bytes(0x7B, .call(from: self.name, to: name, reference: reference)), to: VirtualServer.endpoint)
        network.after(.milliseconds(300)) { [weak self] in self?.call(name) }
    }

    func hangUp() { finder = nil }

    private func welcome(_ caller: PeerID, at place: Endpoint, _ reference: UInt64) {
        for pause in [0, 100, 200, 400, 800] {
            network.after(.milliseconds(pause)) { [self] in
                let probe = Probe(.ping, reference: reference, transaction: ProbeTransaction(using: &random))
                send(probe.encoded(.dialled(caller)), to: place)
            }
        }
    }

    // MARK: What arrives

    /// Those one may be called by.
    var book: [String: PeerID] = [:]
    private var calledChannel: RelayChannel?
    /// As the index server sees it.
    var reflexive: Endpoint?

    private func receive(_ packet: Packet) {
        if packet.bytes.first == 0x7B { return control(contents[packet.bytes]) }
        guard let (bytes, route) = Route.unwrap(Datagram(packet.bytes, packet.source)) else { return }
        switch bytes.first {
        case DatagramTag.probe?: probe(bytes, route)
        case DatagramTag.session?:
            guard case .session(let content) = contents[bytes] else { return }
            session(content, contents.number(bytes), route)
        default: break
        }
        poll()
    }

    private func control(_ content: Content) {
        switch content {
        case .calling(let channel):
            guard !hasChannel else { return }
            hasChannel = true
            finder?.offer(
                [RemoteCandidate(.relayed(by: VirtualServer.endpoint, channel), .relayed)], sequence: 0,
                now: network.now)
            poll()
        case .called(let caller, let place, let reference, let channel):
            guard let id = book[caller] else { return }
            calledChannel = channel
            target = id
            welcome(id, at: place, reference)
        default: break
        }
    }

    private func probe(_ bytes: [UInt8], _ route: Route) {
        guard let (kind, named, _) = Probe.peek(bytes) else { return }
        if let keys, named == keys.reference {
            guard let probe = Probe(bytes, key: keys.receiving) else { return }
            return kind == .ping ? answer(probe, route, keys.sending, isOurs: true) : answered(probe, route)
        }
        if kind == .ping {
            guard let probe = Probe(bytes, key: .dialled(id)) else { return }
            answer(probe, route, .dialled(id), isOurs: isDialler && named == reference)
        } else if let target, named == reference, let probe = Probe(bytes, key: .dialled(target)) {
            answered(probe, route)
        }
    }

    private func answer(_ probe: Probe, _ route: Route, _ key: ProbeKey, isOurs: Bool) {
        var isUnasked = !route.isRelayed && !sentTo.contains(route.endpoint.address)
        if isUnasked, !isOurs { unasked.insert(route) }
        if isOurs { isUnasked = finder?.pinged(from: route, wasAsked: !isUnasked, now: network.now) ?? isUnasked }
        let pong = Probe(
            .pong, reference: probe.reference, transaction: probe.transaction,
            observed: route.isRelayed ? nil : route.endpoint, wasUnasked: isUnasked)
        let datagram = route.datagram(pong.encoded(key))
        send(datagram.bytes, to: datagram.endpoint)
    }
    private var unasked: Set<Route> = []

    private func answered(_ probe: Probe, _ route: Route) {
        let answer = finder?.ponged(probe.transaction, from: route, wasUnasked: probe.wasUnasked, now: network.now)
        guard answer == .proof else { return }
        heardFrom.insert(route.endpoint)
        if !route.isRelayed { budget.answered(route.endpoint) }
    }

    private func session(_ packet: SessionPacket, _ number: Int, _ route: Route) {
        heardFrom.insert(route.endpoint)
        let isNew = numbers.insert(number).inserted
        if finder == nil {
            guard !isDialler else { return }
            target = book.values.first
            var finder = PathFinder(
                own: [endpoint], accepted: route, cameUnasked: unasked.contains(route), limits: limits,
                random: random.split(), now: network.now)
            if let calledChannel {
                finder.offer(
                    [RemoteCandidate(.relayed(by: VirtualServer.endpoint, calledChannel), .relayed)], sequence: 0,
                    now: network.now)
            }
            self.finder = finder
            up()
        }
        guard isNew else { return }
        if keys == nil { up() }
        finder?.heard(from: route, now: network.now)
        let newly = packet.acknowledged - acknowledged
        if newly > 0 {
            unacknowledged.removeFirst(min(newly, unacknowledged.count))
            acknowledged = packet.acknowledged
        }
        for (offset, frame) in packet.frames.enumerated() where packet.first + offset == received {
            received += 1
            take(frame)
        }
        awaitAcknowledgement()
        if !packet.frames.isEmpty { transmit(onlyAcknowledging: true) }
    }

    /// The handshake is done.
    private func up() {
        keys = ProbeKey.session(binding: Array(repeating: 7, count: 32), isClient: isDialler)
        tellCandidates()
        if isDialler, punches {
            for (round, pause) in [0, 2, 5].enumerated() {
                network.after(.seconds(pause)) { [weak self] in self?.punch(round: round + 1) }
            }
        }
    }

    private func punch(round: Int) {
        guard let report = finder?.report, report.kind == .relayed else { return }
        punchBegan = network.now
        say(.punch(round: round, isAnswer: false))
    }

    private func take(_ frame: SessionPacket.Frame) {
        switch frame {
        case .hello: break
        case .candidates(let candidates): finder?.offer(candidates, sequence: 0, now: network.now)
        case .punch(let round, isAnswer: false):
            say(.punch(round: round, isAnswer: true))
            finder?.punch(at: network.now, now: network.now)
        case .punch(_, isAnswer: true):
            let trip = network.now.since(punchBegan ?? network.now)
            finder?.punch(at: network.now + Span(nanoseconds: trip.nanoseconds / 2), now: network.now)
        case .message(let number): messages.append((number, network.now))
        }
    }

    // MARK: What leaves

    func say(_ frame: SessionPacket.Frame) {
        unacknowledged.append((frame, nil))
        transmit()
        poll()
    }

    private func transmit(onlyAcknowledging: Bool = false) {
        guard let routes = finder?.routes, !routes.isEmpty else { return }
        // What was sent before goes again when its time comes, as everything new does at once.
        let frames = onlyAcknowledging ? [] : unacknowledged.map(\.frame)
        let packet = SessionPacket(acknowledged: received, first: acknowledged, frames: frames)
        if !frames.isEmpty {
            for index in unacknowledged.indices where unacknowledged[index].sent == nil {
                unacknowledged[index].sent = network.now
            }
            let trip = finder?.report?.roundTrip ?? .milliseconds(100)
            retransmission = network.now + max(.milliseconds(200), Span(nanoseconds: trip.nanoseconds * 2))
        }
        let bytes = contents.bytes(DatagramTag.session, .session(packet))
        for route in routes where loses?(route) != true {
            let datagram = route.datagram(bytes)
            if !route.isRelayed, !heardFrom.contains(route.endpoint) { stray += 1 }
            send(datagram.bytes, to: datagram.endpoint)
        }
        awaitAcknowledgement()
    }

    private func awaitAcknowledgement() {
        finder?.awaits(since: unacknowledged.first?.sent, now: network.now)
        if unacknowledged.isEmpty { retransmission = nil }
    }

    private func send(_ bytes: [UInt8], to place: Endpoint) {
        if place != VirtualServer.endpoint { sentTo.insert(place.address) }
        network.carry(Packet(source: endpoint, destination: place, bytes: bytes), in: segment) { [weak self] refused in
            guard let self else { return }
            finder?.unreachable(refused, now: network.now)
            poll()
        }
    }

    private func send(_ ping: Ping) {
        pingCount += 1
        let probe = Probe(.ping, reference: keys?.reference ?? reference, transaction: ping.transaction)
        guard let key = keys?.sending ?? target.map({ .dialled($0) }) else { return }
        switch ping.destination {
        case .route(let route):
            let datagram = route.datagram(probe.encoded(key))
            send(datagram.bytes, to: datagram.endpoint)
        case .lan:
            guard let target else { return }
            let question = Probe(.ping, reference: reference, transaction: ping.transaction)
            network.multicast(question.encoded(.dialled(target)), from: endpoint, in: segment)
        }
    }

    /// Does what is due, and sets the clock for what will be.
    func poll() {
        guard var finder else { return }
        for ping in finder.duePings(now: network.now, budget: &budget) { send(ping) }
        self.finder = finder
        let kind = finder.report?.kind
        if history.last?.kind != kind { history.append((kind, network.now)) }
        if finder.routes != lastRoutes {
            lastRoutes = finder.routes
            if !unacknowledged.isEmpty { transmit() }
        }
        if let retransmission, retransmission <= network.now { transmit() }
        guard let next = [self.finder?.deadline, retransmission].compactMap({ $0 }).min() else { return }
        if next <= network.now { spins += 1 }
        let moment = max(next, network.now + .microseconds(1))
        if let wake, wake > network.now, wake <= moment { return }
        wake = moment
        network.at(moment) { [weak self] in
            guard let self, wake == moment else { return }
            wake = nil
            poll()
        }
    }
}
