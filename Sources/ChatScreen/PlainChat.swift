// SPDX-License-Identifier: GPL-3.0-or-later
public import Model
public import SafeText

/// The chat without a screen: lines in, finished lines out, nothing ever redrawn. For screen readers, slow links and
/// dumb terminals. Commands are the screen's; a line without one goes to the open conversation.
public struct PlainChat: Sendable {
    /// What a line of the user led to.
    public struct Outcome: Equatable, Sendable {
        public var lines: [DisplayText] = []
        public var effects: [ChatEffect] = []
    }

    var names: NameBook
    var listen: Endpoint?
    var now: WallTime?
    var offset = 0
    var current: PeerID?
    /// Outgoing messages whose end is not known yet, and those that failed: what `/retry` is about.
    var pending: [MessageID: Pending] = [:]
    var indexes: [String: IndexStatus] = [:]
    /// What strangers wrote when they asked; the address book has the strangers themselves.
    var requestTexts: [PeerID: String] = [:]
    var digits: [PeerID: String] = [:]
    var invite: String?
    var switchedOff = ChatSetting.offAtFirst
    var searchToken = 0
    var paths: [PeerID: Path] = [:]
    var reach: OwnReach?
    /// Whose ladder was asked for and has not come yet.
    var explained: PeerID?
    /// The newest message of each contact that was printed and not yet told to be read.
    var printed: [PeerID: MessageID] = [:]
    /// Messages that `/history` was asked for.
    var historyCount = 20
    /// The line that was asked about: the same line again means it.
    var doubted: String?

    /// The most messages, strangers' texts and digits remembered; what comes beyond is shown and not followed.
    private static let limit = 1_000

    struct Pending: Sendable {
        var peer: PeerID
        var excerpt: String
        var state: DeliveryState
        var reason: String?
    }

    struct Path: Sendable {
        var kind: PathKind
        var roundTrip: Span?
        var reason: String?
    }

    public init(me: PeerID, name: String) {
        names = NameBook(me: me, name: name)
    }

    /// What there is to say at the start.
    public var greeting: [DisplayText] {
        [
            "You are \(names.name). Your ID is \(names.me).",
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
        let known = Set(names.contacts.lazy.filter { $0.alarm != nil }.map(\.peer))
        names.entries = contacts.map { NameBook.Entry($0) }
        let strangers = Set(contacts.lazy.filter(\.isRequest).map(\.peer))
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
        let isStranger = names[message.peer]?.accepted != true
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
        let stranger = Contact(peer: peer, nickname: name, accepted: false, invited: true)
        let said = [stranger.introduction().map { "which \($0)" }, names.warning(about: stranger)].compactMap(\.self)
        let aside = said.isEmpty ? "" : ", \(said.joined(separator: ", ")),"
        return [
            line("\(peer)\(aside) has your invite and wants to talk: \(text)"),
            line("/accept \(peer.shortDigits), /ignore \(peer.shortDigits) or /block \(peer.shortDigits)"),
        ]
    }

    /// What waits since the last run, and the conversation that was open then.
    private mutating func restore(_ summaries: [ConversationSummary], _ open: PeerID?) -> [DisplayText] {
        let lines = summaries.compactMap(line)
        guard current == nil, let open, names[open]?.accepted == true else { return lines }
        current = open
        return lines + [line("writing to \(label(open)); /history shows what was said")]
    }

    private mutating func hear(_ page: HistoryPage, of peer: PeerID) -> [DisplayText] {
        let messages = page.messages.suffix(historyCount)
        if names[peer]?.accepted == true, let last = page.messages.last(where: { $0.direction == .incoming }) {
            printed[peer] = last.id
        }
        return messages.isEmpty ? [line("nothing was said with \(label(peer)) yet")] : messages.flatMap(past)
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

    /// What was tried to reach a peer, once: asking again tells the news.
    private mutating func tell(_ ladder: [LadderStep], of peer: PeerID) -> [DisplayText] {
        guard explained == peer else { return [] }
        explained = nil
        return words(about: ladder, of: peer)
    }
}
