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
    private var interval: Span
    private var isDirty = true
    private var lastDraw: UInt64 = 0
    private var lastAnswer = PollExecutor.now()
    private let ending = Alarm()
    private var isEnding = false
    /// When to ask again, in nanoseconds of the executor's clock; never while an answer is under way.
    private var nextQuestion = UInt64.max
    /// Whether somebody wanted an answer while another was under way.
    private var isImpatient = false
    private var sleeper: CheckedContinuation<Void, Never>?
    /// When the clock moves on.
    private var nextSecond: UInt64 = 0
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
        self.interval = interval.map { Span($0) } ?? state.refreshInterval
    }

    /// Shows the dashboard until the user or a signal ends it.
    /// - Returns: the exit status.
    func run() async -> Int32 {
        start()
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.poll() }
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
        ScreenActor.executor.onTurn { [unowned self] in ScreenActor.assumeIsolated { self.turn() } }
        for notice in screen.notices { apply(.notice(notice.string)) }
    }

    private func end(_ code: Int32) {
        exitCode = code
        isEnding = true
        ask()
        ending.ring()
    }

    /// What became due. The executor's one deadline stands for the clock, the next question and the next frame, so a
    /// refresh wakes nothing but the executor's own thread.
    private func turn() {
        let now = PollExecutor.now()
        if now >= nextSecond { tick(now) }
        if now >= nextQuestion { ask() }
        draw(now)
        let nextFrame = isDirty ? lastDraw + DashboardProgram.frameInterval : .max
        ScreenActor.executor.setDeadline(min(nextSecond, nextQuestion, nextFrame)) {}
    }

    // MARK: Drawing

    /// Once a turn: at once after a key, else at most every `frameInterval`.
    private func draw(_ now: UInt64) {
        guard isDirty, now >= lastDraw + DashboardProgram.frameInterval else { return }
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
        case .requestRows, .requestDetail: ask()
        case .setInterval(let span):
            interval = span
            ask()
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
        guard file >= 0 else { return "\(path) can't be written: \(systemReason(errno))" }
        defer { close(file) }
        return writeAll(Array((text + "\n").utf8), to: file)
            ? "saved with \(addresses) as \(path)" : "\(path) is cut short: no room?"
    }

    // MARK: The server

    /// Asks at the interval, and at once when the rows wanted are others.
    private func poll() async {
        while !isEnding {
            nextQuestion = .max
            if let snapshot = await source.snapshot(for: state.request) {
                lastAnswer = PollExecutor.now()
                apply(.snapshot(snapshot))
            }
            nextQuestion = (Instant(nanoseconds: PollExecutor.now()) + interval).nanoseconds
            await rest()
        }
    }

    /// Until `ask()`.
    private func rest() async {
        guard !isEnding, !isImpatient else {
            isImpatient = false
            return
        }
        await withCheckedContinuation { sleeper = $0 }
    }

    private func ask() {
        nextQuestion = .max
        guard let sleeper else {
            isImpatient = true
            return
        }
        self.sleeper = nil
        sleeper.resume()
    }

    /// The clock, and how long nobody has answered.
    private func tick(_ now: UInt64) {
        let wall = Clocks.system.wall()
        apply(.clock(wall, utcOffset: wall.localOffset))
        let silence = Int((now - lastAnswer) / 1_000_000_000)
        if silence >= DashboardProgram.patience + interval.wholeSeconds {
            apply(.disconnected(seconds: silence))
        }
        nextSecond = now + UInt64(1000 - wall.milliseconds % 1000) * 1_000_000
    }
}

extension Span {
    /// The same; a negative length is none.
    fileprivate init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let whole = Instant(nanoseconds: UInt64(max(0, attoseconds / 1_000_000_000)))
        self.init(nanoseconds: (whole + .seconds(Int(clamping: seconds))).nanoseconds)
    }
}
