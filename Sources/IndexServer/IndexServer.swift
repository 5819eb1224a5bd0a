// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
public import IndexEngine
public import Model
public import Network
internal import Queues
internal import Reactor
public import Relaying
internal import Wire

/// The index server around its engine.
///
/// Datagrams are served by loops of their own, each with a socket and a thread. The actor lives on one more, and does
/// what may take a moment: displays, metrics and sweeps. A third kind of thread waits for the store.
public actor IndexServer {
    /// Loops at most.
    public static let loopLimit = 64

    /// The path of its control socket; `nil` without one.
    public nonisolated let controlPath: String?
    /// Where it listens; a wildcard as such.
    public nonisolated let local: Endpoint
    /// The port that only tells who asks where it is seen; `nil` without one.
    public nonisolated let secondPort: UInt16?
    /// The key that it proves, as `--index HOST:PORT#KEY` takes it; `nil` when it proves none.
    public nonisolated var key: String? { service.info.key }

    private let loop: PollExecutor
    private let service: IndexService
    private let keeper: StoreKeeper
    private nonisolated let serving: [ServingLoop]
    private nonisolated let sink = Lock<(any TunnelSink)?>(nil)
    private nonisolated let tunnels = Lock<@Sendable () -> Int>({ 0 })
    private let identity: ServerIdentity?
    private let tell: @Sendable (String) -> Void
    private var gate: TunnelGate?
    private let metricsAddress: ListenAddress?
    private let clocks: Clocks
    private var control: ControlListener?
    private var metrics: MetricsListener?
    private var sweepsAt: Instant
    private var deadline: UInt64?
    private var reportedLosses: (receiveDrops: UInt64, sendErrors: UInt64) = (0, 0)

    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Opens the port; nothing is answered before `start`.
    /// - Parameters:
    ///   - report: called for each handled datagram, on any of the server's threads: it must not wait.
    ///   - notify: called with what an operator should know, one sentence, on any of the server's threads.
    public init(
        _ configuration: IndexServerConfiguration, clocks: Clocks,
        report: (@Sendable (IndexEvent, Span) -> Void)? = nil, notify: (@Sendable (String) -> Void)? = nil
    ) throws(NetworkError) {
        let (ports, second) = try Self.openPorts(configuration)
        local = ports.first?.local ?? Endpoint(address: .v4(0), port: 0)
        secondPort = second?.local.port
        var random = RandomSource.system
        let boot = random.octets(4).hex
        let info = ServerInfo(
            version: configuration.version, listen: "\(local)", control: configuration.control, boot: boot)
        let now = clocks.monotonic()
        let service = IndexService(
            info: info, secret: random.octets(32), identity: configuration.identity, limits: configuration.limits,
            relay: configuration.relay, secondPort: secondPort, isLoading: !configuration.store.isVolatile,
            isShared: configuration.store.isShared, now: now)
        let tell: @Sendable (String) -> Void = { text in
            service.note(text, wall: clocks.wall())
            notify?(text)
        }
        do {
            loop = try PollExecutor(name: "parley-index")
            let keeper = try StoreKeeper(configuration.store, service: service, clocks: clocks, notify: tell)
            serving = try Self.makeLoops(
                ports, second: second, sink: sink, service: service, keeper: keeper, clocks: clocks, report: report)
            self.keeper = keeper
        } catch {
            throw NetworkError("\(error)")
        }
        configuration.notices.forEach(tell)
        controlPath = configuration.control
        metricsAddress = configuration.metrics
        identity = configuration.identity
        self.tell = tell
        sweepsAt = service.nextSweep(now: now)
        self.service = service
        self.clocks = clocks
    }

    /// The ports that are served, a loop each, and the one that only tells who asks where it is seen.
    private static func openPorts(
        _ configuration: IndexServerConfiguration
    ) throws(NetworkError) -> (serving: [DatagramPort], second: DatagramPort?) {
        let count = configuration.loops > 0 ? configuration.loops : Int(cp_processors())
        let ports = try DatagramPort.group(configuration.listen, count: min(count, loopLimit))
        guard let number = configuration.secondPort else { return (ports, nil) }
        var beside = configuration.listen
        beside.port = number
        return (ports, try DatagramPort(beside, reportsUnreachable: false))
    }

    /// A loop for each port. The first has the second port, too.
    private static func makeLoops(
        _ ports: [DatagramPort], second: DatagramPort?, sink: Lock<(any TunnelSink)?>, service: IndexService,
        keeper: StoreKeeper, clocks: Clocks, report: (@Sendable (IndexEvent, Span) -> Void)?
    ) throws(ReactorError) -> [ServingLoop] {
        try ports.enumerated().map { (number, port) throws(ReactorError) in
            try ServingLoop(
                number, port: port, second: number == 0 ? second : nil, sink: sink, service: service, keeper: keeper,
                clocks: clocks, report: report)
        }
    }

    // MARK: Beginning and end

    /// Answers from now on, on threads of its own, even while the store is still being read.
    /// - Throws: when the control socket or the metrics' port is not to be had.
    public nonisolated func start() async throws(NetworkError) {
        let loops = [loop, keeper.loop] + serving.map(\.loop)
        loops.forEach { $0.start() }
        do throws(NetworkError) { try await open() } catch {
            loops.forEach { $0.stop() }
            throw error
        }
        await keeper.start(serving)
        for loop in serving { await loop.open() }
        await openGate()
    }

    /// Reads no more, makes durable what waits for that and acknowledges it, closes the store and the sockets, and ends
    /// the threads.
    public nonisolated func stop() async {
        await closeGate()
        for loop in serving { await loop.stopReading() }
        await keeper.finishQuestions()
        for loop in serving { await loop.takeDeliveries() }
        await keeper.finishChanges()
        for loop in serving { await loop.takeDeliveries() }
        await keeper.close()
        await close()
        for loop in [loop, keeper.loop] + serving.map(\.loop) { loop.stop() }
    }

    private func open() throws(NetworkError) {
        if let controlPath {
            let control = try ControlListener(path: controlPath, loop: loop)
            control.onConnect = { [unowned self] connection in assumeIsolated { $0.greet(connection) } }
            self.control = control
        }
        if let metricsAddress {
            do throws(NetworkError) {
                metrics = try MetricsListener(metricsAddress, loop: loop) { [unowned self] in
                    assumeIsolated { $0.metricsText() }
                }
            } catch {
                close()
                throw error
            }
        }
        loop.onTurn { [unowned self] in assumeIsolated { $0.schedule() } }
    }

    private func close() {
        control?.close()
        control = nil
        metrics?.close()
        metrics = nil
        loop.onTurn {}
        loop.setDeadline(nil) {}
    }

    // MARK: Tunnels

    /// A server that passes nothing on is of no use to who can only be reached that way. One whose TCP port is taken
    /// serves all others.
    private func openGate() {
        guard service.relays else { return }
        do throws(NetworkError) {
            let gate = try TunnelGate(at: local, identity: identity) { [weak self] bytes, tunnel, source in
                self?.handleTunnelled(bytes, from: tunnel, realSource: source)
            }
            attach(gate) { gate.count }
            gate.start()
            self.gate = gate
        } catch { tell(error.description) }
    }

    private func closeGate() {
        gate?.stop()
        gate = nil
    }

    /// Says where datagrams for tunnels go from now on.
    /// - Parameter count: how many tunnels there are, for displays.
    public nonisolated func attach(_ sink: any TunnelSink, count: @escaping @Sendable () -> Int) {
        self.sink.withLock { $0 = sink }
        tunnels.withLock { $0 = count }
    }

    /// Takes a datagram that came out of a tunnel, on any thread.
    /// - Parameters:
    ///   - synthetic: what stands for the tunnel; one tunnel's datagrams stay in order.
    ///   - realSource: where the connection comes from: what is limited, and displayed.
    public nonisolated func handleTunnelled(_ bytes: [UInt8], from synthetic: Endpoint, realSource: Endpoint) {
        guard case .v6(_, let number) = synthetic.address, synthetic.isTunnel else { return }
        let loop = serving[Int(truncatingIfNeeded: number % UInt64(max(1, serving.count)))]
        loop.take(TunnelledDatagram(bytes: bytes, source: synthetic, origin: realSource))
    }

    // MARK: For operators

    /// Other rates of the relay from now on; whether there is one, and how many channels, stays as it is.
    public nonisolated func reconfigure(relay: RelayLimits) { service.setRelayRates(relay) }

    /// Other rates from now on; capacities and leases stay as they are.
    public nonisolated func reconfigure(_ limits: IndexLimits) { service.setLimits(limits) }

    /// Whether every loop that serves had a turn since this was asked last. By one caller, some time apart.
    public func isHealthy() -> Bool { serving.map { $0.hasTurned() }.allSatisfy { $0 } }

    /// Where metrics are served; `nil` for nowhere.
    public var metricsEndpoint: Endpoint? { metrics?.local }

    /// The server as a display asked to see it.
    public func snapshot(for request: SnapshotRequest) -> IndexSnapshot {
        recordLosses()
        return service.snapshot(
            for: request, store: keeper.health, loops: serving.count, residentBytes: ProcessUse.residentBytes,
            cpu: ProcessUse.cpu, tunnels: tunnels.withLock { $0 }(), now: clocks.monotonic(), wall: clocks.wall())
    }

    private func metricsText() -> String {
        let latencies = service.latencies(within: Metrics.bounds)
        return Metrics(
            snapshot: snapshot(for: SnapshotRequest(rows: RowRequest(limit: 0), wantsPairs: false)),
            latencies: latencies
        ).text
    }

    private func recordLosses() {
        var losses: (receiveDrops: UInt64, sendErrors: UInt64) = (0, 0)
        for loop in serving {
            losses.receiveDrops &+= loop.losses.receiveDrops
            losses.sendErrors &+= loop.losses.sendErrors
        }
        service.recordLosses(
            receiveDrops: losses.receiveDrops &- reportedLosses.receiveDrops,
            sendErrors: losses.sendErrors &- reportedLosses.sendErrors)
        reportedLosses = losses
    }

    // MARK: Time

    /// Sets the deadline when it is another one; an idle server sleeps until then.
    private func schedule() {
        let next = min(sweepsAt.nanoseconds, metrics?.nextDeadline ?? .max)
        guard next != deadline else { return }
        deadline = next
        loop.setDeadline(next) { [unowned self] in assumeIsolated { $0.expire() } }
    }

    private func expire() {
        deadline = nil
        let now = clocks.monotonic()
        metrics?.closeLate(now: now.nanoseconds)
        guard sweepsAt <= now else { return }
        // The system's counters go round, and perhaps no display asks.
        recordLosses()
        let (changes, isMore) = service.sweep(now: now)
        if !keeper.isVolatile, !changes.isEmpty { _ = keeper.write(changes.map { QueuedChange(change: $0) }) }
        sweepsAt = isMore ? now : service.nextSweep(now: now)
    }

    // MARK: The control socket

    /// A display asks with a line, `{"snapshot":{…}}`, and gets one line for it.
    private func greet(_ connection: LineConnection) {
        connection.onLine = { [unowned self, unowned connection] line in
            let answer = assumeIsolated { $0.answer(line: line) }
            connection.send(answer.encoded(.invisible))
        }
        connection.onClose = { [unowned self, unowned connection] in
            assumeIsolated { $0.control?.remove(connection) }
        }
    }

    private func answer(line: [UInt8]) -> JSONObject {
        do throws(WireError) {
            guard case .object(let request)? = try JSONObject(parsing: line)["snapshot"] else {
                throw .badMember("snapshot")
            }
            return snapshot(for: try SnapshotRequest(json: request)).json
        } catch {
            return ["error": .string("\(error)")]
        }
    }
}
