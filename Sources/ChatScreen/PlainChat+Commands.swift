// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import SafeText

/// Lines of the user.
extension PlainChat {
    private static let noneOpen = Refusal("No conversation is open; /go PEER opens one.")

    /// What a typed line does. Whoever types has read what was printed before.
    public mutating func enter(_ typed: String) -> Outcome {
        let marks = printed.sorted { $0.key.description < $1.key.description }.map { ChatEffect.markRead($0, $1) }
        printed = [:]
        var outcome: Outcome
        do throws(Refusal) { outcome = try obey(typed) } catch { outcome = says(error.sentence) }
        outcome.effects.insert(contentsOf: marks, at: 0)
        return outcome
    }

    private mutating func obey(_ typed: String) throws(Refusal) -> Outcome {
        let isSure = doubted == typed
        doubted = nil
        switch InputLine(typed) {
        case .blank: return Outcome()
        case .text(let text): return try send(text)
        case .unknown(let word) where word.lowercased() == "history": return try history(typed)
        case .unknown(let word):
            let guess = Command.nearest(to: word.lowercased()).map { " Did you mean /\($0.rawValue)?" } ?? ""
            throw Refusal("There is no command /\(word); /help lists them.\(guess)")
        case .doubtful: throw Refusal("This looks like a command behind a blank; begin with // to send a slash.")
        case .command(let command, let words):
            if !isSure, let question = question(command, words) {
                doubted = typed
                throw Refusal("\(question) Enter the same line again to do it.")
            }
            return try run(command, words)
        }
    }

    /// What to ask before something that can't be undone.
    private func question(_ command: Command, _ words: [String]) -> String? {
        switch command {
        case .forget: return current.map { "All texts with \(label($0)) go from this disk for good." }
        case .invite where (try? Command.renewsInvite(words)) == true:
            return "Invites given so far will not work any more."
        case .quit:
            let count = pending.count { $0.value.state == .queued }
            guard count > 0 else { return nil }
            return count == 1 ? "1 message waits and stays queued." : "\(count) messages wait and stay queued."
        default: return nil
        }
    }

    private mutating func run(_ command: Command, _ words: [String]) throws(Refusal) -> Outcome {
        switch command {
        case .add: try add(words)
        case .nick: try does(names.naming(words, open: current))
        case .go: try go(words)
        case .accept: try does(.accept(names.accepting(words, open: current).peer))
        case .ignore: try does(.ignore(names.ignoring(words, open: current).peer))
        case .block: try block(words)
        case .remove: try does(.remove(names.meant(words, open: current).peer))
        case .close: close()
        case .peers: Outcome(lines: peerLines)
        case .requests: names.requests.isEmpty ? says("no requests") : Outcome(lines: requestLines)
        case .invite: try invite(words)
        case .verify: try verify(words)
        case .why: try why(words)
        case .retry: try retry()
        case .search: try search(words)
        case .select: throw Refusal("Picking out messages needs the screen.")
        case .forget: try forget()
        case .set: try words.isEmpty ? Outcome(lines: settingLines) : does(Command.switching(words))
        case .plaintext: try plaintext(words)
        case .id: Outcome(lines: [line("\(names.me)")] + (listen.map { [line("listening on \($0)")] } ?? []))
        case .help: Outcome(lines: helpLines)
        case .quit: does(.quit)
        }
    }

    private func does(_ effect: ChatEffect) -> Outcome { Outcome(effects: [effect]) }
    private func says(_ sentence: String) -> Outcome { Outcome(lines: [line(sentence)]) }

    // MARK: The open conversation

    private func send(_ text: String) throws(Refusal) -> Outcome {
        guard let current else { throw Self.noneOpen }
        let accepting: [ChatEffect] = names[current]?.accepted == true ? [] : [.accept(current)]
        return Outcome(effects: accepting + [.send(to: current, text: text)])
    }

