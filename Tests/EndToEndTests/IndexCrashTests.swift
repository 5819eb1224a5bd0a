// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
import Support
import Testing

extension EndToEnd {
    /// The index server under what machines do to servers: whom it told that they are registered, they are.
    @Suite(.timeLimit(.minutes(3 * soak))) struct IndexCrashTests {
        private let site: IndexSite
        private let server: IndexRuns

        init() throws {
            site = try IndexSite()
            server = IndexRuns(site)
        }

        // MARK: Death

        @Test func `killed at random moments it forgets nobody, and says of nobody that they are unknown`() throws {
            var chance = SplitMix64(seed: 0x61)
            let crowd = try Crowd(port: site.port, seed: 0x62)
            try server.startAndWait()
            for round in 0..<10 * soak {
                let before = crowd.promised.count
                #expect(try crowd.work { crowd.promised.count > before })
                try crowd.work(for: .milliseconds(Int.random(in: 0...200, using: &chance)))
                server.kill()
                try crowd.settle()
                if Bool.random(using: &chance) {
                    // Once more, while it opens or reads what it left.
                    try server.start()
                    pause(until: .now + .milliseconds(Int.random(in: 0...60, using: &chance)))
                    server.kill()
                }
                // From the first moment on, so that it is asked while it loads.
                try server.start()
                try expectNoFaults(crowd, "round \(round)")
            }
            #expect(crowd.plain > 100 && crowd.keyed > 100 && crowd.refusals.isEmpty, "\(crowd.refusals)")
            try expectFreshLeases()
        }

        /// Asks for everybody.
        private func expectNoFaults(
            _ crowd: Crowd, _ moment: String = "", at location: SourceLocation = #_sourceLocation
        ) throws {
            let faults = try crowd.faults()
            #expect(faults == [], "\(moment)", sourceLocation: location)
        }

        /// Keyed peers have the whole lease of a start, give or take what the test took.
        private func expectFreshLeases() throws {
            let rows = (try site.snapshot()["registrations"]?.array ?? []).filter { $0["kind"]?.string == "key" }
            #expect(!rows.isEmpty)
            #expect(rows.allSatisfy { 7140...7200 ~= $0["expires_s"]?.number ?? 0 }, "\(rows.map(\.text))")
        }

        @Test func `the ledger finds what a server forgets`() throws {
            let forgetful = IndexRuns(site, options: ["--store", "memory"])
            let crowd = try Crowd(port: site.port, seed: 0x63)
            try forgetful.startAndWait()
            #expect(try crowd.work { crowd.plain > 0 && crowd.keyed > 0 })
            try crowd.settle()
            try expectNoFaults(crowd)
            forgetful.kill()
            try forgetful.startAndWait()
            #expect(try crowd.faults().first?.contains("nil") == true)
        }

        private static let canTrace =
            (try? ChildProcess.run(["strace", "-D", "-f", "-o", "/dev/null", "true"]).status) == .exited(0)
        private static let needsTracing: Comment = "stopping at a system call needs strace"

        /// What makes strace do something at a system call; it keeps aside, so that the server stays our child.
        private func tracing(_ call: String, _ what: String) -> [String] {
            ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):\(what)"]
        }

        @Test(.enabled(if: IndexCrashTests.canTrace, IndexCrashTests.needsTracing))
        func `killed at its Nth write or sync it forgets nobody`() throws {
            var chance = SplitMix64(seed: 0x64)
            let crowd = try Crowd(port: site.port, seed: 0x65)
            for call in ["pwrite64", "fdatasync", "sendmmsg"] {
                for moment in soak > 1 ? Array(1...20 * soak) : [1, 2, 6, 30] {
                    let number = moment + Int.random(in: 0...moment / 2, using: &chance)
                    let traced = try server.start(by: tracing(call, "signal=KILL:when=\(number)"))
                    _ = try crowd.work { !traced.child.isRunning }
                    #expect(traced.wait(.zero) == .signalled(SIGKILL), "\(call) \(number): \(traced.transcript)")
                    try crowd.settle()
                    try server.start()
                    try expectNoFaults(crowd, "\(call) \(number)")
                    server.kill()
                }
            }
            #expect(crowd.plain > 100 && crowd.keyed > 0, "\(crowd.plain) \(crowd.keyed)")
        }

        @Test(.enabled(if: IndexCrashTests.canTrace, IndexCrashTests.needsTracing))
        func `while a slow disk is read it says of nobody that they are unknown`() throws {
            let crowd = try Crowd(port: site.port, seed: 0x71)
            try server.startAndWait()
            #expect(try crowd.work { crowd.plain > 200 && crowd.keyed > 20 })
            server.stop()
            try crowd.settle()
            try server.start(by: slowly(40))
            try expectNoFaults(crowd)
            #expect(try holds(within: .seconds(20)) { try server.store().state == "ready" })
            // It was asked meanwhile, and kept silent.
            #expect(try site.snapshot()["unready_total"]?.number ?? 0 > 0)
            server.kill()
        }

