// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Testing
import Traversal
import Wire

@testable import Sessions

@Suite struct ProbeTests {
    private let stranger = Endpoint(address: .v4(0x0A00_00F0), port: 4000)
    private let relay = Endpoint(address: .v4(0x0A00_00F9), port: 9000)

    private func ping(_ key: ProbeKey, reference: UInt64 = 0, number: UInt64 = 1) -> [UInt8] {
        Probe(.ping, reference: reference, transaction: ProbeTransaction(high: number, low: 2)).encoded(key)
    }

    private func answers(_ net: Net, _ node: Node, to bytes: [UInt8], from source: Endpoint) -> [Datagram] {
        let before = net.captured.count
        net.inject(bytes, from: source, to: node.endpoint)
        net.run(for: .milliseconds(50))
        return net.captured[before...].filter { $0.source == node.endpoint && $0.datagram.endpoint == source }
            .map(\.datagram)
    }

    @Test func `who knows the ID is answered, with as many octets, and told where it is`() throws {
        let net = Net()
        let node = net.node(1)
        let bytes = ping(.dialled(node.key.peer), reference: 99)
        let pongs = answers(net, node, to: bytes, from: stranger)
        try #require(pongs.count == 1)
        #expect(pongs[0].endpoint == stranger && pongs[0].bytes.count == bytes.count)
        let pong = try #require(Probe(pongs[0].bytes, key: .dialled(node.key.peer)))
        #expect(pong.kind == .pong && pong.reference == 99)
        #expect(pong.transaction == ProbeTransaction(high: 1, low: 2))
        #expect(pong.observed == stranger && pong.wasUnasked)
    }

    @Test func `who asks through a relay of ours is answered through it`() throws {
        let net = Net()
        let node = net.node(1)
        let channel = RelayChannel(5)
        let bytes = RelayDatagram.wrap(ping(.dialled(node.key.peer)), in: channel)
        net.perform(node, [.relays([relay])])
        let pongs = answers(net, node, to: bytes, from: relay)
        try #require(pongs.count == 1)
        #expect(pongs[0].endpoint == relay && pongs[0].bytes.count == bytes.count)
        let (back, inner) = try #require(RelayDatagram.unwrap(pongs[0].bytes))
        #expect(back == channel)
        let pong = try #require(Probe(inner, key: .dialled(node.key.peer)))
        #expect(pong.observed == nil && !pong.wasUnasked)
    }

    /// Else whoever knows an address and an ID could ask there who hides, and call his own address a relay.
    @Test(arguments: [true, false])
    func `what a stranger wraps as relayed gets no octet, and makes no session`(hides: Bool) throws {
        let net = Net()
        let (node, prober) = (net.node(1), net.node(3))
        net.perform(node, [.relays([relay]), .hide(hides)])
        let wrapped = RelayDatagram.wrap(ping(.dialled(node.key.peer)), in: RelayChannel(5))
        #expect(answers(net, node, to: wrapped, from: prober.endpoint).isEmpty)
        // The same address at another port is nobody's relay either.
        let beside = Endpoint(address: relay.address, port: relay.port + 1)
        #expect(answers(net, node, to: wrapped, from: beside).isEmpty)
        // Nor does a whole dial get in, whose packets it wraps itself.
        let claimed = Route.relayed(by: node.endpoint, RelayChannel(6))
        net.perform(prober, [.relays([node.endpoint])])
        let plan = DialPlan([RemoteCandidate(claimed, .relayed)], reference: 8)
        net.perform(prober, [.dial(SessionID(2), key: node.key, plan)])
        net.run(for: .seconds(8))
        #expect(prober.ups.isEmpty && node.ups.isEmpty && node.table.sessions.isEmpty)
        #expect(!net.captured.contains { $0.source == node.endpoint })
        // A relay that is one no longer is as strange.
        #expect(answers(net, node, to: wrapped, from: relay).count == 1)
        net.perform(node, [.relays([])])
        #expect(answers(net, node, to: wrapped, from: relay).isEmpty)
    }

