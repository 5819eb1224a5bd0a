// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc

/// A value behind a pthread mutex.
///
/// `Synchronization.Mutex` would do, but it is a bare futex that ThreadSanitizer can't see: every use of it would be
/// reported as a race.
public final class Lock<Value>: Sendable {
    // Both are sound to share: the mutex is made for it, and the value is only touched while the mutex is held.
    private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private nonisolated(unsafe) var value: Value

    /// Takes the value in; nobody else may keep a way to it.
    public init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value while the mutex is held. Not recursive; keep it short and never wait inside.
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
