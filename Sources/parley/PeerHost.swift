// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Identity
import Model
import Network
import PeerEngine
import Queues
import Reactor
import Scripting
import Wire

/// A running client with its port, its home and its control socket: what the chat, `pipe` and `send` have in common.
struct PeerHost: Sendable {
    let home: Home
    let client: Client
    let port: DatagramPort
    let loop: PollExecutor
    private let state: StateFile
    private let door: ControlDoor
    private let indexServers: [String]

    /// Opens everything; nothing moves before `run`.
    /// - Parameter loop: for the sockets; the caller runs it.
    init(_ options: Options, purpose: String, loop: PollExecutor) throws(ProgramFailure) {
        home = try Home(options.homePath, purpose: purpose)
        self.loop = loop
        indexServers = options.indexServers
        let notices = NoticeBoard()
        state = try StateFile(path: home.statePath) { await notices.post($0) }
        let saved = state.state
        do throws(NetworkError) {
            port = try openPort(options.listen.flatMap { ListenAddress($0) }, lastPort: saved.port)
        } catch {
            throw ProgramFailure(.failure, "\(error)")
        }
        state.save(port: port.local.port)
        let configuration = ClientConfiguration(
            identity: home.identity, address: port.local.isUnspecified ? .loopback(port.local.port) : port.local,
            allowsPlaintextPeers: options.plaintextPeers, contacts: saved.contacts, hasIndex: !indexServers.isEmpty,
            lastSequence: saved.sequence)
        client = Client(configuration, transport: port, store: state, clocks: .system)
        door = ControlDoor(loop: loop, path: home.controlPath)
        notices.connect(client)
    }

    /// Runs the client as long as `body` does.
    func run<Result: Sendable>(_ body: @escaping @Sendable () async -> Result) async -> Result {
        let result = await withTaskGroup(of: Void.self) { group in
            await door.open { [client, port, loop] in
                port.receive(on: loop) { client.received.offer($0) }
            }
            group.addTask { await client.run() }
            group.addTask { await state.run() }
            group.addTask { await door.serve(client) }
            for server in indexServers { group.addTask { await addIndex(server) } }
            let result = await body()
            group.cancelAll()
            return result
        }
        await door.close { [port, loop] in port.stop(on: loop) }
        if let failure = state.flush() { complain(failure) }
        return result
    }

    /// The contacts of the last run.
    var contacts: [Contact] { state.state.contacts }

    /// Tells those who wait at the control socket about messages and paths.
    func report(_ events: [ClientEvent]) async {
        let told = events.filter { event in
            switch event {
            case .state, .path: true
            default: false
            }
        }
        if !told.isEmpty { await door.broadcast(told) }
    }

    /// Names that lead nowhere are tried again, ever more rarely: a network may come later.
    private func addIndex(_ server: String) async {
        var pause = 2
        while !Task.isCancelled {
            do throws(NetworkError) {
                let endpoint = try await HostResolver.resolve(server, defaultPort: WireLimits.indexPort)
                return await client.addIndex(server, at: endpoint)
            } catch {
                await client.tell(.index(server: server, .unreachable("\(error)")))
            }
            try? await Task.sleep(for: .seconds(pause))
            pause = min(60, pause * 2)
        }
    }
}

/// The port that was asked for; else that of the last run, which friends may still know; else any.
private func openPort(_ wanted: ListenAddress?, lastPort: UInt16?) throws(NetworkError) -> DatagramPort {
    if let wanted { return try DatagramPort(wanted, reportsUnreachable: true) }
    if let lastPort, let port = try? DatagramPort(ListenAddress(port: lastPort), reportsUnreachable: true) {
        return port
    }
    return try DatagramPort(ListenAddress(port: 0), reportsUnreachable: true)
}
