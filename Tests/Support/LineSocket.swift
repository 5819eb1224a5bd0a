// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
public import Model

/// A connection to a Unix socket that speaks in lines. What comes is read at once and kept.
public final class LineSocket: Sendable {
    fileprivate struct Received {
        var lines: [String] = []
        var partial: [UInt8] = []
    }

    private let socket: Descriptor
    private let received = Monitor(Received())
    private let reader: Reader

    /// Connects to the socket at a path.
    public init(_ path: String) throws {
        let raw = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        socket = try Descriptor(checking: raw, "socket")
        socket.closeOnExec()
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("connect \(path)", ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw SystemError("connect \(path)", errno) }
        socket.neverBlock()
        reader = try Reader(socket) { [received] chunk, _ in received.withLock { $0.append(chunk) } }
    }

    /// Sends a line.
    public func send(_ line: String) throws {
        try socket.write(Array((line + "\n").utf8), deadline: .now + .seconds(10))
    }

    /// Every line that came so far.
    public var lines: [String] { received.withLock { $0.lines } }

    /// Waits until the lines that came are as wished; `nil` when they aren't in time.
    public func wait(_ limit: Span = .seconds(10), until fits: ([String]) -> Bool) -> [String]? {
        received.wait(until: .now + limit) { fits($0.lines) ? $0.lines : nil }
    }
}

extension LineSocket.Received {
    fileprivate mutating func append(_ chunk: ArraySlice<UInt8>?) {
        guard let chunk else { return }
        partial += chunk
        while let newline = partial.firstIndex(of: 0x0A) {
            lines.append(String(decoding: partial[..<newline], as: UTF8.self))
            partial.removeSubrange(...newline)
        }
    }
}
