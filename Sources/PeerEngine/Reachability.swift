// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// What is known of how others can reach this machine.
public struct Reachability: Equatable, Sendable {
    /// Where a server sees us.
    public struct Sighting: Equatable, Sendable {
        /// The server as the user wrote it.
        public var server: String
        public var endpoint: Endpoint

        public init(_ server: String, _ endpoint: Endpoint) {
            self.server = server
            self.endpoint = endpoint
        }
    }

    /// How the router between us and the others maps our port (RFC 4787, §4.1).
    public enum Mapping: String, Sendable {
        case unknown
        /// Nothing maps: we are seen at an address of our own.
        case none
        /// To the same outer port whomever we write to, so that a hole punched for one is open for another.
        case endpointIndependent
        /// To another port for each other side: only whoever we write to can be reached back.
        case destinationDependent
    }

    /// What is offered to contacts that can't reach each other.
    public enum Passing: Equatable, Sendable {
        /// The user does not want it.
        case off
        /// Not everybody would get through to us; one clause.
        case withheld(String)
        /// So many pairs use it.
        case offered(pairs: Int)
    }

    /// In the order in which the servers were named; those that see nothing are missing.
    public var seen: [Sighting] = []
    public var mapping = Mapping.unknown
    /// A port that the router opened, and who gave it.
    public var mapped: Endpoint?
    public var mappedBy: String?
    /// Why no port was opened, one clause for each protocol that was tried.
    public var mappingFailures: [String] = []
    /// Servers at which we are registered and which pass on, by the names that the user wrote.
    public var relays: [String] = []
    /// Whether a server is reached only through a tunnel, since no UDP comes through.
    public var udpBlocked = false
    /// Whether contacts reach each other through us.
    public var passing = Passing.off
    /// Of this machine's interfaces, without loopback.
    public var addresses: [Endpoint.Address] = []

    public init() {}
}

extension Reachability.Mapping {
    /// Judges by where different others see one port.
    /// - Parameters:
    ///   - own: addresses of this machine.
    ///   - servers: where servers see us, at one port of theirs or two.
    ///   - peers: where peers say that they see us; only a word about an address that a server sees, too, counts, since
    ///     on the same network there is no router between.
    static func judge(own: [Endpoint.Address], servers: [Endpoint], peers: [Endpoint]) -> Self {
        guard !servers.isEmpty else { return .unknown }
        if servers.allSatisfy({ $0.isLoopback || own.contains($0.address) }) { return .none }
        var (isSame, differs) = (false, false)
        for address in Set(servers.map(\.address)) {
            let ports = (servers + peers).filter { $0.address == address }.map(\.port)
            if Set(ports).count > 1 { differs = true } else if ports.count > 1 { isSame = true }
        }
        // Two outer addresses of one family: a router that has several and gives each destination its own.
        let families = Dictionary(grouping: Set(servers.map(\.address))) { $0.isV4 }
        if families.values.contains(where: { $0.count > 1 }) { differs = true }
        return differs ? .destinationDependent : isSame ? .endpointIndependent : .unknown
    }
}

extension Endpoint.Address {
    var isV4: Bool { if case .v4 = self { true } else { false } }
}
