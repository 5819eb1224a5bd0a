// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Wire

/// Clients and servers on a network that exists only here: the test turns its clock, and its chance comes from a seed.
struct World {
    /// What a network does to datagrams on one way.
    struct Weather {
        var delay: ClosedRange<UInt64> = 1...1  // milliseconds; a wide range reorders
        var loss = 0.0
        var duplication = 0.0
    }

    /// A program of a server: a datagram in, an answer or silence out.
    typealias Server = (Datagram, Instant, WallTime) -> [UInt8]?

    private(set) var now = Instant(nanoseconds: 3_600_000_000_000)
    /// Milliseconds that the wall clock is ahead of the monotonic one.
    private static let epoch: Int64 = 1_795_000_000_000
    var wall: WallTime { WallTime(milliseconds: World.epoch + Int64(now.nanoseconds / 1_000_000)) }

    /// How datagrams travel between two places.
    var weather: (_ from: Endpoint, _ to: Endpoint) -> Weather = { _, _ in Weather() }
    /// What a machine's own system says to datagrams, when it does not simply take them.
    var system: ((_ from: Endpoint, [Datagram]) -> SendResult)?
    /// Whether closed ports are reported, as on one machine.
    var reportsUnreachable = false

    private(set) var peers: [Endpoint: ClientMachine] = [:]
    private var servers: [Endpoint: Server] = [:]
    private(set) var events: [Endpoint: [ClientEvent]] = [:]
    private(set) var saved: [Endpoint: [ClientMachine.Action]] = [:]
    /// Everything that ever left a machine.
    private(set) var traffic: [(at: Instant, from: Endpoint, datagram: Datagram)] = []
    private var agenda = Agenda()
    private var alarms: [Endpoint: Instant] = [:]
    private var chance: SplitMix64

    init(seed: UInt64 = 1) { chance = SplitMix64(seed: seed) }

    // MARK: Who is there

    @discardableResult
    mutating func addPeer(
        _ number: Int, at place: Endpoint? = nil, servers: [Endpoint] = [World.index], plaintext: Bool = false,
        hasIndex: Bool = true, contacts: [Contact] = [], seed: UInt64? = nil
    ) -> Endpoint {
        let place = place ?? World.place(number)
        var machine = ClientMachine(
            ClientConfiguration(
                identity: World.identity(number), address: place, allowsPlaintextPeers: plaintext, contacts: contacts,
                hasIndex: hasIndex, random: .seeded(seed ?? UInt64(number) &* 7919)))
        for server in servers { machine.addIndex("\(server)", at: server, now: now) }
        peers[place] = machine
        events[place] = []
        schedule(place)
        return place
    }

    mutating func remove(_ place: Endpoint) {
        peers[place] = nil
        alarms[place] = nil
    }

    mutating func addServer(at place: Endpoint = World.index, _ server: @escaping Server) { servers[place] = server }
    mutating func removeServer(at place: Endpoint = World.index) { servers[place] = nil }

    static let index = Endpoint.loopback(50_000)
    static func place(_ number: Int) -> Endpoint { Endpoint(address: .v4(0x0A00_0000 + UInt32(number)), port: 50_001) }
    static func identity(_ number: Int) -> Identity {
        Identity(seed: (0..<32).map { UInt8(truncatingIfNeeded: number >> (8 * ($0 % 4))) &+ UInt8($0) }) ?? Identity()
    }
    static func peer(_ number: Int) -> PeerID { identity(number).peer }

    // MARK: What happens

    mutating func perform(_ command: ClientCommand, at place: Endpoint) throws(CommandError) {
        let wall = wall
        guard let actions = try peers[place]?.perform(command, now: now, wall: wall) else { return }
        execute(actions, at: place)
        advance(place)
    }

    mutating func addIndex(_ server: Endpoint, to place: Endpoint) {
        peers[place]?.addIndex("\(server)", at: server, now: now)
        advance(place)
    }

    /// Hands a datagram to a peer as if the network had brought it.
    mutating func deliver(_ event: DatagramEvent, to place: Endpoint) {
        let wall = wall
        guard let actions = peers[place]?.receive(event, now: now, wall: wall) else { return }
        execute(actions, at: place)
        schedule(place)
    }

    mutating func run(for span: Span) {
        let end = now + span
        while let (moment, item) = agenda.popFirst(until: end) {
            now = max(now, moment)
            switch item {
            case .alarm(let place): if alarms[place] == moment { advance(place) }
            case .arrival(let datagram, let destination): arrive(datagram, at: destination)
            }
        }
        now = end
    }

    private mutating func advance(_ place: Endpoint) {
        let wall = wall
        guard let actions = peers[place]?.advance(now: now, wall: wall) else { return }
        execute(actions, at: place)
        schedule(place)
    }

    private mutating func schedule(_ place: Endpoint) {
        guard let deadline = peers[place]?.deadline(now: now), alarms[place] != deadline else { return }
        alarms[place] = deadline
        agenda.add(.alarm(place), at: max(deadline, now))
        if deadline < now { alarms[place] = now }
    }

    private mutating func arrive(_ datagram: Datagram, at destination: Endpoint) {
        if let server = servers[destination] {
            guard let answer = server(datagram, now, wall) else { return }
            send(Datagram(answer, datagram.endpoint), from: destination)
        } else if peers[destination] != nil {
            deliver(.received(datagram), to: destination)
        } else if reportsUnreachable {
            deliver(.unreachable(destination), to: datagram.endpoint)
        }
    }

    private mutating func execute(_ actions: [ClientMachine.Action], at place: Endpoint) {
        for action in actions {
            switch action {
            case .send(let datagram): send(datagram, from: place)
            case .tell(let event): events[place, default: []].append(event)
            case .saveContacts, .saveSequence: saved[place, default: []].append(action)
            case .transmit(let transmission):
                let datagrams = transmission.datagrams
                let result = system?(place, datagrams) ?? SendResult(taken: datagrams.count)
                for datagram in datagrams.prefix(result.taken) { send(datagram, from: place) }
                execute(peers[place]?.transmitted(transmission, result, now: now) ?? [], at: place)
            }
        }
    }

    private mutating func send(_ datagram: Datagram, from source: Endpoint) {
        traffic.append((now, source, datagram))
        let weather = weather(source, datagram.endpoint)
        guard !happens(weather.loss) else { return }
        for _ in 0..<(happens(weather.duplication) ? 2 : 1) {
            let delay = UInt64.random(in: weather.delay, using: &chance)
            agenda.add(
                .arrival(Datagram(datagram.bytes, source), datagram.endpoint), at: now + .milliseconds(Int(delay)))
        }
    }

    private mutating func happens(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &chance) < probability
    }
}

/// What is to happen, by time and then by order of entry: a binary heap.
private struct Agenda {
    enum Item {
        case alarm(Endpoint)
        case arrival(Datagram, Endpoint)
    }

    private var heap: [(at: Instant, serial: UInt64, item: Item)] = []
    private var serial: UInt64 = 0

    mutating func add(_ item: Item, at moment: Instant) {
        serial += 1
        heap.append((moment, serial, item))
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popFirst(until end: Instant) -> (Instant, Item)? {
        guard let first = heap.first, first.at <= end else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            guard least != parent else { return (first.at, first.item) }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].serial) < (heap[right].at, heap[right].serial)
    }
}
