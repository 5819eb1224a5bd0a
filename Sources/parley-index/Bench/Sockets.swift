// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Model

/// A socket without waiting, connected to a server; -1 when that fails.
func connectedSocket(_ server: Endpoint, _ kind: __socket_type) -> Int32 {
    let family = if case .v4 = server.address { AF_INET } else { AF_INET6 }
    let descriptor = socket(family, Int32(kind.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return -1 }
    let isConnected = withSocketAddress(server) { connect(descriptor, $0, $1) } == 0
    guard isConnected, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else {
        close(descriptor)
        return -1
    }
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout.size(ofValue: on)))
    return descriptor
}

/// A port of 127.0.0.1 that was free a moment ago, for datagrams and for connections; `nil` when there is none.
func freePort() -> UInt16? {
    for _ in 0..<16 {
        let (datagrams, stream) = (boundSocket(SOCK_DGRAM, port: 0), boundSocket(SOCK_STREAM, port: 0))
        defer { [datagrams, stream].forEach { close($0) } }
        guard let port = localEndpoint(stream)?.port else { return nil }
        let both = boundSocket(SOCK_DGRAM, port: port)
        close(both)
        if both >= 0 { return port }
    }
    return nil
}

/// A socket on 127.0.0.1; -1 when that fails.
func boundSocket(_ kind: __socket_type, port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(kind.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard withSocketAddress(.loopback(port), { bind(descriptor, $0, $1) }) == 0 else {
        close(descriptor)
        return -1
    }
    return descriptor
}

/// Where a socket is bound.
func localEndpoint(_ descriptor: Int32) -> Endpoint? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout.size(ofValue: storage))
    return withUnsafeMutableBytes(of: &storage) { bytes in
        guard let raw = bytes.baseAddress,
            getsockname(descriptor, raw.assumingMemoryBound(to: sockaddr.self), &length) == 0
        else { return nil }
        if Int32(raw.load(as: sockaddr.self).sa_family) == AF_INET {
            let address = raw.load(as: sockaddr_in.self)
            return Endpoint(
                address: .v4(UInt32(bigEndian: address.sin_addr.s_addr)), port: UInt16(bigEndian: address.sin_port))
        }
        let address = raw.load(as: sockaddr_in6.self)
        let (high, low) = withUnsafeBytes(of: address.sin6_addr) {
            ($0.load(as: UInt64.self).bigEndian, $0.load(fromByteOffset: 8, as: UInt64.self).bigEndian)
        }
        return Endpoint(address: .v6(high, low), port: UInt16(bigEndian: address.sin6_port))
    }
}

private func withSocketAddress(_ endpoint: Endpoint, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    func pass<Address>(_ address: Address) -> Int32 {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }
    switch endpoint.address {
    case .v4(let bits):
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = endpoint.port.bigEndian
        address.sin_addr.s_addr = bits.bigEndian
        return pass(address)
    case .v6(let high, let low):
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = endpoint.port.bigEndian
        withUnsafeMutableBytes(of: &address.sin6_addr) {
            $0.storeBytes(of: high.bigEndian, as: UInt64.self)
            $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return pass(address)
    }
}

/// Gives a socket the room to receive that the system lets it have.
func widenBuffer(_ descriptor: Int32) {
    var size: Int32 = 4 << 20
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout.size(ofValue: size)))
}
