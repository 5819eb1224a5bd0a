// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import IndexEngine
import Model
import Queues
import RegistryStore
import Support
import Testing

/// Figures, for a release build:
/// `PARLEY_BENCH=1 swift test -c release -Xswiftc -enable-testing --filter RegistryStoreTests.BenchTests`.
@Suite(.enabled(if: getenv("PARLEY_BENCH") != nil, "PARLEY_BENCH is not set"), .serialized)
struct BenchTests {
    @Test(arguments: [false, true], [64, 1024])
    func `commits a second`(isKeyed: Bool, size: Int) async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        let rounds = (isKeyed ? 65_536 : 262_144) / size
        let batches = (0..<UInt64(rounds)).map { round in
            (0..<UInt64(size)).map { number -> RegistryChange in
                let number = round * UInt64(size) + number
                return .put(isKeyed ? keyedRow(number) : seedRow(number))
            }
        }
        let (start, cpu) = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
        for batch in batches { try await store.commit(batch) }
        let (took, used) = (seconds(CLOCK_MONOTONIC) - start, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu)
        let rows = Double(rounds * size)
        print(
            "\(isKeyed ? "keyed" : "seed") x \(size): \(Int(rows / took)) rows/s,"
                + " \((used / rows * 1e8).rounded() / 100) us of CPU a row, \(await store.size() ?? 0) octets")
    }

    @Test func `a million rows`() async throws {
        let shelf = try Shelf()
        var store = try shelf.open()
        var start = seconds(CLOCK_MONOTONIC)
        for base in stride(from: 0, to: 500_000 as UInt64, by: 2_000) {
            try await store.commit((base..<base + 2_000).flatMap { [keyedRow($0), seedRow($0)] }.puts)
        }
        print("filled in \(Int(seconds(CLOCK_MONOTONIC) - start)) s, \(await store.size() ?? 0) octets")
        start = seconds(CLOCK_MONOTONIC)
        await store.close()
        print("closed in \(Int((seconds(CLOCK_MONOTONIC) - start) * 1000)) ms")
        for lease in [keyedLease, keyedLease, .milliseconds(1)] {
            shelf.now.withLock { $0 = $0 + .seconds(60) }
            start = seconds(CLOCK_MONOTONIC)
            let cpu = seconds(CLOCK_PROCESS_CPUTIME_ID)
            store = try shelf.open(lease: lease)
            let opened = seconds(CLOCK_MONOTONIC)
            let rows = Lock(0)
            try await store.load { page in rows.withLock { $0 += page.count } }
            print(
                "opened in \(Int((opened - start) * 1e6)) us, loaded \(rows.withLock { $0 }) in"
                    + " \(Int((seconds(CLOCK_MONOTONIC) - opened) * 1000)) ms,"
                    + " \(Int((seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1000)) ms of CPU")
            await store.close()
        }
        store = try shelf.open()
        start = seconds(CLOCK_MONOTONIC)
        for number in 0..<2000 as Range<UInt64> { _ = await store.find([keyed(number &* 7919 % 500_000)]) }
        print("found one in \(Int((seconds(CLOCK_MONOTONIC) - start) / 2000 * 1e6)) us")
        start = seconds(CLOCK_MONOTONIC)
        for round in 0..<64 as Range<UInt64> {
            try await store.commit((0..<1024).map { keyedRow((round * 1024 + $0) &* 7919 % 500_000) }.puts)
        }
        print("renewed \(Int(65_536 / (seconds(CLOCK_MONOTONIC) - start))) keyed rows/s among 500,000")
        await store.close()
    }
}

private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
