// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Identity
import Model
import Support
import Testing

extension EndToEnd {
    /// Networks that change while two talk: nothing is lost, doubled or out of order, and nobody does anything about
    /// it.
    @Suite(.timeLimit(.minutes(soak > 1 ? 30 : 6)), .enabled(if: NatLab.isPossible, NatLab.needs))
    struct NatFaultTests {
        /// How long a test with a fault in it took to be well again.
        private func tell(_ what: String, _ took: Span) { print("\(what): \(Int(took.milliseconds)) ms") }

        // MARK: Partitions

        struct Partition: Sendable, CustomTestStringConvertible {
            let kinds: (a: NatLab.Kind, b: NatLab.Kind)
            let way: Set<String>
            let sides: [String]
            let seconds: Int

            var testDescription: String { "\(seconds) s, \(kinds.a.rawValue) and \(kinds.b.rawValue), \(sides)" }
            /// After an outage of five seconds two, else ten.
            var limit: Span { .seconds(seconds <= 5 ? 2 : 10) }

            static let short = [
                Partition(kinds: (.portRestricted, .portRestricted), way: PathEvent.direct, sides: ["a"], seconds: 5)
            ]
            static let long =
                [60, 600].flatMap { seconds in
                    [["a"], ["a", "b"]].map {
                        Partition(
                            kinds: (.portRestricted, .firewall), way: PathEvent.direct, sides: $0, seconds: seconds)
                    }
                } + [
                    Partition(kinds: (.symmetric, .portRestricted), way: ["relayed"], sides: ["a", "b"], seconds: 5),
                    Partition(kinds: (.open, .portRestricted), way: PathEvent.direct, sides: ["b"], seconds: 5),
                    Partition(kinds: (.symmetric, .symmetric), way: ["relayed"], sides: ["b"], seconds: 60),
                ]
        }

        @Test(arguments: Partition.short + (soak > 1 ? Partition.long : []))
        func `an outage heals soon after its end`(partition: Partition) throws {
            let talk = try NatTalk(partition.kinds.a, partition.kinds.b, by: partition.way)
            let start = Instant.now
            for side in partition.sides { try talk.lab.run("cut", side) }
            pause(until: start + .milliseconds(500))
            let letters = try talk.write()
            pause(until: start + .seconds(partition.seconds))
            for side in partition.sides { try talk.lab.run("heal", side) }
            let end = Instant.now
            tell("after \(partition.testDescription)", try talk.arrive(letters, after: end, within: partition.limit))
            try talk.settles(on: partition.way, within: .seconds(10))
            #expect(try talk.faults() == [])
        }

        // MARK: Gateways

        @Test(arguments: [NatLab.Kind.portRestricted] + (soak > 1 ? [.fullCone] : []))
        func `a gateway that forgets its mappings costs less than three seconds`(other: NatLab.Kind) throws {
            let talk = try NatTalk(.portRestricted, other, by: PathEvent.direct)
            try talk.lab.run("rebind", "a")
            tell("rebinding towards \(other.rawValue)", try talk.exchange(.alice, within: .seconds(3)))
            try talk.exchange(within: .seconds(1))
            try talk.settles(on: PathEvent.direct, within: .seconds(10))
            #expect(try talk.faults() == [])
        }

        @Test(
            arguments: [(NatLab.Kind.portRestricted, ["relayed"] as Set)]
                + (soak > 1 ? [(.fullCone, PathEvent.direct)] : []))
        func `a gateway that becomes symmetric and back costs less than three seconds`(
            other: NatLab.Kind, meanwhile: Set<String>
        ) throws {
            let talk = try NatTalk(.portRestricted, other, by: PathEvent.direct)
            try talk.lab.run("kind", "a", "symmetric")
            tell("to symmetric towards \(other.rawValue)", try talk.exchange(.alice, within: .seconds(3)))
            try talk.settles(on: meanwhile, within: .seconds(10))
            try talk.exchange(within: .seconds(1))
            try talk.lab.run("kind", "a", "port-restricted")
            tell("and back", try talk.exchange(.alice, within: .seconds(3)))
            #expect(try talk.faults() == [])
        }

        @Test(
            .enabled(if: soak > 1, "a slow one: make soak"), arguments: [(10, 12, 14), (10, 30, 45), (10, 30, 600)])
        func `the first message after a silence arrives, however soon gateways forget`(
            once: Int, both: Int, silence: Int
        ) throws {
            let talk = try NatTalk(.portRestricted, .portRestricted, by: PathEvent.direct) { lab in
                for side in ["a", "b"] { try lab.run("timeouts", side, "\(once)", "\(both)") }
            }
            pause(until: .now + .seconds(silence))
            tell("after \(silence) s of silence", try talk.exchange(.bob, within: .milliseconds(1500)))
            if soak > 1 {
                pause(until: .now + .seconds(silence))
                tell("and the other way", try talk.exchange(.alice, within: .milliseconds(1500)))
            }
            #expect(try talk.faults() == [])
        }

