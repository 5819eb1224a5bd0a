// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
@testable import PortMapping
import Support
import Testing

/// A router that speaks PCP, well or ill.
@Suite(.timeLimit(.minutes(2)), .enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
struct PCPRouterTests {
    /// A machine behind a router whose program answers PCP in one of several ways, and says what it was asked.
    private final class Site: Sendable {
        let inside: NetworkNamespace
        private let router: NetworkNamespace
        private let program: ChildProcess

        init(_ kind: String) throws {
            (inside, router) = (try NetworkNamespace(), try NetworkNamespace())
            try inside.connect(to: router, "eth0", "lan0")
            try inside.shell("ip addr add 192.168.1.2/24 dev eth0; ip route add default via 192.168.1.1")
            try router.shell("ip addr add 192.168.1.1/24 dev lan0; ip route add 239.0.0.0/8 dev lan0")
            program = try ChildProcess(router.launcher + ["python3", "-uc", Site.source, kind])
            _ = try program.line("ready") { $0 == "ready" }
        }

        deinit { program.child.send(9) }

        /// The next request for a mapping, as `lifetime nonce port address:port-outside client`.
        func request() throws -> [String] {
            try program.line("a request") { $0.hasPrefix("map ") }.text.split(separator: " ").dropFirst().map(
                String.init)
        }

        func requests(_ count: Int) throws -> [[String]] { try (0..<count).map { _ in try request() } }

        private static let source = """
            import socket, struct, sys, threading, time, os
            kind = sys.argv[1]
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 5351))
            other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); other.bind(('', 0))
            outside = socket.inet_aton('10.0.0.7' if kind == 'private' else '0.0.0.0' if kind == 'offline' else '25.0.113.21')
            start, lost, owner = time.time(), 0, None
            print('ready')
            def endless(d, a):
                while True:
                    try: s.sendto(d, a)
                    except OSError: pass
            while True:
                d, a = s.recvfrom(2000)
                if kind == 'deaf' and lost < 2: lost += 1; continue
                if d[0] != 2:
                    # NAT-PMP is offered by the old one alone.
                    if kind != 'old': s.sendto(struct.pack('>BBHI', 0, 128 | d[1], 2, 9), a)
                    elif len(d) == 2: s.sendto(struct.pack('>BBHI', 0, 128, 0, 9) + outside, a)
                    else: s.sendto(struct.pack('>BBHIHHI', 0, 129, 0, 9, *struct.unpack('>HH', d[4:8]), 7200), a)
                    continue
                if kind == 'old': s.sendto(struct.pack('>BBHI', 0, 128 | d[1], 1, 9), a); continue
                if kind == 'draft': s.sendto(b'\\1' + bytes([0x80 | d[1]]) + d[2:3] + b'\\1' + d[4:], a); continue
                life, = struct.unpack('>I', d[4:8])
                epoch = int(time.time() - start) + (0 if kind == 'forgetful' and lost else 1000)
                lost += 1
                head = lambda op, code, life: struct.pack('>BBBBII12x', 2, 128 | op, 0, code, life, epoch)
                if d[1] == 0: s.sendto(head(0, 0, 0), a); continue
                nonce, (port, wish) = d[24:36], struct.unpack('>HH', d[40:44])
                print('map', life, nonce.hex(), port, socket.inet_ntoa(d[56:60]) + ':%d' % wish, socket.inet_ntoa(d[20:24]))
                grant = 2 if kind == 'short-lived' and life else 0 if kind == 'no-time' else life
                code = dict(mismatch=12, refuses=2, full=8, strange=77).get(kind, 0)
                if kind == 'strict': owner = owner or nonce; code = 0 if nonce == owner else 2
                given = (wish or port) + (kind == 'elsewhere')
                r = lambda op=1, nonce=nonce, port=port: (head(op, code, grant) + nonce + struct.pack('>B3xHH', 17, port, given)
                    + b'\\0' * 10 + b'\\xff\\xff' + outside)
                if kind == 'length': [s.sendto((r() + bytes(60000))[:n], a) for n in (0, 1, 3, 24, 56, 59, 61, 1104, 60000)]
                elif kind == 'others':
                    # For another mapping, another port, by another operation, a request, and from elsewhere.
                    for n in (r(nonce=os.urandom(12)), r(port=port ^ 1), r(op=0), r(op=2), r(op=127), d): s.sendto(n, a)
                    other.sendto(r(), a)
                elif kind == 'endless': threading.Thread(target=endless, args=(r(nonce=bytes(12)), a), daemon=True).start()
                else: s.sendto(r(), a)
            """
    }

    private static let elsewhere = Endpoint(address: Router.address, port: 40_001)
    private static let outside = Endpoint(address: Router.address, port: 40_000)

    @Test func `a mapping is asked for by our own address, renewed by its nonce with its own port, and ended by it`()
        throws
    {
        let site = try Site("short-lived")
        var times = MappingTimes()
        times.shortest = .zero
        let mapped = try Mapped(site.inside, times: times)
        #expect(try mapped.next() == MappingReport(mapped: Self.outside, by: .pcp))
        let asked = try site.requests(3)
        let nonce = asked[0][1]
        #expect(asked[0] == ["7200", nonce, "40000", "0.0.0.0:40000", "192.168.1.2"])
        #expect(nonce.count == 24 && Set(nonce).count > 3)
        for renewal in asked.dropFirst() {
            #expect(renewal == ["7200", nonce, "40000", "25.0.113.21:40000", "192.168.1.2"])
        }
        let stop = Instant.now
        mapped.mapper.stop()
        #expect(Instant.now.since(stop) < .milliseconds(900))
        var last = try site.request()
        while last[0] != "0" { last = try site.request() }
        #expect(last == ["0", nonce, "40000", "0.0.0.0:0", "192.168.1.2"])
    }

    @Test func `another port than the one wished for is ours, and wished for again`() throws {
        let site = try Site("elsewhere")
        let mapped = try Mapped(site.inside)
        #expect(try mapped.next() == MappingReport(mapped: Self.elsewhere, by: .pcp))
        #expect(try site.request()[3] == "0.0.0.0:40000")
        mapped.mapper.networkChanged()
        #expect(try site.request()[3] == "0.0.0.0:40001")
    }

    @Test func `two lost questions are repeated in time`() throws {
        let site = try Site("deaf")
        let start = Instant.now
        let report = try Mapped(site.inside).next()
        #expect(report == MappingReport(mapped: Self.outside, by: .pcp))
        #expect(Instant.now.since(start) < .milliseconds(1500))
    }

    @Test func `a router with NAT-PMP alone is asked by it at once`() throws {
        let site = try Site("old")
        let start = Instant.now
        let report = try Mapped(site.inside).next()
        #expect(report.mapped == Self.outside)
        #expect(report.by == .natPMP)
        #expect(report.failures == [.pcp: "the router speaks another version"])
        #expect(Instant.now.since(start) < .milliseconds(500))
    }

    @Test func `a router whose clock went back is asked again`() throws {
        let site = try Site("forgetful")
        var times = MappingTimes()
        times.check = .seconds(1)
        let mapped = try Mapped(site.inside, times: times)
        _ = try mapped.next()
        let asked = try site.requests(2)
        #expect(asked[0][1] == asked[1][1])
        #expect(asked[1][3] == "25.0.113.21:40000")
    }

    /// What was killed takes nothing back, and its mapping holds for hours.
    @Test func `a router that lets nobody else near a mapping knows us after a crash, and nobody with another secret`()
        throws
    {
        let site = try Site("strict")
        func report(_ secret: String) throws -> MappingReport {
            try Mapped(site.inside, secret: secret).next { $0.mapped != nil || $0.failures[.pcp] != nil }
        }
        for _ in 0..<2 {
            #expect(try report("one who was here before") == MappingReport(mapped: Self.outside, by: .pcp))
        }
        #expect(try report("another").failures[.pcp] == "the router refuses it")
    }

    /// What comes of asking for a mapping once.
    private func outcome(at site: Site) throws -> MappingOutcome? {
        try site.inside.run {
            let nonce = PCP.Nonce(high: 0x0102_0304, low: 0x0506_0708_090A_0B0C)
            let wish = PCPExchange.Question.map(wish: Endpoint(address: .v4(0), port: 40_000), lease: 7200)
            let exchange = PCPExchange(wish, port: 40_000, nonce: nonce, router: Router.lan, zone: 0, now())
            guard let exchange else { return nil }
            while true {
                if let outcome = exchange.step(now()) { return outcome }
                var ready = pollfd(fd: exchange.descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&ready, 1, timeout(until: exchange.wake(now())))
            }
        }
    }

    @Test func `a router that answers ill gives nothing, and one that refuses says why`() async throws {
        let reasons = [
            ("length", "no answer"), ("others", "no answer"), ("endless", "no answer"),
            ("no-time", "the router gave no port"), ("offline", "the router itself has no connection"),
            ("mismatch", "another router is between: what arrives there has not our address"),
            ("refuses", "the router refuses it"), ("full", "the router has no port left"),
            ("strange", "the router refuses it (error 77)"), ("draft", "the router speaks another version"),
        ]
        try await atOnce(reasons) { kind, reason in
            let site = try Site(kind)
            let start = Instant.now
            #expect(try outcome(at: site) == .failed(reason), "\(kind)")
            #expect(Instant.now.since(start).isWithin(.milliseconds(2500)), "\(kind)")
        }
    }

    @Test func `a router that answers well gives a port and a time`() throws {
        #expect(try outcome(at: Site("well")) == .mapped(Self.outside, lease: .seconds(7200)))
        #expect(try outcome(at: Site("elsewhere")) == .mapped(Self.elsewhere, lease: .seconds(7200)))
    }

    @Test func `where nobody gives a port the report says why`() async throws {
        let reasons = [
            ("endless", "no answer"), ("private", "the router is behind another one: its own address is 10.0.0.7"),
            ("mismatch", "another router is between: what arrives there has not our address"),
        ]
        var times = MappingTimes()
        times.patience = .zero
        try await atOnce(reasons) { [times] kind, reason in
            let site = try Site(kind)
            let start = Instant.now
            let mapped = try Mapped(site.inside, times: times)
            let report = try mapped.next(.seconds(12))
            #expect(report.mapped == nil, "\(kind)")
            #expect(report.failures[.pcp] == reason)
            #expect(report.failures[.natPMP] == "the router refuses it", "\(kind)")
            #expect(Instant.now.since(start).isWithin(.seconds(5)), "\(kind)")
            let stop = Instant.now
            mapped.mapper.stop()
            #expect(Instant.now.since(stop) < .seconds(1), "\(kind)")
        }
    }
}
