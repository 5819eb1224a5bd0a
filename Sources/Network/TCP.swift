// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
public import Model
internal import Queues

/// Sockets of TCP connections for use on a loop: no call waits. A descriptor is the caller's to close.
public enum TCP {
    /// Listens at exactly this address and port; at the unspecified IPv6 address for IPv4 as well.
    /// - Throws: why not, as one clause.
    public static func listen(at place: Endpoint) throws(NetworkError) -> (socket: ListeningSocket, local: Endpoint) {
        var place = cp_endpoint(place)
        let descriptor = cp_tcp_listen(&place, 128)
        guard descriptor >= 0 else { throw failure(errno) }
        cp_socket_local(descriptor, &place)
        return (ListeningSocket(descriptor), Endpoint(place))
    }

    /// Begins to connect: the descriptor becomes writable when that is over, and `error` tells how it went.
    /// - Throws: why not, as one clause.
    public static func connect(to remote: Endpoint) throws(NetworkError) -> Int32 {
        var place = cp_endpoint(remote)
        let descriptor = cp_tcp_connect(&place)
        guard descriptor >= 0 else { throw failure(errno) }
        return descriptor
    }

    /// Takes the error that waits on a socket; `nil` for none.
    public static func error(of descriptor: Int32) -> NetworkError? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout.size(ofValue: code))
        if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) != 0 { code = errno }
        return code == 0 ? nil : failure(code)
    }

    /// For datagrams in a stream: they leave at once, little is kept unsent, and a side that did not acknowledge
    /// something for `patience` is gone. While there is nothing to send nothing is sent.
    public static func tune(_ descriptor: Int32, patience: Span) {
        cp_tcp_tune(descriptor, Int32(clamping: patience.wholeSeconds))
    }

    /// Where the other side is; `nil` if it went already.
    public static func remote(of descriptor: Int32) -> Endpoint? {
        var place = cp_endpoint()
        return cp_socket_peer(descriptor, &place) == 0 ? Endpoint(place) : nil
    }

    private static func failure(_ code: Int32) -> NetworkError { NetworkError(systemReason(code), code: code) }
}
