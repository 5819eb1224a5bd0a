// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Traversal
import Wire

@testable import Sessions

/// Tables of sessions on one simulated network under a hand-turned clock. Everything that happens follows from the
/// seed, but for the octets that cryptography draws.
final class Net {
    struct Flight {
        let due: Instant
        let order: Int
        let source: Endpoint
        let datagram: Datagram
    }

    /// What becomes of a datagram on its way.
    struct Weather {
        var delay = Span.milliseconds(1)
        /// Of a thousand datagrams.
        var lost = 0
        var doubled = 0
        /// Random extra delay: what is greater than the gap between two packets reorders them.
        var jitter = Span.zero
    }

    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private var nodes: [Node] = []
    private var places: [Endpoint: Node] = [:]
    /// What each relay passes on between which two.
    private var channels: [Endpoint: [RelayChannel: (Endpoint, Endpoint)]] = [:]
    /// Relays that pass nothing on.
    var deadRelays: Set<Endpoint> = []
    private var flights: [Flight] = []
    private var sent = 0
    var chance: SplitMix64
    var weather = Weather()
    /// How long a datagram takes between two places, where that is not what the weather says.
    var distance: (Endpoint, Endpoint) -> Span? = { _, _ in nil }
    /// Moments at which a node was woken by its own timer.
    private(set) var wakes: [ObjectIdentifier: Int] = [:]
    /// Sees, changes (or swallows) each datagram on its way, with its source.
    var tamper: (Datagram, Endpoint) -> [Datagram] = { datagram, _ in [datagram] }
    /// Everything that was sent, with its source.
    private(set) var captured: [(source: Endpoint, datagram: Datagram)] = []
    var captures = true

    init(seed: UInt64 = 1) { chance = SplitMix64(seed: seed) }

    @discardableResult
    func add(_ node: Node) -> Node {
        nodes.append(node)
        for endpoint in node.endpoints { places[endpoint] = node }
        node.table.perform([.networkChanged(addresses: node.endpoints.map(\.address))], now: now)
        return node
    }

    func node(_ number: UInt16, limits: SessionLimits = SessionLimits()) -> Node {
        add(Node(number, Identity(), limits: limits))
    }

    /// Gives a node other addresses: what is sent to the old ones is lost.
    func move(_ node: Node, to endpoints: [Endpoint], tells: Bool) {
        for endpoint in node.endpoints { places[endpoint] = nil }
        node.endpoints = endpoints
        for endpoint in endpoints { places[endpoint] = node }
        if tells { perform(node, [.networkChanged(addresses: endpoints.map(\.address))]) }
    }

    /// A channel between two nodes at a relay.
    func relay(_ number: UInt16 = 200, between one: Node, and other: Node) -> Route {
        let relay = Endpoint(address: .v4(0x0A00_0000 | UInt32(number)), port: 9000)
        let channel = RelayChannel(UInt64(channels[relay]?.count ?? 0) + 1)
        channels[relay, default: [:]][channel] = (one.endpoint, other.endpoint)
        for node in [one, other] {
            node.relays.insert(relay)
            perform(node, [.relays(node.relays)])
        }
        return .relayed(by: relay, channel)
    }

    /// Puts a datagram on the network as if `source` had sent it, past everything else.
    func inject(_ bytes: [UInt8], from source: Endpoint, to destination: Endpoint) {
        carry(Datagram(bytes, destination), from: source, after: weather.delay)
    }

    /// Lets time pass until `isDone`, or until so much has passed.
    /// - Returns: whether it got done.
    @discardableResult
    func run(for limit: Span, until isDone: () -> Bool = { false }) -> Bool {
        let end = now + limit
        for node in nodes { settle(node) }
        while !isDone() {
            let moments = nodes.compactMap { $0.table.deadline } + flights.map(\.due)
            guard let next = moments.min(), next <= end else {
                now = max(now, end)
                return isDone()
            }
            now = max(now, next)
            let arrived = flights.filter { $0.due <= now }.sorted { ($0.due, $0.order) < ($1.due, $1.order) }
            flights.removeAll { $0.due <= now }
            for flight in arrived {
                guard let node = places[flight.datagram.endpoint] else {
                    pass(flight)
                    continue
                }
                node.table.receive([Datagram(flight.datagram.bytes, flight.source)], now: now)
                settle(node)
            }
            for node in nodes where node.table.deadline.map({ $0 <= now }) ?? false {
                wakes[ObjectIdentifier(node), default: 0] += 1
                node.table.advance(to: now)
                settle(node)
            }
        }
        return true
    }

    func perform(_ node: Node, _ commands: [SessionCommand]) {
        node.table.perform(commands, now: now)
        settle(node)
    }

    func settle(_ node: Node) {
        let output = node.table.takeOutput(now: now)
        for datagram in output.datagrams { send(datagram, from: node.source(towards: datagram.endpoint)) }
        for bytes in output.lanProbes { node.searched.append(bytes) }
        node.events += output.events
        if node.consumes {
            let answers = output.events.compactMap { event -> SessionCommand? in
                guard case .frames(let id, let frames) = event else { return nil }
                return .consumed(id, bytes: frames.reduce(0) { $0 + $1.count })
            }
            if !answers.isEmpty { perform(node, answers) }
        }
    }

