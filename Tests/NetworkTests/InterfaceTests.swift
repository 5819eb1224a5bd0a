// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Model
@testable import Network
import Queues
import Reactor
import Support
import Testing

/// What is told of addresses, routes and sleep.
@Suite(.timeLimit(.minutes(1))) struct InterfaceTests {
    private func raw(_ text: String, interface: UInt32 = 2, flags: UInt8 = 0) throws -> cp_interface {
        var raw = cp_interface()
        raw.interface = interface
        raw.flags = flags
        switch try #require(Endpoint.address(text)) {
        case .v4(let bits): (raw.family, raw.low, raw.prefix_length) = (4, UInt64(bits), 24)
        case .v6(let high, let low): (raw.family, raw.high, raw.low, raw.prefix_length) = (6, high, low, 64)
        }
        if text == "127.0.0.1" || text == "::1" { raw.is_loopback = 1 }
        return raw
    }

    private func texts(_ raw: [cp_interface], outside: Set<UInt32> = []) -> [String] {
        InterfaceAddress.selected(raw, outside: outside).map { "\($0.address)" }
    }

    @Test func `of a network's IPv6 addresses the lasting one counts, and a temporary one where it is alone`() throws {
        let temporary = UInt8(cp_address_temporary)
        let addresses = [
            try raw("2001:db8::1", flags: temporary), try raw("2001:db8::2"),
            try raw("2001:db8:0:1::1", flags: temporary), try raw("2001:db8::3", interface: 3, flags: temporary),
            try raw("2001:db8::4", flags: 0x20), try raw("2001:db8::5", flags: 0x40),
            try raw("2001:db8::6", flags: 0x08),
            try raw("127.0.0.1"), try raw("::1"),
        ]
        #expect(texts(addresses) == ["2001:db8::2", "2001:db8:0:1::1", "2001:db8::3"])
    }

    @Test func `those by which packets leave come first, and sixteen are enough`() throws {
        let many = try (0..<40).map { try raw("10.0.\($0).1", interface: UInt32($0) + 10) }
        let selected = texts(many, outside: [49])
        #expect(selected.count == 16)
        #expect(selected.first == "10.0.39.1")
    }

    @Test(arguments: [
        ("192.168.1.1", "192.168.1.200", true), ("192.168.1.1", "192.168.2.1", false),
        ("2001:db8::1", "2001:db8::ffff:1", true), ("2001:db8::1", "2001:db8:0:1::1", false),
        ("192.168.1.1", "2001:db8::1", false),
    ])
    func `neighbours share the front of the address`(own: String, other: String, isNeighbour: Bool) throws {
        let address = try #require(InterfaceAddress.selected([try raw(own)], outside: []).first)
        #expect(address.isNeighbour(try #require(Endpoint.address(other))) == isNeighbour)
    }

    @Test func `this machine's addresses are none of loopback or link`() {
        for address in InterfaceAddress.all {
            #expect(!Endpoint(address: address.address, port: 1).isLoopback)
            if case .v6(let high, _) = address.address { #expect(high >> 54 != 0x3FA) }
        }
    }

    // MARK: In a network of one's own

    /// Two interfaces that are down, each with a cable to something that is up.
    private let two = """
        ip link add eth0 type veth peer name end0; ip link set end0 up
        ip link add eth1 type veth peer name end1; ip link set end1 up
        """

    private struct Watched {
        let thread: LoopThread
        let watch: InterfaceWatch
        let inbox = Inbox<NetworkChange>()

        /// - Parameter asleep: what the watch is told of the time that the machine slept.
        init(_ place: NetworkNamespace, asleep: @escaping @Sendable () -> UInt64 = { 0 }) async throws {
            (thread, watch) = try place.run { (try LoopThread(), InterfaceWatch(timeAsleep: asleep)) }
            await thread.run { [watch, inbox] loop in watch.start(on: loop) { inbox.put([$0]) } }
        }

        func addresses() async -> [String] {
            guard case .addresses(let addresses)? = await inbox.take(1).first else { return ["not told"] }
            return addresses.map { "\($0.address)/\($0.prefixLength)" }
        }
    }

    @Test(.enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
    func `every change of addresses and of the default route is told, and nothing else`() async throws {
        let place = try NetworkNamespace()
        try place.shell(two)
        let watched = try await Watched(place)
        #expect(watched.watch.addresses == [])
        try place.shell("ip link set eth0 up; ip addr add 192.168.7.2/24 dev eth0")
        #expect(await watched.addresses() == ["192.168.7.2/24"])
        let start = Instant.now
        try place.shell("ip -6 addr add 2001:db8:7::2/64 dev eth0 nodad")
        #expect(await watched.addresses() == ["192.168.7.2/24", "2001:db8:7::2/64"])
        #expect(Instant.now.since(start).isWithin(.seconds(1)))
        try place.shell("ip route add default via 192.168.7.1")
        #expect(await watched.addresses().count == 2)
        // The router is another one: the addresses may be the same, but the network is not.
        try place.shell("ip route change default via 192.168.7.254")
        #expect(await watched.addresses().count == 2)
        try place.shell("ip link set eth1 up; ip addr add 127.0.0.9/8 dev lo; ip route add 10.9.0.0/16 via 192.168.7.9")
        try place.shell("ip link set eth0 down")
        #expect(await watched.addresses() == [])
        #expect(watched.watch.addresses == [])
        await watched.thread.run { [watch = watched.watch] in watch.stop(on: $0) }
    }

    @Test(.enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
    func `a network that never settles is looked at ten times a second`() async throws {
        let place = try NetworkNamespace()
        try place.shell(two + "; ip link set eth0 up")
        let watched = try await Watched(place)
        let turns = Lock(0)
        await watched.thread.run { loop in loop.onTurn { turns.withLock { $0 += 1 } } }
        let start = Instant.now
        let script = (0..<1000).map { "addr add 10.\($0 / 250).\($0 % 250).1/24 dev eth0" }.joined(separator: "\n")
        try place.shell("ip -batch - <<'E'\n\(script)\nE\nip addr add 10.200.0.1/24 dev eth0")
        let span = Instant.now.since(start)
        _ = await watched.inbox.take(1)
        // Two turns for a look: one to start the wait, one at its end; and one for the job that asks.
        let allowed = 2 * (Int(span.milliseconds) / 100 + 2) + 2
        #expect(turns.withLock { $0 } <= allowed)
    }

    @Test(.enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
    func `sleep is told when the watch wakes, once, and a clock that was set is none`() async throws {
        let place = try NetworkNamespace()
        try place.shell(two)
        let asleep = Lock<UInt64>(500_000_000_000)
        let watched = try await Watched(place) { asleep.withLock { $0 } }
        asleep.withLock { $0 += 900_000_000 }
        try place.shell("ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0")
        #expect(await watched.addresses() == ["10.0.0.1/24"])
        asleep.withLock { $0 += 30_000_000_000 }
        try place.shell("ip addr add 10.0.1.1/24 dev eth0")
        #expect(await watched.inbox.take(1) == [.slept(.milliseconds(30_900))])
        #expect(await watched.addresses().count == 2)
        try place.shell("ip addr add 10.0.2.1/24 dev eth0")
        #expect(await watched.addresses().count == 3)
    }

    @Test func `the time asleep is the system's, and a jump of the clock can be waited for`() {
        let jumps = cp_clock_jumps()
        #expect(jumps >= 0)
        var ready = pollfd(fd: jumps, events: Int16(POLLIN), revents: 0)
        #expect(cp_poll(&ready, 1, 0) == 0)
        let tenYears = Span.seconds(10 * 365 * 86_400)
        #expect(Span(nanoseconds: cp_time_asleep()) < tenYears)
        close(jumps)
    }
}
