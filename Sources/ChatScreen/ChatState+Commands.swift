// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

extension ChatState {
    /// Enter: sends the line, or does what it says.
    mutating func submit() -> [ChatEffect] {
        let line = draft.editor.text
        let input = InputLine(line)
        if input == .doubtful, doubted == line { return send(line, typed: line) }
        doubted = nil
        switch input {
        case .blank: return []
        case .text(let text): return send(text, typed: line)
        case .command(let command, let arguments): return run(command, arguments, typed: line)
        case .doubtful:
            doubted = line
            flash = Flash(text: "a command behind blanks: Enter again sends it as text", isError: true)
        case .unknown(let word):
            let guess = Command.nearest(to: word.lowercased()).map { "Did you mean /\($0.rawValue)? Tab" }
            flash = Flash(
                text: guess
                    ?? "no command /\(DisplayText(word, style: .stripped)): // sends a slash, F1 lists commands",
                isError: true)
        }
        return []
    }

    private mutating func send(_ text: String, typed: String) -> [ChatEffect] {
        // Typed ahead, for the contact that is just being added: its conversation opens in a moment.
        if let peer = awaited {
            accepted(typed)
            return [.send(to: peer, text: text)]
        }
        guard let index = currentIndex else {
            flash = Flash(
                text: conversations.isEmpty
                    ? "nobody to write to yet: /add UUID NAME" : "no conversation open: Ctrl+K picks one",
                isError: true)
            return []
        }
        accepted(typed)
        if conversations[index].anchor != nil {
            origin = Origin(peer: conversations[index].peer, anchor: conversations[index].anchor)
        }
        toBottom()
        conversations[index].dropRule()
        let peer = conversations[index].peer
        return (conversations[index].isRequest ? [.accept(peer)] : []) + [.send(to: peer, text: text)]
    }

    /// The line was understood: it goes from the editor to the history.
    private mutating func accepted(_ line: String) {
        draft.editor = LineEditor()
        draft.history.add(line)
        flash = nil
        quitAsked = nil
        doubted = nil
    }

    private mutating func run(_ command: Command, _ arguments: [String], typed: String) -> [ChatEffect] {
        let answer: Answer
        switch command {
        case .add: answer = add(arguments)
        case .nick: answer = nick(arguments)
        case .go: answer = go(arguments)
        case .accept: answer = onPeer(arguments) { accept($0) }
        case .block: answer = onPeer(arguments) { .did([.block($0.peer)]) }
        case .remove: answer = onPeer(arguments) { .did([.remove($0.peer)]) }
        case .close: answer = close()
        case .peers: answer = .shows(.peers(top: 0))
        case .id: answer = .shows(.identity)
        case .help: answer = .shows(.help(top: 0))
        case .quit: answer = quit()
        }
        switch answer {
        case .did(let effects):
            accepted(typed)
            return effects
        case .shows(let overlay):
            accepted(typed)
            self.overlay = overlay
        case .opens(let peer):
            accepted(typed)
            walkStart = nil
            open(peer)
        case .closes:
            accepted(typed)
            closeCurrent()
        case .refused(let sentence): flash = Flash(text: sentence, isError: true)
        }
        return []
    }

    /// What became of a command; a refused one stays in the line.
    private enum Answer {
        case did([ChatEffect])
        case shows(Overlay)
        case opens(PeerID)
        case closes
        case refused(String)
    }

    private mutating func add(_ arguments: [String]) -> Answer {
        guard let word = arguments.first else { return .refused("usage: \(Command.add.usage)") }
        guard let peer = PeerID(word) else {
            let shown = DisplayText(word, style: .stripped).truncated(to: 20, ascii: true)
            return .refused("\(shown) is no UUID: 8-4-4-4-12 hex digits")
        }
        guard peer != me else { return .refused("that is your own UUID") }
        var name: String?
        if arguments.count > 1 {
            switch checkedName(arguments.dropFirst().joined(separator: " "), for: peer) {
            case .success(let checked): name = checked
            case .failure(let refusal): return .refused(refusal.sentence)
            }
        }
        if let index = index(of: peer), conversations[index].contact.accepted, !conversations[index].contact.blocked {
            guard let name, name != conversations[index].contact.name else { return .opens(peer) }
            return .did([.rename(peer, name)])
        }
        awaited = peer
        return .did([.add(peer, name: name)])
    }

