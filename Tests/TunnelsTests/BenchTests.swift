// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing
import Wire

@testable import Tunnels

/// Figures, printed when PARLEY_BENCH is set.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["PARLEY_BENCH"] != nil), .timeLimit(.minutes(1)))
struct BenchTests {
    @Test func `round trip and CPU of a datagram`() async throws {
        let server = try await Server(isEcho: true)
        let caller = try await Caller()
        #expect(await caller.open(server.local) == .opened(server.local))
        var trips: [Double] = []
        for index in 0..<5000 {
            let began = Instant.now
            caller.send([sample(index, 200)], to: server.local)
            _ = await caller.received.next()
            trips.append(Instant.now.since(began).milliseconds * 1000)
        }
        trips.sort()
        let (count, window, before) = (100_000, 100, cpu())
        for first in stride(from: 0, to: count, by: window) {
            caller.send((first..<first + window).map { sample($0, 1200) }, to: server.local)
            _ = await caller.received.take(window)
        }
        let each = (cpu() - before) / Double(2 * count) * 1e6
        print("Bench: round trip \(trips[2500].rounded()) µs, 99 % \(trips[4950].rounded()) µs")
        print("Bench: \((each * 10).rounded() / 10) µs of CPU for both ends of a datagram, 1200 octets, 100 at a time")
    }

    private func cpu() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
