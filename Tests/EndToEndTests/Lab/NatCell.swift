// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Support

/// Two peers in two places, and how they must come to talk.
struct NatCell: Sendable {
    /// What its row or line in the table is called.
    var name: String
    var kinds: (caller: NatLab.Kind, callee: NatLab.Kind)
    /// Where the two live; side A is behind the gateway of its kind.
    var places: (caller: NatLab.Node, callee: NatLab.Node)
    var options: Set<NatLab.Option> = []
    /// Which ways may be told in the end.
    var expected: Set<String>
    /// With what the caller's program is started, besides.
    var flags: [String] = []

    /// How long a first message may take, from the command that sends it.
    static let messageLimit = Span.seconds(5)
    /// How long the two may take to be without the relay, from the same moment, where they can do without.
    static let directLimit = Span.seconds(2)

    /// How long is waited for either, to say by how much it came late.
    static let patience = Span.seconds(10)

    private static let marks: [Character: Set<String>] = [
        "P": ["punched"], "E": ["direct", "punched"], "R": ["relayed"],
    ]

    /// E: one of the two can be written to unasked; it is told as direct if that happened, and as punched when it was
    /// the one who wrote first. P: punched. R: relayed, no packet of the one can come in at the other.
    private static let table: [(NatLab.Kind, String)] = [
        // .                  op fi fc ar pr sy sr dn ub
        (.open, "             E  E  E  E  E  E  E  E  R"),
        (.firewall, "            P  E  P  P  R  R  P  R"),
        (.fullCone, "               E  E  E  E  E  E  R"),
        (.addressRestricted, "         P  P  E  E  P  R"),
        (.portRestricted, "               P  R  R  P  R"),
        (.symmetric, "                       R  R  R  R"),
        (.symmetricRandom, "                    R  R  R"),
        (.doubleNAT, "                             P  R"),
        (.udpBlocked, "                               R"),
    ]

    /// Every pair of kinds, called from the one side and from the other by turns.
    static let pairs: [NatCell] = table.enumerated().flatMap { row, line in
        zip(table[row...], line.1.filter { $0 != " " }).enumerated().map { offset, cell in
            let (column, mark) = cell
            let callsBack = offset % 2 == 1
            let (caller, callee) = callsBack ? (column.0, line.0) : (line.0, column.0)
            return NatCell(
                name: "\(caller.rawValue) calls \(callee.rawValue)", kinds: (caller, callee), places: (.a, .b),
                expected: marks[mark] ?? [])
        }
    }

    /// What isn't a matter of two kinds alone.
    static let others: [NatCell] = [
        neighbours("on one network", [], ["lan"]),
        neighbours("on one network without internet or index", [.offline], ["lan"]),
        neighbours("kept apart behind one gateway that turns packets round", [.isolate, .hairpin], marks["E"] ?? []),
        neighbours("kept apart behind one gateway that doesn't", [.isolate], ["relayed"]),
        refusing(.portRestricted, .portRestricted, "P"), refusing(.firewall, .portRestricted, "P"),
        refusing(.symmetric, .addressRestricted, "E"), refusing(.symmetric, .portRestricted, "R"),
        refusing(.udpBlocked, .open, "R"),
        NatCell(
            name: "symmetric calls a port mapped by UPnP", kinds: (.upnp, .symmetric), places: (.b, .a),
            expected: marks["E"] ?? []),
        NatCell(
            name: "a port mapped by UPnP calls symmetric", kinds: (.upnp, .symmetric), places: (.a, .b),
            expected: marks["E"] ?? []),
        NatCell(
            name: "symmetric calls symmetric, with IPv6", kinds: (.symmetric, .symmetric), places: (.a, .b),
            options: [.v6], expected: marks["E"] ?? []),
        NatCell(
            name: "open calls open, with --relay-only", kinds: (.open, .open), places: (.a, .b), expected: ["relayed"],
            flags: ["--relay-only"]),
    ]

    static let all = pairs + others

