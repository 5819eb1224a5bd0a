// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import SafeText

/// The chat without a screen: lines in, finished lines out, nothing ever redrawn. For screen readers, slow links and dumb
/// terminals. Commands are the screen's; a line without one goes to the open conversation.
public struct PlainChat: Sendable {
    /// What a line of the user led to.
    public struct Outcome: Equatable, Sendable {
        public var lines: [DisplayText] = []
        public var effects: [ChatEffect] = []
    }

    private let me: PeerID
    private let name: String
    private var listen: Endpoint?
    private var now: WallTime?
    private var offset = 0
    private var contacts: [Contact] = []
    private var current: PeerID?
    /// Outgoing messages whose end is not known yet, and those that failed: what `/retry` is about.
    private var pending: [MessageID: Pending] = [:]
    private var indexes: [String: IndexStatus] = [:]
    /// What strangers wrote when they asked; the address book has the strangers themselves.
    private var requestTexts: [PeerID: String] = [:]
    private var digits: [PeerID: String] = [:]
    private var invite: String?
    private var switchedOff: Set<ChatSetting> = [.relay]
    private var searchToken = 0
    private var paths: [PeerID: Path] = [:]
    private var reach: OwnReach?
    /// Whose ladder was asked for and has not come yet.
    private var explained: PeerID?
    /// The newest message of each contact that was printed and not yet told to be read.
    private var printed: [PeerID: MessageID] = [:]
    /// Messages that `/history` was asked for.
    private var historyCount = 20
    /// The line that was asked about: the same line again means it.
    private var doubted: String?

    /// The most messages, strangers' texts and digits remembered; what comes beyond is shown and not followed.
    private static let limit = 1_000

    private struct Pending: Sendable {
        var peer: PeerID
        var excerpt: String
        var state: DeliveryState
        var reason: String?
    }

    private struct Path: Sendable {
        var kind: PathKind
        var roundTrip: Span?
        var reason: String?
    }

    public init(me: PeerID, name: String) {
        self.me = me
        self.name = name
    }

    /// What there is to say at the start.
    public var greeting: [DisplayText] {
        [
            "You are \(name). Your ID is \(me).",
            "Lines go to the peer that you chose with /go; /help lists the commands.",
        ]
    }

    /// Whether a ladder was asked for and has not been heard yet.
    public var awaitsLadder: Bool { explained != nil }

    // MARK: Events

    /// What to print about an event.
    public mutating func hear(_ event: ChatEvent) -> [DisplayText] {
        switch event {
        case .clock(let now, let offset):
            (self.now, self.offset) = (now, offset)
            return []
        case .contacts(let contacts): return take(contacts)
        case .message(let message): return hear(message)
        case .messageState(let id, _, let state, let reason): return hear(id, state, reason)
        case .path(let peer, let kind, let roundTrip, let reason):
            if paths.count < Self.limit || paths[peer] != nil {
                paths[peer] = Path(kind: kind, roundTrip: roundTrip, reason: reason)
            }
            guard kind == .none, let reason else { return [] }
            return [line("\(label(peer)) is not reached: \(reason)")]
        case .request(let peer, let name, let text, let invited): return hear(peer, name, text, invited)
        case .restored(let summaries, let open): return restore(summaries, open)
        case .history(let request, let page): return hear(page, of: request.peer)
        case .found(let token, let hits, let more): return token == searchToken ? list(hits, more) : []
        case .digits(let peer, let digits):
            if self.digits.count < Self.limit || self.digits[peer] != nil { self.digits[peer] = digits }
            return []
        case .invite(let invite):
            defer { self.invite = invite }
            return self.invite == nil ? [] : [line("your new invite: \(invite)")]
        case .setting(let setting, let isOn):
            if isOn { switchedOff.remove(setting) } else { switchedOff.insert(setting) }
            return []
        case .forgotten(let peer, nil): return [line("the texts with \(label(peer)) are deleted here")]
        case .index(let server, let status): return hear(server, status)
        case .ladder(let peer, let lines): return tell(lines, of: peer)
        case .reach(let reach):
            defer { self.reach = reach }
            guard reach.isUDPBlocked != (self.reach?.isUDPBlocked ?? false) else { return [] }
            return [line(reach.isUDPBlocked ? "UDP is blocked here: everything goes through TLS" : "UDP works again")]
        case .listening(let endpoint):
            listen = endpoint
            return [line("listening on \(endpoint)")]
        case .notice(let text, let peer): return [line((peer.map { label($0) + ": " } ?? "") + text)]
        case .added(let peer, let name):
            current = peer
            return [line("\(name ?? label(peer)) is added; writing to it")]
        case .failed(let text, _): return [line(text)]
        case .terminal, .rest, .pause, .hintOver, .seen, .forgotten, .typing, .active: return []
        }
    }

