// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

/// Users who add, accept, block, remove, forget, cancel and try again while everything fails; in the end all want to
/// talk.
@Suite struct ChangeOfMindTests {
    private static let count = 3

    private struct Schedule {
        var world: World
        var chance: SplitMix64

        init(seed: UInt64) {
            world = World(seed: seed)
            chance = SplitMix64(seed: seed &* 17 &+ 3)
            world.weather = { _, _ in World.Weather(delay: 1...40, loss: 0.05, duplication: 0.05) }
            let disk = Int.random(in: 0...30, using: &chance)
            world.diskDelay = { _ in disk }
            world.startIndex()
            for peer in 0..<ChangeOfMindTests.count { world.addPeer(peer, name: "peer \(peer)") }
            world.run(for: .seconds(2))
        }

        mutating func step() {
            let peer = Int.random(in: 0..<ChangeOfMindTests.count, using: &chance)
            let other = (peer + Int.random(in: 1..<ChangeOfMindTests.count, using: &chance)) % ChangeOfMindTests.count
            let (place, otherPlace) = (World.place(peer), World.place(other))
            switch Int.random(in: 0..<24, using: &chance) {
            case 0:
                world.remove(place)
                world.addPeer(peer, name: "peer \(peer)")
            case 1: world.cutSessions(of: place)
            case 2: world.full.formSymmetricDifference([place])
            case 3: world.cutOff.formSymmetricDifference([place])
            case 4:
                if let invite = world.peers[otherPlace]?.invite {
                    try? world.perform(.addInvite(invite, name: "x"), at: place)
                }
            case 5: try? world.perform(.renewInvite, at: place)
            default: try? world.perform(command(at: place, about: World.peer(other)), at: place)
            }
            world.run(for: .milliseconds(Int.random(in: 0...900, using: &chance)))
        }

        private mutating func command(at place: Endpoint, about peer: PeerID) -> ClientCommand {
            let outgoing = world.outgoing(at: place).randomElement(using: &chance) ?? MessageID(random: 1, 2)
            let incoming = world.disks[place]?.incoming.randomElement(using: &chance)?.id ?? outgoing
            switch Int.random(in: 0..<20, using: &chance) {
            case 0: return .accept(peer)
            case 1: return .block(peer)
            case 2: return .remove(peer)
            case 3: return .forget(peer)
            case 4: return .ignore(peer)
            case 5, 6: return .cancel(outgoing)
            case 7, 8: return .retry(outgoing)
            case 9: return .erase(Bool.random(using: &chance) ? outgoing : incoming, of: peer)
            case 10: return .read(peer, incoming)
            case 11: return .open(Bool.random(using: &chance) ? peer : nil)
            case 12: return .typing(peer, Bool.random(using: &chance))
            case 13: return .active(Bool.random(using: &chance))
            case 14: return .add(peer, name: "y")
            case 15: return .set(.readReceipts, Bool.random(using: &chance))
            default: return .send(to: peer, text: "\(Int.random(in: 0..<1000, using: &chance))", tag: nil)
            }
        }

        /// All want to talk, and nothing stands in their way.
        mutating func makeUp() {
            world.full = []
            world.cutOff = []
            world.run(for: .seconds(5))
            for peer in 0..<ChangeOfMindTests.count {
                for other in 0..<ChangeOfMindTests.count where other != peer {
                    try? world.perform(.accept(World.peer(other)), at: World.place(peer))
                    try? world.perform(
                        .send(to: World.peer(other), text: "from \(peer)", tag: nil), at: World.place(peer))
                }
            }
            world.run(for: .seconds(240))
        }

        func faults() -> [String] {
            var faults: [String] = []
            for peer in 0..<ChangeOfMindTests.count {
                let place = World.place(peer)
                for other in 0..<ChangeOfMindTests.count where other != peer {
                    if world.shown(at: place, from: World.peer(other)).last != "from \(other)" {
                        faults.append("\(other) no longer reaches \(peer)")
                    }
                }
                var shown: Set<MessageID> = []
                for case .message(let message) in world.events[place] ?? []
                where message.direction == .incoming && !shown.insert(message.id).inserted {
                    faults.append("\(peer) was shown a message twice")
                }
                for contact in world.peers[place]?.peers ?? [] where contact.waiting > 0 {
                    faults.append("\(contact.waiting) still wait at \(peer)")
                }
            }
            if world.net.overdrafts > 0 { faults.append("more was digested than came") }
            return faults
        }
    }

    @Test(arguments: 0..<4)
    func `whatever they did before, they can talk, and nothing is shown twice`(slice: Int) {
        for seed in stride(from: slice, to: 120, by: 4) {
            var schedule = Schedule(seed: UInt64(seed))
            for _ in 0..<60 { schedule.step() }
            schedule.makeUp()
            let faults = schedule.faults()
            #expect(faults == [], "schedule \(seed)")
        }
    }
}
