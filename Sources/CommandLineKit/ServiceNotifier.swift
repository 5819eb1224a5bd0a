// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Reactor

/// Tells the service manager how a service does, as sd_notify(3) does: one datagram to the socket that it named.
public struct ServiceNotifier: Sendable {
    /// A path, or `@` and an abstract name (unix(7)).
    private let socket: String
    /// How often `alive` must be said, at least; `nil` when nobody watches. Say it twice as often.
    public let watchdog: Duration?

    /// - Parameters:
    ///   - socket: `NOTIFY_SOCKET`.
    ///   - watchdog: `WATCHDOG_USEC`.
    ///   - watched: `WATCHDOG_PID`: whom the watchdog is meant for; all, if empty.
    /// - Returns: `nil` when nobody wants to know.
    public init?(
        socket: String? = environment("NOTIFY_SOCKET"), watchdog: String? = environment("WATCHDOG_USEC"),
        watched: String? = environment("WATCHDOG_PID")
    ) {
        guard let socket, socket.utf8.count > 1, socket.hasPrefix("/") || socket.hasPrefix("@") else { return nil }
        self.socket = socket
        let isMeant = watched.map { $0 == "\(getpid())" } ?? true
        self.watchdog = watchdog.flatMap { Int64($0) }.flatMap { isMeant && $0 > 0 ? .microseconds($0) : nil }
    }

    /// The start, or a reload, is over.
    @discardableResult
    public func ready(_ status: String) -> Bool { send("READY=1\nSTATUS=\(oneLine(status))") }

    /// The settings are being read again; `ready` ends that.
    @discardableResult
    public func reloading() -> Bool {
        send("RELOADING=1\nMONOTONIC_USEC=\(PollExecutor.now() / 1000)")
    }

    /// The end has begun.
    @discardableResult
    public func stopping() -> Bool { send("STOPPING=1") }

    /// What `systemctl status` shows.
    @discardableResult
    public func status(_ text: String) -> Bool { send("STATUS=\(oneLine(text))") }

    /// The watchdog's food.
    @discardableResult
    public func alive() -> Bool { send("WATCHDOG=1") }

    private func oneLine(_ text: String) -> String { text.replacing("\n", with: " ") }

    /// - Returns: whether it was taken. A manager that isn't there, or is too busy, is no reason to stop or to wait.
    private func send(_ state: String) -> Bool {
        guard let (address, length) = socketAddress() else { return false }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(state.utf8)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let sent = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, flags, $0, length)
            }
        }
        return sent == bytes.count
    }

    private func socketAddress() -> (address: sockaddr_un, length: socklen_t)? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socket.utf8)
        if socket.hasPrefix("@") { name[0] = 0 }
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { space in
            guard name.count < space.count else { return false }
            space.copyBytes(from: name)
            return true
        }
        // An abstract name is as long as the address says, not up to a NUL.
        let length = MemoryLayout.offset(of: \sockaddr_un.sun_path).map { $0 + name.count }
        return fits ? length.map { (address, socklen_t($0)) } : nil
    }
}