    private func nick(_ arguments: [String]) -> Answer {
        guard !arguments.isEmpty else { return .refused("usage: \(Command.nick.usage)") }
        var words = arguments[...]
        var index = currentIndex
        // A name may hold blanks: the longest run of words that means a peer does.
        for count in (0..<arguments.count).dropFirst().reversed() {
            guard let named = peer(named: arguments.prefix(count).joined(separator: " ")) else { continue }
            index = named
            words = arguments.dropFirst(count)
            break
        }
        guard let index else { return .refused("name whom? \(Command.nick.usage)") }
        let peer = conversations[index].peer
        switch checkedName(words.joined(separator: " "), for: peer) {
        case .success(let name): return .did([.rename(peer, name)])
        case .failure(let refusal): return .refused(refusal.sentence)
        }
    }

    private struct Refusal: Error { var sentence: String }

    /// A name that can be shown, is short enough, and means nobody else.
    private func checkedName(_ raw: String, for peer: PeerID) -> Result<String, Refusal> {
        let shown = DisplayText(raw, style: .stripped)
        guard PeerID(shown.string) == nil else { return .failure(Refusal(sentence: "a UUID is no name")) }
        guard !shown.isEmpty, shown.columns <= 32 else {
            return .failure(Refusal(sentence: "a name has 1 to 32 columns"))
        }
        let taken = conversations.first {
            $0.peer != peer && $0.contact.label.lowercased() == shown.string.lowercased()
        }
        guard taken == nil else { return .failure(Refusal(sentence: "\(shown) is somebody else already")) }
        return .success(shown.string)
    }

    private func go(_ arguments: [String]) -> Answer {
        let word = arguments.joined(separator: " ")
        guard !word.isEmpty else { return .shows(.switcher(query: LineEditor(), selected: 0)) }
        let shown = shown
        if let number = Int(word), number >= 1, number <= shown.count { return .opens(shown[number - 1].peer) }
        guard let index = peer(named: word) else { return .refused(nobody) }
        guard !conversations[index].contact.blocked else { return .refused("blocked: /add takes the block away") }
        return .opens(conversations[index].peer)
    }

    private var nobody: String { "nobody of that name: /peers lists all" }

    private func onPeer(_ arguments: [String], _ act: (Conversation) -> Answer) -> Answer {
        let word = arguments.joined(separator: " ")
        let index = word.isEmpty ? currentIndex ?? request.flatMap { self.index(of: $0.peer) } : peer(named: word)
        guard let index else {
            return .refused(word.isEmpty ? "whom? open a conversation or give a name" : nobody)
        }
        return act(conversations[index])
    }

    private func accept(_ conversation: Conversation) -> Answer {
        if conversation.contact.blocked { return .refused("blocked: /add takes the block away") }
        return conversation.isRequest ? .did([.accept(conversation.peer)]) : .refused("already a contact")
    }

    private func close() -> Answer {
        guard let conversation else { return .refused("no conversation open") }
        return conversation.waiting > 0 ? .refused("\(conversation.waiting) waiting there: not closed") : .closes
    }

    /// Closes the open conversation and opens its neighbour.
    private mutating func closeCurrent() {
        guard let index = currentIndex else { return }
        let place = shown.firstIndex { $0.peer == current } ?? 0
        let peer = conversations[index].peer
        outgoing = outgoing.filter { $0.value.peer != peer }
        conversations[index].clear()
        conversations[index].hidden = true
        current = nil
        let left = shown.filter(\.contact.accepted)
        if !left.isEmpty { open(left[min(place, left.count - 1)].peer) }
        origin = nil
    }

    private mutating func quit() -> Answer {
        let count = waiting
        guard count > (quitAsked ?? 0), let sentence = waitingSentence else { return .did([.quit]) }
        quitAsked = count
        return .refused("\(sentence): Enter again quits anyway")
    }
}
