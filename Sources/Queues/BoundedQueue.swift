// SPDX-License-Identifier: GPL-3.0-or-later

/// A queue with a bound between threads or tasks and one consumer, which takes everything at once.
///
/// What happens at the bound is the producer's choice by the call it makes: `offer` refuses the newest and counts it,
/// `send` waits until there is room. A producer whose order is fixed by a lock or an actor appends there, and waits for
/// room outside.
public final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var dropped = 0
        var isFinished = false
        var consumer: CheckedContinuation<[Element]?, Never>?
        var producers: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextProducer: UInt64 = 0

        mutating func takeProducers() -> [CheckedContinuation<Void, Never>] {
            defer { producers = [:] }
            return Array(producers.values)
        }
    }

    private let state = Lock(State())
    /// How many elements wait at most, but for the last batch of each `append`.
    public let capacity: Int

    public init(capacity: Int) { self.capacity = capacity }

    /// How many elements `offer` has refused so far.
    public var dropped: Int { state.withLock { $0.dropped } }

    /// How many wait now.
    public var count: Int { state.withLock { $0.elements.count } }

    /// Adds without waiting; beyond the capacity the newest are dropped and counted. After `finish` it takes none.
    /// - Returns: how many were taken.
    @discardableResult
    public func offer(_ elements: [Element]) -> Int {
        deliver { state in
            guard !state.isFinished else { return 0 }
            let room = max(0, capacity - state.elements.count)
            state.dropped += max(0, elements.count - room)
            state.elements.append(contentsOf: elements.prefix(room))
            return min(room, elements.count)
        }
    }

    /// Adds, and waits while the queue is full; a cancelled task does not wait. After `finish` it drops.
    public func send(_ elements: [Element]) async {
        append(elements)
        await room()
    }

    /// Adds even beyond the capacity: whoever does so more than once waits for `room` in between. After `finish` it
    /// drops.
    public func append(_ elements: [Element]) {
        guard !elements.isEmpty else { return }
        deliver { state in
            if !state.isFinished { state.elements.append(contentsOf: elements) }
        }
    }

    /// Waits until no more elements wait than the capacity allows, until `finish`, or until the task is cancelled.
    public func room() async {
        guard let ticket = ticket() else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayGo = state.withLock { state in
                    if state.elements.count <= capacity || state.isFinished || Task.isCancelled { return true }
                    state.producers[ticket] = continuation
                    return false
                }
                if mayGo { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.producers.removeValue(forKey: ticket) }?.resume()
        }
    }

    /// A name for one wait; `nil` when there is room.
    private func ticket() -> UInt64? {
        state.withLock { state in
            guard state.elements.count > capacity, !state.isFinished else { return nil }
            state.nextProducer += 1
            return state.nextProducer
        }
    }

    /// No more elements: the consumer gets what is left, then `nil`.
    public func finish() {
        let producers = deliver { state in
            state.isFinished = true
            return state.takeProducers()
        }
        producers.forEach { $0.resume() }
    }

    /// Waits for elements and takes all of them; `nil` after `finish`, or when the task is cancelled.
    /// - Important: one consumer at a time.
    public func next() async -> [Element]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (ready, producers) = state.withLock { state -> ([Element]??, [CheckedContinuation<Void, Never>]) in
                    if !state.elements.isEmpty { return (.some(take(&state)), state.takeProducers()) }
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
}
