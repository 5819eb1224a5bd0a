// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import GRDB
import Glibc
import IndexEngine
import Model
import Queues
import Support
import Testing

@testable import RegistryStore

/// The file as the operator finds it: private, synced, and explained when it is not what it should be.
@Suite struct FileTests {
    @Test func `a new file and its side files are the server's alone whatever the umask`() async throws {
        let shelf = try Shelf()
        let old = umask(0)
        defer { umask(old) }
        let before = try mode(shelf.directory.path)
        let store = try shelf.open()
        try await store.commit([.put(keyedRow(1))])
        for suffix in ["", "-wal", "-shm"] { #expect(try mode(shelf.path + suffix) == 0o600, "\(suffix)") }
        await store.close()
        chmod(shelf.path, 0o644)
        _ = try shelf.open()
        #expect(try mode(shelf.path) == 0o600)
        #expect(try mode(shelf.directory.path) == before)
    }

    @Test func `every commit is synced`() async throws {
        let store = try RegistryFile(path: Shelf().kept().path, lease: keyedLease, now: evening)
        let (synchronous, journal) = try await store.pool.writeWithoutTransaction { db in
            (try Int.fetchOne(db, sql: "PRAGMA synchronous"), try String.fetchOne(db, sql: "PRAGMA journal_mode"))
        }
        #expect(synchronous == 2)
        #expect(journal == "wal")
    }

    @Test func `the log stays bounded under many commits`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        for round in 0..<300 as Range<UInt64> {
            try await store.commit((0..<64).map { keyedRow((round * 64 + $0) % 5000, record: 400) }.puts)
        }
        let log = try FileManager.default.attributesOfItem(atPath: shelf.path + "-wal")[.size] as? Int
        #expect(log ?? .max <= 32 << 20)
        await store.close()
    }

    @Test func `a directory and a pipe are refused in words and left alone`() throws {
        for isDirectory in [true, false] {
            let shelf = try Shelf()
            if isDirectory { mkdir(shelf.path, 0o700) } else { mkfifo(shelf.path, 0o600) }
            let what = isDirectory ? "a directory" : "no regular file"
            let fault = #expect(throws: IndexStoreFault.self) { try shelf.open() }
            #expect(fault == IndexStoreFault(.failed, "The registry can't be kept in \(shelf.path): that is \(what)."))
            #expect(try shelf.files() == ["registry.sqlite"])
        }
    }

