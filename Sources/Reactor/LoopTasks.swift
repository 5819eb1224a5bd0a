// SPDX-License-Identifier: GPL-3.0-or-later

/// A loop's thread for tasks that belong to no actor.
///
/// The pool that they run on by default wakes up once a second from its first task on; a program whose tasks all prefer
/// a loop sleeps until something happens.
public final class LoopTasks: TaskExecutor {
    private let loop: PollExecutor

    public init(_ loop: PollExecutor) { self.loop = loop }

    public func enqueue(_ job: consuming ExecutorJob) {
        loop.enqueue(UnownedJob(job), on: asUnownedTaskExecutor())
    }
}
