// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
internal import Queues
public import Reactor

/// The local door of a running program: a Unix socket that only its own user, or root, may use.
///
/// All of it lives on one loop's thread.
public final class ControlListener: @unchecked Sendable {
    // Sendable: all of it lives on the loop's thread, which `PollExecutor` checks whenever a watch changes.

    /// Connections at most; a further one is closed at once.
    public static let connectionLimit = 32

    /// A new connection; set its handlers before returning.
    public var onConnect: (LineConnection) -> Void = { _ in }

    private let listening: ListeningSocket
    private let path: String
    private let loop: PollExecutor
    private var open: [ObjectIdentifier: LineConnection] = [:]

    /// Binds `path`, mode 0600. A socket that nobody listens at any more is replaced.
    /// - Throws: `NetworkError` when another program listens there, when it is a file and no socket, or when the system
    ///   refuses.
    public init(path: String, loop: PollExecutor) throws(NetworkError) {
        guard !isListening(path) else { throw NetworkError("Another program answers at \(path).", code: EADDRINUSE) }
        try removeSocket(path)
        listening = ListeningSocket(try bindSocket(path))
        self.path = path
        self.loop = loop
        loop.watch(listening.descriptor) { [weak self] _ in self?.accept() }
    }

    /// Stops listening and closes all connections.
    public func close() {
        loop.unwatch(listening.descriptor)
        listening.close()
        // What took its place meanwhile is not its own.
        try? removeSocket(path)
        open.values.forEach { $0.close() }
        open = [:]
    }

    /// Lets go of a connection that has ended.
    public func remove(_ connection: LineConnection) { open[ObjectIdentifier(connection)] = nil }

    private func accept() {
        while let accepted = listening.accept() {
            guard open.count < ControlListener.connectionLimit, isOwnUser(accepted) else {
                Glibc.close(accepted)
                continue
            }
            let connection = LineConnection(descriptor: accepted, loop: loop)
            open[ObjectIdentifier(connection)] = connection
            onConnect(connection)
        }
    }
}

/// Connects to a running program's door.
public enum ControlSocket {
    /// - Throws: `NetworkError` when nobody listens there.
    public static func connect(to path: String, loop: PollExecutor) throws(NetworkError) -> LineConnection {
        LineConnection(descriptor: try connectSocket(path), loop: loop)
    }
}

private func isOwnUser(_ descriptor: Int32) -> Bool {
    let user = cp_peer_user(descriptor)
    return user == Int64(geteuid()) || user == 0
}

/// Removes a socket, and nothing else that may be there.
private func removeSocket(_ path: String) throws(NetworkError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
        throw NetworkError(
            "\(path) is no socket and stays as it is; the control socket needs a path of its own.", code: EEXIST)
    }
    unlink(path)
}

private func bindSocket(_ path: String) throws(NetworkError) -> Int32 {
    let descriptor = try withSocketAddress(path) { socket, address, length in
        // 0600 from the first moment: between bind and chmod anyone could connect.
        let before = umask(0o177)
        defer { umask(before) }
        return Glibc.bind(socket, address, length)
    }
    guard listen(descriptor, 16) == 0 else {
        let code = errno
        close(descriptor)
        throw NetworkError("The control socket \(path) does not listen: \(systemReason(code)).", code: code)
    }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    return descriptor
}

/// Whether somebody listens there, even if too busy to answer now.
private func isListening(_ path: String) -> Bool {
    do throws(NetworkError) {
        Glibc.close(try connectSocket(path))
        return true
    } catch { return error.code == EAGAIN }
}

private func connectSocket(_ path: String) throws(NetworkError) -> Int32 {
    try withSocketAddress(path) { socket, address, length in
        // A program whose backlog is full must not hold up the caller: EAGAIN (connect(2)).
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
        return Glibc.connect(socket, address, length)
    }
}

/// Makes a Unix socket and does something with it and its address. The address names the directory by descriptor, so
/// that no path is too long for it (108 bytes, unix(7)).
private func withSocketAddress(
    _ path: String, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
) throws(NetworkError) -> Int32 {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let parent = cp_open_place(directory)
    guard parent >= 0 else {
        throw NetworkError("The directory \(directory) can't be opened: \(systemReason(errno)).", code: errno)
    }
    defer { Glibc.close(parent) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw NetworkError("No socket could be made: \(systemReason(errno)).", code: errno) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let short = Array("/proc/self/fd/\(parent)/\(name)".utf8)
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { space in
        guard short.count < space.count else { return false }
        space.copyBytes(from: short)
        return true
    }
    let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            fits ? body(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size)) : -1
        }
    }
    guard result == 0 else {
        let code = fits ? errno : ENAMETOOLONG
        close(descriptor)
        throw NetworkError("The control socket \(path) is not to be had: \(systemReason(code)).", code: code)
    }
    return descriptor
}
