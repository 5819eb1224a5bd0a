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

    init(_ columns: Int, _ rows: Int, role: DashboardState.Role = .visitor, ascii: Bool = false, peers: Int = 4) {
        state = DashboardState(role: role, size: Size(columns: columns, rows: rows), ascii: ascii, now: time)
        self.rows = (0..<peers).map(Fixture.row)
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
        return IndexSnapshot(
            time: time, uptime: .seconds(3 * 86_400 + 4 * 3600 + 11 * 60),
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
    }

    var frame: Frame { Dashboard.view(state, size: state.size) }
    var screen: String { frame.lines.joined(separator: "\n") }
    /// The text of the row that is drawn reversed and marked.
    func selectedLine(_ mark: Character = "›") -> (row: Int, text: String)? {
        frame.lines.enumerated().first { $0.element.contains(mark) }.map { ($0.offset, $0.element) }
    }
}
