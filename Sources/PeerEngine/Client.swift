// SPDX-License-Identifier: GPL-3.0-or-later
internal import Identity
public import Model
public import Queues
public import Wire

/// Keeps what must outlive the program.
public protocol RunStore: Sendable {
    func save(contacts: [Contact])
    func save(sequence: UInt64)
}

/// The seed's `Client`: one port, an address book, a receive queue and three concurrent loops.
///
/// `run` holds two of them, receiving and sending; the third, displaying, is whoever reads `events`. Between them stand
/// bounded queues: what arrives faster than it can be taken is dropped and counted (UDP promises no more), what is told
/// makes the teller wait. All state is in one actor, which never waits for anything, so no loop can stall another.
public final class Client: Sendable {
    /// Datagrams that wait to be taken: 2 KiB each at most, so 32 MiB.
    public let received = BoundedQueue<DatagramEvent>(capacity: 16_384)
    /// What happened, for one display.
    public let events = BoundedQueue<ClientEvent>(capacity: 16_384)

    /// Datagrams taken before a command or the sender gets its turn.
    private static let turn = 256

    private let core: ClientCore
    private let alarm = Alarm()

    public init(
        _ configuration: ClientConfiguration, transport: any DatagramTransport, store: any RunStore, clocks: Clocks
    ) {
        core = ClientCore(configuration, transport: transport, store: store, clocks: clocks, events: events)
    }

    /// Receives and sends until the task is cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.receiveLoop() }
            group.addTask { await self.sendLoop() }
        }
        events.finish()
    }

    private func receiveLoop() async {
        while !Task.isCancelled, let batch = await received.next() {
            var rest = batch[...]
            while !rest.isEmpty, !Task.isCancelled {
                await core.receive(rest.prefix(Client.turn))
                rest = rest.dropFirst(Client.turn)
                alarm.ring()
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

    /// Registers at an index server from now on.
    public func addIndex(_ name: String, at server: Endpoint) async {
        await core.addIndex(name, at: server)
        alarm.ring()
    }

    /// Does what a command says; its effects are told as events.
    public func perform(_ command: ClientCommand) async throws(CommandError) {
        try await core.perform(command)
        alarm.ring()
        await events.room()
    }

    /// Tells the display something that happened outside the client.
    public func tell(_ event: ClientEvent) async { await events.send([event]) }

    /// Own peer ID.
    public var me: PeerID { core.me }
    /// Every contact with its path and what waits for it.
    public var peers: [PeerSummary] { get async { await core.peers } }
    /// Messages of this run, oldest first.
    public func log(with peer: PeerID? = nil) async -> [Message] { await core.log(with: peer) }
    /// What a user means by a UUID or a name.
    public func resolve(_ text: String) async -> PeerID? { await core.resolve(text) }
}

/// The client's state, and the hands that do what its machine decides.
///
/// It tells events itself, so that they come in the order in which things happened whichever loop caused them; the loops
/// wait for room.
private actor ClientCore {
    nonisolated let me: PeerID
    private var machine: ClientMachine
    private let transport: any DatagramTransport
    private let store: any RunStore
    private let clocks: Clocks
    private let events: BoundedQueue<ClientEvent>

    init(
        _ configuration: ClientConfiguration, transport: any DatagramTransport, store: any RunStore, clocks: Clocks,
        events: BoundedQueue<ClientEvent>
    ) {
        me = configuration.identity.peer
        machine = ClientMachine(configuration)
        self.transport = transport
        self.store = store
        self.clocks = clocks
        self.events = events
    }

    var peers: [PeerSummary] { machine.peers }
    func log(with peer: PeerID?) -> [Message] { machine.log.messages(with: peer) }
    func resolve(_ text: String) -> PeerID? { machine.contacts.resolve(text) }
    func addIndex(_ name: String, at server: Endpoint) { machine.addIndex(name, at: server, now: now) }

    func receive(_ batch: ArraySlice<DatagramEvent>) {
        let (now, wall) = (now, clocks.wall())
        var told: [ClientEvent] = []
        for event in batch { execute(machine.receive(event, now: now, wall: wall), into: &told) }
        events.append(told)
    }

    func perform(_ command: ClientCommand) throws(CommandError) {
        var told: [ClientEvent] = []
        execute(try machine.perform(command, now: now, wall: clocks.wall()), into: &told)
        events.append(told)
    }

    /// Sends what is due, and says how long there is nothing more to send.
    func transmit() -> Duration? {
        var told: [ClientEvent] = []
        execute(machine.advance(now: now, wall: clocks.wall()), into: &told)
        events.append(told)
        let moment = now
        return machine.deadline(now: moment).map { .nanoseconds(Int64(clamping: $0.since(moment).nanoseconds)) }
    }

    private func execute(_ actions: [ClientMachine.Action], into told: inout [ClientEvent]) {
        for action in actions {
            switch action {
            case .send(let datagram): _ = transport.send([datagram])
            case .transmit(let transmission):
                let result = transport.send(transmission.datagrams)
                execute(machine.transmitted(transmission, result, now: now), into: &told)
            case .tell(let event): told.append(event)
            case .saveContacts(let contacts): store.save(contacts: contacts)
            case .saveSequence(let sequence): store.save(sequence: sequence)
            }
        }
    }

    private var now: Instant { clocks.monotonic() }
}
