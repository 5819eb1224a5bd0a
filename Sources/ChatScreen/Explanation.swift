// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// Why a peer is reached as it is, or is not: what the screen's box and the plain lines of `/why` both say.
struct Explanation {
    /// The most lines of a ladder that are shown, and the most characters of each: an engine needs fewer.
    private static let lineLimit = 24
    private static let textLimit = 200

    let path: PathKind?
    let roundTrip: Span?
    let reason: String?
    let ladder: [LadderStep]
    let reach: OwnReach?
    /// The user's index servers that don't answer, and why.
    private let silent: [(server: String, reason: String)]
    private let serverCount: Int

    /// - Parameter servers: the user's index servers, in the order in which they were named.
    init(
        path: PathKind?, roundTrip: Span?, reason: String?, ladder: [LadderStep], reach: OwnReach?,
        servers: [(server: String, status: IndexStatus)] = []
    ) {
        self.path = path
        self.roundTrip = roundTrip
        self.reason = reason
        self.ladder = ladder.prefix(Self.lineLimit).map {
            LadderStep($0.rung, $0.state, String($0.text.prefix(Self.textLimit)))
        }
        self.reach = reach
        serverCount = servers.count
        silent = servers.compactMap { server in
            if case .unreachable(let reason) = server.status { (server.server, reason) } else { nil }
        }
    }

    /// The ways to the peer.
    var steps: [LadderStep] { ladder.filter { $0.rung != .own } }

    /// How the peer is reached right now.
    var present: String {
        switch path {
        case PathKind.none?, nil: reason.map { "no path: \($0)" } ?? "not connected"
        case .plaintext?: "in the open, without a session"
        case let path?: path.words(roundTrip) + (reason.map { ": \($0)" } ?? "")
        }
    }

    /// What is known of this machine's own network, a word and a clause each.
    var own: [(word: String, clause: String)] {
        let known = reach.map(lines) ?? ladder.filter { $0.rung == .own }.map { ($0.rung.title, $0.text) }
        let missing = silent.map { ("index server", "\($0.server) is unreachable: \($0.reason)") }
        return (known + missing).map { ($0.0, String($0.1.prefix(Self.textLimit))) }
    }

    private func lines(_ reach: OwnReach) -> [(String, String)] {
        var lines: [(String, String)] = []
        if reach.isUDPBlocked { lines.append(("UDP", "blocked: everything goes through TLS to a server")) }
        let isUnseen = reach.isUDPBlocked && reach.router == .unknown
        lines.append(("router", isUnseen ? "not to be seen: no UDP comes through" : reach.router.words))
        if let mapped = reach.mapped {
            lines.append(("opened port", "\(mapped)" + (reach.mappedBy.map { " by \($0)" } ?? "")))
        } else if !reach.mappingFailures.isEmpty {
            lines.append(("opened port", "none: " + reach.mappingFailures.joined(separator: "; ")))
        }
        if !reach.seen.isEmpty {
            lines.append(("seen at", reach.seen.map(\.description).joined(separator: ", ")))
        }
        lines.append(("relay", relays(reach)))
        if let passing = reach.passing { lines.append(("passes on", passing.words)) }
        return lines
    }

    /// Who passes on for us; a server that does not answer may be one that would.
    private func relays(_ reach: OwnReach) -> String {
        if !reach.relays.isEmpty { return reach.relays.joined(separator: ", ") }
        guard !silent.isEmpty else { return "none of your index servers passes on" }
        let others = silent.count < serverCount ? "none of those that answer; " : "none right now: "
        return others + "\(silentServers) \(silent.count == 1 ? "does" : "do") not answer"
    }

    private var silentServers: String { silent.map(\.server).joined(separator: " and ") }

    /// What would help, in one sentence.
    var advice: String {
        switch path {
        case .lan?, .direct?, .punched?: return "nothing needs help: packets go straight there"
        case .plaintext?: return "a peer with a key is found behind routers, too; this one has none"
        case .relayed?: return adviceWhenRelayed
        case PathKind.none?, nil: return adviceWhenApart
        }
    }