        // MARK: Moving

        @Test(arguments: soak > 1 ? [NatLab.Kind.portRestricted, .symmetric, .open, .udpBlocked] : [.portRestricted])
        func `whoever moves to another network goes on talking within three seconds`(kind: NatLab.Kind) throws {
            let talk = try NatTalk(.portRestricted, .portRestricted, by: PathEvent.direct)
            try talk.lab.run("move", "a", kind.rawValue)
            let limit: Span = kind == .udpBlocked ? .seconds(5) : .seconds(3)
            tell("moved behind \(kind.rawValue)", try talk.exchange(.alice, within: limit))
            try talk.exchange(within: .seconds(2))
            let mayBeDirect = [.portRestricted, .open].contains(kind)
            try talk.settles(on: mayBeDirect ? PathEvent.direct : ["relayed"], within: .seconds(10))
            #expect(try talk.faults() == [])
        }

        @Test(
            arguments: soak > 1 ? [["46", "4", "46"], ["46", "6", "4", "6"], ["4", "6", "4"]] : [["46", "4", "6"]])
        func `losing IPv4 or IPv6 costs less than three seconds`(steps: [String]) throws {
            let talk = try NatTalk(.firewall, .firewall, [.v6], by: PathEvent.direct)
            // With nobody left to tell of the other's address, only what was punched before can be used.
            #expect(try talk.hasPassedByIPv6(within: .seconds(5)))
            pause(until: .now + .milliseconds(500))
            for step in steps {
                try talk.lab.run("family", "a", step)
                tell("with IPv\(step)", try talk.exchange(.alice, within: .seconds(3)))
                try talk.exchange(within: .seconds(2))
            }
            try talk.settles(on: PathEvent.direct, within: .seconds(10))
            #expect(try talk.faults() == [])
        }

        // MARK: UDP blocked

        @Test(arguments: soak > 1 ? [["a"], ["b"], ["a", "b"]] : [["a", "b"]])
        func `blocked UDP is gone round, and left behind when it passes again`(sides: [String]) throws {
            let talk = try NatTalk(.portRestricted, .firewall, by: ["relayed"]) { lab in
                for side in sides { try lab.run("block-udp", side) }
            }
            for side in sides { try talk.lab.run("unblock-udp", side) }
            tell("unblocked \(sides): direct", try talk.settles(on: PathEvent.direct, within: .seconds(10)))
            for side in sides { try talk.lab.run("block-udp", side) }
            tell("blocked again", try talk.exchange(within: .seconds(8)))
            #expect(try talk.faults() == [])
        }

        @Test(.enabled(if: soak > 1, "a slow one: make soak"))
        func `a TCP connection that is open and carries nothing is noticed`() throws {
            let talk = try NatTalk(.udpBlocked, .open, by: ["relayed"])
            try talk.lab.run("clog", "a")
            let start = Instant.now
            let letters = try talk.write()
            #expect(try holds(within: .seconds(15)) { try talk.alice.path(to: talk.bob) == "none" })
            tell("half-open TCP noticed", Instant.now.since(start))
            try talk.lab.run("unclog", "a")
            tell("and well again", try talk.arrive(letters, within: .seconds(15)))
            #expect(try talk.faults() == [])
        }

        // MARK: Long messages

        @Test(arguments: [(NatLab.Kind.portRestricted, PathEvent.direct), (.symmetric, ["relayed"] as Set)])
        func `a long message passes where longer packets vanish without a word`(
            kind: NatLab.Kind, way: Set<String>
        ) throws {
            let talk = try NatTalk(kind, .portRestricted, by: way) { try $0.run("mtu", "1280") }
            let long = String(repeating: "0123456789abcdef", count: 1024)
            let start = Instant.now
            try talk.alice.pipe.command("send", ["to": "bob", "text": long])
            let arrival = try talk.bob.pipe.moment(of: "message", .seconds(10)) { $0["text"]?.string == long }
            tell("16 KiB \(way.sorted()) at an MTU of 1280", arrival.since(start))
            #expect(try talk.faults() == [])
        }

        // MARK: The relay and the other side

        @Test func `who talks without the relay doesn't notice that it is gone`() throws {
            let talk = try NatTalk(.portRestricted, .fullCone, by: PathEvent.direct)
            let before = try talk.alice.pipe.paths(to: talk.bob.pipe.uuid).count
            talk.index.kill()
            for _ in 1...2 {
                tell("without a relay", try talk.exchange(within: .seconds(1)))
                pause(until: .now + .seconds(2))
            }
            let since = try talk.alice.pipe.paths(to: talk.bob.pipe.uuid).dropFirst(before)
            #expect(since.allSatisfy { PathEvent.direct.contains($0.path) }, "\(talk.transcript)")
            try talk.lab.start(talk.index)
            #expect(try talk.faults() == [])
        }

