// SPDX-License-Identifier: GPL-3.0-or-later
import Support

/// What a sender and a receiver said over all their runs, held against what a receipt promises.
///
/// Texts are numbers in the order of writing.
struct Ledger {
    struct Entry: Equatable {
        let id: String
        let text: String
        var state = ""
    }

    /// The sender's `state` events, in their order, over all runs.
    var states: [(id: String, state: String)] = []
    /// The receiver's `message` events, run by run.
    var shown: [[Entry]] = []
    /// Both logs, at the end.
    var sent: [Entry] = []
    var received: [Entry] = []

    /// Everything that is not as it must be, at most ten sentences.
    var faults: [String] {
        Array((losses + repetitions + disorder + regressions).prefix(10))
    }

    /// IDs that the sender saw in a state.
    func ids(_ state: String) -> Set<String> { Set(states.lazy.filter { $0.state == state }.map(\.id)) }

    private var losses: [String] {
        let arrived = Set(received.map(\.id)), kept = Set(sent.map(\.id))
        return ids("queued").subtracting(kept).map { "\($0) was queued and is not in the sender's log" }
            + ids("queued").subtracting(arrived).map { "\($0) was queued and never arrived" }
            + ids("delivered").subtracting(arrived).map { "\($0) was acknowledged and is not in the log" }
            + Set(shown.joined().map(\.id)).subtracting(arrived).map { "\($0) was shown and is not in the log" }
            + sent.filter { $0.state != "delivered" }.map { "\($0.id) (\($0.text)) ended as \($0.state)" }
    }

    private var repetitions: [String] {
        func repeated(_ entries: [Entry], _ where: String) -> [String] {
            var ids: Set<String> = [], texts: Set<String> = []
            return entries.compactMap { entry in
                let isNew = ids.insert(entry.id).inserted
                let isNewText = texts.insert(entry.text).inserted
                return isNew && isNewText ? nil : "\(entry.id) (\(entry.text)) is \(`where`) twice"
            }
        }
        return repeated(shown.flatMap { $0 }, "shown") + repeated(received, "in the receiver's log")
            + repeated(sent, "in the sender's log")
    }

    private var disorder: [String] {
        func check(_ entries: [Entry], _ where: String) -> [String] {
            let numbers = entries.compactMap { Int($0.text) }
            return zip(numbers, numbers.dropFirst()).filter { $0 >= $1 }.map { "\($1) after \($0) \(`where`)" }
        }
        let bySender = Dictionary(sent.map { ($0.id, $0.text) }) { first, _ in first }
        return shown.flatMap { check($0, "on the screen") } + check(received, "in the receiver's log")
            + check(sent, "in the sender's log")
            + received.filter { $0.text != bySender[$0.id] }.map { "\($0.id) arrived as \($0.text)" }
    }

    private var regressions: [String] {
        let ranks = ["queued": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 4]
        var highest: [String: Int] = [:]
        return states.compactMap { id, state in
            let rank = ranks[state, default: -1]
            defer { highest[id] = max(rank, highest[id] ?? 0) }
            return rank < highest[id, default: 0] ? "\(id) went back to \(state)" : nil
        }
    }
}

extension Ledger.Entry {
    /// A line of `log --json` or a `message` event.
    init?(_ json: JSON) {
        guard let id = json["id"]?.string, let text = json["text"]?.string else { return nil }
        self.init(id: id, text: text, state: json["state"]?.string ?? "")
    }
}

extension Ledger {
    /// Takes the events of one run of the sender.
    mutating func add(sender run: ChildProcess) {
        for line in run.lines where line.text.contains("\"state\"") {
            guard let event = try? JSON(line.text), event["event"]?.string == "state",
                let id = event["id"]?.string, let state = event["state"]?.string
            else { continue }
            states.append((id, state))
        }
    }

    /// Takes the events of one run of the receiver. The last line of one that was killed may be half a line.
    mutating func add(receiver run: ChildProcess) {
        shown.append(
            run.lines.filter { $0.text.contains("\"message\"") }.compactMap { line in
                guard let event = try? JSON(line.text), event["event"]?.string == "message" else { return nil }
                return Entry(event)
            })
    }

    /// Takes both logs.
    mutating func close(sender: User, receiver: User) throws {
        sent = try sender.log().filter { $0["direction"]?.string == "out" }.compactMap(Entry.init)
        received = try receiver.log().filter { $0["direction"]?.string == "in" }.compactMap(Entry.init)
    }
}
