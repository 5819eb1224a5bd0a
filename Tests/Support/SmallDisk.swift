// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Testing

/// A disk in memory over a directory: small enough to be filled.
public final class SmallDisk {
    /// Whether this machine lets us make one.
    public static let isPossible = geteuid() == 0
    public static let needs: Comment = "only root can mount a small disk"

    private let path: String

    /// - Parameters:
    ///   - path: a directory that is there; what is in it is hidden meanwhile.
    ///   - size: as mount(8) takes it, `8m`.
    public init(at path: String, size: String) throws {
        self.path = path
        try SmallDisk.run("mount", "-t", "tmpfs", "-o", "size=\(size)", "tmpfs", path)
    }

    deinit { unmount() }

    /// Mounts it anew with other options, as `ro`.
    public func remount(_ how: String) throws { try SmallDisk.run("mount", "-o", "remount,\(how)", path) }

    /// Writes a file of that name until nothing more fits; removing it makes room.
    public func fill(_ name: String = "ballast") throws {
        let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError("open \(name)", errno) }
        defer { close(file) }
        let block = [UInt8](repeating: 0, count: 65_536)
        for size in [block.count, 512] { while write(file, block, size) > 0 {} }
        guard errno == ENOSPC else { throw SystemError("write \(name)", errno) }
    }

    /// Takes it away, whoever uses it.
    public func unmount() { umount2(path, Int32(MNT_DETACH)) }

    private static func run(_ arguments: String...) throws {
        let result = try ChildProcess.run(arguments)
        guard result.status == .exited(0) else { throw ChildProcess.Missing(description: result.err) }
    }
}
