// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
public import Model
internal import Queues
public import Reactor
public import Wire

/// The one UDP port of a program: everything that it sends leaves from where it listens, so what another machine sees of
/// it is what can be reached.
public final class DatagramPort: DatagramTransport, Sendable {
    /// Where it is bound; a wildcard as such.
    public let local: Endpoint
    private let descriptor: Int32
    private let outgoing = Lock(Batch(count: 64))

    private static let batchSize = 64
    /// Batches taken before others get their turn.
    private static let batchesPerTurn = 4

    /// Opens and binds it.
    /// - Parameter reportsUnreachable: whether `receive` also tells what ICMP says of destinations.
    public init(_ listen: ListenAddress, reportsUnreachable: Bool) throws(NetworkError) {
        let wanted = Endpoint(address: listen.address ?? .v6(0, 0), port: listen.port)
        var opened = open(wanted, reportsUnreachable)
        if opened.descriptor < 0, listen.address == nil, opened.code == EAFNOSUPPORT || opened.code == EADDRNOTAVAIL {
            // A machine without IPv6.
            opened = open(Endpoint(address: .v4(0), port: listen.port), reportsUnreachable)
        }
        guard opened.descriptor >= 0 else {
            throw NetworkError(bindFailure(listen, opened.code), code: opened.code)
        }
        descriptor = opened.descriptor
        var where_ = cp_endpoint()
        cp_udp_local(descriptor, &where_)
        local = Endpoint(where_)
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

    /// Calls `respond` on the loop's thread with each datagram; what it returns goes back to the source, from the address
    /// that the datagram was sent to.
    public func serve(on loop: PollExecutor, _ respond: @escaping (Datagram) -> [UInt8]?) {
        let (questions, answers) = (Batch(count: DatagramPort.batchSize), Batch(count: DatagramPort.batchSize))
        loop.watch(descriptor) { [descriptor] _ in
            for _ in 0..<DatagramPort.batchesPerTurn {
                let count = cp_batch_receive(questions.pointer, descriptor)
                guard count > 0 else { return }
                for index in 0..<Int(count) {
                    guard case .received(let datagram)? = questions.event(index), let answer = respond(datagram) else {
                        continue
                    }
                    cp_batch_answer(answers.pointer, questions.pointer, Int32(index), answer, answer.count)
                }
                answers.flushAll(to: descriptor)
                guard count == DatagramPort.batchSize else { return }
            }
        }
    }

    /// Stops calling handlers. On the loop's thread.
    public func stop(on loop: PollExecutor) { loop.unwatch(descriptor) }

    /// How many datagrams the kernel dropped because the receive buffer was full.
    public var receiveDrops: UInt64 { UInt64(cp_udp_drops(descriptor)) }

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

/// Receive buffer to ask the system for: what comes at 5,000 messages a second while a small machine is busy for a second.
private let bufferSize: Int32 = 4 << 20

private func open(_ endpoint: Endpoint, _ reportsUnreachable: Bool) -> (descriptor: Int32, code: Int32) {
    var where_ = cp_endpoint(endpoint)
    let descriptor = cp_udp_open(&where_, bufferSize, reportsUnreachable ? 1 : 0)
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

/// A C batch with an owner.
private final class Batch: @unchecked Sendable {
    // Sendable: whoever holds it, a loop or a lock, lets one thread at it at a time.
    let pointer: OpaquePointer

    init(count: Int) {
        guard let pointer = cp_batch_new(Int32(count), WireLimits.receivedDatagram) else {
            preconditionFailure("out of memory")
        }
        self.pointer = pointer
    }

    deinit { cp_batch_free(pointer) }

    /// A received datagram; `nil` for one that was longer than any of ours.
    func event(_ index: Int) -> DatagramEvent? {
        let index = Int32(index)
        guard cp_batch_truncated(pointer, index) == 0 else { return nil }
        let length = Int(cp_batch_length(pointer, index))
        let bytes = Array(UnsafeBufferPointer(start: cp_batch_bytes(pointer, index), count: length))
        var source = cp_endpoint()
        cp_batch_source(pointer, index, &source)
        return .received(Datagram(bytes, Endpoint(source)))
    }

    /// Writes what was added until the system refuses one; forgets the rest.
    func flush(to descriptor: Int32) -> (sent: Int, code: Int32) {
        defer { cp_batch_clear(pointer) }
        let count = cp_batch_count(pointer)
        var sent: Int32 = 0
        var attempts = 0
        while sent < count {
            let taken = cp_batch_flush(pointer, descriptor, sent)
            if taken > 0 {
                sent += taken
                attempts = 0
                continue
            }
            let code = errno
            attempts += 1
            // An earlier datagram's ICMP error is reported by the next call, once, and says nothing about this one.
            guard attempts <= 8, code == ECONNREFUSED || code == EHOSTUNREACH || code == EINTR else {
                return (Int(sent), code)
            }
        }
        return (Int(sent), 0)
    }

    /// Writes all that was added; what can't be sent is lost, as datagrams are.
    func flushAll(to descriptor: Int32) { _ = flush(to: descriptor) }
}

extension Endpoint {
    init(_ raw: cp_endpoint) {
        let address: Address = raw.family == 4 ? .v4(UInt32(truncatingIfNeeded: raw.low)) : .v6(raw.high, raw.low)
        self.init(address: address, port: raw.port)
    }
}

extension cp_endpoint {
    init(_ endpoint: Endpoint) {
        switch endpoint.address {
        case .v4(let bits): self.init(high: 0, low: UInt64(bits), port: endpoint.port, family: 4)
        case .v6(let high, let low): self.init(high: high, low: low, port: endpoint.port, family: 6)
        }
    }
}
