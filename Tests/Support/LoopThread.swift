// SPDX-License-Identifier: GPL-3.0-or-later
import Queues
public import Reactor

/// A loop on a thread of its own and an actor there, for things that live on a loop's thread.
public actor LoopThread {
    public nonisolated let loop: PollExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    public init() throws {
        loop = try PollExecutor(name: "test loop")
        loop.start()
    }

    deinit { loop.stop() }

    public func run<Result: Sendable>(_ body: @Sendable (PollExecutor) throws -> Result) rethrows -> Result {
        try body(loop)
    }
}

/// What came to one place, for a test to wait for.
public final class Inbox<Element: Sendable>: Sendable {
    private let queue = BoundedQueue<Element>(capacity: 1_000_000)
    private let early = Lock<[Element]>([])

    public init() {}

    public func put(_ elements: [Element]) { queue.offer(elements) }

    /// Waits for so many, which leave the inbox; the suite's time limit ends a wait in vain.
    public func take(_ count: Int) async -> [Element] {
        while early.withLock({ $0.count }) < count, let batch = await queue.next() { early.withLock { $0 += batch } }
        return early.withLock { early in
            defer { early.removeFirst(min(count, early.count)) }
            return Array(early.prefix(count))
        }
    }

    public func next() async -> Element? { await take(1).first }
}
