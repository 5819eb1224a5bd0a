// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import IndexEngine
internal import Model
internal import Network
internal import Queues
internal import Reactor
internal import Synchronization
internal import Tunnels
internal import Wire

/// The way in for peers whose network lets no UDP through: tunnels at the address and port of the UDP socket, on a
/// thread of their own, so that a crowd of handshakes costs the others nothing.
///
/// A tunnel is an endpoint to everybody else: 100::R, port 1, where R is 63 bits of chance. The prefix is for
/// discarding (RFC 6666), so no machine is there.
final class TunnelGate: TunnelSink, Sendable {
    /// Datagrams that may wait for a turn; one more is lost, as on a full line.
    static let waitingLimit = 4096

    private let loop: PollExecutor
    private let listener: TunnelListener
    private let waiting = Lock<[Datagram]>([])
    private let open = Atomic(0)
    private let isClosing = Atomic(false)

    /// - Parameters:
    ///   - place: where the UDP socket is.
    ///   - handle: called on the gate's thread with a datagram, the endpoint that stands for its tunnel, and the
    ///     address of the connection; must not wait.
    /// - Throws: why it can't listen, as one sentence that says what to do.
    init(
        at place: Endpoint, identity: ServerIdentity?, limits: TunnelLimits = TunnelLimits(),
        handle: @escaping @Sendable ([UInt8], _ tunnel: Endpoint, _ source: Endpoint) -> Void
    ) throws(NetworkError) {
        do throws(ReactorError) { loop = try PollExecutor(name: "parley-tcp") } catch {
            throw NetworkError(error.description, code: error.code)
        }
        do throws(NetworkError) {
            listener = try TunnelListener(at: place, identity: identity, limits: limits, loop: loop)
        } catch { throw NetworkError(failure(place, error), code: error.code) }
        listener.onDatagrams = { number, source, datagrams in
            let tunnel = Endpoint(address: .v6(tunnelPrefix, number), port: 1)
            for datagram in datagrams { handle(datagram, tunnel, source) }
        }
        // Holds on to itself until the loop ends.
        loop.onTurn { [self] in turn() }
    }

    // MARK: From any thread

    /// Connections, those included that are being made.
    var count: Int { open.load(ordering: .relaxed) }

    /// Datagrams that wait for a turn.
    var backlog: Int { waiting.withLock(\.count) }

    /// Lets peers in, on a thread of its own.
    func start() { loop.start() }

    /// Closes all tunnels, and ends the thread.
    func stop() {
        isClosing.store(true, ordering: .releasing)
        loop.wake()
    }

    func deliver(_ bytes: [UInt8], to endpoint: Endpoint) {
        let isFirst = waiting.withLock { waiting in
            guard waiting.count < Self.waitingLimit else { return false }
            waiting.append(Datagram(bytes, endpoint))
            return waiting.count == 1
        }
        if isFirst { loop.wake() }
    }

    // MARK: On its thread

    private func turn() {
        let datagrams = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        var touched: Set<TunnelListener.Number> = []
        for datagram in datagrams {
            guard case .v6(tunnelPrefix, let number) = datagram.endpoint.address else { continue }
            listener.send(datagram.bytes, to: number)
            touched.insert(number)
        }
        touched.forEach(listener.flush)
        if isClosing.load(ordering: .acquiring) {
            listener.close()
            loop.stop()
        }
        open.store(listener.count, ordering: .relaxed)
    }
}

/// 100::/64.
private let tunnelPrefix: UInt64 = 0x0100_0000_0000_0000

private func failure(_ place: Endpoint, _ error: NetworkError) -> String {
    let effect = "so peers whose network blocks UDP can't come in"
    return switch error.code {
    case EADDRINUSE:
        "TCP port \(place.port) is taken by another program, \(effect); stop that program, or choose another port."
    case EACCES: "TCP port \(place.port) needs a privilege on this machine, \(effect); choose one above 1023."
    default: "TCP \(place) could not be opened, \(effect): \(error)."
    }
}
