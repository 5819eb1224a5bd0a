// SPDX-License-Identifier: GPL-3.0-or-later
import Model
@testable import Network
import Queues
import Reactor
import Support
import Testing
import Wire

/// Finding each other on one network, in networks of the tests' own.
@Suite(.timeLimit(.minutes(1)), .enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
struct LanPortTests {
    /// A program on a machine: its one port, and what it hears of the group.
    private struct Program {
        let thread: LoopThread
        let port: DatagramPort
        let lan: LanPort
        let heard = Inbox<Datagram>()
        let received = Inbox<DatagramEvent>()

        init(_ place: NetworkNamespace, listen: String = "0") async throws {
            let address = try #require(ListenAddress(listen))
            (thread, port, lan) = try place.run {
                (try LoopThread(), try DatagramPort(address, reportsUnreachable: true), try LanPort())
            }
            await thread.run { [lan, heard, port, received] loop in
                lan.receive(on: loop) { heard.put($0) }
                port.receive(on: loop) { received.put($0) }
            }
        }

        /// Sends to the group; the interfaces are those of the loop's thread.
        func call(_ text: String) async -> Int {
            await thread.run { [port] _ in port.sendToGroup(Array(text.utf8)) }
        }

        func next() async -> (text: String, from: Endpoint)? {
            await heard.take(1).first.map { (String(decoding: $0.bytes, as: UTF8.self), $0.endpoint) }
        }
    }

    /// Two machines on one network.
    private func neighbours() throws -> (NetworkNamespace, NetworkNamespace) {
        let (near, far) = (try NetworkNamespace(), try NetworkNamespace())
        try near.connect(to: far, "eth0", "eth0")
        try near.shell("ip addr add 192.168.9.1/24 dev eth0")
        // Further than the network itself it must not go.
        try far.shell(
            """
            ip addr add 192.168.9.2/24 dev eth0
            nft add table ip t; nft 'add chain ip t in { type filter hook prerouting priority 0; }'
            nft add rule ip t in ip daddr 239.255.77.77 ip ttl != 1 drop
            """)
        return (near, far)
    }

    @Test(arguments: ["0", "0.0.0.0:0", "192.168.9.1:0"])
    func `a call from the one port is heard on the other machine, and answered there`(listen: String) async throws {
        let (near, far) = try neighbours()
        let (caller, callee) = (try await Program(near, listen: listen), try await Program(far))
        #expect(await caller.call("who is there?") == 1)
        let (text, source) = try #require(await callee.next())
        #expect(text == "who is there?")
        #expect(source == Endpoint("192.168.9.1:\(caller.port.local.port)"))
        _ = callee.port.send([Datagram([7], source)])
        let answer = await caller.received.take(1)
        let answerer = try #require(Endpoint("192.168.9.2:\(callee.port.local.port)"))
        #expect(answer == [.received(Datagram([7], answerer))])
    }

    @Test func `several programs on a machine hear it, the caller's own too`() async throws {
        let (near, far) = try neighbours()
        let caller = try await Program(near)
        let listeners = [caller, try await Program(near), try await Program(far), try await Program(far)]
        #expect(await caller.call("x") == 1)
        for listener in listeners { #expect(await listener.next()?.text == "x") }
    }

    @Test func `a machine without a network has its own programs for neighbours`() async throws {
        let place = try NetworkNamespace()
        let (caller, other) = (try await Program(place), try await Program(place))
        #expect(await caller.call("x") == 1)
        let (text, source) = try #require(await other.next())
        #expect(text == "x")
        #expect(source == .loopback(caller.port.local.port))
    }

    @Test func `every interface is called on, and a port of one address calls on that alone`() async throws {
        let (near, far) = try neighbours()
        let other = try NetworkNamespace()
        try near.connect(to: other, "eth1", "eth0")
        try near.shell("ip addr add 10.1.1.1/24 dev eth1; ip addr add 10.1.1.3/24 dev eth1")
        try other.shell("ip addr add 10.1.1.2/24 dev eth0")
        let listeners = [try await Program(far), try await Program(other)]
        let open = try await Program(near)
        #expect(await open.call("x") == 2)
        for (listener, source) in zip(listeners, [Endpoint.Address.v4(0xC0A8_0901), .v4(0x0A01_0101)]) {
            #expect(await listener.next()?.from.address == source)
        }
        let bound = try await Program(near, listen: "10.1.1.3:0")
        #expect(await bound.call("y") == 1)
        #expect(await listeners[1].next()?.from == bound.port.local)
        let closed = try await Program(near, listen: "127.0.0.1:0")
        #expect(await closed.call("z") == 0)
    }

    @Test func `a network that comes later is joined, and one that went and came back`() async throws {
        let (near, far) = (try NetworkNamespace(), try NetworkNamespace())
        let (caller, callee) = (try await Program(near), try await Program(far))
        // What was joined on interfaces that are gone counts, too, until it is left.
        try far.shell("echo 3 > /proc/sys/net/ipv4/igmp_max_memberships")
        for round in 1...5 {
            try near.connect(to: far, "eth0", "eth0")
            try near.shell("ip addr add 192.168.9.1/24 dev eth0")
            try far.shell("ip addr add 192.168.9.2/24 dev eth0")
            let hasJoined = await callee.thread.run { [lan = callee.lan] _ in lan.join() }
            #expect(hasJoined)
            #expect(await caller.call("\(round)") == 1)
            #expect(await callee.next()?.text == "\(round)")
            try near.shell("ip link del eth0")
        }
    }

    @Test func `a flood in the group leaves the loop its turns, and the next call is heard`() async throws {
        let (near, far) = try neighbours()
        let (caller, callee) = (try await Program(near), try await Program(far))
        let isDone = Lock(false)
        let flood = Task {
            while !isDone.withLock({ $0 }) { for _ in 0..<100 { _ = await caller.call("junk") } }
        }
        for _ in 0..<200 { await callee.thread.run { _ in } }
        isDone.withLock { $0 = true }
        await flood.value
        // What stood in the queue when it was full is lost; who looks for a peer asks again.
        let heard = Lock(0)
        let retries = Task {
            for number in 1...20 where heard.withLock({ $0 }) == 0 {
                _ = await caller.call("after \(number)")
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        while let text = await callee.next()?.text, !text.hasPrefix("after") {}
        heard.withLock { $0 = 1 }
        await retries.value
        #expect(!Task.isCancelled)
    }
}
