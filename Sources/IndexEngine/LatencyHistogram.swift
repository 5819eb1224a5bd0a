// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// Handling times in buckets whose width grows with them: eight to each power of two, so a quantile is at most 12.5 %
/// above the truth.
struct LatencyHistogram {
    private static let perOctave = 8
    private var buckets = Array(repeating: UInt64(0), count: 64 * perOctave)
    private(set) var count: UInt64 = 0
    /// Of all times, in nanoseconds.
    private(set) var sum: UInt64 = 0

    mutating func add(_ span: Span) {
        buckets[Self.bucket(span.nanoseconds)] &+= 1
        count &+= 1
        sum &+= span.nanoseconds
    }

    /// How many were not above each bound; bounds that are powers of two of nanoseconds less one are exact.
    func cumulative(_ bounds: [UInt64]) -> [UInt64] {
        bounds.map { bound in
            buckets.indices.reduce(0) { Self.upperBound($1) <= bound ? $0 &+ buckets[$1] : $0 }
        }
    }

    mutating func merge(_ other: LatencyHistogram) {
        for index in buckets.indices { buckets[index] &+= other.buckets[index] }
        count &+= other.count
        sum &+= other.sum
    }

    mutating func clear() {
        for index in buckets.indices { buckets[index] = 0 }
        count = 0
        sum = 0
    }

    /// The time that so many of a thousand did not exceed; `nil` when nothing was measured.
    func quantile(perMille: UInt64) -> Span? {
        guard count > 0 else { return nil }
        let rank = max(1, (count / 1000) * min(perMille, 1000) + (count % 1000 * min(perMille, 1000) + 999) / 1000)
        var seen: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            seen &+= bucket
            if seen >= rank { return Span(nanoseconds: Self.upperBound(index)) }
        }
        return nil
    }

    private static func bucket(_ value: UInt64) -> Int {
        guard value >= 8 else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return (exponent - 2) * perOctave + Int(value >> UInt64(exponent - 3) & 7)
    }

    /// The greatest value that a bucket holds.
    private static func upperBound(_ index: Int) -> UInt64 {
        guard index >= perOctave else { return UInt64(index) }
        let exponent = UInt64(index / perOctave + 2)
        return (UInt64(8 + index % perOctave) << (exponent - 3)) | ((1 << (exponent - 3)) - 1)
    }
}

/// Handling times of the last one to two minutes.
struct RecentLatency {
    static let window = Span.seconds(60)
    private var current = LatencyHistogram()
    private var previous = LatencyHistogram()
    private var opened: Instant

    init(start: Instant) { opened = start }

    mutating func add(_ span: Span, now: Instant) {
        rotate(now)
        current.add(span)
    }

    mutating func summary(now: Instant) -> LatencySummary {
        rotate(now)
        var both = current
        both.merge(previous)
        return LatencySummary(
            count: both.count, median: both.quantile(perMille: 500) ?? .zero, p99: both.quantile(perMille: 990) ?? .zero
        )
    }

    private mutating func rotate(_ now: Instant) {
        let age = now.since(opened)
        guard age >= Self.window else { return }
        swap(&current, &previous)
        current.clear()
        if age >= Self.window + Self.window { previous.clear() }
        opened = now
    }
}

/// Handling times of each of the last seconds.
struct LatencyHistory: Sendable {
    private let start: Instant
    private var second: UInt64 = 0
    private var current = LatencyHistogram()
    private var ring = Array(repeating: LatencySample(median: 0, p99: 0), count: RateHistory.samples)

    init(start: Instant) { self.start = start }

    mutating func add(_ span: Span, now: Instant) {
        advance(to: now)
        current.add(span)
    }

    /// The closed seconds, oldest first.
    mutating func samples(now: Instant) -> [LatencySample] {
        advance(to: now)
        let first = second > UInt64(ring.count) ? second - UInt64(ring.count) : 0
        return (first..<second).map { ring[Int($0 % UInt64(ring.count))] }
    }

    private mutating func advance(to now: Instant) {
        let target = now.since(start).nanoseconds / 1_000_000_000
        guard target > second else { return }
        ring[Int(second % UInt64(ring.count))] = LatencySample(
            median: current.microseconds(perMille: 500), p99: current.microseconds(perMille: 990))
        if current.count > 0 { current.clear() }
        // After a long sleep every second between was quiet, but none needs clearing twice.
        for quiet in max(second + 1, target - min(target, UInt64(ring.count)))..<max(second + 1, target) {
            ring[Int(quiet % UInt64(ring.count))] = LatencySample(median: 0, p99: 0)
        }
        second = target
    }
}

extension LatencyHistogram {
    fileprivate func microseconds(perMille: UInt64) -> UInt32 {
        UInt32(clamping: (quantile(perMille: perMille)?.nanoseconds ?? 0) / 1000)
    }
}

/// How long the server took over each datagram lately, from reading it to having its answer.
public struct LatencySummary: Equatable, Sendable {
    /// Datagrams measured in the last one to two minutes.
    public var count: UInt64
    public var median: Span
    public var p99: Span

    public init(count: UInt64 = 0, median: Span = .zero, p99: Span = .zero) {
        self.count = count
        self.median = median
        self.p99 = p99
    }
}

extension Span {
    fileprivate static func + (left: Span, right: Span) -> Span {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return Span(nanoseconds: overflow ? .max : sum)
    }
}
