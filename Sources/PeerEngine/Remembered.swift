// SPDX-License-Identifier: GPL-3.0-or-later
internal import DequeModule
internal import Model

/// What is remembered of the newest messages of this run, by their IDs; the oldest go.
struct Remembered<Value: Sendable>: Sendable {
    private let limit: Int
    private var values: [MessageID: Value] = [:]
    private var order: Deque<MessageID> = []

    /// - Parameter limit: messages at most, at least 1.
    init(limit: Int) { self.limit = max(1, limit) }

    subscript(id: MessageID) -> Value? { values[id] }

    mutating func remember(_ value: Value, of id: MessageID) {
        guard values.updateValue(value, forKey: id) == nil else { return }
        order.append(id)
        if order.count > limit, let oldest = order.popFirst() { values[oldest] = nil }
    }

    mutating func forget(_ id: MessageID) {
        guard values.removeValue(forKey: id) != nil else { return }
        order.removeAll { $0 == id }
    }
}