    private mutating func take(_ contacts: [Contact]) -> [DisplayText] {
        let known = Set(self.contacts.lazy.filter { $0.alarm != nil }.map(\.peer))
        self.contacts = contacts
        let strangers = Set(contacts.lazy.filter { !$0.accepted && !$0.blocked }.map(\.peer))
        requestTexts = requestTexts.filter { strangers.contains($0.key) }
        return contacts.compactMap { contact in
            guard let alarm = contact.alarm, !known.contains(contact.peer) else { return nil }
            return line("ALARM about \(contact.label): \(alarm). Nothing is sent to it.")
        }
    }

    private mutating func hear(_ message: Message) -> [DisplayText] {
        let plain = message.secure ? "" : " (plain text)"
        if message.direction == .outgoing {
            if pending.count < Self.limit {
                pending[message.id] = Pending(
                    peer: message.peer, excerpt: String(message.text.prefix(24)), state: .sent, reason: nil)
            }
            return say("me to \(label(message.peer))\(plain)", message.text)
        }
        let isStranger = contact(message.peer)?.accepted != true
        if !isStranger { printed[message.peer] = message.id }
        if current == nil { current = message.peer }
        return say("\(label(message.peer))\(plain)", message.text)
            + (isStranger ? [line("\(label(message.peer)) is a stranger: answer, /accept or /block")] : [])
    }

    /// One line for each new state that means something to the reader.
    private mutating func hear(_ id: MessageID, _ state: DeliveryState, _ reason: String?) -> [DisplayText] {
        guard var known = pending[id], known.state != state || known.reason != reason else { return [] }
        (known.state, known.reason) = (state, reason)
        pending[id] = state == .read ? nil : known
        let words: String
        switch state {
        case .queued:
            guard let reason else { return [] }
            words = "waiting for \(label(known.peer)): \(reason)"
        case .sent: return []
        case .delivered: words = "delivered to \(label(known.peer))"
        case .read: words = "read by \(label(known.peer))"
        case .failed: words = "not sent: \(reason ?? "no reason given"); /retry sends it again"
        }
        return [line("\(words) [\(known.excerpt)]")]
    }

    /// A request with our invite is told at once, any other when asked for.
    private mutating func hear(
        _ peer: PeerID, _ name: String?, _ text: String, _ invited: Bool
    ) -> [DisplayText] {
        if requestTexts.count < Self.limit { requestTexts[peer] = String(text.prefix(256)) }
        guard invited else { return [] }
        let nickname = name.map { ", which calls itself \"\(DisplayText($0, style: .stripped))\"," } ?? ""
        return [
            line("\(peer)\(nickname) has your invite and wants to talk: \(text)"),
            line("/accept \(peer.shortDigits), /ignore \(peer.shortDigits) or /block \(peer.shortDigits)"),
        ]
    }

    /// What waits since the last run, and the conversation that was open then.
    private mutating func restore(_ summaries: [ConversationSummary], _ open: PeerID?) -> [DisplayText] {
        let lines = summaries.compactMap(line)
        guard current == nil, let open, contact(open)?.accepted == true else { return lines }
        current = open
        return lines + [line("writing to \(label(open)); /history shows what was said")]
    }

    private mutating func hear(_ page: HistoryPage, of peer: PeerID) -> [DisplayText] {
        let messages = page.messages.suffix(historyCount)
        if contact(peer)?.accepted == true, let last = page.messages.last(where: { $0.direction == .incoming }) {
            printed[peer] = last.id
        }
        return messages.isEmpty ? [line("nothing was said with \(label(peer)) yet")] : messages.flatMap(past)
    }

    /// A message of former times: with its day, and what has become of it.
    private func past(_ message: Message) -> [DisplayText] {
        let time = message.received.civil(offset: offset)
        let isMine = message.direction == .outgoing
        let who = isMine ? "me to \(label(message.peer)) (\(message.state.words))" : label(message.peer)
        let plain = message.secure ? "" : " (plain text)"
        return said("\(time.day(long: true)) \(time.clock) \(who)\(plain)", message.text)
    }

