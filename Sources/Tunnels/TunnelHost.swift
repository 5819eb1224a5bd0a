// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import Network
internal import Queues
public import Reactor
public import Wire

/// The client's side of tunnels: one connection at most to each server, on the thread of a loop that others use too.
///
/// Every tunnel that is opened is told of as closed in the end, by whomever.
public final class TunnelHost: TunnelTransport, Sendable {
    /// What other threads and the loop share.
    private struct Shared {
        var commands: [TunnelCommand] = []
        var outgoing: [Datagram] = []
        /// Octets in `outgoing`.
        var waiting = 0
        var dropped = 0
        var open: Set<Endpoint> = []
    }

    /// What only the loop's thread touches.
    private final class Connections {
        var all: [Endpoint: TunnelConnection] = [:]
        let credentials = TLSCredentials(nil)
    }

    private let loop: PollExecutor
    private let bell: LoopBell
    private let limits: TunnelLimits
    private let tell: @Sendable (TunnelEvent) -> Void
    private let deliver: @Sendable ([Datagram]) -> Void
    private let shared = Lock(Shared())
    // Sound to share: only the loop's thread uses it, and `PollExecutor` checks that whenever a watch changes.
    private nonisolated(unsafe) let connections = Connections()

    /// - Parameters:
    ///   - events: called in order on the loop's thread; must not wait.
    ///   - received: called on the loop's thread with what came, from the server's endpoint; must not wait.
    /// - Throws: when the system has no descriptor left.
    public init(
        loop: PollExecutor, limits: TunnelLimits = TunnelLimits(), events: @escaping @Sendable (TunnelEvent) -> Void,
        received: @escaping @Sendable ([Datagram]) -> Void
    ) throws(NetworkError) {
        bell = try LoopBell()
        self.loop = loop
        self.limits = limits
        tell = events
        deliver = received
    }

    // MARK: From any thread

    public func perform(_ commands: [TunnelCommand]) {
        guard !commands.isEmpty else { return }
        shared.withLock { $0.commands += commands }
        bell.ring()
    }

    /// Whether datagrams for this server go through a tunnel.
    public func isOpen(_ server: Endpoint) -> Bool { shared.withLock { $0.open.contains(server) } }

    /// Takes those from the front that are for servers with an open tunnel, up to the first other one; what is beyond
    /// the buffer is lost, as on a full line.
    /// - Returns: how many those were.
    func take(_ datagrams: ArraySlice<Datagram>) -> Int {
        let (count, isNew) = shared.withLock { shared -> (Int, Bool) in
            guard !shared.open.isEmpty else { return (0, false) }
            let mine = datagrams.prefix { shared.open.contains($0.endpoint) }
            let wasEmpty = shared.outgoing.isEmpty
            for datagram in mine {
                if shared.waiting + datagram.bytes.count <= limits.buffered {
                    shared.waiting += datagram.bytes.count
                    shared.outgoing.append(datagram)
                } else {
                    shared.dropped += 1
                }
            }
            return (mine.count, wasEmpty && !shared.outgoing.isEmpty)
        }
        if isNew { bell.ring() }
        return count
    }

    /// Datagrams that were dropped because too many waited.
    public var dropped: Int { shared.withLock { $0.dropped } }

    // MARK: On the loop's thread

    /// Begins to carry out commands. On the loop's thread, or before it runs.
    public func open() { bell.open(on: loop) { [weak self] in self?.turn() } }

    /// Closes all tunnels, without telling, and carries out no more commands.
    public func close() {
        bell.close(on: loop)
        shared.withLock { $0.open = [] }
        connections.all.values.forEach { $0.close() }
        connections.all = [:]
    }

    /// Octets that wait to be sent to a server.
    func waiting(for server: Endpoint) -> Int {
        shared.withLock { $0.waiting } + (connections.all[server]?.waiting ?? 0)
    }

    private func turn() {
        let (commands, datagrams) = shared.withLock { shared in
            defer { (shared.commands, shared.outgoing, shared.waiting) = ([], [], 0) }
            return (shared.commands, shared.outgoing)
        }
        commands.forEach(perform)
        send(datagrams)
        let now = PollExecutor.now()
        connections.all.values.filter { $0.deadline <= now }.forEach { $0.expire(now: now) }
        bell.set(connections.all.values.map(\.deadline).filter { $0 < .max }.min())
    }

    private func perform(_ command: TunnelCommand) {
        switch command {
        case .open(let server, let key): connect(to: server, pin: key)
        case .close(let server):
            guard let connection = connections.all[server] else { return }
            connection.close()
            ended(server, "closed on this side")
        }
    }

    private func connect(to server: Endpoint, pin: [UInt8]?) {
        guard connections.all[server] == nil else { return }
        do throws(NetworkError) {
            let connection = TunnelConnection(
                connecting: try TCP.connect(to: server), pin: pin, connections.credentials, limits, loop)
            connection.onOpen = { [weak self] in self?.opened(server) }
            connection.onDatagrams = { [deliver] in deliver($0.map { Datagram($0, server) }) }
            connection.onEnd = { [weak self] in self?.ended(server, $0) }
            connections.all[server] = connection
        } catch { tell(.closed(server, reason: error.description)) }
    }

    private func opened(_ server: Endpoint) {
        shared.withLock { _ = $0.open.insert(server) }
        tell(.opened(server))
    }

    private func ended(_ server: Endpoint, _ reason: String) {
        shared.withLock { _ = $0.open.remove(server) }
        let dropped = connections.all.removeValue(forKey: server)?.dropped ?? 0
        shared.withLock { $0.dropped += dropped }
        tell(.closed(server, reason: reason))
    }

    private func send(_ datagrams: [Datagram]) {
        var touched: Set<Endpoint> = []
        for datagram in datagrams {
            connections.all[datagram.endpoint]?.send(datagram.bytes)
            touched.insert(datagram.endpoint)
        }
        for server in touched { connections.all[server]?.flush() }
    }
}
