// SPDX-License-Identifier: GPL-3.0-or-later
import Model
import TerminalKit

/// Something in front of the log that takes the keys.
enum Overlay: Equatable, Sendable {
    case help(top: Int)
    case peers(top: Int)
    case identity
    case switcher(query: LineEditor, selected: Int)
    case requests(selected: Int)
    /// The user's own invite; as a QR code once asked for.
    case invite(code: QRMatrix?)
    case verify(PeerID)
    case info(PeerID, MessageKey)
    /// How a peer is reached, and what was tried.
    case why(PeerID, top: Int)
    case settings
    case search(SearchBox)
}

/// A search being typed, and what was found.
struct SearchBox: Equatable, Sendable {
    /// The most hits kept.
    static let hitLimit = 500

    var query = LineEditor()
    /// The conversation that is searched; `nil` for all.
    var peer: PeerID?
    /// What was last asked, so that nothing is asked twice.
    var asked: Question?
    var token = 0
    var hits: [SearchHit] = []
    var hasMore = false
    var isAnswered = false
    var selected = 0

    init(in peer: PeerID? = nil) { self.peer = peer }

    struct Question: Equatable, Sendable {
        var text: String
        var peer: PeerID?
    }

    /// What the query asks for, blanks around it aside; `nil` when nothing.
    var question: Question? {
        let words = query.text.split(whereSeparator: \.isWhitespace)
        return words.isEmpty ? nil : Question(text: words.joined(separator: " "), peer: peer)
    }
}

/// A message picked out with Alt+S.
struct Selection: Equatable, Sendable {
    var peer: PeerID
    var key: MessageKey
    /// `x` was pressed once.
    var isErasing = false
}
