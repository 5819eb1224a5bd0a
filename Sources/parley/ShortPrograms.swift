// SPDX-License-Identifier: GPL-3.0-or-later
import ChatStore
import CommandLineKit
import Glibc
import Identity
import Model
import Network
import PeerEngine
import Queues
import Reactor
import SafeText
import Scripting
import Wire

/// `parley id`: who this home is. Only reads, but for what a first start makes.
struct IDProgram: NetworkProgram {
    /// How long the program that holds the home may take to answer.
    private static let patience = Duration.seconds(2)

    let options: Options
    let json: Bool
    let link: ControlLink

    func run() async throws(ProgramFailure) -> Status {
        let home = try options.homePath
        let identity = try openIdentity(home, options.passphrase)
        let invite = try await invite(of: identity, home)
        if invite.indexes.isEmpty, !json {
            complain(
                "The invite names no index server, so a friend can find you only on the same network. Name yours, as in "
                    + "'parley id --index HOST:PORT'.")
        }
        put(identity, invite.text)
        return .ok
    }

    private func put(_ identity: Identity, _ invite: String) {
        let lines: String
        if json {
            let object: JSONObject = [
                "uuid": .string("\(identity.peer)"), "invite": .string(invite), "key": .string(identity.key.hex),
                "digits": .string(identity.key.digits),
            ]
            lines = String(decoding: object.encoded(), as: UTF8.self)
        } else {
            lines = """
                ID      \(identity.peer)
                key     \(identity.key.hex)
                digits  \(identity.key.digits)
                invite  \(invite)
                """
        }
        writeAll(Array((lines + "\n").utf8), to: STDOUT_FILENO)
    }

    /// That of the running program, which knows the servers it was told of, unless others are named here.
    private func invite(of identity: Identity, _ home: String) async throws(ProgramFailure) -> Invite {
        if options.index.isEmpty, let invite = await runningInvite(home), invite.key == identity.key { return invite }
        let hints = options.namedServers
        do throws(StoreError) {
            let path = Home.storePath(home)
            if let secret = try ChatStore(readingOnly: path).load().inviteSecret {
                return Invite(key: identity.key, secret: secret, indexes: hints)
            }
            var random = RandomSource.system
            let secret = random.octets(Invite.secretSize)
            try ChatStore(path: path).commitNow([.inviteSecret(secret)])
            return Invite(key: identity.key, secret: secret, indexes: hints)
        } catch { throw ProgramFailure(.failure, "\(error)") }
    }
}

extension IDProgram {
    /// What the program that holds the home gives away; `nil` when there is none, or it does not say so soon.
    private func runningInvite(_ home: String) async -> Invite? {
        guard await link.connect(Home.controlPath(home)) else { return nil }
        await link.send(["command": "id"])
        return await withTaskGroup(of: Invite?.self) { group in
            group.addTask {
                while let lines = await link.next() {
                    for line in lines {
                        switch line.string("event") {
                        case "id": return line.string("invite").flatMap { try? Invite($0) }
                        case "error": return nil
                        default: continue
                        }
                    }
                }
                return nil
            }
            group.addTask {
                try? await Task.sleep(for: IDProgram.patience)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}

/// Talks with the program that holds the home, line by line.
actor ControlLink {
    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private var connection: LineConnection?
    private nonisolated let received = BoundedQueue<[UInt8]>(capacity: 65_536)

    init(loop: PollExecutor) { self.loop = loop }

    /// - Returns: whether a program answers there.
    func connect(_ path: String) -> Bool {
        guard let connection = try? ControlSocket.connect(to: path, loop: loop) else { return false }
        connection.onLine = { [received] in received.offer([$0]) }
        connection.onClose = { [received] in received.finish() }
        self.connection = connection
        return true
    }

    func send(_ object: JSONObject) { connection?.send(object.encoded(.invisible)) }

    /// The next lines; `nil` when the program is gone.
    nonisolated func next() async -> [JSONObject]? {
        await received.next()?.compactMap { try? JSONObject(parsing: $0) }
    }
}

/// `parley log`: the history on disk, oldest first. Only reads, so it works beside a running program.
struct LogProgram {
    private static let page = 1000

    let home: String
    let peer: String?
    let json: Bool

    func run() throws(ProgramFailure) {
        do throws(StoreError) {
            let store = try ChatStore(readingOnly: Home.storePath(home))
            let contacts = ContactBook(try store.load().contacts)
            let wanted = try peer.map { (text) throws(StoreError) in try resolve(text, contacts) }
            var last: Int64 = 0
            while true {
                let page = try store.messages(with: wanted, after: last, limit: LogProgram.page)
                guard let end = page.last?.sequence else { return }
                guard put(page.map(\.message), contacts) else { return }
                last = end
            }
        } catch { throw ProgramFailure(error.mayPass ? .failure : .noSuchPeer, "\(error)") }
    }

    private func resolve(_ text: String, _ contacts: ContactBook) throws(StoreError) -> PeerID {
        do throws(UnclearPeer) { return try contacts.resolve(text) } catch {
            throw StoreError("\(error)", mayPass: false)
        }
    }

    /// - Returns: false when nobody reads any more.
    private func put(_ messages: [Message], _ contacts: ContactBook) -> Bool {
        var bytes: [UInt8] = []
        for message in messages {
            bytes += json ? PipeEvent.logLine(message).encoded(.invisible) : Array(line(message, contacts).utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        return writeAll(bytes, to: STDOUT_FILENO)
    }

    private func line(_ message: Message, _ contacts: ContactBook) -> String {
        let who = message.direction == .incoming ? contacts[message.peer]?.label ?? message.peer.shortDigits : "me"
        let text = message.text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { DisplayText($0).string }.joined(separator: "\n    ")
        return "\(message.received.rfc3339) \(DisplayText(who)) \(text)"
    }
}
