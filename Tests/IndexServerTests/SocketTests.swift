// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Support
import Testing
import Wire

/// The server over real sockets, with IPv4 and with IPv6.
@Suite(.timeLimit(.minutes(1))) struct SocketTests {
    @Test(arguments: [DatagramSocket.Family.v4, .v6])
    func `the original programs' datagrams get the original answers`(family: DatagramSocket.Family) async throws {
        let site = try await Site(family)
        let socket = try DatagramSocket(family)
        let registered = try #require(
            try socket.ask(#"{"req_type":"registration","addr":"127.0.0.1:50001"}"#, at: site.port))
        guard case .registered(let uuid, nil) = try IndexReply.parse(Array(registered.utf8)).reply else {
            Issue.record("no registration: \(registered)")
            return
        }
        #expect(registered == #"{"status":"OK","uuid":"\#(uuid)"}"#)
        let expected = [
            #"{"req_type":"query","queried_uuid":"\#(uuid)"}"#: #"{"address":"127.0.0.1:50001","uuid":"\#(uuid)"}"#,
            #"{"req_type":"query","queried_uuid":"nobody"}"#: #"{"address":"nil","uuid":"nobody"}"#,
            #"{"req_type":"query"}"#: #"{"address":"nil","id":"invalid_uuid"}"#,
        ]
        for (request, answer) in expected { #expect(try socket.ask(request, at: site.port) == answer) }
        await site.server.stop()
    }

    @Test(arguments: [DatagramSocket.Family.v4, .v6])
    func `a keyed peer registers by cookie, is found with its record and keeps its lease`(
        family: DatagramSocket.Family
    ) async throws {
        let site = try await Site(family)
        let (socket, identity) = (try DatagramSocket(family), Identity())
        let (lease, record) = try socket.register(identity, at: site)
        #expect(lease.seen == socket.source(family))

        let query = IndexRequest.query(.init(text: "\(identity.peer)", nonce: "n1"))
        let found = try socket.ask(query, at: site)
        #expect(found.reply == .answer(address: socket.source(family), text: "\(identity.peer)", record: record))
        #expect(found.size <= query.encoded().count, "no larger than what was asked")

        let alive = IndexRequest.keepalive(.init(peer: identity.peer, token: lease.token, nonce: "n2"))
        #expect(try socket.ask(alive, at: site).reply == .alive(boot: lease.boot, leaseSeconds: lease.seconds))
        let elsewhere = try DatagramSocket(family)
        #expect(try elsewhere.ask(alive, at: site).reply == .moved(boot: lease.boot, seen: elsewhere.source(family)))
        await site.server.stop()
    }

    @Test func `a wildcard port answers IPv4 and IPv6 from where it was asked`() async throws {
        let listen = ListenAddress(port: 0)
        let server = try IndexServer(
            IndexServerConfiguration(listen: listen, control: nil, version: "test"), clocks: .system)
        try await server.start()
        for family in [DatagramSocket.Family.v4, .v6] {
            let answer = try DatagramSocket(family).ask(#"{"req_type":"query"}"#, at: server.local.port)
            #expect(answer == #"{"address":"nil","id":"invalid_uuid"}"#)
        }
        await server.stop()
    }

    @Test func `after ten thousand datagrams of junk a query is answered as ever`() async throws {
        let site = try await Site()
        let (flood, socket) = (try DatagramSocket(), try DatagramSocket())
        var chance = SplitMix64(seed: 1)
        let samples = [
            Array(#"{"req_type":"query","queried_uuid":"00000000-0000-4000-8000-000000000000"}"#.utf8),
            Array(#"{"req_type":"registration","addr":"127.0.0.1:50001","uuid":7,"record":"AAAA"}"#.utf8),
            Array(#"{"req_type":"keepalive","uuid":"00000000-0000-8000-8000-000000000000","token":"AA"}"#.utf8),
            [],
        ]
        for _ in 0..<10_000 {
            var bytes = samples[Int(chance.next() % UInt64(samples.count))]
            if bytes.isEmpty {
                bytes = (0..<Int(chance.next() % 1400)).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
            } else {
                bytes[Int(chance.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: chance.next())
                bytes = Array(bytes.prefix(Int(1 + chance.next() % UInt64(bytes.count))))
            }
            try flood.send(bytes, to: site.port)
        }
        #expect(
            try socket.ask(#"{"req_type":"query"}"#, at: site.port) == #"{"address":"nil","id":"invalid_uuid"}"#)
        let snapshot = await site.server.snapshot(for: SnapshotRequest())
        #expect(snapshot.counters.ignored > 5000)
        await site.server.stop()
    }

    @Test func `a taken port is refused in one sentence`() async throws {
        let site = try await Site()
        let listen = ListenAddress(address: .v4(0x7F00_0001), port: site.port)
        let error = #expect(throws: NetworkError.self) {
            _ = try IndexServer(
                IndexServerConfiguration(listen: listen, control: nil, version: "test"), clocks: .system)
        }
        #expect(error?.description.contains("\(site.port) is taken") == true)
        await site.server.stop()
    }

    @Test func `a stopped server is silent and leaves no socket behind`() async throws {
        let site = try await Site()
        let socket = try DatagramSocket()
        #expect(try socket.ask(#"{"req_type":"query"}"#, at: site.port) != nil)
        await site.server.stop()
        #expect(try socket.ask(#"{"req_type":"query"}"#, at: site.port, tries: 1, each: .milliseconds(200)) == nil)
        let visitor = try Visitor()
        await #expect(throws: NetworkError.self) { try await visitor.enter(site.control) }
    }
}
