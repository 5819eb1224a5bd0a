// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import IndexEngine
import IndexServer
import Model
import Queues
import Reactor

/// The server without a screen: a log line for each request.
struct HeadlessProgram: Sendable {
    private let server: IndexServer
    private let log: EventLog
    private let isQuiet: Bool
    private let ending = Alarm()

    /// - Parameter loop: for the log alone: whoever reads that may block it.
    init(_ settings: ServerSettings, isQuiet: Bool, log loop: PollExecutor) throws(ProgramFailure) {
        let log = EventLog(settings, to: STDOUT_FILENO, loop: loop)
        self.isQuiet = isQuiet
        let note: @Sendable (IndexEvent, Span) -> Void = { log.note($0, took: $1) }
        server = try openServer(settings, report: isQuiet ? nil : note)
        self.log = log
    }

    /// Serves until the task is cancelled.
    func run() async throws(ProgramFailure) -> Status {
        try await server.startOrExplain()
        await log.begin(server, store: "memory")
        await withTaskGroup(of: Void.self) { group in
            if !isQuiet { group.addTask { await log.run() } }
            await ending.sleep(for: nil)
            // The port and the socket first: they must be gone even if nobody reads the log any more.
            await server.stop()
            log.finish()
        }
        return .ok
    }
}
