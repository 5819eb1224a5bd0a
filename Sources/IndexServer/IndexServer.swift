// SPDX-License-Identifier: GPL-3.0-or-later
public import IndexEngine
public import Model
public import Network
internal import Reactor
internal import Wire

/// What an operator decides about a server.
public struct IndexServerConfiguration: Sendable {
    public var listen: ListenAddress
    /// Path of the control socket; `nil` for none.
    public var control: String?
    public var version: String
    /// Who it is to those who pin its key; `nil` for nobody.
    public var identity: ServerIdentity?
    public var limits: IndexLimits

    public init(
        listen: ListenAddress, control: String?, version: String, identity: ServerIdentity? = nil,
        limits: IndexLimits = IndexLimits()
    ) {
        self.listen = listen
        self.control = control
        self.version = version
        self.identity = identity
        self.limits = limits
    }
}

/// The index server around its machine: one UDP port, one control socket and one actor, all on one thread that sleeps in
/// poll until one of them has something.
public actor IndexServer {
    private let loop: PollExecutor
    private let port: DatagramPort
    private var control: ControlListener?
    /// The path of its control socket; `nil` without one.
    public nonisolated let controlPath: String?
    /// The key that it proves, as `--index HOST:PORT#KEY` takes it; `nil` when it proves none.
    public nonisolated let key: String?
    private let service: IndexService
    private let machine: IndexMachine
    private var reply: [UInt8] = []
    private let clocks: Clocks
    private let report: (@Sendable (IndexEvent, Span) -> Void)?
    private var random = RandomSource.system
    private var scheduledExpiry: Instant?
    private var reportedDrops: UInt64 = 0

    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Opens the port; nothing is answered before `start`.
    /// - Parameter report: called for each datagram, on the server's thread: it must not wait.
    public init(
        _ configuration: IndexServerConfiguration, clocks: Clocks,
        report: (@Sendable (IndexEvent, Span) -> Void)? = nil
    ) throws(NetworkError) {
        do { loop = try PollExecutor(name: "parley-index") } catch { throw NetworkError("\(error)") }
        port = try DatagramPort(configuration.listen, reportsUnreachable: false)
        controlPath = configuration.control
        self.clocks = clocks
        self.report = report
        var random = RandomSource.system
        let boot = random.octets(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let info = ServerInfo(
            version: configuration.version, listen: "\(port.local)", control: configuration.control, boot: boot)
        service = IndexService(
            info: info, secret: random.octets(32), identity: configuration.identity, limits: configuration.limits,
            now: clocks.monotonic())
        machine = service.makeMachine()
        key = service.info.key
    }

    /// Where it listens; a wildcard as such.
    public nonisolated var local: Endpoint { port.local }

    /// Answers from now on, on a thread of its own.
    /// - Throws: when the control socket is not to be had.
    public nonisolated func start() async throws(NetworkError) {
        loop.start()
        do throws(NetworkError) { try await open() } catch {
            loop.stop()
            throw error
        }
    }

    /// Closes the sockets and ends the thread.
    public nonisolated func stop() async {
        await close()
        loop.stop()
    }

    /// The server as a display asked to see it.
    public func snapshot(for request: SnapshotRequest) -> IndexSnapshot {
        let drops = port.receiveDrops
        service.recordLosses(receiveDrops: drops &- reportedDrops)
        reportedDrops = drops
        return service.snapshot(
            for: request, residentBytes: ProcessMemory.residentBytes, now: clocks.monotonic(), wall: clocks.wall())
    }

    private func open() throws(NetworkError) {
        if let controlPath {
            let control = try ControlListener(path: controlPath, loop: loop)
            control.onConnect = { [unowned self] connection in assumeIsolated { $0.greet(connection) } }
            self.control = control
        }
        port.serve(on: loop) { [unowned self] batch in
            for index in 0..<batch.count {
                guard let bytes = batch.withBytes(of: index, { bytes in bytes.indices.map { bytes[$0] } }) else {
                    continue
                }
                let datagram = Datagram(bytes, batch.source(of: index))
                if let reply = assumeIsolated({ $0.answer(datagram) }) { batch.answer(index, with: reply) }
            }
        }
        loop.onTurn { [unowned self] in assumeIsolated { $0.scheduleExpiry() } }
    }

    private func close() {
        port.stop(on: loop)
        control?.close()
        control = nil
        loop.onTurn {}
        loop.setDeadline(nil) {}
    }

    private func answer(_ datagram: Datagram) -> [UInt8]? {
        let began = clocks.monotonic()
        let outcome = machine.handle(
            datagram.bytes.span, from: datagram.endpoint, now: began, wall: clocks.wall(), reply: &reply,
            using: &random)
        let ended = clocks.monotonic()
        service.record([HandledEvent(event: outcome.event, took: ended.since(began), now: ended)])
        report?(outcome.event, ended.since(began))
        return outcome.verdict == .silence ? nil : reply
    }

    /// Sets the deadline when it is another one; an idle server sleeps until then.
    private func scheduleExpiry() {
        guard scheduledExpiry == nil else { return }
        let next = service.nextSweep(now: clocks.monotonic())
        scheduledExpiry = next
        loop.setDeadline(next.nanoseconds) { [unowned self] in assumeIsolated { $0.expire() } }
    }

    private func expire() {
        scheduledExpiry = nil
        if service.sweep(now: clocks.monotonic()).isMore { loop.wake() }
    }

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
