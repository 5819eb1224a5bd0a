// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Network
import Queues
import Support
import Wire

@testable import Tunnels

/// The server's side on a loop of its own: keeps what comes, and sends it back if told so.
final class Server: Sendable {
    enum Event: Equatable {
        case opened(UInt64)
        case ended(UInt64, String)
    }

    let thread: LoopThread
    let listener: TunnelListener
    let events = Inbox<Event>()
    let received = Inbox<[UInt8]>()
    var local: Endpoint { Endpoint.loopback(listener.local.port) }

    init(
        at place: Endpoint = .loopback(0), identity: Identity? = Identity(), limits: TunnelLimits = TunnelLimits(),
        isEcho: Bool = false, on thread: LoopThread? = nil
    ) async throws {
        let thread = try thread ?? LoopThread()
        self.thread = thread
        listener = try await thread.run { [events, received] loop in
            let listener = try TunnelListener(at: place, identity: identity, limits: limits, loop: loop)
            listener.onOpen = { number, _ in events.put([.opened(number)]) }
            listener.onEnd = { events.put([.ended($0, $1)]) }
            listener.onDatagrams = { [unowned listener] number, _, datagrams in
                received.put(datagrams)
                guard isEcho else { return }
                datagrams.forEach { listener.send($0, to: number) }
                listener.flush(number)
            }
            return listener
        }
    }

    deinit {
        Task { [thread, listener] in await thread.run { _ in listener.close() } }
    }

    func send(_ datagrams: [[UInt8]], to number: UInt64) async {
        await thread.run { [listener] _ in
            datagrams.forEach { listener.send($0, to: number) }
            listener.flush(number)
        }
    }

    /// Connections, those being made included.
    var count: Int { get async { await thread.run { [listener] _ in listener.count } } }

    /// Connections that were not let in.
    var refused: Int { get async { await thread.run { [listener] _ in listener.refused } } }

    /// The number of the next connection to open.
    func opened() async -> UInt64? {
        if case .opened(let number)? = await events.next() { number } else { nil }
    }

    /// Why the next connection ended.
    func ended() async -> String? {
        if case .ended(_, let reason)? = await events.next() { reason } else { nil }
    }

    func close() async { await thread.run { [listener] _ in listener.close() } }
}

/// The client's side on a loop of its own.
final class Caller: Sendable {
    let thread: LoopThread
    let host: TunnelHost
    let events = Inbox<TunnelEvent>()
    let received = Inbox<Datagram>()

    init(limits: TunnelLimits = TunnelLimits(), on thread: LoopThread? = nil) async throws {
        let thread = try thread ?? LoopThread()
        self.thread = thread
        host = try TunnelHost(
            loop: thread.loop, limits: limits, events: { [events] in events.put([$0]) },
            received: { [received] in received.put($0) })
        await thread.run { [host] _ in host.open() }
    }

    deinit {
        Task { [thread, host] in await thread.run { _ in host.close() } }
    }

    func open(_ server: Endpoint, key: [UInt8]? = nil) async -> TunnelEvent? {
        host.perform([.open(server, key: key)])
        return await events.next()
    }

    func send(_ datagrams: [[UInt8]], to server: Endpoint) {
        var rest = datagrams.map { Datagram($0, server) }[...]
        while case let count = host.take(rest), count > 0 { rest = rest.dropFirst(count) }
    }
}

/// A loop's thread that stands still from when this is made.
struct Standstill {
    private let mayGo = Gate()
    private let standing: Task<Void, Never>

    init(of thread: LoopThread) {
        let stands = Gate()
        standing = Task { [mayGo] in
            await thread.run { _ in
                stands.signal()
                mayGo.wait()
            }
        }
        stands.wait()
    }

    func end() async {
        mayGo.signal()
        await standing.value
    }
}

/// So many octets that tell which datagram they are.
func sample(_ index: Int, _ count: Int) -> [UInt8] {
    let head = (0..<4).map { UInt8(truncatingIfNeeded: index >> (8 * $0)) }
    return head + [UInt8](repeating: head[0] &+ 1, count: max(0, count - 4))
}

/// Which datagram it is.
func index(of datagram: [UInt8]) -> Int { datagram.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) } }
