// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Foundation
import GRDB
import Glibc
import Model
import PeerEngine
import Support
import Testing

/// The file as the user finds it: private, and explained when it is not what it should be.
@Suite struct FileTests {
    @Test func `a new file and its side files are the user's alone whatever the umask`() async throws {
        let shelf = try Shelf()
        let old = umask(0)
        defer { umask(old) }
        let store = try shelf.open()
        _ = try await store.commit([.receive(incoming(1, from: keyed(1)))])
        for suffix in ["", "-wal", "-shm"] { #expect(try Self.mode(shelf.path + suffix) == 0o600, "\(suffix)") }
        store.close()
        chmod(shelf.path, 0o644)
        _ = try shelf.open()
        #expect(try Self.mode(shelf.path) == 0o600)
    }

    @Test func `a clean end leaves one file`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        _ = try await store.commit([.receive(incoming(1, from: keyed(1)))])
        store.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: shelf.directory.path) == ["history.db"])
    }

    @Test func `an empty file is a new history`() throws {
        let shelf = try Shelf()
        try Data().write(to: URL(fileURLWithPath: shelf.path))
        let store = try shelf.open()
        #expect(store.notices == [])
        #expect(try store.load() == SavedState())
    }

    @Test func `a directory and a pipe are refused in words`() throws {
        let shelf = try Shelf()
        mkfifo(shelf.directory.file("pipe"), 0o600)
        let cases = [(shelf.directory.path, "a directory"), (shelf.directory.file("pipe"), "no regular file")]
        for (path, word) in cases {
            let error = #expect(throws: StoreError.self) { try ChatStore(path: path) }
            #expect(error?.description == "The history can't be kept in \(path): that is \(word).")
            #expect(throws: StoreError.self) { try ChatStore(readingOnly: path) }
        }
        #expect(throws: StoreError.self) { try ChatStore(path: shelf.directory.file("none/history.db")) }
    }

    @Test(
        .enabled(if: Condition.isRoot, "only root can become a user without rights"),
        arguments: [0o400, 0o000, 0o600] as [mode_t])
    func `a file without rights is refused in words and left alone`(mode: mode_t) throws {
        let shelf = try Shelf()
        try shelf.open().close()
        chmod(shelf.path, mode)
        chmod(shelf.directory.path, 0o755)
        if mode == 0o400 { chown(shelf.path, 65_534, 65_534) }
        let before = try Data(contentsOf: URL(fileURLWithPath: shelf.path))
        let run = try ChildProcess.run(Hammer.arguments("nobody", shelf.path, count: 1))
        #expect(run.status == .exited(1))
        #expect(run.out == "error Parley can't read and write \(shelf.path): permission denied.\n")
        #expect(try Data(contentsOf: URL(fileURLWithPath: shelf.path)) == before)
    }

    @Test func `a newer version's file is refused and left alone`() throws {
        let shelf = try Shelf()
        try shelf.open().close()
        try Self.overwrite(shelf.path, at: 60, [0, 0, 0, 2])
        let before = try Data(contentsOf: URL(fileURLWithPath: shelf.path))
        for reading in [false, true] {
            let error = #expect(throws: StoreError.self) {
                reading ? try ChatStore(readingOnly: shelf.path) : try shelf.open()
            }
            #expect(error?.description.contains("newer version of Parley") == true, "\(error as Any)")
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: shelf.path)) == before)
    }

    @Test func `in a history from before contacts passed on nobody does, and nor do we`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        var former = Contact(
            peer: keyed(1), accepted: true, blocked: false, verified: true, invited: true, allowsPlaintext: true)
        _ = try await store.commit([.contact(former), .setting(.presence, false)])
        store.close()
        // What that version wrote.
        #expect(try Self.marks(in: shelf.path) == ["29", "off:presence"])
        let later = try shelf.open()
        #expect(try later.load().contacts == [former])
        #expect(try later.load().switchedOff == [.presence, .relay])
        former.relays = true
        _ = try await later.commit([.contact(former), .setting(.relay, true)])
        later.close()
        #expect(try Self.marks(in: shelf.path) == ["61", "off:presence", "on:relay"])
        let last = try shelf.open()
        #expect(try last.load().contacts == [former])
        #expect(try last.load().switchedOff == [.presence])
    }

    /// The switches of contacts, and those of the user, as they lie in the file.
    private static func marks(in path: String) throws -> [String] {
        try DatabaseQueue(path: path).read { db in
            try String.fetchAll(db, sql: "SELECT CAST(flags AS TEXT) FROM contact")
                + String.fetchAll(db, sql: "SELECT name FROM fact WHERE name LIKE 'o%' ORDER BY name")
        }
    }

    @Test func `what is no history is set aside whole and a new one is started`() async throws {
        let shelf = try Shelf()
        let garbage = Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) })
        for number in 1...2 {
            try garbage.write(to: URL(fileURLWithPath: shelf.path))
            try Data("log".utf8).write(to: URL(fileURLWithPath: shelf.path + "-wal"))
            let store = try shelf.open()
            let aside = "\(shelf.path).damaged-\(number)"
            #expect(store.notices.count == 1)
            #expect(store.notices.first?.contains(aside) == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: aside)) == garbage)
            #expect(try Data(contentsOf: URL(fileURLWithPath: aside + "-wal")) == Data("log".utf8))
            #expect(try await store.commit([.receive(incoming(1, from: keyed(1)))]) == [true])
            store.close()
            #expect(throws: StoreError.self) { try ChatStore(readingOnly: aside) }
        }
    }

    @Test func `another program's database is set aside`() throws {
        let shelf = try Shelf()
        try shelf.open().close()
        try Self.overwrite(shelf.path, at: 68, [1, 2, 3, 4])
        #expect(try shelf.open().notices.first?.contains("not a history of Parley's") == true)
    }

    /// A history with several pages, as octets.
    private static func sample() async throws -> [UInt8] {
        let shelf = try Shelf()
        let store = try shelf.open()
        for number in 1...60 as ClosedRange<UInt64> {
            let changes: [StoreChange] = [
                .receive(incoming(number, from: keyed(number % 3), "message \(number) with some words")),
                .queue(outgoing(number, to: keyed(number % 3))), .contact(Contact(peer: keyed(number), accepted: true)),
            ]
            _ = try await store.commit(changes)
        }
        store.close()
        return Array(try Data(contentsOf: URL(fileURLWithPath: shelf.path)))
    }

    /// Opens a damaged file and does everything with it; nothing may stop the program.
    private static func survive(_ octets: some Sequence<UInt8>, _ place: Comment) async throws {
        let shelf = try Shelf()
        try Data(octets).write(to: URL(fileURLWithPath: shelf.path))
        let store: ChatStore
        do {
            store = try shelf.open()
        } catch {
            #expect(error is StoreError, place)
            #expect("\(error)".contains("newer version"), "\(place): \(error)")
            return
        }
        let there = FileManager.default.fileExists(atPath: shelf.path + ".damaged-1")
        #expect(there == !store.notices.isEmpty, place)
        _ = try? store.load()
        _ = try? store.messages(limit: 1000)
        _ = try? store.page(with: keyed(1), limit: 100)
        _ = try? store.search("words", limit: 100)
        _ = try? store.summaries()
        if there { #expect(try await store.commit([.receive(incoming(1000, from: keyed(1)))]) == [true], place) }
        store.close()
    }

    @Test func `every octet of the first page may be wrong`() async throws {
        let good = try await Self.sample()
        for index in stride(from: 0, to: 4096, by: Hammer.factor > 1 ? 1 : 16) {
            var bad = good
            bad[index + (Hammer.factor > 1 ? 0 : index / 16 % 16)] ^= 0xFF
            try await Self.survive(bad, "octet \(index)")
        }
        for index in 0..<100 {
            var bad = good
            bad[index] ^= 1
            try await Self.survive(bad, "header octet \(index)")
        }
    }

    @Test func `any octet may be wrong and any end may be missing`() async throws {
        let good = try await Self.sample()
        var chance = SplitMix64(seed: 11)
        for _ in 0..<100 * Hammer.factor {
            var bad = good
            let index = Int.random(in: 0..<bad.count, using: &chance)
            bad[index] = UInt8.random(in: 0...255, using: &chance)
            try await Self.survive(bad, "octet \(index)")
        }
        for end in stride(from: 1, to: good.count, by: 2048) {
            try await Self.survive(good.prefix(end), "\(end) octets")
        }
    }

    @Test func `a reader finds nothing where nothing is and leaves nothing behind`() async throws {
        let shelf = try Shelf()
        let reader = try ChatStore(readingOnly: shelf.path)
        #expect(try reader.load() == SavedState())
        #expect(try reader.messages(limit: 10) == [])
        #expect(try reader.search("word", limit: 10) == [])
        await #expect(throws: StoreError.self) { try await reader.commit([.port(1)]) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: shelf.directory.path) == [])
    }

    @Test func `a reader follows a writer in another process`() async throws {
        let shelf = try Shelf()
        let process = try ChildProcess(Hammer.arguments("commit", shelf.path, count: 1 << 20))
        _ = try process.nextLine()
        let reader = try ChatStore(readingOnly: shelf.path)
        for _ in 0..<20 {
            let acknowledged = Int64(try #require(UInt64(try process.nextLine().text)))
            let newest = try #require(try reader.messages(limit: 1 << 20).last)
            #expect(newest.message.counter >= UInt64(acknowledged) * 8 + 8)
        }
    }

    @Test func `two writers take turns`() async throws {
        let shelf = try Shelf()
        let processes = try (0..<2).map {
            try ChildProcess(Hammer.arguments("commit", shelf.path, first: $0 * 1000, count: 30))
        }
        for process in processes { _ = process.wait(.seconds(30)) }
        let store = try shelf.open()
        #expect(store.notices == [])
        try store.verify()
    }

    private static func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    private static func overwrite(_ path: String, at offset: Int, _ octets: [UInt8]) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: path))
        data.replaceSubrange(offset..<offset + octets.count, with: octets)
        try data.write(to: URL(fileURLWithPath: path))
    }
}
