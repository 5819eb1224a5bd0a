// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import CommandLineKit
import Glibc
import Identity
import Model
import Network
import PeerEngine
import Queues
import Reactor
import Scripting
import Sessions
import Wire

/// A running client with its port, its sessions, its home and its control socket: what the chat, `pipe` and `send` have
/// in common.
struct PeerHost: Sendable {
    let home: Home
    let client: Client
    let network: NetworkSide
    var port: DatagramPort { network.port }
    let store: ChatStore
    /// What the last run left.
    let saved: SavedState
    private let door: ControlDoor
    private let indexServers: [Invite.IndexHint]
    /// Index servers that invites named. Who hides does not even look up where they are.
    private let invited: [Invite.IndexHint]
    /// Servers that invites name, to be asked from now on.
    private let named = BoundedQueue<Invite.IndexHint>(capacity: 64)

    /// Opens everything; nothing moves before `run`.
    /// - Parameter loop: for the sockets; the caller runs it.
    init(_ options: Options, purpose: String, loop: PollExecutor) throws(ProgramFailure) {
        home = try Home(options.homePath, purpose: purpose, passphrase: options.passphrase)
        indexServers = options.indexServers
        store = try openStore(home.storePath)
        saved = try loadState(store, former: FormerState(home: home.path))
        invited = options.relayOnly ? [] : saved.indexes.compactMap { Invite.IndexHint($0) }
        let port = try openPort(options.listen.flatMap { ListenAddress($0) }, lastPort: saved.port)
        if port.local.port != saved.port { try keep(.port(port.local.port), in: store) }
        network = try openNetwork(home.identity, port, loop, options)
        client = Client(
            ClientConfiguration(
                identity: home.identity, address: port.local.isUnspecified ? .loopback(port.local.port) : port.local,
                allowsPlaintextPeers: options.plaintextPeers, saved: saved, name: options.name,
                indexes: options.namedServers, hasIndex: !indexServers.isEmpty, relayOnly: options.relayOnly),
            transport: network.uplink, udp: port, tunnels: network.tunnels, sessions: network.sessions, store: store,
            clocks: .system)
        network.connect(client)
        door = ControlDoor(loop: loop, path: home.controlPath)
    }

    /// Runs the client as long as `body` does; what is under way to the disk gets there, if the disk takes it.
    func run<Result: Sendable>(_ body: @escaping @Sendable () async -> Result) async -> Result {
        for notice in store.notices { await client.tell(.notice(notice, about: nil)) }
        let result = await withTaskGroup(of: Void.self) { group in
            await door.open { [network] in network.open() }
            group.addTask { await client.run() }
            group.addTask { await door.serve(client) }
            group.addTask { await askIndexServers() }
            let result = await body()
            await client.flush(within: .seconds(1))
            group.cancelAll()
            return result
        }
        await network.close()
        await door.close { [network] in network.stop() }
        store.close()
        return result
    }

    /// Tells those who wait at the control socket about messages and paths, and asks new index servers.
    func report(_ events: [ClientEvent]) async {
        for case .indexNamed(let server) in events { named.append([server]) }
        let told = events.filter { event in
            switch event {
            case .state, .path: true
            default: false
            }
        }
        if !told.isEmpty { await door.broadcast(told) }
    }

    /// Those that the user named, and if there are any, those of invites.
    private func askIndexServers() async {
        guard !indexServers.isEmpty else { return }
        named.append(invited)
        await withDiscardingTaskGroup { group in
            for (place, server) in indexServers.enumerated() {
                group.addTask { await addIndex(server, place: place) }
            }
            while let servers = await named.next() {
                for server in servers where !indexServers.contains(where: { $0.server == server.server }) {
                    group.addTask { await addIndex(server, place: nil) }
                }
            }
        }
    }

    /// Names that lead nowhere are tried again, ever more rarely: a network may come later.
    private func addIndex(_ server: Invite.IndexHint, place: Int?) async {
        var pause = 2
        while !Task.isCancelled {
            do throws(NetworkError) {
                let endpoints = try await HostResolver.resolveAll(server.server, defaultPort: WireLimits.indexPort)
                for endpoint in endpoints {
                    await client.addIndex(server.server, at: endpoint, key: server.key, place: place)
                }
                return
            } catch {
                await client.tell(.index(server: server.server, .unreachable("\(error)")))
            }
            try? await Task.sleep(for: .seconds(pause))
            pause = min(60, pause * 2)
        }
    }
}

func openStore(_ path: String) throws(ProgramFailure) -> ChatStore {
    do throws(StoreError) { return try ChatStore(path: path) } catch { throw ProgramFailure(.failure, "\(error)") }
}

private func loadState(_ store: ChatStore, former: FormerState?) throws(ProgramFailure) -> SavedState {
    do throws(StoreError) {
        if let former {
            try store.commitNow(former.changes)
            former.setAside()
        }
        return try store.load()
    } catch { throw ProgramFailure(.failure, "\(error)") }
}

private func keep(_ change: StoreChange, in store: ChatStore) throws(ProgramFailure) {
    do throws(StoreError) { try store.commitNow([change]) } catch { throw ProgramFailure(.failure, "\(error)") }
}

/// The port that was asked for; else that of the last run, which friends may still know; else any.
private func openPort(_ wanted: ListenAddress?, lastPort: UInt16?) throws(ProgramFailure) -> DatagramPort {
    do throws(NetworkError) {
        if let wanted { return try DatagramPort(wanted, reportsUnreachable: true) }
        if let lastPort, let port = try? DatagramPort(ListenAddress(port: lastPort), reportsUnreachable: true) {
            return port
        }
        return try DatagramPort(ListenAddress(port: 0), reportsUnreachable: true)
    } catch { throw ProgramFailure(.failure, "\(error)") }
}

private func openNetwork(
    _ identity: Identity, _ port: DatagramPort, _ loop: PollExecutor, _ options: Options
) throws(ProgramFailure) -> NetworkSide {
    do throws(NetworkError) {
        return try NetworkSide(
            identity, port: port, loop: loop, isHidden: options.relayOnly, opensPort: !options.noPortMapping)
    } catch { throw ProgramFailure(.failure, "\(error)") }
}
