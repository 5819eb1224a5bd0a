// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Foundation
import Model
import PeerEngine
import Support
import Testing

/// The store and the reference do the same, whatever comes and whenever it is reopened.
@Suite struct RestartTests {
    private static let factor = soak

    @Test(arguments: 0..<UInt64(6 * factor))
    func `nothing differs from the reference after any changes and restarts`(seed: UInt64) async throws {
        var chance = SplitMix64(seed: seed)
        let shelf = try Shelf()
        var store = try shelf.open()
        var reference = ReferenceStore()
        for round in 0..<60 {
            let group = (0..<Int.random(in: 1...12, using: &chance)).map { _ in Self.change(&chance) }
            let effects = try await store.commit(group)
            #expect(effects == group.map { reference.apply($0) }, "seed \(seed), round \(round): \(group)")
            if Int.random(in: 0..<6, using: &chance) == 0 {
                if Bool.random(using: &chance) { store.close() }
                store = try shelf.open()
                #expect(store.notices == [])
            }
            guard round % 5 == 0 || round == 59 else { continue }
            try Self.compare(store, reference, "seed \(seed), round \(round)")
            try Self.compare(try ChatStore(readingOnly: shelf.path), reference, "reader, seed \(seed), round \(round)")
        }
    }

    private static let peers = [keyed(1), keyed(2), keyed(3), unkeyed(1), unkeyed(2)]
    private static let texts = ["lunch tomorrow?", "Ünïcode ✓", "nul\0inside", "", "the kettle", "привет kettle"]

    /// Few peers and IDs, so that everything meets everything.
    private static func change(_ chance: inout SplitMix64) -> StoreChange {
        func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &chance)] }
        let peer = pick(peers), number = UInt64.random(in: 1...24, using: &chance), text = pick(texts)
        switch Int.random(in: 0..<24, using: &chance) {
        case 0..<4:
            var message = outgoing(number, to: peer, text)
            message.counter = peer.isKeyed ? number : 0
            if Bool.random(using: &chance) { message.tag = nil }
            return .queue(message)
        case 4..<10:
            var message = incoming(number, from: peer, text)
            if Bool.random(using: &chance) { message.created = nil }
            if number == 24 { message.counter = .max }
            message.secure = peer.isKeyed
            return .receive(message)
        case 10..<13:
            return .advance(
                messageID(number), of: peer, pick([.queued, .sent, .delivered, .read, .failed]),
                reason: pick([nil, "no answer"]))
        case 13: return .erase(messageID(number), of: peer)
        case 14: return number < 6 ? .forget(peer) : .read(peer, upTo: messageID(number))
        case 15, 16:
            return .contact(
                Contact(
                    peer: peer, name: pick([nil, text]), nickname: pick([nil, "a\0b"]),
                    key: pick([nil, Array(repeating: 3, count: 32)]), accepted: Bool.random(using: &chance),
                    blocked: number < 4, verified: number < 12, invited: number > 20, allowsPlaintext: number == 9,
                    relays: number % 3 == 0, inviteSecret: pick([nil, Array(repeating: 4, count: 16)]),
                    alarm: pick([nil, "another key"])))
        case 17: return number < 6 ? .remove(peer) : .read(peer, upTo: messageID(number))
        case 18: return .readByPeer(peer, upTo: pick([0, number, .max]))
        case 19: return .draft(peer, text)
        case 20:
            let endpoint = pick([nil, Endpoint("192.0.2.1:7000"), Endpoint("[2001:db8::1]:7001")])
            return .address(peer, SavedAddress(endpoint: endpoint, sequence: pick([0, number, .max])))
        case 21: return .sequence(number)
        case 22: return pick([.port(UInt16(number)), .inviteSecret(Array(repeating: UInt8(number % 4), count: 16))])
        default: return .setting(pick(ChatSetting.allCases), Bool.random(using: &chance))
        }
    }

    static func compare(_ store: ChatStore, _ reference: ReferenceStore, _ place: Comment) throws {
        #expect(try store.load().sorted == reference.saved.sorted, place)
        #expect(try store.messages(limit: 10_000) == reference.messages, place)
        for peer in peers {
            let all = reference.messages.filter { $0.message.peer == peer }
            #expect(try store.messages(with: peer, limit: 10_000) == all, place)
            #expect(try store.page(with: peer, limit: 7) == all.suffix(7), place)
            #expect(try store.draft(of: peer) == reference.drafts[peer] ?? "", place)
            let found = all.reversed().filter { $0.message.text.contains("kettle") }
            #expect(try store.search("KETTLE", with: peer, limit: 100) == Array(found), place)
            guard let middle = all.dropFirst(all.count / 2).first?.sequence else { continue }
            #expect(
                try store.page(with: peer, before: middle, limit: 3) == all.filter { $0.sequence < middle }.suffix(3),
                place)
            #expect(
                try store.page(with: peer, around: middle, limit: 5)
                    == Array(
                        all.filter { $0.sequence < middle }.suffix(2) + all.filter { $0.sequence >= middle }.prefix(3)),
                place)
        }
        let summaries = try store.summaries()
        #expect(Set(summaries.map(\.peer)).count == summaries.count)
        for peer in peers {
            let all = reference.messages.filter { $0.message.peer == peer }
            let isListed =
                !all.isEmpty || reference.drafts[peer] != nil || reference.contacts.contains { $0.peer == peer }
            let wanted = ConversationSummary(
                peer: peer, lastSequence: all.last?.sequence, lastTime: all.last?.message.received,
                unread: all.count { $0.message.direction == .incoming && $0.sequence > reference.seen[peer] ?? 0 },
                waiting: all.count { reference.waits($0.message) }, draft: reference.drafts[peer] ?? "")
            #expect(summaries.first { $0.peer == peer } == (isListed ? wanted : nil), place)
        }
    }
}