    private func line(_ summary: ConversationSummary) -> DisplayText? {
        var words: [String] = []
        if summary.unread > 0 { words.append("\(summary.unread) not yet read") }
        if !summary.waiting.isEmpty { words.append("\(summary.waiting.count) waiting") }
        return words.isEmpty ? nil : line("\(label(summary.peer)): " + words.joined(separator: ", "))
    }

    private func list(_ hits: [SearchHit], _ more: Bool) -> [DisplayText] {
        guard !hits.isEmpty else { return [line("nothing found")] }
        return hits.map { hit in
            let time = hit.received.civil(offset: offset)
            let who = hit.direction == .outgoing ? "me to \(label(hit.peer))" : label(hit.peer)
            return DisplayText(
                "\(time.day(long: true)) \(time.clock) \(who): \(hit.before)\(hit.match)\(hit.after)".replacingBreaks)
        } + (more ? [line("there are more: search for more words")] : [])
    }

    private mutating func hear(_ server: String, _ status: IndexStatus) -> [DisplayText] {
        guard indexes.updateValue(status, forKey: server) != status else { return [] }
        return switch status {
        case .connecting: []
        case .ok: [line("index \(server) answers")]
        case .sameServer(let name): [line("index \(server) is the same server as \(name)")]
        case .unreachable(let reason): [line("index \(server) is unreachable: \(reason)")]
        case .noIdentities: [line("index \(server) answers, but knows no identities")]
        }
    }

    // MARK: Lines of the user

    /// What a typed line does. Whoever types has read what was printed before.
    public mutating func enter(_ typed: String) -> Outcome {
        let marks = printed.sorted { $0.key.description < $1.key.description }.map { ChatEffect.markRead($0, $1) }
        printed = [:]
        var outcome = obey(typed)
        outcome.effects.insert(contentsOf: marks, at: 0)
        return outcome
    }

    private mutating func obey(_ typed: String) -> Outcome {
        let isSure = doubted == typed
        doubted = nil
        switch InputLine(typed) {
        case .blank: return Outcome()
        case .text(let text): return send(text)
        case .unknown("history"): return history(typed)
        case .unknown(let word):
            let guess = Command.nearest(to: word.lowercased()).map { " Did you mean /\($0.rawValue)?" } ?? ""
            return refuse("There is no command /\(word); /help lists them.\(guess)")
        case .doubtful: return refuse("This looks like a command behind a blank; begin with // to send a slash.")
        case .command(let command, let arguments):
            if !isSure, let question = question(command, arguments) {
                doubted = typed
                return refuse("\(question) Enter the same line again to do it.")
            }
            return run(command, arguments)
        }
    }

    /// What to ask before something that can't be undone.
    private func question(_ command: Command, _ arguments: [String]) -> String? {
        switch command {
        case .forget: current.map { "All texts with \(label($0)) go from this disk for good." }
        case .invite where !arguments.isEmpty: "Invites given so far will not work any more."
        case .quit:
            waiting.isEmpty
                ? nil
                : waiting.count == 1
                    ? "1 message waits and stays queued." : "\(waiting.count) messages wait and stay queued."
        default: nil
        }
    }

    private var waiting: [MessageID] { pending.filter { $0.value.state == .queued }.map(\.key) }

    /// A command of lines alone: the screen scrolls.
    private mutating func history(_ typed: String) -> Outcome {
        let words = typed.split(whereSeparator: \.isWhitespace).dropFirst()
        guard let current else { return refuse("No conversation is open; /go PEER opens one.") }
        guard words.count <= 1, let count = words.first.map({ Int($0) }) ?? 20, (1...200).contains(count) else {
            return refuse("\(Self.historyUsage), from 1 to 200.")
        }
        historyCount = count
        return Outcome(effects: [.load(HistoryRequest(current, .newest))])
    }

    private static let historyUsage = "/history [COUNT]: print the last messages of this conversation"

    private mutating func send(_ text: String) -> Outcome {
        guard let current else { return refuse("No conversation is open; /go PEER opens one.") }
        let accepting: [ChatEffect] = contact(current)?.accepted == true ? [] : [.accept(current)]
        return Outcome(effects: accepting + [.send(to: current, text: text)])
    }

