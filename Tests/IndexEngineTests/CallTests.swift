// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import Model
import Relaying
import Testing
import Wire

/// A peer that is registered, at its address.
struct Registered {
    let identity = Identity()
    let address: Endpoint
    let token: [UInt8]
    let record: [UInt8]
    var peer: PeerID { identity.peer }

    init(at address: Endpoint, in index: inout IndexHarness) throws {
        self.address = address
        record = try index.record(identity, at: address)
        guard case .registered(_, let lease?)? = try index.register(identity.peer, record: record, from: address)
        else { throw Refused() }
        token = lease.token
    }

    func call(_ callee: PeerID, reference: UInt64 = 7, token: [UInt8]? = nil) -> IndexRequest {
        .call(.init(caller: peer, token: token ?? self.token, callee: callee, reference: reference, nonce: "n"))
    }

    struct Refused: Error {}
}

private let tunnel = Endpoint(address: .v6(0x0100_0000_0000_0000, 77), port: 1)

struct CallTests {
    private func site() throws -> (IndexHarness, Registered, Registered) {
        var index = IndexHarness(relay: RelayLimits())
        let alice = try Registered(at: .loopback(5), in: &index)
        return (index, alice, try Registered(at: .loopback(6), in: &index))
    }

    @Test func `a call gets a channel, and the other side is told where the caller is seen`() throws {
        var (index, alice, bob) = try site()
        let outcome = index.send(alice.call(bob.peer).encoded(), from: alice.address)
        guard case .calling(let channel?)? = try outcome.reply.map({ try IndexReply.parse($0).reply }) else {
            Issue.record("\(text(outcome.reply) ?? "silence")")
            return
        }
        #expect(outcome.notice?.destination == bob.address)
        let notice = try IndexNotice(JSONObject(parsing: #require(outcome.notice?.bytes)))
        #expect(
            notice
                == .call(
                    .init(
                        caller: alice.peer, address: alice.address, record: alice.record, reference: 7,
                        channel: channel)))
        #expect(outcome.event.operation == .call && outcome.event.result == .called)
        #expect(outcome.event.target == .peer(bob.peer))
        // Both have the same.
        #expect(try index.ask(bob.call(alice.peer), from: bob.address) == .calling(channel: channel))
        let relay = index.snapshot().relay
        #expect(relay.calls == 2 && relay.channels == 1 && relay.isOffered && relay.capacity == 10_000)
        #expect(relay.pairs.map { Set([$0.a, $0.b]) } == [[alice.peer, bob.peer]])
        #expect(index.snapshot(SnapshotRequest(wantsPairs: false)).relay.pairs.isEmpty)
    }

    @Test func `without a relay a call is told too, and gets no channel`() throws {
        var index = IndexHarness()
        let (alice, bob) = (
            try Registered(at: .loopback(5), in: &index), try Registered(at: .loopback(6), in: &index)
        )
        let outcome = index.send(alice.call(bob.peer).encoded(), from: alice.address)
        #expect(try outcome.reply.map { try IndexReply.parse($0).reply } == .calling(channel: nil))
        #expect(outcome.notice?.destination == bob.address)
        #expect(!index.snapshot().relay.isOffered && index.snapshot().relay.calls == 1)
    }

    @Test func `who is called hears of it from the address that it last wrote to`() throws {
        var (index, alice, bob) = try site()
        let places: [Endpoint.Address] = [
            .v4(0xC633_6401), .v6(0x2001_0DB8_0000_0000, 1), .v6(0xFE80_0000_0000_0000, 1),
        ]
        let numbers = places.map { index.service.number(of: $0, interface: 3) }
        #expect(Set(numbers).count == 3 && !numbers.contains(0))
        #expect(places.map { index.service.number(of: $0, interface: 3) } == numbers)
        #expect(index.service.number(of: places[0], interface: 4) == numbers[0])
        #expect(index.service.number(of: places[2], interface: 4) != numbers[2])
        for (address, number) in [(nil, 0)] + zip(places, numbers).map({ ($0, $1) }) as [(Endpoint.Address?, UInt8)] {
            let alive = IndexRequest.keepalive(.init(peer: bob.peer, token: bob.token, nonce: "k")).encoded()
            #expect(index.send(alive, from: bob.address, to: number).event.result == .alive)
            // A stranger with another's token changes nothing.
            _ = index.send(alive, from: alice.address, to: 9)
            index.advance(.seconds(2))
            let leg = index.send(alice.call(bob.peer).encoded(), from: alice.address, to: 8).notice?.leg
            #expect(leg?.remote == bob.address && leg?.local == address)
            #expect(leg?.interface == (number == numbers[2] ? 3 : 0))
        }
        // So many that there is no number left.
        for number in 0..<500 as Range<UInt32> { _ = index.service.number(of: .v4(number), interface: 0) }
        #expect(index.service.number(of: .v4(499), interface: 0) == 0)
        #expect(index.service.number(of: places[1], interface: 0) == numbers[1])
    }

    @Test func `who is not registered there is told so, and nobody else hears of it`() throws {
        var (index, alice, bob) = try site()
        let stranger = Identity().peer
        for (request, source, reply) in [
            (alice.call(stranger), alice.address, IndexReply.absent),
            (alice.call(alice.peer), alice.address, .absent),
            (alice.call(bob.peer), .loopback(99), .moved(boot: IndexHarness.info.boot, seen: .loopback(99))),
            (
                alice.call(bob.peer, token: bob.token), alice.address,
                .unknown(boot: IndexHarness.info.boot, spreadSeconds: 2)
            ),
            (alice.call(bob.peer, token: []), alice.address, .unknown(boot: IndexHarness.info.boot, spreadSeconds: 2)),
        ] {
            let outcome = index.send(request.encoded(), from: source)
            #expect(try outcome.reply.map { try IndexReply.parse($0).reply } == reply)
            #expect(outcome.notice == nil)
        }
        #expect(index.snapshot().relay.channels == 0)
        // A lease that is over is none.
        index.advance(.seconds(7201))
        #expect(index.send(alice.call(bob.peer).encoded(), from: alice.address).notice == nil)
    }

    private func place(_ network: UInt32, _ host: Int) -> Endpoint {
        Endpoint(address: .v4(0xC633_0000 | network << 8 | UInt32(host)), port: 7)
    }

    @Test func `one network's callers, however many, leave half of what a peer is told of to others`() throws {
        var index = IndexHarness(relay: RelayLimits())
        let bob = try Registered(at: place(9, 9), in: &index)
        var crowd: [Registered] = []
        for host in 1...60 { crowd.append(try Registered(at: place(1, host), in: &index)) }
        let alice = try Registered(at: place(2, 1), in: &index)
        index.advance(.seconds(5))
        var (told, heard) = (0, 0)
        for _ in 0..<5 {
            for (number, caller) in crowd.enumerated() {
                told += index.send(caller.call(bob.peer).encoded(), from: caller.address).notice == nil ? 0 : 1
                if number == 59 {
                    heard += index.send(alice.call(bob.peer).encoded(), from: alice.address).notice == nil ? 0 : 1
                }
                index.advance(.milliseconds(17))
            }
        }
        #expect(heard == 5, "she is told of each time")
        #expect((45...62).contains(told), "\(told)")
    }

    @Test func `a flood of calls from one network costs no other one its calls, and its own peers no lease`() throws {
        var limits = IndexLimits()
        limits.requests = .init(perSecond: 10, burst: 20)
        limits.registrations = .init(perSecond: 5, burst: 10)
        var index = IndexHarness(limits: limits, relay: RelayLimits())
        let bob = try Registered(at: place(9, 9), in: &index)
        let flooder = try Registered(at: place(1, 1), in: &index)
        let neighbour = try Registered(at: place(1, 2), in: &index)
        let alice = try Registered(at: place(2, 1), in: &index)
        index.advance(.seconds(60))
        let answered = (0..<1000).count { _ in
            index.send(flooder.call(bob.peer).encoded(), from: flooder.address).reply != nil
        }
        // What is proven has its own, smaller limit behind the one of all requests.
        #expect(answered == 10)
        #expect(index.send(alice.call(bob.peer).encoded(), from: alice.address).notice != nil)
        #expect(index.send(neighbour.call(bob.peer).encoded(), from: neighbour.address).reply == nil)
        index.advance(.milliseconds(1100))
        #expect(index.send(neighbour.call(bob.peer).encoded(), from: neighbour.address).notice != nil)
        // A neighbour who forges sources, and so proves nothing, uses up the network's requests: calls wait, leases
        // don't.
        index.advance(.seconds(60))
        for _ in 0..<1000 { _ = index.send(flooder.call(bob.peer, token: []).encoded(), from: place(1, 77)) }
        #expect(index.send(neighbour.call(bob.peer).encoded(), from: neighbour.address).reply == nil)
        let alive = IndexRequest.keepalive(.init(peer: neighbour.peer, token: neighbour.token, nonce: "k"))
        #expect(try index.ask(alive, from: neighbour.address) == .alive(boot: "1a2b3c4d", leaseSeconds: 7200))
        #expect(index.send(alice.call(bob.peer).encoded(), from: alice.address).notice != nil)
    }

    @Test func `a seed peer is absent: it could not check who calls`() throws {
        var (index, alice, _) = try site()
        guard
            case .registered(let seed, _)? = try index.ask(
                .registration(.init(address: .loopback(8))), from: .loopback(8))
        else {
            Issue.record("refused")
            return
        }
        let outcome = index.send(alice.call(seed).encoded(), from: alice.address)
        #expect(try outcome.reply.map { try IndexReply.parse($0).reply } == .absent)
        #expect(outcome.notice == nil)
    }

    @Test func `a pair is told once a second, and each call is answered`() throws {
        var (index, alice, bob) = try site()
        var told = 0
        for _ in 0..<100 {
            let outcome = index.send(alice.call(bob.peer).encoded(), from: alice.address)
            #expect(outcome.reply != nil)
            told += outcome.notice == nil ? 0 : 1
            index.advance(.milliseconds(100))
        }
        #expect(told == 10)
    }

    @Test func `whoever calls, nobody is told more than 20 times a second`() throws {
        var (index, _, bob) = try site()
        var callers: [Registered] = []
        for number in 0..<120 { callers.append(try Registered(at: .loopback(UInt16(1000 + number)), in: &index)) }
        index.advance(.seconds(5))
        let began = index.now
        var told = 0
        for _ in 0..<3 {
            for caller in callers {
                let outcome = index.send(caller.call(bob.peer).encoded(), from: caller.address)
                #expect(outcome.event.result == .called)
                told += outcome.notice == nil ? 0 : 1
                index.advance(.milliseconds(10))
            }
        }
        #expect(told <= 20 + Int(index.now.since(began).seconds * 20) && told >= 60)
    }

    @Test func `a call is never answered with more than it brought, nor does it fit an unproven source`() throws {
        var (index, alice, bob) = try site()
        for request in [
            alice.call(bob.peer), alice.call(Identity().peer), alice.call(bob.peer, token: []),
            IndexRequest.seen(nonce: "0123456789abcdef"),
        ] {
            for source in [alice.address, Endpoint(address: .v6(.max >> 3, .max), port: 65_535)] {
                let bytes = request.encoded()
                let outcome = index.send(bytes, from: source)
                #expect((outcome.reply?.count ?? 0) <= bytes.count && outcome.reply != nil, "\(request)")
                if source != alice.address { #expect(outcome.notice == nil) }
            }
        }
    }

    @Test func `a flood of calls ends at the limit for proven sources`() throws {
        var limits = IndexLimits()
        limits.registrations = .init(perSecond: 1, burst: 10)
        limits.limitsLoopback = true
        var index = IndexHarness(limits: limits)
        let (alice, bob) = (
            try Registered(at: .loopback(5), in: &index), try Registered(at: .loopback(6), in: &index)
        )
        let results = (0..<50).map { _ in index.send(alice.call(bob.peer).encoded(), from: alice.address).event.result }
        #expect(results.count { $0 == .called } == 8, "two went for the registrations")
        #expect(results.count { $0 == .limited } == 42)
    }

    @Test func `who asks is told where it is seen`() throws {
        var index = IndexHarness()
        #expect(try index.ask(.seen(nonce: "x"), from: .loopback(44)) == .seen(.loopback(44)))
        var reply: [UInt8] = []
        let asked = IndexRequest.seen(nonce: "x").encoded()
        let outcome = index.machine.handleSeen(
            asked.span, from: .loopback(45), now: index.now, wall: index.wall, reply: &reply)
        #expect(outcome.verdict == .reply && outcome.event.result == .seen)
        #expect(try IndexReply.parse(reply).reply == .seen(.loopback(45)))
        let query = IndexRequest.query(.init(text: "x", nonce: "n")).encoded()
        let other = index.machine.handleSeen(
            query.span, from: .loopback(45), now: index.now, wall: index.wall, reply: &reply)
        #expect(other.verdict == .silence)
    }

    @Test func `what a server offers comes with the cookie and the lease`() throws {
        var index = IndexHarness(relay: RelayLimits(), secondPort: 50_001)
        let offers = ServerOffers(relays: true, secondPort: 50_001)
        let identity = Identity()
        let record = try index.record(identity, at: .loopback(5))
        let signed = IndexRequest.Signed(peer: identity.peer, record: record)
        let first = try index.ask(.registration(.init(address: .loopback(5), signed: signed)), from: .loopback(5))
        guard case .cookie(_, _, offers)? = first else {
            Issue.record("\(String(describing: first))")
            return
        }
        let second = try index.register(identity.peer, record: record, from: .loopback(5))
        guard case .registered(_, let lease?)? = second else {
            Issue.record("\(String(describing: second))")
            return
        }
        #expect(lease.offers == offers)
    }
}

struct HiddenTests {
    /// Registers a record that is bound to the cookie it is presented with.
    private func register(
        _ identity: Identity, _ candidates: [Candidate], from source: Endpoint, in index: inout IndexHarness,
        presenting foreign: [UInt8]? = nil
    ) throws -> (reply: IndexReply?, record: [UInt8], cookie: [UInt8]) {
        let draft = IndexRequest.Signed(peer: identity.peer, record: [1])
        let first = try index.ask(.registration(.init(address: source, signed: draft)), from: source)
        guard case .cookie(let cookie, _, _)? = first else { throw Unexpected() }
        let record = try PeerRecord(
            key: identity.key, sequence: UInt64(index.wall.milliseconds), candidates: candidates,
            binding: PeerRecord.binding(to: foreign ?? cookie)
        ).signed(by: identity)
        let signed = IndexRequest.Signed(peer: identity.peer, record: record, cookie: cookie)
        let reply = try index.ask(.registration(.init(address: source, signed: signed)), from: source)
        return (reply, record, cookie)
    }

    private struct Unexpected: Error {}
    private let relayed = [Candidate(.relayed, .loopback(50_000))]

    @Test(arguments: [Endpoint.loopback(5), tunnel])
    func `a record that names no address hides it, from the scanner and the decoder`(source: Endpoint) throws {
        var index = IndexHarness()
        let identity = Identity()
        let (reply, record, _) = try register(identity, relayed, from: source, in: &index)
        guard case .registered? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        for query in [
            IndexRequest.query(.init(text: "\(identity.peer)")),
            .query(.init(text: "\(identity.peer)", nonce: "0123456789abcdef")),
        ] {
            let plain = query.encoded()
            // An escape is left to the decoder.
            let escaped =
                Array(#"{"req_type":"quer\u0079","#.utf8) + plain.dropFirst(#"{"req_type":"query","#.utf8.count)
            for bytes in [plain, escaped] {
                let outcome = index.send(bytes, from: .loopback(9))
                let expected = bytes.count > 600 ? record : nil
                #expect(
                    try outcome.reply.map { try IndexReply.parse($0).reply }
                        == .answer(address: nil, text: "\(identity.peer)", record: expected))
                #expect(outcome.event.result == .hit)
            }
        }
    }

    @Test func `one that names an address besides shows the source as ever`() throws {
        var index = IndexHarness()
        let identity = Identity()
        let mapped = [Candidate(.mapped, .loopback(4444))] + relayed
        _ = try register(identity, mapped, from: .loopback(5), in: &index)
        #expect(
            try index.ask(.query(.init(text: "\(identity.peer)")), from: .loopback(9))
                == .answer(address: .loopback(5), text: "\(identity.peer)", record: nil))
    }

    @Test func `a tunnel's address is never told, whatever the record names`() throws {
        var index = IndexHarness()
        let identity = Identity()
        _ = try register(identity, [Candidate(.mapped, .loopback(4444))], from: tunnel, in: &index)
        #expect(
            try index.ask(.query(.init(text: "\(identity.peer)")), from: .loopback(9))
                == .answer(address: nil, text: "\(identity.peer)", record: nil))
    }

