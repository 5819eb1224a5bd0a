// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Identity
import Model
import Network
import Queues
import Reactor
import Tunnels
import Wire

/// Asks index servers, all from one fresh port: what they see of it can be compared.
actor DoctorAsker {
    /// What is asked, without the nonce.
    enum Question: Sendable {
        /// Answered with a cookie: where the server sees us, and what it offers. Registers nothing.
        case someRegistration
        /// For an ID that nobody has: every server answers, the seed's too.
        case someQuery
        case seen
    }

    private struct Waiting {
        let endpoint: Endpoint
        let asked: Instant
        let answer: BoundedQueue<(IndexReply, Span)>
    }

    /// Milliseconds after the first try at which it is repeated, and the end.
    private static let repeats = [0, 300, 800, 1500]
    /// Until a tunnel must be open.
    private static let patience = Swift.Duration.seconds(2)

    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private let port: DatagramPort
    /// `nil` until `open`, and when the system has no descriptor left.
    private var tunnels: TunnelHost?
    private var waiting: [String: Waiting] = [:]
    private var opening: [Endpoint: BoundedQueue<TunnelEvent>] = [:]
    private var random = RandomSource.system

    init(port: DatagramPort, loop: PollExecutor) {
        self.port = port
        self.loop = loop
    }

    func open() {
        port.receive(on: loop) { [unowned self] events in
            let datagrams = events.compactMap { if case .received(let datagram) = $0 { datagram } else { nil } }
            assumeIsolated { $0.take(datagrams) }
        }
        tunnels = try? TunnelHost(loop: loop) { [unowned self] event in
            assumeIsolated { $0.take(event) }
        } received: { [unowned self] datagrams in
            assumeIsolated { $0.take(datagrams) }
        }
        tunnels?.open()
    }

    func close() {
        port.stop(on: loop)
        tunnels?.close()
    }

    /// From now on what is asked of this server goes through a tunnel.
    /// - Parameter key: what the server must hold; `nil` to take whoever answers.
    /// - Returns: why there is none, one clause.
    func openTunnel(to server: Endpoint, key: PeerKey?) async -> String? {
        guard let tunnels else { return "the system has no descriptor left" }
        let events = BoundedQueue<TunnelEvent>(capacity: 1)
        opening[server] = events
        tunnels.perform([.open(server, key: key?.octets)])
        let timer = Task {
            try? await Task.sleep(for: Self.patience)
            events.finish()
        }
        defer { timer.cancel() }
        switch await events.next()?.first {
        case .opened: return nil
        case .closed(_, let reason): return reason
        case nil: return "no answer in time"
        }
    }

    /// - Returns: `nil` when nothing came back.
    func ask(_ question: Question, at endpoint: Endpoint) async -> (reply: IndexReply, span: Span)? {
        let answer = BoundedQueue<(IndexReply, Span)>(capacity: 1)
        var nonces: [String] = []
        for (pause, next) in zip(Self.repeats, Self.repeats.dropFirst()) {
            // Each try has a nonce of its own, so that the round trip is its own too.
            let nonce = Base64URL.encode(random.octets(9))
            nonces.append(nonce)
            waiting[nonce] = Waiting(endpoint: endpoint, asked: Clocks.system.monotonic(), answer: answer)
            let datagram = Datagram(request(question, nonce).encoded(), endpoint)
            _ = tunnels.map { Uplink(port, tunnels: $0).send([datagram]) } ?? port.send([datagram])
            let timer = Task {
                try? await Task.sleep(for: .milliseconds(next - pause))
                if !Task.isCancelled, next == Self.repeats.last { answer.finish() }
                return answer.count > 0
            }
            if await timer.value { break }
        }
        for nonce in nonces { waiting[nonce] = nil }
        answer.finish()
        return await answer.next()?.first
    }

    private func request(_ question: Question, _ nonce: String) -> IndexRequest {
        switch question {
        case .someRegistration:
            let signed = IndexRequest.Signed(
                peer: PeerID(high: random.next(), low: random.next()), record: random.octets(160))
            return .registration(
                IndexRequest.Registration(address: .loopback(port.local.port), signed: signed, nonce: nonce))
        case .someQuery:
            return .query(IndexRequest.Query(text: "\(PeerID(high: random.next(), low: random.next()))", nonce: nonce))
        case .seen: return .seen(nonce: nonce)
        }
    }

    private func take(_ event: TunnelEvent) {
        switch event {
        case .opened(let server), .closed(let server, _): opening.removeValue(forKey: server)?.offer([event])
        }
    }

    private func take(_ datagrams: [Datagram]) {
        for datagram in datagrams {
            guard let answer = try? IndexAnswer(parsing: datagram.bytes) else { continue }
            let asked =
                answer.nonce.flatMap { waiting[$0] }
                // The seed's servers echo none.
                ?? waiting.values.first { answer.nonce == nil && $0.endpoint == datagram.endpoint }
            guard let asked, asked.endpoint == datagram.endpoint else { continue }
            asked.answer.offer([(answer.reply, Clocks.system.monotonic().since(asked.asked))])
        }
    }
}

/// Whether what is sent to the peers of this network arrives.
enum DoctorGroup {
    static func isHeard(loop: PollExecutor) async -> Bool {
        guard let port = try? DatagramPort(ListenAddress(port: 0), reportsUnreachable: false), let lan = try? LanPort()
        else { return false }
        var random = RandomSource.system
        // No probe, so nobody answers.
        let call = Array("{\"doctor\":\"\(Base64URL.encode(random.octets(12)))\"}".utf8)
        let heard = BoundedQueue<Bool>(capacity: 1)
        let listener = Listener(loop: loop)
        await listener.run { loop in
            lan.receive(on: loop) { if $0.contains(where: { $0.bytes == call }) { heard.offer([true]) } }
        }
        port.sendToGroup(call)
        let timer = Task {
            try? await Task.sleep(for: .milliseconds(500))
            heard.finish()
        }
        let isHeard = await heard.next() != nil
        timer.cancel()
        await listener.run { lan.stop(on: $0) }
        return isHeard
    }

    private actor Listener {
        private nonisolated let loop: PollExecutor
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        init(loop: PollExecutor) { self.loop = loop }
        func run(_ body: @Sendable (PollExecutor) -> Void) { body(loop) }
    }
}

/// Whether somebody takes TCP connections there. Blocks for `limit` at most.
func connects(to endpoint: Endpoint, within limit: Span) -> Bool {
    guard let descriptor = try? TCP.connect(to: endpoint) else { return false }
    defer { close(descriptor) }
    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return cp_poll(&ready, 1, Int64(clamping: limit.nanoseconds)) == 1 && TCP.error(of: descriptor) == nil
}
