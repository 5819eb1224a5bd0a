// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Wire

/// One UDP datagram on its way.
struct Packet {
    var source: Endpoint
    var destination: Endpoint
    var bytes: [UInt8]
}

/// An internet without time or chance of its own: segments, gateways between them, delay and loss.
final class VirtualNetwork {
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    var random: RandomSource
    /// Of a hundred packets through the public segment, so many are lost.
    var loss = 0
    /// Up to so much more than the delay.
    var jitter = Span.zero
    /// What does not get through the public segment.
    var drops: ((Packet) -> Bool)?
    let internet: Segment
    /// Bytes that went to an address, whether anybody is there or not.
    private(set) var octets: [Endpoint.Address: Int] = [:]

    private var events: [(at: Instant, order: Int, action: () -> Void)] = []
    private var order = 0

    init(delay: Span, seed: UInt64 = 1) {
        random = .seeded(seed)
        internet = Segment(delay: delay)
    }

    func after(_ span: Span, _ action: @escaping () -> Void) { at(now + span, action) }

    func at(_ moment: Instant, _ action: @escaping () -> Void) {
        let moment = max(moment, now)
        order += 1
        var index = events.count
        while index > 0, events[index - 1].at <= moment { index -= 1 }
        // Soonest last, and of the same moment the first come last.
        events.insert((moment, order, action), at: index)
    }

    func run(for span: Span) {
        let end = now + span
        while let next = events.last, next.at <= end {
            events.removeLast()
            now = next.at
            next.action()
        }
        now = end
    }

    /// Runs until something is so.
    /// - Returns: after how long; `nil` when it took longer than `limit`.
    func run(atMost limit: Span, until isSo: () -> Bool) -> Span? {
        let start = now
        while !isSo() {
            guard let next = events.last, next.at <= start + limit else { return nil }
            events.removeLast()
            now = next.at
            next.action()
        }
        return now.since(start)
    }

    /// Carries a packet through one segment, and on from there.
    func carry(_ packet: Packet, in segment: Segment, origin: @escaping (Endpoint) -> Void) {
        let isPublic = segment === internet
        let place = packet.destination.address
        if isPublic { octets[place, default: 0] += packet.bytes.count }
        if segment.hosts[place] == nil, segment.gateways[place] == nil {
            guard let uplink = segment.uplink, let outgoing = uplink.outbound(packet) else { return }
            guard uplink.claims(place) else { return carry(outgoing, in: uplink.outside, origin: origin) }
            // A gateway that is asked for its own outside from its inside.
            guard uplink.behaviour.hairpins, let back = uplink.inbound(outgoing) else { return }
            return carry(back, in: uplink.inside, origin: origin)
        }
        if isPublic, drops?(packet) == true { return }
        if isPublic, loss > 0, Int.random(in: 0..<100, using: &random) < loss { return }
        let extra = isPublic ? Span(nanoseconds: .random(in: 0...jitter.nanoseconds, using: &random)) : .zero
        after(Span(nanoseconds: segment.delay.nanoseconds + extra.nanoseconds)) { [self] in
            if let host = segment.hosts[place] { return host(packet) }
            guard let gateway = segment.gateways[place] else { return }
            if let incoming = gateway.inbound(packet) { return carry(incoming, in: gateway.inside, origin: origin) }
            if gateway.behaviour.rejects { after(segment.delay) { origin(packet.destination) } }
        }
    }

    /// To every other host of a segment.
    func multicast(_ bytes: [UInt8], from source: Endpoint, in segment: Segment) {
        for (address, host) in segment.hosts.sorted(by: { "\($0.key)" < "\($1.key)" }) where address != source.address {
            after(segment.delay) {
                host(Packet(source: source, destination: Endpoint(address: address, port: 50_077), bytes: bytes))
            }
        }
    }
}

/// Machines that reach each other without a gateway.
final class Segment {
    let delay: Span
    var hosts: [Endpoint.Address: (Packet) -> Void] = [:]
    var gateways: [Endpoint.Address: Gateway] = [:]
    var uplink: Gateway?

    init(delay: Span) { self.delay = delay }
}

/// A router between a network and what lies beyond it (RFC 4787's terms).
final class Gateway {
    struct Behaviour {
        enum Mapping { case none, independent, perDestination, random }
        enum Filtering { case none, address, port }
        var mapping: Mapping
        var filtering: Filtering
        var hairpins = false
        /// Answers what it does not let in, instead of dropping it.
        var rejects = false
        /// Lets UDP through to these alone.
        var only: Set<Endpoint.Address>?
    }

    private struct Flow: Hashable {
        var inside: Endpoint
        var destination: Endpoint?
    }

    var behaviour: Behaviour
    let address: Endpoint.Address
    let inside: Segment
    let outside: Segment
    private var ports: [Flow: UInt16] = [:]
    private var insides: [UInt16: Endpoint] = [:]
    private var allowed: [Endpoint: Set<Endpoint>] = [:]
    private var nextPort: UInt16
    private var random: RandomSource

    init(_ behaviour: Behaviour, at address: Endpoint.Address, inside: Segment, outside: Segment, seed: UInt64) {
        self.behaviour = behaviour
        self.address = address
        self.inside = inside
        self.outside = outside
        random = .seeded(seed)
        nextPort = 20_000 + UInt16(truncatingIfNeeded: seed & 0xFFF)
        inside.uplink = self
        outside.gateways[address] = self
    }

    func claims(_ place: Endpoint.Address) -> Bool { behaviour.mapping != .none && place == address }

    /// Forgets everybody, as when it was restarted; the ports are others then.
    func restart() {
        ports = [:]
        insides = [:]
        allowed = [:]
        nextPort = nextPort &+ 1000
    }

    func outbound(_ packet: Packet) -> Packet? {
        if let only = behaviour.only, !only.contains(packet.destination.address) { return nil }
        let source = mapped(packet)
        allowed[source, default: []].insert(packet.destination)
        return Packet(source: source, destination: packet.destination, bytes: packet.bytes)
    }

    func inbound(_ packet: Packet) -> Packet? {
        if let only = behaviour.only, !only.contains(packet.source.address) { return nil }
        let known = allowed[packet.destination] ?? []
        let isLetIn =
            switch behaviour.filtering {
            case .none: true
            case .address: known.contains { $0.address == packet.source.address }
            case .port: known.contains(packet.source)
            }
        let inner = behaviour.mapping == .none ? packet.destination : insides[packet.destination.port]
        guard isLetIn, let inner else { return nil }
        return Packet(source: packet.source, destination: inner, bytes: packet.bytes)
    }

    private func mapped(_ packet: Packet) -> Endpoint {
        guard behaviour.mapping != .none else { return packet.source }
        let flow = Flow(
            inside: packet.source, destination: behaviour.mapping == .independent ? nil : packet.destination)
        let port = ports[flow] ?? newPort()
        ports[flow] = port
        insides[port] = packet.source
        return Endpoint(address: address, port: port)
    }

    private func newPort() -> UInt16 {
        repeat {
            nextPort = behaviour.mapping == .random ? .random(in: 1024...65_000, using: &random) : nextPort &+ 1
        } while insides[nextPort] != nil
        return nextPort
    }
}
