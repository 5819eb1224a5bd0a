// SPDX-License-Identifier: GPL-3.0-or-later
import DashboardScreen
import IndexEngine
import Model
import TerminalKit

/// A dashboard, and a server that answers it as a real one would.
struct Fixture {
    var state: DashboardState
    /// Rows of the server, already in order.
    var rows: [RegistrationRow]
    var events: [FeedEntry] = []
    var time = WallTime(milliseconds: 1_795_357_867_112)  // Sun 22 Nov 2026 14:31:07.112 UTC
    var effects: [DashboardEffect] = []
    /// What is special about the server's answers from now on.
    var change: (inout IndexSnapshot) -> Void = { _ in }

    private static let start = WallTime(milliseconds: 1_795_357_867_112 - (3 * 86_400 + 4 * 3600 + 11 * 60) * 1000)

    init(_ columns: Int, _ rows: Int, role: DashboardState.Role = .visitor, ascii: Bool = false, peers: Int = 4) {
        state = DashboardState(role: role, size: Size(columns: columns, rows: rows), ascii: ascii, now: time)
        self.rows = (0..<peers).map(Fixture.row)
    }

    /// A server with a million peers and 200,000 queries a second, in its second second, with its store behind it.
    static func busy(_ columns: Int, _ rows: Int, ascii: Bool = false, peers: Int = 4) -> Fixture {
        var fixture = Fixture(columns, rows, ascii: ascii, peers: peers)
        /// The server sends every so manieth entry: five of 198,400 a second.
        func load(_ seconds: UInt64) -> (inout IndexSnapshot) -> Void {
            { snapshot in
                snapshot.feedLast = 198_400 * seconds
                snapshot.feed = (0..<5).map { number in
                    FeedEntry(
                        sequence: 198_400 * seconds - UInt64(4 - number) * 40_000,
                        event: event(number, time: snapshot.time), microseconds: 3)
                }
                snapshot.cpu = .milliseconds(Int(100_000 + seconds * 1400))
                snapshot.loops = 2
                snapshot.store = StoreHealth(
                    kind: "sqlite", waiting: 3, commits: 900 * seconds, rowsWritten: 12_345 * seconds,
                    latency: LatencySummary(count: 900, median: .microseconds(800), p99: .microseconds(2100)),
                    bytes: 85_123_456)
                snapshot.use = RegistryUse(keyed: 999_000, seeds: 1000, recordBytes: 300_000_000)
                snapshot.residentBytes = 412_000_000
                snapshot.counters.hits = 200_000 * seconds
                snapshot.queries.perSecond.append(200_000)
                snapshot.sources[0].requests += 150_000 * seconds
            }
        }
        fixture.refresh(after: 0, load(1))
        fixture.refresh(after: 1, load(2))
        fixture.refresh(after: 1, load(3))
        fixture.press(Key(.down))
        return fixture
    }

    /// Every third a seed peer; each later one expires later.
    static func row(_ number: Int) -> RegistrationRow {
        let isSeed = number % 3 == 2
        let high = UInt64(0x4F2A_91C0 + number) << 32 | (isSeed ? 0x4000 : 0x8000)
        return RegistrationRow(
            peer: PeerID(high: high, low: 0x8000_0000_0000_0000 | UInt64(number)),
            address: number % 4 == 1
                ? Endpoint(address: .v6(0x2001_0DB8_0000_0000, UInt64(number)), port: 7001)
                : Endpoint(address: .v4(0xCB00_7100 + UInt32(number % 256)), port: 40_112),
            age: .seconds(12 + number * 700), expires: .seconds(9 + number * 1100), lease: .seconds(7200),
            sequence: isSeed ? nil : 1_795_357_000_000 + UInt64(number))
    }

    static func event(_ number: Int, time: WallTime) -> IndexEvent {
        let source = Endpoint(address: .v4(0xC000_0200 + UInt32(number % 200)), port: 5000)
        let results: [(IndexOperation, IndexTarget, IndexResult)] = [
            (.query, .peer(row(0).peer), .hit), (.registration, .peer(row(1).peer), .renewed),
            (.query, .text("no\u{1b}such"), .invalid), (.registration, .peer(row(3).peer), .denied(.badSignature)),
            (.query, .peer(row(9).peer), .miss),
        ]
        let (operation, target, result) = results[number % results.count]
        return IndexEvent(time: time, operation: operation, source: source, target: target, result: result)
    }

