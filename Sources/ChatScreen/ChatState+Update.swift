// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// Takes an event in and says what is to be done.
public func update(_ state: inout ChatState, _ event: ChatEvent) -> [ChatEffect] {
    let effects = state.handle(event)
    return state.followUp(effects)
}

extension ChatState {
    fileprivate mutating func handle(_ event: ChatEvent) -> [ChatEffect] {
        switch event {
        case .terminal(let event): return handle(event)
        case .clock(let now, let offset): return tick(now, offset)
        case .rest: return keepDrafts()
        case .pause:
            isWriting = false
            return keepDrafts()
        case .hintOver(let number): endHint(number)
        case .restored(let summaries, let open): restore(summaries, open: open)
        case .history(let request, let page): take(page, for: request)
        case .found(let token, let hits, let more): take(hits, more: more, token: token)
        case .message(let message): return receive(message)
        case .messageState(let id, let peer, let state, let reason):
            change(peer) { $0.advance(id, to: state, reason: reason) }
        case .seen(let peer, let id): change(peer) { if $0.lastIncoming ?? id == id { $0.markSeen() } }
        case .forgotten(let peer, let id): forget(peer, id)
        case .contacts(let contacts): take(contacts)
        case .request(let peer, let name, let text, let invited):
            return announce(peer, name: name, text: text, invited: invited)
        case .digits(let peer, let digits):
            if peer == me { self.digits[me] = digits }
            change(peer) { $0.digits = digits }
        case .path(let peer, let path, let roundTrip, let reason):
            change(peer) { $0.setPath(path, roundTrip: roundTrip, reason: reason) }
        case .ladder(let peer, let lines): take(lines, of: peer)
        case .reach(let reach): self.reach = reach
        case .typing(let peer, let isTyping): change(peer) { $0.setTyping(isTyping) }
        case .active(let peer, let isActive): change(peer) { $0.isActive = isActive }
        case .index(let server, let status): setIndex(server, status)
        case .listening(let endpoint): listen = endpoint
        case .invite(let invite): take(invite: invite)
        case .setting(let setting, let isOn):
            if isOn { switchedOff.remove(setting) } else { switchedOff.insert(setting) }
        case .notice(let text, let peer): note(text, about: peer)
        case .added(let peer, _): if index(of: peer) == nil { awaited = peer } else { open(peer) }
        case .failed(let text, let effect): fail(text, effect)
        }
        return []
    }

    private mutating func handle(_ event: TerminalEvent) -> [ChatEffect] {
        switch event {
        case .key(let key):
            touch()
            return answered { $0.press(key) }
        case .paste(let text):
            touch()
            return answered { $0.paste(text) }
        case .resize(let size): self.size = size
        case .wheel(let lines):
            touch()
            turnWheel(max(-100, min(100, lines)))
        case .hangup: return [.quit]
        }
        return []
    }

    /// Notes that a sentence came of a key.
    private mutating func answered(_ act: (inout ChatState) -> [ChatEffect]) -> [ChatEffect] {
        let before = flash
        defer { if flash != before { flash?.answersKey = true } }
        return act(&self)
    }

    private mutating func touch() {
        isTouched = true
        idleMinutes = 0
        if let index = currentIndex { conversations[index].refused = nil }
    }

    private mutating func turnWheel(_ lines: Int) {
        guard overlay != nil else { return scroll(by: lines) }
        for _ in 0..<abs(lines) where overlay != nil { _ = press(Key(lines < 0 ? .up : .down)) }
    }

    private mutating func change(_ peer: PeerID, _ change: (inout Conversation) -> Void) {
        if let index = index(of: peer) { change(&conversations[index]) }
    }

    // MARK: The last run and the disk

    private mutating func restore(_ summaries: [ConversationSummary], open peer: PeerID?) {
        for summary in summaries {
            if let index = index(of: summary.peer) {
                conversations[index].restore(summary)
            } else {
                unplaced[summary.peer] = summary
            }
        }
        guard let peer, !isTouched else { return }
        if index(of: peer) == nil { awaited = peer } else { open(peer) }
    }

    private mutating func take(_ page: HistoryPage, for request: HistoryRequest) {
        guard let index = index(of: request.peer) else { return }
        conversations[index].take(page, for: request.range)
        arrive(index)
    }

    private mutating func forget(_ peer: PeerID, _ id: MessageID?) {
        change(peer) { if let id { $0.erase(id) } else { $0.forget() } }
    }

    private mutating func take(invite: String) {
        self.invite = invite
        if case .invite(let code)? = overlay { overlay = .invite(code: code.flatMap { _ in QRMatrix(invite) }) }
    }

    // MARK: The engine's events

