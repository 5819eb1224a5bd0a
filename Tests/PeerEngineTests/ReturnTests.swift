// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Support
import Testing
import Wire

@testable import IndexEngine
@testable import PeerEngine

/// A server that restarts, and the crowd that was registered there, in time that passes only here.
@Suite struct ReturnTests {
    /// Measured with 549 datagrams/s before: all are back in 58.3 s; with the rows of the last run at most 914
    /// datagrams came in one second, without them 950.
    @Test(arguments: [true, false])
    func `ten thousand are back within a minute, at no more than twice the steady rate`(keepsRows: Bool) {
        var crowd = Crowd<LightMember, LightSite>(of: 10_000, seconds: 130)
        crowd.run(until: 50)
        let steady = Double(crowd.tenths[300..<500].reduce(0, +)) / 20
        #expect((500...625).contains(steady), "a keepalive each 16 to 20 s")
        crowd.restartServer(keepsRows: keepsRows, away: 300)
        crowd.run(until: 130)
        #expect(crowd.back == 10_000)
        #expect(crowd.lastBack <= 50 + 60)
        #expect(Double(crowd.peak(after: 50)) <= 2 * steady)
    }

    /// Measured: 632 datagrams a second on average from the sixth minute on, and 2,152 in the busiest one of the
    /// return.
    @Test func `a server that is away for ten minutes is asked ever more rarely`() {
        var crowd = Crowd<LightMember, LightSite>(of: 10_000, seconds: 760)
        crowd.run(until: 50)
        crowd.restartServer(keepsRows: false, away: 600_000)
        crowd.run(until: 650)
        let late = crowd.tenths[4000..<6400].reduce(0, +) / 240
        #expect(late <= 700, "\(late) datagrams a second")
        crowd.run(until: 760)
        #expect(crowd.back == 10_000)
        #expect(crowd.lastBack <= 650 + 70)
        #expect(crowd.peak(after: 400) <= 2500)
    }

    @Test(arguments: [10, 500], [true, false])
    func `few are back soon`(count: Int, keepsRows: Bool) {
        var crowd = Crowd<LightMember, LightSite>(of: count, seconds: 80)
        crowd.run(until: 50)
        crowd.restartServer(keepsRows: keepsRows, away: 300)
        crowd.run(until: 80)
        #expect(crowd.back == count)
        #expect(crowd.lastBack <= 50 + 25)
    }

    /// What lets ten thousand light ones stand for real ones: the same datagrams at the same times.
    @Test(arguments: [true, false])
    func `light members and real ones do the same`(keepsRows: Bool) {
        var real = Crowd<RealMember, RealSite>(of: 200, seconds: 80)
        var light = Crowd<LightMember, LightSite>(of: 200, seconds: 80)
        real.run(until: 50)
        light.run(until: 50)
        // Long enough for some to give their keepalive up.
        real.restartServer(keepsRows: keepsRows, away: 5000)
        light.restartServer(keepsRows: keepsRows, away: 5000)
        real.run(until: 80)
        light.run(until: 80)
        #expect(real.back == 200 && light.back == 200)
        #expect(real.tenths == light.tenths)
        #expect(real.lastBack == light.lastBack)
    }

