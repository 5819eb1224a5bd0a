// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Network
import Reactor
import Wire

/// A closed loop of requests: each answer, once checked, makes room for the next request.
actor LoadGenerator {
    private struct Slot {
        var request = 0
        var sent: UInt64 = 0
        var isOpen = false
    }

    private struct Lane {
        let port: DatagramPort
        var script = BenchScript(requests: [], answers: .newUUID)
        var slots: [Slot]
        var next = 0
        /// Requests given up as lost: a late answer is not a wrong one.
        var lost: Set<Int> = []
        /// Who waits for a single answer.
        var asker: CheckedContinuation<[UInt8]?, Never>?
    }

    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let server: Endpoint
    private var lanes: [Lane]
    private var round: BenchRound?
    private var began: UInt64 = 0
    private var end: UInt64 = 0
    private var finished: CheckedContinuation<BenchRound, Never>?

    private static let second: UInt64 = 1_000_000_000

    init(_ server: Endpoint, sockets: Int, outstanding: Int, loop: PollExecutor) throws(NetworkError) {
        self.server = server
        self.loop = loop
        lanes = []
        let anywhere: Endpoint.Address? = server.isLoopback ? server.address : nil
        for index in 0..<sockets {
            let count = outstanding / sockets + (index < outstanding % sockets ? 1 : 0)
            let port = try DatagramPort(ListenAddress(address: anywhere, port: 0), reportsUnreachable: false)
            lanes.append(Lane(port: port, slots: Array(repeating: Slot(), count: count)))
        }
    }

    /// How many sockets there are, and where one of them is bound.
    var count: Int { lanes.count }
    func local(_ lane: Int) -> Endpoint { lanes[lane].port.local }

    // MARK: One request

    /// Sends a request from one of the sockets.
    /// - Returns: the answer, or `nil` after three tries of half a second.
    func ask(_ request: [UInt8], from lane: Int) async -> [UInt8]? {
        listen()
        for _ in 0..<3 {
            let answer = await withCheckedContinuation { continuation in
                lanes[lane].asker = continuation
                _ = lanes[lane].port.send([Datagram(request, server)])
                loop.setDeadline(PollExecutor.now() + Self.second / 2) { [weak self] in
                    self?.assumeIsolated { $0.answerAsker(lane, nil) }
                }
            }
            loop.setDeadline(nil) {}
            if answer != nil { return answer }
        }
        return nil
    }

    private func answerAsker(_ lane: Int, _ answer: [UInt8]?) {
        let asker = lanes[lane].asker
        lanes[lane].asker = nil
        asker?.resume(returning: answer)
    }

    // MARK: A round

    /// Sends what the scripts say, one script a socket, for so many seconds, then waits for the last answers.
    func run(_ scripts: [BenchScript], seconds: Int) async -> BenchRound {
        listen()
        for index in lanes.indices {
            lanes[index].script = scripts[index]
            lanes[index].next = 0
            lanes[index].lost = []
        }
        var round = BenchRound()
        round.latencies.reserveCapacity(200_000 * seconds)
        self.round = round
        began = PollExecutor.now()
        end = began + UInt64(seconds) * Self.second
        for lane in lanes.indices { fill(lane, now: began) }
        sweepLater()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { finished = $0 }
        } onCancel: {
            Task { await self.finish() }
        }
    }

    private func listen() {
        for lane in lanes.indices {
            lanes[lane].port.receive(on: loop) { [weak self] events in
                self?.assumeIsolated { $0.take(events, lane) }
            }
        }
    }

    private func take(_ events: [DatagramEvent], _ lane: Int) {
        let now = PollExecutor.now()
        for case .received(let datagram) in events where datagram.endpoint == server {
            if lanes[lane].asker != nil { answerAsker(lane, datagram.bytes) } else { check(datagram.bytes, lane, now) }
        }
        fill(lane, now: now)
    }

    private func check(_ answer: [UInt8], _ lane: Int, _ now: UInt64) {
        guard round != nil else { return }
        let script = lanes[lane].script
        let open = lanes[lane].slots.indices.filter { lanes[lane].slots[$0].isOpen }
        let oldest = open.min { lanes[lane].slots[$0].sent < lanes[lane].slots[$1].sent }
        let isNamed = if case .newUUID = script.answers { false } else { true }
        let slot =
            isNamed
            ? open.first { script.accepts(answer, for: lanes[lane].slots[$0].request) }
            : oldest.flatMap { script.accepts(answer, for: 0) ? $0 : nil }
        if let slot {
            lanes[lane].slots[slot].isOpen = false
            guard now <= end else { return }
            round?.answers += 1
            round?.latencies.append(UInt32(clamping: (now - lanes[lane].slots[slot].sent) / 1000))
        } else if let late = lanes[lane].lost.first(where: { script.accepts(answer, for: $0) }) {
            lanes[lane].lost.remove(late)
        } else {
            round?.wrong += 1
            if let oldest { lanes[lane].slots[oldest].isOpen = false }
        }
    }

    /// Sends a request for each free slot while the round lasts.
    private func fill(_ lane: Int, now: UInt64) {
        guard round != nil, now < end else { return finishIfQuiet() }
        let requests = lanes[lane].script.requests
        var datagrams: [Datagram] = []
        for slot in lanes[lane].slots.indices where !lanes[lane].slots[slot].isOpen {
            let request = lanes[lane].next
            lanes[lane].next = (request + 1) % requests.count
            lanes[lane].slots[slot] = Slot(request: request, sent: now, isOpen: true)
            datagrams.append(Datagram(requests[request], server))
        }
        if !datagrams.isEmpty { _ = lanes[lane].port.send(datagrams) }
    }

    private func sweepLater() {
        loop.setDeadline(min(PollExecutor.now() + Self.second / 10, max(end, PollExecutor.now() + Self.second / 100))) {
            [weak self] in self?.assumeIsolated { $0.sweep() }
        }
    }

    /// Gives up what has waited for a second.
    private func sweep() {
        guard round != nil else { return }
        let now = PollExecutor.now()
        for lane in lanes.indices {
            for slot in lanes[lane].slots.indices
            where lanes[lane].slots[slot].isOpen && now > lanes[lane].slots[slot].sent + Self.second {
                lanes[lane].slots[slot].isOpen = false
                lanes[lane].lost.insert(lanes[lane].slots[slot].request)
                round?.lost += 1
            }
            fill(lane, now: now)
        }
        if round != nil { sweepLater() }
    }

    private func finishIfQuiet() {
        guard round != nil, PollExecutor.now() >= end, !lanes.contains(where: { $0.slots.contains { $0.isOpen } })
        else {
            return
        }
        finish()
    }

    private func finish() {
        guard var result = round, let waiter = finished else { return }
        result.seconds = Double(end - began) / Double(Self.second)
        (round, finished) = (nil, nil)
        loop.setDeadline(nil) {}
        waiter.resume(returning: result)
    }
}
