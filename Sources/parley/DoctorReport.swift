// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PortMapping
import SafeText
import Wire

/// What `parley doctor` found out.
struct DoctorFindings: Sendable {
    enum File: Equatable, Sendable {
        case missing
        case fine(String)
        case bad(String)
    }

    struct Server: Sendable {
        var name: String
        var endpoint: Endpoint?
        /// Why it has no endpoint.
        var failure: String?
        var roundTrip: Span?
        /// Where it sees us; the same from its second port.
        var seen: Endpoint?
        var seenAtSecondPort: Endpoint?
        var offers = ServerOffers()
        var acceptsTCP = false
    }

    struct Tmux: Sendable {
        var version: String
        var clipboard: String
        var escapeTime: Int?
    }

    struct Screen: Sendable {
        var isUTF8: Bool
        var term: String?
        /// `nil` when standard output is no terminal.
        var size: (columns: Int, rows: Int)?
        var noColor: Bool
        var tmux: Tmux?
    }

    var home: String
    var identity = File.missing
    var history = File.missing
    /// Bytes; `nil` when nobody knows.
    var freeDisk: UInt64?
    var now: WallTime
    var screen: Screen
    var addresses: [Endpoint.Address] = []
    var servers: [Server] = []
    /// What a second program on this network, here ourselves, hears of a call to all.
    var hearsGroup = false
    var mapping: [MappingProtocol: MappingSurvey] = [:]
    /// The UDP port of the last run.
    var port: UInt16?
}

/// What the findings mean: lines, and how people will reach this machine.
struct DoctorReport: Equatable {
    enum Mark: String {
        case fine = "ok"
        case notable = "!"
        case broken = "x"
    }

    struct Line: Equatable {
        var mark: Mark
        var topic: String
        var text: String
        /// What would help.
        var help: String?
    }

    /// What the routers on the way make of the one UDP port (RFC 4787, §4.1).
    enum Nat: String {
        /// The servers see an address of this machine.
        case none
        /// One address and port for all destinations.
        case independent = "endpoint-independent"
        case dependent = "destination-dependent"
        /// There was one observation alone.
        case unknown
        case blocked = "UDP blocked"
        /// All servers are on this machine or network, or there is none.
        case unseen = "not seen from outside"
    }

    private(set) var lines: [Line] = []
    let nat: Nat
    let summary: String
    let advice: String?

    /// Whether nothing is broken.
    var isWell: Bool { !lines.contains { $0.mark == .broken } }

    init(_ found: DoctorFindings) {
        nat = Nat(found)
        (summary, advice) = DoctorReport.verdict(found, nat)
        lines = DoctorReport.home(found) + DoctorReport.screen(found.screen)
        lines += DoctorReport.network(found) + found.servers.flatMap(DoctorReport.server)
        lines += [DoctorReport.natLine(nat, found)] + DoctorReport.mappings(found) + [DoctorReport.group(found)]
    }

    // MARK: This machine

    private static func home(_ found: DoctorFindings) -> [Line] {
        var lines: [Line] = []
        switch found.identity {
        case .missing:
            lines.append(Line(mark: .fine, topic: "home", text: "\(found.home): empty; the first start fills it"))
        case .fine(let text): lines.append(Line(mark: .fine, topic: "home", text: "\(found.home): \(text)"))
        case .bad(let reason): lines.append(Line(mark: .broken, topic: "home", text: reason))
        }
        switch found.history {
        case .missing: break
        case .fine(let text): lines.append(Line(mark: .fine, topic: "history", text: text))
        case .bad(let reason): lines.append(Line(mark: .broken, topic: "history", text: reason))
        }
        if let free = found.freeDisk {
            let text = "\(size(free)) free"
            let line: Line =
                free < 1 << 20
                ? Line(mark: .broken, topic: "disk", text: text, help: "messages can't be kept; make room")
                : Line(mark: free < 100 << 20 ? .notable : .fine, topic: "disk", text: text)
            lines.append(line)
        }
        // Before this program was written.
        if found.now.civil().year < 2026 {
            lines.append(
                Line(
                    mark: .broken, topic: "clock", text: "it says \(found.now.rfc3339)",
                    help: "set it: peers refuse records of another time"))
        }
        return lines
    }

