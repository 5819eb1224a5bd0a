// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import GRDB
import Glibc
import IndexEngine
import Model
import Queues
import RegistryStore
import Support
import Testing

/// What the engine expects of a store.
@Suite struct ContractTests {
    @Test func `an empty store loads nothing and knows no keyed peer`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        #expect(store.notice == nil)
        #expect(!store.isVolatile)
        #expect(!store.isShared)
        #expect(await store.find([keyed(1), seed(1)]) == [.absent, .unknown])
        #expect(try await store.everything() == [])
        #expect(await store.find([seed(1), keyed(1)]) == [.absent, .absent])
        #expect(await store.find([]) == [])
    }

    @Test func `rows of both kinds come back as they were with the lease that they have left`() async throws {
        let shelf = try Shelf()
        let rows = (0..<100).map { $0 % 2 == 0 ? keyedRow($0, record: Int($0) * 7) : seedRow($0) }
        let store = try shelf.open()
        try await store.commit(rows.puts)
        await store.close()
        let loaded = try await shelf.loadedAtRestart(evening + .seconds(3600))
        let (keyed, seeds) = (rows.filter(\.peer.isKeyed), rows.filter { !$0.peer.isKeyed })
        #expect(
            loaded == keyed.map { LoadedRegistration($0, remaining: keyedLease) }
                + seeds.map { LoadedRegistration($0, remaining: .seconds(23 * 3600)) })
    }

    @Test func `a row replaces the one before and a removal takes it out, in the order given`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        let (old, new) = (keyedRow(1, sequence: 1), keyedRow(1, record: 3, sequence: 2))
        try await store.commit([.put(old), .put(new), .put(keyedRow(2)), .remove(keyed(2)), .remove(keyed(9))])
        try await store.commit([.remove(keyed(3)), .put(keyedRow(3)), .remove(keyed(4))])
        #expect(await store.find([keyed(1), keyed(2), keyed(3)]).map(\.row) == [new, nil, keyedRow(3)])
        await store.close()
        #expect(try await shelf.loadedAtRestart().map(\.row) == [new, keyedRow(3)])
    }

    @Test func `the same seed peer twice comes back twice, the newest first`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        let newest = seedRow(1, at: evening + .seconds(60))
        try await store.commit([.put(seedRow(1)), .remove(seed(1)), .put(newest)])
        await store.close()
        #expect(try await shelf.loadedAtRestart().map(\.row) == [seedRow(1), newest])
    }

    @Test func `extreme numbers and addresses survive`() async throws {
        let shelf = try Shelf()
        let addresses: [Endpoint.Address] = [.v4(0), .v4(.max), .v6(0, 0), .v6(.max, .max), .v6(0, 0xFFFF << 32 | 1)]
        let times = [Int64.min, -1, 0, 4_294_967_296_000, Int64.max].map(WallTime.init(milliseconds:))
        let rows = zip(addresses, times).enumerated().flatMap { number, values in
            [keyed(UInt64(number)), seed(UInt64(number))].map { peer in
                StoredRegistration(
                    peer: peer, address: Endpoint(address: values.0, port: .max),
                    record: peer.isKeyed ? [0, 255] : [], sequence: peer.isKeyed ? .max : 0, registered: values.1,
                    expires: evening + .seconds(1))
            }
        }
        let store = try shelf.open()
        try await store.commit(rows.puts)
        await store.close()
        let loaded = try await shelf.loadedAtRestart().map(\.row)
        #expect(loaded == rows.filter(\.peer.isKeyed) + rows.filter { !$0.peer.isKeyed })
    }

    @Test func `while nothing is loaded a keyed peer is found and a seed peer is unknown`() async throws {
        let shelf = try Shelf()
        var store = try shelf.open()
        try await store.commit([.put(keyedRow(1)), .put(seedRow(1))])
        let whole = StoredAnswer.row(keyedRow(1), remaining: keyedLease)
        #expect(await store.find([seed(1), keyed(1), keyed(2), seed(2)]) == [.unknown, whole, .absent, .unknown])
        await store.close()
        shelf.now.withLock { $0 = evening + .seconds(7000) }
        store = try shelf.open()
        #expect(await store.find([seed(1), keyed(1), keyed(2)]) == [.unknown, whole, .absent])
        try await store.commit([.put(keyedRow(1))])
        let shorter = StoredAnswer.row(keyedRow(1), remaining: .seconds(200))
        #expect(await store.find([keyed(1), keyed(1)]) == [shorter, shorter])
    }

    @Test func `pages are bounded and nothing is missing between them`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        let rows = (0..<10_000 as Range<UInt64>).flatMap { [keyedRow($0, record: 1), seedRow($0)] }
        try await store.commit(rows.puts)
        await store.close()
        let again = try shelf.open()
        let pages = Lock<[[LoadedRegistration]]>([])
        try await again.load { page in pages.withLock { $0.append(page) } }
        let found = pages.withLock { $0 }
        #expect(found.map(\.count).max() ?? 0 <= 4096 + 1024)
        #expect(found.map(\.count).min() ?? 0 > 0)
        #expect(Set(found.joined().map(\.row.peer)) == Set(rows.map(\.peer)))
        #expect(found.joined().count == rows.count)
    }

    @Test func `commits run while rows are loaded and are not lost`() async throws {
        let shelf = try Shelf()
        var store = try shelf.open()
        let rows = (0..<10_000 as Range<UInt64>).flatMap { [keyedRow($0, record: 1), seedRow($0)] }
        try await store.commit(rows.puts)
        await store.close()
        store = try shelf.open()
        let number = Lock<UInt64>(0)
        let seen = Lock<Set<PeerID>>([])
        try await store.load { [store] page in
            let next = number.withLock { number in
                number += 1
                return number
            }
            seen.withLock { $0.formUnion(page.map(\.row.peer)) }
            let changes = [seedRow(20_000 + next), keyedRow(20_000 + next), keyedRow(9999, sequence: next)].puts
            await #expect(throws: Never.self) { try await store.commit(changes + [.remove(keyed(next))]) }
        }
        let rounds = number.withLock { $0 }
        #expect(rounds >= 4)
        #expect(seen.withLock { $0.isSuperset(of: rows.dropLast(2).map(\.peer)) })
        await store.close()
        let loaded = try await shelf.loadedAtRestart().map(\.row)
        let peers = Set(loaded.map(\.peer))
        #expect(loaded.count == rows.count + Int(rounds))
        #expect(loaded.contains(keyedRow(9999, sequence: rounds)))
        for round in 1...rounds {
            #expect(peers.contains(keyed(20_000 + round)))
            #expect(peers.contains(seed(20_000 + round)))
            #expect(!peers.contains(keyed(round)))
        }
    }

    @Test func `a change that fails takes its whole batch back`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        try await store.commit([.put(keyedRow(1))])
        let other = try DatabaseQueue(path: shelf.path)
        for table in ["keyed", "seed"] {
            try await other.write { db in
                try db.execute(sql: "CREATE TRIGGER no BEFORE INSERT ON \(table) BEGIN SELECT RAISE(ABORT, 'no'); END")
            }
            let fault = await #expect(throws: IndexStoreFault.self) {
                try await store.commit([.remove(keyed(1)), .put(keyedRow(2)), .put(seedRow(2))])
            }
            #expect(fault?.kind == .failed)
            #expect(await store.find([keyed(1), keyed(2)]).map(\.row) == [keyedRow(1), nil])
            try await other.write { try $0.execute(sql: "DROP TRIGGER no") }
        }
        try await store.commit([.put(keyedRow(2)), .put(seedRow(2))])
        try other.close()
        await store.close()
        #expect(try await shelf.loadedAtRestart().map(\.row) == [keyedRow(1), keyedRow(2), seedRow(2)])
    }

    @Test func `a cancelled caller does not take a commit back`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await store.commit([.put(keyedRow(1))])
        }
        try await task.value
        #expect(await store.find([keyed(1)]).map(\.row) == [keyedRow(1)])
    }

    @Test func `after its end a store refuses everything in words`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        try await store.commit([.put(keyedRow(1)), .put(seedRow(1))])
        #expect(await store.size() ?? 0 > 4096)
        await store.close()
        await store.close()
        let fault = await #expect(throws: IndexStoreFault.self) { try await store.commit([.put(keyedRow(2))]) }
        #expect(fault == IndexStoreFault(.failed, "The registry in \(shelf.path) was closed."))
        await #expect(throws: IndexStoreFault.self) { try await store.everything() }
        #expect(await store.find([keyed(1), seed(1)]) == [.unknown, .unknown])
        #expect(try FileManager.default.contentsOfDirectory(atPath: shelf.directory.path) == ["registry.sqlite"])
    }

    @Test func `a store that is dropped without an end is whole`() async throws {
        let shelf = try Shelf()
        try await shelf.open().commit([.put(keyedRow(1)), .put(seedRow(1))])
        #expect(try await shelf.loadedAtRestart().map(\.row) == [keyedRow(1), seedRow(1)])
    }
}

extension StoredAnswer {
    var row: StoredRegistration? { if case .row(let row, _) = self { row } else { nil } }
}
