// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PortMapping
import Wire

/// What was found, as lines.
extension DoctorReport {
    // MARK: This machine

    static func home(_ found: DoctorFindings) -> [Line] {
        var lines: [Line] = []
        switch found.identity {
        case .missing:
            lines.append(Line(mark: .absent, topic: "home", text: "\(found.home): empty; the first start fills it"))
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

    static func screen(_ screen: DoctorFindings.Screen) -> [Line] {
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

    static func network(_ found: DoctorFindings) -> [Line] {
        guard !found.addresses.isEmpty else {
            return [Line(mark: .notable, topic: "network", text: "no address: this machine is on no network")]
        }
        return [
            Line(mark: .fine, topic: "network", text: found.addresses.map { "\($0)" }.joined(separator: ", "))
        ]
    }

    /// A line for each name; for each of its addresses, where they differ in what came of asking them.
    static func servers(_ found: DoctorFindings) -> [Line] {
        var (lines, rest) = ([Line](), found.servers[...])
        while let name = rest.first?.name {
            let addresses = rest.prefix { $0.name == name }
            rest = rest.dropFirst(addresses.count)
            let isSame = addresses.allSatisfy { addresses.first?.isLike($0) ?? true }
            lines += isSame ? [line(Array(addresses))] : addresses.map { line($0, of: Array(addresses), found) }
        }
        return lines
    }

    /// One address of several that differ.
    private static func line(
        _ server: DoctorFindings.Server, of all: [DoctorFindings.Server], _ found: DoctorFindings
    ) -> Line {
        var line = line([server], isOneOfSeveral: true)
        guard !server.answers, all.contains(where: \.answers), let endpoint = server.endpoint else { return line }
        // The others do.
        let isPossible =
            endpoint.isLoopback || found.addresses.contains { Endpoint(address: $0, port: 0).isV6 == endpoint.isV6 }
        (line.mark, line.help) = (isPossible ? .notable : .absent, nil)
        if !isPossible { line.text += ": there is no \(endpoint.isV6 ? "IPv6" : "IPv4") here" }
        return line
    }

    /// Addresses of one name, of which the same is to be said.
    private static func line(_ servers: [DoctorFindings.Server], isOneOfSeveral: Bool = false) -> Line {
        let endpoints = servers.compactMap(\.endpoint)
        guard let server = servers.first, let first = endpoints.first else {
            let (name, failure) = (servers.first?.name ?? "", servers.first?.failure ?? "not found")
            return Line(
                mark: .broken, topic: "index", text: "\(name): \(failure)", help: "check the name after --index")
        }
        let places = endpoints.map { "\($0)" }.joined(separator: ", ")
        let isName = Endpoint(server.name) != first && Endpoint.address(server.name) != first.address
        let full = isName ? "\(server.name) (\(places))" : places
        if let roundTrip = servers.compactMap(\.roundTrip).min() {
            let seen = servers.compactMap(\.seen)
            let traits = [
                milliseconds(roundTrip),
                seen.isEmpty ? nil : "sees us at " + seen.map { "\($0)" }.joined(separator: " and "),
                server.offers.relays ? "relays" : nil, server.acceptsTCP ? "takes TCP" : nil,
            ].compactMap { $0 }
            let name = isName && !isOneOfSeveral ? server.name : full
            return Line(mark: .fine, topic: "index", text: "\(name): \(traits.joined(separator: ", "))")
        }
        switch server.tunnel {
        case .answers:
            return Line(
                mark: .notable, topic: "index",
                text: "\(full) does not answer over UDP, but through a tunnel (TLS)"
                    + (server.offers.relays ? ", and relays through it" : "; it does not relay"),
                help: "the chat tunnels to it")
        case .closed(let reason):
            return Line(
                mark: .broken, topic: "index",
                text: "\(full) does not answer over UDP; it takes TCP, but no tunnel: \(reason)",
                help: "is an index server running there, and the right one?")
        case nil:
            return Line(
                mark: .broken, topic: "index", text: "\(full) does not answer over UDP nor TCP",
                help: "is it running, and let through?")
        }
    }

    private static let untranslated =
        "no translation; whether a firewall lets strangers in can't be seen from here"

    static func routers(_ nat: Nat, _ found: DoctorFindings) -> [Line] {
        var lines = [natLine(nat, found)]
        if found.isRelayOnly { lines[0].help = nat == .blocked ? lines[0].help : nil }
        // What was said is of IPv4.
        if nat != .none, let own = found.seen.first(where: \.isV6), found.addresses.contains(own.address) {
            lines.append(Line(mark: .fine, topic: "IPv6", text: untranslated))
        }
        return lines
    }

    private static func natLine(_ nat: Nat, _ found: DoctorFindings) -> Line {
        switch nat {
        case .none: Line(mark: .fine, topic: "router", text: untranslated)
        case .independent:
            Line(mark: .fine, topic: "router", text: "one port for all destinations: hole punching works with most")
        case .dependent:
            Line(
                mark: .notable, topic: "router",
                text: "another port for each destination: needs a relay unless the other side is open",
                help: opens(found) ? nil : opening(found))
        case .unknown where found.seen.isEmpty:
            Line(mark: .absent, topic: "router", text: "not seen: no index server says where it sees us")
        case .unknown:
            Line(
                mark: .fine, topic: "router", text: "there is one; what kind takes a second look from outside",
                help: "name another --index, or one with a second port")
        case .blocked:
            Line(
                mark: .notable, topic: "router", text: "UDP is blocked: everything goes through a tunnel and a relay",
                help: "let UDP out")
        case .unseen: Line(mark: .absent, topic: "router", text: "not seen: no index server looks at us from outside")
        }
    }

    static func mappings(_ found: DoctorFindings) -> [Line] {
        guard found.mapsPorts, !found.isRelayOnly else {
            let option = found.isRelayOnly ? "--relay-only" : "--no-port-mapping"
            return [Line(mark: .absent, topic: "open port", text: "the router is not asked for one: \(option)")]
        }
        return MappingProtocol.allCases.compactMap { by in
            found.mapping[by].map { survey in
                let isThere = if case .answers = survey { true } else { false }
                return Line(mark: isThere ? .fine : .absent, topic: by.rawValue, text: words(survey, for: by))
            }
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

    static func group(_ found: DoctorFindings) -> Line {
        guard !found.isRelayOnly else {
            return Line(mark: .absent, topic: "multicast", text: "not used: --relay-only")
        }
        return found.hearsGroup
            ? Line(mark: .fine, topic: "multicast", text: "works: peers on this network find each other")
            : Line(
                mark: .notable, topic: "multicast", text: "does not work here",
                help: "peers on this network need an index server, or your address")
    }

    private static func milliseconds(_ span: Span) -> String {
        span < .milliseconds(1) ? "under 1 ms" : "\(Int(span.milliseconds.rounded())) ms"
    }
}

/// A size for people.
func size(_ bytes: UInt64) -> String {
    bytes >= 1 << 30 ? "\(bytes >> 30) GiB" : bytes >= 1 << 20 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
}
