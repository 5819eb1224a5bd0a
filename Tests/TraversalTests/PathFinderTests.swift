// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Testing
import Traversal
import Wire

/// A finder, its budget and a clock that is turned by hand.
private struct Bench {
    static let own = Endpoint(address: .v4(0xC000_0263), port: 5000)
    var finder: PathFinder
    var budget = ProbeBudget()
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Sent and not answered.
    var pings: [(ping: Ping, at: Instant)] = []

    init(accepted: Route? = nil) {
        finder = PathFinder(own: [Self.own], accepted: accepted, limits: PathLimits(), random: .seeded(3), now: now)
    }

    static func place(_ number: Int) -> Route {
        .direct(Endpoint(address: .v4(0x0808_0000 + UInt32(number)), port: 700))
    }
    static let v6 = Route.direct(Endpoint(address: .v6(0x2001_0DB8_0000_0000, 7), port: 700))
    static let relay = Route.relayed(by: VirtualServer.endpoint, RelayChannel(1))

    mutating func offer(_ route: Route, _ origin: RemoteCandidate.Origin = .reflexive, sequence: UInt64 = 1) {
        finder.offer([RemoteCandidate(route, origin)], sequence: sequence, now: now)
    }

    /// How often the route in use was another one.
    private(set) var changes = 0

    /// The same, with a delay of its own for each probe.
    mutating func run(_ span: Span, delay: (Route) -> Int) {
        let end = now + span
        var answers: [(due: Instant, transaction: ProbeTransaction, route: Route)] = []
        while now < end {
            for ping in finder.duePings(now: now, budget: &budget) {
                guard case .route(let route) = ping.destination else { continue }
                answers.append((now + .milliseconds(delay(route)), ping.transaction, route))
            }
            for answer in answers where answer.due <= now {
                let before = finder.report?.route
                finder.ponged(answer.transaction, from: answer.route, wasUnasked: false, now: now)
                if finder.report?.route != before { changes += 1 }
            }
            answers.removeAll { $0.due <= now }
            now = now + .milliseconds(1)
        }
    }

    /// Turns the clock by so much in steps of a millisecond; routes answer after their round trip.
    mutating func run(_ span: Span, _ trips: [Route: Int] = [:]) {
        let end = now + span
        while now < end {
            for ping in finder.duePings(now: now, budget: &budget) { pings.append((ping, now)) }
            for (ping, at) in pings {
                guard case .route(let route) = ping.destination, let trip = trips[route],
                    now.since(at) >= .milliseconds(trip)
                else { continue }
                finder.ponged(ping.transaction, from: route, wasUnasked: false, now: now)
            }
            pings.removeAll { item in
                guard case .route(let route) = item.ping.destination, let trip = trips[route] else { return false }
                return now.since(item.at) >= .milliseconds(trip)
            }
            now = now + .milliseconds(1)
        }
    }

    func count(_ route: Route) -> Int { pings.count { $0.ping.destination == .route(route) } }
}

@Suite struct `A path finder` {
    @Test func `tries candidates in their order, staggered, ten times each`() {
        var bench = Bench()
        bench.finder.offer(
            [
                RemoteCandidate(Bench.place(1), .reflexive), RemoteCandidate(Bench.place(2), .mapped),
                RemoteCandidate(Bench.v6, .reflexive), RemoteCandidate(Bench.place(3), .last),
                RemoteCandidate(Bench.v6.other, .host),
            ], sequence: 1, now: bench.now)
        let start = bench.now
        bench.run(.seconds(6))
        var firsts: [(Route, Int)] = []
        for (ping, at) in bench.pings {
            guard case .route(let route) = ping.destination, !firsts.contains(where: { $0.0 == route }) else {
                continue
            }
            firsts.append((route, Int(at.since(start).milliseconds)))
        }
        #expect(firsts.map(\.0) == [Bench.place(3), Bench.v6.other, Bench.place(2), Bench.v6, Bench.place(1)])
        #expect(firsts.map(\.1) == [0, 50, 100, 150, 200])
        #expect(bench.count(Bench.place(1)) == 10)
        let moments = bench.pings.filter { $0.ping.destination == .route(Bench.place(3)) }
            .map { Int($0.at.since(start).milliseconds) }
        #expect(moments == [0, 100, 200, 400, 700, 1000, 1400, 1900, 2500, 3200])
        #expect(bench.finder.deadline == nil)
        #expect(bench.finder.routes.isEmpty && bench.finder.report == nil)
    }