    /// What a relay does.
    private func pass(_ flight: Flight) {
        let relay = flight.datagram.endpoint
        guard let (channel, _) = RelayDatagram.unwrap(flight.datagram.bytes), !deadRelays.contains(relay),
            let (one, other) = channels[relay]?[channel], [one, other].contains(flight.source)
        else { return }
        send(Datagram(flight.datagram.bytes, flight.source == one ? other : one), from: relay)
    }

    private func send(_ datagram: Datagram, from source: Endpoint) {
        if captures { captured.append((source, datagram)) }
        for datagram in tamper(datagram, source) {
            let copies = Int(chance.next() % 1000) < weather.doubled ? 2 : 1
            for _ in 0..<copies where Int(chance.next() % 1000) >= weather.lost {
                let jitter = weather.jitter == .zero ? 0 : chance.next() % weather.jitter.nanoseconds
                carry(datagram, from: source, after: Span(nanoseconds: weather.delay.nanoseconds + jitter))
            }
        }
    }

    private func carry(_ datagram: Datagram, from source: Endpoint, after delay: Span) {
        sent += 1
        let delay = distance(source, datagram.endpoint) ?? delay
        flights.append(Flight(due: now + delay, order: sent, source: source, datagram: datagram))
    }
}

/// One machine on the simulated network.
final class Node {
    let identity: Identity
    var endpoints: [Endpoint]
    let table: SessionTable
    var events: [SessionEvent] = []
    /// What it sent to whoever listens on its network.
    var searched: [[UInt8]] = []
    /// Whether what comes is dealt with at once.
    var consumes = true
    /// Where it has channels.
    var relays: Set<Endpoint> = []

    init(
        _ number: UInt16, _ identity: Identity, also others: [Endpoint] = [], limits: SessionLimits = SessionLimits(),
        protocolName: String = QuicConnection.protocolName
    ) {
        self.identity = identity
        endpoints = [Endpoint(address: .v4(0x0A00_0000 | UInt32(number)), port: 4000)] + others
        table = SessionTable(
            identity: identity, localPort: 4000, limits: limits, protocolName: protocolName,
            random: .seeded(UInt64(number)))
    }

    /// The first of its addresses.
    var endpoint: Endpoint { endpoints.first ?? .loopback(1) }

    /// Where packets to a place leave from: its address in the same network of 16 bits, if it has one.
    func source(towards destination: Endpoint) -> Endpoint {
        func network(_ endpoint: Endpoint) -> UInt32? {
            if case .v4(let bits) = endpoint.address { bits >> 16 } else { nil }
        }
        return endpoints.first { network($0) == network(destination) } ?? endpoint
    }

    var key: PeerKey { identity.key }

    /// Sessions that are or were up, with the keys of their other sides.
    var ups: [(id: SessionID, key: PeerKey, at: Endpoint, binding: [UInt8])] {
        events.compactMap { event in
            guard case .up(let id, let key, let at, let binding) = event else { return nil }
            return (id, key, at.endpoint, binding)
        }
    }

    /// The routes that were told to be in use, one after the other.
    var paths: [PathReport?] {
        events.compactMap { event -> PathReport?? in
            guard case .path(_, let report) = event else { return nil }
            return .some(report)
        }
    }

    /// What became of each candidate at last.
    var attempts: [PathAttempt] {
        events.reduce([]) { last, event in
            guard case .attempts(_, let attempts) = event else { return last }
            return attempts
        }
    }

    var ends: [SessionEnd] {
        events.compactMap { event in
            guard case .closed(_, let end) = event else { return nil }
            return end
        }
    }

    var frames: [[UInt8]] {
        events.flatMap { event -> [[UInt8]] in
            guard case .frames(_, let frames) = event else { return [] }
            return frames
        }
    }
}

extension Net {
    /// Two nodes with a session between them; `nil` when it does not come up.
    func pair(
        limits: SessionLimits = SessionLimits()
    ) -> (client: Node, server: Node, dialled: SessionID, accepted: SessionID)? {
        let (client, server) = (node(1, limits: limits), node(2, limits: limits))
        let id = SessionID(2)
        perform(client, [.dial(id, key: server.key, at: [server.endpoint])])
        run(for: .seconds(5)) { !client.ups.isEmpty && !server.ups.isEmpty }
        guard let accepted = server.ups.first?.id, !client.ups.isEmpty else { return nil }
        return (client, server, id, accepted)
    }

    /// Those of what was sent that are packets of QUIC, and through no relay.
    var packets: [(source: Endpoint, datagram: Datagram)] {
        captured.filter { [DatagramTag.session, DatagramTag.dial].contains($0.datagram.bytes.first) }
    }

    /// Those that are probes, and through no relay.
    var probes: [(source: Endpoint, datagram: Datagram)] {
        captured.filter { $0.datagram.bytes.first == DatagramTag.probe }
    }
}