    private static func neighbours(_ name: String, _ options: Set<NatLab.Option>, _ expected: Set<String>) -> NatCell {
        NatCell(
            name: name, kinds: (.portRestricted, .open), places: (.a, .c), options: options, expected: expected)
    }

    private static func refusing(_ caller: NatLab.Kind, _ callee: NatLab.Kind, _ mark: Character) -> NatCell {
        NatCell(
            name: "\(caller.rawValue) calls \(callee.rawValue), gateways reject", kinds: (caller, callee),
            places: (.a, .b), options: [.reject], expected: marks[mark] ?? [])
    }
}

/// How the two of a cell came to talk.
struct NatMeeting: Sendable {
    let cell: NatCell
    /// From the caller's command to the message at the callee.
    var message: Span?
    /// From the same moment until both said that they need no relay.
    var direct: Span?
    /// What either said in the end.
    var paths: (caller: String, callee: String) = ("", "")
    /// Everything that was said, if it is not as it must be.
    var transcript = ""

    /// Everything that is not as it must be.
    var faults: [String] {
        guard let message else { return ["no message"] }
        var faults: [String] = []
        if !message.isWithin(NatCell.messageLimit) { faults.append("the message took \(message.milliseconds) ms") }
        for path in [paths.caller, paths.callee] where !cell.expected.contains(path) {
            faults.append("\(path.isEmpty ? "nothing" : path) instead of \(cell.expected.sorted())")
        }
        if cell.expected.isSubset(of: PathEvent.direct), direct?.isWithin(NatCell.directLimit) != true {
            faults.append(direct.map { "direct after \($0.milliseconds) ms" } ?? "never direct")
        }
        return faults
    }
}

extension NatCell {
    /// Lets the two meet, and says of whatever goes wrong that they didn't.
    func measured() -> NatMeeting {
        do { return try meet() } catch { return NatMeeting(cell: self, transcript: "\(error)") }
    }

    /// Lets the two meet: who is called has never heard of the caller.
    private func meet() throws -> NatMeeting {
        let lab = try NatLab(kinds.caller, kinds.callee, options)
        // Nothing below asks for it once all programs run, and with it they would end.
        defer { withExtendedLifetime(lab) {} }
        let index = options.contains(.offline) ? nil : try lab.indexServer()
        let users = (try lab.user("caller", places.caller), try lab.user("callee", places.callee))
        let (caller, callee) = (try Pipe(users.0, options: flags), try Pipe(users.1))
        if index != nil {
            for pipe in [caller, callee] { try pipe.waitForIndex() }
        }
        var meeting = NatMeeting(cell: self)
        let start = Instant.now
        do {
            // Without an index to ask, only an invite tells the callee's key.
            let name = index == nil ? callee.ready["invite"]?.string : callee.uuid
            try caller.command("add", ["peer": name ?? "", "name": "callee"])
            try caller.command("send", ["to": "callee", "text": "hello"])
            try callee.event("request", NatCell.patience)
            try callee.command("accept", ["peer": caller.uuid])
            meeting.message = try callee.moment(of: "message", NatCell.patience).since(start)
        } catch let missing as ChildProcess.Missing {
            meeting.transcript = missing.description + "\n"
        }
        func last() throws -> [PathEvent?] {
            [try caller.paths(to: callee.uuid).last, try callee.paths(to: caller.uuid).last]
        }
        // Where a relay is the only way, time is given to find another none the less.
        _ = try holds(within: expected == ["relayed"] ? .seconds(3) : NatCell.messageLimit) {
            try last().allSatisfy { PathEvent.direct.contains($0?.path ?? "") }
        }
        let ends = try last()
        meeting.paths = (ends.first??.path ?? "", ends.last??.path ?? "")
        if ends.allSatisfy({ PathEvent.direct.contains($0?.path ?? "") }) {
            meeting.direct = ends.compactMap { $0?.moment.since(start) }.max()
        }
        if !meeting.faults.isEmpty {
            meeting.transcript += "caller: \(caller.process.transcript)\ncallee: \(callee.process.transcript)\n"
            meeting.transcript += "index: \(index?.current?.transcript ?? "none")"
        }
        return meeting
    }
}
