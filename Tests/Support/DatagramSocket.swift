// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Model

/// A UDP socket on loopback that speaks in raw bytes and waits with a deadline.
public final class DatagramSocket: Sendable {
    public enum Family: Sendable { case v4, v6 }

    private let socket: Descriptor
    private let family: Family
    /// The IPv4 address of loopback that it writes to, and hears alone if it is another than 127.0.0.1.
    private let other: UInt32
    /// Where it listens.
    public let port: UInt16

    /// Binds loopback at a port; 0 asks for any.
    /// - Parameter other: the address of loopback that it writes to, and hears alone if it is another than 127.0.0.1.
    public init(_ family: Family = .v4, port: UInt16 = 0, towards other: UInt32 = DatagramSocket.first) throws {
        let raw = Glibc.socket(family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        socket = try Descriptor(checking: raw, "socket")
        socket.closeOnExec()
        self.family = family
        self.other = other
        let bound = DatagramSocket.withLoopback(family, port) { bind(raw, $0, $1) }
        guard bound == 0 else { throw SystemError("bind \(port)", errno) }
        self.port = try DatagramSocket.boundPort(raw)
    }

    /// 127.0.0.1.
    public static let first: UInt32 = 0x7F00_0001

    /// A UDP port that is free on loopback now.
    public static func freePort() throws -> UInt16 { try DatagramSocket().port }

    /// Sends one datagram to a port on loopback.
    public func send(_ bytes: [UInt8], to port: UInt16) throws {
        let count = DatagramSocket.withLoopback(family, port, other) { address, length in
            bytes.withUnsafeBytes { sendto(socket.raw, $0.baseAddress, $0.count, 0, address, length) }
        }
        guard count == bytes.count else { throw SystemError("sendto", errno) }
    }

    /// Sends text as one datagram.
    public func send(_ text: String, to port: UInt16) throws { try send(Array(text.utf8), to: port) }

    /// The next datagram; `nil` when none comes in time.
    public func receive(_ limit: Span = .seconds(10)) throws -> [UInt8]? { try next(limit)?.bytes }

    /// The next datagram and the port that it came from; `nil` when none comes in time.
    public func next(_ limit: Span = .seconds(10)) throws -> (bytes: [UInt8], port: UInt16)? {
        guard try socket.isReady(POLLIN, deadline: .now + limit) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var source = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let count = withUnsafeMutablePointer(to: &source) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                buffer.withUnsafeMutableBytes { recvfrom(socket.raw, $0.baseAddress, $0.count, 0, address, &length) }
            }
        }
        guard count >= 0 else {
            // What a port without a listener sent back (ICMP) is no datagram.
            if errno == ECONNREFUSED { return nil }
            throw SystemError("recv", errno)
        }
        let isOther = family == .v4 && other != Self.first && UInt32(bigEndian: source.sin6_flowinfo) != other
        if isOther { return nil }
        return (Array(buffer.prefix(count)), UInt16(bigEndian: source.sin6_port))  // at one offset in both families
    }

    /// Sends a request until something answers, as UDP wants it; `nil` when nothing does. Who asks again too soon reads
    /// the late first answer as one to his next question.
    public func ask(_ request: String, at port: UInt16, tries: Int = 4, each: Span = .seconds(3)) throws
        -> String?
    {
        for _ in 0..<tries {
            try send(request, to: port)
            if let answer = try receive(each) { return String(decoding: answer, as: UTF8.self) }
        }
        return nil
    }

    private static func withLoopback<Result>(
        _ family: Family, _ port: UInt16, _ v4: UInt32 = first, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        switch family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = v4.bigEndian
            return withSockaddr(&address, body)
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = in6addr_loopback
            return withSockaddr(&address, body)
        }
    }

    private static func withSockaddr<Address, Result>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    private static func boundPort(_ raw: Int32) throws -> UInt16 {
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &length) }
        }
        guard code == 0 else { throw SystemError("getsockname", errno) }
        return UInt16(bigEndian: address.sin6_port)  // at the same offset in both families
    }
}
