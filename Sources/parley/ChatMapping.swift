// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import Identity
import Model
import PeerEngine

// What the client says, as the screen knows it, and what the screen wants, as the client knows it: neither knows the
// other.

extension ChatEvent {
    /// `nil` for what no screen shows.
    init?(_ event: ClientEvent) {
        switch event {
        case .index(let server, let status): self = .index(server: server, status)
        case .message(let message): self = .message(message)
        case .state(let id, _, let peer, let state, let reason):
            self = .messageState(id, to: peer, state, reason: reason?.text)
        case .path(let peer, let kind, let roundTrip, let reason):
            self = .path(peer, kind, roundTrip: roundTrip, reason: reason?.text)
        case .contacts(let contacts): self = .contacts(contacts)
        case .request(let peer, let name, let text, let invited):
            self = .request(peer, name: name, text: text, invited: invited)
        case .typing(let peer, let on): self = .typing(peer, on)
        case .active(let peer, let on): self = .active(peer, on)
        case .readHere(let peer, let id): self = .seen(peer, upTo: id)
        case .forgotten(let peer, let id): self = .forgotten(peer, id)
        case .invite(let invite): self = .invite(invite.text)
        case .setting(let setting, let on): self = .setting(setting, on)
        case .notice(let text, let peer): self = .notice(text, about: peer)
        case .ladder(let peer, let steps): self = .ladder(peer, steps)
        case .reachability(let reachability): self = .reach(reachability.shown)
        case .lookup, .indexNamed: return nil
        }
    }
}

extension Reachability {
    fileprivate var shown: OwnReach {
        OwnReach(
            router: mapping.shown, seen: seen.map(\.endpoint), mapped: mapped, mappedBy: mappedBy,
            mappingFailures: mappingFailures, relays: relays, isUDPBlocked: udpBlocked, passing: passing.shown)
    }
}

extension Reachability.Passing {
    fileprivate var shown: OwnReach.Passing? {
        switch self {
        case .off: nil
        case .withheld(let reason): .withheld(reason)
        case .offered(let pairs): .offered(pairs: pairs)
        }
    }
}

extension Reachability.Mapping {
    fileprivate var shown: OwnReach.Router {
        switch self {
        case .unknown: .unknown
        case .none: .none
        case .endpointIndependent: .friendly
        case .destinationDependent: .strict
        }
    }
}

extension ClientCommand {
    /// `nil` for an effect that is the terminal's or the history's.
    /// - Throws: for a text that should be an invite and is none.
    init?(_ effect: ChatEffect) throws(InviteError) {
        switch effect {
        case .send(let peer, let text): self = .send(to: peer, text: text, tag: nil)
        case .retry(let id): self = .retry(id)
        case .cancel(let id): self = .cancel(id)
        case .erase(let id, let peer): self = .erase(id, of: peer)
        case .forget(let peer): self = .forget(peer)
        case .add(let peer, let name): self = .add(peer, name: name)
        case .addInvite(let text, let name): self = .addInvite(try Invite(text), name: name)
        case .renewInvite: self = .renewInvite
        case .rename(let peer, let name): self = .rename(peer, name)
        case .remove(let peer): self = .remove(peer)
        case .accept(let peer): self = .accept(peer)
        case .ignore(let peer): self = .ignore(peer)
        case .block(let peer): self = .block(peer)
        case .verify(let peer, let on): self = .verify(peer, on)
        case .allowPlaintext(let peer, let on): self = .allowPlaintext(peer, on)
        case .set(let setting, let on): self = .set(setting, on)
        case .openConversation(let peer): self = .open(peer)
        case .markRead(let peer, let id): self = .read(peer, id)
        case .typing(let peer, let on): self = .typing(peer, on)
        case .active(let on): self = .active(on)
        case .keepDraft(let peer, let text): self = .draft(peer, text)
        case .explain(let peer): self = .explain(peer)
        case .load, .search, .quit, .bell, .suspend, .redraw, .copy, .setMouse, .endHint: return nil
        }
    }
}

extension ChatEvent {
    /// What an effect that was carried out has added; `nil` for any that adds nobody.
    static func added(by effect: ChatEffect) -> ChatEvent? {
        switch effect {
        case .add(let peer, let name): .added(peer, name: name)
        case .addInvite(let text, let name): (try? Invite(text)).map { .added($0.key.peer, name: name) }
        default: nil
        }
    }
}

extension SavedState {
    /// What was switched on and off when the last run ended.
    var settings: [ChatEvent] { ChatSetting.allCases.map { .setting($0, !switchedOff.contains($0)) } }
}

/// The digits of keys, each told once: a screen knows no keys.
struct ToldDigits {
    private var told: Set<PeerID> = []

    /// What is news of a contact list.
    mutating func news(of contacts: [Contact]) -> [ChatEvent] {
        contacts.compactMap { contact in
            guard let key = contact.key.flatMap({ PeerKey(octets: $0) }), told.insert(contact.peer).inserted else {
                return nil
            }
            return .digits(contact.peer, key.digits)
        }
    }
}

extension Client {
    /// Does what a screen wants of the client.
    /// - Returns: one sentence when it could not be done.
    func carryOut(_ effect: ChatEffect) async -> String? {
        let command: ClientCommand?
        do throws(InviteError) { command = try ClientCommand(effect) } catch { return "\(error)" }
        guard let command else { return nil }
        do throws(CommandError) { try await perform(command) } catch { return "\(error)" }
        return nil
    }
}
