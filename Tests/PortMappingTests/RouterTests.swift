// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
@testable import PortMapping
import Support
import Testing

/// Against miniupnpd, a router's program that many homes have.
@Suite(.timeLimit(.minutes(2)), .enabled(if: Router.isPossible, Router.needs)) struct RouterTests {
    private static let protocols = [MappingProtocol.pcp, .natPMP, .upnp]

    private static func lines(_ by: MappingProtocol) -> [String] {
        ["enable_natpmp=\(by == .upnp ? "no" : "yes")", "enable_upnp=\(by == .upnp ? "yes" : "no")"]
    }

    private static func router(_ by: MappingProtocol) throws -> Router { try Router(lines(by), hasPCP: by == .pcp) }

    private let outside = Endpoint(address: Router.address, port: 40_000)

    @Test func `the port leads inside, is renewed, and goes at the end`() async throws {
        try await atOnce(RouterTests.protocols, leadsInside)
    }

    private func leadsInside(_ by: MappingProtocol) throws {
        let router = try RouterTests.router(by)
        let daemon = try router.serve()
        defer { daemon.child.send(9) }
        let start = Instant.now
        var times = MappingTimes()
        (times.lease, times.shortest, times.patience) = (.seconds(4), .seconds(1), .zero)
        let mapped = try Mapped(router.inside, times: times)
        let report = try mapped.next { $0.mapped != nil }
        print("\(by.rawValue): mapped after \(Int(Instant.now.since(start).milliseconds)) ms")
        #expect(report.mapped == outside, "\(by)")
        #expect(report.by == by)
        #expect(try router.openPorts().allSatisfy { $0.contains("40000") && $0.contains("192.168.1.2") }, "\(by)")
        #expect(try router.hasOpenPorts(1), "\(by)")
        // What comes from outside arrives.
        let listener = try ChildProcess(
            router.inside.launcher + ["bash", "-c", "timeout 5 tcpdump -l -n -i eth0 -c 1 udp port 40000 2>&1"])
        _ = try listener.line("listening") { $0.contains("listening on") }
        try router.outside.shell("echo hello > /dev/udp/25.0.113.21/40000")
        #expect(try listener.line("a packet") { $0.contains("25.0.113.1.") }.text.contains("192.168.1.2.40000"))
        // Longer than the lease, and than the router takes to notice its end.
        pause(until: start + .milliseconds(6500))
        #expect(try router.openPorts().count == 1, "\(by)")
        let stop = Instant.now
        mapped.mapper.stop()
        #expect(Instant.now.since(stop).isWithin(.milliseconds(1500)), "\(by)")
        // What was not taken back would be there for two seconds at least, until its lease ends.
        #expect(try router.hasOpenPorts(0, .milliseconds(1500)), "\(by)")
    }

    @Test func `all protocols are there: a survey maps nothing, and then there is one mapping, at once`() throws {
        let router = try Router(["enable_natpmp=yes", "enable_upnp=yes"])
        try router.addIPv6()
        let daemon = try router.serve()
        defer { daemon.child.send(9) }
        let found = try router.inside.run {
            let routers = Routers(v4: Router.lan, v6: Router.lan6, zone: if_nametoindex("eth0"))
            return PortMapper.survey(routers: { routers }, limit: .seconds(6))
        }
        #expect(
            found == [
                .pcp: .answers(nil), .natPMP: .answers(Router.address), .upnp: .answers(Router.address),
                .firewall: .answers(nil),
            ])
        #expect(try router.openPorts().isEmpty)
        #expect(try router.openings().isEmpty)
        let start = Instant.now
        var times = MappingTimes()
        times.patience = .milliseconds(100)
        let mapped = try Mapped(router.inside, times: times)
        #expect(try mapped.next() == MappingReport(mapped: outside, by: .pcp))
        #expect(Instant.now.since(start).isWithin(.seconds(1)))
        // UPnP would have searched and given by now.
        pause(until: start + .milliseconds(1700))
        #expect(try router.openPorts().count == 1)
    }

    @Test func `the firewall of IPv6 opens for the address that the Internet knows, and closes at the end`() throws {
        let router = try Router(RouterTests.lines(.pcp))
        try router.addIPv6()
        let daemon = try router.serve()
        defer { daemon.child.send(9) }
        let listener = try ChildProcess(
            router.inside.launcher + ["bash", "-c", "timeout 8 tcpdump -l -n -i eth0 -c 1 udp port 40000 2>&1"])
        _ = try listener.line("listening") { $0.contains("listening on") }
        // Closed, unasked.
        try router.outside.shell("echo early > /dev/udp/\(Router.own6)/40000")
        let mapped = try Mapped(router.inside, router6: Router.lan6)
        #expect(try mapped.next { $0.mapped != nil } == MappingReport(mapped: outside, by: .pcp))
        let end = Instant.now + .seconds(3)
        while try router.openings().count < 2, Instant.now < end { pause(until: .now + .milliseconds(20)) }
        try router.outside.shell("echo hello6 > /dev/udp/\(Router.own6)/40000")
        #expect(try listener.line("a packet") { $0.contains("IP6") }.text.hasSuffix("length 7"))
        mapped.mapper.stop()
        #expect(try router.openings() == [])
    }

    @Test func `a router that was restarted is asked again`() async throws {
        try await atOnce(RouterTests.protocols, isAskedAgain)
    }

    private func isAskedAgain(_ by: MappingProtocol) throws {
        let router = try RouterTests.router(by)
        let first = try router.serve()
        var times = MappingTimes()
        (times.check, times.again, times.patience) = (.seconds(1), .seconds(1), .zero)
        let mapped = try Mapped(router.inside, times: times)
        #expect(try mapped.next { $0.mapped != nil }.by == by)
        // The clock of one that was restarted sooner has hardly gone back: NAT-PMP forgives two seconds.
        pause(until: .now + .seconds(5))
        first.child.send(9)
        _ = first.wait()
        try router.forget()
        #expect(try router.openPorts().isEmpty, "\(by)")
        let second = try router.serve()
        defer { second.child.send(9) }
        let start = Instant.now
        #expect(try router.hasOpenPorts(1, .seconds(25)), "\(by)")
        print("\(by.rawValue): asked again after \(Int(Instant.now.since(start).milliseconds)) ms")
        mapped.mapper.stop()
        #expect(try router.hasOpenPorts(0), "\(by)")
    }

    @Test func `a port that another machine has is passed over`() throws {
        let router = try Router(RouterTests.lines(.upnp))
        let daemon = try router.serve()
        defer { daemon.child.send(9) }
        var times = MappingTimes()
        times.patience = .zero
        let neighbour = try Mapped(router.inside, times: times)
        #expect(try neighbour.next { $0.mapped != nil }.mapped == outside)
        try router.inside.shell(
            "ip addr flush dev eth0; ip addr add 192.168.1.3/24 dev eth0; ip route add default via 192.168.1.1")
        let second = try Mapped(router.inside, times: times)
        let report = try second.next { $0.mapped != nil }
        #expect(report.mapped?.address == Router.address)
        #expect(report.mapped?.port != 40_000)
    }
}
