// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PeerEngine
import Support
import Testing
import Wire

/// Two hundred clients and one index server, on a network of the test's own.
@Suite struct TwoHundredPeersTests {
    private static let count = 200

    /// Who writes to whom: each pair once.
    private static func pairs(_ chance: inout SplitMix64) -> [(Int, Int)] {
        var seen: Set<Int> = []
        var pairs: [(Int, Int)] = []
        while pairs.count < 300 {
            let (one, other) = (Int.random(in: 0..<count, using: &chance), Int.random(in: 0..<count, using: &chance))
            guard one != other, seen.insert(min(one, other) * count + max(one, other)).inserted else { continue }
            pairs.append((one, other))
        }
        return pairs
    }

    private static func crowd(_ world: inout World) {
        for number in 0..<count { world.addPeer(number) }
    }

    @Test func `everybody finds and hears everybody, and the index may die`() throws {
        var world = World(seed: 11)
        // Far and near peers: datagrams overtake each other between different pairs, never between two.
        world.weather = { from, to in
            let distance = UInt64(from.hashBits ^ to.hashBits) % 80 + 1
            return World.Weather(delay: distance...distance)
        }
        let index = world.startIndex()
        Self.crowd(&world)
        world.run(for: .seconds(3))
        #expect(index.count(now: world.now, wall: world.wall) == Self.count)

        var chance = SplitMix64(seed: 12)
        let pairs = Self.pairs(&chance)
        for (one, other) in pairs {
            try world.perform(.add(World.peer(other), name: nil), at: World.place(one))
            try world.perform(.add(World.peer(one), name: nil), at: World.place(other))
        }
        var told: [String: [String]] = [:]
        func chat(_ rounds: Range<Int>) throws {
            for round in rounds {
                for (one, other) in pairs {
                    for (from, to) in [(one, other), (other, one)] {
                        let text = "\(from) to \(to), \(round)"
                        told["\(from)>\(to)", default: []].append(text)
                        try world.perform(.send(to: World.peer(to), text: text, tag: nil), at: World.place(from))
                    }
                }
                world.run(for: .milliseconds(Int.random(in: 10...200, using: &chance)))
            }
            world.run(for: .seconds(1))
        }
        func expectAllShown() {
            for (one, other) in pairs {
                for (from, to) in [(one, other), (other, one)] {
                    #expect(world.shown(at: World.place(to), from: World.peer(from)) == told["\(from)>\(to)"])
                }
            }
        }
        func queries() -> Int { world.traffic.count { World.kind(of: $0.datagram) == "query" } }

        try chat(0..<10)
        expectAllShown()
        #expect(queries() == 2 * pairs.count, "one per pair and direction")

        world.removeServer()
        try chat(10..<20)
        world.run(for: .seconds(60))
        try chat(20..<25)
        expectAllShown()
        #expect(queries() == 2 * pairs.count, "a chat under way needs no index server")
        for number in 0..<Self.count {
            guard case .unreachable? = world.statuses(at: World.place(number)).last else {
                Issue.record("peer \(number) did not notice that the server is gone")
                return
            }
        }

        let second = world.startIndex(boot: "boot-2")
        // Whoever has nothing to say asks for a server that was away for more than a minute as rarely.
        world.run(for: .seconds(70))
        #expect(second.count(now: world.now, wall: world.wall) == Self.count)
        for number in 0..<Self.count {
            #expect(second.knows(World.peer(number), now: world.now, wall: world.wall))
            #expect(world.isRegistered(World.place(number)))
        }
    }

    @Test func `a restart that nobody saw is noticed by all within 25 seconds`() {
        var world = World(seed: 21)
        world.startIndex()
        Self.crowd(&world)
        world.run(for: .seconds(47))
        let second = world.startIndex(boot: "boot-2")
        world.run(for: .seconds(25))
        #expect(second.count(now: world.now, wall: world.wall) == Self.count)
    }

    @Test func `with a tenth of the index traffic lost, doubled and overtaken, everybody registers`() {
        var world = World(seed: 31)
        world.weather = { _, _ in World.Weather(delay: 1...300, loss: 0.1, duplication: 0.1) }
        let index = world.startIndex()
        Self.crowd(&world)
        world.run(for: .seconds(30))
        #expect(index.count(now: world.now, wall: world.wall) == Self.count)
        world.run(for: .seconds(120))
        #expect((0..<Self.count).count { world.isRegistered(World.place($0)) } > Self.count * 9 / 10)
    }
}

extension Endpoint {
    fileprivate var hashBits: UInt32 { if case .v4(let bits) = address { bits } else { 0 } }
}
