// SPDX-License-Identifier: GPL-3.0-or-later
public import Model

/// One line of `/why`: a way to a peer, what came of it and why.
public struct LadderLine: Equatable, Sendable {
    /// In the order in which people think of them.
    public enum Rung: String, CaseIterable, Sendable {
        case index, lan, mapping, direct, punch, relay
        /// What this machine's own network allows.
        case own
    }

    public enum Mark: CaseIterable, Sendable {
        case untried, trying, worked, failed
        /// Switched off, or not offered.
        case off
    }

    public var rung: Rung
    public var mark: Mark
    /// One clause; unsanitised.
    public var text: String

    public init(_ rung: Rung, _ mark: Mark, _ text: String) {
        self.rung = rung
        self.mark = mark
        self.text = text
    }
}

extension LadderLine.Rung {
    /// In twelve columns at most.
    var title: String {
        switch self {
        case .index: "index server"
        case .lan: "same network"
        case .mapping: "opened port"
        case .direct: "direct"
        case .punch: "hole punch"
        case .relay: "relay"
        case .own: "this machine"
        }
    }
}

extension LadderLine.Mark {
    /// In seven columns at most.
    var word: String {
        switch self {
        case .untried: "untried"
        case .trying: "trying"
        case .worked: "ok"
        case .failed: "failed"
        case .off: "off"
        }
    }

    var glyph: Glyph {
        switch self {
        case .untried: .unheard
        case .trying: .ellipsis
        case .worked: .delivered
        case .failed: .failed
        case .off: .dash
        }
    }
}

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