    private mutating func tick(_ now: WallTime, _ offset: Int) -> [ChatEffect] {
        self.now = now
        self.offset = offset
        isWriting = false
        idleMinutes = min(idleMinutes + 1, Self.awayMinutes)
        for index in conversations.indices { conversations[index].grow() }
        if flash?.isError == true { flash?.minutes += 1 }
        if let flash, flash.minutes > 2 { self.flash = nil }
        return keepDrafts()
    }

    private mutating func take(_ contacts: [Contact]) {
        var places: [PeerID: Int] = [:]
        for (place, conversation) in conversations.enumerated() { places[conversation.peer] = place }
        var gone = Set(conversations.lazy.filter(\.listed).map(\.peer))
        for contact in contacts {
            gone.remove(contact.peer)
            if let place = places[contact.peer] {
                conversations[place].update(contact)
            } else {
                places[contact.peer] = conversations.count
                conversations.append(Conversation(contact, listed: true))
                if let summary = unplaced.removeValue(forKey: contact.peer) {
                    conversations[conversations.count - 1].restore(summary)
                }
            }
        }
        if !gone.isEmpty { conversations.removeAll { gone.contains($0.peer) } }
        sortConversations(asIn: contacts)
        settleCurrent()
        settleOverlay()
        proposeName()
    }

    /// Says once how a peer gets a name that has just been let in, or has just introduced itself.
    private mutating func proposeName() {
        guard let conversation, !named.contains(conversation.peer),
            let name = names.proposedName(for: conversation.contact)
        else { return }
        named.insert(conversation.peer)
        let digits = conversation.peer.shortDigits
        flash = Flash(text: "\(digits) calls itself \"\(name)\": /nick and Tab names it so", isError: false)
    }

    /// Contacts in the order of the address book, then strangers in the order in which they came.
    private mutating func sortConversations(asIn contacts: [Contact]) {
        var ranks: [PeerID: Int] = [:]
        for (rank, contact) in contacts.enumerated() where contact.accepted { ranks[contact.peer] = rank }
        let order = conversations.indices.sorted {
            let left = ranks[conversations[$0].peer] ?? .max
            let right = ranks[conversations[$1].peer] ?? .max
            return (left, $0) < (right, $1)
        }
        guard !order.elementsEqual(conversations.indices) else { return }
        conversations = order.map { conversations[$0] }
    }

    /// Opens what was waited for; closes what is no longer shown; starts with the first contact.
    private mutating func settleCurrent() {
        if let peer = awaited, let index = index(of: peer), conversations[index].contact.accepted {
            awaited = nil
            open(peer)
        }
        if let index = currentIndex, !conversations[index].isShown { leave() }
        if currentIndex == nil {
            current = nil
            if let first = conversations.first(where: { $0.isShown && $0.contact.accepted }) { open(first.peer) }
        }
    }

    /// An overlay about somebody who is gone has nothing to say.
    private mutating func settleOverlay() {
        switch overlay {
        case .requests? where requests.isEmpty: overlay = nil
        case .verify(let peer)?, .info(let peer, _)?, .why(let peer, _)?: if index(of: peer) == nil { overlay = nil }
        default: break
        }
    }

    private mutating func receive(_ message: Message) -> [ChatEffect] {
        guard let index = conversationIndex(for: message.peer) else { return [] }
        let isCurrent = message.peer == current
        let seen = isCurrent && conversations[index].anchor == nil && conversations[index].jump == nil && !isAway
        let named =
            !seen && conversations[index].contact.accepted && message.direction == .incoming && names(message.text)
        let isNews =
            (!isCurrent || isAway) && conversations[index].unread == 0 || named && conversations[index].mentions == 0
        conversations[index].append(message, seen: seen, names: named)
        conversations[index].trim(to: isCurrent ? Conversation.openLimit : Conversation.closedLimit)
        let wakes = message.direction == .incoming && conversations[index].contact.accepted && isNews
        return wakes ? [.bell] : []
    }

    /// The conversation of a peer. A stranger's is made, in the place of another stranger when there are too many.
    private mutating func conversationIndex(for peer: PeerID) -> Int? {
        if let index = index(of: peer) { return conversations[index].contact.blocked ? nil : index }
        let strangers = conversations.indices.filter { conversations[$0].isRequest }
        if strangers.count >= Self.requestLimit {
            guard let oldest = strangers.first(where: { isUntouched(conversations[$0]) }) else { return nil }
            conversations.remove(at: oldest)
        }
        conversations.append(Conversation(Contact(peer: peer, accepted: false), listed: false))
        return conversations.count - 1
    }

    private func isUntouched(_ conversation: Conversation) -> Bool {
        conversation.peer != current && conversation.draft.editor.isEmpty && conversation.waiting == 0
            && !conversation.contact.invited
    }

    private mutating func announce(_ peer: PeerID, name: String?, text: String, invited: Bool) -> [ChatEffect] {
        guard let index = conversationIndex(for: peer), conversations[index].isRequest else { return [] }
        let isNews = invited && !conversations[index].contact.invited
        conversations[index].ask(name: name, text: text, invited: invited)
        return isNews ? [.bell] : []
    }

