// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// A probe to be sent.
public struct Ping: Equatable, Sendable {
    public enum Destination: Equatable, Sendable {
        case route(Route)
        /// Whoever listens on this network.
        case lan
    }
    public var transaction: ProbeTransaction
    public var destination: Destination

    public init(_ transaction: ProbeTransaction, _ destination: Destination) {
        self.transaction = transaction
        self.destination = destination
    }
}

/// Chooses the route of one session, below QUIC, which knows but one constant path: probes candidates, keeps the best that
/// answered, notices when it dies, and says by which route packets go now. Pure: it sees no bytes and reads no clock.
public struct PathFinder: Sendable {
    private var candidates: [RemoteCandidate] = []

    /// - Parameters:
    ///   - own: this machine's port, at all its addresses: never probed.
    ///   - accepted: the route by which a session came in, which may be answered before it was probed.
    public init(own: Set<Endpoint>, accepted: Route? = nil, limits: PathLimits, random: RandomSource, now: Instant) {}

    // MARK: What is known

    /// More candidates; known ones stay as they are, and what comes beyond the limit is passed over. Relayed ones need no probe
    /// before packets: the relay gave the channel because both ends asked for it.
    public mutating func offer(_ new: [RemoteCandidate], sequence: UInt64, now: Instant) { candidates += new }

    /// Searches this network by multicast, too.
    public mutating func searchLAN(now: Instant) {}

    /// One more round over all candidates that did not answer, at a moment that both sides agreed on.
    public mutating func punch(at start: Instant, now: Instant) {}

    /// This machine's addresses changed, or it slept: everything is in doubt, and tried again at once.
    public mutating func networkChanged(own: Set<Endpoint>, now: Instant) {}

    // MARK: What arrives

    /// An authentic ping of the other side's.
    /// - Returns: whether nothing had been sent there before.
    public mutating func pinged(from route: Route, now: Instant) -> Bool { false }

    /// An authentic pong.
    /// - Returns: whether it answers a ping of ours.
    @discardableResult
    public mutating func ponged(
        _ transaction: ProbeTransaction, from route: Route, wasUnasked: Bool, now: Instant
    ) -> Bool { false }

    /// An authentic packet of the session that brought something new.
    public mutating func heard(from route: Route, now: Instant) {}

    /// The network says that nobody reads there, which anybody can make it say.
    public mutating func unreachable(_ endpoint: Endpoint, now: Instant) {}

    /// Since when an acknowledgement is due; `nil` when none is.
    public mutating func awaits(since: Instant?, now: Instant) {}

    // MARK: What follows

    /// The probes that are due.
    public mutating func duePings(now: Instant, budget: inout ProbeBudget) -> [Ping] { [] }

    /// When `duePings` or `routes` may change by time alone.
    public var deadline: Instant? { nil }

    /// Where packets of the session go now: none as long as nothing answered, two while the best one is in doubt.
    public var routes: [Route] { candidates.first.map { [$0.route] } ?? [] }

    /// The route in use; `nil` while none answers.
    public var report: PathReport? { nil }

    /// What became of each candidate, in the order in which they are tried.
    public var attempts: [PathAttempt] { [] }
}
