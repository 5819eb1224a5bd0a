// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Support
import Testing
import Wire

/// The control socket: what displays in other processes see.
@Suite(.timeLimit(.minutes(1))) struct ControlTests {
    @Test func `a visitor sees what the server's own display sees`() async throws {
        let site = try await Site()
        let (socket, identity) = (try DatagramSocket(), Identity())
        _ = try socket.register(identity, at: site)
        _ = try socket.ask(#"{"req_type":"query","queried_uuid":"\#(identity.peer)"}"#, at: site.port)

        let visitor = try Visitor()
        try await visitor.enter(site.control)
        let seen = try await visitor.snapshot()
        let own = await site.server.snapshot(for: SnapshotRequest())
        #expect(seen.server == own.server && seen.counters == own.counters && seen.use == own.use)
        #expect(seen.page.rows.map(\.peer) == [identity.peer])
        #expect(seen.feed.map(\.event) == own.feed.map(\.event))
        #expect(seen.feed.map(\.event.result) == [.challenged, .new, .hit])
        #expect(try await visitor.snapshot(SnapshotRequest(feedAfter: seen.feedLast)).feed.isEmpty)
        await site.server.stop()
    }

    @Test func `many visitors at once, coming and going, each get their own rows`() async throws {
        let site = try await Site()
        let socket = try DatagramSocket()
        for host in 1...20 {
            _ = try socket.ask(#"{"req_type":"registration","addr":"10.0.0.\#(host):5000"}"#, at: site.port)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for host in 1...12 {
                group.addTask {
                    let visitor = try Visitor()
                    for _ in 0..<5 {
                        try await visitor.enter(site.control)
                        let request = SnapshotRequest(rows: RowRequest(filter: "10.0.0.\(host):"))
                        let page = try await visitor.snapshot(request).page
                        #expect(page.rows.map { "\($0.address)" } == ["10.0.0.\(host):5000"])
                        await visitor.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        await site.server.stop()
    }

    @Test func `beyond the limit a visitor is turned away, and who leaves makes room`() async throws {
        let site = try await Site()
        var visitors: [Visitor] = []
        for _ in 0..<ControlListener.connectionLimit {
            let visitor = try Visitor()
            try await visitor.enter(site.control)
            _ = try await visitor.snapshot()
            visitors.append(visitor)
        }
        let late = try Visitor()
        try await late.enter(site.control)
        #expect(await late.ask(Array("{}".utf8)) == nil)
        await visitors.removeLast().leave()
        // The server has heard of the leaving when it answers the next question, or the one after.
        for _ in 0..<2 { _ = try await visitors[0].snapshot() }
        try await late.enter(site.control)
        #expect(try await late.snapshot().server.version == "test")
        await site.server.stop()
    }

    @Test(arguments: ["", "junk", "{}", #"{"snapshot":7}"#, #"{"snapshot":{"rows":{}}}"#])
    func `a line that makes no sense gets an error, and the next one its answer`(line: String) async throws {
        let site = try await Site()
        let visitor = try Visitor()
        try await visitor.enter(site.control)
        let answer = try #require(await visitor.ask(Array(line.utf8)))
        #expect(try JSONObject(parsing: answer)["error"] != nil)
        #expect(try await visitor.snapshot().server.version == "test")
        await site.server.stop()
    }

    @Test func `a control socket in use is not taken over`() async throws {
        let site = try await Site()
        let listen = ListenAddress(address: .v4(0x7F00_0001), port: 0)
        let second = try IndexServer(
            IndexServerConfiguration(listen: listen, control: site.control, version: "test"), clocks: .system)
        await #expect(throws: NetworkError.self) { try await second.start() }
        let visitor = try Visitor()
        try await visitor.enter(site.control)
        #expect(try await visitor.snapshot().server.listen == "\(site.server.local)")
        await site.server.stop()
    }
}
