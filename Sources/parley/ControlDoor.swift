// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Model
import Network
import PeerEngine
import Queues
import Reactor
import Scripting
import Wire

/// The running program's side of `<home>/control.sock`: lines of `parley pipe` in, answers and the states of messages
/// out.
actor ControlDoor {
    private struct Request: Sendable {
        let connection: LineConnection
        let line: [UInt8]
    }

    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let path: String
    private var listener: ControlListener?
    private var connections: [ObjectIdentifier: LineConnection] = [:]
    /// Requests in the order in which they came; a caller that is ahead of that gets an error.
    private nonisolated let requests = BoundedQueue<Request>(capacity: 1024)

    init(loop: PollExecutor, path: String) {
        self.loop = loop
        self.path = path
    }

    /// Listens, after doing what else belongs on the loop's thread. Without a door everything else works, so a failure
    /// is only told.
    func open(_ also: @Sendable () -> Void) {
        also()
        do throws(NetworkError) {
            let listener = try ControlListener(path: path, loop: loop)
            listener.onConnect = { [unowned self] connection in assumeIsolated { $0.greet(connection) } }
            self.listener = listener
        } catch {
            complain("'parley send' can't reach this program: \(error)")
        }
    }

    /// Stops listening, and does what else belongs on the loop's thread.
    func close(_ also: @Sendable () -> Void) {
        also()
        listener?.close()
        listener = nil
        connections = [:]
    }

    /// Answers requests until the task is cancelled.
    nonisolated func serve(_ client: Client) async {
        while let batch = await requests.next() {
            for request in batch {
                for line in await answer(request.line, client) { await send(line, to: request.connection) }
            }
        }
    }

    /// Tells every caller, in one piece; each knows its own messages by their tags.
    func broadcast(_ events: [ClientEvent]) {
        guard !connections.isEmpty else { return }
        let lines = events.compactMap { PipeEvent.line(for: $0) { _ in nil } }.map { $0.encoded(.invisible) }
        let bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
        for connection in connections.values { connection.send(bytes) }
    }

    private func send(_ line: JSONObject, to connection: LineConnection) {
        connection.send(line.encoded(.invisible))
    }

    private func greet(_ connection: LineConnection) {
        connections[ObjectIdentifier(connection)] = connection
        connection.onLine = { [unowned self, unowned connection] line in
            if requests.offer([Request(connection: connection, line: line)]) == 0 {
                connection.send(PipeError("Too many requests wait already.").line.encoded())
            }
        }
        connection.onClose = { [unowned self, unowned connection] in
            assumeIsolated {
                $0.connections[ObjectIdentifier(connection)] = nil
                $0.listener?.remove(connection)
            }
        }
    }

    private nonisolated func answer(_ line: [UInt8], _ client: Client) async -> [JSONObject] {
        let outcome = await PipeSession(client).handle(line)
        return outcome.quits ? [PipeError("Only its own user stops a program.", command: "quit").line] : outcome.lines
    }
}

/// Where sentences go that something wants to tell before the client exists.
final class NoticeBoard: Sendable {
    private let client = Lock<Client?>(nil)

    func connect(_ client: Client) { self.client.withLock { $0 = client } }

    func post(_ sentence: String) async {
        await client.withLock { $0 }?.tell(.notice(sentence, about: nil))
    }
}
