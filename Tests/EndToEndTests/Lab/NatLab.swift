// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing

/// A small internet with an index server's place and two sides behind gateways, as long as this lives: a lab of
/// `Tests/Lab/natlab.sh`, where every kind, option and verb is explained.
final class NatLab: Sendable {
    /// What a side is behind.
    enum Kind: String, CaseIterable, Sendable {
        case open, firewall
        case fullCone = "full-cone"
        case addressRestricted = "address-restricted"
        case portRestricted = "port-restricted"
        case symmetric
        case symmetricRandom = "symmetric-random"
        case doubleNAT = "double-nat"
        case udpBlocked = "udp-blocked"
        case upnp
    }

    enum Option: String, Sendable { case reject, hairpin, isolate, v6, offline }

    /// Where a program may live: on side A, side B, beside A, at the index servers' place, at a place of its own.
    enum Node: String, Sendable { case a, b, c, ga, idx, v, inet }

    /// Whether this machine lets us make one.
    static let isPossible =
        geteuid() == 0
        && ["ip", "nft", "conntrack", "nsenter", "miniupnpd"].allSatisfy { program in
            ((Child.environment["PATH"] ?? "") + ":/usr/sbin:/sbin").split(separator: ":").contains {
                access("\($0)/\(program)", X_OK) == 0
            }
        }
    static let needs: Comment = "a NAT laboratory needs root, iproute2, nftables, conntrack and miniupnpd"

    private static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Lab/natlab.sh").path
    private static let made = Guarded(0)

    private let name: String
    private let options: Set<Option>

    init(_ a: Kind, _ b: Kind, _ options: Set<Option> = []) throws {
        let number = NatLab.made.withLock { made in
            made += 1
            return made
        }
        name = "t\(getpid())n\(number)"
        self.options = options
        if number == 1 { try run("sweep", on: nil) }
        try run("up", a.rawValue, b.rawValue)
    }

    deinit { try? run("down") }

    /// Runs a verb of the script on this lab.
    func run(_ verb: String, _ words: String...) throws { try run(verb, words, on: name) }

    private func run(_ verb: String, _ words: [String] = [], on lab: String?) throws {
        var environment = ["NATLAB_OWNER": "\(getpid())"]
        for option in options { environment["NATLAB_\(option.rawValue.uppercased())"] = "1" }
        let arguments = [NatLab.script, verb] + [lab].compactMap(\.self) + words
        let result = try ChildProcess.run(arguments, environment: environment)
        guard result.status == .exited(0) else {
            throw ChildProcess.Missing(description: "natlab \(verb) \(words): \(result.err)")
        }
    }

    /// What starts a program at a place.
    func launcher(_ node: Node) -> [String] { ["nsenter", "--net=/run/netns/natlab-\(name)-\(node.rawValue)"] }

    /// Runs a command at a place to its end; what it printed.
    @discardableResult
    func at(_ node: Node, _ command: String..., limit: Span = .seconds(10)) throws -> String {
        let result = try ChildProcess.run(launcher(node) + command, limit: limit)
        guard result.status == .exited(0) else {
            throw ChildProcess.Missing(description: "\(command): \(String(describing: result.status)) \(result.err)")
        }
        return result.out
    }

    /// A user who lives at a place and listens on all its addresses.
    func user(_ name: String, _ node: Node) throws -> User {
        var user = try User(name, index: options.contains(.offline) ? "none" : NatLab.index)
        user.host = options.contains(.v6) ? "[::]" : "0.0.0.0"
        user.launcher = launcher(node)
        return user
    }

    static let index = "203.0.113.10:50000"

    /// An index server at its place, which passes on unless told otherwise.
    func indexServer(relays: Bool = true) throws -> IndexRuns {
        let runs = IndexRuns(try IndexSite(), options: relays ? ["--relay"] : [])
        try start(runs)
        return runs
    }

    /// Starts it, also again, and returns when it listens.
    func start(_ index: IndexRuns) throws {
        let control = index.site.data.file("control.sock")
        unlink(control)
        try index.start(by: launcher(.idx), ["--listen", options.contains(.v6) ? "[::]:50000" : "0.0.0.0:50000"])
        guard holds(within: .seconds(10), { access(control, F_OK) == 0 }) else {
            throw ChildProcess.Missing(description: "no index server: \(index.current?.transcript ?? "")")
        }
    }

    /// Payload in octets of what came to the one who asked for nothing, and how many packets were more than a probe.
    func heardByVictim() throws -> (octets: Int, large: Int) {
        let counters = try JSON(try at(.v, "nft", "--json", "list", "counters"))
        func value(_ counter: String, _ member: String) throws -> Int {
            let all = counters["nftables"]?.array?.compactMap { $0["counter"] } ?? []
            return Int(try #require(all.first { $0["name"]?.string == counter }?[member]?.number))
        }
        let headers = 28
        return (try value("every", "bytes") - headers * value("every", "packets"), try value("large", "packets"))
    }
}

/// What a pipe said about the way to a peer, and when.
struct PathEvent: Sendable {
    let moment: Instant
    let path: String
    let reason: String?

    /// Ways that need nobody's help.
    static let direct: Set<String> = ["lan", "direct", "punched"]
}

extension Pipe {
    /// What it said so far about the way to a peer.
    func paths(to peer: String) throws -> [PathEvent] {
        try process.lines.filter { $0.text.contains("\"path\"") }.compactMap { line in
            let event = try JSON(line.text)
            guard event["event"]?.string == "path", event["peer"]?.string == peer else { return nil }
            return PathEvent(
                moment: line.moment, path: event["path"]?.string ?? "", reason: event["reason"]?.string)
        }
    }

    /// When an event came that fits; those before it are passed over.
    func moment(of kind: String, _ limit: Span, where fits: (JSON) -> Bool = { _ in true }) throws -> Instant {
        try process.line("event \(kind)", limit) { line in
            let event = try JSON(line)
            return event["event"]?.string == kind && fits(event)
        }.moment
    }
}