    @Test func `has four relays, and those that brought nothing make room for others`() {
        func relay(_ number: UInt64) -> Route {
            .relayed(by: Endpoint(address: .v4(0x0808_0000), port: UInt16(number)), RelayChannel(number))
        }
        var bench = Bench()
        for number in 1...4 as ClosedRange<UInt64> { bench.offer(relay(number), .relayed) }
        bench.run(.seconds(1), [relay(2): 30, relay(3): 90])
        bench.offer(relay(5), .relayed)
        #expect(bench.count(relay(5)) == 0, "all are being tried")
        bench.run(.seconds(9), [relay(2): 30, relay(3): 90])
        for number in 6...9 as ClosedRange<UInt64> { bench.offer(relay(number), .relayed) }
        bench.run(.seconds(1), [relay(2): 30, relay(3): 90])
        #expect(bench.finder.routes == [relay(2)])
        let tried = (1...9 as ClosedRange<UInt64>).filter { number in
            bench.finder.attempts.contains {
                $0.candidate.route == relay(number) && $0.state != .skipped("there are enough relays already")
            }
        }
        #expect(tried == [2, 3, 6, 7])
    }

    @Test func `uses a relay at once and until there is a direct route, and wakes for nothing then`() {
        var bench = Bench()
        bench.offer(Bench.relay, .relayed)
        bench.offer(Bench.place(1))
        #expect(bench.finder.routes == [Bench.relay])
        bench.run(.seconds(10), [Bench.relay: 30])
        #expect(bench.finder.report == PathReport(Bench.relay, .relayed, roundTrip: .milliseconds(30)))
        #expect(bench.finder.deadline == nil)
        bench.offer(Bench.place(2))
        bench.run(.seconds(1), [Bench.relay: 30, Bench.place(2): 90])
        #expect(bench.finder.routes == [Bench.place(2)])
    }

    @Test func `gives IPv6 three milliseconds, and changes for five and a fifth only`() {
        func choice(_ first: (Route, Int), _ second: (Route, Int)) -> Route? {
            var bench = Bench()
            bench.offer(first.0)
            bench.run(.seconds(1), [first.0: first.1])
            bench.offer(second.0)
            bench.run(.seconds(1), [first.0: first.1, second.0: second.1])
            return bench.finder.report?.route
        }
        let (one, two) = (Bench.place(1), Bench.place(2))
        #expect(choice((one, 20), (two, 16)) == one)
        #expect(choice((one, 20), (two, 15)) == two)
        #expect(choice((one, 100), (two, 90)) == one)
        #expect(choice((one, 100), (two, 78)) == two)
        #expect(choice((one, 20), (Bench.v6, 17)) == Bench.v6)
        #expect(choice((Bench.v6, 20), (one, 15)) == Bench.v6)
    }

    /// What is quick both ways differs by much of little, what is slow by little of much: neither is worth a change.
    @Test(arguments: [8...12, 100...112])
    func `stays where it is when two ways are as good, whatever their delays do`(trips: ClosedRange<Int>) {
        for seed in 1...100 as ClosedRange<UInt64> {
            var (bench, chance) = (Bench(), RandomSource.seeded(seed))
            bench.offer(Bench.place(1))
            bench.offer(Bench.place(2))
            bench.run(.seconds(2)) { _ in Int.random(in: trips, using: &chance) }
            #expect(bench.changes == 1, "\(seed): from none to one")
        }
    }

