// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PortMapping
import Testing
import Wire

@testable import parley

/// What the findings mean, in words: no network, no clock, no terminal.
@Suite struct DoctorReportTests {
    private static let own = Endpoint.Address.v4(0xC0A8_0102)
    private static let own6 = Endpoint.Address.v6(0x2A00_0001_0002_0003, 2)
    private static let outer: [Endpoint] = ["25.0.113.21:40000", "25.0.113.21:40001", "25.0.113.22:40000"]
        .compactMap { Endpoint($0) }
    private static let outer6 = Endpoint(address: .v6(0x2A00_0001_0002_0009, 9), port: 40_000)

    /// A server on the Internet that answers.
    private static func server(
        _ seen: Endpoint?, second: Endpoint? = nil, relays: Bool = false, at address: String = "203.0.113.10:50000"
    ) -> DoctorFindings.Server {
        var server = DoctorFindings.Server(name: "index.example")
        server.endpoint = Endpoint(address)
        server.roundTrip = .milliseconds(12)
        (server.seen, server.seenAtSecondPort) = (seen, second)
        server.offers.relays = relays
        return server
    }

    /// One that does not.
    private static func silent(
        takesTCP: Bool, tunnel: DoctorFindings.Tunnel? = nil, relays: Bool = false,
        at address: String = "203.0.113.10:50000"
    ) -> DoctorFindings.Server {
        var server = DoctorFindings.Server(name: "index.example")
        server.endpoint = Endpoint(address)
        (server.acceptsTCP, server.tunnel, server.offers.relays) = (takesTCP, tunnel, relays)
        return server
    }

    /// One that does, but not over UDP.
    private static func tunnelled(relays: Bool = false) -> DoctorFindings.Server {
        silent(takesTCP: true, tunnel: .answers, relays: relays)
    }

    private static func findings(
        _ servers: [DoctorFindings.Server], addresses: [Endpoint.Address] = [own, own6],
        mapping: [MappingProtocol: MappingSurvey] = [:], hearsGroup: Bool = true
    ) -> DoctorFindings {
        var found = DoctorFindings(
            home: "/home/alice/parley", now: WallTime(milliseconds: 1_800_000_000_000),
            screen: .init(isUTF8: true, term: "xterm", size: (80, 24), noColor: false, tmux: nil))
        (found.servers, found.addresses, found.mapping, found.hearsGroup) = (servers, addresses, mapping, hearsGroup)
        return found
    }

    private static let silence: [MappingProtocol: MappingSurvey] = [.pcp: .silent("no answer"), .upnp: .silent("b")]

    // MARK: The kind of router

    @Test(
        arguments: [
            // One port, whoever looks.
            ([server(outer[0], second: outer[0])], DoctorReport.Nat.independent),
            ([server(outer[0]), server(outer[0])], .independent),
            // Another port, or another address, for another one.
            ([server(outer[0], second: outer[1])], .dependent),
            ([server(outer[0]), server(outer[1])], .dependent),
            ([server(outer[0]), server(outer[2])], .dependent),
            ([server(outer[0], second: outer[0]), server(outer[1])], .dependent),
            // One look alone, also if another one is of the other family.
            ([server(outer[0])], .unknown),
            ([server(outer[0]), server(outer6)], .unknown),
            ([server(nil)], .unknown),
            // At an address of our own.
            ([server(Endpoint(address: own, port: 9))], .none),
            ([server(Endpoint(address: own, port: 9)), server(Endpoint(address: own, port: 9))], .none),
            // Of both families it is IPv4's that needs help.
            ([server(Endpoint(address: own6, port: 9)), server(outer[0], second: outer[1])], .dependent),
            ([server(Endpoint(address: own6, port: 9))], .none),
            ([server(Endpoint(address: own6, port: 9)), server(Endpoint(address: own, port: 9))], .none),
            ([server(Endpoint(address: own, port: 9)), server(outer[0])], .dependent),
            // No UDP: what else answers over TCP is no index server.
            ([tunnelled()], .blocked), ([tunnelled(), silent(takesTCP: false)], .blocked),
            ([tunnelled(), server(nil)], .unknown),
            ([silent(takesTCP: true, tunnel: .closed("no TLS"))], .unseen),
            // Nobody looks from outside: no server, a dead one, or those of this machine and network.
            ([], .unseen), ([silent(takesTCP: false)], .unseen),
            ([server(outer[0], at: "127.0.0.1:50000")], .unseen),
            ([server(outer[0], at: "192.168.1.9:50000")], .unseen),
            ([server(outer[0], at: "10.9.8.7:50000")], .unseen), ([server(outer[0], at: "[fd00::1]:50000")], .unseen),
            ([silent(takesTCP: true, at: "172.16.0.1:50000")], .unseen),
        ] as [([DoctorFindings.Server], DoctorReport.Nat)])
    func `what servers see tells the kind of router`(servers: [DoctorFindings.Server], nat: DoctorReport.Nat) {
        #expect(DoctorReport(Self.findings(servers)).nat == nat)
    }

