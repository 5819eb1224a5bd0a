// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Glibc
import Model
public import Testing

/// A network of its own, with nothing but a loopback in it; it goes with the last reference and the last program
/// inside.
public final class NetworkNamespace: Sendable {
    /// Whether this machine lets us make one.
    public static let isPossible = geteuid() == 0 && (try? NetworkNamespace()) != nil
    public static let needs: Comment = "network namespaces need root"

    private let handle: Descriptor

    public init() throws {
        handle = try NetworkNamespace.onOwnThread {
            guard unshare(cloneNewNet) == 0 else { throw SystemError("unshare", errno) }
            return try Descriptor(checking: open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), "open namespace")
        }
        try shell("ip link set lo up")
    }

    /// By which other programs find it, as long as it lives.
    public var path: String { "/proc/\(getpid())/fd/\(handle.raw)" }

    /// What starts a program inside.
    public var launcher: [String] { ["nsenter", "--net=\(path)"] }

    /// Runs commands inside, to their end.
    @discardableResult
    public func shell(_ script: String) throws -> String {
        let result = try ChildProcess.run(launcher + ["bash", "-ec", script])
        guard result.status == .exited(0) else { throw ChildProcess.Missing(description: "\(script)\n\(result.err)") }
        return result.out
    }

    /// Runs `body` on a thread inside: its sockets, threads and programs are of this network, and stay so.
    public func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        let descriptor = handle.raw
        return try NetworkNamespace.onOwnThread {
            guard setns(descriptor, cloneNewNet) == 0 else { throw SystemError("setns", errno) }
            return try body()
        }
    }

    /// A cable to another network: an interface of the same name at either end, up, without an address.
    public func connect(to other: NetworkNamespace, _ name: String, _ otherName: String) throws {
        try shell(
            """
            ip link add \(name) type veth peer name \(otherName) netns \(other.path)
            ip link set \(name) up
            """)
        try other.shell("ip link set \(otherName) up")
        // The kernel may take a second until it says that they are running.
        for (place, name) in [(self, name), (other, otherName)] {
            try place.shell("until ip -br link show \(name) | grep -q ' UP '; do sleep 0.01; done")
        }
    }

    private static func onOwnThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        let outcome = Monitor<Result<Value, any Error>?>(nil)
        Thread.detachNewThread {
            let result = Result { try body() }
            outcome.withLock { $0 = result }
        }
        while true {
            let result: Result<Value, any Error>? = outcome.wait(until: .now + .seconds(60)) { $0 }
            if let result { return try result.get() }
        }
    }
}

private let cloneNewNet: Int32 = 0x4000_0000

// Linux calls that Glibc's Swift module does not show.
private func unshare(_ flags: Int32) -> Int32 {
    unsafeBitCast(dlsym(nil, "unshare"), to: (@convention(c) (Int32) -> Int32).self)(flags)
}

private func setns(_ descriptor: Int32, _ flags: Int32) -> Int32 {
    unsafeBitCast(dlsym(nil, "setns"), to: (@convention(c) (Int32, Int32) -> Int32).self)(descriptor, flags)
}