        @Test(.enabled(if: LoopDisk.isPossible, LoopDisk.needs))
        func `a power cut takes nothing that was acknowledged before`() throws {
            var chance = SplitMix64(seed: 0x66)
            let disk = try LoopDisk()
            server.site.home = disk.path + "/index"
            let crowd = try Crowd(port: site.port, seed: 0x67)
            for round in 0..<3 * soak {
                try server.startAndWait()
                let before = (crowd.plain, crowd.keyed)
                #expect(try crowd.work { crowd.plain > before.0 + 20 && crowd.keyed > before.1 + 5 })
                try crowd.work(for: .milliseconds(Int.random(in: 0...150, using: &chance)))
                try disk.cutPower()
                // A disk without power tells anything.
                try crowd.hangUp()
                server.kill()
                try disk.restorePower()
                try server.start()
                try expectNoFaults(crowd, "round \(round)")
                server.stop()
            }
        }

        // MARK: Trouble with the disk

        @Test(.enabled(if: SmallDisk.isPossible, SmallDisk.needs))
        func `with a full disk it acknowledges nothing, answers queries, says so, and goes on when there is room`()
            throws
        {
            let disk = try SmallDisk(at: site.data.path, size: "8m")
            defer { disk.unmount() }
            let crowd = try Crowd(port: site.port, seed: 0x68)
            try server.startAndWait()
            #expect(try crowd.work { crowd.plain > 50 && crowd.keyed > 10 })
            try disk.fill()
            // What the log has room for is still kept, and so is said to be.
            #expect(try crowd.work { try server.store().state == "failing" })
            try crowd.hangUp()
            let full = try Crowd(port: site.port, seed: 0x69)
            #expect(try full.work { full.refusals["store_failed", default: 0] > 20 })
            #expect(full.plain == 0 && full.keyed == 0 && full.refusals.count == 1, "\(full.refusals)")
            let reason = try #require(try server.store().reason)
            #expect(reason.contains("is full") && reason.contains(site.data.path) && reason.hasSuffix("."))
            #expect(try server.notices().contains(reason))
            try expectNoFaults(crowd)

            unlink(site.data.file("ballast"))
            #expect(try full.work { full.plain > 0 && full.keyed > 0 })
            #expect(try server.store() == ("ready", nil))
            try full.settle()
            server.kill()
            try server.start()
            try expectNoFaults(crowd)
            try expectNoFaults(full)
            server.kill()
        }

        @Test(.enabled(if: IndexCrashTests.canTrace, IndexCrashTests.needsTracing))
        func `after a sync that failed nothing is acknowledged until a restart`() throws {
            let crowd = try Crowd(port: site.port, seed: 0x72)
            try server.start(by: tracing("fdatasync", "error=EIO:when=20+"))
            #expect(try crowd.work { (try? server.store().state) == "failing" })
            try crowd.settle()
            #expect(crowd.plain > 0)
            let later = try Crowd(port: site.port, seed: 0x73)
            #expect(try later.work { later.refusals["store_failed", default: 0] > 20 })
            #expect(later.promised.isEmpty)
            let reason = try #require(try server.store().reason)
            #expect(reason.contains("failed to keep what was written") && reason.hasSuffix("restart."), "\(reason)")
            try expectNoFaults(crowd)
            server.kill()
            try server.start()
            try expectNoFaults(crowd)
            #expect(try later.work { later.plain > 0 && later.keyed > 0 })
        }

        @Test(arguments: [(0, 4096), (nil, 100), (nil, 10_000), (8192, 4096)])
        func `a damaged database is set aside and explained, and registering goes on`(
            damage: (offset: Int?, length: Int)
        ) throws {
            let crowd = try Crowd(port: site.port, seed: 0x6A)
            try server.startAndWait()
            #expect(try crowd.work { crowd.plain > 100 && crowd.keyed > 20 })
            server.stop()
            let path = site.data.file("registry.sqlite")
            try harm(path, damage.offset, damage.length)

            let run = try server.startAndWait()
            let aside = try damagedFiles()
            #expect(aside.count == 1)
            let line = try run.line("the notice") { $0.contains("damaged") }.text
            #expect(line.contains("warn") && line.contains(site.data.file(aside.first ?? "?")), "\(line)")
            #expect(try server.notices().contains { $0.contains(site.data.file(aside.first ?? "?")) })

            let others = try Crowd(port: site.port, seed: 0x6B)
            #expect(try others.work { others.plain > 10 && others.keyed > 10 })
            try others.settle()
            server.kill()
            try server.start()
            try expectNoFaults(others)
            #expect(try damagedFiles() == aside)
        }

