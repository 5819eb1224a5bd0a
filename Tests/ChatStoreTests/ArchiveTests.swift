// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Foundation
import Model
import PeerEngine
import Support
import Testing

/// An archive holds everything, merges without doubling, and a bad one changes nothing.
@Suite struct ArchiveTests {
    private static func hex(_ octets: [UInt8]) -> String {
        octets.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private static func records(_ store: ChatStore) throws -> [[UInt8]] {
        var records: [[UInt8]] = []
        try store.export { records.append($0) }
        return records
    }

    @discardableResult
    private static func merge(_ records: [[UInt8]], into store: ChatStore) throws -> ImportCounts {
        var rest = records[...]
        return try store.merge { rest.popFirst() }
    }

    private static let everything: [StoreChange] = [
        .contact(
            Contact(
                peer: keyed(1), name: "Ann", nickname: "a\0nn", key: Array(repeating: 7, count: 32), accepted: true,
                verified: true, inviteSecret: [1, 2], alarm: "another key")),
        .contact(Contact(peer: keyed(2), accepted: false)),
        .receive(incoming(1, from: keyed(1), "first")), .queue(outgoing(2, to: keyed(1), "second")),
        .receive(incoming(3, from: keyed(2), "gone")), .receive(incoming(4, from: keyed(1), "")),
        .advance(messageID(2), of: keyed(1), .sent, reason: "no answer"), .erase(messageID(3), of: keyed(2)),
        .read(keyed(1), upTo: messageID(1)), .draft(keyed(1), "half a"), .sequence(77), .port(9),
        .address(keyed(1), SavedAddress(endpoint: Endpoint("192.0.2.1:7000"), sequence: 12)),
        .inviteSecret([9, 9]), .setting(.typing, false),
    ]

    @Test func `an archive brings everything to another machine but the port`() async throws {
        let (here, there) = (try Shelf(), try Shelf())
        let (source, target) = (try here.open(), try there.open())
        _ = try await source.commit(Self.everything)
        let records = try Self.records(source)
        #expect(try Self.merge(records, into: target) == ImportCounts(contacts: 2, messages: 3))
        var wanted = try source.load()
        wanted.port = nil
        #expect(try target.load() == wanted)
        #expect(try target.messages(limit: 10).map(\.message) == source.messages(limit: 10).map(\.message))
        #expect(try target.summaries().map(\.unread) == source.summaries().map(\.unread))
        #expect(try target.draft(of: keyed(1)) == "half a")
        #expect(try await target.commit([.receive(incoming(3, from: keyed(2)))]) == [false])
        let before = try Self.records(target)
        #expect(try Self.merge(records, into: target) == ImportCounts())
        #expect(try Self.records(target) == before)
    }

    @Test func `who passes on, and that we do, goes along`() async throws {
        let (source, target) = (try Shelf().open(), try Shelf().open())
        let carol = Contact(peer: keyed(5), accepted: true, allowsPlaintext: true, relays: true)
        _ = try await source.commit([.contact(carol), .setting(.relay, true)])
        try Self.merge(Self.records(source), into: target)
        #expect(try target.load().contacts == [carol])
        #expect(try target.load().switchedOff == [])
    }

    @Test func `what is here wins over an archive`() async throws {
        let (here, there) = (try Shelf(), try Shelf())
        let (source, target) = (try here.open(), try there.open())
        _ = try await source.commit(Self.everything)
        _ = try await target.commit([
            .contact(Contact(peer: keyed(1), name: "Bob", accepted: false, blocked: true)), .inviteSecret([5]),
            .sequence(100), .draft(keyed(1), "mine"), .receive(incoming(1, from: keyed(1), "mine")),
            .erase(messageID(1), of: keyed(1)), .receive(incoming(3, from: keyed(2), "kept here")),
        ])
        #expect(try Self.merge(Self.records(source), into: target) == ImportCounts(contacts: 1, messages: 2))
        let state = try target.load()
        #expect(state.contacts.first?.name == "Bob")
        #expect(state.inviteSecret == [5])
        #expect(state.sequence == 100)
        #expect(try target.draft(of: keyed(1)) == "mine")
        #expect(try target.messages(limit: 10).map(\.message.text) == ["kept here", "second", ""])
    }

    @Test func `the format stays as it is`() async throws {
        let store = try Shelf().open()
        _ = try await store.commit(Self.everything)
        let records = try Self.records(store).map(Self.hex)
        #expect(records == Self.vectors, "\(records.joined(separator: "\n"))")
    }

    private static let vectors: [String] = [
        "00000000107061726c657920617263686976652031",
        "01000000101111000000008000800000000000000100000000000000020000000000000001010000000668616c662061"
            + "010000000e3139322e302e322e313a37303030000000000000000c",
        "0100000010111100000000800080000000000000020000000000000000000000000000000000000000000000000000",
        "0200000010111100000000800080000000000000010100000003416e6e010000000461006e6e01000000200707070707"
            + "070707070707070707070707070707070707070707070707070707000000000000000501000000020102010000000b61"
            + "6e6f74686572206b6579",
        "02000000101111000000008000800000000000000200000000000000000000000000",
        "030000000000000001000000101111000000008000800000000000000100000000100000000000004007800000000000"
            + "00010000000566697273740100000008000000000000000500000000000003e900000000000000020001000000000000"
            + "000100",
        "030000000000000002000000101111000000008000800000000000000101000000100000000000004007800000000000"
            + "0002000000067365636f6e640000000000000007d2000000000000000101000000096e6f20616e737765720100000000"
            + "0000000201000000027432",
        "030000000000000004000000101111000000008000800000000000000100000000100000000000004007800000000000"
            + "0004000000000100000008000000000000000500000000000003ec00000000000000020001000000000000000400",
        "0400000010111100000000800080000000000000020000001000000000000040078000000000000003",
        "05000000000000004d",
        "06000000020909",
        "0700000006747970696e67",
        "ff000000000000000c",
    ]

    @Test func `an archive that is not whole changes nothing`() async throws {
        let source = try Shelf().open()
        _ = try await source.commit(Self.everything)
        let good = try Self.records(source)
        let target = try Shelf().open()
        _ = try await target.commit([.receive(incoming(50, from: keyed(1)))])
        let before = try Self.records(target)
        func refuse(_ bad: [[UInt8]], _ place: Comment) throws {
            let error = #expect(throws: StoreError.self, place) { try Self.merge(bad, into: target) }
            #expect(error?.description.hasPrefix("The archive is damaged (") == true, "\(place): \(error as Any)")
            #expect(try Self.records(target) == before, place)
        }
        for count in 0..<good.count { try refuse(Array(good.prefix(count)), "\(count) records") }
        for index in good.indices {
            try refuse(Array(good[..<index]) + good[(index + 1)...], "without record \(index)")
            try refuse(Array(good[...index]) + good[index...], "record \(index) twice")
            for end in 0..<good[index].count {
                var bad = good
                bad[index] = Array(good[index].prefix(end))
                try refuse(bad, "record \(index) cut at \(end)")
            }
            var bad = good
            bad[index].append(0)
            try refuse(bad, "record \(index) with one more octet")
        }
        try refuse([Array(repeating: 0, count: 2 << 20)], "a huge record")
        try refuse([good[0], [3, 255, 255, 255, 255]], "a message of nothing")
        #expect(throws: StoreError("unplugged", mayPass: false)) {
            try target.merge { () throws(StoreError) in throw StoreError("unplugged", mayPass: false) }
        }
        #expect(try Self.records(target) == before)
    }

    @Test func `no octets stop the program`() async throws {
        let source = try Shelf().open()
        _ = try await source.commit(Self.everything)
        let good = try Self.records(source)
        let target = try Shelf().open()
        var chance = SplitMix64(seed: 4)
        for _ in 0..<400 * Hammer.factor {
            var bad = good
            let record = Int.random(in: 0..<bad.count, using: &chance)
            let index = Int.random(in: 0..<bad[record].count, using: &chance)
            bad[record][index] = UInt8.random(in: 0...255, using: &chance)
            do { try Self.merge(bad, into: target) } catch { #expect(error is StoreError) }
        }
        for _ in 0..<400 * Hammer.factor {
            let octets = chance.bytes(Int.random(in: 0...80, using: &chance))
            #expect(throws: StoreError.self) { try Self.merge([good[0], octets], into: target) }
        }
        try target.verify()
    }
}
