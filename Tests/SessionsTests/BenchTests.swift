// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Identity
import Model
import PeerEngine
import Queues
import Reactor
import Support
import Testing
import Wire

@testable import Sessions

private let isBench = getenv("PARLEY_BENCH") != nil

/// Figures, for a release build: `PARLEY_BENCH=1 swift test -c release -Xswiftc -enable-testing --filter BenchTests`.
@Suite(.enabled(if: isBench), .serialized) struct BenchTests {
    @Test func `handshakes and round trips of two hosts on loopback`() async throws {
        let (alice, bob) = (try LoopbackHost(), try LoopbackHost())
        await alice.listen()
        await bob.listen()
        var handshakes: [Double] = []
        for number in 1...200 {
            let start = PollExecutor.now()
            let id = SessionID(UInt64(number * 2))
            alice.host.perform([.dial(id, key: bob.identity.key, at: [bob.endpoint])])
            _ = await alice.first { event -> Bool? in
                if case .up(id, _, _, _) = event { true } else { nil }
            }
            handshakes.append(Double(PollExecutor.now() - start) / 1e6)
            if number < 200 { alice.host.perform([.close(id, .done)]) }
        }
        report("handshake ms", handshakes)
        try await roundTrips(alice, bob, SessionID(400), count: 10_000)
        await alice.stop()
        await bob.stop()
    }

    private func roundTrips(_ alice: LoopbackHost, _ bob: LoopbackHost, _ id: SessionID, count: Int) async throws {
        let frame = [UInt8](repeating: 1, count: 200)
        let echo = Task {
            _ = await bob.first { event -> Bool? in
                guard case .frames(let session, let frames) = event else { return nil }
                bob.host.perform([
                    .consumed(session, bytes: frames.reduce(0) { $0 + $1.count }), .send(session, frames: frames),
                ])
                return Task.isCancelled ? true : nil
            }
        }
        var times: [Double] = []
        for _ in 0..<count {
            let start = PollExecutor.now()
            alice.host.perform([.send(id, frames: [frame])])
            _ = await alice.first { event -> Bool? in
                if case .frames(id, _) = event { true } else { nil }
            }
            times.append(Double(PollExecutor.now() - start) / 1e3)
            alice.host.perform([.consumed(id, bytes: frame.count)])
        }
        echo.cancel()
        report("200-octet frame round trip us", times)
    }

    @Test func `frames of 256 KiB between two hosts on loopback`() async throws {
        let (alice, bob) = (try LoopbackHost(), try LoopbackHost())
        await alice.listen()
        await bob.listen()
        let id = SessionID(2)
        alice.host.perform([.dial(id, key: bob.identity.key, at: [bob.endpoint])])
        _ = await alice.first { event -> Bool? in
            if case .up = event { true } else { nil }
        }
        let frame = [UInt8](repeating: 1, count: 256 * 1024)
        let total = 400 << 20
        var (sent, received) = (0, 0)
        let start = PollExecutor.now()
        while received < total {
            // Less than what a session lets wait.
            let room = min(total - sent, (4 << 20) - (sent - received)) / frame.count
            alice.host.perform([.send(id, frames: Array(repeating: frame, count: room))])
            sent += room * frame.count
            for event in try #require(await bob.events.next()) {
                guard case .frames(let session, let frames) = event else { continue }
                let bytes = frames.reduce(0) { $0 + $1.count }
                bob.host.perform([.consumed(session, bytes: bytes)])
                received += bytes
            }
        }
        let megabytes = Double(received) / 1e6 / (Double(PollExecutor.now() - start) / 1e9)
        print("bulk over loopback: \(rounded(megabytes)) MB/s")
        await alice.stop()
        await bob.stop()
    }

    @Test(arguments: [0, 1, 10, 50])
    func `bulk data over an emulated long path`(lostOfThousand: Int) throws {
        let share = try EmulatedPath(lostOfThousand: lostOfThousand).run(for: .seconds(10))
        print("100 Mbit/s, 40 ms, \(Double(lostOfThousand) / 10) % lost: \(rounded(share * 100)) % of the link")
        #expect(share > 0)
    }

    private func report(_ name: String, _ values: [Double]) {
        let sorted = values.sorted()
        let (p50, p99) = (sorted[sorted.count / 2], sorted[sorted.count * 99 / 100])
        print("\(name): p50 \(rounded(p50)) p99 \(rounded(p99)) (n=\(sorted.count))")
    }

    private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}

/// One end that writes or reads as fast as it can on a stream for bulk data.
private final class BulkEnd {
    let quic: QuicConnection
    private(set) var received = 0
    private var unconsumed = 0
    private var stream: Int64?
    private let limits = SessionLimits()
    /// Until the other side is given what a contact has.
    private var isNarrow = true

