// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What is measured per second.
public enum RateKind: Int, Sendable, CaseIterable {
    case queries, registrations, keepalives, errors

    init?(_ result: IndexResult) {
        switch result {
        case .hit, .miss, .invalid: self = .queries
        case .new, .renewed, .moved, .seed: self = .registrations
        case .alive, .roamed: self = .keepalives
        case .denied, .malformed, .ignored: self = .errors
        case .limited, .unready: self = .errors
        case .challenged, .called, .absent, .seen: return nil
        }
    }
}

/// The highest rate so far.
public struct RatePeak: Equatable, Sendable {
    /// Events in that second.
    public var perSecond: UInt32
    public var time: WallTime

    public init(perSecond: UInt32, time: WallTime) {
        self.perSecond = perSecond
        self.time = time
    }
}

/// One rate as displays see it.
public struct RateSeries: Equatable, Sendable {
    /// Events in each of the last whole seconds, oldest first, at most `RateHistory.samples`.
    public var perSecond: [UInt32]
    /// `nil` before the first event's second is over.
    public var peak: RatePeak?

    public init(perSecond: [UInt32] = [], peak: RatePeak? = nil) {
        self.perSecond = perSecond
        self.peak = peak
    }

    /// The last whole second.
    public var latest: UInt32 { perSecond.last ?? 0 }
}

/// Events per second over the last two minutes.
///
/// It keeps no timer: a second is closed when something happens or somebody looks after it, so an idle server sleeps.
struct RateHistory {
    /// Seconds kept.
    static let samples = 120
    private static let width = RateKind.allCases.count

    private let start: Instant
    /// Number of the open second since `start`.
    private var second: UInt64 = 0
    /// A ring of `samples + 1` seconds, the open one among them; `width` counts each.
    private var counts = Array(repeating: UInt32(0), count: (samples + 1) * width)
    private var peaks = Array(repeating: Peak(), count: width)

    private struct Peak {
        var count: UInt32 = 0
        var second: UInt64 = 0
    }

    init(start: Instant) { self.start = start }

    mutating func count(_ kind: RateKind, now: Instant) {
        advance(to: now)
        let slot = slot(second, kind)
        counts[slot] = counts[slot] == .max ? .max : counts[slot] + 1
    }

    /// The closed seconds of one kind, oldest first.
    mutating func series(_ kind: RateKind, now: Instant, wall: WallTime) -> RateSeries {
        advance(to: now)
        let first = second > UInt64(Self.samples) ? second - UInt64(Self.samples) : 0
        let peak = peaks[kind.rawValue]
        var series = RateSeries(perSecond: (first..<second).map { counts[slot($0, kind)] })
        if peak.count > 0 {
            let ago = Int64(clamping: now.since(start + .seconds(Int(clamping: peak.second))).nanoseconds / 1_000_000)
            series.peak = RatePeak(perSecond: peak.count, time: WallTime(milliseconds: wall.milliseconds - ago))
        }
        return series
    }

    private mutating func advance(to now: Instant) {
        let target = now.since(start).nanoseconds / 1_000_000_000
        guard target > second else { return }
        for kind in RateKind.allCases {
            let count = counts[slot(second, kind)]
            if count > peaks[kind.rawValue].count { peaks[kind.rawValue] = Peak(count: count, second: second) }
        }
        // After a long sleep every slot is stale, but none needs clearing twice.
        let cleared = min(target - second, UInt64(Self.samples + 1))
        for stale in (target - cleared + 1)...target {
            for kind in RateKind.allCases { counts[slot(stale, kind)] = 0 }
        }
        second = target
    }

    private func slot(_ second: UInt64, _ kind: RateKind) -> Int {
        Int(second % UInt64(Self.samples + 1)) * Self.width + kind.rawValue
    }
}
