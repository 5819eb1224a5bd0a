// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import Network
import PeerEngine
import PortMapping
import Queues
import Reactor
import Sessions
import Tunnels
import Wire

/// Everything by which a client reaches the network, on one loop: the one UDP port, tunnels past it, sessions on both,
/// the search on this network, and what watches the machine's own place in it.
final class NetworkSide: Sendable {
    let port: DatagramPort
    let loop: PollExecutor
    /// By UDP, or through a tunnel to servers that have one.
    let uplink: Uplink
    let tunnels: TunnelHost
    let sessions: SessionHost
    private let watch = InterfaceWatch()
    /// `nil` when peers are reached through relays alone, the port is this machine's alone, or the system has no
    /// multicast.
    private let lan: LanPort?
    /// `nil` when the user wants no port opened.
    private let mapper: PortMapper?
    private let target: Target

    /// - Parameters:
    ///   - isHidden: whether peers are reached through relays alone.
    ///   - opensPort: whether the router may be asked to open a port.
    init(
        _ identity: Identity, port: DatagramPort, loop: PollExecutor, isHidden: Bool, opensPort: Bool
    ) throws(NetworkError) {
        self.port = port
        self.loop = loop
        let target = Target()
        self.target = target
        tunnels = try TunnelHost(
            loop: loop, events: { target.client?.take($0) },
            received: { target.route($0.map { .received($0) }) })
        uplink = Uplink(port, tunnels: tunnels)
        let isAlone = port.local.isLoopback
        lan = isHidden || isAlone ? nil : try? LanPort()
        let sessions = SessionHost(
            identity: identity, transport: uplink, loop: loop, clocks: .system, localPort: port.local.port,
            searchLAN: { [port] in _ = isAlone ? 0 : port.sendToGroup($0) }
        ) { target.client?.take($0) }
        target.sessions.withLock { $0 = sessions }
        self.sessions = sessions
        let mapsPort = !isHidden && opensPort && !isAlone
        mapper =
            !mapsPort
            ? nil
            : PortMapper(
                port: port.local.port, routers: { .current }, secret: { identity.secret("parley/port-mapping/1", $0) }
            ) { target.client?.take(NetworkEvent($0)) }
        if isHidden { sessions.perform([.hide(true)]) }
    }

    /// Whom to tell from now on.
    func connect(_ client: Client) { target.peers.withLock { $0 = client } }

    /// Begins to receive. On the loop's thread.
    func open() {
        port.receive(on: loop) { [target] in target.route($0) }
        lan?.receive(on: loop) { [target] in target.route($0.map { .received($0) }) }
        tunnels.open()
        watch.start(on: loop) { [self] change in
            lan?.join()
            mapper?.networkChanged()
            target.client?.take(NetworkEvent(change))
        }
        target.client?.take(.addresses(watch.addresses.map(\.address)))
        mapper?.start()
    }

    /// Says goodbye to all peers and gives the router its port back.
    func close() async {
        await sessions.close()
        mapper?.stop()
    }

    /// Stops receiving. On the loop's thread.
    func stop() {
        port.stop(on: loop)
        lan?.stop(on: loop)
        watch.stop(on: loop)
        tunnels.close()
    }
}

/// Whom news are for: a client is made after the sessions that it commands.
private final class Target: Sendable {
    let peers = Lock<Client?>(nil)
    let sessions = Lock<SessionHost?>(nil)
    var client: Client? { peers.withLock { $0 } }

    /// Gives each datagram to whom its first octet names. On the loop's thread.
    func route(_ events: [DatagramEvent]) {
        guard let client, let sessions = sessions.withLock({ $0 }) else { return }
        var packets: [Datagram] = []
        var others: [DatagramEvent] = []
        for event in events {
            switch event {
            case .received(let datagram) where SessionHost.isSession(datagram.bytes): packets.append(datagram)
            case .received: others.append(event)
            case .unreachable(let endpoint):
                sessions.unreachable(endpoint)
                others.append(event)
            }
        }
        if !packets.isEmpty { sessions.receive(packets) }
        if !others.isEmpty { client.take(others) }
    }
}

extension Routers {
    /// As the kernel has them.
    static var current: Routers {
        let routes = DefaultRoutes.current
        return Routers(v4: routes.router, v6: routes.router6, zone: routes.interface6)
    }
}

extension NetworkEvent {
    fileprivate init(_ change: NetworkChange) {
        switch change {
        case .addresses(let addresses): self = .addresses(addresses.map(\.address))
        case .slept: self = .slept
        }
    }

    fileprivate init(_ report: MappingReport) {
        let failures = report.failures.sorted { $0.key.rawValue < $1.key.rawValue }
        self = .mapped(
            report.mapped, by: report.by?.rawValue, failures: failures.map { "\($0.key.rawValue): \($0.value)" })
    }
}
