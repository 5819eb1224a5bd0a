// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Traversal
import Wire

/// How a peer is connected to the internet.
enum Site: String, CaseIterable, Sendable, CustomStringConvertible {
    case open, firewall, fullCone, addressRestricted, portRestricted, symmetric, symmetricRandom, doubleNAT, blocked

    var description: String { rawValue }

    var behaviour: Gateway.Behaviour? {
        switch self {
        case .open: nil
        case .firewall: .init(mapping: .none, filtering: .port)
        case .fullCone: .init(mapping: .independent, filtering: .none)
        case .addressRestricted: .init(mapping: .independent, filtering: .address)
        case .portRestricted, .doubleNAT: .init(mapping: .independent, filtering: .port)
        case .symmetric: .init(mapping: .perDestination, filtering: .port)
        case .symmetricRandom: .init(mapping: .random, filtering: .port)
        case .blocked: .init(mapping: .none, filtering: .port, only: [VirtualServer.endpoint.address])
        }
    }
}

/// Two peers, a server, and what lies between them.
struct World {
    let network: VirtualNetwork
    let contents = Contents()
    let server: VirtualServer
    let alice: VirtualPeer
    let bob: VirtualPeer

    /// - Parameter delay: one way, between any two places on the internet.
    init(
        _ one: Site, _ other: Site, delay: Span = .milliseconds(50), loss: Int = 0, seed: UInt64 = 1,
        rejects: Bool = false
    ) {
        network = VirtualNetwork(delay: delay, seed: seed)
        server = VirtualServer(network, contents)
        let place = World.build(one, 1, network, rejects)
        let otherPlace = World.build(other, 2, network, rejects)
        alice = VirtualPeer("alice", at: place.0, in: place.1, network, contents)
        bob = VirtualPeer("bob", at: otherPlace.0, in: otherPlace.1, network, contents)
        begin(loss)
    }

    /// Both behind one gateway.
    init(behind behaviour: Gateway.Behaviour, delay: Span = .milliseconds(50)) {
        network = VirtualNetwork(delay: delay)
        server = VirtualServer(network, contents)
        let home = Segment(delay: .microseconds(300))
        let gateway = Gateway(
            behaviour, at: .v4(0xC633_6401), inside: home, outside: network.internet, seed: 5)
        precondition(home.uplink === gateway)
        alice = VirtualPeer(
            "alice", at: Endpoint(address: .v4(0xC0A8_0102), port: 50_001), in: home, network, contents)
        bob = VirtualPeer("bob", at: Endpoint(address: .v4(0xC0A8_0103), port: 50_002), in: home, network, contents)
        begin(0)
    }

    private func begin(_ loss: Int) {
        alice.book = ["bob": bob.id]
        bob.book = ["alice": alice.id]
        alice.register()
        bob.register()
        network.run(for: .seconds(1))
        alice.reflexive = server.seen["alice"]
        bob.reflexive = server.seen["bob"]
        alice.seenByServer = { [server] in server.seen["alice"] }
        bob.seenByServer = { [server] in server.seen["bob"] }
        network.loss = loss
    }

    /// A segment and an address in it: 198.51.100.N outside, 10.0.N.2 inside.
    static func build(
        _ site: Site, _ number: UInt32, _ network: VirtualNetwork, _ rejects: Bool = false
    ) -> (Endpoint, Segment) {
        let outside = Endpoint.Address.v4(0xC633_6400 + number)
        let port = UInt16(50_000 + number)
        guard var behaviour = site.behaviour else {
            return (Endpoint(address: outside, port: port), network.internet)
        }
        behaviour.rejects = rejects
        var street = network.internet
        var address = outside
        if site == .doubleNAT {
            let carrier = Segment(delay: .microseconds(300))
            _ = Gateway(behaviour, at: outside, inside: carrier, outside: street, seed: UInt64(number) * 31)
            street = carrier
            address = .v4(0x6440_0000 + number)
        }
        let home = Segment(delay: .microseconds(300))
        if behaviour.mapping == .none {
            // Its machines have public addresses; the gateway itself none that matters.
            _ = Gateway(
                behaviour, at: .v4(0xC633_64C8 + number), inside: home, outside: street, seed: UInt64(number))
            return (Endpoint(address: outside, port: port), home)
        }
        _ = Gateway(behaviour, at: address, inside: home, outside: street, seed: UInt64(number))
        return (Endpoint(address: .v4(0x0A00_0002 + number << 8), port: port), home)
    }

    /// What bob's record says.
    var record: [RemoteCandidate] { server.seen["bob"].map { [RemoteCandidate(.direct($0), .reflexive)] } ?? [] }

    func dial(sequence: UInt64 = 1) {
        alice.dial(bob, record, sequence: sequence)
        alice.say(.message(1))
    }

    /// Dialled, up, and quiet again.
    func settle() {
        dial()
        network.run(for: .seconds(12))
    }

    /// Lets nothing through between the two but by the relay.
    func cutDirect() {
        network.drops = {
            $0.source.address != VirtualServer.endpoint.address
                && $0.destination.address != VirtualServer.endpoint.address
        }
    }

    var kinds: [PathKind?] { [alice.finder?.report?.kind, bob.finder?.report?.kind] }
}
