// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Testing
import Wire

/// One client's registration, watched from the wire.
@Suite struct IndexLinkTests {
    private let alice = World.place(1)

    @Test func `it proves its address with a cookie and registers what the server saw`() throws {
        var world = World()
        let index = world.startIndex()
        world.addPeer(1)
        world.run(for: .seconds(1))
        let sent = world.traffic.filter { $0.from == alice }
        let requests = try sent.map { try IndexRequest(parsing: $0.datagram.bytes) }
        #expect(requests.count == 2)
        guard case .registration(let first) = requests[0], case .registration(let second) = requests[1] else {
            return #expect(Bool(false))
        }
        #expect(first.signed?.cookie == nil && second.signed?.cookie != nil)
        let record = try PeerRecord(verifying: try #require(second.signed?.record))
        #expect(record.candidates == [Candidate(.reflexive, alice)])
        #expect(record.key.peer == World.peer(1))
        #expect(index.knows(World.peer(1), now: world.now, wall: world.wall))
        #expect(world.isRegistered(alice))
        #expect(world.disks[alice]?.saved.sequence == record.sequence)
    }

    @Test(arguments: 1...8)
    func `keepalives come 16 to 20 seconds apart, and nothing else`(seed: UInt64) {
        var world = World()
        world.startIndex()
        world.addPeer(1, seed: seed)
        world.run(for: .seconds(1))
        let start = world.now
        world.run(for: .seconds(600))
        let moments = world.requestTimes("keepalive", from: alice, since: start)
        let gaps = zip(moments.dropFirst(), moments).map { $0 - $1 }
        #expect((29...38).contains(moments.count))
        #expect(gaps.allSatisfy { (16.0...20.01).contains($0) })
        #expect(Set(gaps.map { Int($0 * 1000) }).count > 10, "they vary, so that peers do not stay together")
        #expect(world.requestTimes("registration", from: alice, since: start).isEmpty)
        #expect(world.statuses(at: alice).count == 1, "and nothing is told while nothing changes")
    }

    /// The server dies at some moment between two keepalives, is away for some time, and comes back with no memory.
    @Test(arguments: (0..<15).map { Double($0) * 1.5 }, [0, 1.2, 3.7, 8, 13, 31])
    func `a restarted server has us back within 25 seconds`(death: Double, absence: Double) {
        var world = World(seed: UInt64(death * 100 + absence))
        world.startIndex()
        world.addPeer(1, seed: UInt64(death * 10 + 1))
        world.run(for: .milliseconds(Int(30_000 + death * 1000)))
        world.removeServer()
        world.run(for: .milliseconds(Int(absence * 1000)))
        let second = world.startIndex(boot: "boot-2")
        let start = world.now
        while world.now.since(start) < .seconds(25), !second.knows(World.peer(1), now: world.now, wall: world.wall) {
            world.run(for: .milliseconds(100))
        }
        #expect(second.knows(World.peer(1), now: world.now, wall: world.wall))
        world.run(for: .seconds(1))
        #expect(world.isRegistered(alice))
    }

    @Test func `it registers anew within the spread it was asked for`() {
        var world = World()
        world.startIndex()
        world.addPeer(1)
        world.run(for: .seconds(5))
        let start = world.now
        world.startIndex(boot: "boot-2")
        world.run(for: .seconds(25))
        let told = world.requestTimes("keepalive", from: alice, since: start)[0]
        let back = world.requestTimes("registration", from: alice, since: start)[0]
        #expect(back >= told && back <= told + 2.01)
        #expect(world.statuses(at: alice).count == 1, "a server that forgot us never was away")
    }

    @Test func `moved to another address, it registers that with a newer record`() throws {
        var world = World()
        let index = world.startIndex()
        world.addPeer(1)
        world.run(for: .seconds(5))
        // A router gives its traffic another source from now on.
        let outside = Endpoint(address: .v4(0xCB00_7107), port: 4000)
        var seen: [UInt64] = []
        world.addServer { datagram, now, wall in
            if case .registration(let request)? = try? IndexRequest(parsing: datagram.bytes),
                let record = try? PeerRecord(verifying: request.signed?.record ?? [])
            {
                seen.append(record.sequence)
                if request.signed?.cookie != nil {
                    #expect(record.candidates == [Candidate(.reflexive, outside)])
                }
            }
            return index.answer(Datagram(datagram.bytes, outside), now, wall)
        }
        world.run(for: .seconds(25))
        #expect(seen.count >= 2 && seen == seen.sorted() && Set(seen).count == seen.count)
        #expect(world.isRegistered(alice))
    }

    @Test func `a server that is gone is told once, whatever the network says, and once that it is back`() {
        for reports in [false, true] {
            var world = World()
            world.reportsUnreachable = reports
            world.startIndex()
            world.addPeer(1)
            world.run(for: .seconds(5))
            world.removeServer()
            world.run(for: .seconds(120))
            let both = " by UDP, and none by TLS: connection refused"
            // What the network says at once comes before what the tunnel's failure adds.
            let reasons = reports ? ["nobody listens there", "nobody listens there" + both] : ["no answer" + both]
            #expect(world.statuses(at: alice).dropFirst() == reasons.map { .unreachable($0) }[...])
            world.startIndex(boot: "boot-2")
            world.run(for: .seconds(70))
            #expect(world.statuses(at: alice).count == 2 + reasons.count && world.isRegistered(alice))
        }
    }

    @Test func `a dead server is asked by the schedule`() {
        var world = World()
        let start = world.now
        world.addPeer(1)
        world.run(for: .seconds(7))
        #expect(world.requestTimes("registration", from: alice, since: start) == [0, 0.5, 1.5, 3.5])
        world.run(for: .seconds(6))
        let next = world.requestTimes("registration", from: alice, since: start)[4]
        #expect((11.5...12.51).contains(next))
    }

    @Test func `a proof that is refused makes it wait instead of spin`() {
        var world = World()
        world.addServer { datagram, _, _ in
            guard case .registration(let request)? = try? IndexRequest(parsing: datagram.bytes) else { return nil }
            return IndexReply.cookie([1, 2, 3], seen: datagram.endpoint).encoded(nonce: request.nonce)
        }
        world.addPeer(1)
        world.run(for: .seconds(20))
        #expect(world.requestTimes("registration", from: alice, since: Instant(nanoseconds: 0)).count <= 10)
        #expect(world.statuses(at: alice) == [.unreachable("it refused our proof of address")])
    }

    @Test func `a refusal's reason is told`() {
        var world = World()
        world.addServer { datagram, _, _ in
            guard case .registration(let request)? = try? IndexRequest(parsing: datagram.bytes) else { return nil }
            return IndexReply.failed(reason: "full").encoded(nonce: request.nonce)
        }
        world.addPeer(1)
        world.run(for: .seconds(2))
        #expect(world.statuses(at: alice) == [.unreachable("it refused our registration (full)")])
    }

    @Test(arguments: [nil, "wrong"])
    func `an answer without our nonce changes nothing`(nonce: String?) {
        var world = World()
        world.addServer { datagram, _, _ in
            IndexReply.failed(reason: "forged").encoded(nonce: nonce)
        }
        world.addPeer(1)
        world.run(for: .seconds(5))
        #expect(world.statuses(at: alice).isEmpty)
    }

    @Test func `two servers never get two records of one sequence`() {
        var world = World()
        world.startIndex()
        let other = IndexProgram(boot: "other", now: world.now)
        world.addServer(at: .loopback(50_009)) { other.answer($0, $1, $2) }
        world.addPeer(1, servers: [World.index, .loopback(50_009)])
        world.run(for: .seconds(2))
        let sequences = world.changes[alice, default: []].compactMap { change -> UInt64? in
            if case .sequence(let sequence) = change { sequence } else { nil }
        }
        #expect(sequences.count == 4 && Set(sequences).count == 4 && sequences == sequences.sorted())
    }

    // MARK: Servers of the seed's kind

    @Test func `at a seed's server it keeps the name that it was given`() {
        var world = World()
        let seed = SeedProgram()
        world.addServer { seed.answer($0, $1, $2) }
        world.addPeer(1)
        world.run(for: .seconds(600))
        #expect(seed.registrations == 1)
        #expect((29...38).contains(seed.queries), "one liveness check per keepalive's time")
        #expect(world.statuses(at: alice).count == 1)
        guard case .noIdentities(let name)? = world.statuses(at: alice).first else { return #expect(Bool(false)) }
        #expect(name.version == 4)
    }

    @Test func `a seed's server that was only silent gets no second registration`() {
        var world = World()
        let seed = SeedProgram()
        world.addServer { seed.answer($0, $1, $2) }
        world.addPeer(1)
        world.run(for: .seconds(5))
        world.removeServer()
        world.run(for: .seconds(90))
        world.addServer { seed.answer($0, $1, $2) }
        world.run(for: .seconds(25))
        #expect(seed.registrations == 1)
        let statuses = world.statuses(at: alice)
        #expect(statuses.count == 3 && statuses.first == statuses.last)
        #expect(statuses.dropFirst().first == .unreachable("no answer"))
    }

    @Test func `a seed's server that forgot us is told within 25 seconds, and once`() {
        var world = World()
        let (first, second) = (SeedProgram(seed: 1), SeedProgram(seed: 2))
        world.addServer { first.answer($0, $1, $2) }
        world.addPeer(1)
        world.run(for: .seconds(50))
        world.addServer { second.answer($0, $1, $2) }
        world.run(for: .seconds(25))
        #expect(second.registrations == 1)
        world.run(for: .seconds(100))
        #expect(second.registrations == 1)
    }

    @Test func `a server of ours in a seed server's place gets our identity`() {
        var world = World()
        let seed = SeedProgram()
        world.addServer { seed.answer($0, $1, $2) }
        world.addPeer(1)
        world.run(for: .seconds(50))
        let index = world.startIndex()
        world.run(for: .seconds(25))
        #expect(index.knows(World.peer(1), now: world.now, wall: world.wall) && world.isRegistered(alice))
    }
}
