// SPDX-License-Identifier: GPL-3.0-or-later
import CPosix
import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGHUP as a call instead of a death, for programs without a screen.
///
/// A thread of its own waits for them, not a loop: a program whose loops hang still ends, less than two seconds after
/// the first signal, whatever else it does. A waiting thread costs no wake-up.
public final class SignalWatch: Sendable {
    /// How long a program has for an orderly end, in nanoseconds; the system may take the rest of the two seconds.
    private static let grace: UInt64 = 1_500_000_000

    private let numbers: [Int32]
    private let handler = Mutex<(@Sendable (Int32) -> Void)?>(nil)
    private let onHangup = Mutex<(@Sendable () -> Void)?>(nil)

    /// Holds the signals back in this thread and in all that it starts: call it before there are others. What is
    /// ignored already, as SIGHUP under nohup(1), stays so.
    public init() {
        numbers = [SIGTERM, SIGINT, SIGHUP].filter { !isIgnored($0) }
        var set = Self.set(of: numbers)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `handler` with the first signal's number, on the watch's thread. Once.
    /// - Parameter onHangup: called at each SIGHUP, which then ends nothing.
    public func start(onHangup: (@Sendable () -> Void)? = nil, _ handler: @escaping @Sendable (Int32) -> Void) {
        self.handler.withLock { $0 = handler }
        self.onHangup.withLock { $0 = onHangup }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<SignalWatch>.fromOpaque(context).takeRetainedValue().wait() }
                return nil
            }, context.toOpaque())
        if code == 0 { pthread_detach(thread) } else { context.release() }
    }

    private func wait() {
        var set = Self.set(of: numbers)
        var number: Int32 = 0
        guard !numbers.isEmpty else { return }
        repeat { guard sigwait(&set, &number) == 0 else { return } } while number == SIGHUP && reload()
        handler.withLock { $0 }?(number)
        // What means a reload is no impatience.
        if onHangup.withLock({ $0 != nil }) { sigdelset(&set, SIGHUP) }
        waitForSecond(of: &set)
        _exit(128 + number)
    }

    /// - Returns: whether SIGHUP means something else than the end.
    private func reload() -> Bool {
        guard let onHangup = onHangup.withLock({ $0 }) else { return false }
        onHangup()
        return true
    }

    /// Waits out the grace. A second signal is impatience, and ends it at once; any other, as a child's end, does not.
    private func waitForSecond(of set: inout sigset_t) {
        let end = PollExecutor.now() + Self.grace
        while true {
            let now = PollExecutor.now()
            guard now < end else { return }
            var rest = timespec(tv_sec: Int((end - now) / 1_000_000_000), tv_nsec: Int((end - now) % 1_000_000_000))
            guard sigtimedwait(&set, nil, &rest) < 0, errno == EINTR else { return }
        }
    }

    private static func set(of numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }
}

private func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
}
