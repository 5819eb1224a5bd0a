// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How many probes an address may get that never answered one: what an attacker who registers somebody else's address
/// can make all of us send there. Addresses that answered cost nothing. Bounded: the oldest entries go.
///
/// Each record grants an address so many probes once, and all records together no more than that in any minute: whoever
/// names a victim can sign a new record, or be dialled anew, as often as it likes. And since it may name one port after
/// the other, all ports of a machine together get no more than one peer's candidates.
public struct ProbeBudget: Sendable {
    /// Who made us probe. Each has an allowance of its own: a caller has to be let in though its record's addresses
    /// were tried in vain a moment ago.
    private enum Cause: Hashable, CaseIterable {
        /// A record, or a frame of the other side's.
        case named
        /// The place itself, from where something came.
        case shown
        /// An index server's word that somebody calls from there.
        case called
        /// A round of hole punching.
        case punched
    }
    private struct Place: Hashable {
        var endpoint: Endpoint
        var cause: Cause

        /// All ports of its address.
        var machine: Place { Place(endpoint: Endpoint(address: endpoint.address, port: 0), cause: cause) }
    }
    private struct Naming: Hashable {
        var place: Place
        var sequence: UInt64
    }
    private struct Spent {
        var count = 0
        var last: Instant
    }

    private let tries: Int
    /// Of one address in all rounds of hole punching.
    private let punches: Int
    /// Of one machine, whatever the ports.
    private let machine: Int
    private var minutes = RecentTable<Place, Spent>(limit: ProbeBudget.limit)
    private var records = RecentTable<Naming, Int>(limit: ProbeBudget.limit)
    private var known = RecentTable<Endpoint, Bool>(limit: ProbeBudget.limit)

    /// Addresses of each kind that are remembered.
    public static let limit = 4096
    /// After so long without a probe an address may be tried anew.
    public static let renewal = Span.seconds(60)

    public init(limits: PathLimits = PathLimits()) {
        tries = limits.tries
        punches = limits.tries * limits.rounds
        machine = limits.tries * limits.candidates
    }

    /// Takes one probe for an address.
    /// - Parameter sequence: of the record that named it; 0 if it was named, but in no record; `nil` if an authentic
    ///   probe or packet came from there.
    /// - Returns: whether there is one left.
    public mutating func take(_ endpoint: Endpoint, sequence: UInt64?, now: Instant) -> Bool {
        take(Place(endpoint: endpoint, cause: sequence == nil ? .shown : .named), sequence ?? 0, now)
    }

    /// Takes one probe for an address from where somebody calls, as an index server says.
    /// - Parameter sequence: of the caller's record.
    /// - Returns: whether there is one left.
    public mutating func takeWelcome(_ endpoint: Endpoint, sequence: UInt64, now: Instant) -> Bool {
        take(Place(endpoint: endpoint, cause: .called), sequence, now)
    }

    /// Takes one probe of a round of hole punching.
    /// - Returns: whether there is one left.
    public mutating func takePunch(_ endpoint: Endpoint, now: Instant) -> Bool {
        take(Place(endpoint: endpoint, cause: .punched), 0, now)
    }

    private mutating func take(_ place: Place, _ sequence: UInt64, _ now: Instant) -> Bool {
        if known[place.endpoint] != nil { return true }
        let naming = sequence == 0 ? nil : Naming(place: place, sequence: sequence)
        let used = naming.flatMap { records[$0] } ?? 0
        let here = spent(place, now)
        let there = spent(place.machine, now)
        guard used < tries, here < (place.cause == .punched ? punches : tries), there < machine else { return false }
        minutes.set(Spent(count: here + 1, last: now), for: place)
        // On this machine there is nobody else to be bothered, and perhaps a hundred peers.
        if !place.endpoint.isLoopback { minutes.set(Spent(count: there + 1, last: now), for: place.machine) }
        if let naming { records.set(used + 1, for: naming) }
        return true
    }

    private func spent(_ place: Place, _ now: Instant) -> Int {
        guard let minute = minutes[place], now.since(minute.last) < ProbeBudget.renewal else { return 0 }
        return minute.count
    }

    /// It answered: it may be probed as often as need be, and others at that address again.
    public mutating func answered(_ endpoint: Endpoint) {
        known.set(true, for: endpoint)
        for cause in Cause.allCases {
            let place = Place(endpoint: endpoint, cause: cause).machine
            if let last = minutes[place]?.last { minutes.set(Spent(last: last), for: place) }
        }
    }

    /// Addresses that are remembered, of all kinds.
    public var count: Int { minutes.count + records.count + known.count }
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
