// SPDX-License-Identifier: GPL-3.0-or-later
import Identity
import Model
import PeerEngine
import Support
import Testing
import Traversal
import Wire

@testable import Sessions

/// Numbered frames that two sides send each other all the time.
private final class Chatter {
    private let net: Net
    private let sides: [(node: Node, id: SessionID)]
    private(set) var sent: [[[UInt8]]] = [[], []]
    private let size: Int

    init(_ net: Net, _ client: Node, _ dialled: SessionID, _ server: Node, _ accepted: SessionID, size: Int = 40) {
        self.net = net
        self.size = size
        sides = [(client, dialled), (server, accepted)]
    }

    /// One frame each way every twenty milliseconds.
    func run(for span: Span) {
        let end = net.now + span
        while net.now < end {
            for (number, side) in sides.enumerated() {
                let count = sent[number].count
                let head = (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
                let frame = head + [UInt8](repeating: 0xA5, count: size)
                sent[number].append(frame)
                net.perform(side.node, [.send(side.id, frames: [frame])])
            }
            net.run(for: .milliseconds(20))
        }
    }

    /// Whether all came, once and in order, in so long at most.
    func arrives(within span: Span) -> Bool {
        net.run(for: span) {
            sides[0].node.frames.count >= sent[1].count && sides[1].node.frames.count >= sent[0].count
        }
            && sides[0].node.frames == sent[1] && sides[1].node.frames == sent[0]
    }
}

@Suite struct RouteTests {
    private struct Meeting {
        let net: Net
        let client: Node
        let server: Node
        let relay: Route
        let dialled = SessionID(2)
        let accepted: SessionID
    }

    /// Two nodes that know each other's address and a relay; `isDirect` says whether datagrams between them pass.
    private func meet(directly: Bool, relayed: Bool = true, seed: UInt64 = 1) -> Meeting? {
        let net = Net(seed: seed)
        net.captures = false
        let (client, server) = (net.node(1), net.node(2))
        let relay = net.relay(between: client, and: server)
        cut(net, client, server, direct: !directly, relay: !relayed)
        let candidates = [RemoteCandidate(.direct(server.endpoint), .reflexive), RemoteCandidate(relay, .relayed)]
        net.perform(client, [.dial(SessionID(2), key: server.key, DialPlan(candidates, reference: 7))])
        net.run(for: .seconds(5)) { client.ups.count == 1 && server.ups.count == 1 }
        guard client.ups.count == 1, let accepted = server.ups.first?.id else { return nil }
        return Meeting(net: net, client: client, server: server, relay: relay, accepted: accepted)
    }

    /// Loses what goes directly between two nodes, or through relays.
    private func cut(_ net: Net, _ one: Node, _ other: Node, direct: Bool, relay: Bool) {
        net.tamper = { datagram, source in
            let isRelayed = datagram.bytes.first == DatagramTag.relay
            return (isRelayed ? relay : direct) ? [] : [datagram]
        }
    }

    private func cut(_ meeting: Meeting, direct: Bool, relay: Bool) {
        cut(meeting.net, meeting.client, meeting.server, direct: direct, relay: relay)
    }

    private func uses(_ node: Node, relay: Bool) -> Bool {
        node.paths.last.flatMap { $0 }.map { $0.route.isRelayed == relay } ?? false
    }

    @Test func `a session begins through the relay, moves to a direct route, back, and again, and no frame is lost`()
        throws
    {
        let meeting = try #require(meet(directly: false))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        // As far as from one town to another over the relay, and one room otherwise.
        net.distance = { $0.port == 9000 || $1.port == 9000 ? .milliseconds(50) : nil }
        #expect(client.ups[0].at == meeting.relay.endpoint && uses(client, relay: true))
        let chatter = Chatter(net, client, meeting.dialled, server, meeting.accepted)
        chatter.run(for: .seconds(5))
        #expect(uses(client, relay: true) && uses(server, relay: true))
        for _ in 0..<3 {
            cut(meeting, direct: false, relay: false)
            net.perform(client, [.punch(meeting.dialled, after: .zero)])
            net.perform(
                server,
                [
                    .offer(
                        meeting.accepted, [RemoteCandidate(.direct(client.endpoint), .reflexive)], sequence: 0),
                    .punch(meeting.accepted, after: .zero),
                ])
            chatter.run(for: .seconds(3))
            #expect(uses(client, relay: false) && uses(server, relay: false))
            cut(meeting, direct: true, relay: false)
            chatter.run(for: .seconds(4))
            #expect(uses(client, relay: true) && uses(server, relay: true))
        }
        #expect(chatter.arrives(within: .seconds(2)))
        #expect(client.ends.isEmpty && server.ends.isEmpty)
    }

