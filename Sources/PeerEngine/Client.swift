// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import Queues
public import Wire

/// A peer at work: the machine, its queues, and the loops between network, disk and display.
///
/// `run` holds three of them, receiving, sending and storing; the fourth, displaying, is whoever reads `events`.
/// Between them stand bounded queues: datagrams that arrive faster than they can be taken are dropped and counted (UDP
/// promises no more), what is told or to be stored makes whoever causes it wait. All state is in one actor, which never
/// waits for anything, so no loop can stall another.
public final class Client: Sendable {
    /// What happened, for one display.
    public let events = BoundedQueue<ClientEvent>(capacity: 16_384)

    /// What came and waits to be taken: datagrams of 2 KiB each at most, so 32 MiB. Sessions bring no more than their
    /// windows allow, beyond that.
    private let inbox = BoundedQueue<Incoming>(capacity: 16_384)
    /// What came taken before a command or the sender gets its turn.
    private static let turn = 256

    private let core: ClientCore
    private let changes = BoundedQueue<StoreChange>(capacity: 16_384)
    private let store: any ClientStore
    private let alarm = Alarm()

    /// - Parameters:
    ///   - transport: the way to everybody, and through tunnels to servers that have one.
    ///   - udp: the way past the tunnels; `nil` when there are none.
    public init(
        _ configuration: ClientConfiguration, transport: any DatagramTransport, udp: (any DatagramTransport)? = nil,
        tunnels: any TunnelTransport = NoTunnels(), sessions: any SessionTransport, store: any ClientStore,
        clocks: Clocks
    ) {
        self.store = store
        let network = Network(transport: transport, udp: udp ?? transport, tunnels: tunnels, sessions: sessions)
        core = ClientCore(configuration, network: network, clocks: clocks, events: events, changes: changes)
    }

    // MARK: Loops

    /// Receives, sends and stores until the task is cancelled; `flush` before that saves what is to be saved.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.receiveLoop() }
            group.addTask { await self.sendLoop() }
            group.addTask { await self.storeLoop() }
        }
        events.finish()
    }

    private func receiveLoop() async {
        while !Task.isCancelled, let batch = await inbox.next() {
            var rest = batch[...]
            while !rest.isEmpty, !Task.isCancelled {
                await core.receive(rest.prefix(Client.turn))
                rest = rest.dropFirst(Client.turn)
                alarm.ring()
                await changes.room()
                await events.room()
            }
        }
    }

    private func sendLoop() async {
        while !Task.isCancelled {
            let pause = await core.transmit()
            await events.room()
            await alarm.sleep(for: pause)
        }
    }

    /// Commits whatever has gathered, as one: the slower the disk, the larger the groups. After a commit that never
    /// will work the rest is dropped, since it may build on what is missing.
    private func storeLoop() async {
        var isBroken = false
        while !Task.isCancelled, let batch = await changes.next() {
            guard !isBroken, let effects = await commit(batch) else {
                isBroken = true
                continue
            }
            await core.committed(effects)
            alarm.ring()
            await events.room()
        }
    }

    /// Tries until the disk takes the changes.
    /// - Returns: `nil` when it never will, or the task is cancelled.
    private func commit(_ batch: [StoreChange]) async -> [Bool]? {
        var pause = Duration.milliseconds(250)
        while !Task.isCancelled {
            do throws(StoreError) { return try await store.commit(batch) } catch {
                await core.commitFailed(error)
                guard error.mayPass else { return nil }
            }
            try? await Task.sleep(for: pause)
            pause = min(.seconds(2), pause * 2)
        }
        return nil
    }

    // MARK: For the network

    /// Takes what the UDP port brought, without waiting; what there is no room for is dropped and counted.
    /// - Returns: how many were taken.
    @discardableResult
    public func take(_ datagrams: [DatagramEvent]) -> Int { inbox.offer(datagrams.map { .datagram($0) }) }

    /// Takes what happened to sessions, in order and without waiting; nothing is dropped.
    public func take(_ events: [SessionEvent]) { inbox.append(events.map { .session($0) }) }

    /// Takes what happened to this machine's network; nothing is dropped.
    public func take(_ event: NetworkEvent) { inbox.append([.network(event)]) }

    /// Takes what happened to a tunnel; nothing is dropped.
    public func take(_ event: TunnelEvent) { inbox.append([.tunnel(event)]) }

    /// Datagrams that were dropped because too many waited.
    public var dropped: Int { inbox.dropped }

    // MARK: For the program

    /// Registers at an index server from now on.
    /// - Parameters:
    ///   - name: as the user wrote it.
    ///   - key: what the server has to prove; `nil` to take whoever answers.
    ///   - place: its place among those that the user named, from 0; `nil` for one that an invite named.
    public func addIndex(_ name: String, at server: Endpoint, key: PeerKey? = nil, place: Int?) async {
        await core.addIndex(name, at: server, key: key, place: place)
        alarm.ring()
    }

    /// Does what a command says; its effects are told as events.
    public func perform(_ command: ClientCommand) async throws(CommandError) {
        try await core.perform(command)
        alarm.ring()
        await changes.room()
        await events.room()
    }

    /// Tells the display something that happened outside the client.
    public func tell(_ event: ClientEvent) async { await events.send([event]) }

    /// Waits until everything is on disk, nothing more will be, the task is cancelled, or a disk that refuses had its
    /// time.
    public func flush(within limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.core.saved() }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Own peer ID.
    public var me: PeerID { core.me }
    /// The invite to give away now.
    public var invite: Invite { get async { await core.invite } }
    /// Every contact with its path and what waits for it.
    public var peers: [PeerSummary] { get async { await core.peers } }
    /// What a user means by a UUID, a name or the beginning of either.
    public func resolve(_ text: String) async throws(UnclearPeer) -> PeerID { try await core.resolve(text) }
}

