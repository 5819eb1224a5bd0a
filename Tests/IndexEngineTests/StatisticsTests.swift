// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Testing
import Wire

@testable import IndexEngine

struct StatisticsTests {
    private let query = #"{"req_type":"query","queried_uuid":"00000000-0000-4000-8000-000000000000"}"#

    @Test func `rates count whole seconds and remember the peak`() {
        var index = IndexHarness()
        let start = index.wall
        for count in [3, 7, 0, 2] {
            for _ in 0..<count { _ = index.send(query) }
            index.advance(.seconds(1))
        }
        let series = index.snapshot().queries
        #expect(series.perSecond == [3, 7, 0, 2])
        #expect(series.peak == RatePeak(perSecond: 7, time: WallTime(milliseconds: start.milliseconds + 1000)))
        #expect(index.snapshot().registrations.perSecond == [0, 0, 0, 0])
    }

    @Test(arguments: [119, 120, 121, 122, 100_000])
    func `history is bounded and a long sleep leaves no ghosts`(seconds: Int) {
        var index = IndexHarness()
        _ = index.send(query)
        index.advance(.seconds(seconds))
        let series = index.snapshot().queries.perSecond
        #expect(series.count == min(seconds, 120))
        #expect(series.reduce(0, +) == (seconds <= 120 ? 1 : 0))
    }

