// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Model
import Network

/// A socket without waiting, connected to a server; -1 when that fails.
func connectedSocket(_ server: Endpoint, _ kind: __socket_type) -> Int32 {
    let family = if case .v4 = server.address { AF_INET } else { AF_INET6 }
    let descriptor = socket(family, Int32(kind.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return -1 }
    guard SocketAddress(server).connect(descriptor), fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else {
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
    guard SocketAddress(.loopback(port)).bind(descriptor) else {
        close(descriptor)
        return -1
    }
    return descriptor
}

/// Where a socket is bound.
func localEndpoint(_ descriptor: Int32) -> Endpoint? { SocketAddress(localOf: descriptor)?.endpoint }

/// Gives a socket the room to receive that the system lets it have.
func widenBuffer(_ descriptor: Int32) {
    var size: Int32 = 4 << 20
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout.size(ofValue: size)))
}
