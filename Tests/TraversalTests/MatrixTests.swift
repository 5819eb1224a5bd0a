// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Traversal

/// What each pair of sites comes to: the dialler's row, the callee's column.
private let expected = """
                    open     firewall fullCone addressR portRest symmetri symmetrR doubleNA blocked
    open            direct   punched  direct   punched  punched  punched  punched  punched  relayed
    firewall        direct   punched  direct   punched  punched  relayed  relayed  punched  relayed
    fullCone        direct   punched  direct   punched  punched  punched  punched  punched  relayed
    addressRestricted direct punched  direct   punched  punched  punched  punched  punched  relayed
    portRestricted  direct   punched  direct   punched  punched  relayed  relayed  punched  relayed
    symmetric       direct   relayed  direct   punched  relayed  relayed  relayed  relayed  relayed
    symmetricRandom direct   relayed  direct   punched  relayed  relayed  relayed  relayed  relayed
    doubleNAT       direct   punched  direct   punched  punched  relayed  relayed  punched  relayed
    blocked         relayed  relayed  relayed  relayed  relayed  relayed  relayed  relayed  relayed
    """

private func expectation(_ one: Site, _ other: Site) -> PathKind? {
    let rows = expected.split(separator: "\n").dropFirst().map { $0.split(separator: " ") }
    guard let row = rows.first(where: { $0[0] == one.rawValue }), let column = Site.allCases.firstIndex(of: other)
    else { return nil }
    return PathKind(rawValue: String(row[column + 1]))
}

@Suite struct `Any two networks` {
    @Test(arguments: Site.allCases, Site.allCases)
    func `reach each other as well as they can, quickly`(one: Site, other: Site) throws {
        let kind = try #require(expectation(one, other))
        for delay in [1, 50, 150] {
            for rejects in [false, true] {
                let world = World(one, other, delay: .milliseconds(delay), rejects: rejects)
                world.dial()
                let message = world.network.run(atMost: .seconds(1)) { !world.bob.messages.isEmpty }
                #expect(message != nil, "no message with \(delay) ms")
                let reached = world.network.run(atMost: .seconds(1)) { world.kinds == [kind, kind] }
                #expect(reached != nil, "\(world.kinds), not \(kind), with \(delay) ms")
                world.network.run(for: .seconds(20))
                #expect(world.kinds == [kind, kind], "later \(world.kinds) with \(delay) ms")
                #expect(world.alice.stray + world.bob.stray == 0)
                #expect(world.alice.spins + world.bob.spins == 0)
            }
        }
    }

    @Test(arguments: Site.allCases, Site.allCases)
    func `do so when every fifth packet is lost`(one: Site, other: Site) throws {
        let kind = try #require(expectation(one, other))
        for seed in 1...20 {
            let world = World(one, other, delay: .milliseconds(50), loss: 20, seed: UInt64(seed))
            world.dial()
            let message = world.network.run(atMost: .seconds(5)) { !world.bob.messages.isEmpty }
            #expect(message != nil, "no message with seed \(seed)")
            let isRelayed = kind == .relayed
            let reached = world.network.run(atMost: .seconds(8)) {
                world.kinds.allSatisfy { $0 != nil && ($0 == .relayed) == isRelayed }
            }
            #expect(reached != nil, "\(world.kinds), not \(kind), with seed \(seed)")
            #expect(world.alice.stray + world.bob.stray == 0)
        }
    }
}