    @Test func `a victim that records name gets ten probes a minute, however often it is offered and dialled`() {
        let net = Net()
        let (client, attacker) = (net.node(1), Identity().key)
        let victim = Endpoint(address: .v4(0xCB00_7142), port: 4444)
        let named = [RemoteCandidate(.direct(victim), .mapped)]
        func octets() -> Int {
            net.captured.reduce(0) { $0 + ($1.datagram.endpoint == victim ? $1.datagram.bytes.count : 0) }
        }
        let start = net.now
        net.perform(client, [.dial(SessionID(2), key: attacker, DialPlan(named, sequence: 0, reference: 7))])
        net.run(for: .seconds(1))
        #expect(octets() >= 64, "the record is believed: else nothing is shown")
        // The record comes, and a newer one again and again.
        for sequence in 1...5 as ClosedRange<UInt64> {
            net.perform(client, [.offer(SessionID(2), named, sequence: sequence)])
            net.run(for: .seconds(4))
        }
        net.perform(client, [.close(SessionID(2), .done)])
        for number in 2...5 as ClosedRange<UInt64> {
            let plan = DialPlan(named, sequence: number * 10, reference: number)
            net.perform(client, [.dial(SessionID(number * 2), key: attacker, plan)])
            net.run(for: .seconds(9))
            net.perform(client, [.close(SessionID(number * 2), .done)])
        }
        #expect(net.now.since(start) < .seconds(60))
        #expect(octets() == 640)
        // It is not given up for ever.
        net.run(for: .seconds(60))
        net.perform(client, [.dial(SessionID(20), key: attacker, DialPlan(named, sequence: 99, reference: 99))])
        net.run(for: .seconds(8))
        #expect(octets() == 1280)
    }

    @Test func `a route that joins before the first answer gets the first packets at once`() throws {
        let net = Net()
        let (client, server) = (net.node(1), net.node(2))
        let relay = net.relay(between: client, and: server)
        net.deadRelays = [relay.endpoint]
        let plan = DialPlan([RemoteCandidate(relay, .relayed)], reference: 4)
        net.perform(client, [.dial(SessionID(2), key: server.key, plan)])
        // By now QUIC waits for seconds before it tries again.
        net.run(for: .milliseconds(1100))
        #expect(client.ups.isEmpty)
        net.perform(
            client, [.offer(SessionID(2), [RemoteCandidate(.direct(server.endpoint), .reflexive)], sequence: 0)])
        #expect(net.run(for: .milliseconds(50)) { client.ups.count == 1 })
        #expect(client.ups.map(\.at) == [server.endpoint])
    }

    @Test(arguments: [true, false])
    func `a megabyte under way when the route changes arrives`(toRelay: Bool) throws {
        let meeting = try #require(meet(directly: toRelay))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        net.distance = { $0.port == 9000 || $1.port == 9000 ? .milliseconds(50) : .microseconds(500) }
        let frames = (0..<64).map { [UInt8](repeating: UInt8($0), count: 64 << 10) }
        net.perform(client, [.send(meeting.dialled, frames: frames)])
        net.run(for: .seconds(10)) { server.frames.count >= 16 }
        #expect((16..<64).contains(server.frames.count))
        cut(meeting, direct: toRelay, relay: !toRelay)
        net.perform(client, [.punch(meeting.dialled, after: .zero)])
        #expect(net.run(for: .seconds(30)) { server.frames.count == 64 })
        #expect(server.frames == frames && uses(client, relay: toRelay))
    }