    @Test func `a bound record read in an answer is of no use elsewhere`() throws {
        var index = IndexHarness()
        let (identity, thief) = (Identity(), Identity())
        let (_, record, _) = try register(identity, relayed, from: .loopback(5), in: &index)
        // The thief's own cookie is about his address.
        let denied = try index.register(identity.peer, record: record, from: .loopback(666))
        #expect(denied == .failed(reason: "foreign_address"))
        let other = try register(thief, relayed, from: .loopback(7), in: &index, presenting: [1, 2, 3])
        #expect(other.reply == .failed(reason: "foreign_address"))
        #expect(index.snapshot().page.rows.map(\.address) == [.loopback(5)])
    }

    @Test func `who calls without showing an address is called without one`() throws {
        var index = IndexHarness(relay: RelayLimits())
        let alice = Identity()
        let bob = try Registered(at: .loopback(6), in: &index)
        let (reply, record, _) = try register(alice, relayed, from: tunnel, in: &index)
        guard case .registered(_, let lease?)? = reply else {
            Issue.record("refused")
            return
        }
        let call = IndexRequest.call(
            .init(caller: alice.peer, token: lease.token, callee: bob.peer, reference: 1, nonce: "n"))
        let outcome = index.send(call.encoded(), from: tunnel, origin: .loopback(9))
        guard case .call(let told)? = try IndexNotice(JSONObject(parsing: #require(outcome.notice?.bytes))) else {
            Issue.record("no notice")
            return
        }
        #expect(told.address == nil && told.record == record && told.channel != nil)
        #expect(outcome.event.source == .loopback(9), "displays see where the connection comes from")
        #expect(index.snapshot().relay.pairs.count { $0.isTunnelledA != $0.isTunnelledB } == 1)
    }

    @Test func `a tunnel is limited by where its connection comes from`() throws {
        var limits = IndexLimits()
        limits.requests = .init(perSecond: 1, burst: 5)
        var index = IndexHarness(limits: limits)
        func limited(_ origin: (UInt32) -> UInt32) -> Int {
            (0..<20 as Range<UInt32>).count { number in
                let tunnel = Endpoint(address: .v6(0x0100_0000_0000_0000, UInt64(number) << 48), port: 1)
                let real = Endpoint(address: .v4(origin(number)), port: 4000)
                let query = Array(#"{"req_type":"query"}"#.utf8)
                return index.send(query, from: tunnel, origin: real).event.result == .limited
            }
        }
        #expect(limited { _ in 0xCB00_7101 } == 15)
        #expect(limited { 0x0900_0001 + $0 << 8 } == 0, "another network is not at fault")
    }
}

struct RoutingTests {
    private func route(_ index: IndexHarness, _ bytes: [UInt8], from source: Endpoint) -> RelayLeg? {
        index.service.route(bytes.span, by: RelayLeg(remote: source, local: .v4(1), interface: 2), now: index.now)
    }

    @Test func `a datagram goes from one of the two to the other, and from nobody else`() throws {
        var index = IndexHarness(relay: RelayLimits())
        let (alice, bob) = (
            try Registered(at: .loopback(5), in: &index), try Registered(at: .loopback(6), in: &index)
        )
        let eve = try Registered(at: .loopback(7), in: &index)
        guard case .calling(let channel?)? = try index.ask(alice.call(bob.peer), from: alice.address) else {
            Issue.record("no channel")
            return
        }
        let bytes = RelayDatagram.wrap([3, 1, 4], in: channel)
        #expect(route(index, bytes, from: alice.address) == RelayLeg(remote: bob.address))
        #expect(
            route(index, bytes, from: bob.address) == RelayLeg(remote: alice.address, local: .v4(1), interface: 2),
            "as it last wrote")
        #expect(route(index, bytes, from: eve.address) == nil)
        #expect(
            route(index, RelayDatagram.wrap([1], in: RelayChannel(channel.number &+ 16)), from: alice.address) == nil)
        let long = RelayDatagram.wrap([UInt8](repeating: 1, count: 1391), in: channel)
        #expect(route(index, long + [1], from: alice.address) == nil)
        #expect(route(index, long, from: alice.address) != nil)
        #expect(route(index, Array(bytes.prefix(9)), from: alice.address) == nil)
        // Where Bob is now, wherever that is.
        index.advance(.seconds(1))
        let record = try index.record(bob.identity, at: .loopback(66))
        #expect(try index.register(bob.peer, record: record, from: .loopback(66)) != nil)
        #expect(route(index, bytes, from: alice.address) == RelayLeg(remote: .loopback(66)))
        #expect(route(index, bytes, from: bob.address) == nil, "he left")
        index.advance(.seconds(7300))
        #expect(route(index, bytes, from: alice.address) == nil)
        let relay = index.snapshot().relay
        #expect(relay.datagrams == 4 && relay.refused == 6 && relay.bytes == UInt64(3 * 12 + 1400))
    }
}
