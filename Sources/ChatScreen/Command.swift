// SPDX-License-Identifier: GPL-3.0-or-later
import Model

/// What can be typed after a slash.
enum Command: String, CaseIterable, Sendable {
    case add, nick, go, peers, requests, accept, ignore, block, remove, close, invite, verify, why, retry, search
    case select, forget, set, plaintext, id, help, quit

    var usage: String {
        switch self {
        case .add: "/add INVITE [NAME]"
        case .nick: "/nick [PEER] NAME"
        case .go: "/go PEER"
        case .peers: "/peers"
        case .requests: "/requests"
        case .accept: "/accept [PEER]"
        case .ignore: "/ignore [PEER]"
        case .block: "/block [PEER]"
        case .remove: "/remove [PEER]"
        case .close: "/close"
        case .invite: "/invite [new]"
        case .verify: "/verify [PEER]"
        case .why: "/why [PEER]"
        case .retry: "/retry"
        case .search: "/search [TEXT]"
        case .select: "/select"
        case .forget: "/forget"
        case .set: "/set [SETTING on|off]"
        case .plaintext: "/plaintext PEER on|off"
        case .id: "/id"
        case .help: "/help"
        case .quit: "/quit"
        }
    }

    var summary: String {
        switch self {
        case .add: "add a peer by its invite or its UUID and open it"
        case .nick: "give a peer a name of your own"
        case .go: "open a conversation by name or number"
        case .peers: "list all peers with their UUIDs"
        case .requests: "list the strangers who want to talk"
        case .accept: "accept a request: its peer becomes a contact"
        case .ignore: "drop a request for now; it may come again later"
        case .block: "drop everything that a peer sends"
        case .remove: "take a peer out of the address book"
        case .close: "close this conversation; the contact stays"
        case .invite: "show your invite to give away; new revokes it"
        case .verify: "compare your keys' digits with a peer, by voice"
        case .why: "say how a peer is reached, what was tried and why"
        case .retry: "send what failed or waits here, now"
        case .search: "search all conversations; Ctrl+R: this one"
        case .select: "pick out a message: copy, quote, retry, delete"
        case .forget: "delete the texts of this conversation here, for good"
        case .set: "show or switch what others may learn of you"
        case .plaintext: "let a peer without a key be talked to in the open"
        case .id: "show your own UUID and address"
        case .help: "list keys and commands"
        case .quit: "leave"
        }
    }

    /// Whether its first argument names a peer.
    var takesPeer: Bool { [.nick, .go, .accept, .ignore, .block, .remove, .verify, .why, .plaintext].contains(self) }
    /// Whether it is about a stranger.
    var isAboutRequest: Bool { self == .accept || self == .ignore }
    /// Words that may follow it, if there are but a few.
    var choices: [String] {
        switch self {
        case .invite: ["new"]
        case .set: ChatSetting.allCases.flatMap { ["\($0.rawValue) on", "\($0.rawValue) off"] }
        default: []
        }
    }
    /// Whether it may be followed by anything.
    var takesArguments: Bool { takesPeer || [.add, .search].contains(self) || !choices.isEmpty }
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

    /// How an invite begins.
    static let invitePrefix = "parley:"

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
        } else if let invite = Self.invite(line) {
            self = .command(.add, arguments: [invite.word] + invite.rest)
        } else if line.first?.isWhitespace == true, Self.invite(line.drop(while: \.isWhitespace)) != nil {
            // The blank was the way to say that it is meant as text.
            self = .text(String(line.drop(while: \.isWhitespace)))
        } else {
            self = .text(line)
        }
    }

    /// The invite that a line begins with, and the words behind it.
    static func invite(_ line: some StringProtocol) -> (word: String, rest: [String])? {
        guard line.prefix(invitePrefix.count).lowercased() == invitePrefix, line.first?.isWhitespace == false else {
            return nil
        }
        let words = line.split { $0.isWhitespace }.map { String($0) }
        guard let word = words.first, word.count > invitePrefix.count else { return nil }
        return (word, Array(words.dropFirst()))
    }

    /// A text as one has to type it for it to be sent as it is.
    static func typed(_ text: String) -> String {
        if text.hasPrefix("/") { return "/" + text }
        return invite(text) == nil ? text : " " + text
    }
}
