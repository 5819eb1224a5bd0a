// SPDX-License-Identifier: GPL-3.0-or-later
import ArgumentParser

/// The options of `bench`.
struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A running server to load instead of one of its own.", valueName: "host:port"))
    var server: String?
    @Option(
        help: ArgumentHelp(
            "Whom to compare with: echo, redis, redis-pipe, opentracker, nsd, or none. Default: all that are installed.",
            valueName: "names"))
    var against: String?
    @Flag(help: "Look up registered peers.") var queries = false
    @Flag(help: "Register peers without a key, kept in memory.") var registrations = false
    @Flag(help: "The same, kept on disk before they are answered.") var durable = false
    @Flag(help: "Renew the leases of registered peers.") var keepalives = false
    @Flag(help: "Register peers by signed records and cookies.") var signed = false
    @Flag(help: "Look up, and register one time in ten.") var mixed = false
    @Flag(help: "Pass datagrams on between peers that called each other.") var relay = false
    @Flag(help: "Measure the memory of 1,000,000 registrations.") var memory = false
    @Option(
        help: ArgumentHelp(
            "Measure what queries feel of so many datagrams of junk a second, as 100000.", valueName: "rate"))
    var flood: Int?
    @Flag(help: "All of these, with a flood of 100,000.") var all = false
    @Option(help: ArgumentHelp("Requests under way at any time. Default: what is usual for the load.", valueName: "n"))
    var outstanding: Int?
    @Option(help: ArgumentHelp("Sockets that they leave from.", valueName: "n")) var sockets = 16
    @Option(help: ArgumentHelp("Seconds of a round.", valueName: "n")) var seconds = 3
    @Option(help: ArgumentHelp("Rounds of each load; medians are shown.", valueName: "n")) var rounds = 3
    @Flag(
        inversion: .prefixedNo,
        help: "Keep servers on the first CPU and the load generator on the second, where there are two.")
    var pin = true
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        for (name, value, range) in [
            ("outstanding", outstanding ?? 64, 1...4096), ("sockets", sockets, 1...256), ("seconds", seconds, 1...600),
            ("rounds", rounds, 1...100), ("flood", flood ?? 1, 1...10_000_000),
        ] where !range.contains(value) {
            throw ValidationError("--\(name) takes \(range.lowerBound) to \(range.upperBound), not \(value).")
        }
        if let outstanding, outstanding < sockets {
            throw ValidationError("--outstanding can't be less than --sockets.")
        }
        if sockets > 64, outstanding == nil { throw ValidationError("--sockets above 64 needs --outstanding.") }
        if server != nil, memory || flood != nil || all {
            throw ValidationError("--memory, --flood and --all start servers of their own; leave --server off.")
        }
        for name in against.map({ $0.split(separator: ",") }) ?? [] where name != "none" {
            guard YardstickName(rawValue: String(name)) != nil else {
                throw ValidationError("'\(name)' is none of \(YardstickName.all) for --against.")
            }
        }
    }

    var loads: [BenchLoad] {
        let chosen = BenchLoad.Kind.allCases.filter {
            switch $0 {
            case .queries: queries
            case .registrations: registrations
            case .durable: durable
            case .signed: signed
            case .keepalives: keepalives
            case .mixed: mixed
            case .relay: relay
            }
        }
        if chosen.isEmpty, !all, memory || flood != nil { return [] }
        // What another server's store is, it decides, and what it lets a pair send.
        let usual = BenchLoad.Kind.allCases.filter { server == nil || $0 != .durable && $0 != .relay }
        return (chosen.isEmpty || all ? usual : chosen).flatMap { kind in
            outstanding.map { [BenchLoad(kind: kind, outstanding: $0)] } ?? BenchLoad.usual(kind)
        }
    }

    /// What is about to be done and how long that takes at least, for people who would see nothing until it is over.
    func announcement(others: [String]) -> String {
        let loads = loads
        let contenders = (["parley-index"] + others).joined(separator: ", ")
        // A signature's cost is measured in rounds of its own.
        let extra = server == nil ? loads.count { $0.kind == .signed } : 0
        let length = (loads.count * (1 + others.count) + extra) * rounds * seconds
        var parts: [String] = []
        if !loads.isEmpty {
            let count = loads.count == 1 ? "1 load" : "\(loads.count) loads"
            let turns = rounds == 1 ? "1 round" : "\(rounds) rounds"
            parts.append("\(count) on \(contenders), \(turns) of \(seconds) s each: about \(length) s")
        }
        if measuresMemory { parts.append("the memory of 1,000,000 registrations: about half a minute") }
        if let floodRate { parts.append("queries during a flood of \(floodRate) datagrams a second") }
        return "Measuring " + parts.joined(separator: "; then ") + "."
    }

    var measuresMemory: Bool { memory || all }
    var floodRate: Int? { flood ?? (all ? 100_000 : nil) }

    var yardsticks: [YardstickName] {
        guard let against else { return YardstickName.allCases }
        let names = against.split(separator: ",").map(String.init)
        return YardstickName.allCases.filter { names.contains($0.rawValue) }
    }
}
