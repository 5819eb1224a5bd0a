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

    /// - Parameter options: lines of miniupnpd.conf.
    init(_ options: [String], address: String = "25.0.113.21") throws {
        (inside, place, outside) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
        files = try TemporaryDirectory()
        self.options = options
        try inside.connect(to: place, "eth0", "lan0")
        try place.connect(to: outside, "wan0", "eth0")
        try place.shell(
            """
            ip addr add 192.168.1.1/24 dev lan0; ip addr add \(address)/24 dev wan0
            echo 1 > /proc/sys/net/ipv4/ip_forward
            nft -f - <<'N'
            table inet miniupnpd {
              chain forward { type filter hook forward priority -25; policy accept; jump miniupnpd; }
              chain miniupnpd { }
              chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
              chain prerouting_miniupnpd { }
              chain postrouting { type nat hook postrouting priority 90; policy accept; jump postrouting_miniupnpd; }
              chain postrouting_miniupnpd { }
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

    /// As a restart does.
    func forget() throws { try place.shell("nft flush chain inet miniupnpd prerouting_miniupnpd") }

    /// The ports that lead inside, as the packet filter has them.
    func openPorts() throws -> [String] {
        try place.shell("nft list chain inet miniupnpd prerouting_miniupnpd").split(separator: "\n")
            .filter { $0.contains("dnat") }.map { $0.trimmingCharacters(in: .whitespaces) }
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
        times: MappingTimes = MappingTimes()
    ) throws {
        let reports = reports
        mapper = try place.run {
            let mapper = PortMapper(port: port, router: { router }, times: times) { reports.put($0) }
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