    private mutating func setIndex(_ server: String, _ status: IndexStatus) {
        if let place = indexes.firstIndex(where: { $0.server == server }) {
            indexes[place].status = status
        } else if indexes.count < Self.indexLimit {
            indexes.append((server, status))
        }
    }

    private mutating func note(_ text: String, about peer: PeerID?) {
        guard let peer, let index = index(of: peer) else {
            flash = Flash(text: text, isError: false)
            return
        }
        conversations[index].note(text, at: now)
        conversations[index].trim(to: peer == current ? Conversation.openLimit : Conversation.closedLimit)
        if peer != current { flash = Flash(text: "\(conversations[index].contact.label): \(text)", isError: false) }
    }

    private mutating func fail(_ text: String, _ effect: ChatEffect?) {
        flash = Flash(text: text, isError: true)
        switch effect {
        case .send(let peer, let text):
            // A line already begun is not disturbed: the refused one then waits behind ↑.
            guard let index = index(of: peer), conversations[index].draft.editor.isEmpty else { return }
            conversations[index].draft.editor.replace(with: InputLine.typed(text))
        case .add(let peer, let name):
            if awaited == peer { awaited = nil }
            guard draft.editor.isEmpty else { return }
            draft.editor.replace(with: "/add \(peer)" + (name.map { " " + $0 } ?? ""))
        case .addInvite(let invite, let name):
            guard draft.editor.isEmpty else { return }
            draft.editor.replace(with: "/add \(invite)" + (name.map { " " + $0 } ?? ""))
        case .load(let request): change(request.peer) { $0.refuse(request.range) }
        case .search(_, _, let token): take([], more: false, token: token)
        default: break
        }
    }

    // MARK: What follows from whatever happened

    /// Adds what the disk and the other side should know, so that no single way of opening, scrolling or writing has
    /// to.
    fileprivate mutating func followUp(_ effects: [ChatEffect]) -> [ChatEffect] {
        var effects = effects
        if let place = effects.firstIndex(of: .quit) {
            effects.insert(contentsOf: keepDrafts(), at: place)
            return effects
        }
        if current != toldOpen {
            effects += keepDrafts()
            if let peer = toldOpen, let left = index(of: peer) {
                conversations[left].trim(to: Conversation.closedLimit)
            }
            toldOpen = current
            effects.append(.openConversation(current))
        }
        if selection?.peer != current { selection = nil }
        effects += presence() + typing() + explain() + timeHint()
        guard let index = currentIndex else { return effects }
        look(at: index, &effects)
        if let range = conversations[index].nextPage(rows: size.rows) {
            effects.append(.load(HistoryRequest(conversations[index].peer, range)))
        }
        return effects
    }

    /// A hint that is new goes after a while.
    private mutating func timeHint() -> [ChatEffect] {
        guard flash != timedHint.flash else { return [] }
        timedHint.flash = flash
        guard let flash, !flash.isError else { return [] }
        timedHint.number &+= 1
        return [.endHint(timedHint.number, seconds: flash.seconds)]
    }

    private mutating func endHint(_ number: Int) {
        guard number == timedHint.number, flash?.isError == false else { return }
        flash = nil
        quitArmed = false
    }

    private mutating func presence() -> [ChatEffect] {
        guard isAway != toldAway else { return [] }
        toldAway = isAway
        return [.active(!isAway)]
    }

    private mutating func typing() -> [ChatEffect] {
        let line = draft.editor.characters
        let isText = isWriting && !line.isEmpty && line.first != "/" && conversation?.contact.accepted == true
        if !isText { isWriting = false }
        let peer = isText ? current : nil
        guard peer != toldTyping else { return [] }
        defer { toldTyping = peer }
        return (toldTyping.map { [.typing($0, false)] } ?? []) + (peer.map { [.typing($0, true)] } ?? [])
    }

    /// At the bottom, and with somebody there, everything counts as seen.
    private mutating func look(at index: Int, _ effects: inout [ChatEffect]) {
        let conversation = conversations[index]
        guard conversation.anchor == nil, conversation.jump == nil, conversation.reachesEnd, !isAway else { return }
        if conversation.unread > 0, !conversation.log.isEmpty { conversations[index].markSeen() }
        guard conversation.owesMark, conversation.contact.accepted, let newest = conversation.lastIncoming else {
            return
        }
        conversations[index].marked()
        effects.append(.markRead(conversation.peer, newest))
    }

    /// Drafts that changed since they were last kept.
    private mutating func keepDrafts() -> [ChatEffect] {
        conversations.indices.compactMap { index in
            let text = conversations[index].draft.editor.text
            guard text != conversations[index].keptDraft, conversations[index].contact.accepted else { return nil }
            conversations[index].keptDraft = text
            return .keepDraft(conversations[index].peer, text)
        }
    }
}
