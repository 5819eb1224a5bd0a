// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// One way to go on with a command that is being typed.
struct Candidate: Equatable, Sendable {
    /// The whole line after it is taken.
    var line: String
    /// What the popup shows.
    var label: String
    var summary: String
}

/// What Tab walks through: the candidates at the moment it was first pressed.
struct CompletionWalk: Equatable, Sendable {
    var candidates: [Candidate]
    var index: Int
}

extension ChatState {
    /// The ways to go on with the line as typed; none for plain text.
    func candidates() -> [Candidate] {
        let typed = draft.editor.characters
        // Looked at before each frame: a long draft must not cost more than its first character.
        guard typed.first == "/", typed.count <= 256, typed.dropFirst().first != "/", !typed.contains("\n") else {
            return []
        }
        let line = String(typed)
        guard let space = line.firstIndex(of: " ") else { return commandCandidates(String(line.dropFirst())) }
        let word = line[line.index(after: line.startIndex)..<space].lowercased()
        guard let command = Command(rawValue: word) else { return [] }
        return argumentCandidates(command, String(line[line.index(after: space)...]))
    }

    private func commandCandidates(_ word: String) -> [Candidate] {
        let word = word.lowercased()
        let matches = Command.allCases.filter { $0.rawValue.hasPrefix(word) }
        return (matches.isEmpty ? Command.nearest(to: word).map { [$0] } ?? [] : matches).map {
            Candidate(line: "/\($0.rawValue)" + ($0.takesArguments ? " " : ""), label: $0.usage, summary: $0.summary)
        }
    }

    private func argumentCandidates(_ command: Command, _ argument: String) -> [Candidate] {
        if command == .nick, argument.isEmpty, let conversation,
            let name = names.proposedName(for: conversation.contact)
        {
            // With its digits: the name that a stranger chose may begin like somebody else's.
            let line = "/nick \(conversation.peer.shortDigits) \(name)"
            return [Candidate(line: line, label: line, summary: "what it calls itself")]
        }
        let names: [String]
        if command.takesPeer, !argument.contains(" ") {
            names = conversations.filter {
                command.isAboutRequest ? $0.isRequest : command == .go || !$0.contact.blocked
            }.map(\.contact.label)
        } else {
            names = command.choices
        }
        let matches = names.filter { $0.lowercased().hasPrefix(argument.lowercased()) }
        guard !matches.isEmpty else {
            return [Candidate(line: draft.editor.text, label: command.usage, summary: command.summary)]
        }
        let takesMore = command == .nick || command == .plaintext
        return matches.map { name in
            Candidate(
                line: "/\(command.rawValue) \(name)" + (takesMore ? " " : ""),
                label: "/\(command.rawValue) \(name)", summary: command.summary)
        }
    }

    /// Takes the next or previous candidate into the line.
    mutating func complete(by step: Int) {
        if let walk = completion {
            let count = walk.candidates.count
            completion?.index = (walk.index + step + count) % count
        } else {
            let found = candidates()
            guard !found.isEmpty else { return }
            completion = CompletionWalk(candidates: found, index: step < 0 ? found.count - 1 : 0)
        }
        if let walk = completion { draft.editor.replace(with: walk.candidates[walk.index].line) }
        // A single way on is settled at once, so that the next Tab completes what follows it.
        if completion?.candidates.count == 1 { completion = nil }
    }
}

extension Command {
    /// The command that a mistyped word probably means.
    static func nearest(to word: String) -> Command? {
        // A long word is no typing mistake, and comparing it would only cost time.
        guard !word.isEmpty, word.utf8.count <= 16 else { return nil }
        let ranked = allCases.map { (command: $0, distance: FuzzyMatch.distance(word, $0.rawValue)) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= 2 else { return nil }
        return best.distance < max(2, best.command.rawValue.count) ? best.command : nil
    }
}
