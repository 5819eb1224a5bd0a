// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import PeerEngine
import Support
import Testing
import Wire

/// Peers that talk while everything around them fails at random; afterwards the world heals, and all must be well.
@Suite struct SimulationTests {
    /// What went wrong in one schedule.
    private struct Schedule {
        var world: World
        var chance: SplitMix64
        let count: Int
        /// Texts whose `queued` was told, per sender and reader.
        var promised: [String: [String]] = [:]
        var number = 0

        init(seed: UInt64) {
            world = World(seed: seed)
            chance = SplitMix64(seed: seed &* 31 &+ 7)
            count = Int.random(in: 2...4, using: &chance)
            let slowest = UInt64.random(in: 1...80, using: &chance)
            world.weather = { _, _ in World.Weather(delay: 1...slowest, loss: 0.05, duplication: 0.05) }
            let disk = Int.random(in: 0...20, using: &chance)
            world.diskDelay = { _ in disk }
            world.startIndex()
            for peer in 0..<count {
                let others = (0..<count).filter { $0 != peer }.map { Contact(peer: World.peer($0), accepted: true) }
                world.addPeer(peer, contacts: others)
            }
            world.run(for: .seconds(2))
        }

        mutating func step() {
            let peer = Int.random(in: 0..<count, using: &chance)
            let place = World.place(peer)
            switch Int.random(in: 0..<20, using: &chance) {
            case 0: restart(peer)
            case 1: world.cutSessions(of: place)
            case 2: world.full.formSymmetricDifference([place])
            case 3: world.cutOff.formSymmetricDifference([place])
            case 4: try? world.perform(.open(World.peer((peer + 1) % count)), at: place)
            default:
                let other = (peer + Int.random(in: 1..<count, using: &chance)) % count
                for _ in 0..<Int.random(in: 1...4, using: &chance) { say(from: peer, to: other) }
                if Bool.random(using: &chance) { say(from: other, to: peer) }
            }
            world.run(for: .milliseconds(Int.random(in: 0...1500, using: &chance)))
        }

        private mutating func say(from peer: Int, to other: Int) {
            number += 1
            try? world.perform(
                .send(to: World.peer(other), text: "\(number)", tag: "\(number)"), at: World.place(peer))
        }

        private mutating func restart(_ peer: Int) {
            world.remove(World.place(peer))
            world.run(for: .milliseconds(Int.random(in: 0...4000, using: &chance)))
            world.addPeer(peer)
        }

        mutating func heal() {
            world.full = []
            world.cutOff = []
            world.run(for: .seconds(240))
        }

        /// Violations of what is promised, as sentences.
        func faults() -> [String] {
            var faults: [String] = []
            for reader in 0..<count {
                for writer in 0..<count where writer != reader {
                    let shown = world.shown(at: World.place(reader), from: World.peer(writer))
                    let stored = (world.disks[World.place(reader)]?.incoming ?? [])
                        .filter { $0.peer == World.peer(writer) }.map(\.text)
                    let kept = (world.disks[World.place(writer)]?.outgoing ?? [])
                        .filter { $0.peer == World.peer(reader) }
                    if stored != kept.map(\.text) {
                        faults.append("\(writer) to \(reader): lost, doubled or disordered")
                    }
                    if Set(shown).count != shown.count { faults.append("\(writer) to \(reader): shown twice") }
                    // A crash between disk and screen leaves what history has.
                    if !isSubsequence(shown, of: stored) { faults.append("\(writer) to \(reader): shown out of order") }
                    if kept.contains(where: { $0.state != .delivered }) {
                        faults.append("\(writer) to \(reader): \(kept.count { $0.state != .delivered }) still wait")
                    }
                }
                faults += stateFaults(at: World.place(reader))
            }
            if world.net.overdrafts > 0 { faults.append("more was digested than came") }
            return faults
        }

        private func stateFaults(at place: Endpoint) -> [String] {
            var outgoing: Set<MessageID> = []
            var faults: [String] = []
            for case .state(let id, _, _, let state, _) in world.events[place] ?? [] {
                if state == .queued, !outgoing.insert(id).inserted { faults.append("queued twice") }
                if state == .delivered, outgoing.remove(id) == nil { faults.append("delivered twice, or never queued") }
            }
            return faults
        }

        private func isSubsequence(_ some: [String], of all: [String]) -> Bool {
            var rest = some[...]
            for text in all where text == rest.first { rest = rest.dropFirst() }
            return rest.isEmpty
        }
    }

    private static let schedules = isSlow ? 24 : 400 * soak

    @Test(arguments: 0..<8)
    func `nothing is lost, shown twice or out of order, whatever fails`(slice: Int) {
        for seed in stride(from: slice, to: Self.schedules, by: 8) {
            var schedule = Schedule(seed: UInt64(seed))
            for _ in 0..<20 { schedule.step() }
            schedule.heal()
            let faults = schedule.faults()
            #expect(faults == [], "schedule \(seed)")
            if !faults.isEmpty { return }
        }
    }
}
