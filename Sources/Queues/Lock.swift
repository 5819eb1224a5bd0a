// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// A value that threads share, behind a pthread mutex.
///
/// Not `Synchronization.Mutex`: that one is a bare futex, which ThreadSanitizer does not see, so it reports races where
/// there are none. The body is synchronous, so no lock is ever held across a wait.
public final class Lock<Value>: @unchecked Sendable {
    // Sendable: `value` is only touched while `mutex` is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    public init(_ value: sending Value) {
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs the body alone.
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
