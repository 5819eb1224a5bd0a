// SPDX-License-Identifier: GPL-3.0-or-later
@testable import ChatStore
import GRDB
import Model
import PeerEngine
import Support
import Testing

/// A search for the start of a word gives what the index alone gives, wherever the hits lie.
@Suite struct UnfinishedWordTests {
    private static let peers = (1...3).map { keyed($0) }

    /// Words of many scripts, with forms that fold to others; the later ones stand in old messages only.
    private static let stems = [
        "kettle", "Übergröße", "U\u{308}bergro\u{308}ße", "İstanbul", "ıslak", "ΣΊΣΥΦΟΣ", "σίσυφος", "Привет", "ёлка",
        "שָׁלוֹם", "مُحَمَّد", "नमस्ते", "สวัสดี", "再见朋友", "ひらがな", "카카오", "ꭰꮎꮧ", "ǖǘǚ", "uuu", "ệch", "ech",
        "ﬁnal", "ǅungla", "x٣٤", "a\0bc", "re-read", "3.40.1", "peer", "text", "𐐨𐐩𐐪", "😀go",
        "needle", "Иголка", "針山",
    ]
    private static let oldStems = 3

    private static func word(_ chance: inout SplitMix64, isOld: Bool) -> String {
        let choice = isOld ? stems[...] : stems.dropLast(oldStems)
        var word = choice.randomElement(using: &chance) ?? ""
        if Bool.random(using: &chance) { word += String(Int.random(in: 0..<300, using: &chance)) }
        return [word, word.uppercased(), word.lowercased()].randomElement(using: &chance) ?? word
    }

    private static func text(_ chance: inout SplitMix64, isOld: Bool) -> String {
        let words = (0..<Int.random(in: 0...6, using: &chance)).map { _ in word(&chance, isOld: isOld) }
        let text = words.joined(separator: [" ", ", ", "\n"].randomElement(using: &chance) ?? " ")
        // A few long ones, of which the octets that are looked through at most hold a handful.
        return Int.random(in: 0..<100, using: &chance) == 0 ? text + String(repeating: " …", count: 15_000) : text
    }

    /// Some whole words and the start of one more.
    private static func words(_ chance: inout SplitMix64) -> [String] {
        let rest = (0..<[0, 0, 1, 2][Int.random(in: 0..<4, using: &chance)]).map { _ in word(&chance, isOld: true) }
        let last = word(&chance, isOld: true).unicodeScalars
        let start = last.prefix(Int.random(in: 2...max(2, last.count), using: &chance))
        return rest + [String(String.UnicodeScalarView(start))]
    }

    /// What the index alone finds, by an expression of this test's own making.
    private static func indexed(
        _ store: ChatStore, _ words: [String], _ peer: PeerID?, before place: Int64, _ limit: Int
    ) throws -> [Int64] {
        let quoted = words.map { "\"" + $0.replacing("\0", with: " ") + "\"" }.joined(separator: " AND ")
        return try store.reader.read { db in
            let number = try peer.map { " AND peer : \"\(try db.number(of: $0))\"" } ?? ""
            return try Int64.fetchAll(
                db, sql: "SELECT rowid FROM search WHERE search MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?",
                arguments: ["text : (\(quoted) *)\(number)", place, limit])
        }
    }

    @Test(arguments: 0..<UInt64(3 * soak))
    func `the start of a word finds what its list in the index holds`(seed: UInt64) async throws {
        var chance = SplitMix64(seed: seed)
        let shelf = try Shelf()
        let store = try shelf.open()
        let changes = (0..<UInt64(4000)).map { number in
            StoreChange.receive(
                incoming(
                    number, from: keyed([1, 1, 1, 2, 3][Int(number % 5)]), Self.text(&chance, isOld: number < 1500)))
        }
        _ = try await store.commit(changes)
        let reader = try ChatStore(readingOnly: shelf.path)
        var asked = 0, found = 0
        while asked < 300 {
            let words = Self.words(&chance)
            let typed = words.joined(separator: " ")
            guard SearchQuery(typed)?.unfinished != nil else { continue }
            let peer = Bool.random(using: &chance) ? nil : Self.peers.randomElement(using: &chance)
            let place = Bool.random(using: &chance) ? nil : Int64.random(in: 0...4001, using: &chance)
            let limit = [1, 3, 20, 51, 1000, 5000].randomElement(using: &chance) ?? 20
            let wanted = try Self.indexed(store, words, peer, before: place ?? .max, limit)
            let hits = try (asked.isMultiple(of: 2) ? store : reader).search(
                typed, with: peer, before: place, limit: limit)
            #expect(
                hits.map(\.sequence) == wanted,
                "seed \(seed): \(typed.debugDescription), \(String(describing: peer)), \(place ?? -1), \(limit)")
            asked += 1
            found += hits.count
        }
        #expect(found > 3000)
    }

    @Test(arguments: [(1023, 1), (1023, 2), (1024, 1), (1025, 1), (1025, 2), (3000, 20)])
    func `a hit is found beyond any number of newer messages`(newer: Int, hits: Int) async throws {
        let store = try Shelf().open()
        let texts = Array(repeating: "the kettle", count: hits) + Array(repeating: "tea", count: newer)
        _ = try await store.commit(
            texts.enumerated().map { .receive(incoming(UInt64($0), from: keyed(1), $1)) })
        for peer in [nil, keyed(1)] {
            let found = try store.search("kett", with: peer, limit: 20)
            #expect(found.map(\.message.counter) == (0..<UInt64(hits)).reversed())
            #expect(try store.search("the kett", with: peer, limit: 20) == found)
            #expect(try store.search("kett", with: peer, before: 1, limit: 20) == [])
        }
    }
}
