// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
@testable import PortMapping
import Support
import Testing

/// A home router with miniupnpd, a machine behind it, and the Internet before it, in networks of their own.
final class Router: Sendable {
    static let isPossible =
        NetworkNamespace.isPossible
        && (try? ChildProcess.run(["bash", "-c", "command -v miniupnpd && command -v nft"]).status) == .exited(0)
    static let needs: Comment = "a router needs root, nftables and miniupnpd"

    let inside: NetworkNamespace
    let outside: NetworkNamespace
    let place: NetworkNamespace
    private let files: TemporaryDirectory
    private let options: [String]

    static let address = Endpoint.Address.v4(0x1900_7115)  // 25.0.113.21
    static let lan = Endpoint.Address.v4(0xC0A8_0101)
    static let lan6 = Endpoint.Address.v6(0xFE80_0000_0000_0000, 1)

    /// Of IPv6, the machine behind the router, and one before it.
    static let own6 = "2a00:1:2:1::2"
    static let outside6 = "2a00:1:2::1"

    /// - Parameters:
    ///   - options: lines of miniupnpd.conf.
    ///   - hasPCP: whether the router hears PCP: miniupnpd has it wherever it has NAT-PMP.
    init(_ options: [String], address: String = "25.0.113.21", hasPCP: Bool = true) throws {
        (inside, place, outside) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
        files = try TemporaryDirectory()
        self.options = options
        try inside.connect(to: place, "eth0", "lan0")
        try place.connect(to: outside, "wan0", "eth0")
        try place.shell(
            """
            ip addr add 192.168.1.1/24 dev lan0; ip addr add \(address)/24 dev wan0
            echo 1 > /proc/sys/net/ipv4/ip_forward
            echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
            nft -f - <<'N'
            table inet miniupnpd {
              chain forward { type filter hook forward priority -25; policy accept; jump miniupnpd
                meta nfproto ipv6 iifname "wan0" ct state new drop; }
              chain miniupnpd { }
              chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
              chain prerouting_miniupnpd { }
              chain postrouting { type nat hook postrouting priority 90; policy accept; jump postrouting_miniupnpd; }
              chain postrouting_miniupnpd { }
              chain own { type filter hook input priority 0; policy accept;
                \(hasPCP ? "" : "udp dport 5351 @th,64,8 2 reject"); }
            }
            N
            """)
        try inside.shell("ip addr add 192.168.1.2/24 dev eth0; ip route add default via 192.168.1.1")
        try outside.shell("ip addr add 25.0.113.1/24 dev eth0")
    }

    /// Starts the router's program, with no memory of an earlier run.
    func serve() throws -> ChildProcess {
        let lines =
            options + [
                "ext_ifname=wan0", "listening_ip=lan0", "http_port=5000", "secure_mode=yes", "system_uptime=no",
                "min_lifetime=1",
                "uuid=dc80e74d-8654-4b07-a7fb-5e8afa028aa1", "upnp_table_name=miniupnpd",
                "upnp_nat_table_name=miniupnpd",
                "upnp_forward_chain=miniupnpd", "upnp_nat_chain=prerouting_miniupnpd",
                "upnp_nat_postrouting_chain=postrouting_miniupnpd", "allow 1024-65535 192.168.1.0/24 1024-65535",
                "deny 0-65535 0.0.0.0/0 0-65535",
            ]
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: files.file("conf"), atomically: true, encoding: .utf8)
        try forget()
        let daemon = try ChildProcess(
            place.launcher + ["miniupnpd", "-d", "-f", files.file("conf"), "-P", files.file("pid")])
        // NAT-PMP's port, or the one of descriptions.
        let ports = [("enable_natpmp=yes", "14E7"), ("enable_upnp=yes", "1388")].filter { options.contains($0.0) }
        for (_, port) in ports {
            try place.shell("until cat /proc/net/udp /proc/net/tcp* | grep -q ':\(port) '; do sleep 0.02; done")
        }
        return daemon
    }

    /// As a router that was switched off.
    func forget() throws { try place.shell("nft flush chain inet miniupnpd prerouting_miniupnpd") }

    /// The ports that lead inside, as the packet filter has them.
    func openPorts() throws -> [String] {
        try place.shell("nft list chain inet miniupnpd prerouting_miniupnpd").split(separator: "\n")
            .filter { $0.contains("dnat") }.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// IPv6 on both sides: the router is at a link-local address, and the machine has one that it got for private use,
    /// too.
    func addIPv6() throws {
        try place.shell(
            """
            ip addr add 2a00:1:2:1::1/64 dev lan0 nodad; ip addr add fe80::1/64 dev lan0 nodad
            ip addr add 2a00:1:2::21/64 dev wan0 nodad
            """)
        try inside.shell(
            """
            ip addr add fd00:1::2/64 dev eth0 nodad; ip addr add \(Router.own6)/64 dev eth0 nodad
            ip route add default via fe80::1 dev eth0
            # Towards fe80::1 the system prefers its link-local address, as soon as it may be used.
            while ip -6 addr show dev eth0 | grep -q tentative; do sleep 0.02; done
            """)
        try outside.shell(
            "ip addr add \(Router.outside6)/64 dev eth0 nodad; ip route add 2a00:1:2:1::/64 via 2a00:1:2::21")
    }

    /// What the firewall lets in, as the packet filter has it.
    func openings() throws -> [String] {
        try place.shell("nft list chain inet miniupnpd miniupnpd").split(separator: "\n")
            .filter { $0.contains("accept") }.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// Waits until so many ports lead inside.
    func hasOpenPorts(_ count: Int, _ limit: Span = .seconds(5)) throws -> Bool {
        let end = Instant.now + limit
        while try openPorts().count != count {
            guard Instant.now < end else { return false }
            pause(until: .now + .milliseconds(20))
        }
        return true
    }
}

/// A mapper on the machine behind the router, and what it told.
final class Mapped: Sendable {
    let mapper: PortMapper
    private let reports = Reports()

    final class Reports: @unchecked Sendable {
        private let condition = NSCondition()
        private var list: [MappingReport] = []
        private var taken = 0

        func put(_ report: MappingReport) {
            condition.lock()
            list.append(report)
            condition.broadcast()
            condition.unlock()
        }

        /// The next one that fits.
        func next(_ limit: Span, where fits: (MappingReport) -> Bool) -> MappingReport? {
            condition.lock()
            defer { condition.unlock() }
            let end = Date(timeIntervalSinceNow: limit.seconds)
            while true {
                while taken < list.count {
                    taken += 1
                    if fits(list[taken - 1]) { return list[taken - 1] }
                }
                guard condition.wait(until: end) else { return nil }
            }
        }
    }

    init(
        _ place: NetworkNamespace, port: UInt16 = 40_000, router: Endpoint.Address? = Router.lan,
        router6: Endpoint.Address? = nil, secret: String = "secret of ours", times: MappingTimes = MappingTimes()
    ) throws {
        let reports = reports
        mapper = try place.run {
            let routers = Routers(v4: router, v6: router6, zone: router6 == nil ? 0 : if_nametoindex("eth0"))
            let mapper = PortMapper(
                port: port, routers: { routers }, secret: { Array("\(secret) \($0)".utf8) }, times: times
            ) { reports.put($0) }
            mapper.start()
            return mapper
        }
    }

    deinit { mapper.stop() }

    func next(_ limit: Span = .seconds(10), where fits: (MappingReport) -> Bool = { _ in true }) throws -> MappingReport
    {
        guard let report = reports.next(limit, where: fits) else {
            throw ChildProcess.Missing(description: "no report")
        }
        return report
    }
}
