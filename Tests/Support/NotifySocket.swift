// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Model

/// A service manager's ear (sd_notify(3)): a Unix datagram socket in a directory of its own.
public final class NotifySocket: Sendable {
    private let directory: TemporaryDirectory
    private let socket: Descriptor
    /// What `NOTIFY_SOCKET` names.
    public let path: String

    public init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("notify")
        let raw = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        socket = try Descriptor(checking: raw, "socket")
        socket.closeOnExec()
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw SystemError("bind \(path)", errno) }
    }

    /// The next message; `nil` when none comes in time.
    public func next(_ limit: Span = .seconds(10)) throws -> String? {
        guard try socket.isReady(POLLIN, deadline: .now + limit) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket.raw, &buffer, buffer.count, 0)
        guard count >= 0 else { throw SystemError("recv", errno) }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    /// Passes over messages until one begins so.
    /// - Returns: false when none comes in time.
    public func hears(_ beginning: String, within limit: Span = .seconds(10)) throws -> Bool {
        let deadline = Instant.now + limit
        while let message = try next(deadline.since(.now)) { if message.hasPrefix(beginning) { return true } }
        return false
    }
}
