// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// How others can reach this machine, as far as that is known.
public struct OwnReach: Equatable, Sendable {
    /// What stands between this machine and the others (RFC 4787, §4.1).
    public enum Router: Sendable {
        case unknown
        /// Nothing translates addresses.
        case none
        /// The same outer port whoever is written to.
        case friendly
        /// Another port for each other side.
        case strict
    }

    public var router: Router
    /// Where servers see this machine.
    public var seen: [Endpoint]
    /// A port that the router opened, and who gave it.
    public var mapped: Endpoint?
    public var mappedBy: String?
    /// Why it opened none: a clause for each protocol.
    public var mappingFailures: [String]
    /// The servers that pass on for us, as the user wrote them.
    public var relays: [String]
    /// Whether only TLS comes through.
    public var isUDPBlocked: Bool
    /// Whether contacts reach each other through this machine; `nil` when the user does not want that.
    public var passing: Passing?

    public enum Passing: Equatable, Sendable {
        /// Not yet; one clause.
        case withheld(String)
        /// So many pairs of them right now.
        case offered(pairs: Int)
    }

    public init(
        router: Router = .unknown, seen: [Endpoint] = [], mapped: Endpoint? = nil, mappedBy: String? = nil,
        mappingFailures: [String] = [], relays: [String] = [], isUDPBlocked: Bool = false,
        passing: Passing? = nil
    ) {
        self.router = router
        self.seen = seen
        self.mapped = mapped
        self.mappedBy = mappedBy
        self.mappingFailures = mappingFailures
        self.relays = relays
        self.isUDPBlocked = isUDPBlocked
        self.passing = passing
    }

    /// Whether neither side's first packet may get through to this machine, nor a relay help.
    var isStranded: Bool { router == .strict && mapped == nil && relays.isEmpty && !isUDPBlocked }
}
