// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
import Wire

/// What a server that relays has done, and does now. Everything is zero for one that doesn't, but the calls.
public struct RelayStatistics: Equatable, Sendable {
    /// Whether it gives channels to peers that call each other.
    public var isOffered = false
    /// Channels in the table, and how many there can be.
    public var channels = 0
    public var capacity = 0
    /// TLS connections of peers whose networks let no UDP through.
    public var tunnels = 0
    /// What was passed on since the start.
    public var bytes: UInt64 = 0
    public var datagrams: UInt64 = 0
    /// Datagrams that were dropped because a pair, or all together, sent more than they may.
    public var overQuota: UInt64 = 0
    /// Datagrams for a channel that isn't known, from somebody else than its two peers, too long, or for a peer that is
    /// gone.
    public var refused: UInt64 = 0
    /// Channels that were in use and made room for others.
    public var displaced: UInt64 = 0
    /// Peers that asked for another one that is here.
    public var calls: UInt64 = 0
    /// What was passed on in the last whole second.
    public var bytesPerSecond: UInt64 = 0
    /// The busiest pairs first, `pairLimit` at most; only for a display that asked for them.
    public var pairs: [RelayPair] = []

    /// Pairs that a display is shown at most.
    public static let pairLimit = 50

    public init() {}
}

/// Two peers that a server passes datagrams between.
public struct RelayPair: Equatable, Sendable {
    public var a: PeerID
    public var b: PeerID
    /// What they sent each other in the last whole second.
    public var bytesPerSecond: UInt64
    /// What they sent each other since they have their channel.
    public var bytes: UInt64
    /// How long neither has sent anything.
    public var idle: Span
    /// Whether each comes by a TLS connection.
    public var isTunnelledA: Bool
    public var isTunnelledB: Bool

    public init(
        a: PeerID, b: PeerID, bytesPerSecond: UInt64 = 0, bytes: UInt64 = 0, idle: Span = .zero,
        isTunnelledA: Bool = false, isTunnelledB: Bool = false
    ) {
        self.a = a
        self.b = b
        self.bytesPerSecond = bytesPerSecond
        self.bytes = bytes
        self.idle = idle
        self.isTunnelledA = isTunnelledA
        self.isTunnelledB = isTunnelledB
    }
}

// MARK: JSON

extension RelayStatistics {
    private typealias Total = (name: String, path: WritableKeyPath<RelayStatistics, UInt64>)

    private static var totals: [Total] {
        [
            ("bytes_total", \.bytes), ("datagrams_total", \.datagrams), ("over_quota_total", \.overQuota),
            ("refused_total", \.refused), ("displaced_total", \.displaced), ("calls_total", \.calls),
            ("bytes_per_second", \.bytesPerSecond),
        ]
    }

    var json: JSONObject {
        var object: JSONObject = [
            "offered": .bool(isOffered), "channels": .integer(Int64(channels)), "capacity": .integer(Int64(capacity)),
            "tunnels": .integer(Int64(tunnels)),
        ]
        for (name, path) in Self.totals { object[name] = .count(self[keyPath: path]) }
        object["pairs"] = .array(pairs.map { .object($0.json) })
        return object
    }

    init(json object: JSONObject) throws(WireError) {
        isOffered = try object.flag("offered")
        channels = try object.int("channels")
        capacity = try object.int("capacity")
        tunnels = try object.int("tunnels")
        for (name, path) in Self.totals { self[keyPath: path] = try object.count(name) }
        pairs = try object.objects("pairs").map { (pair) throws(WireError) in try RelayPair(json: pair) }
    }
}

extension RelayPair {
    var json: JSONObject {
        [
            "a": .string("\(a)"), "b": .string("\(b)"), "bytes_per_second": .count(bytesPerSecond),
            "bytes_total": .count(bytes), "idle_s": .number(idle.seconds), "tunnelled_a": .bool(isTunnelledA),
            "tunnelled_b": .bool(isTunnelledB),
        ]
    }

    init(json object: JSONObject) throws(WireError) {
        self.init(
            a: try object.peer("a"), b: try object.peer("b"), bytesPerSecond: try object.count("bytes_per_second"),
            bytes: try object.count("bytes_total"), idle: try object.span("idle_s"),
            isTunnelledA: try object.flag("tunnelled_a"), isTunnelledB: try object.flag("tunnelled_b"))
    }
}