    private static func screen(_ screen: DoctorFindings.Screen) -> [Line] {
        var lines = [
            screen.isUTF8
                ? Line(mark: .fine, topic: "text", text: "UTF-8")
                : Line(
                    mark: .notable, topic: "text", text: "the locale is not UTF-8",
                    help: "set LANG to one that is, such as C.UTF-8, or use --ascii")
        ]
        let term = screen.term ?? ""
        if let size = screen.size {
            let isSmall = size.columns < 40 || size.rows < 10
            lines.append(
                Line(
                    mark: isSmall || term.isEmpty || term == "dumb" ? .notable : .fine, topic: "terminal",
                    text: "\(term.isEmpty ? "TERM is not set" : term), \(size.columns)x\(size.rows)"
                        + (screen.noColor ? ", without colour" : ""),
                    help: isSmall ? "40x10 or more shows everything" : term == "dumb" ? "use --plain" : nil))
        }
        if let tmux = screen.tmux {
            let helps = [
                tmux.clipboard == "on" ? nil : "'set -s set-clipboard on' lets the chat copy",
                tmux.escapeTime.map { $0 <= 50 } == true ? nil : "'set -s escape-time 10' makes the Esc key quick",
            ].compactMap { $0 }
            lines.append(
                Line(
                    mark: helps.isEmpty ? .fine : .notable, topic: "tmux", text: "version \(tmux.version)",
                    help: helps.isEmpty ? nil : "in ~/.tmux.conf, " + helps.joined(separator: ", and ")))
        }
        return lines
    }

    // MARK: The network

    private static func network(_ found: DoctorFindings) -> [Line] {
        guard !found.addresses.isEmpty else {
            return [Line(mark: .notable, topic: "network", text: "no address: this machine is on no network")]
        }
        return [
            Line(mark: .fine, topic: "network", text: found.addresses.map { "\($0)" }.joined(separator: ", "))
        ]
    }

    private static func server(_ server: DoctorFindings.Server) -> [Line] {
        guard let endpoint = server.endpoint else {
            return [
                Line(
                    mark: .broken, topic: "index", text: "\(server.name): \(server.failure ?? "not found")",
                    help: "check the name after --index")
            ]
        }
        guard let roundTrip = server.roundTrip else {
            let text = "\(server.name) (\(endpoint)) does not answer over UDP"
            return [
                server.acceptsTCP
                    ? Line(
                        mark: .notable, topic: "index", text: "\(text), but takes TCP", help: "the chat tunnels to it")
                    : Line(
                        mark: .broken, topic: "index", text: "\(text) nor TCP", help: "is it running, and let through?")
            ]
        }
        let traits = [
            "\(milliseconds(roundTrip))", server.seen.map { "sees us at \($0)" }, server.offers.relays ? "relays" : nil,
            server.acceptsTCP ? "takes TCP" : nil,
        ].compactMap { $0 }
        return [Line(mark: .fine, topic: "index", text: "\(server.name): \(traits.joined(separator: ", "))")]
    }

    private static func natLine(_ nat: Nat, _ found: DoctorFindings) -> Line {
        switch nat {
        case .none: Line(mark: .fine, topic: "router", text: "none between: this machine has an address of its own")
        case .independent:
            Line(mark: .fine, topic: "router", text: "one port for all destinations: hole punching works with most")
        case .dependent:
            Line(
                mark: .notable, topic: "router",
                text: "another port for each destination: needs a relay unless the other side is open",
                help: opening(found))
        case .unknown:
            Line(
                mark: .fine, topic: "router", text: "there is one; what kind takes a second look from outside",
                help: "name another --index, or one with a second port")
        case .blocked:
            Line(
                mark: .notable, topic: "router", text: "UDP is blocked: everything goes through a tunnel and a relay",
                help: "let UDP out")
        case .unseen: Line(mark: .fine, topic: "router", text: "not seen: no index server looks at us from outside")
        }
    }

    private static func mappings(_ found: DoctorFindings) -> [Line] {
        MappingProtocol.allCases.compactMap { by in
            found.mapping[by].map { Line(mark: .fine, topic: by.rawValue, text: words($0, for: by)) }
        }
    }

    private static func words(_ survey: MappingSurvey, for by: MappingProtocol) -> String {
        switch survey {
        case .answers where by == .firewall: "the router opens it by PCP"
        case .answers(let address?): "the router opens ports, at \(address)"
        case .answers(nil): "the router opens ports"
        case .silent(let reason) where by == .firewall: "not opened by PCP: \(reason)"
        case .silent(let reason): "not there: \(reason)"
        }
    }

    private static func group(_ found: DoctorFindings) -> Line {
        found.hearsGroup
            ? Line(mark: .fine, topic: "multicast", text: "works: peers on this network find each other")
            : Line(
                mark: .notable, topic: "multicast", text: "does not work here",
                help: "peers on this network need an index server, or your address")
    }

    // MARK: The verdict

    private static func opens(_ found: DoctorFindings) -> Bool {
        found.mapping.contains { by, survey in
            if by != .firewall, case .answers = survey { true } else { false }
        }
    }

    private static func opening(_ found: DoctorFindings) -> String {
        let port = found.port.map { "UDP port \($0)" } ?? "a UDP port, and give it to --listen"
        return "switch on UPnP or NAT-PMP in the router, or forward \(port)"
    }

