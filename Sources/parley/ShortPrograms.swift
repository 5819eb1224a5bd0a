// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import Identity
import Model
import Network
import Queues
import Reactor
import SafeText
import Scripting
import Wire

/// `parley id`: who this home is. Only reads, but for a first start.
enum IDProgram {
    static func run(_ options: Options, json: Bool) throws(ProgramFailure) {
        let home = try options.homePath
        let identity: Identity
        do throws(IdentityFileError) {
            identity = try IdentityFile.loadOrCreate(home: home).identity
        } catch { throw ProgramFailure(.badIdentity, "\(error)") }
        let lines: String
        if json {
            let object: JSONObject = [
                "uuid": .string("\(identity.peer)"), "invite": .null, "key": .string(identity.key.hex),
                "digits": .string(identity.key.digits),
            ]
            lines = String(decoding: object.encoded(), as: UTF8.self)
        } else {
            lines = """
                ID      \(identity.peer)
                key     \(identity.key.hex)
                digits  \(identity.key.digits)
                """
        }
        writeAll(Array((lines + "\n").utf8), to: STDOUT_FILENO)
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

/// `parley log`: the messages of the run that is under way in this home, oldest first.
struct LogProgram: Sendable {
    let home: String
    let peer: String?
    let json: Bool
    let link: ControlLink

    func run() async throws(ProgramFailure) -> Status {
        guard await link.connect(Home.controlPath(home)) else {
            complain("No parley runs in \(home), and this version keeps no history beyond a run.")
            return .ok
        }
        var request: JSONObject = ["command": "log"]
        request["peer"] = peer.map { .string($0) }
        await link.send(request)
        while let lines = await link.next() {
            for line in lines {
                switch line.string("event") {
                case nil: put(line)
                case "end": return .ok
                case "error":
                    throw ProgramFailure(.noSuchPeer, line.string("message") ?? "The running parley refused.")
                default: continue
                }
            }
        }
        throw ProgramFailure(.failure, "The running parley ended before it had told everything.")
    }

    private func put(_ line: JSONObject) {
        guard !json else {
            writeAll(line.encoded(.invisible) + [UInt8(ascii: "\n")], to: STDOUT_FILENO)
            return
        }
        let who = line.string("direction") == "in" ? String((line.string("peer") ?? "").prefix(8)) : "me"
        let text = (line.string("text") ?? "").split(separator: "\n", omittingEmptySubsequences: false)
            .map { DisplayText($0).string }.joined(separator: "\n    ")
        let time = DisplayText(line.string("received") ?? "")
        writeAll(Array("\(time) \(DisplayText(who)) \(text)\n".utf8), to: STDOUT_FILENO)
    }
}
