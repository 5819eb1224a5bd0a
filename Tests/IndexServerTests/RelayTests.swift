// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Queues
import Relaying
import Support
import Testing
import Wire

/// A peer with a socket of its own.
private struct Party {
    let identity = Identity()
    var socket: DatagramSocket
    var lease: IndexReply.Lease

    init(at site: Site, on socket: DatagramSocket? = nil) throws {
        self.socket = try socket ?? DatagramSocket(site.family)
        lease = try self.socket.register(identity, at: site).lease
    }

    /// Registers again, from another socket.
    mutating func move(at site: Site) throws {
        socket = try DatagramSocket(site.family)
        // A record's sequence counts milliseconds.
        pause(until: .now + .milliseconds(2))
        lease = try socket.register(identity, at: site).lease
    }

    func call(_ other: PeerID, reference: UInt64 = 9, token: [UInt8]? = nil) -> IndexRequest {
        .call(
            .init(
                caller: identity.peer, token: token ?? lease.token, callee: other, reference: reference, nonce: "n"))
    }
}

private func relaying(_ configuration: inout IndexServerConfiguration) { configuration.relay = RelayLimits() }

/// Peers that pass datagrams through a real server.
@Suite(.timeLimit(.minutes(1))) struct RelayTests {
    /// Two that have called each other; the notice is read.
    private func pair(at site: Site) throws -> (Party, Party, RelayChannel) {
        let (alice, bob) = (try Party(at: site), try Party(at: site))
        guard case .calling(let channel?) = try alice.socket.ask(alice.call(bob.identity.peer), at: site).reply,
            case .call(let told)? = try notice(bob.socket)
        else { throw Missing() }
        #expect(told.channel == channel && told.caller == alice.identity.peer && told.reference == 9)
        #expect(told.address == alice.socket.source(site.family))
        return (alice, bob, channel)
    }

    private func notice(_ socket: DatagramSocket, _ limit: Span = .seconds(10)) throws -> IndexNotice? {
        try socket.receive(limit).flatMap { try IndexNotice(JSONObject(parsing: $0)) }
    }

    private struct Missing: Error {}

    /// Nothing more is under way to a socket: what was sent last came.
    private func isQuiet(_ socket: DatagramSocket) throws -> Bool { try socket.receive(.milliseconds(150)) == nil }

    @Test(arguments: [DatagramSocket.Family.v4, .v6])
    func `two exchange through a channel, octet by octet, and the sender's address is the server's`(
        family: DatagramSocket.Family
    ) async throws {
        let site = try await Site(family, change: relaying)
        let (alice, bob, channel) = try pair(at: site)
        for size in [1, 64, 1232, RelayLimits.datagram - RelayDatagram.overhead] {
            let bytes = RelayDatagram.wrap((0..<size).map { UInt8(truncatingIfNeeded: $0) }, in: channel)
            try alice.socket.send(bytes, to: site.port)
            let (there, port) = try #require(try bob.socket.next())
            #expect(there == bytes && port == site.port)
            try bob.socket.send(bytes, to: site.port)
            #expect(try alice.socket.receive() == bytes)
        }
        let relay = try await site.snapshot { $0.relay.datagrams == 8 }.relay
        #expect(relay.channels == 1 && relay.refused == 0 && relay.overQuota == 0 && relay.calls == 1)
        await site.server.stop()
    }

    @Test func `who knows the channel's number can neither inject nor hear`() async throws {
        let site = try await Site(change: relaying)
        let (alice, bob, channel) = try pair(at: site)
        let eve = try Party(at: site)
        let stranger = try DatagramSocket()
        let bytes = RelayDatagram.wrap([1, 2, 3], in: channel)
        for socket in [eve.socket, stranger] { for _ in 0..<20 { try socket.send(bytes, to: site.port) } }
        try await site.snapshot { $0.relay.refused == 40 }
        try alice.socket.send(bytes, to: site.port)
        #expect(try bob.socket.receive() == bytes)
        for socket in [alice.socket, bob.socket, eve.socket, stranger] { #expect(try isQuiet(socket)) }
        await site.server.stop()
    }

    @Test func `a pair sends no more than its quota, which a reload widens`() async throws {
        let now = Lock(Clocks.system.monotonic())
        let clocks = Clocks(monotonic: { now.withLock { $0 } }, wall: Clocks.system.wall)
        let site = try await Site(clocks: clocks) {
            $0.relay = RelayLimits()
            $0.relay?.burst = 10_000
        }
        let (alice, bob, channel) = try pair(at: site)
        let bytes = RelayDatagram.wrap([UInt8](repeating: 1, count: 991), in: channel)
        for count in 1...30 as ClosedRange<UInt64> {
            try alice.socket.send(bytes, to: site.port)
            try await site.snapshot { $0.relay.datagrams + $0.relay.overQuota == count }
        }
        for _ in 0..<10 { #expect(try bob.socket.receive() == bytes) }
        #expect(try isQuiet(bob.socket))
        // A second brings 8,000 octets.
        now.withLock { $0 = $0 + .seconds(1) }
        for _ in 0..<20 { try alice.socket.send(bytes, to: site.port) }
        try await site.snapshot { $0.relay.datagrams + $0.relay.overQuota == 50 }
        let relay = await site.server.snapshot(for: SnapshotRequest()).relay
        #expect(relay.datagrams == 18 && relay.overQuota == 32)
        var wide = RelayLimits()
        wide.burst = 1_000_000
        site.server.reconfigure(relay: wide)
        for _ in 0..<20 { try alice.socket.send(bytes, to: site.port) }
        try await site.snapshot { $0.relay.datagrams == 38 }
        await site.server.stop()
    }

    @Test func `what is relayed follows a peer to its new address, and comes from there alone`() async throws {
        let site = try await Site(change: relaying)
        var (alice, bob, channel) = try pair(at: site)
        let (old, bytes) = (bob.socket, RelayDatagram.wrap([3, 3, 3], in: channel))
        try bob.move(at: site)
        try alice.socket.send(bytes, to: site.port)
        #expect(try bob.socket.receive() == bytes)
        #expect(try isQuiet(old))
        try old.send(bytes, to: site.port)
        try await site.snapshot { $0.relay.refused == 1 }
        try bob.socket.send(bytes, to: site.port)
        #expect(try alice.socket.receive() == bytes)
        try alice.move(at: site)
        try bob.socket.send(bytes, to: site.port)
        #expect(try alice.socket.receive() == bytes)
        await site.server.stop()
    }

    /// A router lets in only what comes from where its peer wrote to.
    @Test func `of several addresses, notices and the first relayed datagram leave from the one that was written to`()
        async throws
    {
        let site = try await Site {
            relaying(&$0)
            $0.listen = ListenAddress(port: 0)
        }
        let second: UInt32 = 0x7F00_0002
        let alice = try Party(at: site)
        let bob = try Party(at: site, on: DatagramSocket(towards: second))
        guard case .calling(let channel?) = try alice.socket.ask(alice.call(bob.identity.peer), at: site).reply else {
            throw Missing()
        }
        guard case .call? = try notice(bob.socket) else {
            Issue.record("the notice left from elsewhere")
            return
        }
        let bytes = RelayDatagram.wrap([4, 4], in: channel)
        try alice.socket.send(bytes, to: site.port)
        #expect(try bob.socket.receive() == bytes, "and he has sent nothing in the channel yet")
        await site.server.stop()
    }

    @Test func `a server that started anew knows no channel, says nothing and counts`() async throws {
        let first = try await Site(change: relaying)
        let (alice, bob, channel) = try pair(at: first)
        await first.server.stop()
        let second = try await Site(change: relaying)
        let bytes = RelayDatagram.wrap([1], in: channel)
        try alice.socket.send(bytes, to: second.port)
        try await second.snapshot { $0.relay.refused == 1 }
        #expect(try isQuiet(alice.socket))
        #expect(try isQuiet(bob.socket))
        // Their calls hear that they are unknown here.
        guard case .unknown = try alice.socket.ask(alice.call(bob.identity.peer), at: second).reply else {
            Issue.record("known")
            return
        }
        await second.server.stop()
    }

    @Test func `without a relay there is no channel, and what looks relayed is ignored`() async throws {
        let site = try await Site()
        let (alice, bob) = (try Party(at: site), try Party(at: site))
        #expect(!alice.lease.offers.relays)
        #expect(try alice.socket.ask(alice.call(bob.identity.peer), at: site).reply == .calling(channel: nil))
        guard case .call(let told)? = try notice(bob.socket) else {
            Issue.record("not told")
            return
        }
        #expect(told.channel == nil)
        try alice.socket.send(RelayDatagram.wrap([1], in: RelayChannel(1)), to: site.port)
        try await site.snapshot { $0.counters.ignored == 1 }
        #expect(try isQuiet(bob.socket))
        await site.server.stop()
    }

    @Test func `a call from elsewhere or with another's token tells nobody anything`() async throws {
        let site = try await Site(change: relaying)
        let (alice, bob, eve) = (try Party(at: site), try Party(at: site), try Party(at: site))
        let stolen = try eve.socket.ask(alice.call(bob.identity.peer), at: site).reply
        #expect(stolen == .moved(boot: alice.lease.boot, seen: eve.socket.source(.v4)))
        let forged = try eve.socket.ask(alice.call(bob.identity.peer, token: eve.lease.token), at: site).reply
        guard case .unknown = forged else {
            Issue.record("\(forged)")
            return
        }
        #expect(try isQuiet(bob.socket))
        #expect(await site.server.snapshot(for: SnapshotRequest()).relay.channels == 0)
        await site.server.stop()
    }

    @Test func `a flood of unknown channels costs a lookup each, and the server answers meanwhile`() async throws {
        let site = try await Site(change: relaying)
        let (alice, bob, channel) = try pair(at: site)
        let flood = try DatagramSocket()
        let bytes = RelayDatagram.wrap([0], in: channel)
        var sent: UInt64 = 0
        for round in 0..<50 as Range<UInt64> {
            for number in 0..<400 as Range<UInt64> {
                try flood.send(
                    RelayDatagram.wrap([UInt8](repeating: 0, count: 100), in: RelayChannel(round << 32 | number)),
                    to: site.port)
                sent += 1
            }
            try alice.socket.send(bytes, to: site.port)
            #expect(try bob.socket.receive() == bytes)
        }
        let seen = try await site.snapshot { $0.relay.refused + $0.counters.receiveDrops == sent }
        #expect(seen.relay.refused > 10_000 && seen.relay.channels == 1)
        #expect(try isQuiet(flood))
        await site.server.stop()
    }

    @Test func `the second port tells where one is seen, and nothing else`() async throws {
        let site = try await Site()
        let party = try Party(at: site)
        let second = try #require(party.lease.offers.secondPort)
        #expect(second == site.server.secondPort && second != site.port)
        for port in [site.port, second] {
            let seen = String(decoding: IndexRequest.seen(nonce: "n").encoded(), as: UTF8.self)
            let answer = try #require(try party.socket.ask(seen, at: port))
            #expect(try IndexReply.parse(Array(answer.utf8)).reply == .seen(party.socket.source(.v4)))
        }
        try party.socket.send(#"{"req_type":"query","queried_uuid":"x"}"#, to: second)
        try party.socket.send("nonsense", to: second)
        try await site.snapshot { $0.counters.ignored == 2 }
        #expect(try isQuiet(party.socket))
        await site.server.stop()
        let without = try await Site { $0.secondPort = nil }
        #expect(try Party(at: without).lease.offers == ServerOffers())
        await without.server.stop()
    }
}

/// What a tunnel would take.
private final class Pipe: TunnelSink {
    let taken = Lock<[Datagram]>([])

    func deliver(_ bytes: [UInt8], to endpoint: Endpoint) { taken.withLock { $0.append(Datagram(bytes, endpoint)) } }

    func next() async throws -> Datagram {
        let deadline = Instant.now + .seconds(20)
        while Instant.now < deadline {
            if let first = taken.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return first }
            await Task.yield()
        }
        throw Empty()
    }

    struct Empty: Error {}
}

@Suite(.timeLimit(.minutes(1))) struct TunnelledTests {
    private let synthetic = Endpoint(address: .v6(0x0100_0000_0000_0000, 0x1234), port: 1)
    private let real = Endpoint(address: .v4(0xCB00_7109), port: 4000)

    private func ask(_ request: IndexRequest, at site: Site, _ pipe: Pipe) async throws -> IndexReply {
        site.server.handleTunnelled(request.encoded(), from: synthetic, realSource: real)
        let answer = try await pipe.next()
        #expect(answer.endpoint == synthetic)
        return try IndexReply.parse(answer.bytes).reply
    }

    @Test(arguments: [false, true])
    func `a peer in a tunnel registers, is called, and talks with one outside`(isDurable: Bool) async throws {
        let store = try FakeStore()
        let site = try await Site {
            $0.relay = RelayLimits()
            if isDurable { $0.store = store }
        }
        let (pipe, alice) = (Pipe(), Identity())
        site.server.attach(pipe) { 1 }
        var signed = IndexRequest.Signed(peer: alice.peer, record: [1])
        guard
            case .cookie(let cookie, let seen, _) = try await ask(
                .registration(.init(address: synthetic, signed: signed)), at: site, pipe)
        else {
            Issue.record("no cookie")
            return
        }
        #expect(seen == synthetic)
        signed.cookie = cookie
        signed.record = try PeerRecord(
            key: alice.key, sequence: UInt64(Clocks.system.wall().milliseconds),
            candidates: [Candidate(.relayed, site.server.local)], binding: PeerRecord.binding(to: cookie)
        ).signed(by: alice)
        guard
            case .registered = try await ask(.registration(.init(address: synthetic, signed: signed)), at: site, pipe)
        else {
            Issue.record("no lease")
            return
        }
        let bob = try Party(at: site)
        guard case .calling(let channel?) = try bob.socket.ask(bob.call(alice.peer), at: site).reply else {
            Issue.record("no channel")
            return
        }
        let notice = try await pipe.next()
        #expect(try IndexNotice(JSONObject(parsing: notice.bytes)) != nil && notice.endpoint == synthetic)
        let bytes = RelayDatagram.wrap([1, 2, 3], in: channel)
        try bob.socket.send(bytes, to: site.port)
        #expect(try await pipe.next() == Datagram(bytes, synthetic))
        site.server.handleTunnelled(bytes, from: synthetic, realSource: real)
        #expect(try bob.socket.receive() == bytes)
        let snapshot = try await site.snapshot { $0.relay.datagrams == 2 }
        #expect(snapshot.relay.tunnels == 1)
        #expect(snapshot.relay.pairs.map { $0.isTunnelledA != $0.isTunnelledB } == [true])
        #expect(snapshot.sources.contains { $0.prefix == .v4(0xCB00_7100) })
        // Nobody comes in by a made-up address.
        site.server.handleTunnelled(bytes, from: bob.socket.source(.v4), realSource: real)
        site.server.handleTunnelled(bytes, from: Endpoint(address: .v6(0x0100 << 48, 9), port: 1), realSource: real)
        try await site.snapshot { $0.relay.refused == 1 }
        await site.server.stop()
    }
}