    @Test func `nobody else is answered`() throws {
        let net = Net()
        let (client, server, _, _) = try #require(net.pair())
        let right = ping(.dialled(server.key.peer))
        for place in right.indices {
            var wrong = right
            wrong[place] ^= 1 << UInt8(place % 8)
            #expect(answers(net, server, to: wrong, from: stranger).isEmpty, "\(place)")
        }
        let pong = Probe(.pong, reference: 0, transaction: ProbeTransaction(high: 1, low: 2), observed: stranger)
        for bytes in [
            ping(.dialled(client.key.peer)), Array(right.dropLast()), right + [0], [DatagramTag.probe],
            pong.encoded(.dialled(server.key.peer)),
            RelayDatagram.wrap(RelayDatagram.wrap(right, in: RelayChannel(1)), in: RelayChannel(1)),
            RelayDatagram.wrap([], in: RelayChannel(1)),
        ] { #expect(answers(net, server, to: bytes, from: stranger).isEmpty) }
        #expect(answers(net, server, to: right, from: Endpoint(address: .v4(0xFFFF_FFFF), port: 4)).isEmpty)
        #expect(answers(net, server, to: right, from: Endpoint(address: .v4(0xEF4D_4D4D), port: 4)).isEmpty)
        #expect(answers(net, server, to: right, from: stranger).count == 1)
    }

    @Test func `a session's probes answer to its other side alone, and not to their own sender`() throws {
        let net = Net()
        let (client, server, _, _) = try #require(net.pair())
        net.run(for: .seconds(5))
        let binding = client.ups[0].binding
        let keys = SessionProbeKeys(binding: binding, isClient: true)
        let other = SessionProbeKeys(binding: [UInt8](repeating: 1, count: 32), isClient: true)
        let right = ping(keys.sending, reference: keys.reference, number: 77)
        #expect(answers(net, server, to: right, from: client.endpoint).count == 1)
        #expect(answers(net, client, to: right, from: server.endpoint).isEmpty)
        let foreign = ping(other.sending, reference: keys.reference)
        #expect(answers(net, server, to: foreign, from: client.endpoint).isEmpty)
    }

    @Test func `a ping that is called by a dial's reference makes its source a way to try`() throws {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        let unknown = Endpoint(address: .v4(0x0A00_0077), port: 4000)
        net.perform(client, [.dial(SessionID(2), key: server.key, DialPlan([], reference: 1234))])
        net.run(for: .milliseconds(300))
        #expect(net.captured.isEmpty)
        // Another reference leads nowhere, but is answered.
        #expect(answers(net, client, to: ping(.dialled(client.key.peer), reference: 1), from: unknown).count == 1)
        net.inject(
            ping(.dialled(client.key.peer), reference: 1234), from: server.endpoint, to: client.endpoint)
        #expect(net.run(for: .milliseconds(200)) { client.ups.count == 1 })
        #expect(client.attempts.first?.candidate == RemoteCandidate(.direct(server.endpoint), .observed))
    }

    @Test func `a welcome lets a dial in through a router that passes nothing unasked`() throws {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        var open: Set<[Endpoint]> = []
        net.tamper = { datagram, source in
            open.insert([source, datagram.endpoint])
            return open.contains([datagram.endpoint, source]) ? [datagram] : []
        }
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        net.perform(server, [.welcome(client.key, at: [client.endpoint], reference: 2, sequence: 1)])
        #expect(net.run(for: .seconds(2)) { client.ups.count == 1 && server.ups.count == 1 })
        #expect(client.paths.last??.kind != .direct)
    }

    @Test func `a welcome is five pings to each of two addresses, and 64 are made at a time`() throws {
        let net = Net()
        let server = net.node(2)
        let places = (0..<3).map { Endpoint(address: .v4(0x0A00_0100 | $0), port: 4000) }
        let caller = Identity().key
        let start = net.now
        var moments: [Span] = []
        net.tamper = { datagram, _ in
            if datagram.endpoint == places[0] { moments.append(net.now.since(start)) }
            return []
        }
        net.perform(
            server, [.welcome(caller, at: [.init(address: .v4(0), port: 1)] + places, reference: 9, sequence: 1)])
        net.perform(server, [.welcome(caller, at: places, reference: 9, sequence: 1)])
        net.run(for: .seconds(5))
        #expect(moments == [0, 100, 200, 400, 800].map { .milliseconds($0) })
        #expect(net.captured.count == 10 && Set(net.captured.map(\.datagram.endpoint)) == Set(places.prefix(2)))
        #expect(
            net.captured.allSatisfy { Probe($0.datagram.bytes, key: .dialled(caller.peer))?.reference == 9 })
        #expect(server.table.deadline == nil)
        let before = net.captured.count
        let crowd = (0..<200).map { Endpoint(address: .v4(0x0A00_0200 | $0), port: 4000) }
        net.perform(
            server,
            crowd.enumerated().map { .welcome(caller, at: [$1], reference: 100 + UInt64($0), sequence: 1) })
        net.run(for: .seconds(5))
        #expect(net.captured.count - before == 64 * 5)
        #expect(server.table.deadline == nil && server.events.isEmpty)
    }

