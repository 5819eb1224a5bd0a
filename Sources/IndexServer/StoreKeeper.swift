// SPDX-License-Identifier: GPL-3.0-or-later
internal import IndexEngine
internal import Model
internal import Network
internal import Queues
internal import Reactor

/// Stands between the loops and the store: changes that came while the last transaction ran go into the next one, and
/// nothing waits for company.
///
/// Its queues are bounded. What they can't take is left unanswered, which the other side reads as a lost datagram and
/// tries again; what nobody waits for gives way first, and is written at another time.
actor StoreKeeper {
    /// Changes that wait for the transaction under way, at most.
    static let changeLimit = 16_384
    /// Requests that wait for the store to be asked, at most.
    static let questionLimit = 4096
    /// While nothing can be written: between one attempt and the next.
    static let pause = Span.milliseconds(250)
    /// Rows written anew in one transaction.
    private static let pageSize = 1024

    nonisolated let loop: PollExecutor
    /// Whether rows end with the process, and nothing waits for them.
    nonisolated let isVolatile: Bool
    private nonisolated let store: any IndexStore
    private nonisolated let service: IndexService
    private nonisolated let clocks: Clocks
    private nonisolated let notify: @Sendable (String) -> Void
    private nonisolated let changes = BoundedQueue<QueuedChange>(capacity: changeLimit)
    private nonisolated let questions = BoundedQueue<Question>(capacity: questionLimit)
    private nonisolated let board: Lock<StoreBoard>

    private var loops: [ServingLoop] = []
    private var tasks: (committing: Task<Void, Never>, finding: Task<Void, Never>, loading: Task<Void, Never>)?
    private var rewriting: Task<Void, Never>?
    private var probing: Task<Void, Never>?
    /// When a transaction may be tried again; `nil` while they succeed.
    private var nextAttempt: Instant?
    private var sized: Instant?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameter notify: takes what operators should know.
    init(
        _ store: any IndexStore, service: IndexService, clocks: Clocks, notify: @escaping @Sendable (String) -> Void
    ) throws(ReactorError) {
        loop = try PollExecutor(name: "parley-store")
        self.store = store
        self.service = service
        self.clocks = clocks
        self.notify = notify
        isVolatile = store.isVolatile
        board = Lock(StoreBoard(store))
    }

    // MARK: From any thread

    /// Takes changes to be made durable, in order.
    /// - Returns: whose registration there was no room for: they get no answer.
    nonisolated func write(_ batch: [QueuedChange]) -> [Acknowledgement] {
        let isCrowded = changes.count > Self.changeLimit / 2
        let wanted = isCrowded ? batch.filter(\.isAwaited) : batch
        let taken = changes.offer(wanted)
        if isCrowded { service.writeFailed(batch.filter { !$0.isAwaited }.map(\.change)) }
        let refused = wanted.dropFirst(taken)
        if !refused.isEmpty { service.writeFailed(refused.map(\.change)) }
        return refused.compactMap { if case .answer(let answer) = $0.then { answer } else { nil } }
    }

    /// Takes requests about peers that memory does not hold.
    /// - Returns: those that there was no room for.
    nonisolated func ask(_ batch: [Question]) -> ArraySlice<Question> { batch.dropFirst(questions.offer(batch)) }

    /// How the store does now.
    nonisolated var health: StoreHealth {
        let waiting = changes.count
        return board.withLock { $0.health(waiting: waiting) }
    }

    // MARK: Beginning and end

    /// Begins to load, to find and to write.
    func start(_ loops: [ServingLoop]) {
        self.loops = loops
        guard !isVolatile else { return }
        let executor = LoopTasks(loop)
        tasks = (
            Task(executorPreference: executor) { await self.commitAll() },
            Task(executorPreference: executor) { await self.findAll() },
            Task(executorPreference: executor) { await self.load() }
        )
    }

    /// Answers what was asked so far, and no more.
    func finishQuestions() async {
        questions.finish()
        await tasks?.finding.value
    }

    /// Writes what waits, and no more.
    func finishChanges() async {
        rewriting?.cancel()
        probing?.cancel()
        changes.finish()
        await tasks?.committing.value
    }

    /// Closes the store.
    func close() async {
        tasks?.loading.cancel()
        await store.close()
        await tasks?.loading.value
        rewriting?.cancel()
        await rewriting?.value
    }

    // MARK: Writing

    private func commitAll() async {
        while let batch = await changes.next() { await commit(batch) }
    }

    private func commit(_ batch: [QueuedChange]) async {
        let began = clocks.monotonic()
        // While the store fails each transaction is a probe, but a full disk is not probed with every datagram.
        if let nextAttempt, began < nextAttempt { return settle(batch, isDurable: false) }
        let rows = batch.map { newest($0.change) }
        var fault = await attempt(rows)
        if let damage = fault, damage.kind == .damaged {
            notify(damage.description)
            // A new file takes the place of the damaged one, without what was in that.
            fault = await attempt(rows)
            if fault == nil { rewriteAll() }
        }
        if let fault {
            fail(fault)
            probe(with: rows.last)
        } else {
            succeed(rows.count, since: began)
        }
        settle(batch, isDurable: fault == nil)
        await measure()
    }

    /// What memory holds of the peer by now. Loops don't queue in the order in which they changed memory, so a row that
    /// was acknowledged could be followed by an older one, or by a removal that a return has overtaken.
    private func newest(_ change: RegistryChange) -> RegistryChange {
        let peer =
            switch change {
            case .put(let row): row.peer
            case .remove(let peer): peer
            }
        // A seed's row never changes.
        guard peer.isKeyed else { return change }
        return service.change(of: peer, now: clocks.monotonic(), wall: clocks.wall()) ?? change
    }

    private func attempt(_ rows: [RegistryChange]) async -> IndexStoreFault? {
        do throws(IndexStoreFault) {
            try await store.commit(rows)
            return nil
        } catch {
            return error
        }
    }

    private func succeed(_ rows: Int, since began: Instant) {
        let took = clocks.monotonic().since(began)
        let wasFailing = board.withLock { $0.commit(rows, took: took) }
        nextAttempt = nil
        if wasFailing { notify("The registry is written to again.") }
    }

    private func fail(_ fault: IndexStoreFault) {
        nextAttempt = clocks.monotonic() + Self.pause
        let wall = clocks.wall()
        let isNew = board.withLock { $0.fail(.writing, fault.description, wall: wall) }
        if isNew { notify(fault.description) }
    }

    /// Tries again now and then while nobody registers: operators shall see when it works again.
    private func probe(with change: RegistryChange?) {
        guard probing == nil, let change else { return }
        probing = Task(executorPreference: LoopTasks(loop)) { await self.probe(change) }
    }

    private func probe(_ change: RegistryChange) async {
        while nextAttempt != nil, !Task.isCancelled {
            try? await Task.sleep(for: .seconds(2))
            if nextAttempt != nil, !Task.isCancelled, changes.count == 0 {
                changes.offer([QueuedChange(change: change)])
            }
        }
        probing = nil
    }

    /// Hands the answers back to their loops, each loop's at once.
    private func settle(_ batch: [QueuedChange], isDurable: Bool) {
        if !isDurable { service.writeFailed(batch.map(\.change)) }
        let now = clocks.monotonic()
        var deliveries = loops.map { _ in Delivery() }
        for entry in batch {
            switch entry.then {
            case .nothing: break
            case .tell(let outcome): outcome.offer([isDurable])
            case .answer(let acknowledgement):
                let (answer, handled) = acknowledgement.settled(isDurable: isDurable, now: now)
                if let answer { deliveries[acknowledgement.loop].answers.append(answer) }
                deliveries[acknowledgement.loop].handled.append(handled)
            }
        }
        deliver(deliveries)
    }

    private func deliver(_ deliveries: [Delivery]) {
        for (loop, delivery) in zip(loops, deliveries) where !delivery.isEmpty { loop.take(delivery) }
    }

    /// Looks at the size on disk, at most once a second.
    private func measure() async {
        let now = clocks.monotonic()
        if let sized, now.since(sized) < .seconds(1) { return }
        sized = now
        let bytes = await store.size()
        board.withLock { $0.bytes = bytes }
    }

    // MARK: Loading

    /// Reads what the last run left; tries again when that fails, unless it is lost.
    private func load() async {
        await measure()
        while !Task.isCancelled {
            board.withLock { $0.loadedRows = 0 }
            do throws(IndexStoreFault) {
                try await store.load { [service, clocks, board] page in
                    service.restore(page, now: clocks.monotonic(), wall: clocks.wall())
                    board.withLock { $0.loadedRows? += page.count }
                }
                return finishLoading()
            } catch {
                guard !Task.isCancelled else { return }
                guard error.kind != .damaged else {
                    notify(error.description)
                    finishLoading()
                    return rewriteAll()
                }
                let wall = clocks.wall()
                // Whoever writes finds out alone whether that is possible.
                let isNew = board.withLock { $0.fail(.reading, error.description, wall: wall) }
                if isNew { notify(error.description) }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func finishLoading() {
        service.finishLoading()
        board.withLock { $0.finishLoading() }
    }

    /// Asks the store for single rows, all that are wanted at a time.
    private func findAll() async {
        while let batch = await questions.next() {
            let found = await store.find(batch.map(\.peer))
            let rows = found.compactMap { answer in
                if case .row(let row, let remaining) = answer {
                    LoadedRegistration(row, remaining: remaining)
                } else {
                    nil
                }
            }
            let now = clocks.monotonic()
            service.restore(rows, now: now, wall: clocks.wall())
            var deliveries = loops.map { _ in Delivery() }
            for (index, question) in batch.enumerated() {
                // What can't be told is not answered: "nil" would be a lie.
                if index < found.count, found[index] != .unknown {
                    deliveries[question.loop].questions.append(question)
                } else {
                    deliveries[question.loop].handled.append(question.unanswered(now: now))
                }
            }
            deliver(deliveries)
        }
    }

    // MARK: Writing anew

    /// Writes all rows in memory to a store that lost its own, a page at a time beside everything else.
    private func rewriteAll() {
        rewriting?.cancel()
        rewriting = Task(executorPreference: LoopTasks(loop)) { await self.rewrite() }
    }

    private func rewrite() async {
        var rest = service.peers(now: clocks.monotonic())[...]
        while !rest.isEmpty, !Task.isCancelled {
            guard changes.count < Self.changeLimit / 2 else {
                await breathe()
                continue
            }
            let left = await rewrite(rest.prefix(Self.pageSize))
            rest = rest.dropFirst(Self.pageSize)
            if !left.isEmpty { rest = left + rest }
        }
    }

    /// Lets what others wait for go first.
    private func breathe() async { try? await Task.sleep(for: .milliseconds(100)) }

    /// - Returns: those that there was no room for, or all if they did not become durable. No renewal would ever write
    ///   a seed's row.
    private func rewrite(_ peers: ArraySlice<PeerID>) async -> ArraySlice<PeerID> {
        let rows = peers.compactMap { peer in
            service.change(of: peer, now: clocks.monotonic(), wall: clocks.wall()).map { (peer: peer, change: $0) }
        }
        let outcome = BoundedQueue<Bool>(capacity: 1)
        var page = rows.map { QueuedChange(change: $0.change) }
        guard !page.isEmpty else { return [] }
        page[page.count - 1].then = .tell(outcome)
        let taken = changes.offer(page)
        if taken == page.count, await outcome.next() == [true] { return [] }
        await breathe()
        return rows.dropFirst(taken == page.count ? 0 : taken).map(\.peer)[...]
    }
}
