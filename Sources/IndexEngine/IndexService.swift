// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
import Queues
public import Relaying
import Synchronization
import Wire

/// The key that a server proves to those who pinned it.
public typealias ServerIdentity = Identity

/// What all loops of one index server share: who is registered, what was counted, who asks too much. Every part may be
/// called from any thread, and none waits for another for longer than a lookup takes.
public final class IndexService: Sendable {
    public let info: ServerInfo
    let registry: Registry
    let locals = LocalAddresses()
    let limiter: SourceLimiter
    let proof: AddressProof
    let identity: Identity?
    /// What peers are told that this server does for them.
    let offers: ServerOffers
    /// The channels; `nil` for a server that does not relay.
    let relay: Relay?
    let leaseSeconds: Int
    let seedLease: Span
    private let started: Instant
    private let isComplete: Atomic<Bool>
    private let isShared: Bool
    /// Keyed peers that the store gave back.
    private let restored = Atomic(0)
    /// How often a peer was told to come back.
    private let told = Atomic(0)
    private let statistics: Lock<IndexStatistics>
    private let windows = Lock(RowWindows())
    private let notices = Lock<[OperatorNotice]>([])
    private let calls: Lock<NoticeLimiter>

    /// - Parameters:
    ///   - secret: 32 bytes from the system's secure random source, new at each start.
    ///   - identity: the server's own, for answers that shall prove it; without one they prove nothing.
    ///   - relay: how much is passed on between peers that call each other; `nil` for nothing.
    ///   - secondPort: a port that only tells who asks where it is seen.
    ///   - isLoading: whether rows of the last run are yet to come, by `restore`, until `finishLoading`.
    ///   - isShared: whether rows come from elsewhere too, so that no miss is final.
    public init(
        info: ServerInfo, secret: [UInt8], identity: ServerIdentity? = nil, limits: IndexLimits = IndexLimits(),
        relay: RelayLimits? = nil, secondPort: UInt16? = nil, isLoading: Bool = false, isShared: Bool = false,
        now: Instant
    ) {
        var info = info
        info.key = identity?.key.text
        self.info = info
        self.identity = identity
        self.isShared = isShared
        isComplete = Atomic(!isLoading && !isShared)
        started = now
        proof = AddressProof(secret: secret)
        let scatter = proof.scatter
        self.relay = relay.map { Relay($0, secret: scatter) }
        offers = ServerOffers(relays: relay != nil, secondPort: secondPort)
        calls = Lock(NoticeLimiter(secret: scatter))
        leaseSeconds = limits.keyedLease.wholeSeconds
        seedLease = limits.seedLease
        registry = Registry(limits: limits, secret: scatter, start: now)
        limiter = SourceLimiter(limits, secret: scatter)
        statistics = Lock(IndexStatistics(start: now, secret: scatter))
    }

    /// The machine of one loop.
    public func makeMachine() -> IndexMachine { IndexMachine(self) }

    /// Other rates from now on; capacities and leases stay.
    public func setLimits(_ limits: IndexLimits) { limiter.set(limits) }

    // MARK: The store

    /// Whether a peer that is not in memory is registered nowhere.
    var missesAreFinal: Bool { isComplete.load(ordering: .acquiring) }

    /// Takes in rows that the last run left, or that the store was asked for; what came since stays.
    public func restore(_ rows: [LoadedRegistration], now: Instant, wall: WallTime) {
        for row in rows { registry.restore(row, now: now, wall: wall) }
        restored.add(rows.count { $0.row.peer.isKeyed }, ordering: .relaxed)
    }

    /// From now on a peer that is not in memory is not registered, unless the store is shared.
    public func finishLoading() { isComplete.store(!isShared, ordering: .releasing) }

    /// Says that nothing of this was written: it is due again.
    public func writeFailed(_ changes: [RegistryChange]) {
        for change in changes {
            switch change {
            case .put(let row): registry.markUnwritten(row.peer)
            case .remove(let peer): registry.markUnremoved(peer)
            }
        }
    }

    // MARK: Coming back

