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
    /// Whether packets get from one place to the other without a relay.
    var reaches: (_ from: Endpoint, _ to: Endpoint) -> Bool = { _, _ in true }
    /// Places on one network, where a search finds the others.
    var lan: Set<Endpoint> = []
    /// Servers that pass on, by their addresses.
    private(set) var relays: [Endpoint: RelayServer] = [:]
    /// Between which two of its sessions a peer passes on, by its place.
    private(set) var passages: [Endpoint: [RelayChannel: [SessionNet.EndName]]] = [:]
    /// What each machine wanted done with sessions.
    private(set) var commands: [Endpoint: [SessionCommand]] = [:]
    /// Whom each place was told to let in, and from where.
    private(set) var welcomes: [Endpoint: [(peer: PeerID, at: [Endpoint])]] = [:]
    /// What a server says to a tunnel; `nil` for silence.
    var tunnel: (_ server: Endpoint) -> TunnelEvent? = { .closed($0, reason: "connection refused") }
    /// Servers to which a place has a tunnel, by which its datagrams come from another address.
    private var tunnels: [Endpoint: [Endpoint: Endpoint]] = [:]
    /// Places whose UDP leads nowhere.
    var withoutUDP: Set<Endpoint> = []
    private var agenda = Agenda()
    private var alarms: [Endpoint: Instant] = [:]
    private var chance: SplitMix64

    init(seed: UInt64 = 1) { chance = SplitMix64(seed: seed) }

    // MARK: Who is there

    /// Starts a peer, with the disk that its place has or an empty one.
    @discardableResult
    mutating func addPeer(
        _ number: Int, at place: Endpoint? = nil, servers: [Endpoint] = [World.index], plaintext: Bool = false,
        hasIndex: Bool = true, relayOnly: Bool = false, contacts: [Contact] = [], name: String? = nil,
        seed: UInt64? = nil
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
                name: name, hasIndex: hasIndex, relayOnly: relayOnly,
                random: .seeded(seed ?? UInt64(number) &* 7919 &+ UInt64(run - 1))))
        for (place, server) in servers.enumerated() {
            machine.addIndex("\(server)", at: server, place: place, now: now)
        }
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

    /// - Parameter rank: its place among those that the user named; `nil` for one that an invite named.
    mutating func addIndex(
        _ server: Endpoint, named name: String? = nil, key: PeerKey? = nil, rank: Int? = 100, to place: Endpoint
    ) {
        peers[place]?.addIndex(name ?? "\(server)", at: server, key: key, place: rank, now: now)
        advance(place)
    }

    /// Hands a datagram to a peer as if the network had brought it.
    mutating func deliver(_ event: DatagramEvent, to place: Endpoint) {
        let wall = wall
        guard let actions = peers[place]?.receive(event, now: now, wall: wall) else { return }
        execute(actions, at: place)
        schedule(place)
    }

    /// Frames as if a session had brought them, on the last one that is up, or the last with somebody.
    mutating func inject(_ frames: [[UInt8]], to place: Endpoint, from other: Endpoint? = nil) {
        let name = net.names(at: place).last { name in
            net.ends[name].map { $0.isUp && (other == nil || $0.other?.place == other) } ?? false
        }
        guard let name else { return }
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
            case .alarm(let place):
                guard alarms[place] == moment else { continue }
                alarms[place] = nil
                advance(place)
            case .arrival(let datagram, let destination): arrive(datagram, at: destination)
            case .tunnel(let place, let event): deliver(event, to: place)
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
        if let relay = relays[destination] {
            for answer in relay.take(datagram, at: destination, wall: wall) { leave(answer, from: destination) }
        } else if let server = servers[destination] {
            guard let answer = server(datagram, now, wall) else { return }
            leave(Datagram(answer, datagram.endpoint), from: destination)
        } else if peers[destination] != nil {
            deliver(.received(datagram), to: destination)
        } else if reportsUnreachable {
            deliver(.unreachable(destination), to: datagram.endpoint)
        }
    }

    private mutating func execute(_ actions: [ClientMachine.Action], at place: Endpoint) {
        for action in actions {
            switch action {
            case .send(let datagram):
                if let outside = tunnels[place]?[datagram.endpoint] {
                    traffic.append((now, place, datagram))
                    pass(datagram, from: outside)
                } else {
                    send(datagram, from: place)
                }
            case .sendByUDP(let datagram): send(datagram, from: place)
            case .tunnel(let command): dig(command, at: place)
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

    // MARK: Networks

    /// A server that passes on, and knows calls.
    @discardableResult
    mutating func startRelay(
        at place: Endpoint = World.index, boot: String = "boot-1", relays: Bool = true, second: UInt16? = nil
    ) -> RelayServer {
        let server = RelayServer(boot: boot, relays: relays, second: second)
        self.relays[place] = server
        if let second { self.relays[Endpoint(address: place.address, port: second)] = server }
        return server
    }

    /// The process is gone, and with it everything that went through it.
    mutating func stopRelay(at place: Endpoint = World.index) {
        relays[place] = nil
        rethinkRoutes()
    }

    mutating func deliver(_ event: NetworkEvent, to place: Endpoint) {
        let wall = wall
        guard let actions = peers[place]?.receive(event, now: now, wall: wall) else { return }
        execute(actions, at: place)
        advance(place)
    }

    private mutating func deliver(_ event: TunnelEvent, to place: Endpoint) {
        let wall = wall
        if case .closed(let server, _) = event { tunnels[place]?[server] = nil }
        guard let actions = peers[place]?.receive(event, now: now, wall: wall) else { return }
        execute(actions, at: place)
        advance(place)
    }

    /// The connection of a tunnel breaks.
    mutating func cutTunnel(of place: Endpoint, to server: Endpoint = World.index) {
        guard tunnels[place]?[server] != nil else { return }
        deliver(.closed(server, reason: "connection reset"), to: place)
    }

    func hasTunnel(_ place: Endpoint, to server: Endpoint = World.index) -> Bool { tunnels[place]?[server] != nil }

    private mutating func dig(_ command: TunnelCommand, at place: Endpoint) {
        switch command {
        case .open(let server, _):
            guard let event = tunnel(server) else { return }
            if case .opened = event {
                tunnels[place, default: [:]][server] = World.discard(UInt64(numbers[place] ?? 0))
            }
            agenda.add(.tunnel(place, event), at: now + .milliseconds(100))
        case .close(let server): tunnels[place]?[server] = nil
        }
    }

    /// By which a server knows whoever comes through a tunnel.
    static func discard(_ number: UInt64) -> Endpoint {
        Endpoint(address: .v6(0x0100_0000_0000_0000, number), port: 1)
    }

    /// A datagram of a server's: to the peer, or into its tunnel.
    private mutating func leave(_ datagram: Datagram, from server: Endpoint) {
        for (place, its) in tunnels where its[server] == datagram.endpoint {
            traffic.append((now, server, datagram))
            agenda.add(.arrival(Datagram(datagram.bytes, server), place), at: now + .milliseconds(1))
            return
        }
        guard !withoutUDP.contains(datagram.endpoint) else { return }
        send(datagram, from: server)
    }

    private func neighbours(of place: Endpoint) -> [Route] {
        lan.contains(place) ? lan.filter { $0 != place }.sorted { $0.port < $1.port }.map { .direct($0) } : []
    }

    /// Who is at the other end of a route, if packets get there.
    private func destination(of route: Route, from place: Endpoint) -> Endpoint? {
        guard !cutOff.contains(place) else { return nil }
        switch route {
        case .direct(let other):
            guard peers[other] != nil, !cutOff.contains(other), !withoutUDP.contains(place),
                !withoutUDP.contains(other), reaches(place, other) || lan.contains(place) && lan.contains(other)
            else { return nil }
            return other
        case .relayed(let server, let channel) where peers[server] != nil:
            return passage(channel, at: server, from: place)
        case .relayed(let server, let channel):
            guard let outside = relays[server]?.other(than: outer(place, server), in: channel) else { return nil }
            let other = peers.keys.first { outer($0, server) == outside }
            return other.flatMap { cutOff.contains($0) || !talks(place, server) || !talks($0, server) ? nil : $0 }
        }
    }

    /// Who is at the other end of a channel of a peer's, while it has direct sessions with both.
    private func passage(_ channel: RelayChannel, at peer: Endpoint, from place: Endpoint) -> Endpoint? {
        let ends = passages[peer]?[channel]?.compactMap { net.ends[$0] } ?? []
        let places = ends.compactMap { end in
            end.route.flatMap { destination(of: $0, from: peer) }.flatMap { $0 == end.other?.place ? $0 : nil }
        }
        guard places.count == 2, places.contains(place), destination(of: .direct(peer), from: place) != nil else {
            return nil
        }
        return places.first { $0 != place }
    }

    private func talks(_ place: Endpoint, _ server: Endpoint) -> Bool {
        !withoutUDP.contains(place) || tunnels[place]?[server] != nil
    }

    /// As which a server knows a place.
    private func outer(_ place: Endpoint, _ server: Endpoint) -> Endpoint { tunnels[place]?[server] ?? place }

    // MARK: Routes

    private mutating func offer(_ routes: [Route], to name: SessionNet.EndName) {
        guard let end = net.ends[name] else { return }
        if end.dialled != nil, end.other == nil {
            return happen(.handshake(routes), to: name, after: delay(name.place, routes.first?.endpoint ?? name.place))
        }
        net.ends[name]?.routes += routes
        guard end.isUp else { return }
        for route in routes { choose(route, for: name) }
    }

    /// A way that works takes the place of none, and a direct one that of a relay; both ends see it.
    private mutating func choose(_ route: Route, for name: SessionNet.EndName) {
        guard let end = net.ends[name], let other = end.other, destination(of: route, from: name.place) == other.place,
            end.route == nil || end.route?.isRelayed == true && !route.isRelayed
        else { return }
        for (each, its) in [(name, route), (other, route.isRelayed ? route : .direct(name.place))]
        where net.ends[each]?.isUp == true {
            net.ends[each]?.route = its
            deliver(.path(each.id, PathReport(its, World.kind(of: its))), to: each.place)
        }
    }

    /// Says so to every session whose way leads nowhere any more.
    mutating func rethinkRoutes() {
        for name in net.ends.keys.sorted(by: { ($0.place.port, $0.id.number) < ($1.place.port, $1.id.number) }) {
            guard let end = net.ends[name], end.isUp, let route = end.route,
                destination(of: route, from: name.place) == nil
            else { continue }
            net.ends[name]?.route = nil
            deliver(.path(name.id, nil), to: name.place)
        }
    }

    private func leads(_ route: Route, _ name: SessionNet.EndName) -> Bool {
        destination(of: route, from: name.place) == net.ends[name]?.other?.place
    }

    /// Whether what is sent arrives. Where UDP passes everywhere, a test says itself what sessions notice of the
    /// network.
    private func isOpen(_ name: SessionNet.EndName) -> Bool {
        guard !withoutUDP.isEmpty, let end = net.ends[name] else { return true }
        return end.held.isEmpty && end.route.map { leads($0, name) } ?? false
    }

    /// Keeps frames that lead nowhere until a way is found, or the session is given up: what the path finder and QUIC
    /// do.
    private mutating func hold(_ frames: [[UInt8]], of name: SessionNet.EndName) {
        net.ends[name]?.held += frames
        guard net.ends[name]?.heldSince == nil else { return }
        net.ends[name]?.heldSince = now
        agenda.add(.session(.missed, name), at: now + .milliseconds(800))
    }

    /// In doubt after 800 ms, without a way two seconds later, dead after seven; a way is looked for every 500 ms.
    private mutating func missed(_ name: SessionNet.EndName) {
        guard let end = net.ends[name], let since = end.heldSince else { return }
        let age = now.since(since)
        guard age < .seconds(7) else {
            if let other = end.other { net.ends[other]?.other = nil }
            return happened(.closed(.pathDied), to: name)
        }
        agenda.add(.session(.missed, name), at: now + .milliseconds(500))
        if lookAgain(name) { return }
        if age < .milliseconds(900) { return deliver(.doubt(name.id), to: name.place) }
        guard age >= .milliseconds(2800), end.route != nil else { return }
        net.ends[name]?.route = nil
        deliver(.path(name.id, nil), to: name.place)
    }

    /// Takes a way that works, if the one in use does not, and sends what was held.
    /// - Returns: whether there is one.
    @discardableResult
    private mutating func lookAgain(_ name: SessionNet.EndName) -> Bool {
        guard let end = net.ends[name], let other = end.other, !end.held.isEmpty else { return false }
        guard let route = ([end.route].compactMap(\.self) + end.routes).first(where: { leads($0, name) }) else {
            return false
        }
        net.ends[name]?.held = []
        net.ends[name]?.heldSince = nil
        happen(.frames(end.held), to: other, after: delay(name.place, other.place))
        guard route != end.route else { return true }
        for (each, its) in [(name, route), (other, route.isRelayed ? route : .direct(name.place))] {
            net.ends[each]?.route = its
            deliver(.path(each.id, PathReport(its, World.kind(of: its))), to: each.place)
        }
        return true
    }

    private static func kind(of route: Route) -> PathKind {
        route.isRelayed ? .relayed : route.endpoint.isLoopback || route.endpoint.isPrivate ? .lan : .direct
    }

    // MARK: Sessions

    private mutating func obey(_ command: SessionCommand, at place: Endpoint) {
        commands[place, default: []].append(command)
        let run = runs[place] ?? 0
        func name(_ id: SessionID) -> SessionNet.EndName { SessionNet.EndName(place: place, run: run, id: id) }
        switch command {
        case .punch, .hide, .relays: break
        case .networkChanged:
            for name in net.names(at: place) {
                for route in net.ends[name]?.routes ?? [] { choose(route, for: name) }
                lookAgain(name)
            }
        case .pass(let channel, let one, let other): passages[place, default: [:]][channel] = [name(one), name(other)]
        case .stopPassing(let channel):
            passages[place]?[channel] = nil
            rethinkRoutes()
        case .welcome(let key, let endpoints, _, _): welcomes[place, default: []].append((key.peer, endpoints))
        case .dial(let id, let key, let plan):
            let routes = plan.candidates.map(\.route) + (plan.searchesLAN ? neighbours(of: place) : [])
            net.ends[name(id)] = SessionNet.End(lastArrival: now, dialled: key)
            happen(.handshake(routes), to: name(id), after: delay(place, routes.first?.endpoint ?? place))
            agenda.add(.session(.giveUp, name(id)), at: now + .seconds(3))
        case .offer(let id, let candidates, _): offer(candidates.map(\.route), to: name(id))
        case .send(let id, let frames):
            guard let end = net.ends[name(id)], end.isUp else { return }
            for frame in frames { net.sent.append((place, end.other?.place ?? place, frame)) }
            guard isOpen(name(id)) else { return hold(frames, of: name(id)) }
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
        case .widen: net.widened.append(place)
        case .probe: break
        case .close(let id, let code):
            let isHeard = isOpen(name(id))
            guard let end = net.ends.removeValue(forKey: name(id)), let other = end.other, isHeard else { return }
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
        case .handshake(let routes): if end.other == nil { shakeHands(name, routes) }
        case .giveUp:
            guard end.other == nil, end.dialled != nil else { return }
            happen(.closed(.noAnswer), to: name, after: 0)
        case .up(let key, let route, let binding):
            net.ends[name]?.isUp = true
            net.ends[name]?.route = route
            net.ends[name]?.routes.append(route)
            deliver(.up(name.id, key: key, at: route, binding: binding), to: name.place)
            // What was offered meanwhile.
            for route in net.ends[name]?.routes ?? [] { choose(route, for: name) }
        case .frames(let frames):
            guard end.isUp else { return }
            net.ends[name]?.backlog += frames
            deliverFrames(to: name)
        case .missed: missed(name)
        case .closed(let reason):
            net.ends[name] = nil
            deliver(.closed(name.id, reason), to: name.place)
        }
    }

    private mutating func deliverFrames(to name: SessionNet.EndName) {
        let frames = net.read(name)
        if !frames.isEmpty { deliver(.frames(name.id, frames), to: name.place) }
    }

    private mutating func shakeHands(_ name: SessionNet.EndName, _ routes: [Route]) {
        guard let key = net.ends[name]?.dialled,
            let route = routes.first(where: { destination(of: $0, from: name.place) != nil }),
            let place = destination(of: route, from: name.place), let number = numbers[place],
            let dialler = numbers[name.place]
        else { return }
        guard World.identity(number).key == key else {
            return happen(.closed(.handshakeFailed("it has another key")), to: name, after: 1)
        }
        net.lastInbound += 2
        let other = SessionNet.EndName(place: place, run: runs[place] ?? 0, id: SessionID(net.lastInbound))
        net.ends[other] = SessionNet.End(other: name, lastArrival: now)
        net.ends[name]?.other = other
        let binding = chance.bytes(32)
        happen(.up(key, at: route, binding: binding), to: name, after: delay(place, name.place))
        let back = delay(name.place, place)
        let returning = route.isRelayed ? route : .direct(name.place)
        happen(
            .up(World.identity(dialler).key, at: returning, binding: binding), to: other,
            after: back + delay(place, name.place))
    }

    private mutating func send(_ datagram: Datagram, from source: Endpoint) {
        traffic.append((now, source, datagram))
        guard !cutOff.contains(source), !cutOff.contains(datagram.endpoint), !withoutUDP.contains(source) else {
            return
        }
        pass(datagram, from: source)
    }

    private mutating func pass(_ datagram: Datagram, from source: Endpoint) {
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
        case tunnel(Endpoint, TunnelEvent)
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

extension Endpoint {
    fileprivate var isPrivate: Bool { if case .v4(let bits) = address { bits >> 24 == 10 } else { false } }
}
