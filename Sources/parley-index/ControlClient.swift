// SPDX-License-Identifier: GPL-3.0-or-later
import IndexEngine
import Network
import Reactor
import Wire

/// A visitor at a running server's control socket: one question at a time, on a connection that is made anew when lost.
actor ControlClient {
    private nonisolated let loop: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let path: String
    private var connection: LineConnection?
    private var waiting: CheckedContinuation<[UInt8]?, Never>?

    init(path: String, loop: PollExecutor) {
        self.path = path
        self.loop = loop
    }

    /// Asks for a snapshot, and waits for it until the connection or the task ends.
    /// - Returns: `nil` when no server answers there, or none that this program understands.
    func snapshot(for request: SnapshotRequest) async -> IndexSnapshot? {
        let question: JSONObject = ["snapshot": .object(request.json)]
        guard let line = await ask(question.encoded()), let object = try? JSONObject(parsing: line) else { return nil }
        return try? IndexSnapshot(json: object)
    }

    private func ask(_ question: [UInt8]) async -> [UInt8]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled, waiting == nil, let connection = connected() else {
                    return continuation.resume(returning: nil)
                }
                waiting = continuation
                connection.send(question)
            }
        } onCancel: {
            Task { await self.hangUp() }
        }
    }

    private func connected() -> LineConnection? {
        if let connection { return connection }
        guard let new = try? ControlSocket.connect(to: path, loop: loop) else { return nil }
        new.onLine = { [weak self] line in self?.assumeIsolated { $0.answer(line) } }
        new.onClose = { [weak self] in self?.assumeIsolated { $0.hangUp() } }
        connection = new
        return new
    }

    private func hangUp() {
        connection?.close()
        connection = nil
        answer(nil)
    }

    private func answer(_ line: [UInt8]?) {
        let continuation = waiting
        waiting = nil
        continuation?.resume(returning: line)
    }
}

extension ControlClient {
    /// A snapshot; `nil` when none comes in time.
    func firstSnapshot(within patience: Duration) async -> IndexSnapshot? {
        await withTaskGroup(of: IndexSnapshot?.self) { group in
            group.addTask { await self.snapshot(for: SnapshotRequest()) }
            group.addTask {
                try? await Task.sleep(for: patience)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
