// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText
import TerminalKit

extension ChatState {
    /// Enter: sends the line, or does what it says.
    mutating func submit() -> [ChatEffect] {
        let line = draft.editor.text
        let input = InputLine(line)
        let isSure = doubted == line
        if input == .doubtful, isSure { return send(line, typed: line) }
        doubted = nil
        switch input {
        case .blank: return []
        case .text(let text): return send(text, typed: line)
        case .command(let command, let arguments): return run(command, arguments, typed: line, isSure: isSure)
        case .doubtful: ask("a command behind blanks: Enter again sends it as text", about: line)
        case .unknown(let word):
            let guess = Command.nearest(to: word.lowercased()).map { "Did you mean /\($0.rawValue)? Tab" }
            flash = Flash(
                text: guess
                    ?? "no command /\(DisplayText(word, style: .stripped)): // sends a slash, F1 lists commands",
                isError: true)
        }
        return []
    }

    /// Says what the line in the editor is about to do; Enter on the same line does it.
    private mutating func ask(_ question: String, about line: String) {
        doubted = line
        flash = Flash(text: question, isError: true)
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
                    ? "nobody to write to yet: /add INVITE NAME" : "no conversation open: Ctrl+K picks one",
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

    private mutating func run(
        _ command: Command, _ words: [String], typed: String, isSure: Bool
    ) -> [ChatEffect] {
        do throws(Refusal) {
            return carryOut(try answer(command, words, isSure: isSure), typed: typed)
        } catch {
            flash = Flash(text: error.sentence, isError: true)
            return []
        }
    }

    /// What becomes of a command; a refused one stays in the line.
    private enum Answer {
        case did([ChatEffect], says: String? = nil)
        case shows(Overlay)
        case opens(PeerID)
        case closes
        case does([ChatEffect], shows: Overlay)
        case finds(SearchBox)
        case selects(Selection)
        case asks(String)
    }

    private mutating func answer(_ command: Command, _ words: [String], isSure: Bool) throws(Refusal) -> Answer {
        switch command {
        case .add: try add(words)
        case .nick: try .did([names.naming(words, open: current)])
        case .go: try go(words)
        case .accept: try accept(words)
        case .ignore: try .did([.ignore(names.ignoring(words, open: current).peer)])
        case .block: try block(words)
        case .remove: try .did([.remove(names.meant(words, open: addressed).peer)])
        case .close: try close()
        case .peers: .shows(.peers(top: 0))
        case .requests: try listRequests()
        case .invite: try invite(words, isSure: isSure)
        case .verify: try .shows(.verify(names.verifying(words, open: addressed).peer))
        case .why: try .shows(.why(names.meant(words, open: addressed).peer, top: 0))
        case .retry: try retry()
        case .search: search(words)
        case .select: try select()
        case .forget: try forget(isSure: isSure)
        case .set: try words.isEmpty ? .shows(.settings) : .did([Command.switching(words)])
        case .plaintext: try plaintext(words)
        case .id: .shows(.identity)
        case .help: .shows(.help(top: 0))
        case .quit: try quit()
        }
    }

    private mutating func carryOut(_ answer: Answer, typed: String) -> [ChatEffect] {
        if case .asks(let question) = answer {
            ask(question, about: typed)
            return []
        }
        accepted(typed)
        switch answer {
        case .did(let effects, let sentence):
            flash = sentence.map { Flash(text: $0, isError: false) }
            return effects
        case .shows(let overlay): self.overlay = overlay
        case .does(let effects, let overlay):
            self.overlay = overlay
            return effects
        case .opens(let peer):
            walkStart = nil
            open(peer)
        case .closes: closeCurrent()
        case .finds(let box): return find(in: box)
        case .selects(let selection): pick(selection)
        case .asks: break
        }
        return []
    }

    /// Whom a command without a name is about: the open conversation's peer, or the stranger of the banner.
    private var addressed: PeerID? { (conversation ?? request)?.peer }

    private mutating func add(_ words: [String]) throws(Refusal) -> Answer {
        switch try names.addition(words, ownInvite: invite) {
        case .invite(let invite, let name): return .did([.addInvite(invite, name: name)])
        case .peer(let peer, let name):
            awaited = peer
            return .did([.add(peer, name: name)])
        case .known(let contact, rename: nil): return .opens(contact.peer)
        case .known(let contact, rename: let name?): return .did([.rename(contact.peer, name)])
        }
    }

    private func go(_ words: [String]) throws(Refusal) -> Answer {
        guard !words.isEmpty else { return .shows(.switcher(query: LineEditor(), selected: 0)) }
        return .opens(try names.destination(words, list: shown.map(\.peer)).peer)
    }

    private func accept(_ words: [String]) throws(Refusal) -> Answer {
        let contact = try names.accepting(words, open: current)
        let isOpen = contact.peer == current
        return .did([.accept(contact.peer)], says: isOpen ? nil : "\(contact.label) is a contact now: Ctrl+K opens it")
    }

    private func block(_ words: [String]) throws(Refusal) -> Answer {
        let contact = try names.blocking(words, open: addressed)
        return .did([.block(contact.peer)], says: contact.blockedSentence)
    }

    private func listRequests() throws(Refusal) -> Answer {
        guard !requests.isEmpty else { throw Refusal("no requests") }
        return .shows(.requests(selected: 0))
    }

    private func invite(_ words: [String], isSure: Bool) throws(Refusal) -> Answer {
        guard try Command.renewsInvite(words) else { return .shows(.invite(code: nil)) }
        guard isSure else { return .asks("invites given so far will not work any more: Enter again makes a new one") }
        return .does([.renewInvite], shows: .invite(code: nil))
    }

    /// Everything here that failed, and everything that waits, anew.
    private func retry() throws(Refusal) -> Answer {
        guard let conversation else { throw .noneOpen }
        let failed = conversation.log.range.compactMap { conversation.log[$0]?.message }.filter(\.hasFailed).map(\.id)
        let waiting = conversation.waitingMessages.subtracting(failed).sorted { $0.description < $1.description }
        let all = failed + waiting
        guard !all.isEmpty else { throw Refusal("nothing failed and nothing waits here") }
        return .did(all.map { .retry($0) })
    }

    private func search(_ words: [String]) -> Answer {
        var box = SearchBox()
        box.query = LineEditor(words.joined(separator: " "))
        return .finds(box)
    }

    private func select() throws(Refusal) -> Answer {
        guard let selection = newestSelection() else { throw Refusal("no message here") }
        return .selects(selection)
    }

    private func forget(isSure: Bool) throws(Refusal) -> Answer {
        guard let conversation else { throw .noneOpen }
        guard isSure else {
            return .asks("all texts with \(conversation.contact.label) go from this disk: Enter again deletes them")
        }
        return .did([.forget(conversation.peer)])
    }

    private mutating func plaintext(_ words: [String]) throws(Refusal) -> Answer {
        let (peer, isAllowed) = try names.plaintext(words, open: addressed)
        if index(of: peer) == nil { awaited = peer }
        return .did([.allowPlaintext(peer, isAllowed)])
    }

    private func close() throws(Refusal) -> Answer {
        guard let conversation else { throw .noneOpen }
        guard conversation.waiting == 0 else { throw Refusal("\(conversation.waiting) waiting there: not closed") }
        return .closes
    }

    /// Closes the open conversation and opens its neighbour.
    private mutating func closeCurrent() {
        guard let index = currentIndex else { return }
        let place = shown.firstIndex { $0.peer == current } ?? 0
        conversations[index].clear()
        conversations[index].hidden = true
        current = nil
        let left = shown.filter(\.contact.accepted)
        if !left.isEmpty { open(left[min(place, left.count - 1)].peer) }
        origin = nil
    }

    private mutating func quit() throws(Refusal) -> Answer {
        let count = waiting
        guard count > (quitAsked ?? 0), let sentence = waitingSentence else { return .did([.quit]) }
        quitAsked = count
        throw Refusal("\(sentence) – \(waitingPromise): Enter again quits")
    }
}

extension Refusal {
    fileprivate static let noneOpen = Refusal("no conversation open")
}
