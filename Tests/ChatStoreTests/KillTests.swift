// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import Foundation
import Glibc
import Model
import StoreHammer
import Support
import Testing

/// A program that dies at any moment loses nothing that it acknowledged, and leaves no half of a group.
@Suite struct KillTests {
    @Test func `nothing acknowledged is lost when the program is killed at random moments`() async throws {
        let shelf = try Shelf()
        var chance = SplitMix64(seed: 50)
        var next: UInt64 = 0
        for round in 0..<50 * Hammer.factor {
            let process = try ChildProcess(Hammer.arguments("commit", shelf.path, first: next, count: 1 << 20))
            for _ in 0..<Int.random(in: 0...12, using: &chance) { _ = try process.nextLine() }
            _ = process.child.wait(.microseconds(Int.random(in: 0..<4000, using: &chance)))
            process.child.send(SIGKILL)
            #expect(process.wait() == .signalled(SIGKILL))
            let acknowledged = Hammer.acknowledged(process.lines.map(\.text)).last ?? next.checkedPredecessor
            next = try await Hammer.check(shelf.path, acknowledged: acknowledged, "round \(round)")
        }
        #expect(next > 50)
    }

    private static let calls = ["pwrite64", "fdatasync", "ftruncate", "unlink", "openat"]

    @Test(.enabled(if: Condition.canTrace, Condition.needsTrace), arguments: calls)
    func `nothing acknowledged is lost when a write or sync is the last call`(call: String) async throws {
        var point = 1
        while point < 4000 {
            let shelf = try Shelf()
            let run = try Self.injected("\(call):signal=KILL:when=\(point)", shelf)
            let place: Comment = "killed at \(call) \(point)"
            if run.status == .exited(0) { break }
            #expect(run.status == .signalled(SIGKILL), "\(place): \(run.out)\(run.err)")
            let acknowledged = Hammer.acknowledged(run.out.split(separator: "\n").map(String.init)).last
            try await Hammer.check(shelf.path, acknowledged: acknowledged, place)
            point += Hammer.factor > 1 ? 1 : max(1, point / 4)
        }
        #expect(point > 1, "\(call) was never made")
    }

    @Test(.enabled(if: Condition.canTrace, Condition.needsTrace))
    func `after a sync that failed nothing is acknowledged until the store is opened again`() async throws {
        var refusals = 0
        for point in 1...40 {
            let shelf = try Shelf()
            let run = try Self.injected("fdatasync:error=EIO:when=\(point)", shelf)
            let lines = run.out.split(separator: "\n").map(String.init)
            if let refusal = lines.firstIndex(where: { $0.hasPrefix("refused") }) {
                #expect(lines[refusal].contains(" false The disk of"), "\(lines[refusal])")
                #expect(refusal == lines.count - 2 && lines.last == lines[refusal], "\(run.out)")
                refusals += 1
            }
            try await Hammer.check(
                shelf.path, acknowledged: Hammer.acknowledged(lines).last, "sync \(point) failed")
            if run.status == .exited(0) { break }
        }
        #expect(refusals > 0)
    }

    @Test(.enabled(if: Condition.canTrace, Condition.needsTrace), arguments: [1, 4, 9, 20, 31])
    func `a write without room is refused and the rest stays whole`(point: Int) async throws {
        let shelf = try Shelf()
        let run = try Self.injected("pwrite64:error=ENOSPC:when=\(point)+", shelf)
        #expect(run.out.contains(" is full: "), "\(run.out)")
        let acknowledged = Hammer.acknowledged(run.out.split(separator: "\n").map(String.init)).last
        try await Hammer.check(shelf.path, acknowledged: acknowledged, "no room from write \(point)")
    }

    @Test func `a file that may not grow is refused and goes on once it may`() async throws {
        let shelf = try Shelf()
        let run = try ChildProcess.run(Hammer.arguments("limited", shelf.path, count: 400))
        #expect(run.status == .exited(0), "\(run.out)\(run.err)")
        let lines = run.out.split(separator: "\n").map(String.init)
        #expect(lines.contains { $0.hasPrefix("refused") && $0.contains(" true ") })
        #expect(Hammer.acknowledged(lines) == Array(0..<400))
        try await Hammer.check(shelf.path, acknowledged: 399, "after the limit")
    }

    private static func injected(_ fault: String, _ shelf: Shelf) throws -> ChildProcess.Result {
        let call = fault.prefix { $0 != ":" }
        let strace = ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(fault)"]
        return try ChildProcess.run(strace + Hammer.arguments("commit", shelf.path, count: 6))
    }
}

extension UInt64 {
    fileprivate var checkedPredecessor: UInt64? { self == 0 ? nil : self - 1 }
}
