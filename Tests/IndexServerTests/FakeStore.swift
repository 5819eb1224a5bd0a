// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Model
import Reactor

/// A store that a test holds back, fills and breaks, on a thread of its own: tests that wait for a socket block theirs.
actor FakeStore: IndexStore {
    nonisolated let isVolatile = false
    nonisolated let isShared = false

    private nonisolated let thread: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// What is durable, commit by commit.
    private(set) var commits: [[RegistryChange]] = []
    /// Calls of `commit`, those that failed too.
    private(set) var attempts = 0
    private(set) var isClosed = false
    private var rows: [PeerID: LoadedRegistration] = [:]
    private var fault: IndexStoreFault?
    private var holdsCommits = false
    private var holdsLoading: Bool
    private var pages: [[LoadedRegistration]]
    private var loadFault: IndexStoreFault?
    private var commitGate: [CheckedContinuation<Void, Never>] = []
    private var loadGate: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - pages: what the last run left.
    ///   - holdsLoading: whether `load` waits for `finishLoading` behind its pages but the first.
    ///   - loadFault: how `load` ends.
    init(pages: [[LoadedRegistration]] = [], holdsLoading: Bool = false, loadFault: IndexStoreFault? = nil) throws {
        thread = try PollExecutor(name: "fake store")
        thread.start()
        self.pages = pages
        self.holdsLoading = holdsLoading
        self.loadFault = loadFault
        for row in pages.joined() { rows[row.row.peer] = row }
    }

    deinit { thread.stop() }

    func hold() { holdsCommits = true }

    func release() {
        holdsCommits = false
        commitGate.forEach { $0.resume() }
        commitGate = []
    }

    func fail(_ fault: IndexStoreFault?) { self.fault = fault }

    func finishLoading() {
        holdsLoading = false
        loadGate.forEach { $0.resume() }
        loadGate = []
    }

    /// Everything that is durable, by peer.
    var durable: Set<PeerID> {
        var peers: Set<PeerID> = []
        for case .put(let row) in commits.joined() { peers.insert(row.peer) }
        return peers
    }

    // MARK: IndexStore

    func commit(_ changes: [RegistryChange]) async throws(IndexStoreFault) {
        attempts += 1
        if holdsCommits { await withCheckedContinuation { commitGate.append($0) } }
        guard !isClosed else { throw IndexStoreFault(.failed, "It is closed.") }
        if let fault {
            // A damaged one is replaced by a new one.
            if fault.kind == .damaged { self.fault = nil }
            throw fault
        }
        commits.append(changes)
    }

    func load(_ page: @Sendable ([LoadedRegistration]) async -> Void) async throws(IndexStoreFault) {
        for (number, rows) in pages.enumerated() {
            if number > 0, holdsLoading { await withCheckedContinuation { loadGate.append($0) } }
            await page(rows)
        }
        if holdsLoading { await withCheckedContinuation { loadGate.append($0) } }
        if let fault = loadFault {
            // The next reading succeeds.
            loadFault = nil
            throw fault
        }
    }

    func find(_ peers: [PeerID]) async -> [StoredAnswer] {
        peers.map { peer in
            guard peer.isKeyed else { return .unknown }
            return rows[peer].map { .row($0.row, remaining: $0.remaining) } ?? .absent
        }
    }

    func size() async -> UInt64? { 4096 }

    func close() async {
        isClosed = true
        release()
        finishLoading()
    }
}