    @Test func `follows no packet, but what answers`() {
        var bench = Bench(accepted: Bench.place(1))
        bench.run(.seconds(2), [Bench.place(1): 20])
        bench.finder.heard(from: Bench.place(2), now: bench.now)
        bench.run(.seconds(3), [Bench.place(1): 20])
        #expect(bench.finder.routes == [Bench.place(1)])
        #expect(bench.count(Bench.place(2)) > 0)
    }

    @Test func `takes an answer from elsewhere for one more way to try, however often it comes`() throws {
        var bench = Bench()
        bench.offer(Bench.place(1))
        bench.run(.milliseconds(50))
        let transaction = try #require(bench.pings.first).ping.transaction
        for number in 2...9 {
            bench.finder.ponged(transaction, from: Bench.place(number), wasUnasked: false, now: bench.now)
            bench.run(.milliseconds(10))
        }
        let others = bench.finder.attempts.map(\.candidate).filter { $0.origin == .observed }
        #expect(others == [RemoteCandidate(Bench.place(2), .observed)])
        #expect(bench.count(Bench.place(2)) > 0 && bench.finder.routes.isEmpty)
        bench.finder.ponged(transaction, from: Bench.place(1), wasUnasked: false, now: bench.now)
        #expect(bench.finder.routes == [Bench.place(1)])
    }

    @Test func `takes an answer to a search for a place to ask, and for no more after five seconds`() throws {
        var bench = Bench()
        bench.finder.searchLAN(now: bench.now)
        bench.run(.milliseconds(2))
        let search = try #require(bench.pings.first).ping
        #expect(search.destination == .lan)
        func answers(from number: Int) {
            bench.finder.ponged(search.transaction, from: Bench.place(number), wasUnasked: false, now: bench.now)
        }
        for number in 1...40 { answers(from: number) }
        #expect(bench.finder.routes.isEmpty && bench.finder.attempts.count == 4)
        bench.run(.milliseconds(20), [Bench.place(1): 5])
        #expect(bench.finder.report == PathReport(Bench.place(1), .lan, roundTrip: .milliseconds(5)))
        // Once those who did not answer are given up, others may try.
        bench.run(.milliseconds(4500), [Bench.place(1): 5])
        answers(from: 41)
        bench.run(.milliseconds(400), [Bench.place(1): 5])
        #expect(bench.count(Bench.place(41)) > 0)
        bench.run(.milliseconds(100), [Bench.place(1): 5])
        answers(from: 42)
        bench.run(.seconds(5), [Bench.place(1): 5, Bench.place(42): 1])
        #expect(!bench.finder.hasProven(Bench.place(42).endpoint) && bench.count(Bench.place(42)) == 0)
        #expect(bench.finder.routes == [Bench.place(1)] && bench.finder.attempts.count <= 5)
    }

    @Test func `stays bounded under a flood, and keeps what answered`() throws {
        var bench = Bench(accepted: Bench.place(1))
        bench.offer(Bench.place(2))
        bench.run(.seconds(2), [Bench.place(1): 20, Bench.place(2): 22])
        for number in 100..<5100 {
            bench.finder.heard(from: Bench.place(number), now: bench.now)
            _ = bench.finder.pinged(from: Bench.place(number + 10_000), now: bench.now)
            _ = bench.finder.pinged(
                from: .relayed(by: VirtualServer.endpoint, RelayChannel(UInt64(number))), now: bench.now)
            bench.run(.milliseconds(2), [Bench.place(1): 20, Bench.place(2): 22])
            guard number % 100 == 0 else { continue }
            try #require(bench.finder.attempts.count <= 8 + 2 * 4 + 4)
        }
        #expect(bench.finder.report?.route == Bench.place(1))
        #expect(bench.finder.attempts.contains { $0.candidate.route == Bench.place(2) })
        #expect(bench.pings.count < 1000)
    }

    @Test func `knows an open address by what came from it unasked`() {
        var bench = Bench()
        let (open, asked) = (Bench.place(1), Bench.place(2))
        let isOpen = bench.finder.pinged(from: open, now: bench.now)
        let isOpenToo = bench.finder.pinged(from: asked, wasAsked: true, now: bench.now)
        #expect(isOpen && !isOpenToo)
    }

