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
    /// Outgoing messages whose end is not known yet.
    private var pending: Set<MessageID> = []
    private var indexes: [String: IndexStatus] = [:]

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

    // MARK: Events

    /// What to print about an event.
    public mutating func hear(_ event: ChatEvent) -> [DisplayText] {
        switch event {
        case .clock(let now, let offset):
            (self.now, self.offset) = (now, offset)
            return []
        case .contacts(let contacts):
            self.contacts = contacts
            return []
        case .message(let message): return hear(message)
        case .messageState(let id, _, let state, let reason): return hear(id, state, reason)
        case .path(let peer, let kind, _, let reason):
            guard kind == .none, let reason else { return [] }
            return [line("\(label(peer)) is not reached: \(reason)")]
        case .index(let server, let status): return hear(server, status)
        case .listening(let endpoint):
            listen = endpoint
            return [line("listening on \(endpoint)")]
        case .notice(let text, let peer): return [line((peer.map { label($0) + ": " } ?? "") + text)]
        case .failed(let text, _): return [line(text)]
        case .terminal, .pause, .restored, .history, .found, .seen, .forgotten, .request, .digits, .typing, .active,
            .invite,
            .setting:
            return []
        }
    }

    private mutating func hear(_ message: Message) -> [DisplayText] {
        let plain = message.secure ? "" : " (plain text)"
        if message.direction == .outgoing {
            pending.insert(message.id)
            return say("me to \(label(message.peer))\(plain)", message.text)
        }
        let isStranger = contact(message.peer)?.accepted != true
        if current == nil { current = message.peer }
        return say("\(label(message.peer))\(plain)", message.text)
            + (isStranger ? [line("\(label(message.peer)) is a stranger: answer, /accept or /block")] : [])
    }

    private mutating func hear(_ id: MessageID, _ state: DeliveryState, _ reason: String?) -> [DisplayText] {
        guard state != .queued, pending.remove(id) != nil else { return [] }
        guard state == .failed else { return [] }
        return [line("not sent: \(reason ?? "no reason given")")]
    }

    private mutating func hear(_ server: String, _ status: IndexStatus) -> [DisplayText] {
        guard indexes.updateValue(status, forKey: server) != status else { return [] }
        return switch status {
        case .connecting: []
        case .ok: [line("index \(server) answers")]
        case .unreachable(let reason): [line("index \(server) is unreachable: \(reason)")]
        case .noIdentities: [line("index \(server) answers, but knows no identities")]
        }
    }

    // MARK: Lines of the user

    /// What a typed line does.
    public mutating func enter(_ typed: String) -> Outcome {
        switch InputLine(typed) {
        case .blank: return Outcome()
        case .text(let text): return send(text)
        case .unknown(let word): return refuse("There is no command /\(word); /help lists them.")
        case .doubtful: return refuse("This looks like a command behind a blank; begin with // to send a slash.")
        case .command(let command, let arguments): return run(command, arguments)
        }
    }

    private mutating func send(_ text: String) -> Outcome {
        guard let current else { return refuse("No conversation is open; /go PEER opens one.") }
        let accepting: [ChatEffect] = contact(current)?.accepted == true ? [] : [.accept(current)]
        return Outcome(effects: accepting + [.send(to: current, text: text)])
    }

    private mutating func run(_ command: Command, _ arguments: [String]) -> Outcome {
        switch command {
        case .add:
            guard let peer = arguments.first.flatMap({ PeerID($0) }) else { return usage(command) }
            current = peer
            let name = arguments.dropFirst().joined(separator: " ")
            return Outcome(effects: [.add(peer, name: name.isEmpty ? nil : name)])
        case .nick:
            guard let name = arguments.last, let peer = arguments.count > 1 ? find(arguments[0]) : current else {
                return usage(command)
            }
            return Outcome(effects: [.rename(peer, name)])
        case .go:
            guard let peer = arguments.first.flatMap({ find($0) }) else { return usage(command) }
            current = peer
            return Outcome(lines: [line("writing to \(label(peer))")])
        case .accept: return onPeer(command, arguments) { .accept($0) }
        case .block: return onPeer(command, arguments) { .block($0) }
        case .remove: return onPeer(command, arguments) { .remove($0) }
        case .close:
            current = nil
            return Outcome(lines: [line("no conversation is open")])
        case .peers:
            let rows = contacts.map { line("\($0.peer) \($0.name ?? "") \(word(for: $0))") }
            return Outcome(lines: rows.isEmpty ? [line("no contacts yet; /add UUID NAME adds one")] : rows)
        case .id: return Outcome(lines: [line("\(me)")] + (listen.map { [line("listening on \($0)")] } ?? []))
        case .help: return Outcome(lines: Command.allCases.map { line("\($0.usage)  \($0.summary)") })
        case .quit: return Outcome(effects: [.quit])
        }
    }

    private func onPeer(_ command: Command, _ arguments: [String], _ effect: (PeerID) -> ChatEffect) -> Outcome {
        guard let peer = arguments.isEmpty ? current : find(arguments[0]) else { return usage(command) }
        return Outcome(effects: [effect(peer)])
    }

    private func usage(_ command: Command) -> Outcome { refuse("\(command.usage): \(command.summary).") }
    private func refuse(_ text: String) -> Outcome { Outcome(lines: [line(text)]) }

    // MARK: Words

    private func contact(_ peer: PeerID) -> Contact? { contacts.first { $0.peer == peer } }
    private func label(_ peer: PeerID) -> String { contact(peer)?.label ?? peer.shortDigits }
    private func word(for contact: Contact) -> String {
        contact.blocked ? "blocked" : contact.accepted ? "contact" : "wants to talk"
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
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        return lines.enumerated().map { index, part in
            index == 0 ? line("\(who): \(part)") : "    " + DisplayText(part)
        }
    }
}
