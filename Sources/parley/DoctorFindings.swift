// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import PortMapping
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
        /// `nil` when none was tried: it answers over UDP, or takes no TCP.
        var tunnel: Tunnel?

        /// Whether it does its work for us, by whichever way.
        var answers: Bool { roundTrip != nil || tunnel == .answers }
    }

    enum Tunnel: Equatable, Sendable {
        case answers
        /// Why there is none: one clause.
        case closed(String)
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
    /// Whether peers are to be reached through relays alone.
    var isRelayOnly = false
    /// Whether the router may be asked to open a port.
    var mapsPorts = true
}

extension DoctorFindings {
    /// Servers beyond this machine and network.
    var outer: [Server] { servers.filter { server in server.endpoint.map { !$0.isNear } ?? false } }
    /// Where those see us.
    var seen: [Endpoint] { outer.flatMap { [$0.seen, $0.seenAtSecondPort].compactMap { $0 } } }
    var relays: [Server] { servers.filter { $0.answers && $0.offers.relays } }

    var relayNames: String {
        let names = relays.map(\.name).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return "the relay of index " + names.joined(separator: ", or of index ")
    }
}

extension DoctorFindings.Server {
    /// Whether the same came of asking it.
    func isLike(_ other: Self) -> Bool {
        (roundTrip == nil) == (other.roundTrip == nil) && tunnel == other.tunnel && acceptsTCP == other.acceptsTCP
            && offers.relays == other.offers.relays && failure == other.failure
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
