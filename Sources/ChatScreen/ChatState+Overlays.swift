// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// Keys in front of requests, the invite and a verification.
extension ChatState {
    // MARK: Requests

    mutating func openRequests() {
        if requests.isEmpty {
            flash = Flash(text: "no requests", isError: false)
        } else {
            overlay = .requests(selected: 0)
        }
    }

    mutating func pressInRequests(_ key: Key, _ selected: Int) -> [ChatEffect] {
        let found = requests
        let last = max(0, found.count - 1)
        let place = min(selected, last)
        guard found.indices.contains(place) else {
            overlay = nil
            return []
        }
        let peer = found[place].peer
        switch key {
        case Key(.up), .control("p"): overlay = .requests(selected: max(0, place - 1))
        case Key(.down), .control("n"), Key(.tab): overlay = .requests(selected: min(last, place + 1))
        case Key(.home): overlay = .requests(selected: 0)
        case Key(.end): overlay = .requests(selected: last)
        case .char("a"):
            awaited = peer
            overlay = nil
            return [.accept(peer)]
        case .char("i"): return drop(peer, [.ignore(peer)])
        case .char("b"): return drop(peer, [.block(peer)])
        case Key(.enter):
            overlay = nil
            open(peer)
        case .char("q"): overlay = nil
        default: break
        }
        return []
    }

    /// Takes a stranger off the screen at once; the address book may bring it back.
    private mutating func drop(_ peer: PeerID, _ effects: [ChatEffect]) -> [ChatEffect] {
        if peer == current { leave() }
        conversations.removeAll { $0.peer == peer }
        if requests.isEmpty { overlay = nil }
        return effects
    }

    // MARK: Invite

    mutating func pressInInvite(_ key: Key, _ code: QRMatrix?) -> [ChatEffect] {
        guard let invite else {
            overlay = nil
            return []
        }
        switch key {
        case .char("y"): return copy(invite)
        case .char("v"):
            guard code == nil else {
                overlay = .invite(code: nil)
                return []
            }
            let code = QRMatrix(invite)
            if code == nil { flash = Flash(text: "the invite is too long for a QR code", isError: true) }
            overlay = .invite(code: code)
        default: overlay = nil
        }
        return []
    }

    // MARK: Verification

    mutating func pressInVerify(_ key: Key, _ peer: PeerID) -> [ChatEffect] {
        overlay = nil
        guard let index = index(of: peer), conversations[index].digits != nil else { return [] }
        switch key {
        case .char("y"): return [.verify(peer, true)]
        case .char("n"): return conversations[index].contact.verified ? [.verify(peer, false)] : []
        default: return []
        }
    }
}