    private mutating func run(_ command: Command, _ arguments: [String]) -> Outcome {
        switch command {
        case .add:
            let rest = arguments.dropFirst().joined(separator: " ")
            let name = rest.isEmpty ? nil : rest
            if let invite = arguments.first.flatMap({ InputLine.invite($0)?.word }) {
                return Outcome(effects: [.addInvite(invite, name: name)])
            }
            guard let peer = arguments.first.flatMap({ PeerID($0) }) else { return usage(command) }
            current = peer
            return Outcome(effects: [.add(peer, name: name)])
        case .nick:
            guard let name = arguments.last, let peer = arguments.count > 1 ? find(arguments[0]) : current else {
                return usage(command)
            }
            return Outcome(effects: [.rename(peer, name)])
        case .go:
            guard let peer = arguments.first.flatMap({ find($0) }) else { return usage(command) }
            current = peer
            return Outcome(lines: [line("writing to \(label(peer))")])
        case .accept: return onRequest(command, arguments) { .accept($0) }
        case .block: return onPeer(command, arguments) { .block($0) }
        case .remove: return onPeer(command, arguments) { .remove($0) }
        case .close:
            current = nil
            return Outcome(lines: [line("no conversation is open")])
        case .peers:
            let rows = contacts.map { line(([$0.peer.description] + words(about: $0)).joined(separator: " ")) }
            return Outcome(lines: rows.isEmpty ? [line("no contacts yet; /add INVITE NAME adds one")] : rows)
        case .id: return Outcome(lines: [line("\(me)")] + (listen.map { [line("listening on \($0)")] } ?? []))
        case .help:
            let usages = Command.allCases.filter { $0 != .select }.map { "\($0.usage): \($0.summary)" }
            return Outcome(lines: (usages + [Self.historyUsage]).map { line($0) })
        case .quit: return Outcome(effects: [.quit])
        case .requests: return Outcome(lines: requestLines)
        case .ignore: return onRequest(command, arguments) { .ignore($0) }
        case .invite:
            guard arguments.isEmpty else { return Outcome(effects: [.renewInvite]) }
            return refuse(invite ?? "The invite is not made yet: it needs a key of your own.")
        case .verify: return verify(arguments)
        case .why:
            guard let peer = arguments.isEmpty ? current : find(arguments.joined(separator: " ")) else {
                return usage(command)
            }
            explained = peer
            return Outcome(effects: [.explain(peer)])
        case .retry:
            let effects = pending.filter { $0.value.state == .queued || $0.value.state == .failed }
                .map(\.key).sorted { $0.description < $1.description }.map { ChatEffect.retry($0) }
            return effects.isEmpty ? refuse("Nothing failed and nothing waits.") : Outcome(effects: effects)
        case .search:
            guard !arguments.isEmpty else { return usage(command) }
            searchToken &+= 1
            return Outcome(effects: [.search(arguments.joined(separator: " "), in: nil, token: searchToken)])
        case .select: return refuse("Picking out messages needs the screen.")
        case .forget: return current.map { Outcome(effects: [.forget($0)]) } ?? usage(command)
        case .set: return set(arguments)
        case .plaintext:
            let isOn = ["on": true, "off": false]
            guard let peer = arguments.first.flatMap({ find($0) }), let isOn = arguments.last.flatMap({ isOn[$0] })
            else { return usage(command) }
            return Outcome(effects: [.allowPlaintext(peer, isOn)])
        }
    }

    private var requestLines: [DisplayText] {
        let strangers = contacts.filter { !$0.accepted && !$0.blocked }
        guard !strangers.isEmpty else { return [line("no requests")] }
        return strangers.map { contact in
            let nickname = contact.nickname.map { " calls itself \"\(DisplayText($0, style: .stripped))\"" } ?? ""
            let text = requestTexts[contact.peer].map { ": \($0)" } ?? ""
            return line("\(contact.peer)\(contact.invited ? " has your invite," : "")\(nickname)\(text)")
        }
    }

    /// `/verify PEER` shows the digits, `/verify PEER yes` or `no` says what came of the comparison.
    private func verify(_ arguments: [String]) -> Outcome {
        var words = arguments
        let answer = ["yes": true, "no": false][words.last ?? ""]
        if answer != nil { words.removeLast() }
        guard let peer = words.isEmpty ? current : find(words.joined(separator: " ")) else { return usage(.verify) }
        if let answer { return Outcome(effects: [.verify(peer, answer)]) }
        guard let mine = digits[me], let theirs = digits[peer] else {
            return refuse("The key of \(label(peer)) is not known yet: it comes with the first session.")
        }
        return Outcome(lines: [
            line("your digits: \(mine.inGroups)"), line("\(label(peer)): \(theirs.inGroups)"),
            line("If \(label(peer)) reads you the same: /verify \(label(peer)) yes"),
        ])
    }