        /// Writes chance over a part of a file, or cuts the file there.
        private func harm(_ path: String, _ offset: Int?, _ length: Int) throws {
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            defer { try? file.close() }
            try #require(try file.seekToEnd() > UInt64((offset ?? 0) + length))
            guard let offset else { return try file.truncate(atOffset: UInt64(length)) }
            var chance = SplitMix64(seed: 0x6C)
            try file.seek(toOffset: UInt64(offset))
            try file.write(contentsOf: Data(chance.bytes(length)))
        }

        /// Those that were set aside, without what lies beside them.
        private func damagedFiles() throws -> [String] {
            try files().filter { $0.hasPrefix("registry.sqlite.damaged-") && $0.hasSuffix("Z") }
        }

        private func files() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: site.data.path)
        }

        @Test func `two servers never share a data directory`() throws {
            let crowd = try Crowd(port: site.port, seed: 0x6D)
            try server.startAndWait()
            #expect(try crowd.work { crowd.plain > 0 && crowd.keyed > 0 })
            let (elsewhere, other) = (try TemporaryDirectory(), try DatagramSocket.freePort())
            let second = try ChildProcess([
                try Executables.parleyIndex(), "--headless", "--listen", "127.0.0.1:\(other)", "--data-dir",
                site.data.path, "--control", elsewhere.file("control.sock"),
            ])
            #expect(second.wait() == .exited(1), "\(second.transcript)")
            #expect(second.errorLines.count == 1 && second.errorLines.first?.contains(site.data.path) == true)
            #expect(try crowd.work { crowd.keyed > 10 })
        }

        // MARK: Orderly ends and changes

        @Test func `a stop under load takes less than two seconds and forgets nobody`() throws {
            let crowd = try Crowd(port: site.port, window: 200, seed: 0x6E)
            let run = try server.startAndWait()
            #expect(try crowd.work { crowd.plain > 100 && crowd.keyed > 20 })
            let began = Instant.now
            run.child.send(SIGTERM)
            #expect(try crowd.work { !run.child.isRunning })
            #expect(Instant.now.since(began).isWithin(.seconds(2)))
            #expect(run.wait() == .exited(128 + SIGTERM), "\(run.transcript)")
            try crowd.settle()
            // One that was cut short would have left its log and its socket.
            #expect(try files().filter { $0.hasSuffix("-wal") || $0.hasSuffix(".sock") } == [])
            try server.start()
            try expectNoFaults(crowd)
        }

        @Test(.enabled(if: IndexCrashTests.canTrace, IndexCrashTests.needsTracing), arguments: [400, 50])
        func `a stop takes less than two seconds while a slow disk is read`(milliseconds: Int) throws {
            let crowd = try Crowd(port: site.port, seed: 0x74)
            try server.startAndWait()
            #expect(try crowd.work { crowd.plain > 200 && crowd.keyed > 20 })
            server.stop()
            try crowd.settle()
            let run = try server.start(by: slowly(milliseconds))
            // At 400 ms a page it takes twelve seconds to open the file. A page that is being read delays the end.
            #expect(
                holds(within: .seconds(10)) {
                    milliseconds < 400 ? (try? server.store().state) == "loading" : reads(run.child)
                })
            run.child.send(SIGTERM)
            run.expectEnd(.exited(128 + SIGTERM), within: .seconds(2))
            server.kill()
            try server.start()
            try expectNoFaults(crowd)
        }

        /// A disk that takes so long for each page.
        private func slowly(_ milliseconds: Int) -> [String] {
            tracing("pread64", "delay_enter=\(milliseconds)000") + ["-P", site.data.file("registry.sqlite")]
        }

        /// Whether a program has the database open.
        private func reads(_ child: Child) -> Bool {
            let folder = "/proc/\(child.pid)/fd"
            return (try? FileManager.default.contentsOfDirectory(atPath: folder))?.contains {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)"))
                    == site.data.file("registry.sqlite")
            } ?? false
        }

        @Test func `a reload takes over limits; wrong settings change nothing and say so`() throws {
            let file = site.data.file("index.toml")
            func configure(_ text: String) throws {
                try text.write(toFile: file, atomically: true, encoding: .utf8)
            }
            try configure("limit_requests_per_s = 2000\n")
            let run = try server.startAndWait(["--config", file, "--log-level", "info"])
            func reload(_ text: String, until sentence: String) throws -> String {
                try configure(text)
                run.child.send(SIGHUP)
                return try run.line(sentence) { $0.contains(sentence) }.text
            }
            func limited() throws -> Double { try site.snapshot()["limited_total"]?.number ?? -1 }

            _ = try reload("limit_requests_per_s = many\nlimit_loopback = true\n", until: "nothing was changed")
            #expect(run.lines.contains { $0.text.contains("error:") && $0.text.contains("\(file):1") })
            let crowd = try Crowd(port: site.port, seed: 0x6F)
            #expect(try crowd.work { crowd.keyed > 20 })
            #expect(try limited() == 0)

            _ = try reload(
                "limit_requests_per_s = 1\nlimit_burst = 1\nlimit_loopback = true\n",
                until: "limit_loopback false -> true")
            #expect(run.lines.contains { $0.text.contains("in force: limit_requests_per_s 2000 -> 1") })
            #expect(try crowd.work { try limited() > 0 })

            _ = try reload("limit_loopback = false\nloops = 7\n", until: "needs a restart: loops")
            try crowd.hangUp()
            let before = (crowd.plain, crowd.keyed)
            #expect(try crowd.work { crowd.plain > before.0 + 20 && crowd.keyed > before.1 + 10 })
            #expect(run.child.isRunning)
            try crowd.settle()
            try expectNoFaults(crowd)
        }

        // MARK: The service manager

        @Test func `a service manager hears of the start, of life, of a reload and of the end`() throws {
            let manager = try NotifySocket()
            let run = try server.start(
                environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"])
            let first = try #require(try manager.next())
            #expect(first.hasPrefix("READY=1\n") && first.contains("STATUS=listening on \(site.address)"))
            // Ready is ready, at the first attempt.
            #expect(try DatagramSocket().ask(#"{"req_type":"query"}"#, at: site.port, tries: 1) != nil)
            #expect(try server.store().state != nil)
            for _ in 0..<3 { #expect(try manager.next() == "WATCHDOG=1") }

            run.child.send(SIGSTOP)
            while try manager.next(.milliseconds(400)) != nil {}
            #expect(try manager.next(.milliseconds(600)) == nil)
            run.child.send(SIGCONT)
            #expect(try manager.next() == "WATCHDOG=1")

            run.child.send(SIGHUP)
            #expect(try manager.hears("RELOADING=1\nMONOTONIC_USEC="))
            #expect(try manager.hears("READY=1"))
            run.child.send(SIGTERM)
            #expect(try manager.hears("STOPPING=1"))
            #expect(run.wait() == .exited(128 + SIGTERM))
        }

        @Test(.enabled(if: IndexCrashTests.canTrace, IndexCrashTests.needsTracing))
        func `the watchdog is not fed while a thread that serves hangs`() throws {
            let manager = try NotifySocket()
            // Eight times its patience.
            let run = try server.start(
                by: tracing("recvmmsg", "delay_enter=3200000:when=1"),
                environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"])
            #expect(try manager.hears("READY=1"))
            #expect(try manager.next() == "WATCHDOG=1")
            try DatagramSocket().send(#"{"req_type":"query"}"#, to: site.port)
            let asked = Instant.now
            var fed = 0
            while Instant.now.since(asked) < .seconds(3) {
                if try manager.next(.milliseconds(50)) != nil { fed += 1 }
            }
            // All is well five times a second; a hang shows at the second look, if the question came at once.
            #expect(fed <= 6, "fed \(fed) times in three seconds of a hang")
            #expect(try manager.hears("WATCHDOG=1"), "\(run.transcript)")
            server.kill()
        }

        // MARK: Time

        @Test(arguments: [-10, 10])
        func `a clock that was years wrong makes no lease longer and takes none of the last run's`(years: Int) throws {
            let crowd = try Crowd(port: site.port, seed: 0x70)
            try server.startAndWait()
            #expect(try crowd.work { crowd.plain > 20 && crowd.keyed > 20 })
            server.stop()
            try crowd.settle()
            // As if the clock had been wrong when they came, and right again now.
            let shift = years * 365 * 86_400_000
            let script = """
                import sqlite3
                db = sqlite3.connect("\(site.data.file("registry.sqlite"))")
                db.execute("UPDATE run SET started = started + \(shift)")
                db.execute("UPDATE keyed SET registered = registered + \(shift), expires = expires + \(shift)")
                db.commit()
                """
            try #require(try ChildProcess.run(["python3", "-c", script]).status == .exited(0))
            try server.start()
            try expectNoFaults(crowd)
            #expect(try server.notices() == [])
            try expectFreshLeases()
        }
    }
}
