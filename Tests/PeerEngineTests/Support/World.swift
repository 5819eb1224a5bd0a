// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Traversal
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
    private(set) var disks: [Endpoint: Disk] = [:]
    /// Every change that a disk took, in order.
    private(set) var changes: [Endpoint: [StoreChange]] = [:]
    /// Changes on their way to a disk.
    private var unsaved: [Endpoint: [StoreChange]] = [:]
    private var runs: [Endpoint: Int] = [:]
    private var numbers: [Endpoint: Int] = [:]
    /// How long a disk takes, in milliseconds; 0 is at once.
    var diskDelay: (_ place: Endpoint) -> Int = { _ in 0 }
    /// Disks that are full.
    var full: Set<Endpoint> = []
    var net = SessionNet()
    /// Places that nothing reaches and that reach nothing.
    var cutOff: Set<Endpoint> = []
    /// Everything that ever left a machine.
    private(set) var traffic: [(at: Instant, from: Endpoint, datagram: Datagram)] = []
    private var agenda = Agenda()
    private var alarms: [Endpoint: Instant] = [:]
    private var chance: SplitMix64

    init(seed: UInt64 = 1) { chance = SplitMix64(seed: seed) }

    // MARK: Who is there

    /// Starts a peer, with the disk that its place has or an empty one.
    @discardableResult
    mutating func addPeer(
        _ number: Int, at place: Endpoint? = nil, servers: [Endpoint] = [World.index], plaintext: Bool = false,
        hasIndex: Bool = true, contacts: [Contact] = [], name: String? = nil, seed: UInt64? = nil
    ) -> Endpoint {
        let place = place ?? World.place(number)
        let disk = disks[place] ?? Disk(contacts: contacts)
        disks[place] = disk
        let run = runs[place, default: 0] + 1
        runs[place] = run
        numbers[place] = number
        var machine = ClientMachine(
            ClientConfiguration(
                identity: World.identity(number), address: place, allowsPlaintextPeers: plaintext, saved: disk.saved,
                name: name, hasIndex: hasIndex, random: .seeded(seed ?? UInt64(number) &* 7919 &+ UInt64(run - 1))))
        for server in servers { machine.addIndex("\(server)", at: server, now: now) }
        peers[place] = machine
        events[place, default: []] = events[place] ?? []
        schedule(place)
        return place
    }

    /// A kill -9: what is not on disk is gone, and the other sides hear nothing of it.
    mutating func remove(_ place: Endpoint) {
        peers[place] = nil
        alarms[place] = nil
        unsaved[place] = nil
        for name in net.names(at: place) {
            if let other = net.ends[name]?.other {
                happen(.closed(.pathDied), to: other, after: UInt64.random(in: 100...5000, using: &chance))
            }
            net.ends[name] = nil
        }
    }

    /// Whoever was at a place moves, disk and all.
    mutating func move(_ place: Endpoint, to other: Endpoint) {
        remove(place)
        disks[other] = disks.removeValue(forKey: place)
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

    /// Frames as if a session had brought them, on the first one that is up.
    mutating func inject(_ frames: [[UInt8]], to place: Endpoint) {
        guard let name = net.names(at: place).last(where: { net.ends[$0]?.isUp == true }) else { return }
        net.ends[name]?.backlog += frames
        deliverFrames(to: name)
    }

    /// Hands a session's event to a peer, whatever the network thinks.
    mutating func deliver(_ event: SessionEvent, to place: Endpoint) {
        let wall = wall
        guard let actions = peers[place]?.receive(event, now: now, wall: wall) else { return }
        execute(actions, at: place)
        schedule(place)
    }

    /// Cuts every session of a place; each side notices in its own time.
    mutating func cutSessions(of place: Endpoint) {
        for name in net.names(at: place) { cut(name) }
    }

    private mutating func cut(_ name: SessionNet.EndName) {
        guard let other = net.ends[name]?.other else { return }
        for end in [name, other] {
            net.ends[end]?.other = nil
            happen(.closed(.pathDied), to: end, after: UInt64.random(in: 1...5000, using: &chance))
        }
    }

    mutating func run(for span: Span) {
        let end = now + span
        while let (moment, item) = agenda.popFirst(until: end) {
            now = max(now, moment)
            switch item {
            case .alarm(let place): if alarms[place] == moment { advance(place) }
            case .arrival(let datagram, let destination): arrive(datagram, at: destination)
            case .session(let happening, let name): happened(happening, to: name)
            case .disk(let place, let run): if runs[place] == run { save(place) }
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
            case .send(let datagram), .sendByUDP(let datagram): send(datagram, from: place)
            case .tunnel: break
            case .tell(let event): events[place, default: []].append(event)
            case .commit(let change):
                unsaved[place, default: []].append(change)
                if let run = runs[place], diskDelay(place) > 0 {
                    agenda.add(.disk(place, run: run), at: now + .milliseconds(diskDelay(place)))
                }
            case .session(let command): obey(command, at: place)
            case .transmit(let transmission):
                let datagrams = transmission.datagrams
                let result = system?(place, datagrams) ?? SendResult(taken: datagrams.count)
                for datagram in datagrams.prefix(result.taken) { send(datagram, from: place) }
                let wall = wall
                execute(peers[place]?.transmitted(transmission, result, now: now, wall: wall) ?? [], at: place)
            }
        }
        if diskDelay(place) == 0 { save(place) }
    }

    /// Makes everything that waits durable, if the disk has room.
    private mutating func save(_ place: Endpoint) {
        guard let batch = unsaved[place], !batch.isEmpty, peers[place] != nil else { return }
        let wall = wall
        guard !full.contains(place) else {
            let error = StoreError("The disk is full.", mayPass: true)
            let actions = peers[place]?.commitFailed(error, now: now, wall: wall) ?? []
            for case .tell(let event) in actions { events[place, default: []].append(event) }
            agenda.add(.disk(place, run: runs[place] ?? 0), at: now + .milliseconds(250))
            return
        }
        unsaved[place] = nil
        changes[place, default: []] += batch
        let effects = batch.map { disks[place]?.apply($0) ?? false }
        execute(peers[place]?.committed(effects, now: now, wall: wall) ?? [], at: place)
        schedule(place)
    }

    // MARK: Sessions

    private mutating func obey(_ command: SessionCommand, at place: Endpoint) {
        let run = runs[place] ?? 0
        func name(_ id: SessionID) -> SessionNet.EndName { SessionNet.EndName(place: place, run: run, id: id) }
        switch command {
        case .offer, .punch, .welcome, .networkChanged, .hide: break
        case .dial(let id, let key, let plan):
            let endpoints = plan.candidates.map(\.route.endpoint)
            net.ends[name(id)] = SessionNet.End(lastArrival: now)
            happen(.handshake(key, endpoints), to: name(id), after: delay(place, endpoints.first ?? place))
        case .send(let id, let frames):
            guard let end = net.ends[name(id)], end.isUp else { return }
            for frame in frames { net.sent.append((place, end.other?.place ?? place, frame)) }
            guard let other = end.other else { return }
            // A session is in order without gaps, or it is over.
            guard !cutOff.contains(place), !cutOff.contains(other.place) else { return cut(name(id)) }
            happen(.frames(frames), to: other, after: delay(place, other.place))
        case .consumed(let id, let bytes):
            guard var end = net.ends[name(id)] else { return }
            if bytes > end.unconsumed { net.overdrafts += 1 }
            end.unconsumed = max(0, end.unconsumed - bytes)
            net.ends[name(id)] = end
            happen(.frames([]), to: name(id), after: 0)
        case .probe: break
        case .close(let id, let code):
            guard let end = net.ends.removeValue(forKey: name(id)), let other = end.other else { return }
            happen(.closed(.closedByPeer(code)), to: other, after: delay(place, other.place))
        }
    }

    private mutating func delay(_ from: Endpoint, _ to: Endpoint) -> UInt64 {
        UInt64.random(in: weather(from, to).delay, using: &chance)
    }

    private mutating func happen(_ happening: SessionNet.Happening, to name: SessionNet.EndName, after delay: UInt64) {
        guard let end = net.ends[name] else { return }
        let moment = max(end.lastArrival, now + .milliseconds(Int(delay)))
        net.ends[name]?.lastArrival = moment
        agenda.add(.session(happening, name), at: moment)
    }

    private mutating func happened(_ happening: SessionNet.Happening, to name: SessionNet.EndName) {
        guard let end = net.ends[name] else { return }
        switch happening {
        case .handshake(let key, let endpoints): shakeHands(name, key, endpoints)
        case .up(let key, let endpoint, let binding):
            net.ends[name]?.isUp = true
            deliver(.up(name.id, key: key, at: endpoint, binding: binding), to: name.place)
        case .frames(let frames):
            guard end.isUp else { return }
            net.ends[name]?.backlog += frames
            deliverFrames(to: name)
        case .closed(let reason):
            net.ends[name] = nil
            deliver(.closed(name.id, reason), to: name.place)
        }
    }

    private mutating func deliverFrames(to name: SessionNet.EndName) {
        let frames = net.read(name)
        if !frames.isEmpty { deliver(.frames(name.id, frames), to: name.place) }
    }

    private mutating func shakeHands(_ name: SessionNet.EndName, _ key: PeerKey, _ endpoints: [Endpoint]) {
        let place = endpoints.first { peers[$0] != nil && !cutOff.contains($0) && !cutOff.contains(name.place) }
        guard let place, let number = numbers[place], let dialler = numbers[name.place] else {
            return happen(.closed(.noAnswer), to: name, after: 3000)
        }
        guard World.identity(number).key == key else {
            return happen(.closed(.handshakeFailed("it has another key")), to: name, after: 1)
        }
        net.lastInbound += 2
        let other = SessionNet.EndName(place: place, run: runs[place] ?? 0, id: SessionID(net.lastInbound))
        net.ends[other] = SessionNet.End(other: name, lastArrival: now)
        net.ends[name]?.other = other
        let binding = chance.bytes(32)
        happen(.up(key, at: place, binding: binding), to: name, after: delay(place, name.place))
        let back = delay(name.place, place)
        happen(
            .up(World.identity(dialler).key, at: name.place, binding: binding), to: other,
            after: back + delay(place, name.place))
    }

    private mutating func send(_ datagram: Datagram, from source: Endpoint) {
        traffic.append((now, source, datagram))
        guard !cutOff.contains(source), !cutOff.contains(datagram.endpoint) else { return }
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
        case session(SessionNet.Happening, SessionNet.EndName)
        case disk(Endpoint, run: Int)
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
