// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How a router opened a port.
public enum MappingProtocol: String, Sendable {
    case natPMP = "NAT-PMP"
    case upnp = "UPnP"
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
