// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
@testable import PortMapping
import Support
import Testing

/// Routers that are not there, say nothing, or lie.
@Suite(.timeLimit(.minutes(2)), .enabled(if: NetworkNamespace.isPossible, NetworkNamespace.needs))
struct HostileRouterTests {
    private func machine() throws -> (inside: NetworkNamespace, router: NetworkNamespace) {
        let (inside, router) = (try NetworkNamespace(), try NetworkNamespace())
        try inside.connect(to: router, "eth0", "lan0")
        try inside.shell("ip addr add 192.168.1.2/24 dev eth0; ip route add default via 192.168.1.1")
        try router.shell("ip addr add 192.168.1.1/24 dev lan0; ip route add 239.0.0.0/8 dev lan0")
        return (inside, router)
    }

    @Test func `no router: said at once, and nothing is started`() throws {
        let start = Instant.now
        let mapped = try Mapped(try NetworkNamespace(), router: nil)
        let report = try mapped.next()
        // The first question that nobody answered would take two seconds.
        #expect(Instant.now.since(start).isWithin(.milliseconds(900)))
        #expect(report.mapped == nil)
        #expect(report.failures.values.allSatisfy { $0.contains("no router") } && report.failures.count == 3)
    }

    @Test func `a router that offers nothing is left in peace soon`() throws {
        let (inside, _) = try machine()
        let start = Instant.now
        let report = try Mapped(inside, times: quick).next()
        print("no mapping after \(Int(Instant.now.since(start).milliseconds)) ms: \(report.failures)")
        #expect(Instant.now.since(start).isWithin(.seconds(6)))
        #expect(report.mapped == nil)
    }

    @Test func `a router that swallows everything holds nobody up at the end`() throws {
        let (inside, router) = try machine()
        try router.shell(
            """
            nft add table ip t; nft 'add chain ip t in { type filter hook input priority 0; policy drop; }'
            """)
        let mapped = try Mapped(inside, times: quick)
        // PCP and UPnP are under way; then NAT-PMP, too.
        for wait in [200, 2200] {
            pause(until: .now + .milliseconds(wait))
            let start = Instant.now
            mapped.mapper.networkChanged()
            #expect(Instant.now.since(start).isWithin(.milliseconds(500)), "it waits for nobody")
        }
        let start = Instant.now
        mapped.mapper.stop()
        // A second is the most that the mapper waits; the question that is under way would take two.
        #expect(Instant.now.since(start).isWithin(.milliseconds(1500)))
    }

    /// Answers searches with the address of a description, and requests for it with something else.
    private static let liar = """
        import socket, sys, threading, struct, os
        kind = sys.argv[1]
        lookout = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); lookout.bind(('', 1900))
        lookout.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('239.255.255.250') + socket.inet_aton('192.168.1.1'))
        mapper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); mapper.bind(('', 5351))
        def ssdp():
            s = lookout
            while True:
                d, a = s.recvfrom(2000)
                st = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1'
                if kind == "answers":
                    for i in range(2000): s.sendto(os.urandom(i % 1400 + 1), a)
                    continue
                s.sendto(('HTTP/1.1 200 OK\\r\\nLOCATION: http://192.168.1.1:5000/d\\r\\nST: %s\\r\\n\\r\\n' % st).encode(), a)
        def pmp():
            s = mapper
            while True:
                d, a = s.recvfrom(2000)
                if d[0] == 2 and kind in ('private', 'wrong'):
                    s.sendto(struct.pack('>BBHI', 0, 128 | d[1], 1, 9), a)
                elif kind == 'private':
                    if len(d) == 2: s.sendto(struct.pack('>BBHI4B', 0, 128, 0, 9, 10, 0, 0, 7), a)
                    else: s.sendto(struct.pack('>BBHIHHI', 0, 129, 0, 9, 40000, 40000, 7200), a)
                elif kind == 'wrong':
                    s.sendto(struct.pack('>BBHI4B', 0, 128, 0, 9, 25, 0, 0, 7) if len(d) == 2
                             else struct.pack('>BBHIHHI', 0, 129, 0, 9, 1, 0, 4294967295), a)
                else:
                    for i in range(300): s.sendto(os.urandom(i % 60), a)
        def serve(c):
            try:
                c.recv(4000)
                if kind == 'endless':
                    c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n<root>')
                    while True: c.sendall(b'<device>' * 20000)
                if kind == 'slow':
                    import time
                    for b in b'HTTP/1.1 200 OK\\r\\nContent-Length: 100000\\r\\n\\r\\n': c.send(bytes([b])); time.sleep(1)
                if kind == 'length': c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2147483647\\r\\n\\r\\n' + b'x' * 100000)
                if kind == 'chunks': c.sendall(b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nffffffff\\r\\n' + b'x' * 100000)
                if kind == 'deep': c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n' + b'<a>' * 1000000)
                c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n' + os.urandom(100000))
                c.close()
            except OSError: pass
        l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(('', 5000)); l.listen(50)
        for f in (ssdp, pmp): threading.Thread(target=f, daemon=True).start()
        print('ready', flush=True)
        while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
        """

    @Test func `routers that lie cost neither memory nor time, and give nothing`() async throws {
        let kinds = ["noise", "answers", "endless", "slow", "length", "chunks", "deep", "wrong"]
        let before = try residentBytes()
        try await atOnce(kinds, givesNothing)
        // All of them together.
        let grown = max(0, try residentBytes() - before)
        print("\(kinds.count) liars: \(grown >> 10) KiB more")
        #expect(grown < 8 << 20)
    }

    private func givesNothing(_ kind: String) throws {
        let (inside, router) = try machine()
        let liar = try ChildProcess(router.launcher + ["python3", "-c", HostileRouterTests.liar, kind])
        defer { liar.child.send(9) }
        _ = try liar.line("ready") { $0 == "ready" }
        let start = Instant.now
        let report = try Mapped(inside, times: quick).next(.seconds(15))
        let span = Instant.now.since(start)
        #expect(report.mapped == nil, "\(kind)")
        #expect(span.isWithin(.seconds(4)), "\(kind)")
        print("\(kind): \(Int(span.milliseconds)) ms: \(report.failures)")
    }

    /// UPnP at once, and not for long.
    private var quick: MappingTimes {
        var times = MappingTimes()
        (times.patience, times.upnp) = (.zero, .seconds(3))
        return times
    }

    @Test func `an address that the Internet can't know is none, and the report says why`() throws {
        let (inside, router) = try machine()
        let liar = try ChildProcess(router.launcher + ["python3", "-c", HostileRouterTests.liar, "private"])
        defer { liar.child.send(9) }
        _ = try liar.line("ready") { $0 == "ready" }
        let report = try Mapped(inside, times: quick).next(.seconds(15))
        #expect(report.mapped == nil)
        #expect(report.failures[.natPMP] == "the router is behind another one: its own address is 10.0.0.7")
    }

    private func residentBytes() throws -> Int {
        let text = try ChildProcess.run(["cat", "/proc/\(getpid())/statm"]).out
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}