    @Test func `names routes by how they were opened`() {
        func kind(_ route: Route, _ origin: RemoteCandidate.Origin, isOpen: Bool = false) -> PathKind? {
            var bench = Bench()
            if isOpen { _ = bench.finder.pinged(from: route, now: bench.now) }
            bench.offer(route, origin)
            bench.run(.seconds(1), [route: 5])
            return bench.finder.report?.kind
        }
        #expect(kind(Bench.place(1), .reflexive) == .punched)
        #expect(kind(Bench.place(1), .mapped) == .direct)
        #expect(kind(Bench.place(1), .observed, isOpen: true) == .direct)
        #expect(kind(.direct(Endpoint(address: .v4(0xC0A8_0007), port: 9)), .host) == .lan)
        #expect(kind(.direct(.loopback(9)), .reflexive) == .lan)
        #expect(kind(Bench.relay, .relayed) == .relayed)
    }

    @Test func `probes neither itself nor what is no place`() {
        var bench = Bench()
        let multicast = Endpoint(address: .v4(0xEF00_0001), port: 9)
        for endpoint in [Bench.own, multicast, Endpoint(address: .v4(0x0808_0808), port: 0)] {
            bench.offer(.direct(endpoint), .host)
        }
        bench.run(.seconds(5))
        #expect(bench.pings.isEmpty && bench.finder.attempts.count == 3)
        #expect(bench.finder.attempts.allSatisfy { if case .skipped = $0.state { true } else { false } })
    }

    @Test func `probes three times more at agreed moments, at most`() {
        var bench = Bench()
        bench.offer(Bench.place(1))
        bench.run(.seconds(5))
        for _ in 0..<6 {
            bench.finder.punch(at: bench.now + .milliseconds(100), now: bench.now)
            bench.run(.seconds(5))
        }
        #expect(bench.count(Bench.place(1)) == 40)
    }

    @Test func `grants more rounds for a new candidate, but once a minute`() {
        var bench = Bench()
        func count(of number: Int) -> Int {
            bench.offer(Bench.place(number))
            bench.run(.seconds(5))
            for _ in 0..<3 {
                bench.finder.punch(at: bench.now, now: bench.now)
                bench.run(.seconds(4))
            }
            return bench.count(Bench.place(number))
        }
        #expect((1...4).map { count(of: $0) } == [40, 40, 10, 10])
        #expect(bench.count(Bench.place(1)) == 40, "the rounds of others bring it no more")
        bench.run(.seconds(20))
        #expect(count(of: 5) == 40)
    }

    /// Whoever may tell candidates could name each port of somebody else's.
    @Test func `bothers a machine that never answers with 160 probes a minute, whatever is named and asked for`() {
        var bench = Bench(accepted: Bench.relay)
        func victim(_ port: Int) -> Route {
            .direct(Endpoint(address: .v4(0x0909_0909), port: UInt16(port)))
        }
        for second in 0..<60 {
            for port in 1...8 { bench.offer(victim(8 * second + port), .reflexive, sequence: 0) }
            bench.finder.punch(at: bench.now, now: bench.now)
            bench.run(.seconds(1), [Bench.relay: 30])
        }
        let count = bench.pings.count { if case .route(.direct) = $0.ping.destination { true } else { false } }
        #expect((80...160).contains(count))
    }

    @Test func `has one channel at a relay, the newest, and at most the one in use besides`() throws {
        var bench = Bench()
        func channel(_ number: Int) -> Route {
            .relayed(by: VirtualServer.endpoint, RelayChannel(UInt64(number)))
        }
        for number in 1...9 {
            bench.offer(channel(number), .relayed)
            #expect(bench.finder.attempts.count <= 2)
            // The relay was started anew: of its channels only the newest leads anywhere.
            bench.finder.awaits(since: number == 1 ? nil : bench.now, now: bench.now)
            bench.run(.seconds(1), [channel(number): 30])
            bench.finder.awaits(since: nil, now: bench.now)
            bench.run(.seconds(3), [channel(number): 30])
            try #require(bench.finder.routes == [channel(number)])
        }
    }

