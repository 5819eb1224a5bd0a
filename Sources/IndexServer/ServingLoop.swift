// SPDX-License-Identifier: GPL-3.0-or-later
internal import IndexEngine
internal import Model
internal import Network
internal import Queues
internal import Reactor
internal import Relaying
internal import Synchronization
internal import Wire

/// One of the threads that serve: a socket and the machine behind it. Nothing here waits, walks over rows or formats.
actor ServingLoop {
    nonisolated let loop: PollExecutor
    /// Its place among the server's loops.
    private nonisolated let number: Int
    private nonisolated let port: DatagramPort
    /// A port that only tells who asks where it is seen; one loop has it.
    private nonisolated let second: DatagramPort?
    private nonisolated let service: IndexService
    private nonisolated let keeper: StoreKeeper
    private nonisolated let clocks: Clocks
    private nonisolated let report: (@Sendable (IndexEvent, Span) -> Void)?
    /// What came back from the store and was not looked at yet: as much as the store's queues hold, at most.
    private nonisolated let deliveries = Lock<[Delivery]>([])
    /// What came out of tunnels and was not looked at yet.
    private nonisolated let tunnelled = Lock<[TunnelledDatagram]>([])
    /// Where what is for tunnels goes.
    private nonisolated let sink: Lock<(any TunnelSink)?>
    /// How often a turn of it was asked for, and up to where it had one.
    private nonisolated let turnsAsked = Atomic<UInt64>(0)
    private nonisolated let turnsSeen = Atomic<UInt64>(0)

    private let machine: IndexMachine
    private var random = RandomSource.system
    // Kept from batch to batch, so that they cost no allocation.
    private var reply: [UInt8] = []
    private var handled: [HandledEvent] = []
    private var changes: [QueuedChange] = []
    private var questions: [Question] = []
    /// The last address that somebody wrote to, and its number: mostly there is but one.
    private var lastLocal: (address: Endpoint.Address, interface: UInt32, number: UInt8)?
    /// What goes to others than those who asked.
    private var unasked: [DeferredAnswer] = []

    /// Datagrams out of tunnels that may wait for a turn; one more is lost, as on a full line.
    private static let tunnelledLimit = 4096

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        _ number: Int, port: DatagramPort, second: DatagramPort? = nil, sink: Lock<(any TunnelSink)?>,
        service: IndexService, keeper: StoreKeeper, clocks: Clocks, report: (@Sendable (IndexEvent, Span) -> Void)?
    ) throws(ReactorError) {
        loop = try PollExecutor(name: "parley-udp-\(number)")
        self.number = number
        self.port = port
        self.second = second
        self.sink = sink
        self.service = service
        self.keeper = keeper
        self.clocks = clocks
        self.report = report
        machine = service.makeMachine()
    }

    // MARK: From any thread

    /// Takes what came back from the store.
    nonisolated func take(_ delivery: Delivery) {
        let isFirst = deliveries.withLock { deliveries in
            deliveries.append(delivery)
            return deliveries.count == 1
        }
        if isFirst { loop.wake() }
    }

    /// Takes a datagram that came out of a tunnel.
    nonisolated func take(_ datagram: TunnelledDatagram) {
        let isFirst = tunnelled.withLock { tunnelled in
            guard tunnelled.count < Self.tunnelledLimit else { return false }
            tunnelled.append(datagram)
            return tunnelled.count == 1
        }
        if isFirst { loop.wake() }
    }

    /// Whether it had a turn since this was asked last, by one caller; asks for the next.
    nonisolated func hasTurned() -> Bool {
        let asked = turnsAsked.load(ordering: .acquiring)
        let hasTurned = turnsSeen.load(ordering: .acquiring) == asked
        turnsAsked.store(asked &+ 1, ordering: .releasing)
        loop.wake()
        return hasTurned
    }

    /// Datagrams that the kernel dropped unread, and answers that it did not take.
    nonisolated var losses: (receiveDrops: UInt64, sendErrors: UInt64) { (port.receiveDrops, port.sendErrors) }

    // MARK: On its thread

    func open() {
        loop.onTurn { [unowned self] in assumeIsolated { $0.endTurn() } }
        port.serve(on: loop) { [unowned self] batch in assumeIsolated { $0.serve(batch) } }
        second?.serve(on: loop) { [unowned self] batch in assumeIsolated { $0.serveSeen(batch) } }
    }

    /// Reads no more. What comes back from the store is still sent.
    func stopReading() {
        port.stop(on: loop)
        second?.stop(on: loop)
    }

    private func endTurn() {
        turnsSeen.store(turnsAsked.load(ordering: .acquiring), ordering: .releasing)
        takeDeliveries()
        takeTunnelled()
    }

    private func serve(_ batch: borrowing ReceivedBatch) {
        let wall = clocks.wall()
        var began = clocks.monotonic()
        let relays = service.relays
        for index in 0..<batch.count {
            if relays, batch.tag(of: index) == DatagramTag.relay {
                relay(batch, index, began)
                continue
            }
            let source = batch.source(of: index)
            let local = number(of: batch.returnPath(of: index))
            let outcome = batch.withBytes(of: index) { bytes in
                machine.handle(
                    bytes, from: source, to: local, now: began, wall: wall, reply: &reply, using: &random)
            }
            // One reading of the clock for each: the end of one is the beginning of the next.
            let ended = clocks.monotonic()
            defer { began = ended }
            guard let outcome else { continue }
            announce(outcome)
            switch outcome.verdict {
            case .replyWhenDurable where !keeper.isVolatile:
                hold(outcome, batch.returnPath(of: index), began)
                continue
            case .askStore(let peer):
                let bytes = batch.withBytes(of: index) { $0.withUnsafeBufferPointer { Array($0) } } ?? []
                let path = batch.returnPath(of: index)
                questions.append(
                    Question(
                        loop: number, peer: peer, bytes: bytes, path: path, event: outcome.event, began: began))
                continue
            case .reply, .replyWhenDurable: batch.answer(index, with: reply)
            case .silence: break
            }
            finish(outcome, took: ended.since(began), now: ended)
        }
        passOn(now: began)
    }

    /// Answers those who ask where they are seen.
    private func serveSeen(_ batch: borrowing ReceivedBatch) {
        let wall = clocks.wall()
        for index in 0..<batch.count {
            let (source, began) = (batch.source(of: index), clocks.monotonic())
            let outcome = batch.withBytes(of: index) { bytes in
                machine.handleSeen(bytes, from: source, now: began, wall: wall, reply: &reply)
            }
            guard let outcome else { continue }
            if outcome.verdict == .reply { batch.answer(index, with: reply) }
            finish(outcome, took: clocks.monotonic().since(began), now: began)
        }
        passOn(now: clocks.monotonic())
    }

    /// Passes a datagram on between two peers, by this loop's socket.
    private func relay(_ batch: borrowing ReceivedBatch, _ index: Int, _ now: Instant) {
        let leg = RelayLeg(batch.returnPath(of: index))
        let way = batch.withBytes(of: index) { service.route($0, by: leg, now: now) } ?? nil
        guard let way else { return }
        guard way.remote.isTunnel else { return batch.forward(index, by: ReturnPath(way)) }
        let bytes = batch.withBytes(of: index) { $0.withUnsafeBufferPointer { Array($0) } }
        if let bytes { sink.withLock { $0 }?.deliver(bytes, to: way.remote) }
    }

    /// What somebody else is to be told goes with the batch's end.
    private func announce(_ outcome: IndexMachine.Outcome) {
        guard let notice = outcome.notice else { return }
        unasked.append(DeferredAnswer(notice.bytes, ReturnPath(notice.leg)))
    }

    /// Of the address that somebody wrote to.
    private func number(of path: ReturnPath) -> UInt8 {
        guard let address = path.local else { return 0 }
        if let last = lastLocal, last.address == address, last.interface == path.interface { return last.number }
        let number = service.number(of: address, interface: path.interface)
        lastLocal = (address, path.interface, number)
        return number
    }

    /// Keeps the answer until the store has the row.
    private func hold(_ outcome: IndexMachine.Outcome, _ path: ReturnPath, _ began: Instant) {
        let answer = Acknowledgement(
            loop: number, path: path, reply: reply, failure: outcome.failure, event: outcome.event, began: began)
        // Its row may be gone again already: nothing to acknowledge.
        guard let change = outcome.change else {
            handled.append(answer.unanswered(now: clocks.monotonic()))
            return
        }
        changes.append(QueuedChange(change: change, then: .answer(answer)))
    }

    private func finish(_ outcome: IndexMachine.Outcome, took: Span, now: Instant) {
        handled.append(HandledEvent(event: outcome.event, took: took, now: now))
        if let change = outcome.change, !keeper.isVolatile { changes.append(QueuedChange(change: change)) }
    }

    /// Gives the store what is for the store, others what is for others, and the statistics what is for them: once for
    /// each batch.
    private func passOn(now: Instant) {
        if !unasked.isEmpty {
            send(unasked)
            unasked.removeAll(keepingCapacity: true)
        }
        if !questions.isEmpty {
            for question in keeper.ask(questions) { handled.append(question.unanswered(now: now)) }
            questions.removeAll(keepingCapacity: true)
        }
        if !changes.isEmpty {
            for answer in keeper.write(changes) { handled.append(answer.unanswered(now: now)) }
            changes.removeAll(keepingCapacity: true)
        }
        tell(handled)
        handled.removeAll(keepingCapacity: true)
    }

    private func tell(_ events: [HandledEvent]) {
        guard !events.isEmpty else { return }
        service.record(events)
        guard let report else { return }
        for handled in events { report(handled.event, handled.took) }
    }

    // MARK: What the store did

    /// Sends the answers that waited for the store, and handles again what it was asked about.
    func takeDeliveries() {
        let waiting = deliveries.withLock { deliveries in
            defer { deliveries = [] }
            return deliveries
        }
        for delivery in waiting {
            send(delivery.answers)
            tell(delivery.handled)
            answer(delivery.questions)
        }
    }

    private func answer(_ questions: [Question]) {
        guard !questions.isEmpty else { return }
        let wall = clocks.wall()
        var answers: [DeferredAnswer] = []
        for question in questions {
            let outcome = machine.handle(
                question.bytes.span, from: question.path.source, origin: question.event.source,
                to: number(of: question.path), now: clocks.monotonic(), wall: wall, isFinal: true, reply: &reply,
                using: &random)
            announce(outcome)
            switch outcome.verdict {
            case .replyWhenDurable where !keeper.isVolatile:
                hold(outcome, question.path, question.began)
                continue
            case .reply, .replyWhenDurable: answers.append(DeferredAnswer(reply, question.path))
            case .silence, .askStore: break
            }
            let now = clocks.monotonic()
            finish(outcome, took: now.since(question.began), now: now)
        }
        send(answers)
        passOn(now: clocks.monotonic())
    }

    /// Sends by the socket, or into tunnels.
    private func send(_ answers: [DeferredAnswer]) {
        guard answers.contains(where: { $0.path.source.isTunnel }) else { return port.send(answers) }
        port.send(answers.filter { !$0.path.source.isTunnel })
        guard let sink = sink.withLock({ $0 }) else { return }
        for answer in answers where answer.path.source.isTunnel {
            sink.deliver(answer.bytes, to: answer.path.source)
        }
    }

    // MARK: What came out of tunnels

    private func takeTunnelled() {
        let waiting = tunnelled.withLock { tunnelled in
            defer { tunnelled = [] }
            return tunnelled
        }
        guard !waiting.isEmpty else { return }
        let wall = clocks.wall()
        for datagram in waiting { handle(datagram, wall) }
        passOn(now: clocks.monotonic())
    }

    private func handle(_ datagram: TunnelledDatagram, _ wall: WallTime) {
        let (bytes, path, began) = (datagram.bytes, ReturnPath(to: datagram.source), clocks.monotonic())
        if service.relays, bytes.first == DatagramTag.relay {
            let way = service.route(bytes.span, by: RelayLeg(path), now: began)
            if let way { unasked.append(DeferredAnswer(bytes, ReturnPath(way))) }
            return
        }
        let outcome = machine.handle(
            bytes.span, from: datagram.source, origin: datagram.origin, now: began, wall: wall, reply: &reply,
            using: &random)
        announce(outcome)
        switch outcome.verdict {
        case .replyWhenDurable where !keeper.isVolatile: return hold(outcome, path, began)
        case .askStore(let peer):
            questions.append(
                Question(loop: number, peer: peer, bytes: bytes, path: path, event: outcome.event, began: began))
            return
        case .reply, .replyWhenDurable: unasked.append(DeferredAnswer(reply, path))
        case .silence: break
        }
        let now = clocks.monotonic()
        finish(outcome, took: now.since(began), now: now)
    }
}

/// A datagram that came out of a tunnel.
struct TunnelledDatagram: Sendable {
    var bytes: [UInt8]
    /// What stands for the tunnel.
    var source: Endpoint
    /// The address of the connection.
    var origin: Endpoint
}

extension RelayLeg {
    fileprivate init(_ path: ReturnPath) {
        self.init(remote: path.source, local: path.local, interface: path.interface)
    }
}

extension ReturnPath {
    fileprivate init(_ leg: RelayLeg) { self.init(to: leg.remote, from: leg.local, interface: leg.interface) }
}
