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
        case .state(let id, _, _, let state, let reason): self = .messageState(id, state, reason: reason?.text)
        case .path(let peer, let kind, _, let reason): self = .path(peer, kind, reason: reason?.text)
        case .contacts(let contacts): self = .contacts(contacts)
        case .notice(let text, let peer): self = .notice(text, about: peer)
        case .lookup, .request, .typing, .active, .readHere, .forgotten, .invite, .setting: return nil
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
        case .quit, .bell, .suspend, .redraw, .copy, .setMouse: return nil
        }
    }
}
