// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Testing
import Wire

/// Any frame in any state, whole or broken: nothing traps, and a peer only ever speaks for itself.
@Suite struct StateOrderTests {
    @Test(arguments: 0..<5)
    func `of ten thousand events in any order none is believed that should not be`(seed: UInt64) throws {
        var world = World(seed: seed)
        var chance = SplitMix64(seed: seed &+ 99)
        let alice = World.addedContact(2, to: &world)
        try world.perform(.send(to: World.peer(2), text: "never sent", tag: "x"), at: alice)
        let id = try #require(world.outgoing(at: alice).first)
        for step in 0..<(isSlow ? 1_000 : 10_000) {
            let session = SessionID(UInt64.random(in: 1...9, using: &chance) * 2 + 1)
            let number = Int.random(in: 2...9, using: &chance)
            switch Int.random(in: 0...9, using: &chance) {
            case 0:
                let key = World.identity(number).key
                world.deliver(.up(session, key: key, at: World.place(number), binding: chance.bytes(32)), to: alice)
            case 1: world.deliver(.closed(session, .pathDied), to: alice)
            case 2: world.deliver(.roundTrip(session, .milliseconds(step)), to: alice)
            default:
                var bytes = frame(naming: id, &chance).encoded()
                if Bool.random(using: &chance) { bytes[Int.random(in: bytes.indices, using: &chance)] ^= 0x11 }
                world.deliver(.frames(session, [bytes]), to: alice)
            }
            if step % 50 == 0 { world.run(for: .milliseconds(500)) }
        }
        let contact = World.peer(2)
        for case .message(let message) in world.events[alice] ?? [] where message.direction == .incoming {
            #expect(message.peer == contact, "strangers are not shown")
        }
        #expect(Set(world.requests(at: alice).map(\.peer)).isSubset(of: (3...9).map { World.peer($0) }))
        for sent in world.disks[alice]?.incoming ?? [] { #expect(sent.secure && sent.counter >= 1) }
    }

    private func frame(naming id: MessageID, _ chance: inout SplitMix64) -> SessionFrame {
        let number = UInt64.random(in: 1...50, using: &chance)
        switch Int.random(in: 0...9, using: &chance) {
        case 0, 1, 2: return .hello(.init(instance: number % 3, contact: Bool.random(using: &chance), name: "n"))
        case 3: return .contact(proof: chance.bytes(32), name: nil)
        case 4: return .accepted
        case 5, 6:
            return .message(.init(id: MessageID(random: 9, number), counter: number, created: nil, text: "\(number)"))
        case 7: return .receipt([id, MessageID(random: 9, number)])
        case 8: return Bool.random(using: &chance) ? .read(upTo: number) : .refused(MessageID(random: 9, 1), reason: "")
        default: return Bool.random(using: &chance) ? .typing(true) : .active(true)
        }
    }
}

extension World {
    /// A peer that has one contact, and no index server that answers.
    fileprivate static func addedContact(_ number: Int, to world: inout World) -> Endpoint {
        world.addPeer(1, contacts: [Contact(peer: World.peer(number), accepted: true)])
    }
}