    private mutating func go(_ words: [String]) throws(Refusal) -> Outcome {
        guard !words.isEmpty else { throw .usage(.go) }
        return open(try names.destination(words, list: names.contacts.map(\.peer)).peer)
    }

    private mutating func open(_ peer: PeerID) -> Outcome {
        current = peer
        return says("writing to \(label(peer))")
    }

    private mutating func close() -> Outcome {
        current = nil
        return says("no conversation is open")
    }

    private func forget() throws(Refusal) -> Outcome {
        guard let current else { throw Self.noneOpen }
        return does(.forget(current))
    }

    /// A command of lines alone: the screen scrolls.
    private mutating func history(_ typed: String) throws(Refusal) -> Outcome {
        let words = typed.split(whereSeparator: \.isWhitespace).dropFirst()
        guard let current else { throw Self.noneOpen }
        guard words.count <= 1, let count = words.first.map({ Int($0) }) ?? 20, (1...200).contains(count) else {
            throw Refusal("\(Self.historyUsage), from 1 to 200.")
        }
        historyCount = count
        return does(.load(HistoryRequest(current, .newest)))
    }

    /// Everything that failed, and everything that waits, anew.
    private func retry() throws(Refusal) -> Outcome {
        let ids = pending.filter { [.queued, .failed].contains($0.value.state) }.keys
        guard !ids.isEmpty else { throw Refusal("Nothing failed and nothing waits.") }
        return Outcome(effects: ids.sorted { $0.description < $1.description }.map { .retry($0) })
    }

    private mutating func search(_ words: [String]) throws(Refusal) -> Outcome {
        guard !words.isEmpty else { throw .usage(.search) }
        searchToken &+= 1
        return does(.search(words.joined(separator: " "), in: nil, token: searchToken))
    }

    // MARK: Peers

    private mutating func add(_ words: [String]) throws(Refusal) -> Outcome {
        switch try names.addition(words, ownInvite: invite) {
        case .invite(let invite, let name): return does(.addInvite(invite, name: name))
        case .peer(let peer, let name):
            current = peer
            return does(.add(peer, name: name))
        case .known(let contact, rename: nil): return open(contact.peer)
        case .known(let contact, rename: let name?): return does(.rename(contact.peer, name))
        }
    }

    private func block(_ words: [String]) throws(Refusal) -> Outcome {
        let contact = try names.blocking(words, open: current)
        return Outcome(lines: [line(contact.blockedSentence)], effects: [.block(contact.peer)])
    }

    private func invite(_ words: [String]) throws(Refusal) -> Outcome {
        if try Command.renewsInvite(words) { return does(.renewInvite) }
        return says(invite ?? "The invite is not made yet: it needs a key of your own.")
    }

    /// `/verify PEER` shows the digits, `/verify PEER yes` or `no` says what came of the comparison.
    private func verify(_ words: [String]) throws(Refusal) -> Outcome {
        let answer = ["yes": true, "no": false][words.last?.lowercased() ?? ""]
        let contact = try names.verifying(answer == nil ? words : words.dropLast(), open: current)
        let peer = contact.peer
        if let answer { return does(.verify(peer, answer)) }
        guard let mine = digits[names.me], let theirs = digits[peer] else {
            throw Refusal("The key of \(contact.label) is not known yet: it comes with the first session.")
        }
        return Outcome(lines: [
            line("your digits: \(mine.digitGroups.joined(separator: " "))"),
            line("\(contact.label): \(theirs.digitGroups.joined(separator: " "))"),
            line("If \(contact.label) reads you the same: /verify \(contact.label) yes"),
        ])
    }

    private mutating func why(_ words: [String]) throws(Refusal) -> Outcome {
        let peer = try names.meant(words, open: current).peer
        explained = peer
        return does(.explain(peer))
    }

    private mutating func plaintext(_ words: [String]) throws(Refusal) -> Outcome {
        let (peer, isAllowed) = try names.plaintext(words, open: current)
        if names[peer] == nil { current = peer }
        return does(.allowPlaintext(peer, isAllowed))
    }
}
