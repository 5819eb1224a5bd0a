// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model

/// Looks back at earlier snapshots: what a counter did in the last second, and in the last minute.
struct Trend: Equatable, Sendable {
    /// What is remembered of a snapshot.
    struct Mark: Equatable, Sendable {
        var uptime: Span
        var cpu: Span?
        var counters: IndexCounters
        var rowsWritten: UInt64
        /// Feed entries that never reached this display.
        var leftOut: UInt64
        var sources: [SourceRow]
        var relay = Relay()
    }

    /// What of a relay's numbers an operator should see rise.
    struct Relay: Equatable, Sendable {
        var overQuota: UInt64 = 0
        var refused: UInt64 = 0
        var displaced: UInt64 = 0
    }

    private static let second = Span.milliseconds(900)  // a timer is never quite on time
    private static let minute = Span.seconds(60)
    /// Rates over less than this jump about.
    private static let shortest = Span.milliseconds(100)

    /// Oldest first, about a second or more apart; only the first may be over a minute old.
    private var marks: [Mark] = []
    private var latest: Mark?
    /// Sources that were limited in the last minute.
    private(set) var limitedSources = 0

    /// Takes over what a snapshot brought.
    mutating func note(_ mark: Mark) {
        if let latest, mark.uptime < latest.uptime { self = Trend() }
        if let latest, marks.last.map({ latest.uptime.since($0.uptime) >= Self.second }) ?? true {
            marks.append(latest)
        }
        while marks.count > 1, mark.uptime.since(marks[1].uptime) >= Self.minute { marks.removeFirst() }
        latest = mark
        limitedSources = lately(\.counters.limited) > 0 ? countLimitedSources() : 0
    }

    /// How much a count rose in the last second or, if the display looks less often, since it last looked; `nil` before
    /// that can be told.
    func perSecond(_ count: (Mark) -> UInt64) -> UInt64? {
        guard let latest, let base else { return nil }
        return rate(count(base), count(latest), over: latest.uptime.since(base.uptime))
    }

    /// How much a count rose in the last minute, as far as this display looks back.
    func lately(_ count: (Mark) -> UInt64) -> UInt64 {
        guard let latest, let first = marks.first else { return 0 }
        return rise(count(first), count(latest))
    }

    /// CPU seconds per second; `nil` before that can be told.
    var load: Double? {
        guard let latest, let base, let now = latest.cpu, let then = base.cpu else { return nil }
        return now.since(then).seconds / latest.uptime.since(base.uptime).seconds
    }

    /// Each source's requests per second.
    var sourceRates: [Endpoint.Address: UInt64] {
        guard let latest, let base else { return [:] }
        let then = requests(of: base)
        let elapsed = latest.uptime.since(base.uptime)
        return requests(of: latest).reduce(into: [:]) { rates, now in
            rates[now.key] = rate(then[now.key] ?? 0, now.value, over: elapsed)
        }
    }

    /// The mark to measure rates from.
    private var base: Mark? {
        guard let latest else { return nil }
        let base = marks.last { latest.uptime.since($0.uptime) >= Self.second } ?? marks.first
        return base.flatMap { latest.uptime.since($0.uptime) >= Self.shortest ? $0 : nil }
    }

    private func requests(of mark: Mark) -> [Endpoint.Address: UInt64] {
        Dictionary(mark.sources.map { ($0.prefix, $0.requests) }, uniquingKeysWith: max)
    }

    private func countLimitedSources() -> Int {
        guard let latest, let first = marks.first else { return 0 }
        let then = Dictionary(first.sources.map { ($0.prefix, $0.limited) }, uniquingKeysWith: max)
        return latest.sources.count { $0.limited > then[$0.prefix] ?? 0 }
    }
}

extension Span {
    /// The time from `earlier` to this one; zero if `earlier` is longer.
    fileprivate func since(_ earlier: Span) -> Span {
        Span(nanoseconds: nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0)
    }
}

/// Counters only rise; a server that says otherwise rose by nothing.
private func rise(_ then: UInt64, _ now: UInt64) -> UInt64 { now > then ? now - then : 0 }

private func rate(_ then: UInt64, _ now: UInt64, over elapsed: Span) -> UInt64 {
    let rate = Double(rise(then, now)) / elapsed.seconds
    return rate < 0x1p63 ? UInt64(rate.rounded()) : .max
}