    @Test(
        arguments: [
            (
                [server(Endpoint(address: own, port: 9))], "ok",
                "no translation; whether a firewall lets strangers in can't be seen from here", nil
            ),
            (
                [server(outer[0], second: outer[0])], "ok",
                "one port for all destinations: hole punching works with most", nil
            ),
            (
                [server(outer[0], second: outer[1])], "!",
                "another port for each destination: needs a relay unless the other side is open",
                "switch on PCP, NAT-PMP or UPnP in the router, or forward a UDP port, and give it to --listen"
            ),
            (
                [server(outer[0])], "ok", "there is one; what kind takes a second look from outside",
                "name another --index, or one with a second port"
            ),
            (
                [tunnelled()], "!", "UDP is blocked: everything goes through a tunnel and a relay", "let UDP out"
            ),
            ([server(nil)], "-", "not seen: no index server says where it sees us", nil),
            ([], "-", "not seen: no index server looks at us from outside", nil),
        ] as [([DoctorFindings.Server], String, String, String?)])
    func `each kind of router has its sentence`(
        servers: [DoctorFindings.Server], mark: String, text: String, help: String?
    ) throws {
        let line = try #require(DoctorReport(Self.findings(servers)).lines.first { $0.topic == "router" })
        #expect(
            line
                == .init(mark: try #require(DoctorReport.Mark(rawValue: mark)), topic: "router", text: text, help: help)
        )
    }

    @Test func `the port of the last run is the one to forward`() throws {
        var found = Self.findings([Self.server(Self.outer[0], second: Self.outer[1])])
        found.port = 41_234
        let line = try #require(DoctorReport(found).lines.first { $0.topic == "router" })
        #expect(line.help == "switch on PCP, NAT-PMP or UPnP in the router, or forward UDP port 41234")
    }

    // MARK: How people reach us

    private struct Verdict: CustomTestStringConvertible {
        var servers: [DoctorFindings.Server]
        var mapping: [MappingProtocol: MappingSurvey] = silence
        var hearsGroup = true
        var isRelayOnly = false
        var mapsPorts = true
        var summary: String
        var advice: String?
        var testDescription: String { summary }
    }

    private static let open =
        "switch on PCP, NAT-PMP or UPnP in the router, or forward a UDP port, and give it to --listen"
    private static let relay = "name an index server with --relay"
    private static let direct = "People reach you directly: the router opens a port."
    private static let unless =
        "People reach you directly if no firewall stands between, and after a punch if one does"
    private static let punched = "People reach you directly, through a hole that both sides punch"