    /// What was tried to reach a peer, once: asking again tells the news.
    private mutating func tell(_ ladder: [LadderLine], of peer: PeerID) -> [DisplayText] {
        guard explained == peer else { return [] }
        explained = nil
        let path = paths[peer]
        let why = Explanation(
            path: path?.kind, roundTrip: path?.roundTrip, reason: path?.reason, ladder: ladder, reach: reach,
            servers: indexes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        let steps = why.steps.map { step in
            let reason = step.text.isEmpty ? "" : ": \(step.text)"
            return "  \(step.rung.title) \(step.mark.word)\(reason)"
        }
        let own = why.own.map { "  \($0.word): \($0.clause)" }
        let lines =
            ["the way to \(label(peer)): \(why.present)"] + steps + ["this machine:"] + own
            + ["what would help: \(why.advice)"]
        return lines.map { line($0.replacingBreaks) }
    }

    private func set(_ arguments: [String]) -> Outcome {
        guard !arguments.isEmpty else {
            return Outcome(
                lines: ChatSetting.allCases.map {
                    line("\($0.rawValue) \(switchedOff.contains($0) ? "off" : "on"): \($0.summary)")
                })
        }
        guard arguments.count == 2, let setting = ChatSetting(rawValue: arguments[0]),
            let isOn = ["on": true, "off": false][arguments[1]]
        else { return usage(.set) }
        return Outcome(effects: [.set(setting, isOn)])
    }

    private func onPeer(_ command: Command, _ arguments: [String], _ effect: (PeerID) -> ChatEffect) -> Outcome {
        guard let peer = arguments.isEmpty ? current : find(arguments[0]) else { return usage(command) }
        return Outcome(effects: [effect(peer)])
    }

    /// Without a name, while a contact's conversation is open or none, the one request there is.
    private func onRequest(_ command: Command, _ arguments: [String], _ effect: (PeerID) -> ChatEffect) -> Outcome {
        guard arguments.isEmpty, current.flatMap(contact)?.accepted != false else {
            return onPeer(command, arguments, effect)
        }
        let strangers = contacts.filter { !$0.accepted && !$0.blocked }
        guard let only = strangers.first else { return refuse("There are no requests.") }
        guard strangers.count == 1 else {
            return refuse("There are \(strangers.count) requests: /requests lists them; give an ID.")
        }
        return Outcome(effects: [effect(only.peer)])
    }

    private func usage(_ command: Command) -> Outcome { refuse("\(command.usage): \(command.summary).") }
    private func refuse(_ text: String) -> Outcome { Outcome(lines: [line(text)]) }

    // MARK: Words

    private func contact(_ peer: PeerID) -> Contact? { contacts.first { $0.peer == peer } }
    private func label(_ peer: PeerID) -> String { contact(peer)?.label ?? peer.shortDigits }
    private func words(about contact: Contact) -> [String] {
        var words = contact.name.map { [$0] } ?? []
        words.append(contact.blocked ? "blocked" : contact.accepted ? "contact" : "wants to talk")
        if contact.verified { words.append("verified") }
        if let nickname = contact.nickname {
            words.append("calls itself \"\(DisplayText(nickname, style: .stripped))\"")
        }
        return words
    }

    /// A name, a UUID, or at least four of its first digits.
    private func find(_ word: String) -> PeerID? {
        let lowered = word.lowercased()
        if let named = contacts.first(where: { $0.label.lowercased() == lowered }) { return named.peer }
        if let peer = PeerID(word) { return peer }
        let fitting = contacts.filter { word.utf8.count >= 4 && $0.peer.description.hasPrefix(lowered) }
        return fitting.count == 1 ? fitting.first?.peer : nil
    }

    /// One line with the time before it.
    private func line(_ text: String) -> DisplayText {
        guard let civil = now?.civil(offset: offset) else { return DisplayText(text) }
        return DisplayText("\(civil.clock) \(text)")
    }

    /// A message, further lines of it indented.
    private func say(_ who: String, _ text: String) -> [DisplayText] {
        guard let civil = now?.civil(offset: offset) else { return said(who, text) }
        return said("\(civil.clock) \(who)", text)
    }

    private func said(_ head: String, _ text: String) -> [DisplayText] {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().map { index, part in
            index == 0 ? DisplayText("\(head): \(part)") : "    " + DisplayText(part)
        }
    }
}

extension String {
    /// Digits in groups of five.
    fileprivate var inGroups: String {
        filter(\.isNumber).enumerated().reduce(into: "") {
            $0 += ($1.offset > 0 && $1.offset % 5 == 0 ? " " : "") + String($1.element)
        }
    }
}
