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
        _ command: Command, _ arguments: [String], typed: String, isSure: Bool
    ) -> [ChatEffect] {
        let answer: Answer
        switch command {
        case .add: answer = add(arguments)
        case .nick: answer = nick(arguments)
        case .go: answer = go(arguments)
        case .accept: answer = onRequest(arguments) { accept($0) }
        case .ignore: answer = onRequest(arguments) { ignore($0) }
        case .block: answer = onPeer(arguments) { block($0) }
        case .remove: answer = onPeer(arguments) { .did([.remove($0.peer)]) }
        case .close: answer = close()
        case .peers: answer = .shows(.peers(top: 0))
        case .requests: answer = requests.isEmpty ? .refused("no requests") : .shows(.requests(selected: 0))
        case .invite: answer = invite(arguments, isSure: isSure)
        case .verify: answer = onPeer(arguments) { verify($0) }
        case .why: answer = onPeer(arguments) { .shows(.why($0.peer, top: 0)) }
        case .retry: answer = retry()
        case .search: answer = search(arguments)
        case .select: answer = select()
        case .forget: answer = forget(isSure: isSure)
        case .set: answer = set(arguments)
        case .plaintext: answer = plaintext(arguments)
        case .id: answer = .shows(.identity)
        case .help: answer = .shows(.help(top: 0))
        case .quit: answer = quit()
        }
        switch answer {
        case .did(let effects, let sentence):
            accepted(typed)
            flash = sentence.map { Flash(text: $0, isError: false) }
            return effects
        case .shows(let overlay):
            accepted(typed)
            self.overlay = overlay
        case .does(let effects, let overlay):
            accepted(typed)
            self.overlay = overlay
            return effects
        case .opens(let peer):
            accepted(typed)
            walkStart = nil
            open(peer)
        case .closes:
            accepted(typed)
            closeCurrent()
        case .finds(let box):
            accepted(typed)
            return find(in: box)
        case .selects(let selection):
            accepted(typed)
            pick(selection)
        case .asks(let question): ask(question, about: typed)
        case .refused(let sentence): flash = Flash(text: sentence, isError: true)
        }
        return []
    }

    /// What became of a command; a refused one stays in the line.
    private enum Answer {
        case did([ChatEffect], says: String? = nil)
        case shows(Overlay)
        case opens(PeerID)
        case closes
        case does([ChatEffect], shows: Overlay)
        case finds(SearchBox)
        case selects(Selection)
        case asks(String)
        case refused(String)
    }

    private mutating func add(_ arguments: [String]) -> Answer {
        guard let word = arguments.first else { return .refused("usage: \(Command.add.usage)") }
        if let invite = InputLine.invite(word)?.word { return add(invite: invite, arguments.dropFirst()) }
        guard let peer = PeerID(word) else {
            let shown = DisplayText(word, style: .stripped).truncated(to: 20, ascii: true)
            return .refused("\(shown) is no invite and no UUID")
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

    private mutating func add(invite: String, _ words: ArraySlice<String>) -> Answer {
        guard invite != self.invite else { return .refused("that is your own invite: give it to a friend") }
        guard !words.isEmpty else { return .did([.addInvite(invite, name: nil)]) }
        // Whose invite it is will only be seen when it is read: the name must be nobody's.
        switch checkedName(words.joined(separator: " "), for: nil) {
        case .success(let name): return .did([.addInvite(invite, name: name)])
        case .failure(let refusal): return .refused(refusal.sentence)
        }
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

    /// What a peer without a name calls itself, if that could be its name here.
    func proposedName(for conversation: Conversation) -> String? {
        guard conversation.contact.accepted, conversation.contact.name == nil,
            let nickname = conversation.contact.nickname,
            case .success(let name) = checkedName(words(nickname), for: conversation.peer),
            Skeleton(name) != Skeleton(self.name)
        else { return nil }
        return name
    }

    /// A name as the words of a command bring it.
    private func words(_ name: String) -> String { name.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

    private struct Refusal: Error { var sentence: String }

    /// A name that can be shown, is short enough, and means nobody else.
    private func checkedName(_ raw: String, for peer: PeerID?) -> Result<String, Refusal> {
        let shown = DisplayText(raw, style: .stripped)
        guard PeerID(shown.string) == nil else { return .failure(Refusal(sentence: "a UUID is no name")) }
        guard !shown.isEmpty, shown.columns <= 32 else {
            return .failure(Refusal(sentence: "a name has 1 to 32 columns"))
        }
        let taken = conversations.first {
            $0.peer != peer && $0.contact.label.lowercased() == shown.string.lowercased()
        }
        guard taken == nil else { return .failure(Refusal(sentence: "\(shown) is somebody else already")) }
        if let other = lookalike(of: shown.string, for: peer) {
            let other = DisplayText(other, style: .stripped)
            return .failure(Refusal(sentence: "\(shown) looks like \(other): choose another name"))
        }
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

    /// Without a name, beside a contact's conversation, the one request there is.
    private func onRequest(_ arguments: [String], _ act: (Conversation) -> Answer) -> Answer {
        guard arguments.isEmpty, conversation?.isRequest != true else { return onPeer(arguments, act) }
        guard let only = requests.first else { return onPeer(arguments, act) }
        guard requests.count == 1 else {
            return .refused("\(requests.count) requests: Alt+R lists them, or give a name")
        }
        return act(only)
    }

    private func accept(_ conversation: Conversation) -> Answer {
        if conversation.contact.blocked { return .refused("blocked: /add takes the block away") }
        guard conversation.isRequest else { return .refused("already a contact") }
        let isOpen = conversation.peer == current
        let label = conversation.contact.label
        return .did([.accept(conversation.peer)], says: isOpen ? nil : "\(label) is a contact now: Ctrl+K opens it")
    }

    private func ignore(_ conversation: Conversation) -> Answer {
        conversation.isRequest ? .did([.ignore(conversation.peer)]) : .refused("that is no request")
    }

    private func block(_ conversation: Conversation) -> Answer {
        if conversation.contact.blocked { return .refused("blocked already: /add takes the block away") }
        let sentence = "\(conversation.contact.label) is blocked: nothing of it is taken any more, until you /add it"
        return .did([.block(conversation.peer)], says: sentence)
    }

    private func verify(_ conversation: Conversation) -> Answer {
        guard conversation.peer.isKeyed else { return .refused("a peer without a key: there is nothing to compare") }
        return .shows(.verify(conversation.peer))
    }

    private func invite(_ arguments: [String], isSure: Bool) -> Answer {
        guard let word = arguments.first else { return .shows(.invite(code: nil)) }
        guard word.lowercased() == "new", arguments.count == 1 else {
            return .refused("usage: \(Command.invite.usage)")
        }
        guard isSure else { return .asks("invites given so far will not work any more: Enter again makes a new one") }
        return .does([.renewInvite], shows: .invite(code: nil))
    }

    /// Everything here that failed, and everything that waits, anew.
    private func retry() -> Answer {
        guard let conversation else { return .refused("no conversation open") }
        let failed = conversation.log.range.compactMap { conversation.log[$0]?.message }.filter(\.hasFailed).map(\.id)
        let known = Set(failed)
        let waiting = conversation.waitingMessages.subtracting(known).sorted { $0.description < $1.description }
        let all = failed + waiting
        return all.isEmpty ? .refused("nothing failed and nothing waits here") : .did(all.map { .retry($0) })
    }

    private func search(_ arguments: [String]) -> Answer {
        var box = SearchBox()
        box.query = LineEditor(arguments.joined(separator: " "))
        return .finds(box)
    }

    private func select() -> Answer {
        newestSelection().map { .selects($0) } ?? .refused("no message here")
    }

    private func forget(isSure: Bool) -> Answer {
        guard let conversation else { return .refused("no conversation open") }
        guard isSure else {
            return .asks("all texts with \(conversation.contact.label) go from this disk: Enter again deletes them")
        }
        return .did([.forget(conversation.peer)])
    }

    private func set(_ arguments: [String]) -> Answer {
        guard !arguments.isEmpty else { return .shows(.settings) }
        let words = arguments.map { $0.lowercased() }
        guard words.count == 2, let setting = ChatSetting(rawValue: words[0]), let isOn = Self.switches[words[1]] else {
            let names = ChatSetting.allCases.map(\.rawValue).joined(separator: ", ")
            return .refused("usage: \(Command.set.usage) with one of \(names)")
        }
        return .did([.set(setting, isOn)])
    }

    private static let switches = ["on": true, "off": false]

    private mutating func plaintext(_ arguments: [String]) -> Answer {
        guard let last = arguments.last, let isOn = Self.switches[last.lowercased()] else {
            return .refused("usage: \(Command.plaintext.usage)")
        }
        // Without this, a peer without a key can't be added in the first place.
        if isOn, arguments.count == 2, let peer = PeerID(arguments[0]), !peer.isKeyed, index(of: peer) == nil {
            awaited = peer
            return .did([.allowPlaintext(peer, true)])
        }
        return onPeer(arguments.dropLast()) { conversation in
            guard !conversation.peer.isKeyed else {
                return .refused("\(conversation.contact.label) has a key: nothing to it ever goes in the open")
            }
            return .did([.allowPlaintext(conversation.peer, isOn)])
        }
    }

    private func close() -> Answer {
        guard let conversation else { return .refused("no conversation open") }
        return conversation.waiting > 0 ? .refused("\(conversation.waiting) waiting there: not closed") : .closes
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

    private mutating func quit() -> Answer {
        let count = waiting
        guard count > (quitAsked ?? 0), let sentence = waitingSentence else { return .did([.quit]) }
        quitAsked = count
        return .refused("\(sentence) – \(waitingPromise): Enter again quits")
    }
}
