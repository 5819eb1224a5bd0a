// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
public import Model
internal import Queues
public import Reactor
public import Wire

/// The one UDP port of a program: everything that it sends leaves from where it listens, so what another machine sees
/// of it is what can be reached.
public final class DatagramPort: DatagramTransport, Sendable {
    /// Where it is bound; a wildcard as such.
    public let local: Endpoint
    let descriptor: Int32
    private let outgoing = Lock(Batch(count: 64))
    private let refused = Lock<UInt64>(0)
    private let drops = Lock(WrappingCounter())

    private static let batchSize = 64
    /// Batches taken before others get their turn.
    private static let batchesPerTurn = 4

    /// Opens and binds it.
    /// - Parameter reportsUnreachable: whether `receive` also tells what ICMP says of destinations.
    public convenience init(_ listen: ListenAddress, reportsUnreachable: Bool) throws(NetworkError) {
        self.init(try openFirst(listen, reportsUnreachable))
    }

    private init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var place = cp_endpoint()
        cp_socket_local(descriptor, &place)
        local = Endpoint(place)
    }

    /// Opens so many ports at one address, each for a loop of its own: the system spreads sources over them.
    ///
    /// The first binds alone, so an address that any other program holds is refused even if that one shares it.
    public static func group(_ listen: ListenAddress, count: Int) throws(NetworkError) -> [DatagramPort] {
        let first = DatagramPort(try openFirst(listen, false))
        guard count > 1 else { return [first] }
        guard cp_udp_share(first.descriptor) == 0 else {
            throw NetworkError(
                "UDP \(listen) could not be shared by several loops: \(systemReason(errno)).", code: errno)
        }
        var ports = [first]
        while ports.count < count {
            let (descriptor, code) = open(first.local, reportsUnreachable: false, isShared: true)
            guard descriptor >= 0 else { throw NetworkError(bindFailure(listen, code), code: code) }
            ports.append(DatagramPort(descriptor))
        }
        return ports
    }

    deinit { Glibc.close(descriptor) }

    /// Calls `handler` on the loop's thread with what arrives, in batches.
    public func receive(on loop: PollExecutor, _ handler: @escaping ([DatagramEvent]) -> Void) {
        let batch = Batch(count: DatagramPort.batchSize)
        loop.watch(descriptor) { [self] readiness in
            if readiness.contains(.error) {
                let unreachable = takeErrors()
                if !unreachable.isEmpty { handler(unreachable) }
            }
            for _ in 0..<DatagramPort.batchesPerTurn {
                let count = cp_batch_receive(batch.pointer, descriptor)
                guard count > 0 else { return }
                handler((0..<Int(count)).compactMap { batch.event($0) })
                guard count == DatagramPort.batchSize else { return }
            }
        }
    }

    /// Calls `respond` on the loop's thread with what arrives, batch by batch; the answers leave in one call at its
    /// end. Between so many batches the loop's jobs have their turn.
    public func serve(on loop: PollExecutor, _ respond: @escaping (borrowing ReceivedBatch) -> Void) {
        let (questions, answers) = (Batch(count: DatagramPort.batchSize), Batch(count: DatagramPort.batchSize))
        loop.watch(descriptor) { [self] _ in
            for _ in 0..<DatagramPort.batchesPerTurn {
                let count = cp_batch_receive(questions.pointer, descriptor)
                guard count > 0 else { return }
                respond(ReceivedBatch(count: Int(count), questions, answers, descriptor: descriptor))
                flush(answers)
                guard count == DatagramPort.batchSize else { return }
            }
        }
    }

    /// Sends answers that had to wait, each from the address that was asked.
    public func send(_ answers: [DeferredAnswer]) {
        outgoing.withLock { batch in
            for answer in answers {
                if batch.isFull { flush(batch) }
                var path = cp_path(answer.path)
                if cp_batch_answer_later(batch.pointer, descriptor, answer.bytes, answer.bytes.count, &path) != 0 {
                    refused.withLock { $0 &+= 1 }
                }
            }
            flush(batch)
        }
    }

    private func flush(_ answers: Batch) {
        let count = answers.flushAll(to: descriptor)
        if count > 0 { refused.withLock { $0 &+= UInt64(count) } }
    }

    /// How many answers the system did not take.
    public var sendErrors: UInt64 { refused.withLock { $0 } }

    /// Stops calling handlers. On the loop's thread.
    public func stop(on loop: PollExecutor) { loop.unwatch(descriptor) }

    /// How many datagrams the kernel dropped because the receive buffer was full.
    public var receiveDrops: UInt64 { drops.withLock { $0.advance(to: cp_udp_drops(descriptor)) } }

    public func send(_ datagrams: [Datagram]) -> SendResult {
        outgoing.withLock { batch in
            var taken = 0
            while taken < datagrams.count {
                let chunk = datagrams[taken...].prefix(DatagramPort.batchSize)
                let fitting = chunk.prefix { datagram in
                    var destination = cp_endpoint(datagram.endpoint)
                    return cp_batch_add(
                        batch.pointer, descriptor, datagram.bytes, datagram.bytes.count, &destination) == 0
                }
                let (sent, code) = batch.flush(to: descriptor)
                taken += sent
                if sent == fitting.count, sent < chunk.count {
                    return SendResult(taken: taken, failure: systemReason(EMSGSIZE))
                }
                guard sent == chunk.count else {
                    let mayPass = code == EAGAIN || code == ENOBUFS || code == 0
                    return SendResult(taken: taken, failure: mayPass ? nil : systemReason(code))
                }
            }
            return SendResult(taken: taken)
        }
    }

    private func takeErrors() -> [DatagramEvent] {
        var events: [DatagramEvent] = []
        var destination = cp_endpoint()
        // Anybody can cause them, so only so many a turn.
        for _ in 0..<DatagramPort.batchSize {
            let kind = cp_udp_error(descriptor, &destination)
            guard kind >= 0 else { break }
            let event = DatagramEvent.unreachable(Endpoint(destination))
            if kind == 1, events.last != event { events.append(event) }
        }
        return events
    }
}