    @Test func `a directory that is not there is refused in words`() throws {
        let fault = #expect(throws: IndexStoreFault.self) {
            try SQLiteRegistry(directory: "/nowhere", keyedLease: keyedLease, seedLease: seedLease) { evening }
        }
        let words = "The server can't make /nowhere/registry.sqlite: no such file or directory."
        #expect(fault == IndexStoreFault(.failed, words))
    }

    @Test func `a newer version's file is refused and left alone`() throws {
        let shelf = try Shelf()
        var octets = try sample()
        octets.replaceSubrange(60..<64, with: [0, 0, 0, 2])
        try shelf.write(octets)
        let fault = #expect(throws: IndexStoreFault.self) { try shelf.open() }
        let words = "\(shelf.path) was written by a newer version of Parley: use that one."
        #expect(fault == IndexStoreFault(.failed, words))
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: shelf.path))) == octets)
    }

    @Test func `an empty file is a new registry`() async throws {
        let shelf = try Shelf()
        try shelf.write([])
        let store = try shelf.open()
        #expect(store.notice == nil)
        #expect(try await store.everything() == [])
    }

    @Test func `what is no registry is set aside whole, never over an earlier one`() async throws {
        let shelf = try Shelf()
        let garbage = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
        for number in 1...3 {
            try shelf.write(garbage)
            try Data("log \(number)".utf8).write(to: URL(fileURLWithPath: shelf.path + "-wal"))
            let store = try shelf.open()
            let aside = shelf.path + ".damaged-20261122T200000Z" + (number == 1 ? "" : "-\(number)")
            #expect(
                store.notice == "The registry was damaged; it lies in \(aside), and a new one was started"
                    + " (file is not a database).")
            #expect(try Array(Data(contentsOf: URL(fileURLWithPath: aside))) == garbage)
            #expect(try Data(contentsOf: URL(fileURLWithPath: aside + "-wal")) == Data("log \(number)".utf8))
            try await store.commit([.put(keyedRow(1))])
            await store.close()
        }
        #expect(try shelf.files().count { !$0.hasSuffix("-shm") } == 7)
    }

    @Test func `another program's database is set aside unchanged`() throws {
        let shelf = try Shelf()
        let other = try DatabaseQueue(path: shelf.path)
        try other.write { try $0.execute(sql: "CREATE TABLE theirs (number INTEGER)") }
        try other.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: shelf.path))
        let store = try shelf.open()
        #expect(store.notice?.hasSuffix("and a new one was started (it is not a registry of Parley's).") == true)
        let aside = URL(fileURLWithPath: shelf.path + ".damaged-20261122T200000Z")
        #expect(try Data(contentsOf: aside) == before)
    }

    @Test func `every octet of the first page may be wrong`() async throws {
        let good = try sample()
        for index in stride(from: 0, to: 4096, by: soak > 1 ? 1 : 16) {
            var bad = good
            bad[index + (soak > 1 ? 0 : index / 16 % 16)] ^= 0xFF
            try await survive(bad, "octet \(index)")
        }
        for index in 0..<100 {
            var bad = good
            bad[index] ^= 1
            try await survive(bad, "header octet \(index)")
        }
    }

    @Test func `any octet may be wrong and any end may be missing`() async throws {
        let good = try sample()
        var chance = SplitMix64(seed: 21)
        for _ in 0..<100 * soak {
            var bad = good
            let index = Int.random(in: 0..<bad.count, using: &chance)
            bad[index] = UInt8.random(in: 0...255, using: &chance)
            try await survive(bad, "octet \(index)")
        }
        for end in stride(from: 1, to: good.count, by: 2048) {
            try await survive(Array(good.prefix(end)), "\(end) octets")
        }
    }

    /// A large file is not read through at the start, so loading and commits meet what is wrong with it.
    @Test(arguments: ["keyed", "sqlite_autoindex_keyed_1", "seed"])
    func `damage that shows late is set aside then and the store goes on`(place: String) async throws {
        let shelf = try Shelf()
        var store = try shelf.open()
        for base in stride(from: 0, to: 6000 as UInt64, by: 1000) {
            try await store.commit((base..<base + 1000).flatMap { [keyedRow($0, record: 3000), seedRow($0)] }.puts)
        }
        await store.close()
        #expect(RegistryFile.size(shelf.path) > 16 << 20)
        try shelf.ruin(place)

        store = try shelf.open()
        #expect(store.notice == nil)
        let loaded = Lock<[StoredRegistration]>([])
        let fault = await #expect(throws: IndexStoreFault.self) {
            try await store.load { page in loaded.withLock { $0 += page.map(\.row) } }
            for base in stride(from: 40_000, to: 60_000 as UInt64, by: 100) {
                try await store.commit((base..<base + 100).map { keyedRow($0) }.puts)
            }
        }
        let aside = shelf.path + ".damaged-20261122T200000Z"
        #expect(fault?.kind == .damaged)
        #expect(fault?.description.contains("it lies in \(aside), and a new one was started") == true)
        #expect(loaded.withLock { rows in rows.allSatisfy { $0.peer.isKeyed || $0.record.isEmpty } })
        if place != "keyed" { #expect(loaded.withLock { $0.count } >= 6000) }

        // The new one works at once and after a restart, and nothing of the old one is taken for its own.
        #expect(await store.find([keyed(1), seed(1)]) == [.absent, .absent])
        try await store.commit([.put(keyedRow(1)), .put(seedRow(1))])
        #expect(try await store.everything() == [])
        await store.close()
        #expect(try await shelf.loadedAtRestart().map(\.row) == [keyedRow(1), seedRow(1)])
        #expect(try shelf.files().contains("registry.sqlite.damaged-20261122T200000Z"))
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    /// A registry with several pages, as octets.
    private func sample() throws -> [UInt8] { try FileTests.made.get() }

    private static let made = Result {
        let shelf = try Shelf()
        let pool = try RegistryFile(path: shelf.path, lease: keyedLease, now: evening)
        try pool.pool.write { db in
            let putting = try KeyedTable.putting(db)
            for number in 1...60 as ClosedRange<UInt64> {
                try KeyedTable.put(keyedRow(number), run: 1, putting)
                try SeedTable.append([seedRow(number)], capacity: 1000, now: evening, db)
            }
        }
        pool.close()
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: shelf.path)))
    }

    /// Opens a damaged file and does everything with it; nothing may stop the program.
    private func survive(_ octets: [UInt8], _ place: Comment) async throws {
        let shelf = try Shelf()
        try shelf.write(octets)
        let store: SQLiteRegistry
        do {
            store = try shelf.open()
        } catch {
            #expect(error.description.contains("newer version"), "\(place): \(error)")
            return
        }
        #expect(try shelf.files().contains { $0.contains("damaged") } == (store.notice != nil), place)
        do throws(IndexStoreFault) { _ = try await store.everything() } catch {
            #expect(error.kind == .damaged, "\(place): \(error)")
        }
        _ = await store.find((0..<70).map(keyed))
        let changes: [RegistryChange] = [.remove(keyed(2)), .put(keyedRow(1000)), .put(seedRow(1000))]
        do throws(IndexStoreFault) { try await store.commit(changes) } catch {
            #expect(error.kind == .damaged, "\(place): \(error)")
            await #expect(throws: Never.self, place) { try await store.commit(changes) }
        }
        #expect(await store.find([keyed(1000)]).map(\.row) == [keyedRow(1000)], place)
        await store.close()
    }
}

extension Shelf {
    /// For as long as the tests run.
    func kept() -> Shelf {
        Shelf.shelves.withLock { $0.append(self) }
        return self
    }

    private static let shelves = Lock<[Shelf]>([])

    func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory.path) }

    func write(_ octets: [UInt8]) throws { try Data(octets).write(to: URL(fileURLWithPath: path)) }

    /// Overwrites every second page that a table or index fills behind its first few.
    func ruin(_ name: String) throws {
        let queue = try DatabaseQueue(path: path)
        let pages = try queue.read { db in
            try Int.fetchAll(db, sql: "SELECT pageno FROM dbstat WHERE name = ? ORDER BY path", arguments: [name])
        }
        try queue.close()
        #expect(pages.count > 20)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        for page in pages.dropFirst(pages.count / 3) where page % 2 == 0 {
            try file.seek(toOffset: UInt64(page - 1) * 4096)
            try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        }
        try file.close()
    }
}
