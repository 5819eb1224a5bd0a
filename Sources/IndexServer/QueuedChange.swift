// SPDX-License-Identifier: GPL-3.0-or-later
internal import IndexEngine
internal import Model
internal import Network
internal import Queues

/// A change for the store, and who waits for it.
struct QueuedChange: Sendable {
    /// What happens once the change is durable, or is known not to be.
    enum Then: Sendable {
        /// Nobody waits.
        case nothing
        /// A peer waits for its answer.
        case answer(Acknowledgement)
        /// Whoever writes rows anew learns whether it is durable.
        case tell(BoundedQueue<Bool>)
    }

    var change: RegistryChange
    var then = Then.nothing

    /// Whether a peer waits for it.
    var isAwaited: Bool { if case .answer = then { true } else { false } }
}

/// An answer to a registration, held back until its row is durable.
struct Acknowledgement: Sendable {
    /// The number of the loop that the request came to.
    var loop: Int
    var path: ReturnPath
    var reply: [UInt8]
    /// The answer when the row can't be made durable; empty for silence.
    var failure: [UInt8]
    var event: IndexEvent
    var began: Instant

    /// What goes back, and what is told of it, when it is known how the commit went.
    func settled(isDurable: Bool, now: Instant) -> (answer: DeferredAnswer?, handled: HandledEvent) {
        let bytes = isDurable ? reply : failure
        var event = event
        if !isDurable { event.result = failure.isEmpty ? .unready : .denied(.storeFailed) }
        let answer = bytes.isEmpty ? nil : DeferredAnswer(bytes, path)
        return (answer, HandledEvent(event: event, took: now.since(began), now: now))
    }

    /// What is told of a request that there was no room for.
    func unanswered(now: Instant) -> HandledEvent {
        HandledEvent(event: event.unready, took: now.since(began), now: now)
    }
}

/// A request about a peer that memory does not hold, while it does not hold all.
struct Question: Sendable {
    /// The number of the loop that it came to.
    var loop: Int
    var peer: PeerID
    var bytes: [UInt8]
    var path: ReturnPath
    var event: IndexEvent
    var began: Instant

    /// What is told of it when nothing goes back.
    func unanswered(now: Instant) -> HandledEvent {
        HandledEvent(event: event.unready, took: now.since(began), now: now)
    }
}

/// What comes back to a loop from the store.
struct Delivery: Sendable {
    /// To be sent.
    var answers: [DeferredAnswer] = []
    /// To be told.
    var handled: [HandledEvent] = []
    /// To be handled again: memory now holds what the store knows of their peers.
    var questions: [Question] = []

    var isEmpty: Bool { handled.isEmpty && questions.isEmpty }
}

extension IndexEvent {
    fileprivate var unready: IndexEvent {
        var event = self
        event.result = .unready
        return event
    }
}
