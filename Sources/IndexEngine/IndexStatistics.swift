// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// One handled datagram, for the statistics.
public struct HandledEvent: Sendable {
    public var event: IndexEvent
    /// From reading the datagram to having its answer; a registration's until it is durable.
    public var took: Span
    public var now: Instant

    public init(event: IndexEvent, took: Span, now: Instant) {
        self.event = event
        self.took = took
        self.now = now
    }
}

/// Everything that the server remembers of its traffic, in fixed memory. Nothing here is formatted until a display
/// asks.
struct IndexStatistics: Sendable {
    var counters = IndexCounters()
    private var rates: RateHistory
    private var latency: RecentLatency
    private var history: LatencyHistory
    private(set) var total = LatencyHistogram()
    private var sources: SourceTally
    private var feed = QueryFeed()

    /// - Parameter secret: scatters sources over their table.
    init(start: Instant, secret: UInt64) {
        rates = RateHistory(start: start)
        latency = RecentLatency(start: start)
        history = LatencyHistory(start: start)
        sources = SourceTally(secret: secret)
    }

    /// Counts a handled datagram. Keepalives that succeed and what is left out by the limits stay out of the feed,
    /// which they would fill.
    mutating func record(_ handled: HandledEvent) {
        let result = handled.event.result
        counters.count(result)
        if let kind = RateKind(result) { rates.count(kind, now: handled.now) }
        sources.count(handled.event.source, result)
        guard result != .limited else { return }
        latency.add(handled.took, now: handled.now)
        history.add(handled.took, now: handled.now)
        total.add(handled.took)
        if result != .alive { feed.append(handled.event, took: handled.took, now: handled.now) }
    }

    /// Fills in what the statistics know.
    mutating func describe(_ snapshot: inout IndexSnapshot, for request: SnapshotRequest, now: Instant) {
        let wall = snapshot.time
        snapshot.counters = counters
        snapshot.queries = rates.series(.queries, now: now, wall: wall)
        snapshot.registrations = rates.series(.registrations, now: now, wall: wall)
        snapshot.keepalives = rates.series(.keepalives, now: now, wall: wall)
        snapshot.errors = rates.series(.errors, now: now, wall: wall)
        snapshot.latency = latency.summary(now: now)
        snapshot.latencyHistory = history.samples(now: now)
        snapshot.sources = sources.top
        snapshot.feed = feed.entries(after: request.feedAfter)
        snapshot.feedLast = feed.last
        guard let peer = request.detail else { return }
        feed.watch(peer)
        let address = snapshot.detail?.row?.address
        snapshot.detail?.queries = feed.entries(about: peer, at: address, limit: 20)
    }
}
