// SPDX-License-Identifier: GPL-3.0-or-later
internal import DequeModule
public import Model

/// The messages of this run in the order in which they came and went; beyond the limit the oldest go.
public struct RunLog: Sendable {
    /// Messages at most.
    public static let limit = 20_000

    private var messages: Deque<Message> = []
    private var removed = 0
    private var places: [MessageID: Int] = [:]
    private var tags: [MessageID: String] = [:]

    public init() {}

    /// Oldest first; of one peer, or of all.
    public func messages(with peer: PeerID? = nil) -> [Message] {
        guard let peer else { return Array(messages) }
        return messages.filter { $0.peer == peer }
    }

    subscript(id: MessageID) -> Message? { place(of: id).map { messages[$0] } }

    /// The word by which a script knows the message.
    func tag(of id: MessageID) -> String? { tags[id] }

    mutating func append(_ message: Message, tag: String? = nil) {
        if messages.count >= RunLog.limit, let oldest = messages.popFirst() {
            places[oldest.id] = nil
            tags[oldest.id] = nil
            removed += 1
        }
        tags[message.id] = tag
        places[message.id] = removed + messages.count
        messages.append(message)
    }

    mutating func update(_ id: MessageID, _ state: DeliveryState, reason: String?) {
        guard let place = place(of: id) else { return }
        messages[place].state = state
        messages[place].reason = reason
    }

    private func place(of id: MessageID) -> Int? { places[id].map { $0 - removed } }
}
