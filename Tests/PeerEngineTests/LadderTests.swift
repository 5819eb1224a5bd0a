// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Traversal
import Wire

@testable import PeerEngine

/// How the ways to a peer are told.
@Suite struct LadderTests {
    private static let near = Endpoint(address: .v4(0xC0A8_0107), port: 40_000)
    private static let far = Endpoint(address: .v4(0xCB00_7107), port: 40_000)
    private static let relay = Route.relayed(by: World.index, RelayChannel(7))

    private static func attempt(_ endpoint: Endpoint, _ state: PathAttempt.State) -> PathAttempt {
        PathAttempt(RemoteCandidate(.direct(endpoint), endpoint == near ? .host : .reflexive), state)
    }

    private static func ladder(_ kind: PathKind? = nil, _ attempts: [PathAttempt]) -> Ladder {
        var ladder = Ladder()
        ladder.isTrying = true
        ladder.attempts = attempts
        ladder.report = kind.map { PathReport($0 == .relayed ? relay : .direct(far), $0) }
        return ladder
    }

    private static func step(_ rung: LadderStep.Rung, of ladder: Ladder) throws -> LadderStep {
        try #require(ladder.steps.first { $0.rung == rung })
    }

    @Test func `an address is waited for until it was asked ten times, or another way works`() throws {
        for (kind, count, state) in [
            (nil, 9, LadderStep.State.trying), (nil, 10, .failed), (.relayed, 3, .trying), (.direct, 3, .failed),
            (.punched, 1, .failed),
        ] as [(PathKind?, Int, LadderStep.State)] {
            let step = try Self.step(.lan, of: Self.ladder(kind, [Self.attempt(Self.near, .probing(count))]))
            #expect(step.state == state, "\(step)")
            #expect(step.text.contains("so far") == (state == .trying))
        }
    }

    @Test func `while it is tried once more, what the last try came to holds`() throws {
        var ladder = Self.ladder(nil, [Self.attempt(Self.far, .probing(2)), Self.attempt(Self.near, .waiting)])
        ladder.hasServer = true
        ladder.calls = [("a", .asking), ("b", .told(RelayChannel(3)))]
        ladder.search = .askingAgain("nobody knows it")
        ladder.isRetry = true
        #expect(!ladder.steps.contains { $0.state == .trying })
        #expect(try Self.step(.index, of: ladder) == LadderStep(.index, .failed, "nobody knows it; asked again"))
        ladder.isRetry = false
        #expect(try Self.step(.direct, of: ladder).state == .trying)
        #expect(try Self.step(.relay, of: ladder).state == .trying)
        ladder.attempts = []
        #expect(try Self.step(.lan, of: ladder).state == .trying)
        ladder.isRetry = true
        #expect(try Self.step(.lan, of: ladder).state == .failed)
    }

    @Test func `a peer that tells no address may hide it`() throws {
        let relayed = PathAttempt(RemoteCandidate(Self.relay, .relayed), .answered(roundTrip: .zero, isInUse: true))
        let ladder = Self.ladder(.relayed, [relayed])
        for rung in [LadderStep.Rung.direct, .punch] { #expect(try Self.step(rung, of: ladder).state == .off) }
        #expect(try Self.step(.lan, of: ladder).state == .failed)
        #expect(ladder.whyRelayed == "the other side may hide its address")
        let open = Self.ladder(.relayed, [relayed, Self.attempt(Self.far, .probing(1))])
        #expect(open.whyRelayed == "looking for a direct way")
    }

    @Test func `why it is relayed is a clause that a title has room for`() {
        let silent = (0..<9).map {
            Self.attempt(Endpoint(address: .v4(0xCB00_7200 + $0), port: 1), .failed(10, reason: nil))
        }
        var ladder = Self.ladder(.relayed, silent)
        ladder.rounds = 3
        #expect(ladder.whyRelayed == "none of its 9 addresses answers")
        ladder.reachability.mapping = .destinationDependent
        #expect(ladder.whyRelayed == "your router is strict, and theirs lets nothing in")
        ladder.reachability.udpBlocked = true
        #expect(ladder.whyRelayed.count < 50)
    }

    @Test func `without a relay nobody is told to wait for ever`() throws {
        var world = World()
        world.startRelay(relays: false)
        world.reaches = { _, _ in false }
        func friend(_ number: Int) -> Contact {
            Contact(peer: World.peer(number), name: "p", key: World.identity(number).key.octets, accepted: true)
        }
        world.addPeer(1, contacts: [friend(2)])
        world.addPeer(2, contacts: [friend(1)])
        world.run(for: .seconds(1))
        let alice = World.place(1)
        try world.perform(.explain(World.peer(2)), at: alice)
        try world.perform(.send(to: World.peer(2), text: "hello", tag: nil), at: alice)
        let isTrying = { (steps: [LadderStep]) in steps.contains { $0.state == .trying } }
        world.run(for: .seconds(2))
        #expect(world.ladders(at: alice).contains(where: isTrying))
        world.run(for: .seconds(20))
        let count = world.ladders(at: alice).count
        world.run(for: .seconds(60))
        let late = world.ladders(at: alice).dropFirst(count - 1)
        #expect(!late.contains(where: isTrying))
        #expect(late.last?.first { $0.rung == .relay }?.state == .off)
    }
}
