// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PortMapping

extension DoctorReport {
    /// How people will reach this machine, and what would help.
    static func verdict(_ found: DoctorFindings, _ nat: Nat) -> (summary: String, advice: String?) {
        guard found.servers.contains(where: \.answers) else { return verdictWithoutServers(found) }
        guard !found.isRelayOnly else { return verdictThroughRelays(found, nat) }
        let (people, relays) = ("People reach you", !found.relays.isEmpty)
        let elseByRelay = relays ? "; else by relay" : ""
        switch nat {
        case .none where opensFirewall(found): return ("\(people) directly: the router opens its firewall.", nil)
        case .none:
            return (
                "\(people) directly if no firewall stands between, and after a punch if one does\(elseByRelay).",
                "if there is a firewall, let \(found.port.map { "UDP port \($0)" } ?? "a UDP port") in"
            )
        case _ where opens(found) && nat != .blocked: return ("\(people) directly: the router opens a port.", nil)
        case .independent:
            return (
                "\(people) directly, through a hole that both sides punch\(elseByRelay).",
                relays ? nil : "\(namingRelay) for those with whom that fails, or \(opening(found))"
            )
        case .dependent where relays:
            return ("\(people) by relay, or directly if they are open.", opening(found))
        case .dependent:
            return (
                "Only people who are open reach you.",
                "\(opening(found)), or \(namingRelay), or have a contact /set relay on"
            )
        case .unknown where relays: return ("\(people), by relay if not directly.", nil)
        case .unknown: return ("\(people) if the routers allow it.", namingRelay)
        case .blocked where relays: return ("\(people) through \(found.relayNames).", "let UDP out")
        case .blocked: return ("People can't reach you here.", "let UDP out, or \(namingRelay)")
        case .unseen: return ("People on this machine and network reach you.", nil)
        }
    }

    private static let namingRelay = "name an index server with --relay"

    /// When no server was named, or none answers.
    private static func verdictWithoutServers(_ found: DoctorFindings) -> (String, String?) {
        let isHeard = found.hearsGroup && !found.isRelayOnly
        guard !found.servers.isEmpty else {
            return (
                isHeard ? "People on this network reach you; others don't." : "Nobody finds you.",
                found.isRelayOnly ? namingRelay : "name an index server with --index"
            )
        }
        let people = isHeard ? "people on this network reach you; others don't" : "nobody finds you"
        return ("No index server answers: \(people).", "check the network and the servers after --index")
    }

    /// With `--relay-only`, once a server answers.
    private static func verdictThroughRelays(_ found: DoctorFindings, _ nat: Nat) -> (String, String?) {
        guard !found.relays.isEmpty else {
            return (
                "Nobody reaches you: with --relay-only it takes an index server that relays.",
                "\(namingRelay), or leave out --relay-only"
            )
        }
        let people = nat == .unseen ? "People on this machine and network" : "People"
        return ("\(people) reach you through \(found.relayNames) alone, as --relay-only has it.", nil)
    }

    /// Whether the router opens ports, and they are where servers see us: not behind another router.
    static func opens(_ found: DoctorFindings) -> Bool {
        let answers = found.mapping.filter { by, survey in
            if by != .firewall, case .answers = survey { true } else { false }
        }
        let told = answers.values.compactMap { if case .answers(let address) = $0 { address } else { nil } }
        let seen = found.seen.filter { !$0.isV6 }.map(\.address)
        return !answers.isEmpty && (told.isEmpty || seen.isEmpty || told.contains(where: seen.contains))
    }

    /// Whether the router of IPv6 lets in whom it is told to, and servers see us there.
    private static func opensFirewall(_ found: DoctorFindings) -> Bool {
        guard case .answers = found.mapping[.firewall] else { return false }
        return found.seen.contains(where: \.isV6)
    }

    /// How a port of this machine's could be opened.
    static func opening(_ found: DoctorFindings) -> String {
        let port = found.port.map { "UDP port \($0)" } ?? "a UDP port, and give it to --listen"
        guard found.mapsPorts else { return "leave out --no-port-mapping, or forward \(port)" }
        return "switch on PCP, NAT-PMP or UPnP in the router, or forward \(port)"
    }
}
