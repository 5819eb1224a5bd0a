// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// Two whom no server passes on, and a contact of both with a public address, who does.
    @Suite(.timeLimit(.minutes(5)), .enabled(if: NatLab.isPossible, NatLab.needs)) struct ContactRelayTests {
        private struct Three {
            let lab: NatLab
            let index: IndexRuns
            let (alice, bob): (Pipe, Pipe)
            let carolsUser: User
            var carol: Pipe

            /// Carol knows both, and passes on; Alice and Bob don't know each other yet.
            init(_ kind: NatLab.Kind) throws {
                lab = try NatLab(kind, kind)
                index = try lab.indexServer(relays: false)
                carolsUser = try lab.user("carol", .v)
                carol = try Pipe(carolsUser)
                (alice, bob) = (try Pipe(try lab.user("alice", .a)), try Pipe(try lab.user("bob", .b)))
                try carol.process.send(#"{"command":"set","setting":"relay","on":true}"#)
                for pipe in [alice, bob, carol] { try pipe.waitForIndex() }
                for (pipe, name) in [(alice, "alice"), (bob, "bob")] {
                    try pipe.command("add", ["peer": carol.uuid, "name": "carol"])
                    try carol.command("add", ["peer": pipe.uuid, "name": name])
                    try Self.talk(pipe, to: carol, "carol", "hello")
                }
            }

            /// Writes, and waits for it; for how long.
            @discardableResult
            static func talk(
                _ one: Pipe, to other: Pipe, _ name: String, _ text: String, within limit: Span = .seconds(10)
            ) throws -> Span {
                let start = Instant.now
                try one.command("send", ["to": name, "text": text])
                return try other.moment(of: "message", limit) { $0["text"]?.string == text }.since(start)
            }

            /// What Bob is told of the relay on the way to Alice.
            func why() throws -> String {
                try bob.command("why", ["peer": "alice"])
                let steps = try bob.event("why")["steps"]?.array ?? []
                return steps.first { $0["rung"]?.string == "relay" }?["text"]?.string ?? "\(steps)"
            }
        }

        @Test(arguments: [NatLab.Kind.symmetric] + (soak > 1 ? [.symmetricRandom] : []))
        func `the first message goes through a contact, and its end is told`(kind: NatLab.Kind) throws {
            var three = try Three(kind)
            let (alice, bob) = (three.alice, three.bob)
            try alice.command("add", ["peer": bob.uuid, "name": "bob"])
            try bob.command("add", ["peer": alice.uuid, "name": "alice"])
            let first = try Three.talk(bob, to: alice, "alice", "hello Alice")
            print("through a contact: \(Int(first.milliseconds)) ms")
            #expect(first <= .seconds(5), "\(bob.process.transcript)")
            try Three.talk(alice, to: bob, "bob", "hello Bob", within: .seconds(2))
            for (one, other) in [(alice, bob), (bob, alice)] {
                #expect(try holds(within: .seconds(5)) { try one.paths(to: other.uuid).last?.path == "relayed" })
            }
            #expect(try three.why().hasPrefix("relayed by carol"))
            if soak > 1 {
                // Longer than those with Carol would last without use.
                let silences = try bob.paths(to: alice.uuid).count { $0.path == "none" }
                for number in 1...6 {
                    pause(until: .now + .seconds(25))
                    try Three.talk(bob, to: alice, "alice", "still there, \(number)?", within: .seconds(1))
                }
                #expect(try bob.paths(to: alice.uuid).count { $0.path == "none" } == silences)
            }

            three.carol.process.child.send(SIGKILL)
            _ = three.carol.process.wait()
            let killed = Instant.now
            try bob.command("send", ["to": "alice", "text": "after"])
            #expect(
                try holds(within: .seconds(5)) {
                    let last = try bob.paths(to: alice.uuid).last
                    return last?.path == "none" && last?.reason?.isEmpty == false
                }, "\(bob.process.transcript)")
            print("its end told: \(Int(Instant.now.since(killed).milliseconds)) ms")
            #expect(try three.why().contains("asked carol to relay"))

            // She comes back, and still passes on.
            three.carol = try Pipe(three.carolsUser)
            let start = Instant.now
            let back = try alice.moment(of: "message", .seconds(30)) { $0["text"]?.string == "after" }
            print("and well again: \(Int(back.since(start).milliseconds)) ms")
            #expect(try alice.events("message").filter { $0["text"]?.string == "after" }.count == 1)
        }
    }
}
