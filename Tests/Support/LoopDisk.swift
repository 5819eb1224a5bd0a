// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Testing

/// A disk of its own whose power can be cut: ext4 on a loop device, shut down by ioctl without flushing anything.
public final class LoopDisk {
    /// Whether this machine lets us make one.
    public static let isPossible =
        geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0
        && (try? ChildProcess.run(["bash", "-c", "command -v mkfs.ext4 && command -v losetup"]).status) == .exited(0)
    public static let needs: Comment = "a loop device needs root, /dev/loop-control and mkfs.ext4"

    /// FS_IOC_SHUTDOWN of the kernel's `fs.h`, and EXT4_GOING_FLAGS_NOLOGFLUSH of its `ext4.h`.
    private static let shutDown: UInt = 0x8004_587D
    private static let withoutFlushing: UInt32 = 2

    private let directory = Result { try TemporaryDirectory() }
    private let image: String
    private let device: String
    /// Where it is mounted.
    public let path: String

    public init() throws {
        let directory = try directory.get()
        (image, path) = (directory.file("image"), directory.file("disk"))
        device = try LoopDisk.shell(
            """
            truncate -s 64M \(image); mkfs.ext4 -q -F -E lazy_itable_init=0 \(image); mkdir \(path)
            losetup --find --show \(image)
            """)
        try mount()
    }

    deinit {
        // The same device serves all mounts: a new one could read the image before the old one has written to it.
        _ = try? LoopDisk.shell("umount -l \(path) 2>/dev/null || true; losetup -d \(device)")
    }

    private func mount() throws { _ = try LoopDisk.shell("mount -t ext4 \(device) \(path)") }

    /// What was not synced is gone; nothing more can be written.
    public func cutPower() throws {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw ChildProcess.Missing(description: "no disk at \(path)") }
        defer { close(descriptor) }
        var flags = LoopDisk.withoutFlushing
        guard ioctl(descriptor, LoopDisk.shutDown, &flags) == 0 else {
            throw ChildProcess.Missing(description: "FS_IOC_SHUTDOWN: \(String(cString: strerror(errno)))")
        }
    }

    /// Turns it on again.
    public func restorePower() throws {
        _ = try LoopDisk.shell("umount \(path)")
        try mount()
    }

    private static func shell(_ script: String) throws -> String {
        let result = try ChildProcess.run(["bash", "-ec", script])
        guard result.status == .exited(0) else { throw ChildProcess.Missing(description: "\(script)\n\(result.err)") }
        return result.out.split(separator: "\n").last.map(String.init) ?? ""
    }
}
