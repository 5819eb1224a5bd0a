// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation

/// Does something for each of several at the same time, each on a thread of its own: for what waits more than it works.
/// What is expected in it belongs to the test that called.
/// - Throws: the first error, when all have ended.
public func atOnce<Item: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (Item) throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Result<Void, any Error>.self) { group in
        for item in items {
            group.addTask(executorPreference: OwnThread()) { Result { try body(item) } }
        }
        var results: [Result<Void, any Error>] = []
        for try await result in group { results.append(result) }
        for result in results { try result.get() }
    }
}

/// Gives each job a thread, so that those that block hold nobody up.
private final class OwnThread: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
