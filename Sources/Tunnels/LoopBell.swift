// SPDX-License-Identifier: GPL-3.0-or-later
internal import CPosix
internal import Glibc
internal import Network
internal import Queues
internal import Reactor

/// Calls a handler on a loop's thread at a moment, and whenever a thread rings: a deadline beside the loop's one.
final class LoopBell: Sendable {
    private let descriptor: Int32
    /// Whether it was rung, and the handler not called yet.
    private let isRung = Lock(false)

    init() throws(NetworkError) {
        descriptor = cp_timerfd()
        guard descriptor >= 0 else { throw NetworkError(systemReason(errno), code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    /// Has the handler called soon. From any thread.
    func ring() {
        isRung.withLock { isRung in
            if !isRung { cp_timerfd_set(descriptor, 1) }
            isRung = true
        }
    }

    /// Has the handler called at a moment of `PollExecutor.now()`; `nil` for never. Who rang is heard before.
    func set(_ moment: UInt64?) {
        isRung.withLock { isRung in
            if !isRung { cp_timerfd_set(descriptor, moment ?? 0) }
        }
    }

    /// On the loop's thread, or before it runs. The handler sets the next moment.
    func open(on loop: PollExecutor, _ handler: @escaping () -> Void) {
        loop.watch(descriptor) { [isRung, descriptor] _ in
            var count: UInt64 = 0
            _ = read(descriptor, &count, MemoryLayout.size(ofValue: count))
            isRung.withLock { $0 = false }
            handler()
        }
    }

    func close(on loop: PollExecutor) { loop.unwatch(descriptor) }
}
