// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Identity
import IndexEngine
import IndexServer
import Model
import Network
import Queues
import Support
import Testing
import Wire

/// Several loops behind one port.
@Suite(.timeLimit(.minutes(1))) struct LoopTests {
    private let request = #"{"req_type":"query"}"#

    @Test func `every loop answers, from one registry`() async throws {
        let threads = Lock<[UInt: Int]>([:])
        let site = try await Site {
            $0.loops = 3
        } report: { _, _ in
            threads.withLock { $0[UInt(pthread_self()), default: 0] += 1 }
        }
        let identity = Identity()
        _ = try DatagramSocket().register(identity, at: site)
        for _ in 0..<120 {
            let answer = try DatagramSocket().ask(
                #"{"req_type":"query","queried_uuid":"\#(identity.peer)"}"#, at: site.port)
            #expect(answer?.contains("nil") == false)
        }
        let snapshot = try await site.snapshot { $0.counters.hits == 120 }
        #expect(snapshot.loops == 3)
        #expect(threads.withLock { $0.count == 3 && $0.values.allSatisfy { $0 > 5 } })
        await site.server.stop()
    }

    @Test func `loops are as many as processors unless told otherwise`() async throws {
        let site = try await Site { $0.loops = 0 }
        let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let loops = await site.server.snapshot(for: SnapshotRequest()).loops
        #expect(loops >= 1 && loops <= processors)
        await site.server.stop()
    }

    @Test func `a flood of junk keeps nobody from an answer`() async throws {
        let site = try await Site()
        let isDone = Lock(false)
        let flooding = Task.detached {
            let socket = try DatagramSocket()
            let junk = [UInt8](repeating: 0x7B, count: 300)
            while !isDone.withLock({ $0 }) { try socket.send(junk, to: site.port) }
        }
        for _ in 0..<100 {
            // The kernel's buffer may be full of junk at times, so as UDP wants it: again.
            #expect(try DatagramSocket().ask(request, at: site.port, tries: 8, each: .milliseconds(500)) != nil)
        }
        #expect(await site.server.isHealthy())
        isDone.withLock { $0 = true }
        try await flooding.value
        #expect(await site.server.snapshot(for: SnapshotRequest()).counters.ignored > 100)
        await site.server.stop()
    }

    @Test func `a loop that hangs shows`() async throws {
        let (isHeld, isReleased) = (Lock(false), Lock(false))
        let site = try await Site(report: { _, _ in
            isHeld.withLock { $0 = true }
            while !isReleased.withLock({ $0 }) { sched_yield() }
        })
        #expect(await site.server.isHealthy())
        try await until { await site.server.isHealthy() }
        try DatagramSocket().send(request, to: site.port)
        try await until { isHeld.withLock { $0 } }
        _ = await site.server.isHealthy()
        #expect(!(await site.server.isHealthy()))
        isReleased.withLock { $0 = true }
        try await until { await site.server.isHealthy() }
        await site.server.stop()
    }

    @Test func `limits may change while it runs`() async throws {
        // The clock stands, so that how fast the test runs decides nothing.
        let now = Clocks.system.monotonic()
        let site = try await Site(clocks: Clocks(monotonic: { now }, wall: Clocks.system.wall))
        let socket = try DatagramSocket()
        for _ in 0..<10 { #expect(try socket.ask(request, at: site.port) != nil) }
        var limits = IndexLimits()
        limits.requests = .init(perSecond: 1, burst: 1)
        limits.limitsLoopback = true
        site.server.reconfigure(limits)
        for _ in 0..<10 { try socket.send(request, to: site.port) }
        let snapshot = try await site.snapshot { $0.counters.datagrams == 20 }
        #expect(snapshot.counters.limited >= 8)
        await site.server.stop()
    }

    @Test func `what the program knew before is shown too`() async throws {
        let site = try await Site { $0.notices = ["The registry was damaged."] }
        #expect(
            await site.server.snapshot(for: SnapshotRequest()).notices.map(\.text) == ["The registry was damaged."])
        await site.server.stop()
    }
}
