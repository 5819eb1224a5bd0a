// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Model
import Support
import TerminalKit

/// An index server on loopback: where it is, and how to start and ask it.
struct IndexSite: Sendable {
    let port: UInt16
    let data: TemporaryDirectory
    /// The data directory's path, where it is not the directory's own.
    var home: String

    init() throws {
        port = try DatagramSocket.freePort()
        data = try TemporaryDirectory()
        home = data.path
    }

    var address: String { "127.0.0.1:\(port)" }

    /// What starts it, with a screen.
    func arguments(listen: String? = nil) throws -> [String] {
        [try Executables.parleyIndex(), "--listen", listen ?? address, "--data-dir", home]
    }

    /// Starts it with a screen.
    func dashboard(
        _ size: Size = Size(columns: 80, rows: 24), options: [String] = [], environment: [String: String] = [:]
    ) throws -> Terminal {
        try Terminal(try arguments() + options, size: size, environment: environment, companions: [data])
    }

    /// Starts it without a screen, and returns when it answers.
    func startHeadless(listen: String? = nil, family: DatagramSocket.Family = .v4) throws -> ChildProcess {
        let process = try ChildProcess(try arguments(listen: listen) + ["--headless"])
        try waitUntilItAnswers(family)
        return process
    }

    /// Asks until it answers, for at most ten seconds.
    func waitUntilItAnswers(_ family: DatagramSocket.Family = .v4) throws {
        let socket = try DatagramSocket(family)
        let answer = try socket.ask(#"{"req_type":"query"}"#, at: port, tries: 100, each: .milliseconds(100))
        guard answer != nil else { throw ChildProcess.Missing(description: "no index server answers at port \(port)") }
    }

    /// What `parley-index top --once --json` says.
    func snapshot() throws -> JSON {
        let result = try ChildProcess.run(
            [try Executables.parleyIndex(), "top", "--control", home + "/control.sock", "--once", "--json"])
        guard result.status == .exited(0) else {
            throw ChildProcess.Missing(description: "top: \(String(describing: result.status)) \(result.err)")
        }
        return try JSON(result.out)
    }

    /// UUIDs of its registrations.
    func registered() throws -> Set<String> {
        Set((try snapshot()["registrations"]?.array ?? []).compactMap { $0["uuid"]?.string })
    }

    /// How many queries it has answered, whatever the answer.
    func queries() throws -> Int { try snapshot()["queries_total"].map(IndexSite.sum) ?? -1 }

    static func sum(_ value: JSON) -> Int {
        switch value {
        case .number(let number): Int(number)
        case .object(let members): members.values.reduce(0) { $0 + sum($1) }
        case .array(let values): values.reduce(0) { $0 + sum($1) }
        default: 0
        }
    }
}

/// One user with a home of their own.
struct User: Sendable {
    let name: String
    let home: TemporaryDirectory
    /// The home's path, where it is not the directory's own.
    var homePath: String
    var host = "127.0.0.1"
    var port: UInt16
    /// Addresses of index servers, or `none`.
    var indexes: [String]
    /// What its programs are started by, such as `nsenter` or `strace`.
    var launcher: [String] = []

    init(_ name: String, index: String) throws {
        self.name = name
        home = try TemporaryDirectory()
        homePath = home.path
        port = try DatagramSocket.freePort()
        indexes = [index]
    }

    /// The command line of the chat or of a subcommand.
    func parley(_ subcommand: [String] = []) throws -> [String] {
        launcher + [try Executables.parley()] + subcommand
            + ["--home", homePath, "--name", name, "--listen", "\(host):\(port)"]
            + indexes.flatMap { ["--index", $0] }
    }

    /// The chat in a terminal.
    func chat(
        _ size: Size = Size(columns: 80, rows: 24), options: [String] = [], environment: [String: String] = [:]
    ) throws -> Terminal {
        try Terminal(try parley() + options, size: size, environment: environment, companions: [home])
    }

    /// Runs a subcommand to its end.
    func run(_ subcommand: String..., limit: Span = .seconds(30)) throws -> ChildProcess.Result {
        try ChildProcess.run(try parley(subcommand), limit: limit)
    }

    /// Runs a subcommand that only reads its home, from anywhere.
    private func read(_ subcommand: [String]) throws -> ChildProcess.Result {
        var reader = self
        reader.launcher = []
        return try ChildProcess.run(try reader.parley(subcommand))
    }

    /// What `parley id --json` says.
    func identity() throws -> JSON {
        let result = try read(["id", "--json"])
        guard result.status == .exited(0) else {
            throw ChildProcess.Missing(description: "id --json: \(result.out)\(result.err)")
        }
        return try JSON(result.out)
    }

    /// Its UUID, as `parley id --json` tells it.
    func uuid() throws -> String {
        let identity = try identity()
        guard let uuid = identity["uuid"]?.string else {
            throw ChildProcess.Missing(description: "no uuid: \(identity)")
        }
        return uuid
    }

    /// What `parley log --json` says, a value for each message.
    func log(of peer: String? = nil) throws -> [JSON] {
        let result = try read(["log"] + (peer.map { [$0] } ?? []) + ["--json"])
        guard result.status == .exited(0) else {
            throw ChildProcess.Missing(description: "log --json: \(result.out.suffix(300))\(result.err)")
        }
        return try result.out.split(separator: "\n").map { try JSON($0) }
    }
}

/// `parley pipe` of one user.
struct Pipe: Sendable {
    let process: ChildProcess
    let uuid: String
    let ready: JSON
    private let home: TemporaryDirectory

    /// Starts it, and returns once its port is open.
    init(_ user: User, options: [String] = []) throws {
        home = user.home
        process = try ChildProcess(try user.parley(["pipe"]) + options)
        ready = try JSON(try process.nextLine().text)
        guard ready["event"]?.string == "ready", let uuid = ready["uuid"]?.string else {
            throw ChildProcess.Missing(description: "first line is no ready event; \(process.transcript)")
        }
        self.uuid = uuid
    }

    /// Sends a command; `members` is the rest of its object.
    func command(_ name: String, _ members: [String: String] = [:]) throws {
        let rest = members.sorted { $0.key < $1.key }.map { ",\(JSON.quoted($0.key)):\(JSON.quoted($0.value))" }
        try process.send("{\"command\":\(JSON.quoted(name))\(rest.joined())}")
    }

    /// The next event of a kind that fits; others are passed over.
    @discardableResult
    func event(_ kind: String, _ limit: Span = .seconds(10), where fits: (JSON) -> Bool = { _ in true }) throws -> JSON
    {
        let line = try process.line("event \(kind)", limit) { line in
            let event = try JSON(line)
            return event["event"]?.string == kind && fits(event)
        }
        return try JSON(line.text)
    }

    /// Events of a kind so far, passed over or not.
    func events(_ kind: String) throws -> [JSON] {
        try process.lines.map { try JSON($0.text) }.filter { $0["event"]?.string == kind }
    }

    /// Waits until the index server has answered.
    func waitForIndex() throws { try event("index") { $0["state"]?.string == "ok" } }
}

/// Two pipes that know each other.
func introduced(_ alice: Pipe, _ bob: Pipe) throws {
    try alice.waitForIndex()
    try bob.waitForIndex()
    try alice.command("add", ["peer": bob.uuid, "name": "bob"])
    try bob.command("add", ["peer": alice.uuid, "name": "alice"])
    for pipe in [alice, bob] {
        try pipe.command("peers")
        try pipe.event("peers") { $0["peers"]?.array?.count == 1 }
    }
}