    @Test(arguments: [true, false])
    func `a move between a far relay and a near network does not stall a stream`(toRelay: Bool) throws {
        let meeting = try #require(meet(directly: toRelay))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        net.distance = { $0.port == 9000 || $1.port == 9000 ? .milliseconds(50) : .microseconds(500) }
        let chatter = Chatter(net, client, meeting.dialled, server, meeting.accepted, size: 600)
        chatter.run(for: .seconds(10))
        #expect(chatter.arrives(within: .milliseconds(300)))
        cut(meeting, direct: toRelay, relay: !toRelay)
        if !toRelay {
            net.perform(client, [.punch(meeting.dialled, after: .zero)])
        }
        chatter.run(for: .seconds(3))
        #expect(uses(client, relay: toRelay))
        // Nothing that was sent in those seconds waits for longer than a few round trips of the new way.
        #expect(chatter.arrives(within: .milliseconds(600)))
    }

    @Test(arguments: [(true, false), (false, true), (true, true)], [0, 1])
    func `an outage of five seconds heals within two seconds of its end`(
        sends: (client: Bool, server: Bool), busy: Int
    ) throws {
        let meeting = try #require(meet(directly: true))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        Chatter(net, client, meeting.dialled, server, meeting.accepted, size: 500)
            .run(for: busy == 1 ? .seconds(2) : .milliseconds(20))
        net.run(for: .seconds(3))
        let known = (client.frames.count, server.frames.count)
        cut(meeting, direct: true, relay: true)
        let words = (0..<20).map { [UInt8](repeating: UInt8($0), count: 1000) }
        if sends.client { net.perform(client, [.send(meeting.dialled, frames: words)]) }
        if sends.server { net.perform(server, [.send(meeting.accepted, frames: words)]) }
        net.run(for: .seconds(5))
        cut(meeting, direct: false, relay: false)
        let start = net.now
        #expect(
            net.run(for: .seconds(2)) {
                client.frames.count - known.0 == (sends.server ? 20 : 0)
                    && server.frames.count - known.1 == (sends.client ? 20 : 0)
            })
        #expect(net.now.since(start) <= .seconds(2))
        #expect(client.ends.isEmpty && server.ends.isEmpty)
        net.run(for: .seconds(2))
        #expect(client.paths.last.flatMap { $0 } != nil || !sends.client)
        #expect(server.paths.last.flatMap { $0 } != nil || !sends.server)
    }

    @Test func `a client that gets another address goes on within three seconds of its first word`() throws {
        let meeting = try #require(meet(directly: true, relayed: false))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        cut(meeting, direct: false, relay: true)
        net.run(for: .seconds(20))
        // Its router forgot it: what it sends comes from another port, and nothing reaches it at the old one.
        let moved = Endpoint(address: client.endpoint.address, port: 4999)
        net.move(client, to: [moved], tells: false)
        net.perform(client, [.send(meeting.dialled, frames: [[1]])])
        #expect(net.run(for: .seconds(3)) { server.frames == [[1]] && server.paths.last??.route == .direct(moved) })
        net.perform(server, [.send(meeting.accepted, frames: [[2]])])
        #expect(net.run(for: .seconds(1)) { client.frames == [[2]] })
        net.run(for: .seconds(30))
        #expect(client.ends.isEmpty && server.ends.isEmpty)
    }

    @Test func `when all addresses change, sessions go on within three seconds`() throws {
        let meeting = try #require(meet(directly: true))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        net.run(for: .seconds(20))
        net.move(client, to: [Endpoint(address: .v4(0x0A05_0001), port: 4000)], tells: true)
        net.perform(client, [.send(meeting.dialled, frames: [[1]])])
        #expect(net.run(for: .seconds(3)) { server.frames == [[1]] })
        net.perform(server, [.send(meeting.accepted, frames: [[2]])])
        #expect(net.run(for: .seconds(3)) { client.frames == [[2]] })
    }

    @Test func `a faster way between second addresses is taken`() throws {
        let net = Net()
        let near = (1...2).map { Endpoint(address: .v4(0xC0A8_0000 | UInt32($0)), port: 4000) }
        let client = net.add(Node(1, Identity(), also: [near[0]]))
        let server = net.add(Node(2, Identity(), also: [near[1]]))
        net.distance = { source, _ in near.contains(source) ? .milliseconds(1) : .milliseconds(30) }
        net.perform(client, [.dial(SessionID(2), key: server.key, at: [server.endpoint])])
        #expect(net.run(for: .seconds(2)) { client.ups.count == 1 && server.ups.count == 1 })
        let accepted = try #require(server.ups.first?.id)
        let chatter = Chatter(net, client, SessionID(2), server, accepted)
        chatter.run(for: .seconds(1))
        net.perform(client, [.offer(SessionID(2), [RemoteCandidate(.direct(near[1]), .host)], sequence: 0)])
        net.perform(server, [.offer(accepted, [RemoteCandidate(.direct(near[0]), .host)], sequence: 0)])
        chatter.run(for: .seconds(2))
        #expect(client.paths.last??.route == .direct(near[1]) && client.paths.last??.kind == .lan)
        #expect(server.paths.last??.route == .direct(near[0]))
        #expect(chatter.arrives(within: .seconds(1)))
    }