    /// A server may invent callers, and their records, as many as it likes.
    @Test func `a server's word draws ten probes a minute to a victim, and ten in a record's life`() throws {
        let net = Net()
        let node = net.node(1)
        func drawn() -> Int { net.captured.count { $0.datagram.endpoint == stranger } }
        let start = net.now
        for number in 1...200 as ClosedRange<UInt64> {
            net.perform(node, [.welcome(Identity().key, at: [stranger], reference: number, sequence: number)])
            net.run(for: .milliseconds(250))
        }
        #expect(net.now.since(start) < .seconds(60) && drawn() == 10)
        // One record, hour after hour.
        for number in 1...60 as ClosedRange<UInt64> {
            net.run(for: .seconds(61))
            net.perform(node, [.welcome(Identity().key, at: [stranger], reference: 1000 + number, sequence: 999)])
        }
        net.run(for: .seconds(5))
        #expect(drawn() == 20)
        // A dial has its own: who was welcomed in vain may be written to.
        let plan = DialPlan([RemoteCandidate(.direct(stranger), .reflexive)], sequence: 999, reference: 5)
        net.perform(node, [.dial(SessionID(2), key: Identity().key, plan)])
        net.run(for: .seconds(6))
        #expect(drawn() == 30)
    }

    @Test func `a victim's address in a record draws 640 octets from a peer, however often it is dialled`() {
        let net = Net()
        let client = net.node(1)
        for number in 1...20 {
            let id = SessionID(UInt64(number) * 2)
            let plan = DialPlan(
                [RemoteCandidate(.direct(stranger), .reflexive), RemoteCandidate(.direct(stranger), .mapped)],
                sequence: 3, reference: UInt64(number))
            net.perform(client, [.dial(id, key: Identity().key, plan)])
            net.run(for: .seconds(6))
        }
        #expect(client.ends.count == 20)
        let drawn = net.captured.filter { $0.datagram.endpoint == stranger }.map(\.datagram.bytes.count)
        #expect(drawn.reduce(0, +) == 640)
    }

