// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import Model
import PeerEngine

// What the client says, as the screen knows it, and what the screen wants, as the client knows it: neither knows the other.

extension ChatEvent {
    /// `nil` for what no screen shows.
    init?(_ event: ClientEvent) {
        switch event {
        case .index(let server, let status): self = .index(server: server, status.shown)
        case .message(let message): self = .message(message)
        case .state(let id, _, let peer, let state, let reason):
            self = .messageState(id, to: peer, state, reason: reason?.text)
        case .path(let peer, let kind, let roundTrip, let reason):
            self = .path(peer, kind, roundTrip: roundTrip, reason: reason?.text)
        case .contacts(let contacts): self = .contacts(contacts)
        case .notice(let text, let peer): self = .notice(text, about: peer)
        case .request(let peer, let name, let text, let invited):
            self = .request(peer, name: name, text: text, invited: invited)
        case .typing(let peer, let isTyping): self = .typing(peer, isTyping)
        case .active(let peer, let isActive): self = .active(peer, isActive)
        case .readHere(let peer, let id): self = .seen(peer, upTo: id)
        case .forgotten(let peer, let id): self = .forgotten(peer, id)
        case .setting(let setting, let isOn):
            guard let setting = ChatSetting(rawValue: setting.rawValue) else { return nil }
            self = .setting(setting, isOn)
        case .lookup, .invite: return nil
        }
    }
}

extension PeerEngine.IndexStatus {
    fileprivate var shown: ChatScreen.IndexStatus {
        switch self {
        case .connecting: .connecting
        case .ok(let roundTrip): .ok(milliseconds: roundTrip.milliseconds)
        case .unreachable(let reason): .unreachable(reason: reason)
        case .noIdentities: .noIdentities
        }
    }
}

extension ClientCommand {
    /// `nil` for an effect that is the terminal's.
    init?(_ effect: ChatEffect) {
        switch effect {
        case .send(let peer, let text): self = .send(to: peer, text: text, tag: nil)
        case .add(let peer, let name): self = .add(peer, name: name)
        case .rename(let peer, let name): self = .rename(peer, name)
        case .remove(let peer): self = .remove(peer)
        case .accept(let peer): self = .accept(peer)
        case .block(let peer): self = .block(peer)
        case .retry(let id): self = .retry(id)
        case .cancel(let id): self = .cancel(id)
        case .erase(let id, let peer): self = .erase(id, of: peer)
        case .forget(let peer): self = .forget(peer)
        case .renewInvite: self = .renewInvite
        case .ignore(let peer): self = .ignore(peer)
        case .verify(let peer, let isVerified): self = .verify(peer, isVerified)
        case .allowPlaintext(let peer, let isAllowed): self = .allowPlaintext(peer, isAllowed)
        case .set(let setting, let isOn):
            guard let setting = ClientSetting(rawValue: setting.rawValue) else { return nil }
            self = .set(setting, isOn)
        case .openConversation(let peer): self = .open(peer)
        case .markRead(let peer, let id): self = .read(peer, id)
        case .typing(let peer, let isTyping): self = .typing(peer, isTyping)
        case .active(let isActive): self = .active(isActive)
        case .keepDraft(let peer, let text): self = .draft(peer, text)
        case .addInvite, .load, .search, .quit, .bell, .suspend, .redraw, .copy, .setMouse: return nil
        }
    }
}
