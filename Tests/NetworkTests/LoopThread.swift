// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import Network
import Queues
import Reactor
import Support

/// A loop on a thread of its own and an actor there, for things that live on a loop's thread.
actor LoopThread {
    nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init() throws {
        loop = try PollExecutor(name: "test loop")
        loop.start()
    }

    deinit { loop.stop() }

    func run<Result: Sendable>(_ body: @Sendable (PollExecutor) throws -> Result) rethrows -> Result { try body(loop) }
}

/// What came to one place, for a test to wait for.
final class Inbox<Element: Sendable>: Sendable {
    private let queue = BoundedQueue<Element>(capacity: 1_000_000)

    func put(_ elements: [Element]) { queue.offer(elements) }

    /// Waits until so many came; the suite's time limit ends a wait in vain.
    func take(_ count: Int) async -> [Element] {
        var taken: [Element] = []
        while taken.count < count, let batch = await queue.next() { taken += batch }
        return taken
    }
}