    private var adviceWhenRelayed: String {
        if hidesUs { return "nothing needs help: relays alone was your choice (--relay-only)" }
        if reach?.isUDPBlocked == true { return "a network that lets UDP through: then a direct way is tried at once" }
        if isTrying { return "wait a moment: direct ways are still being tried" }
        if all(.direct, are: .off) { return "nothing here: the other side tells no address; it may hide it" }
        guard let reach, reach.router == .strict, reach.mapped == nil else {
            return "the other side's network is the harder one: PCP, UPnP, NAT-PMP or IPv6 there"
        }
        return openPort
    }

    private var adviceWhenApart: String {
        if !silent.isEmpty, silent.count == serverCount {
            return "an index server that answers: \(silentServers) \(silent.count == 1 ? "does" : "do") not"
        }
        if all(.index, are: .failed) { return "an index server in common: ask whether it runs, and which it uses" }
        if all(.index, are: .off) { return "an index server: parley --index HOST:PORT" }
        if steps.isEmpty || isTrying { return "wait a moment: it is still being tried" }
        if all(.relay, are: .failed) { return patience }
        if all(.relay, are: .off) || reach?.relays.isEmpty != false {
            let relay = "an index server with --relay that both of you name"
            return hidesUs
                ? relay : "\(relay), a contact who passes on (/set relay on), or IPv6 or an opened port at either side"
        }
        if let reach, reach.router == .strict, reach.mapped == nil { return openPort }
        return patience
    }

    private var patience: String { "nothing here: it seems to be off; what waits goes out when it is back" }
    private var openPort: String { "PCP, UPnP or NAT-PMP switched on in your router, or IPv6" }
    /// Whether it is we who tell no address: then nothing is searched on this network either.
    private var hidesUs: Bool { all(.direct, are: .off) && all(.lan, are: .off) }
    private var isTrying: Bool { steps.contains { $0.state == .trying } }

    /// Whether something is known of a rung, and it is always this.
    private func all(_ rung: LadderStep.Rung, are state: LadderStep.State) -> Bool {
        let found = steps.filter { $0.rung == rung }
        return !found.isEmpty && found.allSatisfy { $0.state == state }
    }
}

extension OwnReach.Router {
    /// The kind of NAT, for people who never heard of one.
    fileprivate var words: String {
        switch self {
        case .unknown: "not known yet"
        case .none: "no translation; whether a firewall lets others in can't be seen from here"
        case .friendly: "friendly: one port for all, so others get through"
        case .strict: "strict: another port for each peer; few get through"
        }
    }
}

extension OwnReach.Passing {
    fileprivate var words: String {
        switch self {
        case .withheld(let reason): "not offered to contacts: \(reason)"
        case .offered(let pairs): "for contacts: \(pairs == 1 ? "1 pair" : "\(pairs) pairs") now"
        }
    }
}

extension PathKind {
    /// How a path is told of in a word and its time: `direct 12 ms`.
    func words(_ roundTrip: Span?) -> String {
        self == .none ? "no path" : rawValue + (roundTrip.map { " \(shown(milliseconds: $0.milliseconds)) ms" } ?? "")
    }

    /// What the word means, for the help; `nil` for those that are no way to a peer's session.
    var meaning: String? {
        switch self {
        case .lan: "on the same network"
        case .direct: "straight there"
        case .punched: "straight there, through routers that both sides opened at once"
        case .relayed: "through a relay, which sees only ciphertext; Alt+W says why"
        case .plaintext, .none: nil
        }
    }
}

/// Milliseconds to three figures at most.
func shown(milliseconds: Double) -> String {
    guard milliseconds.isFinite, milliseconds >= 0 else { return "?" }
    guard milliseconds < 10 else { return String(Int(min(milliseconds, 999_999) + 0.5)) }
    let tenths = Int(milliseconds * 10 + 0.5)
    return "\(tenths / 10).\(tenths % 10)"
}