    /// Seconds over which a peer shall come back to a server that does not know its lease.
    ///
    /// Keepalives are up to 20 s apart, so that long a crowd learns of the restart, at its usual rate; each registers
    /// at a moment of its own between then and the end of one and the same minute, by two datagrams. Keepalives and
    /// registrations together stay below 1.9 times the usual rate. Few need no such care and come at once.
    func spreadSeconds(now: Instant) -> Int {
        let told = told.add(1, ordering: .relaxed).newValue
        let uptime = now.since(started)
        guard uptime < .seconds(55) else { return 2 }
        // Who was told so far, seen from all 20 s; the store may know better who will come.
        let estimate = told * 20_000 / Int(min(max(2000, uptime.milliseconds), 20_000))
        let crowd = max(estimate, restored.load(ordering: .relaxed))
        return max(2, min(crowd / 160, 57 - uptime.wholeSeconds))
    }

    /// Whether a peer may be told now that another one calls it.
    func notices(_ caller: PeerID, from source: Endpoint, to callee: PeerID, now: Instant) -> Bool {
        calls.withLock { $0.admits(caller, from: source, to: callee, now: now) }
    }

    // MARK: Time

    /// When to sweep next. It is never urgent: nobody sees a row whose lease is over.
    public func nextSweep(now: Instant) -> Instant { registry.nextSweep(now: now) }

    /// Gives back the memory of rows whose lease is over, a bounded number at a time.
    /// - Returns: what the store shall forget, and whether to call again soon.
    public func sweep(now: Instant) -> (changes: [RegistryChange], isMore: Bool) {
        let (removed, isMore) = registry.sweep(now: now)
        return (removed.map { .remove($0) }, isMore)
    }

    // MARK: Displays

    /// Enters handled datagrams into the statistics: once for each batch.
    public func record(_ handled: [HandledEvent]) {
        statistics.withLock { statistics in
            for event in handled { statistics.record(event) }
        }
    }

    /// Counts datagrams that the kernel dropped unread, and answers that it did not take.
    public func recordLosses(receiveDrops: UInt64 = 0, sendErrors: UInt64 = 0) {
        statistics.withLock {
            $0.counters.receiveDrops &+= receiveDrops
            $0.counters.sendErrors &+= sendErrors
        }
    }

    /// Tells operators something, in one sentence.
    public func note(_ text: String, wall: WallTime) {
        notices.withLock { notices in
            notices.insert(OperatorNotice(time: wall, text: text), at: 0)
            if notices.count > OperatorNotice.limit { notices.removeLast() }
        }
    }

    /// How many datagrams were handled within each of these times since the start, and in how much time altogether.
    /// - Parameter bounds: nanoseconds.
    public func latencies(within bounds: [UInt64]) -> (cumulative: [UInt64], count: UInt64, sum: Span) {
        let total = statistics.withLock { $0.total }
        return (total.cumulative(bounds), total.count, Span(nanoseconds: total.sum))
    }

    /// The server as a display asked to see it. A walk over all rows now and then: not on a loop that serves.
    public func snapshot(
        for request: SnapshotRequest, store: StoreHealth = StoreHealth(), loops: Int = 1, residentBytes: UInt64? = nil,
        cpu: Span? = nil, tunnels: Int = 0, now: Instant, wall: WallTime
    ) -> IndexSnapshot {
        var snapshot = IndexSnapshot(
            time: wall, uptime: now.since(started), server: info, use: registry.use, residentBytes: residentBytes,
            page: windows.withLock { $0.page(request.rows, of: registry, now: now) })
        snapshot.cpu = cpu
        snapshot.loops = loops
        snapshot.store = store
        snapshot.notices = notices.withLock { $0 }
        if let peer = request.detail {
            let found = registry.row(peer, now: now)
            snapshot.detail = PeerDetail(peer: peer, row: found?.row, record: found?.record ?? [])
        }
        statistics.withLock { $0.describe(&snapshot, for: request, now: now) }
        snapshot.relay = relayStatistics(
            calls: snapshot.counters.calls, tunnels: tunnels, wantsPairs: request.wantsPairs, now: now)
        return snapshot
    }
}