    @Test func `lets no relay keep another one out, and takes four`() {
        var bench = Bench()
        for number in 1...9 {
            bench.offer(.relayed(by: VirtualServer.endpoint, RelayChannel(UInt64(number))), .relayed)
        }
        let others = (1...4).map {
            Route.relayed(by: Endpoint(address: .v4(0x0808_0000 + UInt32($0)), port: 50_000), RelayChannel(77))
        }
        for other in others { bench.offer(other, .relayed) }
        let skipped = bench.finder.attempts.filter { if case .skipped = $0.state { true } else { false } }
        #expect(skipped.map(\.candidate.route) == [others[3]])
    }

    @Test func `doubts a neighbour that the network denies, and no stranger`() {
        let neighbour = Route.direct(Endpoint(address: .v4(0xC0A8_0007), port: 9))
        for route in [neighbour, Bench.place(1)] {
            var bench = Bench()
            bench.offer(route, .host)
            bench.offer(Bench.relay, .relayed)
            bench.run(.seconds(2), [route: 5, Bench.relay: 5])
            bench.finder.unreachable(route.endpoint, now: bench.now)
            #expect(bench.finder.routes == (route == neighbour ? [route, Bench.relay] : [route]))
        }
    }

    @Test func `leaves what answers probes and loses packets, for a while`() {
        let trips = [Bench.place(1): 5, Bench.relay: 30]
        var bench = Bench()
        bench.offer(Bench.place(1))
        bench.offer(Bench.relay, .relayed)
        bench.run(.seconds(2), trips)
        #expect(bench.finder.routes == [Bench.place(1)])
        bench.finder.awaits(since: bench.now, now: bench.now)
        bench.run(.milliseconds(2500), trips)
        #expect(bench.finder.routes == [Bench.relay])
        bench.finder.awaits(since: nil, now: bench.now)
        bench.run(.seconds(20), trips)
        #expect(bench.finder.routes == [Bench.relay])
        bench.run(.seconds(20), trips)
        #expect(bench.finder.routes == [Bench.place(1)])
    }

    @Test func `holds what was lost while a route was dead against nobody once it is back`() {
        let trips = [Bench.place(1): 5, Bench.relay: 30]
        var bench = Bench()
        bench.offer(Bench.place(1))
        bench.offer(Bench.relay, .relayed)
        bench.run(.seconds(2), trips)
        bench.finder.awaits(since: bench.now, now: bench.now)
        bench.run(.seconds(3))
        #expect(bench.finder.report == nil)
        bench.pings = []
        bench.run(.milliseconds(700), trips)
        #expect(bench.finder.routes == [Bench.place(1)])
        // What is still due after two seconds more is another matter.
        bench.run(.milliseconds(2000), trips)
        #expect(bench.finder.routes == [Bench.relay])
    }

    @Test func `doubts while an acknowledgement is due, and gives up when nothing answers`() {
        var bench = Bench()
        bench.offer(Bench.place(1))
        bench.offer(Bench.relay, .relayed)
        bench.run(.seconds(2), [Bench.place(1): 5, Bench.relay: 30])
        bench.finder.awaits(since: bench.now, now: bench.now)
        bench.run(.milliseconds(790))
        #expect(bench.finder.routes == [Bench.place(1)])
        bench.run(.milliseconds(20))
        #expect(bench.finder.routes == [Bench.place(1), Bench.relay] && bench.finder.report != nil)
        bench.run(.seconds(2))
        #expect(bench.finder.report == nil && bench.finder.routes.count == 2)
        bench.run(.milliseconds(600), [Bench.relay: 30])
        #expect(bench.finder.report?.route == Bench.relay && bench.finder.routes == [Bench.relay])
    }

    @Test func `turns to a relay when its own address is taken from it`() {
        var bench = Bench()
        bench.offer(Bench.place(1))
        bench.offer(Bench.relay, .relayed)
        bench.run(.seconds(2), [Bench.place(1): 5, Bench.relay: 30])
        bench.finder.networkChanged(own: [Bench.place(1).endpoint], now: bench.now)
        #expect(bench.finder.routes.first == Bench.relay)
    }

