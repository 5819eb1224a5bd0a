// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import IndexEngine
import Model
import Queues
import RegistryStore
import Support
import Testing

/// Disks that are full, read-only, or lose their power.
@Suite struct DiskTests {
    private static let isRoot = geteuid() == 0
    private static let needsRoot: Comment = "only root can mount a small disk"

    private static func batch(_ number: UInt64) -> [RegistryChange] {
        (number * 32..<number * 32 + 32).flatMap { [keyedRow($0), seedRow($0)] }.puts
    }

    /// What must be there after the batches before `end`.
    private static func rows(before end: UInt64) -> [StoredRegistration] {
        (0..<end * 32).map { keyedRow($0) } + (0..<end * 32).map { seedRow($0) }
    }

    @Test(.enabled(if: isRoot, needsRoot))
    func `a full disk takes no half of a batch and goes on when there is room`() async throws {
        let shelf = try Shelf()
        let disk = try SmallDisk(at: shelf.directory.path, size: "24m")
        let ballast = shelf.directory.file("ballast")
        try Data(count: 22 << 20).write(to: URL(fileURLWithPath: ballast))
        let store = try shelf.open()
        var number: UInt64 = 0
        var refusals = 0
        while number < 200 {
            do throws(IndexStoreFault) {
                try await store.commit(Self.batch(number))
                (number, refusals) = (number + 1, 0)
            } catch {
                let words = "The disk of \(shelf.path) is full: make room, and registering goes on by itself."
                #expect(error == IndexStoreFault(.full, words))
                let peers = (number * 32..<number * 32 + 32).map { keyed($0) }
                #expect(await store.find(peers).allSatisfy { $0 == .absent })
                #expect(await store.find([keyed(number * 32 - 1)]).map(\.row) == [keyedRow(number * 32 - 1)])
                // Without room the next try fails as well.
                refusals += 1
                if refusals == 2 { unlink(ballast) }
                guard refusals <= 3 else { throw error }
            }
        }
        #expect(access(ballast, F_OK) != 0)
        await store.close()
        #expect(try await shelf.loadedAtRestart().map(\.row) == Self.rows(before: 200))
        disk.unmount()
    }

    @Test(.enabled(if: isRoot, needsRoot))
    func `a log that fills the disk is emptied for the next try`() async throws {
        let shelf = try Shelf()
        let disk = try SmallDisk(at: shelf.directory.path, size: "6m")
        let store = try shelf.open()
        try await store.commit(Self.batch(0))
        await store.close()
        // The file grows at a start, and only an end writes that back.
        await (try shelf.open()).close()
        let again = try shelf.open()
        var refusals = 0
        for sequence in 1...2000 as ClosedRange<UInt64> {
            let changes = (0..<32).map { keyedRow($0, sequence: sequence) }.puts
            do throws(IndexStoreFault) { try await again.commit(changes) } catch {
                #expect(error.kind == .full)
                refusals += 1
                try await again.commit(changes)
            }
        }
        #expect(refusals > 0)
        await again.close()
        #expect(try await shelf.loadedAtRestart().allSatisfy { !$0.row.peer.isKeyed || $0.row.sequence == 2000 })
        disk.unmount()
    }

    @Test(.enabled(if: isRoot, needsRoot))
    func `a start on a full disk is refused in words and leaves what is there`() async throws {
        let shelf = try Shelf()
        let disk = try SmallDisk(at: shelf.directory.path, size: "4m")
        try await shelf.open().commit(Self.batch(0))
        let ballast = shelf.directory.file("ballast")
        #expect(throws: (any Error).self) { try Data(count: 4 << 20).write(to: URL(fileURLWithPath: ballast)) }
        let files = open(ballast, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        while write(files, Array(repeating: 0 as UInt8, count: 512), 512) > 0 {}
        Glibc.close(files)
        let fault = #expect(throws: IndexStoreFault.self) { try shelf.open() }
        #expect(fault?.kind == .full, "\(fault as Any)")
        unlink(ballast)
        #expect(try await shelf.loadedAtRestart().map(\.row) == Self.rows(before: 1))
        disk.unmount()
    }

    @Test(.enabled(if: isRoot, needsRoot))
    func `a read-only disk is refused in words and left alone`() async throws {
        let shelf = try Shelf()
        let disk = try SmallDisk(at: shelf.directory.path, size: "4m")
        let store = try shelf.open()
        try await store.commit(Self.batch(0))
        await store.close()
        try disk.remount("ro")
        let fault = #expect(throws: IndexStoreFault.self) { try shelf.open() }
        let words = "The server can't read and write \(shelf.path): read-only file system."
        #expect(fault == IndexStoreFault(.failed, words))
        #expect(try shelf.files() == ["registry.sqlite"])
        try disk.remount("rw")
        #expect(try await shelf.loadedAtRestart().map(\.row) == Self.rows(before: 1))
        disk.unmount()
    }

    @Test(.enabled(if: LoopDisk.isPossible, LoopDisk.needs))
    func `nothing acknowledged is lost in a power cut`() async throws {
        let disk = try LoopDisk()
        var chance = SplitMix64(seed: 41)
        var next: UInt64 = 0
        for round in 0..<10 * soak {
            let first = next
            let store = try SQLiteRegistry(directory: disk.path, keyedLease: keyedLease, seedLease: seedLease) {
                evening
            }
            #expect(store.notice == nil)
            #expect(try await store.everything().map(\.row) == Self.rows(before: first), "round \(round)")
            let acknowledged = Lock(first)
            let task = Task {
                while true {
                    let number = acknowledged.withLock { $0 }
                    try await store.commit(Self.batch(number))
                    acknowledged.withLock { $0 = number + 1 }
                }
            }
            let enough = first + .random(in: 1...20, using: &chance)
            while acknowledged.withLock({ $0 }) < enough { await Task.yield() }
            // What is acknowledged after the cut may have been told by a disk without power.
            let kept = acknowledged.withLock { $0 }
            try disk.cutPower()
            let fault = await #expect(throws: IndexStoreFault.self) { try await task.value }
            #expect(fault?.kind == .failed)
            await store.close()
            try disk.restorePower()
            let found = try await Self.look(disk.path)
            next = UInt64(found.count / 64)
            #expect(next >= kept, "round \(round)")
            #expect(found == Self.rows(before: next), "round \(round)")
        }
    }

    private static func look(_ directory: String) async throws -> [StoredRegistration] {
        let store = try SQLiteRegistry(directory: directory, keyedLease: keyedLease, seedLease: seedLease) { evening }
        let rows = try await store.everything().map(\.row)
        await store.close()
        return rows
    }
}
