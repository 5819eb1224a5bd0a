// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import PeerEngine
internal import Queues
public import Reactor
public import Wire

/// Sessions over QUIC on a port that others use too: it lives on the thread of the port's loop.
///
/// It takes the loop's one deadline for itself.
public actor SessionHost: SessionTransport {
    private nonisolated let loop: PollExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let transport: any DatagramTransport
    private let clocks: Clocks
    private let tell: @Sendable ([SessionEvent]) -> Void
    private let searchLAN: @Sendable ([UInt8]) -> Void
    private let table: SessionTable
    private nonisolated let commands = Lock<[SessionCommand]>([])

    /// - Parameters:
    ///   - transport: where datagrams leave; what it does not take is lost, as on the network.
    ///   - loop: the loop whose thread gives `receive` what arrives.
    ///   - localPort: that of the one UDP port.
    ///   - searchLAN: sends a datagram from the one UDP port to whoever listens on this network, without waiting; on
    ///     the loop's thread.
    ///   - events: called in order, on the loop's thread; must not wait.
    public init(
        identity: Identity, transport: any DatagramTransport, loop: PollExecutor, clocks: Clocks, localPort: UInt16,
        limits: SessionLimits = SessionLimits(), searchLAN: @escaping @Sendable ([UInt8]) -> Void = { _ in },
        events: @escaping @Sendable ([SessionEvent]) -> Void
    ) {
        self.loop = loop
        self.transport = transport
        self.clocks = clocks
        tell = events
        self.searchLAN = searchLAN
        table = SessionTable(identity: identity, localPort: localPort, limits: limits)
    }

    /// Whether a datagram belongs to a session, by its first byte.
    public static func isSession(_ bytes: [UInt8]) -> Bool { SessionDatagram.isSession(bytes) }

    // MARK: From any thread

    public nonisolated func perform(_ new: [SessionCommand]) {
        guard !new.isEmpty else { return }
        let isFirst = commands.withLock { queue in
            defer { queue += new }
            return queue.isEmpty
        }
        if isFirst { Task { await performQueued() } }
    }

    /// Tells all other sides that it is over, and forgets them.
    public func close() {
        let now = clocks.monotonic()
        table.closeAll(.done, now: now)
        flush(now)
        loop.setDeadline(nil) {}
    }

    // MARK: From the loop's thread

    /// Takes the datagrams that belong to sessions, whichever socket they came in by; leaves the others alone. Only
    /// from the loop's thread.
    public nonisolated func receive(_ datagrams: [Datagram]) {
        assumeIsolated { host in
            let now = host.clocks.monotonic()
            host.table.receive(datagrams, now: now)
            host.flush(now)
        }
    }

    /// Somebody says that nobody reads there: a hint. Only from the loop's thread.
    public nonisolated func unreachable(_ endpoint: Endpoint) {
        assumeIsolated { host in
            let now = host.clocks.monotonic()
            host.table.hint(unreachable: endpoint, now: now)
            host.flush(now)
        }
    }

    private func performQueued() {
        let batch = commands.withLock { queue in
            defer { queue = [] }
            return queue
        }
        let now = clocks.monotonic()
        table.perform(batch, now: now)
        flush(now)
    }

    private func expire() {
        let now = clocks.monotonic()
        table.advance(to: now)
        flush(now)
    }

    /// What the system can't send, as to a family that this machine has no address of, does not hold up the rest.
    private func send(_ datagrams: [Datagram]) {
        var rest = datagrams[...]
        while !rest.isEmpty {
            let result = transport.send(Array(rest))
            guard result.failure != nil else { return }
            rest = rest.dropFirst(result.taken + 1)
        }
    }

    private func flush(_ now: Instant) {
        let output = table.takeOutput(now: now)
        send(output.datagrams)
        output.lanProbes.forEach(searchLAN)
        loop.setDeadline(table.deadline?.nanoseconds) { [weak self] in self?.assumeIsolated { $0.expire() } }
        if !output.events.isEmpty { tell(output.events) }
    }
}