    mutating func happen(_ count: Int) {
        for _ in 0..<count {
            let number = events.count
            events.append(
                FeedEntry(
                    sequence: UInt64(number + 1), event: Self.event(number, time: time),
                    microseconds: UInt32(95 + number % 100)))
        }
    }

    @discardableResult
    mutating func send(_ event: DashboardEvent) -> [DashboardEffect] {
        let new = Dashboard.update(&state, event)
        effects += new
        return new
    }

    @discardableResult
    mutating func press(_ keys: Key...) -> [DashboardEffect] { keys.flatMap { send(.terminal(.key($0))) } }

    mutating func type(_ text: String) { text.forEach { press(.char($0)) } }

    /// The server answers what the dashboard asks for.
    mutating func refresh() { send(.snapshot(snapshot())) }

    /// The next answer, some seconds later.
    mutating func refresh(after seconds: Int, _ change: @escaping (inout IndexSnapshot) -> Void) {
        pass(seconds: seconds)
        self.change = change
        refresh()
    }

    mutating func pass(seconds: Int) { time = WallTime(milliseconds: time.milliseconds + Int64(seconds) * 1000) }

    func snapshot(boot: String = "1a2b3c4d") -> IndexSnapshot {
        let request = state.request
        var counters = IndexCounters()
        counters.hits = 410
        counters.misses = 2
        counters.malformed = 3
        counters[.badSignature] = 12
        var first = min(max(0, request.rows.offset), max(0, rows.count - request.rows.limit))
        let shown = request.rows.descending ? rows.reversed() : rows
        if let anchor = request.rows.anchor, let place = shown.firstIndex(where: { $0.peer == anchor.peer }) {
            first = min(max(0, place - anchor.position), max(0, rows.count - request.rows.limit))
        }
        var snapshot = IndexSnapshot(
            time: time, uptime: .milliseconds(Int(time.milliseconds - Self.start.milliseconds)),
            server: ServerInfo(version: "0.4.1", listen: "[::]:50000", control: "/run/parley-index/ctl", boot: boot),
            counters: counters,
            queries: RateSeries(
                perSecond: (0..<120).map { UInt32($0 * 37 % 412) } + [412], peak: RatePeak(perSecond: 733, time: time)),
            registrations: RateSeries(perSecond: [0, 1, 0, 9]), keepalives: RateSeries(perSecond: [6]),
            errors: RateSeries(perSecond: [0, 0, 1, 0]),
            latency: LatencySummary(count: 412, median: .microseconds(200), p99: .microseconds(1900)),
            use: RegistryUse(keyed: rows.count - rows.count / 3, seeds: rows.count / 3, recordBytes: 600),
            residentBytes: 21_000_000,
            page: RowPage(
                request: request.rows, offset: first, rows: Array(shown.dropFirst(first).prefix(request.rows.limit)),
                matching: rows.count),
            feed: events.filter { $0.sequence > request.feedAfter }.suffix(512), feedLast: UInt64(events.count))
        snapshot.latencyHistory = (0..<120 as Range<UInt32>).map { second in
            LatencySample(median: 180 + second % 7 * 10, p99: 900 + second * 53 % 1000)
        }
        snapshot.sources = Self.sources
        snapshot.detail = request.detail.map(detail)
        change(&snapshot)
        return snapshot
    }

    private static let sources = [
        SourceRow(prefix: .v4(0xCB00_7100), requests: 300, errors: 3, limited: 0),
        SourceRow(prefix: .v6(0x2001_0DB8_0001_0000, 0), requests: 120, errors: 9, limited: 5),
        SourceRow(prefix: .v4(0xC000_0200), requests: 7, errors: 0, limited: 0),
    ]

    private func detail(of peer: PeerID) -> PeerDetail {
        let entries = events.reversed().filter { $0.event.target == .peer(peer) }.prefix(20)
        return PeerDetail(
            peer: peer, row: rows.first { $0.peer == peer }, record: Array(repeating: 7, count: 312),
            queries: Array(entries))
    }

    var frame: Frame { Dashboard.view(state, size: state.size) }
    var screen: String { frame.lines.joined(separator: "\n") }
    /// The text of the row that is drawn reversed and marked.
    func selectedLine(_ mark: Character = "›") -> (row: Int, text: String)? {
        frame.lines.enumerated().first { $0.element.contains(mark) }.map { ($0.offset, $0.element) }
    }
}
