// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How a router opened a port.
public enum MappingProtocol: String, CaseIterable, Sendable {
    case pcp = "PCP"
    case natPMP = "NAT-PMP"
    case upnp = "UPnP"
    /// PCP once more, to the router of IPv6: nothing is mapped there, a firewall is opened.
    case firewall = "IPv6 firewall"
}

/// Octets, 12 at least, for a mapping at a router: the same whenever it is asked for, after a crash too, since a router
/// refuses everybody who has others until the lease ends; and such that nobody else on the network guesses them (RFC
/// 6887, §11.2).
public typealias MappingSecret = @Sendable (_ mapping: String) -> [UInt8]

/// The routers of the default routes.
public struct Routers: Equatable, Sendable {
    /// `nil` without one.
    public var v4: Endpoint.Address?
    public var v6: Endpoint.Address?
    /// The number of the interface where IPv6's is found: its address is often link-local.
    public var zone: UInt32

    public init(v4: Endpoint.Address? = nil, v6: Endpoint.Address? = nil, zone: UInt32 = 0) {
        (self.v4, self.v6, self.zone) = (v4, v6, zone)
    }
}

/// What came of asking the router for a port.
public struct MappingReport: Equatable, Sendable {
    /// The address and port that lead here from outside, and who gave them; `nil` when nobody did.
    public var mapped: Endpoint?
    public var by: MappingProtocol?
    /// For each protocol that was tried in vain, why: one clause.
    public var failures: [MappingProtocol: String]

    public init(mapped: Endpoint? = nil, by: MappingProtocol? = nil, failures: [MappingProtocol: String] = [:]) {
        self.mapped = mapped
        self.by = by
        self.failures = failures
    }
}