    @Test func `who hides neither answers nor probes directly, and lives through relays`() throws {
        let net = Net()
        let (client, server, prober) = (net.node(1), net.node(2), net.node(3))
        let relay = net.relay(between: client, and: server)
        let direct = RemoteCandidate(.direct(client.endpoint), .reflexive)
        net.perform(client, [.hide(true)])
        // Nobody gets in directly.
        net.perform(prober, [.dial(SessionID(2), key: client.key, at: [client.endpoint])])
        net.perform(client, [.welcome(prober.key, at: [prober.endpoint], reference: 2, sequence: 1)])
        net.run(for: .seconds(6))
        #expect(prober.ends == [.noAnswer])
        #expect(!net.captured.contains { $0.source == client.endpoint })
        // It dials through the relay alone, whatever it is offered.
        let all = [RemoteCandidate(.direct(server.endpoint), .reflexive), RemoteCandidate(relay, .relayed)]
        net.perform(client, [.dial(SessionID(2), key: server.key, DialPlan(all, reference: 5, searchesLAN: true))])
        #expect(net.run(for: .seconds(2)) { client.ups.count == 1 && server.ups.count == 1 })
        let accepted = try #require(server.ups.first?.id)
        net.perform(client, [.offer(SessionID(2), all, sequence: 1), .punch(SessionID(2), after: .zero)])
        net.perform(server, [.offer(accepted, [direct], sequence: 1), .punch(accepted, after: .zero)])
        net.perform(client, [.send(SessionID(2), frames: [[1]])])
        net.run(for: .seconds(20))
        #expect(server.frames == [[1]] && client.searched.isEmpty)
        #expect(
            net.captured.filter { $0.source == client.endpoint }.allSatisfy { $0.datagram.endpoint == relay.endpoint })
        net.perform(client, [.hide(false)])
        #expect(answers(net, client, to: ping(.dialled(client.key.peer)), from: stranger).count == 1)
    }

    @Test func `a search on this network finds who was dialled, and nobody else answers`() throws {
        let net = Net()
        let (client, server, other) = (net.node(1), net.node(2), net.node(3))
        net.perform(client, [.dial(SessionID(2), key: server.key, DialPlan([], reference: 6, searchesLAN: true))])
        net.run(for: .milliseconds(1))
        #expect(client.searched.count == 1 && net.captured.isEmpty)
        let search = try #require(client.searched.first)
        for node in [other, client] {
            net.inject(search, from: client.endpoint, to: node.endpoint)
            net.run(for: .milliseconds(20))
            #expect(net.captured.isEmpty)
        }
        net.inject(search, from: client.endpoint, to: server.endpoint)
        #expect(net.run(for: .milliseconds(50)) { client.ups.count == 1 })
        #expect(client.ups.map(\.at) == [server.endpoint])
        #expect(client.attempts.first?.candidate.origin == .lan)
        net.run(for: .seconds(5))
        let before = client.searched.count
        net.perform(client, [.dial(SessionID(4), key: Identity().key, DialPlan([], reference: 8, searchesLAN: true))])
        net.run(for: .seconds(5))
        #expect(client.searched.count - before == 3)
    }

    /// Somebody near hears the question, and answers as from anywhere.
    @Test func `a search that is answered in another's name draws ten probes to him, and no packet`() throws {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        net.tamper = { datagram, source in
            guard source == server.endpoint else { return [datagram] }
            net.inject(datagram.bytes, from: stranger, to: client.endpoint)
            return []
        }
        net.perform(client, [.dial(SessionID(2), key: server.key, DialPlan([], reference: 6, searchesLAN: true))])
        net.run(for: .milliseconds(1))
        net.inject(try #require(client.searched.first), from: client.endpoint, to: server.endpoint)
        net.run(for: .seconds(6))
        let drawn = net.captured.filter { $0.datagram.endpoint == stranger }.map(\.datagram.bytes.count)
        #expect(drawn == Array(repeating: Probe.size, count: 10))
        #expect(client.ends == [.noAnswer])
    }

    /// The other side of a session whose network lets it forge where packets come from.
    @Test func `who answers and asks in another's name draws 80 probes to him, all ports together`() throws {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        func victim(_ number: Int) -> Endpoint { Endpoint(address: stranger.address, port: UInt16(1 + number % 16)) }
        net.tamper = { datagram, source in
            if source == server.endpoint, Probe.peek(datagram.bytes)?.kind == .pong {
                for number in 0..<16 { net.inject(datagram.bytes, from: victim(number), to: client.endpoint) }
            }
            return [datagram]
        }
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        #expect(net.run(for: .seconds(2)) { client.ups.count == 1 })
        let keys = SessionProbeKeys(binding: client.ups[0].binding, isClient: false)
        for number in 0..<600 {
            let bytes = ping(keys.sending, reference: keys.reference, number: UInt64(number))
            net.inject(bytes, from: victim(number), to: client.endpoint)
            net.run(for: .milliseconds(100))
        }
        let drawn = net.probes.count {
            $0.datagram.endpoint.address == stranger.address && Probe.peek($0.datagram.bytes)?.kind == .ping
        }
        #expect((40...80).contains(drawn))
        #expect(client.ends.isEmpty)
    }

    @Test func `both sides learn where the other sees them`() throws {
        let net = Net()
        let (client, server, _, _) = try #require(net.pair())
        func seen(_ node: Node) -> [Endpoint] {
            node.events.compactMap { if case .observed(_, let endpoint) = $0 { endpoint } else { nil } }
        }
        net.run(for: .seconds(16))
        #expect(seen(client) == [client.endpoint] && seen(server) == [server.endpoint])
    }

    @Test func `pings from thousands of places leave nothing behind`() throws {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        net.perform(client, [.dial(SessionID(2), key: server.key, DialPlan([], reference: 31))])
        net.captures = false
        for number in 0..<5000 {
            let source = Endpoint(address: .v4(0x0B00_0000 | UInt32(number)), port: 4000)
            // Some know the dial's reference, too.
            let bytes = ping(.dialled(client.key.peer), reference: number % 2 == 0 ? 31 : 5, number: UInt64(number))
            net.inject(bytes, from: source, to: client.endpoint)
        }
        net.run(for: .seconds(2))
        let session = try #require(client.table.sessions[SessionID(2)])
        #expect(session.finder.attempts.count <= 9)
        #expect(client.table.sessions.count == 1)
        net.run(for: .seconds(5))
        #expect(client.table.sessions.isEmpty && client.table.deadline == nil)
    }

    @Test(arguments: [UInt64(41), 42])
    func `10,000 mutated probes and relayed datagrams do a session no harm`(seed: UInt64) throws {
        let net = Net(seed: seed)
        let (client, server) = (net.node(1), net.node(2))
        let relay = net.relay(between: client, and: server)
        let candidates = [RemoteCandidate(.direct(server.endpoint), .reflexive), RemoteCandidate(relay, .relayed)]
        net.perform(client, [.dial(SessionID(2), key: server.key, DialPlan(candidates, reference: 3))])
        #expect(net.run(for: .seconds(2)) { client.ups.count == 1 && server.ups.count == 1 })
        let accepted = try #require(server.ups.first?.id)
        net.perform(client, [.send(SessionID(2), frames: [[1]])])
        net.run(for: .seconds(20))
        let corpus = net.captured.map(\.datagram.bytes).filter { $0.first != DatagramTag.session }
        net.captures = false
        let keys = [true, false].map { SessionProbeKeys(binding: client.ups[0].binding, isClient: $0) }
        for number in 0..<(isSlow ? 1_000 : 10_000) {
            let (target, other) = number % 2 == 0 ? (server, client) : (client, server)
            var bytes = mutated(corpus, &net.chance)
            // A third is authentic nonetheless: the other side may go wrong.
            if number % 3 == 0, bytes.count >= Probe.size, bytes.first == DatagramTag.probe,
                let claim = Probe.peek(Array(bytes.prefix(Probe.size)))
            {
                let probe = Probe(
                    claim.kind, reference: keys[0].reference, transaction: claim.transaction,
                    observed: stranger, wasUnasked: number % 2 == 0)
                bytes = probe.encoded(keys[number % 2].sending)
            }
            let source = [stranger, other.endpoint, relay.endpoint][Int(net.chance.next() % 3)]
            net.inject(bytes, from: source, to: target.endpoint)
            if number % 10 == 9 { net.run(for: .milliseconds(5)) }
        }
        net.run(for: .seconds(1))
        #expect(client.ups.count == 1 && server.ups.count == 1)
        net.perform(client, [.send(SessionID(2), frames: [[7]])])
        net.perform(server, [.send(accepted, frames: [[8]])])
        #expect(net.run(for: .seconds(2)) { client.frames == [[8]] && server.frames == [[1], [7]] })
    }

    private func mutated(_ corpus: [[UInt8]], _ chance: inout SplitMix64) -> [UInt8] {
        guard var bytes = corpus.randomElement(using: &chance) else { return [] }
        for _ in 0...Int(chance.next() % 3) where !bytes.isEmpty {
            let place = Int(chance.next() % UInt64(bytes.count))
            switch chance.next() % 6 {
            case 0, 1: bytes[place] ^= 1 << UInt8(chance.next() % 8)
            case 2: bytes[place] = UInt8(truncatingIfNeeded: chance.next())
            case 3: bytes.removeLast(bytes.count - place)
            case 4: bytes += chance.bytes(1 + Int(chance.next() % 64))
            default: bytes = RelayDatagram.wrap(bytes, in: RelayChannel(chance.next() % 4))
            }
        }
        return bytes
    }
}