    private static let verdicts: [Verdict] = [
        Verdict(
            servers: [], summary: "People on this network reach you; others don't.",
            advice: "name an index server with --index"),
        Verdict(
            servers: [], hearsGroup: false, summary: "Nobody finds you.", advice: "name an index server with --index"),
        Verdict(
            servers: [silent(takesTCP: false)],
            summary: "No index server answers: people on this network reach you; others don't.",
            advice: "check the network and the servers after --index"),
        Verdict(
            servers: [silent(takesTCP: false)], hearsGroup: false,
            summary: "No index server answers: nobody finds you.",
            advice: "check the network and the servers after --index"),
        // Whether there is a firewall was not measured.
        Verdict(
            servers: [server(Endpoint(address: own, port: 9))], summary: "\(unless).",
            advice: "if there is a firewall, let a UDP port in"),
        Verdict(
            servers: [server(Endpoint(address: own, port: 9), relays: true)], summary: "\(unless); else by relay.",
            advice: "if there is a firewall, let a UDP port in"),
        Verdict(
            servers: [server(Endpoint(address: own6, port: 9))], mapping: [.firewall: .answers(nil)],
            summary: "People reach you directly: the router opens its firewall."),
        Verdict(
            servers: [server(Endpoint(address: own6, port: 9))], mapping: [.firewall: .silent("no answer")],
            summary: "\(unless).", advice: "if there is a firewall, let a UDP port in"),
        Verdict(
            servers: [server(outer[0], second: outer[0])], summary: punched + ".",
            advice: "\(relay) for those with whom that fails, or \(open)"),
        Verdict(
            servers: [server(outer[0], second: outer[0], relays: true)], summary: punched + "; else by relay."),
        Verdict(
            servers: [server(outer[0], second: outer[1])], summary: "Only people who are open reach you.",
            advice: "\(open), or \(relay), or have a contact /set relay on"),
        Verdict(
            servers: [server(outer[0], second: outer[1], relays: true)],
            summary: "People reach you by relay, or directly if they are open.", advice: open),
        Verdict(
            servers: [server(outer[0])], summary: "People reach you if the routers allow it.", advice: relay),
        Verdict(
            servers: [server(outer[0], relays: true)], summary: "People reach you, by relay if not directly."),
        Verdict(
            servers: [tunnelled()], summary: "People can't reach you here.", advice: "let UDP out, or \(relay)"),
        Verdict(
            servers: [tunnelled(relays: true)], summary: "People reach you through the relay of index index.example.",
            advice: "let UDP out"),
        Verdict(
            servers: [silent(takesTCP: true, tunnel: .closed("no TLS"), relays: true)],
            summary: "No index server answers: people on this network reach you; others don't.",
            advice: "check the network and the servers after --index"),
        Verdict(
            servers: [server(outer[0], at: "127.0.0.1:50000")],
            summary: "People on this machine and network reach you."),
        // A router that opens a port, by whatever it speaks.
        Verdict(servers: [server(outer[0])], mapping: [.pcp: .answers(nil)], summary: direct),
        Verdict(
            servers: [server(outer[0], second: outer[1])], mapping: [.upnp: .answers(outer[0].address)],
            summary: direct),
        Verdict(servers: [server(outer[0])], mapping: [.natPMP: .answers(outer[0].address)], summary: direct),
        // A firewall that opens for IPv6 helps nobody who has none.
        Verdict(
            servers: [server(outer[0])], mapping: [.firewall: .answers(nil)],
            summary: "People reach you if the routers allow it.", advice: relay),
        // An open port is of no use where no UDP passes.
        Verdict(
            servers: [tunnelled()], mapping: [.pcp: .answers(nil)],
            summary: "People can't reach you here.", advice: "let UDP out, or \(relay)"),
        // Nor behind another router.
        Verdict(
            servers: [server(outer[0], second: outer[0], relays: true)],
            mapping: [.pcp: .answers(nil), .natPMP: .answers(.v4(0x6440_0102))], summary: punched + "; else by relay."),
        // As the options have it.
        Verdict(
            servers: [server(outer[0], second: outer[1], relays: true)], mapping: [:], mapsPorts: false,
            summary: "People reach you by relay, or directly if they are open.",
            advice: "leave out --no-port-mapping, or forward a UDP port, and give it to --listen"),
        Verdict(
            servers: [server(Endpoint(address: own, port: 9), relays: true)], mapping: [:], isRelayOnly: true,
            summary: "People reach you through the relay of index index.example alone, as --relay-only has it."),
        Verdict(
            servers: [tunnelled(relays: true)], mapping: [:], isRelayOnly: true,
            summary: "People reach you through the relay of index index.example alone, as --relay-only has it."),
        Verdict(
            servers: [server(outer[0], relays: true, at: "127.0.0.1:50000")], mapping: [:], isRelayOnly: true,
            summary: "People on this machine and network reach you through the relay of index index.example alone, "
                + "as --relay-only has it."),
        Verdict(
            servers: [server(outer[0], second: outer[0])], mapping: [:], isRelayOnly: true,
            summary: "Nobody reaches you: with --relay-only it takes an index server that relays.",
            advice: "\(relay), or leave out --relay-only"),
        Verdict(
            servers: [silent(takesTCP: false)], mapping: [:], isRelayOnly: true,
            summary: "No index server answers: nobody finds you.",
            advice: "check the network and the servers after --index"),
        Verdict(servers: [], mapping: [:], isRelayOnly: true, summary: "Nobody finds you.", advice: relay),
    ]

