// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How many probes an address may get that never answered one: what an attacker who registers somebody else's address can
/// make all of us send there. Addresses that answered cost nothing. Bounded: the oldest entries go.
public struct ProbeBudget: Sendable {
    private struct Key: Hashable {
        var endpoint: Endpoint
        var sequence: UInt64
    }
    private struct Spent {
        var count: Int
        var since: Instant
    }

    private let tries: Int
    private var spent = RecentTable<Key, Spent>(limit: ProbeBudget.limit)
    private var known = RecentTable<Endpoint, Bool>(limit: ProbeBudget.limit)

    /// Addresses of either kind that are remembered.
    public static let limit = 4096
    /// After so long an address may be tried anew that no record named: it was told inside a session, or seen.
    static let renewal = Span.seconds(60)

    public init(limits: PathLimits = PathLimits()) { tries = limits.tries }

    /// Takes one probe for an address that a record of this sequence named, 0 for what no record named.
    /// - Returns: whether there is one left.
    public mutating func take(_ endpoint: Endpoint, sequence: UInt64, now: Instant) -> Bool {
        if known[endpoint] != nil { return true }
        let key = Key(endpoint: endpoint, sequence: sequence)
        var entry = spent[key] ?? Spent(count: 0, since: now)
        if sequence == 0, now.since(entry.since) >= ProbeBudget.renewal { entry = Spent(count: 0, since: now) }
        guard entry.count < tries else { return false }
        entry.count += 1
        spent.set(entry, for: key)
        return true
    }

    /// It answered: it may be probed as often as need be.
    public mutating func answered(_ endpoint: Endpoint) { known.set(true, for: endpoint) }

    /// Addresses that are remembered, of both kinds.
    public var count: Int { spent.count + known.count }
}

/// A table that forgets what was added first once it is full.
struct RecentTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var values: [Key: Value] = [:]
    /// In the order of their coming; a ring once it is full.
    private var keys: [Key] = []
    private var oldest = 0
    private let limit: Int

    init(limit: Int) { self.limit = max(1, limit) }

    var count: Int { values.count }

    subscript(key: Key) -> Value? { values[key] }

    mutating func set(_ value: Value, for key: Key) {
        guard values.updateValue(value, forKey: key) == nil else { return }
        if keys.count < limit {
            keys.append(key)
        } else {
            values[keys[oldest]] = nil
            keys[oldest] = key
            oldest = (oldest + 1) % limit
        }
    }
}
