// SPDX-License-Identifier: GPL-3.0-or-later
public import Identity
public import Model
public import PeerEngine
public import Wire

/// One line of standard input of `parley pipe`, or of the control socket.
public enum PipeCommand: Equatable, Sendable {
    /// Something for the client; a peer is still as the user wrote it, a UUID or a contact's name.
    case client(Action, peer: String)
    /// A contact by its invite.
    case addInvite(Invite, name: String?)
    case retry(MessageID)
    case cancel(MessageID)
    case peers
    /// Who this is, and the invite to give away.
    case id
    /// How a peer is reached, what was tried and why; the peer is still as the user wrote it.
    case why(peer: String)
    /// What the user lets contacts know or do.
    case set(ChatSetting, Bool)
    case quit

    /// What is to be done with a peer.
    public enum Action: Equatable, Sendable {
        case add(name: String?)
        case send(text: String, tag: String?)
        case accept, block, remove
        case read(MessageID)
    }
}

/// Why a line was refused: the sentence, and what the line said it was.
public struct PipeError: Error, Equatable, Sendable {
    public var message: String
    public var command: String?
    public var tag: String?

    public init(_ message: String, command: String? = nil, tag: String? = nil) {
        self.message = message
        self.command = command
        self.tag = tag
    }

    /// The `error` event.
    public var line: JSONObject {
        var object: JSONObject = ["event": "error", "message": .string(message)]
        object["command"] = command.map { .string($0) }
        object["tag"] = tag.map { .string($0) }
        return object
    }
}

extension PipeCommand {
    /// Bytes of a name at most.
    private static let nameLimit = 256

    /// Reads one line. Unknown members are ignored.
    public init(parsing line: [UInt8]) throws(PipeError) {
        let object: JSONObject
        do throws(WireError) { object = try JSONObject(parsing: line) } catch {
            throw PipeError("The line was not understood. \(error)")
        }
        guard let command = object.string("command") else { throw PipeError("The line names no 'command'.") }
        let fields = Fields(object: object, command: command)
        switch command {
        case "add":
            let name = try fields.optionalText("name")
            guard name.map({ !$0.isEmpty && $0.utf8.count <= PipeCommand.nameLimit }) ?? true else {
                throw fields.refused("A name has 1 to \(PipeCommand.nameLimit) bytes.")
            }
            let peer = try fields.text("peer")
            self = try fields.invite(peer).map { .addInvite($0, name: name) } ?? .client(.add(name: name), peer: peer)
        case "send":
            let action = Action.send(text: try fields.text("text"), tag: try fields.optionalText("tag"))
            self = .client(action, peer: try fields.text("to"))
        case "accept": self = .client(.accept, peer: try fields.text("peer"))
        case "block": self = .client(.block, peer: try fields.text("peer"))
        case "remove": self = .client(.remove, peer: try fields.text("peer"))
        case "read": self = .client(.read(try fields.messageID()), peer: try fields.text("peer"))
        case "retry": self = .retry(try fields.messageID())
        case "cancel": self = .cancel(try fields.messageID())
        case "peers": self = .peers
        case "id": self = .id
        case "why": self = .why(peer: try fields.text("peer"))
        case "set": self = .set(try fields.setting(), try fields.flag("on"))
        case "quit": self = .quit
        default: throw fields.refused("There is no command '\(command)'.")
        }
    }

    /// The members of one line, and how to complain about them.
    private struct Fields {
        let object: JSONObject
        let command: String

        func refused(_ message: String) -> PipeError {
            PipeError(message, command: command, tag: object.string("tag"))
        }

        func text(_ name: String) throws(PipeError) -> String {
            guard let text = object.string(name) else { throw refused("'\(command)' needs the text member '\(name)'.") }
            return text
        }

        func optionalText(_ name: String) throws(PipeError) -> String? {
            switch object[name] {
            case nil, .null?: nil
            case .string(let text)?: text
            default: throw refused("The member '\(name)' is no text.")
            }
        }

        /// `nil` for what is no invite; one that is broken is refused.
        func invite(_ text: String) throws(PipeError) -> Invite? {
            do throws(InviteError) { return try Invite(text) } catch {
                if case .notAnInvite = error { return nil }
                throw refused("The contact was not added: \(error).")
            }
        }

        func flag(_ name: String) throws(PipeError) -> Bool {
            guard let flag = object.bool(name) else { throw refused("'\(command)' needs '\(name)', true or false.") }
            return flag
        }

        func setting() throws(PipeError) -> ChatSetting {
            if let setting = ChatSetting(rawValue: try text("setting")) { return setting }
            let names = ChatSetting.allCases.map(\.rawValue).joined(separator: ", ")
            throw refused("The member 'setting' is none of \(names).")
        }

        func messageID() throws(PipeError) -> MessageID {
            guard let id = MessageID(try text("id")) else { throw refused("The member 'id' is no message ID.") }
            return id
        }
    }
}

extension PipeCommand.Action {
    /// The client's command for a peer that is known by now.
    public func command(for peer: PeerID) -> ClientCommand {
        switch self {
        case .add(let name): .add(peer, name: name)
        case .send(let text, let tag): .send(to: peer, text: text, tag: tag)
        case .accept: .accept(peer)
        case .block: .block(peer)
        case .remove: .remove(peer)
        case .read(let id): .read(peer, id)
        }
    }

    /// The command's name on the line.
    public var name: String {
        switch self {
        case .add: "add"
        case .send: "send"
        case .accept: "accept"
        case .block: "block"
        case .remove: "remove"
        case .read: "read"
        }
    }

    /// The tag of a `send`.
    public var tag: String? { if case .send(_, let tag) = self { tag } else { nil } }
}