/// Receive buffer to ask the system for: what comes at 5,000 messages a second while a small machine is busy for a
/// second.
private let bufferSize: Int32 = 4 << 20

/// A descriptor that has the address to itself.
private func openFirst(_ listen: ListenAddress, _ reportsUnreachable: Bool) throws(NetworkError) -> Int32 {
    let wanted = Endpoint(address: listen.address ?? .v6(0, 0), port: listen.port)
    var opened = open(wanted, reportsUnreachable: reportsUnreachable)
    if opened.descriptor < 0, listen.address == nil, opened.code == EAFNOSUPPORT || opened.code == EADDRNOTAVAIL {
        // A machine without IPv6.
        let wanted = Endpoint(address: .v4(0), port: listen.port)
        opened = open(wanted, reportsUnreachable: reportsUnreachable)
    }
    guard opened.descriptor >= 0 else { throw NetworkError(bindFailure(listen, opened.code), code: opened.code) }
    return opened.descriptor
}

private func open(
    _ endpoint: Endpoint, reportsUnreachable: Bool, isShared: Bool = false
) -> (descriptor: Int32, code: Int32) {
    var place = cp_endpoint(endpoint)
    let descriptor = cp_udp_open(&place, bufferSize, reportsUnreachable ? 1 : 0, isShared ? 1 : 0)
    return (descriptor, errno)
}

private func bindFailure(_ listen: ListenAddress, _ code: Int32) -> String {
    switch code {
    case EADDRINUSE:
        "UDP port \(listen.port) is taken by another program; choose another one with --listen, or stop that program."
    case EACCES:
        "UDP port \(listen.port) needs a privilege on this machine; choose one above 1023 with --listen."
    case EADDRNOTAVAIL:
        "\(listen) is no address of this machine; choose another one with --listen."
    default:
        "UDP \(listen) could not be opened: \(systemReason(code))."
    }
}
