// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Model
import Support
import Testing

extension EndToEnd {
    /// Programs that die at any moment, and machines that lose their power: what is acknowledged is on disk, once.
    @Suite(.timeLimit(.minutes(5 * soak))) struct CrashTests {
        @Test func `killed at random moments, either side loses nothing and shows nothing twice`() throws {
            var chance = SplitMix64(seed: 0x51)
            let letters = try Correspondence()
            for _ in 0..<20 * soak {
                letters.write(Int.random(in: 1...20, using: &chance)) {
                    .microseconds(Int.random(in: 0...3000, using: &chance))
                }
                pause(until: .now + .milliseconds(Int.random(in: 0...150, using: &chance)))
                let victim = Bool.random(using: &chance) ? letters.alice : letters.bob
                victim.kill()
                if Bool.random(using: &chance) { letters.write(3) }
                try victim.start()
            }
            let (faults, delivered) = try letters.settle(within: .seconds(60 + 5 * soak))
            #expect(faults == [])
            #expect(delivered > 20 * soak)
        }

        /// System calls that change what the disk, the other side or a script knows.
        private static let calls = [
            "pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "sendmmsg", "sendmsg", "write",
        ]

        private static let canTrace =
            (try? ChildProcess.run(["strace", "-f", "-o", "/dev/null", "true"]).status) == .exited(0)

        @Test(.enabled(if: CrashTests.canTrace, "killing at a system call needs strace"), arguments: ["alice", "bob"])
        func `killed at its Nth write or sync, a program loses nothing and shows nothing twice`(name: String) throws {
            var chance = SplitMix64(seed: 0x52)
            let letters = try Correspondence()
            let victim = name == "alice" ? letters.alice : letters.bob
            try victim.quit()
            var kills = 0
            for call in CrashTests.calls {
                // Every one until none is left, or a few.
                let moments =
                    soak > 1 ? Array(1...400) : [1, 2, 4].map { $0 + Int.random(in: 0...$0 * 2, using: &chance) }
                for moment in moments {
                    let inject = "inject=\(call):signal=KILL:when=\(moment)"
                    try victim.start(by: [
                        "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e", inject,
                    ])
                    letters.write(5)
                    _ = holds(within: .seconds(10)) {
                        !victim.isRunning
                            || letters.alice.ids("delivered").isSuperset(of: letters.alice.ids("queued"))
                                && letters.alice.ids("queued").count >= 5
                    }
                    if victim.isRunning { try victim.quit() }
                    if victim.current?.wait() == .signalled(SIGKILL) {
                        kills += 1
                    } else if soak > 1 {
                        break
                    }
                }
            }
            #expect(kills >= CrashTests.calls.count, "strace killed it \(kills) times")
            let (faults, delivered) = try letters.settle()
            #expect(faults == [])
            #expect(delivered > kills)
        }

        @Test(.enabled(if: LoopDisk.isPossible, LoopDisk.needs))
        func `a power cut at the receiver takes nothing that has its receipt`() throws {
            var chance = SplitMix64(seed: 0x53)
            let disk = try LoopDisk()
            let letters = try Correspondence(bobsHome: disk.path + "/bob")
            var acknowledged = 0
            for _ in 0..<5 * soak {
                _ = holds(within: .seconds(10)) {
                    letters.write(20)
                    return letters.alice.ids("delivered").count > acknowledged
                }
                letters.write(Int.random(in: 1...200, using: &chance))
                pause(until: .now + .milliseconds(Int.random(in: 0...50, using: &chance)))
                let promised = letters.alice.ids("delivered")
                try disk.cutPower()
                letters.bob.kill()
                try disk.restorePower()
                let kept = Set(try letters.bob.user.log().compactMap { $0["id"]?.string })
                let lost = promised.subtracting(kept)
                #expect(lost.isEmpty, "\(lost.count) of \(promised.count) receipts were not true")
                acknowledged = promised.count
                try letters.bob.start()
            }
            #expect(acknowledged > 0)
            let (faults, _) = try letters.settle()
            #expect(faults == [])
        }

        @Test(.enabled(if: LoopDisk.isPossible, LoopDisk.needs))
        func `the disk that loses its power keeps what was synced, and that alone`() throws {
            let disk = try LoopDisk()
            for (name, sync) in [("synced", "sync \(disk.path)/synced \(disk.path)"), ("loose", "true")] {
                let script = "echo x > \(disk.path)/\(name); \(sync)"
                #expect(try ChildProcess.run(["bash", "-ec", script]).status == .exited(0))
            }
            try disk.cutPower()
            try disk.restorePower()
            let files = try FileManager.default.contentsOfDirectory(atPath: disk.path)
            #expect(files.contains("synced") && !files.contains("loose"), "\(files)")
        }

        @Test func `the ledger finds what is lost, shown twice, out of order or taken back`() {
            func entry(_ number: Int) -> Ledger.Entry {
                .init(id: "id\(number)", text: "\(number)", state: "delivered")
            }
            var good = Ledger()
            good.states = (1...3).flatMap { number in ["queued", "sent", "delivered"].map { ("id\(number)", $0) } }
            good.shown = [[entry(1), entry(2)], [entry(3)]]
            good.sent = (1...3).map(entry)
            good.received = good.sent
            #expect(good.faults == [])

            let plants: [(String, (inout Ledger) -> Void)] = [
                ("never arrived", { $0.received.remove(at: 1) }),
                ("acknowledged and is not in the log", { $0.received.removeLast() }),
                ("not in the sender's log", { $0.sent.removeFirst() }),
                ("shown twice", { $0.shown[1].append(entry(1)) }),
                ("in the receiver's log twice", { $0.received.append(entry(3)) }),
                ("2 after 3", { $0.received.swapAt(1, 2) }),
                ("arrived as", { $0.received[2] = .init(id: "id3", text: "4") }),
                ("ended as sent", { $0.sent[2].state = "sent" }),
                ("went back to queued", { $0.states.append(("id1", "queued")) }),
            ]
            for (sentence, plant) in plants {
                var bad = good
                plant(&bad)
                #expect(bad.faults.contains { $0.contains(sentence) }, "\(sentence): \(bad.faults)")
            }
        }
    }
}
