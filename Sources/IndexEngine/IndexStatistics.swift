// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Everything that the server remembers of its traffic, in fixed memory. Nothing here is formatted until a display asks.
struct IndexStatistics: Sendable {
    var counters = IndexCounters()
    private var rates: RateHistory
    private var latency: RecentLatency
    private var feed = QueryFeed()

    init(start: Instant) {
        rates = RateHistory(start: start)
        latency = RecentLatency(start: start)
    }

    /// Counts a handled datagram. Keepalives that succeed stay out of the feed, which they would fill.
    mutating func record(_ event: IndexEvent, took: Span, now: Instant) {
        counters.count(event.result)
        if let kind = RateKind(event.result) { rates.count(kind, now: now) }
        latency.add(took, now: now)
        if event.result != .alive { feed.append(event, took: took) }
    }

    /// Fills in what the statistics know.
    mutating func describe(_ snapshot: inout IndexSnapshot, feedAfter: UInt64, now: Instant) {
        let wall = snapshot.time
        snapshot.counters = counters
        snapshot.queries = rates.series(.queries, now: now, wall: wall)
        snapshot.registrations = rates.series(.registrations, now: now, wall: wall)
        snapshot.keepalives = rates.series(.keepalives, now: now, wall: wall)
        snapshot.errors = rates.series(.errors, now: now, wall: wall)
        snapshot.latency = latency.summary(now: now)
        snapshot.feed = feed.entries(after: feedAfter)
        snapshot.feedLast = feed.last
    }
}