    @Test(arguments: verdicts) private func `the end says how people reach us, and what would help`(verdict: Verdict) {
        var found = Self.findings(verdict.servers, mapping: verdict.mapping, hearsGroup: verdict.hearsGroup)
        (found.isRelayOnly, found.mapsPorts) = (verdict.isRelayOnly, verdict.mapsPorts)
        let report = DoctorReport(found)
        #expect(report.summary == verdict.summary)
        #expect(report.advice == verdict.advice)
    }

    // MARK: The router's protocols

    @Test func `each protocol that was asked is named, with what the router said`() {
        let found = Self.findings(
            [],
            mapping: [
                .pcp: .answers(nil), .natPMP: .answers(Self.outer[0].address), .upnp: .silent("nobody answers"),
                .firewall: .answers(nil),
            ])
        let topics = Set(MappingProtocol.allCases.map(\.rawValue))
        let lines = DoctorReport(found).lines.filter { topics.contains($0.topic) }
        #expect(
            lines == [
                .init(mark: .fine, topic: "PCP", text: "the router opens ports"),
                .init(mark: .fine, topic: "NAT-PMP", text: "the router opens ports, at 25.0.113.21"),
                .init(mark: .absent, topic: "UPnP", text: "not there: nobody answers"),
                .init(mark: .fine, topic: "IPv6 firewall", text: "the router opens it by PCP"),
            ])
    }

    @Test func `a firewall that stays closed is told, and one that nobody asked is not`() {
        let closed = DoctorReport(Self.findings([], mapping: [.firewall: .silent("no answer")]))
        #expect(closed.lines.contains { $0.text == "not opened by PCP: no answer" })
        #expect(!DoctorReport(Self.findings([])).lines.contains { $0.topic == "IPv6 firewall" })
    }

    // MARK: The rest

    @Test func `servers, in a line each`() {
        var lost = DoctorFindings.Server(name: "nowhere.invalid")
        lost.failure = "no such name"
        var near = Self.server(Self.outer[0], relays: true)
        near.acceptsTCP = true
        near.roundTrip = .microseconds(300)
        var literal = Self.silent(takesTCP: false)
        literal.name = "203.0.113.10"
        let servers = [
            near, lost, Self.tunnelled(relays: true), Self.tunnelled(),
            Self.silent(takesTCP: true, tunnel: .closed("no TLS")), Self.silent(takesTCP: false), literal,
        ]
        // Each for itself: servers of one name are addresses of one server.
        let lines = servers.flatMap { server in
            DoctorReport(Self.findings([server])).lines.filter { $0.topic == "index" }
        }
        #expect(
            lines.map(\.text) == [
                "index.example: under 1 ms, sees us at 25.0.113.21:40000, relays, takes TCP",
                "nowhere.invalid: no such name",
                "\(Self.place) does not answer over UDP, but through a tunnel (TLS), and relays through it",
                "\(Self.place) does not answer over UDP, but through a tunnel (TLS); it does not relay",
                "\(Self.place) does not answer over UDP; it takes TCP, but no tunnel: no TLS",
                "\(Self.place) does not answer over UDP nor TCP",
                "203.0.113.10:50000 does not answer over UDP nor TCP",
            ])
        #expect(lines.map(\.mark) == [.fine, .broken, .notable, .notable, .broken, .broken, .broken])
    }

    private static let place = "index.example (203.0.113.10:50000)"
    private static let place6 = "[2a00:1:2::10]:50000"

    @Test func `a server of two addresses has a line, and two where they differ`() {
        let both = [Self.server(Self.outer[0]), Self.server(Endpoint(address: Self.own6, port: 9), at: Self.place6)]
        #expect(
            lines(of: both) == [
                .init(
                    mark: .fine, topic: "index",
                    text: "index.example: 12 ms, sees us at 25.0.113.21:40000 and [2a00:1:2:3::2]:9")
            ])
        let dead = [Self.server(Self.outer[0]), Self.silent(takesTCP: false, at: Self.place6)]
        let answer = DoctorReport.Line(
            mark: .fine, topic: "index", text: "\(Self.place): 12 ms, sees us at 25.0.113.21:40000")
        let silence = "index.example (\(Self.place6)) does not answer over UDP nor TCP"
        #expect(lines(of: dead) == [answer, .init(mark: .notable, topic: "index", text: silence)])
        #expect(
            lines(of: dead, addresses: [Self.own]) == [
                answer, .init(mark: .absent, topic: "index", text: silence + ": there is no IPv6 here"),
            ])
        #expect(DoctorReport(Self.findings(dead)).isWell)
        let neither = [Self.silent(takesTCP: false), Self.silent(takesTCP: false, at: Self.place6)]
        #expect(lines(of: neither).map(\.mark) == [.broken])
        #expect(
            DoctorReport(Self.findings([Self.tunnelled(relays: true), Self.tunnelled(relays: true)])).summary
                == "People reach you through the relay of index index.example.")
    }

    private func lines(
        of servers: [DoctorFindings.Server], addresses: [Endpoint.Address] = [own, own6]
    ) -> [DoctorReport.Line] {
        DoctorReport(Self.findings(servers, addresses: addresses)).lines.filter { $0.topic == "index" }
    }

    @Test func `of IPv6 without translation it is said, too`() {
        let both = [
            Self.server(Self.outer[0], second: Self.outer[1]), Self.server(Endpoint(address: Self.own6, port: 9)),
        ]
        #expect(
            DoctorReport(Self.findings(both)).lines.filter { ["router", "IPv6"].contains($0.topic) }.map(\.mark)
                == [.notable, .fine])
    }

    @Test func `what the options switch off is told as such, and nobody is advised to have it`() {
        var found = Self.findings([Self.server(Self.outer[0], second: Self.outer[1], relays: true)], mapping: [:])
        found.mapsPorts = false
        #expect(DoctorReport(found).lines.contains { $0.text == "the router is not asked for one: --no-port-mapping" })
        found.isRelayOnly = true
        let report = DoctorReport(found)
        let off = report.lines.filter { $0.mark == .absent }
        #expect(off.map(\.topic) == ["home", "open port", "multicast"])
        #expect(off.last?.text == "not used: --relay-only")
        #expect(report.lines.first { $0.topic == "router" }?.help == nil)
    }

    @Test(
        arguments: [
            (500 << 20, "500 MiB free", .fine), (99 << 20, "99 MiB free", .notable),
            (1 << 19, "512 KiB free", .broken), (3 << 30, "3 GiB free", .fine), (.max, "17179869183 GiB free", .fine),
        ] as [(UInt64, String, DoctorReport.Mark)])
    func `a full disk is told`(bytes: UInt64, text: String, mark: DoctorReport.Mark) throws {
        var found = Self.findings([])
        found.freeDisk = bytes
        let report = DoctorReport(found)
        let line = try #require(report.lines.first { $0.topic == "disk" })
        #expect(line.text == text)
        #expect(line.mark == mark)
        #expect(report.isWell == (mark != .broken))
    }

    @Test func `a clock that stands in another time is broken, and so is a home that can't be read`() {
        var found = Self.findings([])
        #expect(DoctorReport(found).isWell)
        found.now = WallTime(milliseconds: 0)
        #expect(DoctorReport(found).lines.contains { $0.topic == "clock" && $0.mark == .broken })
        found = Self.findings([])
        found.identity = .bad("not an identity file")
        #expect(!DoctorReport(found).isWell)
    }

    @Test(
        arguments: [
            (true, "xterm", (80, 24), [DoctorReport.Mark.fine, .fine]), (false, "xterm", (80, 24), [.notable, .fine]),
            (true, "dumb", (80, 24), [.fine, .notable]), (true, "xterm", (39, 24), [.fine, .notable]),
            (true, "xterm", (40, 9), [.fine, .notable]), (true, "xterm", nil, [.fine]),
        ] as [(Bool, String, (Int, Int)?, [DoctorReport.Mark])])
    func `the screen's lines`(isUTF8: Bool, term: String, size: (Int, Int)?, marks: [DoctorReport.Mark]) {
        var found = Self.findings([])
        found.screen = .init(
            isUTF8: isUTF8, term: term, size: size.map { (columns: $0.0, rows: $0.1) }, noColor: false, tmux: nil)
        let lines = DoctorReport(found).lines.filter { ["text", "terminal"].contains($0.topic) }
        #expect(lines.map(\.mark) == marks)
    }

    @Test(
        arguments: [
            ("on", 10, nil), ("off", 10, "in ~/.tmux.conf, 'set -s set-clipboard on' lets the chat copy"),
            ("on", 500, "in ~/.tmux.conf, 'set -s escape-time 10' makes the Esc key quick"),
        ] as [(String, Int?, String?)])
    func `what tmux should be told`(clipboard: String, escapeTime: Int?, help: String?) throws {
        var found = Self.findings([])
        found.screen.tmux = .init(version: "3.3a", clipboard: clipboard, escapeTime: escapeTime)
        #expect(try #require(DoctorReport(found).lines.first { $0.topic == "tmux" }).help == help)
    }

    @Test func `what others wrote is shown, and obeyed by no terminal`() {
        var found = Self.findings([], mapping: [.pcp: .silent("\u{1B}[2J\u{202E}no\nanswer")])
        found.servers = [DoctorFindings.Server(name: "a\u{1B}]0;x\u{7}.example")]
        let report = DoctorReport(found)
        let printed = report.text + String(decoding: report.json.encoded(), as: UTF8.self)
        #expect(!printed.unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{202E}" || $0 == "\u{7}" })
        #expect(report.text.split(separator: "\n").contains { $0.contains("not there:") && $0.contains("answer") })
    }

    @Test func `programs are told the same`() {
        let report = DoctorReport(Self.findings([Self.server(Self.outer[0], second: Self.outer[1])]))
        let json = report.json
        #expect(json["ok"] == .bool(true))
        #expect(json["nat"] == .string("destination-dependent"))
        #expect(json["summary"] == .string(report.summary))
        #expect(json["advice"] == .string(report.advice ?? ""))
    }
}
