// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import Glibc
import IndexEngine
import IndexServer
import Model
import Queues
import Reactor

/// The server without a screen: a log line for each request, and a service manager that is told how it does.
struct HeadlessProgram: Sendable {
    private let server: IndexServer
    private let log: EventLog
    private let isQuiet: Bool
    private let settings: Lock<ServerSettings>
    private let readSettings: @Sendable () throws -> ServerSettings.Resolution
    private let manager = ServiceNotifier()
    /// Whether the service manager was told of the start.
    private let isServing = Lock(false)
    private let ending = Alarm()

    /// - Parameters:
    ///   - read: reads the settings anew, for a reload.
    ///   - loop: for the log alone: whoever reads that may block it.
    init(
        _ settings: ServerSettings, read: @escaping @Sendable () throws -> ServerSettings.Resolution, isQuiet: Bool,
        log loop: PollExecutor
    ) throws(ProgramFailure) {
        let log = EventLog(settings, to: STDOUT_FILENO, loop: loop)
        let note: @Sendable (IndexEvent, Span) -> Void = { log.note($0, took: $1) }
        server = try openServer(settings, report: isQuiet ? nil : note) { log.say(.warn, "notice", $0) }
        self.log = log
        self.isQuiet = isQuiet
        self.settings = Lock(settings)
        readSettings = read
    }

    /// Serves until the task is cancelled.
    func run() async throws(ProgramFailure) -> Status {
        try await server.startOrExplain()
        await log.begin(server, store: settings.withLock { $0.store.rawValue })
        isServing.withLock { $0 = true }
        manager?.ready(status)
        // A task of its own: the cancellation that ends the server must not end the log before all of the end is told.
        let writing = isQuiet ? nil : Task { await log.run() }
        await withTaskGroup(of: Void.self) { group in
            if let manager, let patience = manager.watchdog { group.addTask { await feed(manager, patience) } }
            await ending.sleep(for: nil)
            manager?.stopping()
            // The port and the socket first: they must be gone even if nobody reads the log any more.
            await server.stop()
            group.cancelAll()
        }
        log.finish()
        await writing?.value
        return .ok
    }

    private var status: String { "listening on \(server.local)" }

    /// Tells the watchdog that every loop had its turn; silence makes the service manager start the server anew.
    private func feed(_ manager: ServiceNotifier, _ patience: Duration) async {
        while !Task.isCancelled {
            if await server.isHealthy() { manager.alive() }
            try? await Task.sleep(for: patience / 2)
        }
    }

    /// Reads the settings anew and takes what a running server can. What is wrong in them changes nothing.
    func reload() {
        // Before the start is over, the manager would take the end of a reload for that of the start.
        let manager = isServing.withLock { $0 } ? manager : nil
        manager?.reloading()
        defer { manager?.ready(status) }
        let resolution: ServerSettings.Resolution
        do { resolution = try readSettings() } catch {
            let reason = (error as? ProgramFailure)?.message ?? "\(error)"
            return log.say(.error, "reload", "the settings were not read again: \(reason)")
        }
        resolution.warnings.forEach { log.say(.warn, "reload", $0) }
        guard resolution.faults.isEmpty else {
            resolution.faults.forEach { log.say(.error, "reload", $0) }
            return log.say(.error, "reload", "nothing was changed")
        }
        let changes = settings.withLock { settings in
            let changes = settings.changes(to: resolution.settings)
            settings = changes.settings
            return changes
        }
        server.reconfigure(changes.settings.limits)
        server.reconfigure(relay: changes.settings.relayLimits)
        log.follow(changes.settings)
        for change in changes.applied { log.say(.info, "reload", "in force: \(change)") }
        for change in changes.needsRestart { log.say(.warn, "reload", "needs a restart: \(change)") }
        if changes.applied.isEmpty, changes.needsRestart.isEmpty { log.say(.info, "reload", "nothing is different") }
    }
}
