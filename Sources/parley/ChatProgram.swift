// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import CommandLineKit
import CursesScreen
import Glibc
import Model
import Network
import PeerEngine
import Queues
import Reactor
import SafeText
import TerminalKit
import Wire

/// The chat: the client's events and the terminal's go into the screen's state, its effects come out.
@ScreenActor final class ChatProgram {
    private let screen: CursesScreen
    private let host: PeerHost
    private var state: ChatState
    private var isDirty = true
    private var lastDraw: UInt64 = 0
    /// Effects that the client carries out, in the order in which the user wanted them.
    private let wishes = BoundedQueue<ChatEffect>(capacity: 1024)
    private let ending = Alarm()
    private var exitCode: Int32 = 0

    /// Events since the last frame.
    private var undrawn = 0

    /// Pause between frames that nobody typed for: what arrives meanwhile is drawn together. A flood, which nobody can
    /// read anyway, leaves more of the time to the keys.
    private var frameInterval: UInt64 { undrawn > ChatProgram.flood ? 24_000_000 : 8_000_000 }
    private static let flood = 32

    init(_ options: Options, host: PeerHost) throws(ProgramFailure) {
        do throws(ScreenError) {
            screen = try CursesScreen(ScreenOptions(noColor: options.screen.noColor, ascii: options.screen.ascii))
        } catch {
            throw ProgramFailure(.usage, "\(error) Without one, use 'parley pipe' or 'parley send'.")
        }
        self.host = host
        state = ChatState(me: host.client.me, name: options.ownName, options: ChatOptions(ascii: options.screen.ascii))
    }

    /// Shows the chat until the user or a signal ends it.
    /// - Returns: the exit status.
    func run() async -> Int32 {
        start()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.display() }
            await host.run { [self] in
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { await self.fulfil() }
                    tasks.addTask { await self.tick() }
                    await ending.sleep(for: nil)
                    tasks.cancelAll()
                }
            }
            await group.waitForAll()
        }
        // The loop outlives this object.
        ScreenActor.executor.onTurn {}
        ScreenActor.executor.setDeadline(nil) {}
        screen.close()
        return exitCode
    }

    private func start() {
        screen.onEvent = { [unowned self] event in
            guard event != .hangup else { return end(128 + SIGHUP) }
            apply(.terminal(event))
        }
        screen.onSignal = { [unowned self] number in end(128 + number) }
        ScreenActor.executor.onTurn { [unowned self] in ScreenActor.assumeIsolated { self.draw() } }
        apply(.terminal(.resize(screen.size)))
        for notice in screen.notices { apply(.notice(notice.string, about: nil)) }
        tellTime()
        apply(.listening(host.port.local))
        // The list as saved is on the screen before the network has said anything.
        apply(.contacts(host.contacts))
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
        guard now >= lastDraw + frameInterval else {
            ScreenActor.executor.setDeadline(lastDraw + frameInterval) {}
            return
        }
        isDirty = false
        undrawn = 0
        lastDraw = now
        screen.draw(view(state, size: screen.size))
    }

    private func apply(_ event: ChatEvent) {
        if case .terminal = event { lastDraw = 0 }
        isDirty = true
        undrawn += 1
        for effect in update(&state, event) { carryOut(effect) }
    }

    private func carryOut(_ effect: ChatEffect) {
        switch effect {
        case .quit: end(0)
        case .bell: screen.bell()
        case .suspend: screen.suspend()
        case .redraw: screen.redraw()
        case .copy(let text): _ = screen.copyToClipboard(text)
        case .setMouse(let on): screen.setMouse(on)
        default:
            if wishes.offer([effect]) == 0 {
                apply(.failed("Too much waits to be done; try again in a moment.", effect))
            }
        }
    }

    // MARK: The client

    /// The third loop: everything that happens, on the screen.
    private func display() async {
        while let batch = await host.client.events.next() {
            for event in batch {
                if let shown = ChatEvent(event) { apply(shown) }
            }
            await host.report(batch)
        }
    }

    private func fulfil() async {
        while let batch = await wishes.next() {
            for effect in batch {
                guard let command = ClientCommand(effect) else { continue }
                do throws(CommandError) { try await host.client.perform(command) } catch {
                    apply(.failed("\(error)", effect))
                }
            }
        }
    }

    // MARK: The clock

    private func tick() async {
        while !Task.isCancelled {
            let now = tellTime()
            try? await Task.sleep(for: .milliseconds(60_000 - now.milliseconds % 60_000))
        }
    }

    @discardableResult
    private func tellTime() -> WallTime {
        let now = Clocks.system.wall()
        apply(.clock(now, offset: now.localOffset))
        return now
    }
}