/// What the network thread hands over.
private enum Incoming: Sendable {
    case datagram(DatagramEvent)
    case session(SessionEvent)
    case network(NetworkEvent)
    case tunnel(TunnelEvent)
}

/// Every way out of the process.
private struct Network {
    let transport: any DatagramTransport
    let udp: any DatagramTransport
    let tunnels: any TunnelTransport
    let sessions: any SessionTransport
}

/// For a program that has only UDP.
public struct NoTunnels: TunnelTransport {
    public init() {}
    public func perform(_ commands: [TunnelCommand]) {}
}

/// The client's state, and the hands that do what its machine decides.
///
/// It tells events itself, so that they come in the order in which things happened whichever loop caused them; the
/// loops wait for room.
private actor ClientCore {
    nonisolated let me: PeerID
    private var machine: ClientMachine
    private let network: Network
    private let clocks: Clocks
    private let events: BoundedQueue<ClientEvent>
    private let changes: BoundedQueue<StoreChange>
    /// Those who wait until everything is on disk.
    private var flushers: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var lastFlusher: UInt64 = 0

    init(
        _ configuration: ClientConfiguration, network: Network, clocks: Clocks, events: BoundedQueue<ClientEvent>,
        changes: BoundedQueue<StoreChange>
    ) {
        me = configuration.identity.peer
        machine = ClientMachine(configuration)
        self.network = network
        self.clocks = clocks
        self.events = events
        self.changes = changes
    }

    var invite: Invite { machine.invite }
    var peers: [PeerSummary] { machine.peers }
    func resolve(_ text: String) throws(UnclearPeer) -> PeerID { try machine.contacts.resolve(text) }
    func addIndex(_ name: String, at server: Endpoint, key: PeerKey?, place: Int?) {
        machine.addIndex(name, at: server, key: key, place: place, now: now)
    }

    func receive(_ batch: ArraySlice<Incoming>) {
        let (now, wall) = (now, clocks.wall())
        var actions: [ClientMachine.Action] = []
        for element in batch {
            switch element {
            case .datagram(let event): actions += machine.receive(event, now: now, wall: wall)
            case .session(let event): actions += machine.receive(event, now: now, wall: wall)
            case .network(let event): actions += machine.receive(event, now: now, wall: wall)
            case .tunnel(let event): actions += machine.receive(event, now: now, wall: wall)
            }
        }
        execute(actions)
    }

    func perform(_ command: ClientCommand) throws(CommandError) {
        execute(try machine.perform(command, now: now, wall: clocks.wall()))
    }

    func committed(_ effects: [Bool]) {
        execute(machine.committed(effects, now: now, wall: clocks.wall()))
        releaseFlushers()
    }

    func commitFailed(_ error: StoreError) {
        execute(machine.commitFailed(error, now: now, wall: clocks.wall()))
        releaseFlushers()
    }

    /// Sends what is due, and says how long there is nothing more to send.
    func transmit() -> Duration? {
        execute(machine.advance(now: now, wall: clocks.wall()))
        let moment = now
        return machine.deadline(now: moment).map { .nanoseconds(Int64(clamping: $0.since(moment).nanoseconds)) }
    }

    private func execute(_ actions: [ClientMachine.Action]) {
        var pending = actions
        var (told, orders, saved): ([ClientEvent], [SessionCommand], [StoreChange]) = ([], [], [])
        while !pending.isEmpty {
            var next: [ClientMachine.Action] = []
            for action in pending {
                switch action {
                case .send(let datagram): _ = network.transport.send([datagram])
                case .sendByUDP(let datagram): _ = network.udp.send([datagram])
                case .transmit(let transmission):
                    let result = network.transport.send(transmission.datagrams)
                    next += machine.transmitted(transmission, result, now: now, wall: clocks.wall())
                case .session(let command): orders.append(command)
                case .tunnel(let command): network.tunnels.perform([command])
                case .commit(let change): saved.append(change)
                case .tell(let event): told.append(event)
                }
            }
            pending = next
        }
        changes.append(saved)
        if !orders.isEmpty { network.sessions.perform(orders) }
        events.append(told)
    }

    // MARK: Flushing

    func saved() async {
        lastFlusher += 1
        let ticket = lastFlusher
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard machine.unsaved > 0, !Task.isCancelled else { return continuation.resume() }
                flushers[ticket] = continuation
            }
        } onCancel: {
            Task { await self.giveUp(ticket) }
        }
    }

    private func giveUp(_ ticket: UInt64) { flushers.removeValue(forKey: ticket)?.resume() }

    private func releaseFlushers() {
        guard machine.unsaved == 0 else { return }
        for flusher in flushers.values { flusher.resume() }
        flushers = [:]
    }

    private var now: Instant { clocks.monotonic() }
}