    private static func verdict(_ found: DoctorFindings, _ nat: Nat) -> (String, String?) {
        let answering = found.servers.filter { $0.roundTrip != nil }
        let relays = answering.contains { $0.offers.relays }
        let relay = "name an index server with --relay"
        switch nat {
        case _ where found.servers.isEmpty:
            return (
                found.hearsGroup ? "People on this network reach you; others don't." : "Nobody finds you.",
                "name an index server with --index"
            )
        case .unseen where answering.isEmpty:
            return (
                found.hearsGroup
                    ? "No index server answers: people on this network reach you; others don't."
                    : "No index server answers: nobody finds you.",
                "check the network and the servers after --index"
            )
        case .none: return ("People reach you directly.", nil)
        case _ where opens(found) && nat != .blocked:
            return ("People reach you directly: the router opens a port.", nil)
        case .independent:
            return (
                "People reach you directly, through a hole that both sides punch\(relays ? "; else by relay" : "").",
                relays ? nil : "\(relay) for those with whom that fails, or \(opening(found))"
            )
        case .dependent:
            return (
                relays
                    ? "People reach you by relay, or directly if they are open."
                    : "Only people who are open reach you.",
                opening(found) + (relays ? "" : ", or \(relay)")
            )
        case .unknown:
            return (
                "People reach you\(relays ? ", by relay if not directly" : " if the routers allow it").",
                relays ? nil : relay
            )
        case .blocked:
            return (
                relays ? "People reach you by relay." : "People can't reach you here.",
                relays ? "let UDP out" : "let UDP out, or \(relay)"
            )
        case .unseen: return ("People on this machine and network reach you.", nil)
        }
    }

    // MARK: Output

    /// What is printed for people.
    var text: String {
        let width = lines.map(\.topic.count).max() ?? 0
        let rows = lines.map { line in
            let topic = line.topic + String(repeating: " ", count: width - line.topic.count)
            let mark = line.mark == .fine ? "ok" : " " + line.mark.rawValue
            let help = line.help.map { "\n   " + String(repeating: " ", count: width + 2) + clean("-> \($0)") } ?? ""
            return "\(mark)  \(topic)  \(clean(line.text))\(help)"
        }
        return (rows + ["", clean(summary)] + (advice.map { [clean("What would help: \($0).")] } ?? []))
            .joined(separator: "\n") + "\n"
    }

    /// What is printed for programs.
    var json: JSONObject {
        var object: JSONObject = [
            "ok": .bool(isWell), "nat": .string(nat.rawValue), "summary": .string(clean(summary)),
            "checks": .array(
                lines.map { line in
                    var check: JSONObject = [
                        "topic": .string(line.topic), "mark": .string(line.mark.rawValue),
                        "text": .string(clean(line.text)),
                    ]
                    check["help"] = line.help.map { .string(clean($0)) }
                    return .object(check)
                }),
        ]
        object["advice"] = advice.map { .string(clean($0)) }
        return object
    }

    private func clean(_ text: String) -> String { DisplayText(text).string }

    private static func milliseconds(_ span: Span) -> String {
        span < .milliseconds(1) ? "under 1 ms" : "\(Int(span.milliseconds.rounded())) ms"
    }
}

/// A size for people.
func size(_ bytes: UInt64) -> String {
    bytes >= 1 << 30 ? "\(bytes >> 30) GiB" : bytes >= 1 << 20 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
}

extension DoctorReport.Nat {
    init(_ found: DoctorFindings) {
        let outer = found.servers.filter { server in server.endpoint.map { !$0.isNear } ?? false }
        let observed = outer.flatMap { [$0.seen, $0.seenAtSecondPort].compactMap { $0 } }
        guard let first = observed.first else {
            let isBlocked = outer.contains { $0.acceptsTCP } && outer.allSatisfy { $0.roundTrip == nil }
            self = isBlocked ? .blocked : outer.contains { $0.roundTrip != nil } ? .unknown : .unseen
            return
        }
        if found.addresses.contains(first.address) {
            self = .none
        } else {
            let family = observed.filter { $0.address.isV4 == first.address.isV4 }
            self = family.count < 2 ? .unknown : Set(family).count == 1 ? .independent : .dependent
        }
    }
}

extension Endpoint {
    /// Whether it is on this machine or network, where no router is between: loopback, link-local, or private.
    fileprivate var isNear: Bool {
        switch address {
        case .v4(let bits):
            isLoopback || bits >> 24 == 10 || bits >> 20 == 0xAC1 || bits >> 16 == 0xC0A8 || bits >> 16 == 0xA9FE
        case .v6(let high, _): isLoopback || high >> 57 == 0x7E || high >> 54 == 0x3FA
        }
    }
}

extension Endpoint.Address {
    fileprivate var isV4: Bool { if case .v4 = self { true } else { false } }
}