    /// The server keeps its secret and its rows, so that it knows every token: another machine of a fleet.
    @Test(arguments: ["alive", "moved"])
    func `another boot in an answer is a reason to register anew`(answer: String) throws {
        let place = World.place(1)
        let now = Instant(nanoseconds: 1)
        let wall = WallTime(milliseconds: 1_795_000_000_000)
        var sequence: UInt64 = 0
        var link = IndexLink(
            server: World.index, identity: World.identity(1), address: place, now: now, random: .seeded(1))
        func request(in actions: [IndexLink.Action]) throws -> IndexRequest? {
            for case .send(let bytes) in actions { return try IndexRequest(parsing: bytes) }
            return nil
        }
        func tell(_ reply: IndexReply, nonce: String?, at now: Instant) -> [IndexLink.Action] {
            link.receive(reply, nonce: nonce, now: now, wall: wall, sequence: &sequence)
        }
        guard case .registration(let first)? = try request(in: link.advance(now: now, wall: wall, sequence: &sequence))
        else { return #expect(Bool(false)) }
        let lease = IndexReply.Lease(token: [1, 2], seconds: 7200, boot: "one", seen: place)
        _ = tell(.registered(uuid: World.peer(1), lease: lease), nonce: first.nonce, at: now)
        for boot in ["one", "two"] {
            let due = link.deadline
            let sent = try request(in: link.advance(now: due, wall: wall, sequence: &sequence))
            guard case .keepalive(let keepalive)? = sent else { return #expect(Bool(false), "\(boot)") }
            // The first stays as it was.
            let isFirst = boot == "one"
            let reply: IndexReply =
                isFirst || answer == "alive"
                ? .alive(boot: boot, leaseSeconds: 7200) : .moved(boot: boot, seen: place)
            let next = try request(in: tell(reply, nonce: keepalive.nonce, at: due))
            if isFirst {
                #expect(next == nil)
            } else if case .registration(let again)? = next {
                #expect(again.signed?.peer == World.peer(1))
            } else {
                Issue.record("it was told of boot \(boot) and sent \(String(describing: next))")
            }
        }
    }
}

/// One client of a crowd.
private protocol Member {
    init(_ number: Int, now: Instant)
    /// When `advance` has something to do.
    var deadline: Instant { get }
    /// Does what is due; what is to be sent.
    mutating func advance(now: Instant, wall: WallTime) -> [UInt8]?
    /// Takes an answer; what is to be sent.
    mutating func receive(_ bytes: [UInt8], now: Instant, wall: WallTime) -> [UInt8]?
}

/// The server of a crowd, in one of its runs.
private protocol Site {
    init(boot: UInt8, now: Instant)
    /// Tells what the last run left.
    func restore(_ site: Self, now: Instant, wall: WallTime)
    /// The answer to one datagram of a member, and whether the member is registered by it.
    mutating func answer(
        _ bytes: [UInt8], of number: Int, now: Instant, wall: WallTime
    ) -> (reply: [UInt8], registers: Bool)
}

/// A member as the chat has it.
private struct RealMember: Member {
    private var link: IndexLink
    private var sequence: UInt64 = 0

    init(_ number: Int, now: Instant) {
        link = IndexLink(
            server: World.index, identity: World.identity(number), address: RealSite.place(number), now: now,
            random: .seeded(UInt64(number)))
    }

    var deadline: Instant { link.deadline }

    mutating func advance(now: Instant, wall: WallTime) -> [UInt8]? {
        datagram(link.advance(now: now, wall: wall, sequence: &sequence))
    }

    mutating func receive(_ bytes: [UInt8], now: Instant, wall: WallTime) -> [UInt8]? {
        guard let (reply, nonce) = link.read(bytes) else { return nil }
        return datagram(link.receive(reply, nonce: nonce, now: now, wall: wall, sequence: &sequence))
    }

    private func datagram(_ actions: [IndexLink.Action]) -> [UInt8]? {
        for case .send(let bytes) in actions { return bytes }
        return nil
    }
}

/// An index server of ours.
private struct RealSite: Site {
    private let service: IndexService
    private let machine: IndexMachine
    private var chance = SplitMix64(seed: 0x60)

    init(boot: UInt8, now: Instant) {
        let info = ServerInfo(version: "test", listen: "\(World.index)", boot: "boot-\(boot)")
        service = IndexService(info: info, secret: [UInt8](repeating: boot, count: 32), now: now)
        machine = service.makeMachine()
    }

    /// Neighbours of nobody, so that no limit of a neighbourhood bites.
    static func place(_ number: Int) -> Endpoint {
        Endpoint(address: .v4(0x0A00_0001 + UInt32(number) << 8), port: 50_001)
    }

    func restore(_ site: RealSite, now: Instant, wall: WallTime) {
        let rows = site.service.peers(now: now).compactMap { peer -> LoadedRegistration? in
            guard case .put(let row)? = site.service.change(of: peer, now: now, wall: wall) else { return nil }
            return LoadedRegistration(row, remaining: .seconds(7200))
        }
        service.restore(rows, now: now, wall: wall)
    }

    mutating func answer(
        _ bytes: [UInt8], of number: Int, now: Instant, wall: WallTime
    ) -> (reply: [UInt8], registers: Bool) {
        var reply: [UInt8] = []
        let outcome = machine.handle(
            bytes.span, from: RealSite.place(number), now: now, wall: wall, reply: &reply, using: &chance)
        return (reply, [.new, .renewed, .moved].contains(outcome.event.result))
    }
}

/// A member that has a link's times and chances, and neither keys nor JSON.
private struct LightMember: Member {
    private enum Phase { case pause, registering, registered, checking }

    private(set) var deadline: Instant
    private var phase = Phase.pause
    private var boot: UInt8 = 0
    private var request: [UInt8]?
    private var repeats = 0
    private var failures = 0
    private var random: RandomSource

    init(_ number: Int, now: Instant) {
        deadline = now
        random = .seeded(UInt64(number))
    }

    mutating func advance(now: Instant, wall: WallTime) -> [UInt8]? {
        guard now >= deadline else { return nil }
        if let request {
            repeats += 1
            guard repeats <= (phase == .checking ? Timing.keepaliveRepeats : Timing.retransmission.count - 1) else {
                let doubled = Timing.retry.nanoseconds << UInt64(min(failures, 10))
                wait(.pause, until: now + jittered(Span(nanoseconds: min(doubled, Timing.retryLimit.nanoseconds))))
                failures += 1
                return nil
            }
            deadline = now + Timing.retransmission[repeats]
            return request
        }
        return phase == .pause ? start(.registering, [0], now) : start(.checking, [2, boot], now)
    }

    mutating func receive(_ bytes: [UInt8], now: Instant, wall: WallTime) -> [UInt8]? {
        guard request != nil else { return nil }
        switch (phase, bytes[0]) {
        case (.registering, LightSite.cookie): return start(.registering, [1], now)
        case (.registering, LightSite.registered):
            boot = bytes[1]
            failures = 0
            wait(.registered, until: now + jittered(Timing.keepalive))
        case (.checking, LightSite.alive): wait(.registered, until: now + jittered(Timing.keepalive))
        case (.checking, LightSite.unknown):
            wait(.pause, until: now + .milliseconds(Int.random(in: 0...Int(bytes[1]) * 1000, using: &random)))
        default: break
        }
        return nil
    }

    private mutating func start(_ phase: Phase, _ bytes: [UInt8], _ now: Instant) -> [UInt8] {
        _ = random.octets(8)
        (self.phase, request, repeats) = (phase, bytes, 0)
        deadline = now + Timing.retransmission[0]
        return bytes
    }

    private mutating func wait(_ phase: Phase, until moment: Instant) {
        (self.phase, request, deadline) = (phase, nil, moment)
    }

    private mutating func jittered(_ span: Span) -> Span {
        Span(nanoseconds: span.nanoseconds - UInt64.random(in: 0...span.nanoseconds / 5, using: &random))
    }
}

/// What answers light members: the rule about their return is the real one.
private struct LightSite: Site {
    static let (cookie, registered, alive, unknown): (UInt8, UInt8, UInt8, UInt8) = (0, 1, 2, 3)

    private let boot: UInt8
    private let service: IndexService
    private var rows: Set<Int> = []

    init(boot: UInt8, now: Instant) {
        self.boot = boot
        service = IndexService(
            info: ServerInfo(version: "test", listen: "", boot: "\(boot)"), secret: [boot], now: now)
    }

    func restore(_ site: LightSite, now: Instant, wall: WallTime) {
        let rows = site.rows.map { number in
            StoredRegistration(
                peer: PeerID(high: UInt64(number), low: 1).stamped(version: 8), address: .loopback(1), sequence: 1,
                registered: wall, expires: wall)
        }
        service.restore(rows.map { LoadedRegistration($0, remaining: .seconds(7200)) }, now: now, wall: wall)
    }

    mutating func answer(
        _ bytes: [UInt8], of number: Int, now: Instant, wall: WallTime
    ) -> (reply: [UInt8], registers: Bool) {
        switch bytes[0] {
        case 0: return ([LightSite.cookie], false)
        case 1:
            rows.insert(number)
            return ([LightSite.registered, boot], true)
        default:
            if bytes[1] == boot { return ([LightSite.alive], false) }
            return ([LightSite.unknown, UInt8(clamping: service.spreadSeconds(now: now))], false)
        }
    }
}

/// Members and their server, 20 ms apart. Seconds are counted from the first member's start.
private struct Crowd<Each: Member, Server: Site> {
    private enum Event {
        case wake(Int)
        case atServer(Int, [UInt8])
        case atMember(Int, [UInt8])
    }

    private var members: [Each]
    /// When each has something to do, in milliseconds.
    private var alarms: [Int]
    /// What happens in each millisecond to come.
    private var agenda: [Int: [Event]] = [:]
    private var clock = 0
    private var server: Server
    private var servesFrom = 0
    /// Datagrams that reached the server's machine, for each tenth of a second.
    private(set) var tenths: [Int]
    private var returned: Set<Int> = []
    /// When the last of those that came back since the restart was registered, in seconds.
    private(set) var lastBack = 0.0

    /// Members that start evenly within 20 s.
    /// - Parameter seconds: how long it will go on.
    init(of count: Int, seconds: Int) {
        let start = Crowd.moment(0)
        members = (0..<count).map { Each($0, now: start + .milliseconds(20_000 * $0 / count)) }
        alarms = Array(repeating: -1, count: count)
        tenths = Array(repeating: 0, count: seconds * 10)
        server = Server(boot: 1, now: start)
        for number in 0..<count { setAlarm(number) }
    }

    private static func moment(_ milliseconds: Int) -> Instant {
        Instant(nanoseconds: 3_600_000_000_000) + .milliseconds(milliseconds)
    }
    private var now: Instant { Crowd.moment(clock) }
    private var wall: WallTime { WallTime(milliseconds: 1_795_000_000_000 + Int64(clock)) }

    /// Members that were registered since the restart.
    var back: Int { returned.count }

    /// Another process in the server's place, after so many milliseconds of none.
    mutating func restartServer(keepsRows: Bool, away: Int) {
        let last = server
        servesFrom = clock + away
        server = Server(boot: 2, now: Crowd.moment(servesFrom))
        if keepsRows { server.restore(last, now: Crowd.moment(servesFrom), wall: wall) }
        returned = []
    }

    mutating func run(until second: Int) {
        while clock < second * 1000 {
            for event in agenda.removeValue(forKey: clock) ?? [] { happen(event) }
            clock += 1
        }
    }

    /// The most datagrams within one second after a moment, wherever that second begins.
    func peak(after second: Int) -> Int {
        (second * 10...tenths.count - 10).map { tenths[$0..<$0 + 10].reduce(0, +) }.max() ?? 0
    }

    private mutating func happen(_ event: Event) {
        switch event {
        case .wake(let number):
            guard alarms[number] == clock else { return }
            send(members[number].advance(now: now, wall: wall), number)
        case .atMember(let number, let bytes):
            send(members[number].receive(bytes, now: now, wall: wall), number)
        case .atServer(let number, let bytes):
            tenths[clock / 100] += 1
            guard clock >= servesFrom else { return }
            let (reply, registers) = server.answer(bytes, of: number, now: now, wall: wall)
            if registers, returned.insert(number).inserted { lastBack = Double(clock) / 1000 }
            schedule(.atMember(number, reply), in: 20)
        }
    }

    private mutating func send(_ bytes: [UInt8]?, _ number: Int) {
        if let bytes { schedule(.atServer(number, bytes), in: 20) }
        setAlarm(number)
    }

    private mutating func setAlarm(_ number: Int) {
        let due = members[number].deadline.since(now).nanoseconds
        guard due < 1_000_000_000_000 else { return }
        let wait = max(1, Int(due + 999_999) / 1_000_000)
        guard alarms[number] != clock + wait else { return }
        alarms[number] = clock + wait
        schedule(.wake(number), in: wait)
    }

    private mutating func schedule(_ event: Event, in wait: Int) { agenda[clock + wait, default: []].append(event) }
}