    @Test func `keeps a quiet direct route open`() {
        var bench = Bench()
        bench.offer(Bench.place(1))
        bench.run(.seconds(5), [Bench.place(1): 5])
        let start = bench.now
        bench.run(.seconds(60))
        #expect(bench.pings.first.map { $0.at.since(start) <= .seconds(15) } == true)
    }

    @Test func `grants an address ten probes a record, and ten in any minute whatever names it`() {
        var budget = ProbeBudget()
        let place = Endpoint(address: .v4(1 << 24), port: 1)
        func taken(_ sequence: UInt64?, after seconds: Int) -> Int {
            let now = Instant(nanoseconds: 5) + .seconds(seconds)
            return (0..<20).count { _ in budget.take(place, sequence: sequence, now: now) }
        }
        #expect(taken(1, after: 0) == 10)
        #expect(taken(2, after: 59) == 0 && taken(0, after: 59) == 0, "another record, or none, is no way around")
        #expect(taken(nil, after: 59) == 10 && taken(nil, after: 60) == 0, "what showed itself is asked all the same")
        #expect(taken(1, after: 60) == 0, "a record grants no more than once")
        #expect(taken(2, after: 60) == 10)
        #expect(taken(0, after: 119) == 0)
        #expect(taken(0, after: 120) == 10 && taken(0, after: 180) == 10)
    }

    @Test func `grants all ports of one machine 80 probes a minute, until one answers, and punches apart`() {
        var budget = ProbeBudget()
        let now = Instant(nanoseconds: 5)
        func taken(_ address: Endpoint.Address, _ take: (inout ProbeBudget, Endpoint) -> Bool) -> Int {
            (1...500).count { take(&budget, Endpoint(address: address, port: $0)) }
        }
        let (victim, other) = (Endpoint.Address.v4(0x0909_0909), Endpoint.Address.v4(0x0909_090A))
        #expect(taken(victim) { $0.take($1, sequence: 0, now: now) } == 80)
        #expect(taken(victim) { $0.take($1, sequence: 7, now: now) } == 0)
        #expect(taken(victim) { $0.takePunch($1, now: now) } == 80)
        #expect(taken(victim) { $0.takeWelcome($1, sequence: 7, now: now) } == 80)
        #expect(taken(other) { $0.take($1, sequence: 0, now: now) } == 80)
        #expect(taken(.v4(0x7F00_0001)) { $0.take($1, sequence: 0, now: now) } == 500, "our own machine")
        let one = Endpoint(address: other, port: 600)
        #expect((1...99).count { _ in budget.takePunch(one, now: now) } == 30)
        budget.answered(Endpoint(address: victim, port: 1))
        #expect(taken(victim) { $0.take($1, sequence: 0, now: now) } == 81, "the one that answered costs nothing")
        #expect(taken(other) { $0.take($1, sequence: 0, now: now + .seconds(60)) } == 80)
    }

    @Test func `forgets budgets in the order of their coming`() {
        var budget = ProbeBudget()
        let now = Instant(nanoseconds: 5)
        let first = Endpoint(address: .v4(1 << 24), port: 1)
        let taken = (0..<11).map { _ in budget.take(first, sequence: 1, now: now) }
        #expect(taken == Array(repeating: true, count: 10) + [false])
        for number in 0..<20_000 {
            let place = Endpoint(address: .v4(0x0800_0000 + UInt32(number)), port: 1)
            _ = budget.take(place, sequence: 1, now: now)
            budget.answered(place)
        }
        #expect(budget.count <= 3 * ProbeBudget.limit)
        budget.answered(first)
        let known = (0..<100).map { _ in budget.take(first, sequence: 1, now: now) }
        #expect(known == Array(repeating: true, count: 100))
    }
}

extension Route {
    /// Another port there.
    fileprivate var other: Route { .direct(Endpoint(address: endpoint.address, port: endpoint.port &+ 1)) }
}
