// SPDX-License-Identifier: GPL-3.0-or-later
import GRDB
import IndexEngine
import Model
import Queues
import RegistryStore
import Support
import Testing

/// What is left of leases after restarts, whatever the wall clock does.
@Suite struct LeaseTests {
    /// Minutes after the evening at which a run starts, and what is left then of a two-hour lease, in minutes.
    private struct Restarts: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [(start: Int, left: Int?)]

        init(_ name: String, _ steps: [(Int, Int?)]) {
            testDescription = name
            self.steps = steps.map { (start: $0.0, left: $0.1) }
        }
    }

    private static let year = 525_600
    private static let table = [
        Restarts("at once, then within the lease, then after it", [(1, 120), (61, 60), (120, 1), (121, nil)]),
        Restarts("a month later, which counts from that start", [(43_200, 120), (43_260, 60), (43_320, nil)]),
        Restarts("a crash loop", (1...130).map { ($0, $0 <= 120 ? 121 - $0 : nil) }),
        Restarts("back by an hour: never more than a lease", [(0, 120), (-60, 120), (30, 90), (119, 1), (120, nil)]),
        Restarts("a clock that was at 1970", [(-56 * year, 120), (-56 * year + 30, 90), (0, nil)]),
        Restarts("a clock that went to 1970", [(0, 120), (-56 * year, 120), (60, 60)]),
        Restarts("a clock that went to 2106", [(80 * year, 120), (0, 120), (60, 120)]),
        Restarts("to the ends of time", [(.min, 120), (.max, nil)]),
        Restarts("and the other way", [(.max, 120), (.min, 120)]),
    ]

    @Test(arguments: table) private func `a keyed peer has one whole lease and no more`(restarts: Restarts) async throws
    {
        let shelf = try Shelf()
        let store = try shelf.open()
        try await store.commit([.put(keyedRow(1))])
        await store.close()
        for (start, left) in restarts.steps {
            let (milliseconds, isTooFar) = Int64(start).multipliedReportingOverflow(by: 60_000)
            let moment = WallTime(
                milliseconds: isTooFar ? Int64(start) : evening.milliseconds + milliseconds)
            let loaded = try await shelf.loadedAtRestart(moment)
            let wanted = left.map { [LoadedRegistration(keyedRow(1), remaining: .seconds($0 * 60))] } ?? []
            #expect(loaded == wanted, "\(start)")
        }
    }

    @Test func `a row that was written again has a whole lease again`() async throws {
        let shelf = try Shelf()
        var store = try shelf.open()
        try await store.commit([.put(keyedRow(1)), .put(keyedRow(2))])
        await store.close()
        shelf.now.withLock { $0 = evening + .seconds(60) }
        store = try shelf.open()
        try await store.commit([.put(keyedRow(1))])
        await store.close()
        let loaded = try await shelf.loadedAtRestart(evening + .seconds(660))
        #expect(loaded.map(\.remaining) == [keyedLease, .seconds(6600)])
    }

    @Test func `finding says the same as loading`() async throws {
        let shelf = try Shelf()
        var store = try shelf.open()
        try await store.commit([.put(keyedRow(1))])
        for (after, left) in [(10, 7200), (1000, 6210), (7209, 1)] {
            await store.close()
            shelf.now.withLock { $0 = evening + .seconds(after) }
            store = try shelf.open()
            #expect(await store.find([keyed(1)]) == [.row(keyedRow(1), remaining: .seconds(left))])
        }
        await store.close()
        shelf.now.withLock { $0 = evening + .seconds(7210) }
        store = try shelf.open()
        #expect(await store.find([keyed(1)]) == [.absent])
        #expect(try await store.everything() == [])
        #expect(await store.find([keyed(1)]) == [.absent])
    }

    @Test func `what is over leaves the file, with the runs that nothing refers to`() async throws {
        let shelf = try Shelf()
        for run in 0..<5 {
            shelf.now.withLock { $0 = evening + .seconds(run * 3000) }
            let store = try shelf.open()
            try await store.commit([.put(keyedRow(UInt64(run)))])
            _ = try await store.everything()
            await store.close()
        }
        let file = try DatabaseQueue(path: shelf.path)
        let (rows, runs) = try await file.read { db in
            (try Int.fetchAll(db, sql: "SELECT run FROM keyed"), try Int.fetchAll(db, sql: "SELECT number FROM run"))
        }
        // At 12,000 s: run 2 ended at 6,000 s, so its rows had until 13,200 s.
        #expect(rows == [2, 3, 4, 5])
        #expect(runs == [2, 3, 4, 5])
    }

    @Test func `a lease of any length is counted without overflow`() async throws {
        for lease in [Span.zero, .milliseconds(1), Span(nanoseconds: .max)] {
            let shelf = try Shelf()
            for moment in [WallTime.latest, WallTime(milliseconds: .min), WallTime.latest] {
                shelf.now.withLock { $0 = moment }
                let store = try shelf.open(lease: lease)
                try await store.commit([.put(keyedRow(1)), .put(seedRow(1))])
                _ = try await store.everything()
                _ = await store.find([keyed(1)])
                await store.close()
            }
        }
    }

    @Test(
        arguments: [(0, 86_400), (86_399, 1), (86_400, nil), (-1_000_000, 86_400), (2_524_608_000, nil)]
            as [(Int, Int?)])
    func `a seed peer has what is left until it expires`(after: Int, left: Int?) async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        try await store.commit([.put(seedRow(1))])
        await store.close()
        let moment = WallTime(milliseconds: evening.milliseconds + Int64(after) * 1000)
        let wanted = left.map { [LoadedRegistration(seedRow(1), remaining: .seconds($0))] } ?? []
        #expect(try await shelf.loadedAtRestart(moment) == wanted)
    }

    @Test func `seed peers are forgotten from the front by the capacity`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open(seedCapacity: 100)
        for round in 0..<60 as Range<UInt64> {
            try await store.commit((round * 7..<round * 7 + 7).map { seedRow($0) }.puts)
        }
        await store.close()
        let loaded = try await shelf.loadedAtRestart().map(\.row)
        #expect(loaded == (420 - UInt64(loaded.count)..<420).map { seedRow($0) })
        #expect((100..<107).contains(loaded.count))
    }

    @Test func `one commit beyond the capacity keeps the newest`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open(seedCapacity: 1500)
        try await store.commit((0..<5000).map { seedRow($0) }.puts)
        await store.close()
        let loaded = try await shelf.loadedAtRestart().map(\.row)
        #expect((1500..<1500 + 1024).contains(loaded.count))
        #expect(loaded.last == seedRow(4999))
    }

    @Test func `seed peers leave the file by age, a few with each commit`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        for number in 0..<40 as Range<UInt64> { try await store.commit([.put(seedRow(number))]) }
        shelf.now.withLock { $0 = evening + seedLease }
        for number in 40..<50 as Range<UInt64> {
            try await store.commit([.put(seedRow(number, at: evening + seedLease))])
        }
        #expect(try await Self.seedBundles(shelf) == 10)
        shelf.now.withLock { $0 = evening + seedLease + seedLease }
        try await store.commit([.put(seedRow(50))])
        #expect(try await Self.seedBundles(shelf) == 7)
        await store.close()
    }

    private static func seedBundles(_ shelf: Shelf) async throws -> Int {
        try await DatabaseQueue(path: shelf.path).read { try Int.fetchOne($0, sql: "SELECT count(*) FROM seed") ?? 0 }
    }
}
