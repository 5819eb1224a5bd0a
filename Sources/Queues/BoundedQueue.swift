// SPDX-License-Identifier: GPL-3.0-or-later

/// A queue with a bound between threads or tasks and one consumer, which takes everything at once.
///
/// What happens at the bound is the producer's choice by the call it makes: `offer` refuses the newest and counts it,
/// `send` waits until there is room.
public final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var dropped = 0
        var isFinished = false
        var consumer: CheckedContinuation<[Element]?, Never>?
        var producers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())
    /// How many elements wait at most, but for the last batch of a `send`.
    public let capacity: Int

    public init(capacity: Int) { self.capacity = capacity }

    /// How many elements `offer` has refused so far.
    public var dropped: Int { state.withLock { $0.dropped } }

    /// How many wait now.
    public var count: Int { state.withLock { $0.elements.count } }

    /// Adds without waiting; beyond the capacity the newest are dropped and counted.
    /// - Returns: how many were taken.
    @discardableResult
    public func offer(_ elements: [Element]) -> Int {
        deliver { state in
            let room = max(0, capacity - state.elements.count)
            state.dropped += max(0, elements.count - room)
            state.elements.append(contentsOf: elements.prefix(room))
            return min(room, elements.count)
        }
    }

    /// Adds, and waits while the queue is full. After `finish` it drops.
    public func send(_ elements: [Element]) async {
        guard !elements.isEmpty else { return }
        let isFull = deliver { state in
            if !state.isFinished { state.elements.append(contentsOf: elements) }
            return state.elements.count > capacity
        }
        guard isFull else { return }
        await withCheckedContinuation { continuation in
            let mayGo = state.withLock { state in
                if state.elements.count <= capacity || state.isFinished { return true }
                state.producers.append(continuation)
                return false
            }
            if mayGo { continuation.resume() }
        }
    }

    /// No more elements: the consumer gets what is left, then `nil`.
    public func finish() {
        let producers = deliver { state in
            state.isFinished = true
            defer { state.producers = [] }
            return state.producers
        }
        producers.forEach { $0.resume() }
    }

    /// Waits for elements and takes all of them; `nil` after `finish`, or when the task is cancelled.
    /// - Important: one consumer at a time.
    public func next() async -> [Element]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (ready, producers) = state.withLock { state -> ([Element]??, [CheckedContinuation<Void, Never>]) in
                    if !state.elements.isEmpty { return (.some(take(&state)), takeProducers(&state)) }
                    if state.isFinished || Task.isCancelled { return (.some(nil), []) }
                    state.consumer = continuation
                    return (nil, [])
                }
                producers.forEach { $0.resume() }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            let consumer = state.withLock { state in
                defer { state.consumer = nil }
                return state.consumer
            }
            consumer?.resume(returning: nil)
        }
    }

    /// Changes the state, then wakes the consumer, outside the lock, if there is something for it.
    private func deliver<Result>(_ change: (inout State) -> Result) -> Result {
        let (result, consumer, batch) = state.withLock {
            state -> (Result, CheckedContinuation<[Element]?, Never>?, [Element]?) in
            let result = change(&state)
            guard let consumer = state.consumer, !state.elements.isEmpty || state.isFinished else {
                return (result, nil, nil)
            }
            state.consumer = nil
            return (result, consumer, state.elements.isEmpty ? nil : take(&state))
        }
        consumer?.resume(returning: batch)
        return result
    }

    private func take(_ state: inout State) -> [Element] {
        defer { state.elements = [] }
        return state.elements
    }

    private func takeProducers(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        defer { state.producers = [] }
        return state.producers
    }
}
