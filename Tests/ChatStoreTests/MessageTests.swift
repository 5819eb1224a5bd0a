// SPDX-License-Identifier: GPL-3.0-or-later
@testable import ChatStore
import Foundation
import GRDB
import Model
import PeerEngine
import Queues
import Support
import Testing

/// What the user and the peers can rely on, one promise at a time.
@Suite struct MessageTests {
    @Test func `commits are synced`() async throws {
        let shelf = try Shelf()
        let pool = try #require(try shelf.open().pool)
        #expect(try await pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
    }

    @Test func `an ID counts once per peer and direction`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        let changes: [StoreChange] = [
            .queue(outgoing(1, to: keyed(1))), .receive(incoming(1, from: keyed(1), "reuses our ID")),
            .receive(incoming(1, from: keyed(2), "another peer")), .receive(incoming(1, from: keyed(1), "again")),
            .queue(outgoing(1, to: keyed(1), "again")),
        ]
        #expect(try await store.commit(changes) == [true, true, true, false, false])
        #expect(try store.messages(limit: 10).map(\.message.text) == ["hello", "reuses our ID", "another peer"])
    }

    @Test(arguments: [
        StoreChange.erase(messageID(1), of: keyed(1)), .forget(keyed(1)), .remove(keyed(1)),
    ])
    func `a message whose text is gone does not come again, also after a restart`(change: StoreChange) async throws {
        let shelf = try Shelf()
        var store = try shelf.open()
        let message = StoreChange.receive(incoming(1, from: keyed(1), "kettle"))
        #expect(try await store.commit([.contact(Contact(peer: keyed(1), accepted: true)), message]) == [true, true])
        #expect(try await store.commit([change, message]) == [true, false])
        store.close()
        store = try shelf.open()
        #expect(try await store.commit([message]) == [false])
        #expect(try store.messages(limit: 10) == [])
        #expect(try store.search("kettle", limit: 10) == [])
        #expect(try await store.commit([.receive(incoming(1, from: keyed(2), "kettle"))]) == [true])
        // An ID of ours is not taken by theirs.
        #expect(try await store.commit([.queue(outgoing(1, to: keyed(1)))]) == [true])
    }

    @Test func `all changes of a call are kept or none`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        try await store.pool?.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    CREATE TEMP TRIGGER refuse BEFORE UPDATE OF draft ON peer WHEN new.draft IS NOT NULL BEGIN
                        SELECT RAISE (FAIL, 'refused');
                    END
                    """)
        }
        await #expect(throws: StoreError.self) {
            try await store.commit([
                .receive(incoming(1, from: keyed(1))), .sequence(9), .draft(keyed(1), "refused"), .port(1),
            ])
        }
        #expect(try store.load() == SavedState())
        #expect(try store.messages(limit: 10) == [])
        #expect(try await store.commit([.receive(incoming(1, from: keyed(1)))]) == [true])
    }

    @Test func `erased words leave the files`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        func holds(_ word: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: shelf.directory.path).filter {
                try Data(contentsOf: URL(fileURLWithPath: shelf.directory.file($0))).range(of: Data(word.utf8)) != nil
            }
        }
        for number in 1...300 as ClosedRange<UInt64> {
            _ = try await store.commit([.receive(incoming(number, from: keyed(number % 2), "word\(number) zqxvorpal"))])
        }
        _ = try await store.commit([
            .receive(incoming(500, from: keyed(3), "Wynnforth remembered")), .draft(keyed(3), "Wynnforth"),
        ])
        #expect(try !holds("Wynnforth").isEmpty)
        store.purgeAhead.withLock { $0 = true }
        _ = try await store.commit([.remove(keyed(3)), .forget(keyed(1)), .erase(messageID(2), of: keyed(0))])
        #expect(try !holds("ynnforth").isEmpty, "nothing for the purge to do")
        await store.purge()
        for word in ["Wynnforth", "wynnforth", "ynnforth", "word299", "word2 "] {
            #expect(try holds(word) == [], "\(word)")
        }
        #expect(try !holds("word300").isEmpty)
        try store.verify()
    }

    @Test(arguments: [StartQuestion.outbox, StartQuestion.held])
    func `what a start reads does not scan the history`(question: String) async throws {
        let pool = try #require(try Shelf().open().pool)
        let plan = try await pool.read { db in
            try Row.fetchAll(
                db, sql: "EXPLAIN QUERY PLAN SELECT * FROM message m JOIN peer p ON p.number = m.peer " + question
            ).map { $0["detail"] as String }
        }
        #expect(!plan.contains { $0.hasPrefix("SCAN m") }, "\(plan)")
    }

    @Test func `states only go down, but for the user's new try`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        _ = try await store.commit([.queue(outgoing(1, to: keyed(1)))])
        func become(_ state: DeliveryState) async throws -> Bool {
            try await store.commit([.advance(messageID(1), of: keyed(1), state, reason: nil)]) == [true]
        }
        for (state, effect) in [
            (.sent, true), (.queued, false), (.failed, true), (.delivered, false), (.queued, true), (.delivered, true),
            (.failed, false), (.read, true), (.delivered, false), (.failed, false),
        ] as [(DeliveryState, Bool)] {
            #expect(try await become(state) == effect, "\(state)")
        }
    }

    @Test(arguments: [
        ("ubergroße", ["Übergröße am Dienstag"]), ("DIENSTAG", ["Übergröße am Dienstag"]),
        ("die", ["Übergröße am Dienstag"]), ("die ", []), ("привет", ["Привет, мир"]), ("мир прив", ["Привет, мир"]),
        ("re-read", ["re-read the file"]), ("read-re", []), ("\"file", ["re-read the file"]),
        ("file OR kettle", []), ("text:file", []), ("file*", ["re-read the file"]), ("NOT file", []),
        ("(file", ["re-read the file"]), ("^file", ["re-read the file"]), ("NEAR(file the)", []), ("", []),
        (" \n\t", []), ("\"\"", []), ("*", []), ("'; DROP TABLE message; --", []), ("a\0b", ["a\0b nul"]),
        ("peer : 1", []), (String(repeating: "é", count: 100_000), []), ("😀", []),
    ])
    func `a search means the words that were typed`(query: String, found: [String]) async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        let texts = ["Übergröße am Dienstag", "Привет, мир", "re-read the file", "a\0b nul", "😀"]
        _ = try await store.commit(texts.enumerated().map { .receive(incoming(UInt64($0), from: keyed(1), $1)) })
        #expect(try store.search(query, limit: 10).map(\.message.text) == found)
        #expect(try store.search(query, with: keyed(1), limit: 10).map(\.message.text) == found)
        #expect(try store.search(query, with: keyed(2), limit: 10) == [])
    }

    @Test func `a search is paged from the newest`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        _ = try await store.commit((1...50).map { .receive(incoming($0, from: keyed($0 % 2), "tea \($0)")) })
        var found: [StoredMessage] = []
        while true {
            let page = try store.search("tea", before: found.last?.sequence, limit: 7)
            if page.isEmpty { break }
            found += page
        }
        #expect(found.map(\.message.counter) == (1...50).reversed())
    }

    @Test(arguments: [-1, 0, .min] as [Int])
    func `a limit below one gives nothing`(limit: Int) async throws {
        let store = try Shelf().open()
        _ = try await store.commit([.receive(incoming(1, from: keyed(1)))])
        #expect(try store.page(with: keyed(1), limit: limit) == [])
        #expect(try store.page(with: keyed(1), around: 1, limit: limit) == [])
        #expect(try store.messages(limit: limit) == [])
        #expect(try store.search("hello", limit: limit) == [])
    }

    @Test func `a task's cancellation does not take back what it commits`() async throws {
        let shelf = try Shelf()
        let store = try shelf.open()
        for number in 1...50 as ClosedRange<UInt64> {
            let task = Task { try await store.commit([.receive(incoming(number, from: keyed(1)))]) }
            task.cancel()
            #expect(try await task.value == [true])
        }
        #expect(try store.messages(limit: 100).count == 50)
    }
}
