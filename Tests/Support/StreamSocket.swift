// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Model

/// A TCP connection to a port of 127.0.0.1 that speaks in raw bytes and waits with a deadline.
public final class StreamSocket: Sendable {
    private let socket: Descriptor

    public init(port: UInt16) throws {
        let raw = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        socket = try Descriptor(checking: raw, "socket")
        socket.closeOnExec()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw SystemError("connect \(port)", errno) }
    }

    /// Sends all of it.
    public func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw SystemError("send", errno) }
            rest = rest.dropFirst(count)
        }
    }

    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Everything until the other side closes, which is empty if it resets the connection; `nil` when it does not in
    /// time.
    public func readToEnd(_ limit: Span = .seconds(10)) throws -> String? {
        let deadline = Instant.now + limit
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while try socket.isReady(POLLIN, deadline: deadline) {
            let count = recv(socket.raw, &buffer, buffer.count, 0)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += buffer.prefix(count)
        }
        return nil
    }
}