    @Test func `a relay alone carries a session, and its death is told within five seconds`() throws {
        let meeting = try #require(meet(directly: false))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        let chatter = Chatter(net, client, meeting.dialled, server, meeting.accepted, size: 400)
        chatter.run(for: .seconds(3))
        #expect(chatter.arrives(within: .seconds(1)))
        net.deadRelays = [meeting.relay.endpoint]
        let start = net.now
        net.perform(client, [.send(meeting.dialled, frames: [[1]])])
        #expect(net.run(for: .seconds(5)) { client.paths.last == .some(nil) })
        #expect(net.now.since(start) < .seconds(5))
        #expect(net.run(for: .seconds(5)) { client.ends == [.pathDied] })
    }

    @Test func `doubt is told once as it begins, before there is said to be no route`() throws {
        let meeting = try #require(meet(directly: true))
        cut(meeting.net, meeting.client, meeting.server, direct: true, relay: true)
        meeting.client.events = []
        meeting.net.perform(meeting.client, [.send(meeting.dialled, frames: [[UInt8](repeating: 7, count: 40)])])
        meeting.net.run(for: .milliseconds(1500))
        #expect(meeting.client.events.count { $0 == .doubt(meeting.dialled) } == 1)
        #expect(!meeting.client.paths.contains(nil))
        meeting.net.run(for: .milliseconds(2000))
        #expect(meeting.client.events.count { $0 == .doubt(meeting.dialled) } == 1)
        #expect(meeting.client.paths.contains(nil))
    }

    @Test func `every datagram fits in what any path carries, through a relay too`() throws {
        let meeting = try #require(meet(directly: false))
        meeting.net.captures = true
        let big = [UInt8](repeating: 3, count: 100_000)
        meeting.net.perform(meeting.client, [.send(meeting.dialled, frames: [big])])
        meeting.net.run(for: .seconds(5)) { meeting.server.frames == [big] }
        #expect(meeting.server.frames == [big])
        #expect(meeting.net.captured.allSatisfy { $0.datagram.bytes.count <= 1232 })
    }

    @Test func `attempts are told when they change, four times a second at most`() throws {
        let net = Net()
        let client = net.node(1)
        var moments: [Instant] = []
        let places = (10..<18).map { Endpoint(address: .v4(0x0A00_0000 | $0), port: 4000) }
        net.perform(client, [.dial(SessionID(2), key: Identity().key, at: places)])
        while client.ends.isEmpty {
            let before = client.events.count
            net.run(for: .milliseconds(5)) { client.events.count > before }
            if case .attempts? = client.events.last, client.events.count > before { moments.append(net.now) }
        }
        #expect(moments.count > 4)
        let gaps = zip(moments, moments.dropFirst()).map { $1.since($0) }
        #expect(gaps.dropLast().allSatisfy { $0 >= .milliseconds(250) })
        #expect(client.attempts.count == 8)
        #expect(Set(client.attempts.map(\.candidate.route.endpoint)) == Set(places))
    }

    @Test func `an idle session costs no datagram and no wake besides its signs of life`() throws {
        let meeting = try #require(meet(directly: true, relayed: false))
        let (net, client, server) = (meeting.net, meeting.client, meeting.server)
        net.run(for: .seconds(60))
        net.captures = true
        let (before, wakes) = (net.captured.count, net.wakes.values.reduce(0, +))
        let told = client.events.count + server.events.count
        net.run(for: .seconds(600))
        // Each ten seconds a keep-alive and its acknowledgement of either side, and three moments of QUIC's timers: the
        // keep-alive, the pause after it, the acknowledgement of the other's.
        let (sent, woken) = (net.captured.count - before, net.wakes.values.reduce(0, +) - wakes)
        #expect(sent <= 4 * 60)
        #expect(woken <= 6 * 60)
        #expect(client.events.count + server.events.count == told)
    }
}