    @Test func `quantiles are at most an eighth too high`() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(perMille: 500) == nil)
        for value in 1...1000 { histogram.add(.microseconds(value)) }
        for (perMille, truth) in [(500, 500.0), (990, 990.0), (1000, 1000.0), (0, 1.0)] as [(UInt64, Double)] {
            let value = (histogram.quantile(perMille: perMille)?.milliseconds ?? 0) * 1000
            #expect(value >= truth && value <= truth * 1.125)
        }
        histogram.add(Span(nanoseconds: .max))
        histogram.add(.zero)
        #expect(histogram.quantile(perMille: 1000) == Span(nanoseconds: .max))
    }

    @Test func `handling times are forgotten after two minutes`() {
        var index = IndexHarness()
        _ = index.send(query)
        #expect(index.snapshot().latency.count == 1)
        index.advance(.seconds(60))
        #expect(index.snapshot().latency.count == 1)
        index.advance(.seconds(60))
        #expect(index.snapshot().latency.count == 0)
    }

    @Test(arguments: [511, 512, 513, 2000])
    func `the feed keeps the last 512`(count: Int) {
        var index = IndexHarness()
        for _ in 0..<count {
            _ = index.send(query)
            index.advance(.milliseconds(2))
        }
        let snapshot = index.snapshot()
        #expect(snapshot.feed.count == min(512, count))
        #expect(snapshot.feedLast == UInt64(count))
        let sequences = snapshot.feed.map(\.sequence)
        #expect(sequences == Array((UInt64(max(0, count - 512)) + 1)...UInt64(count)))
        #expect(index.snapshot(SnapshotRequest(feedAfter: UInt64(count) - 3)).feed.count == 3)
        #expect(index.snapshot(SnapshotRequest(feedAfter: .max)).feed.isEmpty)
    }

    @Test func `more than a thousand a second are sampled, and those left out have numbers`() {
        var index = IndexHarness()
        for _ in 0..<5000 { _ = index.send(query) }
        index.advance(.milliseconds(100))
        _ = index.send(query)
        let snapshot = index.snapshot()
        #expect(snapshot.feed.map(\.sequence) == Array(1...100) + [5000, 5001])
        #expect(snapshot.feedLast == 5001)
    }

    @Test func `noise leaves room for requests, and a peer that is watched is not left out`() {
        var index = IndexHarness()
        let peer = PeerID(high: 1, low: 2)
        _ = index.snapshot(SnapshotRequest(detail: peer))
        for _ in 0..<5000 { _ = index.send("noise") }
        for _ in 0..<500 { _ = index.send(query) }
        for _ in 0..<30 { _ = index.send(#"{"req_type":"query","queried_uuid":"\#(peer)"}"#) }
        let snapshot = index.snapshot(SnapshotRequest(detail: peer))
        #expect(snapshot.feed.count { $0.event.result == .ignored } == 4)
        #expect(snapshot.feed.count == 4 + 100 + 1 + 30)
        #expect(snapshot.detail?.queries.map(\.sequence) == Array((5511...5530).reversed()))
    }

    @Test func `keepalives stay out of the feed and out of the queries`() throws {
        var index = IndexHarness()
        let identity = Identity()
        guard case .registered(_, let lease?)? = try index.register(identity, from: .loopback(5)) else {
            Issue.record("refused")
            return
        }
        let before = index.snapshot().feedLast
        _ = try index.ask(.keepalive(.init(peer: identity.peer, token: lease.token)), from: .loopback(5))
        #expect(index.snapshot().feedLast == before)
        #expect(index.snapshot().counters.keepalives == 1)
        #expect(index.snapshot().counters.queries == 0)
    }

    @Test func `a snapshot survives its journey as JSON`() throws {
        var index = IndexHarness()
        _ = try index.register(Identity(), from: .loopback(5))
        _ = index.send(#"{"req_type":"registration","addr":"[2001:db8::1]:50001"}"#)
        _ = index.send(#"{"req_type":"query","queried_uuid":"no\u001bsuch\u202e"}"#)
        _ = index.send(query)
        _ = index.send("nonsense")
        index.service.recordLosses(receiveDrops: 3, sendErrors: 1)
        index.advance(.seconds(2))
        let request = SnapshotRequest(rows: RowRequest(sort: .address, filter: "!é", limit: 9), feedAfter: 0)
        let snapshot = index.service.snapshot(for: request, residentBytes: 21_000_000, now: index.now, wall: index.wall)
        let line = snapshot.json.encoded(.invisible)
        #expect(line.allSatisfy { (0x20...0x7E).contains($0) || $0 >= 0x80 })
        let read = try IndexSnapshot(json: JSONObject(parsing: line))
        #expect(read == snapshot)
        #expect(read.page.rows.count == 2)
        var relaying = snapshot
        relaying.relay.isOffered = true
        (relaying.relay.channels, relaying.relay.capacity, relaying.relay.tunnels) = (2, 10, 1)
        (relaying.relay.bytes, relaying.relay.datagrams, relaying.relay.overQuota) = (5, 4, 3)
        (relaying.relay.refused, relaying.relay.calls, relaying.relay.bytesPerSecond) = (6, 7, 8)
        relaying.relay.displaced = 9
        relaying.relay.pairs = [
            RelayPair(
                a: PeerID(high: 1, low: 2), b: PeerID(high: 3, low: 4), bytesPerSecond: 5, bytes: 6,
                idle: .milliseconds(1500), isTunnelledB: true)
        ]
        #expect(try IndexSnapshot(json: JSONObject(parsing: relaying.json.encoded(.invisible))) == relaying)
        #expect(try SnapshotRequest(json: JSONObject(parsing: request.json.encoded())) == request)
    }

    @Test func `damaged JSON is refused, never a trap`() throws {
        var index = IndexHarness()
        _ = index.send(query)
        let object = index.snapshot().json
        let oddities: [JSONValue] = [
            .null, .integer(-1), .integer(.max), .integer(.min), .number(.infinity), .number(-1e300), "x", .array([]),
            .object(JSONObject()),
        ]
        for member in object.members {
            for oddity in oddities {
                var damaged = object
                damaged[member.name] = oddity
                _ = try? IndexSnapshot(json: damaged)
            }
        }
        #expect(throws: WireError.self) { try IndexSnapshot(json: JSONObject()) }
    }

    @Test func `metrics carry the names of their Prometheus twins`() {
        var index = IndexHarness()
        _ = index.send(query)
        _ = index.send(#"{"req_type":"registration","addr":"127.0.0.1:50001"}"#)
        let object = index.snapshot().json
        #expect(object.integer("queries_total") == 1)
        #expect(object.integer("registrations_total") == 1)
        #expect(object["queries_by_result"] == .object(["hit": 0, "miss": 1, "invalid": 0]))
        guard case .array(let rows)? = object["registrations"], case .object(let row)? = rows.first else {
            Issue.record("no rows")
            return
        }
        #expect(row.members.map(\.name).prefix(4) == ["uuid", "address", "age_s", "expires_s"])
        #expect(row.string("address") == "127.0.0.1:50001")
        #expect(row.integer("expires_s") == 86_400)
    }

    @Test(arguments: [
        ("203.0.113.77:40112", "203.0.113.x:40112"), ("127.0.0.1:1", "127.0.0.1:1"),
        ("[2001:db8::77]:7001", "[2001:db8::x]:7001"), ("[2001:db8:1:2:3:4:5:6]:7", "[2001:db8:1:2::x]:7"),
        ("[::5:0:0:0:1]:7", "[0:0:0:5::x]:7"), ("[::1]:7", "[::1]:7"),
    ])
    func `a masked address names no machine`(address: String, masked: String) throws {
        #expect(try #require(Endpoint(address)).masked == masked)
    }
}
