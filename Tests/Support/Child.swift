// SPDX-License-Identifier: GPL-3.0-or-later
import CVTerm
import Foundation
import Glibc
public import Model

/// How a program ended.
public enum Termination: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)
}

/// A running program. It is killed, if need be, when the last reference to it goes.
public final class Child: Sendable {
    public let pid: Int32
    private let handle: Descriptor
    private let status = Monitor<Termination?>(nil)

    /// The environment of every program under test: nothing of the developer's own leaks in.
    public static let environment = [
        "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent",
        "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
        "SWIFT_BACKTRACE": "interactive=no",
    ]

    /// Starts a program.
    /// - Parameters:
    ///   - environment: laid over the standard one; an empty value removes a variable.
    ///   - ownSession: makes it a session leader, so that the first terminal it opens is its own.
    ///   - actions: sets its descriptors up.
    init(
        _ arguments: [String], environment: [String: String], directory: String?, ownSession: Bool,
        actions configure: (inout posix_spawn_file_actions_t) -> Void
    ) throws {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }
        configure(&actions)

        // A test runner may ignore or block signals; its children start as a shell would start them.
        var everything = sigset_t()
        var nothing = sigset_t()
        sigfillset(&everything)
        sigemptyset(&nothing)
        posix_spawnattr_setsigdefault(&attributes, &everything)
        posix_spawnattr_setsigmask(&attributes, &nothing)
        let flags = Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) | (ownSession ? cv_spawn_setsid : 0)
        posix_spawnattr_setflags(&attributes, flags)

        signal(SIGPIPE, SIG_IGN)  // a program that ends early is a failed write, not the end of the test run
        let merged = Child.environment.merging(environment) { $1 }.filter { !$0.value.isEmpty }
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = merged.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, arguments.first ?? "", &actions, &attributes, argv, envp)
        guard code == 0 else { throw SystemError("start \(arguments.first ?? "nothing")", code) }
        self.pid = pid
        handle = try Descriptor(checking: cv_pidfd_open(pid), "pidfd_open")
        handle.closeOnExec()
    }

    deinit {
        send(SIGKILL)
        _ = wait(.seconds(10))
    }

    /// Sends a signal, unless the program has ended.
    public func send(_ signal: Int32) {
        status.withLock { if $0 == nil { kill(pid, signal) } }
    }

    /// Waits for the end; `nil` when it doesn't come in time.
    public func wait(_ limit: Span = .seconds(10)) -> Termination? {
        if let known = status.withLock({ $0 }) { return known }
        guard (try? handle.isReady(POLLIN, deadline: .now + limit)) == true else { return nil }
        return status.withLock { status in
            var word: Int32 = 0
            if status == nil, waitpid(pid, &word, 0) == pid {
                status = word & 0x7F == 0 ? .exited(word >> 8 & 0xFF) : .signalled(word & 0x7F)
            }
            return status
        }
    }

    /// Whether it still runs.
    public var isRunning: Bool { wait(.zero) == nil }
}
