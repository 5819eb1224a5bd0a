// SPDX-License-Identifier: GPL-3.0-or-later

/// What can be typed after a slash.
enum Command: String, CaseIterable, Sendable {
    case add, nick, go, peers, accept, block, remove, close, id, help, quit

    var usage: String {
        switch self {
        case .add: "/add UUID [NAME]"
        case .nick: "/nick [PEER] NAME"
        case .go: "/go PEER"
        case .peers: "/peers"
        case .accept: "/accept [PEER]"
        case .block: "/block [PEER]"
        case .remove: "/remove [PEER]"
        case .close: "/close"
        case .id: "/id"
        case .help: "/help"
        case .quit: "/quit"
        }
    }

    var summary: String {
        switch self {
        case .add: "add a peer by its UUID and open it"
        case .nick: "give a peer a name of your own"
        case .go: "open a conversation by name or number"
        case .peers: "list all peers with their UUIDs"
        case .accept: "accept a request: its peer becomes a contact"
        case .block: "drop everything that a peer sends"
        case .remove: "take a peer out of the address book"
        case .close: "close this conversation; the contact stays"
        case .id: "show your own UUID and address"
        case .help: "list keys and commands"
        case .quit: "leave"
        }
    }

    /// Whether its first argument names a peer.
    var takesPeer: Bool { [.nick, .go, .accept, .block, .remove].contains(self) }
    /// Whether it may be followed by anything.
    var takesArguments: Bool { takesPeer || self == .add }
}

/// A line of input, understood.
enum InputLine: Equatable {
    case blank
    /// To be sent as it stands.
    case text(String)
    case command(Command, arguments: [String])
    /// A slash and a word that is no command: never sent.
    case unknown(String)
    /// A command behind blanks: perhaps meant as a command, perhaps as text.
    case doubtful

    init(_ line: String) {
        guard line.contains(where: { !$0.isWhitespace }) else {
            self = .blank
            return
        }
        if line.hasPrefix("//") {
            self = .text(String(line.dropFirst()))
        } else if line.hasPrefix("/") {
            let words = line.dropFirst().split(whereSeparator: \.isWhitespace).map(String.init)
            let word = line.dropFirst().first?.isWhitespace == false ? words.first ?? "" : ""
            self =
                Command(rawValue: word.lowercased()).map { .command($0, arguments: Array(words.dropFirst())) }
                ?? .unknown(word)
        } else if line.first?.isWhitespace == true, line.drop(while: \.isWhitespace).hasPrefix("/") {
            self = .doubtful
        } else {
            self = .text(line)
        }
    }
}
