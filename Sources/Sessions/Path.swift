// SPDX-License-Identifier: GPL-3.0-or-later
internal import Model

/// Where the packets of a session go.
///
/// QUIC itself knows one constant path. A dial sends the same packets to one address after the other, each a little later
/// than the one before (RFC 8305), until an authentic answer comes from one of them: that is the address of the session
/// for its life. Packets that come from elsewhere are read, for they are authentic too, but change nothing: whoever can
/// copy a packet must not be able to draw the session to itself.
struct Path {
    /// Addresses that are tried, in their order; only the first `started` get packets yet.
    private var candidates: [Endpoint]
    private var started: Int
    private var nextStart: Instant
    private let stagger: Span
    /// The address for life.
    private(set) var chosen: Endpoint?

    /// The path of a session that came in.
    init(accepted endpoint: Endpoint) {
        candidates = []
        started = 0
        nextStart = Instant(nanoseconds: .max)
        stagger = .zero
        chosen = endpoint
    }

    /// The path of a dial. Doubles and addresses that no machine has are left out; `nil` when none is left.
    init?(dialled endpoints: [Endpoint], limits: SessionLimits, now: Instant) {
        var seen: Set<Endpoint> = []
        candidates = Array(endpoints.filter { $0.isUnicast && seen.insert($0).inserted }.prefix(limits.endpoints))
        guard !candidates.isEmpty else { return nil }
        started = 1
        stagger = limits.stagger
        nextStart = candidates.count > 1 ? now + stagger : Instant(nanoseconds: .max)
    }

    /// Where a packet goes now.
    var destinations: ArraySlice<Endpoint> { chosen.map { [$0] } ?? candidates.prefix(started) }

    /// When `start` has something to do.
    var deadline: Instant? { chosen == nil && started < candidates.count ? nextStart : nil }

    /// The address that is to get the first packets now, if it is time for one.
    mutating func start(now: Instant) -> Endpoint? {
        guard let deadline, deadline <= now else { return nil }
        defer { started += 1 }
        nextStart = now + stagger
        return candidates[started]
    }

    /// An address that is tried was said to be dead, by whomever: no reason to give it up, but not to wait for it either.
    mutating func hint(unreachable endpoint: Endpoint, now: Instant) {
        guard deadline != nil, candidates.prefix(started).last == endpoint else { return }
        nextStart = now
    }

    /// An authentic packet came.
    mutating func heard(from endpoint: Endpoint) {
        if chosen == nil { chosen = endpoint }
    }
}