        @Test func `who needs the relay is told that it is gone, and goes on when it is back`() throws {
            let talk = try NatTalk(.symmetric, .portRestricted, by: ["relayed"])
            talk.index.kill()
            let start = Instant.now
            let letters = try talk.write()
            #expect(try holds(within: .seconds(10)) { try talk.alice.path(to: talk.bob) == "none" })
            let told = Instant.now.since(start)
            tell("told that the relay is gone", told)
            #expect(told.isWithin(.seconds(6)))
            let said = try #require(try talk.alice.pipe.paths(to: talk.bob.pipe.uuid).last)
            #expect(said.reason?.isEmpty == false)
            try talk.lab.start(talk.index)
            tell("back", try talk.arrive(letters, within: .seconds(10)))
            try talk.settles(on: ["relayed"], within: .seconds(10))
            #expect(try talk.faults() == [])
        }

        @Test(.enabled(if: soak > 1, "a slow one: make soak"))
        func `a peer that vanished is missed, and gets what was written when it is somewhere else`() throws {
            let talk = try NatTalk(.portRestricted, .portRestricted, by: PathEvent.direct)
            try talk.lab.run("vanish", "b")
            let start = Instant.now
            let letters = try talk.write(.alice)
            #expect(try holds(within: .seconds(15)) { try talk.alice.path(to: talk.bob) == "none" })
            tell("missed", Instant.now.since(start))
            try talk.bobReturns(at: .v)
            tell("found elsewhere", try talk.arrive(letters, within: .seconds(15)))
            #expect(try talk.faults() == [])
        }

        // MARK: Abuse

        @Test func `a record that names a victim turns its readers into no weapon`() throws {
            let lab = try NatLab(.open, .open)
            let index = try lab.indexServer()
            let attacker = Identity()
            try Impostor(attacker, naming: "203.0.113.66:4444", in: lab).register()
            let queriers = try (1...20).map { try Pipe(try lab.user("querier\($0)", .b)) }
            for querier in queriers { try querier.waitForIndex() }
            let before = try lab.heardByVictim()
            for querier in queriers {
                try querier.command("add", ["peer": "\(attacker.peer)", "name": "attacker"])
                try querier.command("send", ["to": "attacker", "text": "hello"])
            }
            for querier in queriers { try querier.event("path", .seconds(20)) { $0["path"]?.string == "none" } }
            // They try again, and stay below the limit.
            pause(until: .now + .seconds(5))
            let heard = try lab.heardByVictim()
            print("at the victim: \(heard.octets - before.octets) octets of 20 readers")
            #expect(heard.octets - before.octets <= 20 * 640)
            #expect(heard.octets - before.octets >= 20 * 64, "the readers believed the record: else nothing is shown")
            #expect(heard.large == before.large)
            #expect(index.isRunning)
        }
    }
}

/// Somebody who registers with an address of somebody else's, beside its own.
private struct Impostor {
    private let identity: Identity
    private let lab: NatLab
    private let victim: Endpoint

    init(_ identity: Identity, naming victim: String, in lab: NatLab) throws {
        (self.identity, self.lab) = (identity, lab)
        self.victim = try #require(Endpoint(victim))
    }

    /// Asks for a cookie, and registers with it.
    func register() throws {
        // Bash speaks UDP from one port for as long as its descriptor is open.
        let ask =
            #"while IFS= read -r line; do printf %s "$line" >&3; timeout 3 dd bs=2048 count=1 <&3 2>/dev/null; echo; done"#
        let courier = try ChildProcess(
            lab.launcher(.inet) + ["bash", "-c", "exec 3<>/dev/udp/\(NatLab.index.replacing(":", with: "/")); \(ask)"])
        try courier.send(try request(from: "203.0.113.1:1", cookie: nil))
        let first = try JSON(try courier.nextLine().text)
        let seen = try #require(first["seen"]?.string, "\(first)")
        try courier.send(try request(from: seen, cookie: first["cookie"]))
        let second = try JSON(try courier.nextLine().text)
        #expect(second["status"]?.string == "OK", "\(second)")
    }

    private func request(from source: String, cookie: JSON?) throws -> String {
        let record = PeerRecord(
            key: identity.key, sequence: UInt64(Date.now.timeIntervalSince1970 * 1000),
            candidates: [Candidate(.mapped, victim), Candidate(.reflexive, try #require(Endpoint(source)))])
        let text = Data(try record.signed(by: identity)).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        let request = JSON.object([
            "req_type": .string("registration"), "addr": .string(source), "uuid": .string("\(identity.peer)"),
            "record": .string(text), "pad": .string(String(repeating: "x", count: 400)),
        ])
        return request.with("cookie", cookie).text
    }
}
