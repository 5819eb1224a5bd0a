// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
public import Model
internal import Queues
public import Reactor

/// A page of metrics over HTTP: `GET /metrics`, and nothing else.
///
/// One answer for each connection, which is closed then. All of it lives on one loop's thread.
public final class MetricsListener: @unchecked Sendable {
    // Sendable: all of it lives on the loop's thread, which `PollExecutor` checks whenever a watch changes.

    /// Connections at most; a further one is closed at once.
    public static let connectionLimit = 16
    /// How long a caller has for everything, in nanoseconds.
    public static let patience: UInt64 = 5_000_000_000

    /// Where it listens.
    public let local: Endpoint
    private let listening: ListeningSocket
    private let loop: PollExecutor
    private let page: () -> String
    /// Oldest first, so that the first one's time is over first.
    private var open: [HTTPConnection] = []

    /// Binds the address; without one, this machine's own 127.0.0.1.
    /// - Parameter page: makes the page, in the text format 0.0.4 of Prometheus, on the loop's thread.
    public init(
        _ listen: ListenAddress, loop: PollExecutor, page: @escaping () -> String
    ) throws(NetworkError) {
        var place = cp_endpoint(Endpoint(address: listen.address ?? .v4(0x7F00_0001), port: listen.port))
        let descriptor = cp_tcp_listen(&place, 16)
        guard descriptor >= 0 else { throw NetworkError(listenFailure(listen, errno), code: errno) }
        cp_socket_local(descriptor, &place)
        local = Endpoint(place)
        listening = ListeningSocket(descriptor)
        self.loop = loop
        self.page = page
        loop.watch(descriptor) { [weak self] _ in self?.accept() }
    }

    /// When `closeLate` will have something to do, in nanoseconds of `PollExecutor.now()`.
    public var nextDeadline: UInt64? { open.first?.deadline }

    /// Closes the connections whose time is over.
    public func closeLate(now: UInt64) {
        while let first = open.first, first.deadline <= now { remove(first) }
    }

    /// Stops listening and closes all connections.
    public func close() {
        loop.unwatch(listening.descriptor)
        listening.close()
        open.forEach { $0.close() }
        open = []
    }

    private func accept() {
        while let accepted = listening.accept() {
            guard open.count < MetricsListener.connectionLimit else {
                Glibc.close(accepted)
                continue
            }
            let connection = HTTPConnection(accepted, deadline: PollExecutor.now() &+ Self.patience, loop: loop)
            connection.respond = { [weak self] in self?.respond(to: $0) ?? HTTPResponse(404) }
            connection.onEnd = { [weak self, weak connection] in
                if let connection { self?.remove(connection) }
            }
            open.append(connection)
        }
    }

    private func remove(_ connection: HTTPConnection) {
        open.removeAll { $0 === connection }
        connection.close()
    }

    private func respond(to request: HTTPRequest) -> HTTPResponse {
        guard request.path == "/metrics" else { return HTTPResponse(404) }
        guard request.method == "GET" else { return HTTPResponse(405) }
        return HTTPResponse(200, type: "text/plain; version=0.0.4; charset=utf-8", body: page())
    }
}

private func listenFailure(_ listen: ListenAddress, _ code: Int32) -> String {
    switch code {
    case EADDRINUSE: "TCP port \(listen.port) for metrics is taken by another program; choose another one."
    case EACCES: "TCP port \(listen.port) for metrics needs a privilege on this machine; choose one above 1023."
    case EADDRNOTAVAIL: "\(listen) for metrics is no address of this machine; choose another one."
    default: "TCP \(listen) for metrics could not be opened: \(systemReason(code))."
    }
}
