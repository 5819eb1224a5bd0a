// SPDX-License-Identifier: GPL-3.0-or-later
import ChatScreen
import ChatStore
import CommandLineKit
import CursesScreen
import Glibc
import Identity
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
    private let history: ChatHistory
    /// Questions about what is on disk, in their order.
    private let questions = BoundedQueue<ChatEffect>(capacity: 1024)
    private var digits = ToldDigits()
    /// What was seen since the last frame: one word for each conversation is enough.
    private var seen: [PeerID: MessageID] = [:]
    /// Rung by every key: what was written and is not yet sent is kept after a rest of a second.
    private let keys = Alarm()
    /// Keys since then; so many of them are kept without a rest.
    private var unkept = 0
    private static let unkeptLimit = 64
    /// Rung when there is another hint to take away in time.
    private let hints = Alarm()
    private var hint: (number: Int, seconds: Int)?
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
        history = ChatHistory(host.store)
        let shown = ChatOptions(ascii: options.screen.ascii, hidesAddress: options.relayOnly)
        state = ChatState(me: host.client.me, name: options.ownName, options: shown)
    }

    /// Shows the chat until the user or a signal ends it.
    /// - Returns: the exit status.
    func run() async -> Int32 {
        start()
        apply(.invite(await host.client.invite.text))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.display() }
            await host.run { [self] in
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { await self.fulfil() }
                    tasks.addTask { await self.answer() }
                    tasks.addTask { await self.notePauses() }
                    tasks.addTask { await self.endHints() }
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
            if event == .hangup { leave(128 + SIGHUP) } else { apply(.terminal(event)) }
        }
        screen.onSignal = { [unowned self] number in leave(128 + number) }
        ScreenActor.executor.onTurn { [unowned self] in ScreenActor.assumeIsolated { self.draw() } }
        apply(.terminal(.resize(screen.size)))
        for notice in screen.notices { apply(.notice(notice.string, about: nil)) }
        tellTime()
        apply(.listening(host.port.local))
        restore()
    }

    /// Everything of the last run is on the screen before the network has said anything.
    private func restore() {
        apply(.digits(host.client.me, host.home.identity.key.digits))
        for event in host.saved.settings { apply(event) }
        tell(contacts: host.saved.contacts)
        do throws(StoreError) {
            let summaries = try history.summaries(host.saved)
            apply(.restored(summaries, open: try host.store.lastConversation()))
        } catch { apply(.notice("\(error)", about: nil)) }
    }

    private func tell(contacts: [Contact]) {
        apply(.contacts(contacts))
        for event in digits.news(of: contacts) { apply(event) }
    }

    /// Ends as when the user leaves: what is being written is kept.
    private func leave(_ code: Int32) {
        exitCode = code
        apply(.terminal(.hangup))
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
        for (peer, id) in seen { hand(.markRead(peer, id), to: wishes) }
        seen = [:]
    }

    private func apply(_ event: ChatEvent) {
        if case .terminal = event {
            lastDraw = 0
            keys.ring()
            unkept += 1
        }
        isDirty = true
        undrawn += 1
        for effect in update(&state, event) { carryOut(effect) }
        if unkept >= ChatProgram.unkeptLimit { keepDrafts() }
    }

    private func keepDrafts() {
        unkept = 0
        apply(.rest)
    }

    private func carryOut(_ effect: ChatEffect) {
        switch effect {
        case .quit: ending.ring()
        case .bell: screen.bell()
        case .suspend: screen.suspend()
        case .redraw: screen.redraw()
        case .copy(let text): _ = screen.copyToClipboard(text)
        case .setMouse(let on): screen.setMouse(on)
        case .endHint(let number, let seconds):
            hint = (number, seconds)
            hints.ring()
        case .load, .search: hand(effect, to: questions)
        case .markRead(let peer, let id): seen[peer] = id
        default: hand(effect, to: wishes)
        }
    }

    private func hand(_ effect: ChatEffect, to queue: BoundedQueue<ChatEffect>) {
        if queue.offer([effect]) == 0 {
            apply(.failed("Too much waits to be done; try again in a moment.", effect))
        }
    }

    // MARK: The client and the history

    /// The third loop: everything that happens, on the screen.
    private func display() async {
        while let batch = await host.client.events.next() {
            for (number, event) in batch.enumerated() {
                // However much has piled up, keys get their turn.
                if number % 128 == 127 { await Task.yield() }
                if case .contacts(let contacts) = event {
                    tell(contacts: contacts)
                } else if let shown = ChatEvent(event) {
                    apply(shown)
                }
            }
            await host.report(batch)
        }
    }

    private func fulfil() async {
        while let batch = await wishes.next() {
            for effect in batch {
                if let refusal = await host.client.carryOut(effect) {
                    apply(.failed(refusal, effect))
                } else if let added = ChatEvent.added(by: effect) {
                    apply(added)
                }
            }
        }
    }

    private func answer() async {
        while let batch = await questions.next() {
            for question in batch {
                do throws(StoreError) {
                    switch question {
                    case .load(let request): apply(.history(request, try await history.load(request)))
                    case .search(let text, let peer, let token):
                        let (hits, more) = try await history.search(text, in: peer)
                        apply(.found(token: token, hits, more: more))
                    default: continue
                    }
                } catch { apply(.failed("\(error)", question)) }
            }
        }
    }

    private func notePauses() async {
        while !Task.isCancelled {
            await keys.sleep(for: nil)
            repeat {
                while await keys.rings(within: .seconds(1)) {}
                guard !Task.isCancelled else { return }
                keepDrafts()
            } while await keys.rings(within: .seconds(4))
            if !Task.isCancelled { apply(.pause) }
        }
    }

    /// Each hint has its time, unless another one takes its place.
    private func endHints() async {
        while !Task.isCancelled {
            await hints.sleep(for: nil)
            while let hint, !Task.isCancelled, await hints.rings(within: .seconds(hint.seconds)) {}
            if let hint, !Task.isCancelled { apply(.hintOver(hint.number)) }
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
