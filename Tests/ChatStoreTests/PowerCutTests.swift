// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import StoreHammer
import Support
import Testing

/// A file system of our own in a file, which can be cut off from its disk as by a power cut.
private final class Disk {
    let directory: TemporaryDirectory
    let device: String
    var mount: String { directory.file("mount") }

    init() throws {
        directory = try TemporaryDirectory()
        let image = directory.file("image")
        _ = try Disk.run("truncate", "-s", "64M", image)
        _ = try Disk.run("mkfs.ext4", "-q", "-F", image)
        // One device for all rounds: a new one may show older content of the image.
        device = try Disk.run("losetup", "--find", "--show", image).trimmingCharacters(in: .whitespacesAndNewlines)
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: false)
    }

    deinit {
        _ = try? Disk.run("umount", mount)
        _ = try? Disk.run("losetup", "--detach", device)
    }

    func attach() throws { _ = try Disk.run("mount", device, mount) }

    func detach() throws { _ = try Disk.run("umount", mount) }

    /// Forgets, with its journal unflushed, what was not synced (`FS_IOC_SHUTDOWN`, `linux/fs.h`).
    func cut() throws {
        let file = open(mount, O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        var noFlush: UInt32 = 2
        guard ioctl(file, 0x8004_587D, &noFlush) == 0 else {
            throw ChildProcess.Missing(description: "FS_IOC_SHUTDOWN: \(errno)")
        }
    }

    private static func run(_ arguments: String...) throws -> String {
        let run = try ChildProcess.run(
            arguments, environment: ["PATH": Child.environment["PATH", default: ""] + ":/sbin:/usr/sbin"])
        guard run.status == .exited(0) else {
            throw ChildProcess.Missing(description: arguments.joined(separator: " ") + ": " + run.err)
        }
        return run.out
    }
}

@Suite struct PowerCutTests {
    @Test(
        .enabled(
            if: Condition.isRoot && Condition.has("mkfs.ext4") && Condition.has("losetup"),
            "only root can make and cut off a file system, with mkfs.ext4 and losetup"))
    func `nothing acknowledged is lost in a power cut`() async throws {
        let disk = try Disk()
        var chance = SplitMix64(seed: 6)
        var next: UInt64 = 0
        for round in 0..<10 * Hammer.factor {
            try disk.attach()
            let path = disk.mount + "/history.db"
            let process = try ChildProcess(Hammer.arguments("commit", path, first: next, count: 1 << 20))
            for _ in 0..<Int.random(in: 1...30, using: &chance) { _ = try process.nextLine() }
            // What is read after the cut may have been printed after it.
            let acknowledged = Hammer.acknowledged(process.lines.map(\.text)).last
            try disk.cut()
            process.child.send(SIGKILL)
            _ = process.wait()
            try disk.detach()
            try disk.attach()
            next = try await Hammer.check(path, acknowledged: acknowledged, "cut \(round)")
            try disk.detach()
        }
    }

    @Test(.enabled(if: Condition.isRoot, "only root can mount a small disk"))
    func `a full disk refuses and goes on when there is room`() async throws {
        let directory = try TemporaryDirectory()
        let mount = directory.path
        let mounted = try ChildProcess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount])
        try #require(mounted.status == .exited(0), "\(mounted.err)")
        defer { _ = try? ChildProcess.run(["umount", mount]) }
        try Data(count: 5_400_000).write(to: URL(fileURLWithPath: directory.file("ballast")))
        let path = directory.file("history.db")
        let process = try ChildProcess(Hammer.arguments("patient", path, count: 200))
        let refusal = try process.line("a refusal") { $0.hasPrefix("refused") }
        #expect(refusal.text.contains(" true The disk of \(path) is full"))
        try FileManager.default.removeItem(atPath: directory.file("ballast"))
        try process.send("go on")
        #expect(process.wait() == .exited(0), "\(process.transcript)")
        let acknowledged = Hammer.acknowledged(process.lines.map(\.text))
        #expect(acknowledged == Array(0..<200))
        try await Hammer.check(path, acknowledged: 199, "after a full disk")
    }
}
