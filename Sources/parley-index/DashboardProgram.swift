// SPDX-License-Identifier: GPL-3.0-or-later
import CommandLineKit
import CursesScreen
import DashboardScreen
import Glibc
import IndexEngine
import Model
import Network
import Queues
import Reactor
import SafeText
import TerminalKit

/// The dashboard: snapshots and the terminal's events go into the screen's state, its effects come out.
@ScreenActor final class DashboardProgram {
    private let screen: CursesScreen
    private let source: SnapshotSource
    private let saves: String
    private var state: DashboardState
    private var interval: Duration
    private var isDirty = true
    private var lastDraw: UInt64 = 0
    private var lastAnswer = PollExecutor.now()
    private let ending = Alarm()
    /// Rung when a snapshot is wanted before its time.
    private let asking = Alarm()
    private var exitCode: Int32 = 0

    /// Pause between frames that nobody typed for.
    private static let frameInterval: UInt64 = 8_000_000
    /// How long a server may take before the display says so.
    private static let patience = 2

    /// - Parameters:
    ///   - interval: how often to ask, until the user chooses another one.
    ///   - saves: the directory for files that the user wants written.
    init(
        _ arguments: ScreenArguments, _ source: SnapshotSource, interval: Duration? = nil, saves: String
    ) throws(ProgramFailure) {
        do throws(ScreenError) {
            screen = try CursesScreen(ScreenOptions(noColor: arguments.noColor, ascii: arguments.ascii))
        } catch {
            throw ProgramFailure(.usage, "\(error)")
        }
        self.source = source
        self.saves = saves
        let now = Clocks.system.wall()
        state = DashboardState(
            role: source.role, size: screen.size, ascii: arguments.ascii, now: now, utcOffset: now.localOffset)
        self.interval = interval ?? Duration(state.refreshInterval)
    }

    /// Shows the dashboard until the user or a signal ends it.
    /// - Returns: the exit status.
    func run() async -> Int32 {
        start()
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.poll() }
            tasks.addTask { await self.tick() }
            await ending.sleep(for: nil)
            tasks.cancelAll()
        }
        ScreenActor.executor.onTurn {}
        screen.close()
        return exitCode
    }

    private func start() {
        screen.onEvent = { [unowned self] event in
            if event == .hangup { end(128 + SIGHUP) } else { apply(.terminal(event)) }
        }
        screen.onSignal = { [unowned self] number in end(128 + number) }
        ScreenActor.executor.onTurn { [unowned self] in ScreenActor.assumeIsolated { self.draw() } }
        for notice in screen.notices { apply(.notice(notice.string)) }
    }

    private func end(_ code: Int32) {
        exitCode = code
        ending.ring()
    }

    // MARK: Drawing

    /// Once a turn: at once after a key, else at most every `frameInterval`.
    private func draw() {
        guard isDirty else { return }
        let now = PollExecutor.now()
        guard now >= lastDraw + DashboardProgram.frameInterval else {
            ScreenActor.executor.setDeadline(lastDraw + DashboardProgram.frameInterval) {}
            return
        }
        isDirty = false
        lastDraw = now
        screen.draw(Dashboard.view(state, size: screen.size))
    }

    private func apply(_ event: DashboardEvent) {
        if case .terminal = event { lastDraw = 0 }
        isDirty = true
        for effect in Dashboard.update(&state, event) { carryOut(effect) }
    }

    private func carryOut(_ effect: DashboardEffect) {
        switch effect {
        case .quit, .detach: end(Status.ok.rawValue)
        case .requestRows, .requestDetail: asking.ring()
        case .setInterval(let span):
            interval = Duration(span)
            asking.ring()
        case .save(let name, let text, let masked):
            apply(.notice(save(text, as: name, holding: masked ? "masked addresses" : "whole addresses")))
        case .copy(let text): screen.copyToClipboard(text)
        case .redraw: screen.redraw()
        case .suspend: screen.suspend()
        case .setMouse(let on): screen.setMouse(on)
        }
    }

    /// - Returns: what became of it, for the user.
    private func save(_ text: String, as name: String, holding addresses: String) -> String {
        let path = saves + "/" + name
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return "\(path) can't be written: \(String(cString: strerror(errno)))" }
        defer { close(file) }
        return writeAll(Array((text + "\n").utf8), to: file) ? "saved with \(addresses) as \(path)" : "\(path) is cut short: no room?"
    }

    // MARK: The server

    /// Asks at the interval, and at once when the rows wanted are others.
    private func poll() async {
        while !Task.isCancelled {
            if let snapshot = await source.snapshot(for: state.request) {
                lastAnswer = PollExecutor.now()
                apply(.snapshot(snapshot))
            }
            await asking.sleep(for: interval)
        }
    }

    /// The clock, and how long nobody has answered.
    private func tick() async {
        while !Task.isCancelled {
            let now = Clocks.system.wall()
            apply(.clock(now, utcOffset: now.localOffset))
            let silence = Int((PollExecutor.now() - lastAnswer) / 1_000_000_000)
            if silence >= DashboardProgram.patience + Int(interval.components.seconds) {
                apply(.disconnected(seconds: silence))
            }
            try? await Task.sleep(for: .milliseconds(1000 - now.milliseconds % 1000))
        }
    }
}

extension Duration {
    fileprivate init(_ span: Span) { self = .nanoseconds(Int64(clamping: span.nanoseconds)) }
}