    init(_ quic: QuicConnection) {
        self.quic = quic
        quic.events.data = { [unowned self] stream, bytes, _ in
            received += bytes.count
            unconsumed += bytes.count
            self.stream = stream
        }
    }

    func consume() {
        guard let stream, unconsumed > 0 else { return }
        if isNarrow { quic.consume(limits.contactWindow - limits.window, on: stream) }
        isNarrow = false
        quic.consume(unconsumed, on: stream)
        unconsumed = 0
    }

    func refill(_ block: [UInt8], upTo limit: Int) {
        guard quic.isConfirmed else { return }
        if stream == nil { stream = quic.openStream() }
        while let stream, quic.buffered < limit, quic.send(block, on: stream) {}
    }

    /// One turn: timers, then what there is to write.
    func turn(now: Instant, _ emit: ([UInt8]) -> Void) throws {
        if let expiry = quic.expiry, expiry <= now { try quic.expire(now: now) }
        try quic.write(now: now, mac: nil, emit)
    }

    func read(_ datagram: [UInt8], now: Instant) throws {
        try datagram.withUnsafeBufferPointer { bytes in
            try quic.read(UnsafeBufferPointer(rebasing: bytes[1...]), now: now)
        }
    }
}

/// A path in this process with a rate, a delay, a queue of 256 KiB and random loss, under its own clock.
private final class EmulatedPath {
    private let (alice, bob) = (Identity(), Identity())
    private let lostOfThousand: Int
    private var chance = SplitMix64(seed: 1)
    private var now = Instant(nanoseconds: 1_000_000_000)
    private let bytesPerSecond = 12_500_000.0
    private let delay = Span.milliseconds(20)
    private let limits = SessionLimits()

    private struct Direction {
        var free = Instant(nanoseconds: 0)
        var flying: [(due: Instant, bytes: [UInt8])] = []
        var head = 0
    }
    private var there = Direction()
    private var back = Direction()

    init(lostOfThousand: Int) {
        self.lostOfThousand = lostOfThousand
    }

    func run(for span: Span) throws -> Double {
        guard
            let dialler = QuicConnection(dial: bob.key, identity: QuicIdentity(alice), limits: limits, now: now)
        else { return 0 }
        let client = BulkEnd(dialler)
        var server: BulkEnd?
        let block = [UInt8](repeating: 0, count: 65_536)
        let end = now + span
        while now < end {
            client.refill(block, upTo: 4 << 20)
            try client.turn(now: now) { post($0, &there) }
            for bytes in arrived(&there) { try take(bytes, &server) }
            server?.consume()
            try server?.turn(now: now) { post($0, &back) }
            for bytes in arrived(&back) { try client.read(bytes, now: now) }
            let moments = [
                next(there), next(back), client.quic.expiry, server?.quic.expiry, end,
            ].compactMap { $0 }
            now = max(now + .microseconds(1), moments.min() ?? end)
        }
        return Double(server?.received ?? 0) / span.seconds / bytesPerSecond
    }

    private func take(_ bytes: [UInt8], _ server: inout BulkEnd?) throws {
        if server == nil {
            server = bytes.withUnsafeBufferPointer { all in
                QuicConnection(
                    accept: UnsafeBufferPointer(rebasing: all[1...]), from: .loopback(1), retrySecret: nil,
                    identity: QuicIdentity(bob), limits: limits, now: now
                ).map(BulkEnd.init)
            }
        }
        try server?.read(bytes, now: now)
    }

    private func post(_ bytes: [UInt8], _ direction: inout Direction) {
        let start = max(direction.free, now)
        guard start.since(now).seconds * bytesPerSecond < 262_144 else { return }
        direction.free = start + Span(nanoseconds: UInt64(Double(bytes.count) / bytesPerSecond * 1e9))
        guard Int(chance.next() % 1000) >= lostOfThousand else { return }
        direction.flying.append((direction.free + delay, bytes))
    }

    private func next(_ direction: Direction) -> Instant? {
        direction.head < direction.flying.count ? direction.flying[direction.head].due : nil
    }

    private func arrived(_ direction: inout Direction) -> [[UInt8]] {
        var datagrams: [[UInt8]] = []
        while direction.head < direction.flying.count, direction.flying[direction.head].due <= now {
            datagrams.append(direction.flying[direction.head].bytes)
            direction.head += 1
        }
        if direction.head > 4096 {
            direction.flying.removeFirst(direction.head)
            direction.head = 0
        }
        return datagrams
    }
}
